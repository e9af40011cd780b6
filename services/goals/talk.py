"""A conversation as its readers give it: who takes part, who may see it, what is possible now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.goals.parties import is_party
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.conversations import ConversationKind, GuidanceStep
from shared.events.words import Action, Basis, Category
from shared.unit import Asked, Row, Snapshot, stale


class TalkStatus(StrEnum):
    """A conversation's life: held and cancelled are its ends."""

    PLANNED = "planned"
    HELD = "held"
    CANCELLED = "cancelled"


ALLOWED: Mapping[str, frozenset[TalkStatus]] = {
    "move-conversation": frozenset({TalkStatus.PLANNED}),
    "cancel-conversation": frozenset({TalkStatus.PLANNED}),
    "answer-invitation": frozenset({TalkStatus.PLANNED}),
    "add-point": frozenset({TalkStatus.PLANNED}),
    "hold-conversation": frozenset({TalkStatus.PLANNED}),
    "withdraw-invitation": frozenset({TalkStatus.PLANNED}),
    "record-outcome": frozenset({TalkStatus.HELD}),
    "settle-outcome": frozenset({TalkStatus.HELD}),
    "say-heard": frozenset({TalkStatus.HELD}),
}
STEPS: Mapping[TalkStatus, tuple[GuidanceStep, ...]] = {
    TalkStatus.PLANNED: (GuidanceStep.AGENDA, GuidanceStep.TALKING),
    TalkStatus.HELD: (GuidanceStep.OUTCOMES, GuidanceStep.LOOKING_BACK),
    TalkStatus.CANCELLED: (),
}
"""Which guidance goes along with a conversation as it stands."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What a command has to know of a conversation. `sequence` is what people and their calendars saw."""

    id: UUID
    version: int
    about: UUID
    kind: ConversationKind
    status: TalkStatus
    sequence: int
    starts_at: datetime
    ends_at: datetime
    invited: tuple[UUID, ...]
    invited_by: UUID
    attended: tuple[UUID, ...]
    changed_at: datetime
    uninvited: tuple[UUID, ...] = ()
    """Who was on the list and is no longer."""

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Talk:
        """Returns what a reader gave of a row of conversation."""
        return cls(
            UUID(raw["id"]),
            raw["version"],
            UUID(raw["about"]),
            ConversationKind(raw["kind"]),
            TalkStatus(raw["status"]),
            raw["sequence"],
            datetime.fromisoformat(raw["starts_at"]),
            datetime.fromisoformat(raw["ends_at"]),
            tuple(map(UUID, raw["invited"])),
            UUID(raw["invited_by"]),
            tuple(map(UUID, raw["attended"] or ())),
            datetime.fromisoformat(raw["changed_at"]),
            tuple(map(UUID, raw["uninvited"] or ())),
        )

    @property
    def people(self) -> frozenset[UUID]:
        """Everyone who takes part: who invited, who was invited, who was there."""
        return frozenset({self.invited_by, *self.invited, *self.attended})

    def others(self, actor: UUID) -> tuple[UUID, ...]:
        """Returns all who take part but `actor`, who knows."""
        return tuple(sorted(self.people - {actor}))

    def row(self, **values: object) -> Row:
        """Returns the write of its row: whoever else saw the same row decides again."""
        return Row("conversation", self.id, self.version, values)


def enter(asked: Asked[Any], seen: Snapshot, action: Action) -> tuple[Permit, Talk]:
    """Returns the permit and the conversation; raises Denial for who neither takes part nor works on it by task.

    A parent who was not asked (the other parent's own conversation with school) learns nothing of it, also one who
    works in the child's team as well; nor does a professional who is here by consent.
    """
    permit = seen.require(asked, action, Category.CONVERSATIONS)
    talk = Talk.read(seen.state["conversation"])
    return (permit if asked.actor.id in talk.people else by_task(asked, seen, action)), talk


def by_task(asked: Asked[Any], seen: Snapshot, action: Action) -> Permit:
    """Returns the permit of somebody who is here by a school's task and is no parent here; raises Denial."""
    subject = next(iter(seen.views), UUID(int=0))
    view = seen.views.get(subject)
    if view is not None:
        party = is_party(seen, subject)
        tasks = tuple(grant for grant in view.grants if grant.basis is Basis.PUBLIC_TASK and not party)
        seen = replace(seen, views={**seen.views, subject: replace(view, grants=tasks)})
    return seen.require(asked, action, Category.CONVERSATIONS)


def possible(talk: Talk, command: str, sequence: int | None = None) -> None:
    """Raises Problem when the conversation's status does not allow `command`, or its time moved since it was seen."""
    if talk.status not in ALLOWED[command]:
        allowed = sorted(name for name, sources in ALLOWED.items() if talk.status in sources)
        then = f"from here: {', '.join(allowed)}" if allowed else "nothing follows from here: plan a new conversation"
        detail = f"{command} is not possible once the conversation is {talk.status.value}; {then}"
        raise Problem(ProblemType.CONFLICT, detail, status=talk.status.value, allowed=allowed)
    if sequence is not None and sequence != talk.sequence:
        when = talk.starts_at.isoformat()
        raise stale(sequence, talk.sequence, status=talk.status.value, starts_at=when)


def no_strangers(seen: Snapshot, field: str) -> None:
    """Raises Problem when members are named who are not in the network."""
    if strangers := seen.state["strangers"]:
        detail = f"{field} names members who are not in this network: name others or add them to the network first"
        raise Problem(ProblemType.INVALID, detail, field=field, members=strangers)
