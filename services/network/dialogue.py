"""A dialogue about an expectation: its two sides, how it stands, who may read it. Pure: no clock, no I/O.

Guardians of one child may be former partners, and nobody here knows which are. So of whatever one of them says or is
addressed in, another reads nothing, whoever let whom in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from services.network.policy import EXTERNAL, SCHOOL_TEAM
from services.network.spans import AMSTERDAM
from shared.events.dialogue import DialogueState, Kept, Party
from shared.events.network import Grant
from shared.events.words import Action, Category, Role, Setting

OVERDUE_AFTER = timedelta(days=7)
"""A review is overdue so long after its day."""
MOST_TURNS = 100
OTHER = {Party.ASKING: Party.ASKED, Party.ASKED: Party.ASKING}


class TurnKind(StrEnum):
    """What a turn did."""

    ACCEPTED = "accepted"
    PROPOSED = "proposed"
    DECLINED = "declined"
    TOOK_BACK = "took_back"
    REVIEWED = "reviewed"
    REMARKED = "remarked"


class Standing(StrEnum):
    """How a commitment stands."""

    STANDING = "standing"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


class Reminded(StrEnum):
    """What was told of a review."""

    NOT = "not"
    DUE = "due"
    OVERDUE = "overdue"


class Reads(StrEnum):
    """How much of a dialogue someone may read. `opened`: what its authors opened to the whole network."""

    WHOLE = "whole"
    OPENED = "opened"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Voice:
    """What its author expects, or (`promise`) commits himself to; for himself, or in the school's name."""

    id: UUID
    version: int
    subject: UUID
    promise: bool
    author: UUID
    for_school: bool
    words: str
    why: str | None
    talk_on: date | None
    by_on: date | None
    review_on: date | None
    open: bool
    voiced_at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """What someone said in it, and for which side (None: as a companion)."""

    id: UUID
    version: int
    dialogue: UUID
    subject: UUID
    number: int
    party: Party | None
    person: UUID
    kind: TurnKind
    words: str | None
    by_on: date | None
    review_on: date | None
    outcome: Kept | None
    open: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Commitment:
    """What was agreed: `proposal` is the number of the turn that says what, 0 for the expectation itself."""

    id: UUID
    version: int
    dialogue: UUID
    subject: UUID
    proposal: int
    carrier: Party
    by_on: date
    review_on: date
    state: Standing
    asking: Kept | None
    asked: Kept | None
    reminded: Reminded
    next_on: date | None
    made_at: datetime

    def outcome(self, party: Party) -> Kept | None:
        """Returns how it went, as that side sees it."""
        return self.asking if party is Party.ASKING else self.asked


@dataclass(frozen=True, slots=True)
class Companion:
    """Someone whom one or both sides want in the dialogue."""

    member: UUID
    by: tuple[Party, ...]

    @property
    def joined(self) -> bool:
        """Both sides let the member in."""
        return len(self.by) == len(Party)


