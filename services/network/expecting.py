"""A dialogue begins: someone voices what is expected, or commits himself to something. Bodies and pure decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.network.dialogue import Around, Dialogue, Reminded, Standing, Voice, amsterdam_day
from services.network.draft import Draft
from services.network.members import invalid
from shared.clock import Ids
from shared.events.dialogue import CommitmentMade, DialogueState, ExpectationVoiced, Party
from shared.events.network import Grant
from shared.events.words import Action, Category, Setting
from shared.text import Day, Text
from shared.unit import Asked, Change, Request, Snapshot

Words = Annotated[Text, Field(max_length=2000)]


class _Beginning(Request):
    """About a child or the school itself, to members, to settings, or both.

    Each person has a dialogue of their own; the setting school has one, with its team. `for_school`: in the name of the
    school's team, all of whom may go on with it. `open`: the whole network may read these words (never another
    guardian, when a guardian speaks or is addressed).
    """

    about: UUID
    words: Words
    members: tuple[UUID, ...] = Field(default=(), max_length=20)
    settings: tuple[Setting, ...] = Field(default=(), max_length=len(Setting))
    for_school: bool = False
    open: bool = False


class VoiceExpectation(_Beginning):
    """Says in one's own voice what is expected, why it matters, and when to talk about it.

    `by_on` and `review_on`: by which day, and when to look back; who accepts fills in what is left out.
    """

    why: Words
    talk_on: Day | None = None
    by_on: Day | None = None
    review_on: Day | None = None


class MakeCommitment(_Beginning):
    """Commits oneself to something, without being asked. `review_on` None: on that same day."""

    by_on: Day
    review_on: Day | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a dialogue is with: a member, or the school's team."""

    member: UUID | None
    setting: Setting | None


def around(seen: Snapshot, subject: UUID) -> Around:
    """Returns who takes part round the subject, from a reader's state."""
    told = seen.state["circles"][str(subject)]
    grants = (Grant.model_validate(one) for held in told["grants"].values() for one in held)
    return Around.of(grants, told["guardians"], seen.clock)


def must_lie_ahead(today: date, **days: date | None) -> None:
    """Raises Problem when one of the days has passed."""
    for name, day in days.items():
        if day is not None and day < today:
            raise invalid(f"{name} has passed: choose {today} or a later day", field=name)


def decide_voice_expectation(asked: Asked[VoiceExpectation], seen: Snapshot) -> Change:
    """Begins a dialogue with each who is asked; their answer is waited for."""
    body = asked.body
    must_lie_ahead(amsterdam_day(seen.now), talk_on=body.talk_on, by_on=body.by_on, review_on=body.review_on)
    days = {"talk_on": body.talk_on, "by_on": body.by_on, "review_on": body.review_on}
    beginning = _Begun(asked, seen, {**days, "why": body.why, "promise": False})
    for dialogue in beginning.dialogues(DialogueState.OPEN, Party.ASKED):
        beginning.tell(ExpectationVoiced, dialogue, **days, open=body.open)
    return beginning.change()


def decide_make_commitment(asked: Asked[MakeCommitment], seen: Snapshot) -> Change:
    """Begins a dialogue with each to whom it is promised; both sides look back on the review's day."""
    body = asked.body
    review_on = body.review_on or body.by_on
    must_lie_ahead(amsterdam_day(seen.now), by_on=body.by_on, review_on=review_on)
    days = {"by_on": body.by_on, "review_on": review_on}
    beginning = _Begun(asked, seen, {**days, "why": None, "talk_on": None, "promise": True})
    for dialogue in beginning.dialogues(DialogueState.AGREED, None):
        id_ = write_commitment(beginning.draft, asked.ids, dialogue, Party.ASKING, 0, **days)
        beginning.draft.write("dialogue", dialogue.id, 0, {"commitment": id_})
        beginning.tell(CommitmentMade, dialogue, commitment=id_, carrier=Party.ASKING, **days)
    return beginning.change()


def write_commitment(
    draft: Draft, ids: Ids, dialogue: Dialogue, carrier: Party, proposal: int, *, by_on: date, review_on: date
) -> UUID:
    """Drafts a new commitment, to be reviewed on its day; returns its id."""
    id_ = ids.time_ordered(draft.now)
    values = {
        "dialogue": dialogue.id,
        "subject": dialogue.subject,
        "proposal": proposal,
        "carrier": carrier,
        "by_on": by_on,
        "review_on": review_on,
        "state": Standing.STANDING,
        "asking": None,
        "asked": None,
        "reminded": Reminded.NOT,
        "next_on": review_on,
        "made_at": draft.now,
    }
    draft.write("commitment", id_, 0, values)
    return id_


