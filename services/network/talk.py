"""One step in a dialogue, in the making: who speaks, what is drafted, and whom it concerns. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from services.network.dialogue import (
    MOST_TURNS,
    OTHER,
    Commitment,
    Dialogue,
    Reads,
    TurnKind,
    amsterdam_day,
    dialogues_of,
)
from services.network.draft import Draft
from services.network.expecting import around, write_commitment
from services.network.members import conflict
from shared import access
from shared.events import dialogue as told
from shared.events.dialogue import DialogueState, Party
from shared.events.words import Action, Category
from shared.unit import Asked, Change, Request, Snapshot, stale


class InDialogue(Request):
    """Which dialogue, and the version of it that was seen."""

    dialogue: UUID
    version: int


class Talk:
    """One step in a dialogue, in the making. Raises Denial for who does not speak in it, as if it were not there."""

    def __init__(self, asked: Asked[Any], seen: Snapshot) -> None:
        permit = seen.require(asked, Action.ANSWER, Category.EXPECTATIONS)
        self._asked, self.seen, self.actor = asked, seen, asked.actor.id
        self.dialogue: Dialogue = dialogues_of(seen.state)[0]
        self.around = around(seen, self.dialogue.subject)
        if self.dialogue.reads(self.actor, self.around) is not Reads.WHOLE:
            view = seen.views[self.dialogue.subject]
            purpose = asked.body.purpose
            raise access.denial(view, asked.actor, Action.ANSWER, Category.EXPECTATIONS, purpose, "not_in_dialogue")
        self.side = self.dialogue.side_of(self.actor, self.around)
        if asked.body.version != self.dialogue.version:
            raise stale(asked.body.version, self.dialogue.version)
        self.draft = Draft(seen, permit.act, (permit,))
        self.today = amsterdam_day(seen.now)
        self._state, self._turn_of = self.dialogue.state, self.dialogue.turn_of

    @property
    def party(self) -> Party:
        """The side that the actor speaks for; raises Problem for a companion."""
        if self.side is None:
            raise conflict("the two sides decide here: you were let in to read, and to make a remark")
        return self.side

    def now_their_turn(self) -> None:
        """Raises Problem unless the actor's side is to answer."""
        if self.dialogue.state is not DialogueState.OPEN:
            raise conflict(f"there is nothing to answer: it is {self.dialogue.state}", state=self.dialogue.state)
        if self.dialogue.turn_of is not self.party:
            raise conflict("the other side is to answer first: wait, make a remark, or take back your own")

    def turn(self, kind: TurnKind, *, by_on: date | None = None, review_on: date | None = None) -> int:
        """Drafts what the actor said, with its words and whether they are open; returns its number."""
        body, dialogue = self._asked.body, self.dialogue
        number = dialogue.last + 1
        if number > MOST_TURNS:
            raise conflict(f"this dialogue has {MOST_TURNS} turns: meet, and begin a new one with what you agreed")
        values = {
            "dialogue": dialogue.id,
            "subject": dialogue.subject,
            "number": number,
            "party": self.side,
            "person": self.actor,
            "kind": kind,
            "words": body.words,
            "by_on": by_on,
            "review_on": review_on,
            "outcome": getattr(body, "outcome", None),
            "open": body.open,
            "at": self.seen.now,
        }
        self.draft.write("turn", self._asked.ids.time_ordered(self.seen.now), 0, values)
        self.moves(last=number)
        return number

    def moves(self, **values: Any) -> None:  # noqa: ANN401  columns
        """Drafts the dialogue's columns that change."""
        self._state = values.get("state", self._state)
        self._turn_of = values.get("turn_of", self._turn_of)
        self.draft.write("dialogue", self.dialogue.id, self.dialogue.version, values)

    def stands(self, state: DialogueState, turn_of: Party | None = None) -> None:
        """Drafts how the dialogue stands from now on."""
        self.moves(state=state, turn_of=turn_of)

    def commits(self, *, by_on: date, review_on: date) -> None:
        """Drafts the commitment to what was accepted, and tells it; the answer tells whom it concerns."""
        one = self.dialogue
        days = {"by_on": by_on, "review_on": review_on}
        id_ = write_commitment(self.draft, self._asked.ids, one, one.carrier, one.proposal, **days)
        self.moves(commitment=id_)
        self.tell(told.CommitmentMade, (), commitment=id_, carrier=one.carrier, **days)

    def settles(self, commitment: Commitment, **values: Any) -> None:  # noqa: ANN401  columns
        """Drafts the commitment's columns that change."""
        self.draft.write("commitment", commitment.id, commitment.version, values)

    def tell(self, fact: type[told.Dialogue], concerns: Iterable[UUID], **more: Any) -> None:  # noqa: ANN401  fields
        """Tells it, as the dialogue stands with what was drafted."""
        event = fact(
            expectation=self.dialogue.expectation,
            dialogue=self.dialogue.id,
            dialogue_version=self.dialogue.version + 1,
            state=self._state,
            turn_of=self._turn_of,
            concerns=tuple(sorted(set(concerns) - {self.actor})),
            **more,
        )
        self.draft.tell(event, self.dialogue.subject, self.dialogue.id)

    def others(self) -> frozenset[UUID]:
        """Returns who must hear what the actor did: the other side (both, of a companion), and the companions."""
        sides = tuple(Party) if self.side is None else (OTHER[self.side],)
        people = frozenset[UUID]().union(*(self.dialogue.people_of(one, self.around) for one in sides))
        return people | self.dialogue.company(self.around)

    def change(self, **more: Any) -> Change:  # noqa: ANN401  JSON
        """Returns the Change."""
        reply = {"dialogue": str(self.dialogue.id), "version": self.dialogue.version + 1, "state": self._state.value}
        return self.draft.change({**reply, **more})