@dataclass(frozen=True, slots=True)
class Around:
    """Who may take part in dialogues about one subject now, in which roles; and who is or was a guardian of it."""

    roles: Mapping[UUID, frozenset[Role]]
    guardians: frozenset[UUID]

    @classmethod
    def of(cls, grants: Iterable[Grant], guardians: Iterable[str], at: datetime) -> Around:
        """Returns it by the subject's grants; `at` is the database's clock, which grants are judged by."""
        roles: dict[UUID, frozenset[Role]] = {}
        for one in grants:
            holds = one.valid_from <= at and (one.valid_until is None or at < one.valid_until)
            able = Action.ANSWER in one.actions and Category.EXPECTATIONS in one.categories
            if holds and able and one.role is not Role.LOCAL_TOOL:
                roles[one.member] = roles.get(one.member, frozenset()) | {one.role}
        return cls(roles, frozenset(map(UUID, guardians)))

    def those(self, roles: frozenset[Role]) -> frozenset[UUID]:
        """Returns those who take part in one of these roles."""
        return frozenset(person for person, has in self.roles.items() if has & roles)

    def people(self, setting: Setting) -> frozenset[UUID]:
        """Returns the people of a setting."""
        return self.those(
            {
                Setting.HOME: frozenset({Role.GUARDIAN}),
                Setting.SCHOOL: SCHOOL_TEAM,
                Setting.CARE: EXTERNAL,
                Setting.CHILD: frozenset({Role.CHILD}),
            }[setting]
        )

    @property
    def team(self) -> frozenset[UUID]:
        """The school's people round the subject."""
        return self.people(Setting.SCHOOL)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """An expectation between its author and one asked side: `member`, or the school's team when that is None."""

    id: UUID
    version: int
    expectation: UUID
    subject: UUID
    member: UUID | None
    setting: Setting | None
    state: DialogueState
    turn_of: Party | None
    last: int
    proposal: int
    before_state: DialogueState | None
    before_proposal: int | None
    companions: tuple[Companion, ...]
    commitment: UUID | None
    voice: Voice
    spoke: tuple[UUID, ...]
    turns: tuple[Turn, ...]
    commitments: tuple[Commitment, ...]

    @property
    def carrier(self) -> Party:
        """The side that does what is agreed."""
        return Party.ASKING if self.voice.promise else Party.ASKED

    @property
    def standing(self) -> Commitment | None:
        """The commitment that stands now."""
        return next((one for one in self.commitments if one.state is Standing.STANDING), None)

    def proposed(self) -> Voice | Turn:
        """Returns what is on the table, or was agreed last."""
        return next((one for one in self.turns if one.number == self.proposal), self.voice)

    def _walled(self, person: UUID, around: Around) -> bool:
        """Tells whether another guardian speaks or is addressed in it, so that this one must learn nothing of it."""
        if person not in around.guardians:
            return False
        joined = {one.member for one in self.companions if one.joined}
        inside = {self.voice.author, self.member, *self.spoke, *joined}
        return bool((inside - {person}) & around.guardians)

    def side_of(self, person: UUID, around: Around) -> Party | None:
        """Returns the side that a person speaks for; who is named comes before who is in the team."""
        if self._walled(person, around):
            return None
        if person == self.voice.author:
            return Party.ASKING
        if person == self.member:
            return Party.ASKED
        if person in around.team:
            if self.voice.for_school:
                return Party.ASKING
            if self.member is None:
                return Party.ASKED
        return None

    def is_companion(self, person: UUID, around: Around) -> bool:
        """Tells whether both sides let this person in."""
        joined = any(one.member == person and one.joined for one in self.companions)
        return joined and not self._walled(person, around)

    def reads(self, person: UUID, around: Around) -> Reads:
        """Returns how much of it a person may read who may see expectations about the subject at all."""
        if self.side_of(person, around) or self.is_companion(person, around):
            return Reads.WHOLE
        if self._walled(person, around):
            return Reads.NOTHING
        return Reads.OPENED if self.voice.open else Reads.NOTHING

    def people_of(self, party: Party, around: Around) -> frozenset[UUID]:
        """Returns who must hear what concerns a side: of a team those who spoke in it, or all while nobody has."""
        named = self.voice.author if party is Party.ASKING else self.member
        if named is not None and not (party is Party.ASKING and self.voice.for_school):
            return frozenset({named})
        team = frozenset(one for one in around.team if self.side_of(one, around) is party)
        return team & {*self.spoke, named} or team

    def company(self, around: Around) -> frozenset[UUID]:
        """Returns the companions."""
        return frozenset(one.member for one in self.companions if self.is_companion(one.member, around))


_DIALOGUES = TypeAdapter(tuple[Dialogue, ...])


def dialogues_of(state: Mapping[str, Any]) -> tuple[Dialogue, ...]:
    """Returns the dialogues in a reader's state, in its order."""
    return _DIALOGUES.validate_python(state["dialogues"])


def amsterdam_day(at: datetime) -> date:
    """Returns the day it is in the Netherlands."""
    return at.astimezone(AMSTERDAM).date()