class _Begun:
    """What one voice begins, in the making."""

    def __init__(
        self, asked: Asked[VoiceExpectation] | Asked[MakeCommitment], seen: Snapshot, more: dict[str, Any]
    ) -> None:
        body, self._asked = asked.body, asked
        permit = seen.require(asked, Action.PROPOSE, Category.EXPECTATIONS, about=body.about)
        self._around = around(seen, body.about)
        self._targets = _targets(body, asked.actor.id, self._around)
        self.draft = Draft(seen, permit.act, (permit,))
        self.voice = Voice(
            id=asked.ids.time_ordered(seen.now),
            version=1,
            subject=body.about,
            author=asked.actor.id,
            for_school=body.for_school,
            words=body.words,
            open=body.open,
            voiced_at=seen.now,
            **more,
        )
        values = {name: getattr(self.voice, name) for name in Voice.__slots__ if name not in {"id", "version"}}
        self.draft.write("expectation", self.voice.id, 0, values)
        self._begun: list[dict[str, Any]] = []

    def dialogues(self, state: DialogueState, turn_of: Party | None) -> list[Dialogue]:
        """Drafts a dialogue with each target."""
        made = []
        for target in self._targets:
            id_ = self._asked.ids.time_ordered(self.draft.now)
            row: dict[str, Any] = {
                "expectation": self.voice.id,
                "subject": self.voice.subject,
                "member": target.member,
                "setting": target.setting,
                "state": state,
                "turn_of": turn_of,
                "last": 0,
                "proposal": 0,
                "before_state": None,
                "before_proposal": None,
                "companions": (),
                "commitment": None,
            }
            self.draft.write("dialogue", id_, 0, row)
            made.append(Dialogue(id=id_, version=1, voice=self.voice, spoke=(), turns=(), commitments=(), **row))
            member = str(target.member) if target.member else None
            self._begun.append({"dialogue": str(id_), "version": 1, "member": member, "setting": target.setting})
        return made

    def tell(self, fact: type[ExpectationVoiced | CommitmentMade], one: Dialogue, **more: Any) -> None:  # noqa: ANN401  fields
        """Tells a dialogue's beginning to its asked side."""
        if fact is ExpectationVoiced:
            more |= {"member": one.member, "setting": one.setting}
        told = fact(
            expectation=one.expectation,
            dialogue=one.id,
            dialogue_version=1,
            state=one.state,
            turn_of=one.turn_of,
            concerns=tuple(sorted(one.people_of(Party.ASKED, self._around))),
            **more,
        )
        self.draft.tell(told, one.subject, one.id)

    def change(self) -> Change:
        """Returns the Change."""
        return self.draft.change({"expectation": str(self.voice.id), "dialogues": self._begun})


NOBODY = {
    Setting.HOME: "no guardian takes part in expectations here",
    Setting.SCHOOL: "nobody of the school's team takes part here but you",
    Setting.CARE: "no care professional takes part in expectations here: that needs consent to share expectations",
}


def _targets(body: _Beginning, author: UUID, here: Around) -> list[Target]:
    """Returns with whom dialogues begin, each once; raises Problem when someone cannot be addressed."""
    if body.for_school and author not in here.team:
        raise invalid("only the school's team speaks in the name of the school: leave for_school out")
    found: dict[UUID | None, Target] = {}
    for setting in body.settings:
        found |= _of_setting(setting, author, here, for_school=body.for_school)
    for person in body.members:
        if person == author:
            raise invalid("you cannot address yourself: commit yourself to others instead", field="members")
        if person not in here.roles:
            raise invalid("a member that you name takes no part in expectations here: see the network", field="members")
        found.setdefault(person, Target(person, None))
    if not found:
        raise invalid("say of whom: name members, or settings (home, school, care)")
    # Two guardians may be former partners: nothing goes from one to the other here.
    if author in here.guardians and (here.guardians - {author}) & found.keys():
        raise invalid(
            "guardians do not reach each other here: ask someone of the school, such as the social worker, to carry it"
        )
    return list(found.values())


def _of_setting(setting: Setting, author: UUID, here: Around, *, for_school: bool) -> dict[UUID | None, Target]:
    if setting is Setting.CHILD:
        raise invalid("address the child as a member, not as a setting", field="settings")
    people = here.people(setting) - {author}
    if setting is Setting.SCHOOL and author in here.guardians:
        people -= here.guardians
    if not people:
        raise invalid(f"{NOBODY[setting]}: address someone else", field="settings")
    if setting is not Setting.SCHOOL:
        return {person: Target(person, setting) for person in sorted(people)}
    if for_school:
        raise invalid("the school cannot ask this of itself: speak for yourself, or address members", field="settings")
    return {None: Target(None, setting)}
