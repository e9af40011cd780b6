"""Facts about who is round a child, and what follows from them. Pure: no clock, no I/O.

Facts hold from `starts_at` (included) to `ends_at` (excluded; None: open). Days are Europe/Amsterdam's, moments UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from services.network.safeguards import Dispute, Emergency, PolicyVersion, Withholding, in_force
from services.network.spans import EVER, FOREVER, Span, birthday, day_start, joined, reached_at, without
from shared.events.network import Capacity, ConsentState, Decision, HolderRole, PolicyRule, RecipientKind
from shared.events.words import Category, Purpose, Role

DECIDES_AT = 16
"""From this age the young person decides on consent (Dutch GDPR implementation act, article 5)."""
OF_AGE_AT = 18
"""At this age parental authority ends (Dutch civil code, article 1:233 and 1:253p)."""


class Status(StrEnum):
    """How a membership or a whole network stands: the CareTeam statuses of FHIR R4."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    INACTIVE = "inactive"


class AnswerKind(StrEnum):
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Mandate:
    """What a member is there for, as a code, and in which period (None: open)."""

    code: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """A person takes part in the network of `subject` (a child or the school) in a role.

    `mandate` has a period of its own; `suspended_at`: it gives nothing since then, until it is resumed;
    `ended_by_hand`: a command ended it (or will), so no roster takes it up again.
    """

    id: UUID
    version: int
    subject: UUID
    person: UUID
    role: Role
    organisation: UUID | None
    on_behalf_of: UUID | None
    source: str
    starts_at: datetime
    ends_at: datetime | None
    mandate: Mandate | None = None
    suspended_at: datetime | None = None
    ended_by_hand: bool = False

    @property
    def span(self) -> Span:
        """When it gives anything: within its mandate, and until it is suspended."""
        span = Span(self.starts_at, min(self.ends_at or FOREVER, self.suspended_at or FOREVER))
        if self.mandate is None:
            return span
        return span.within(Span(self.mandate.starts_at or self.starts_at, self.mandate.ends_at or FOREVER))

    @property
    def until(self) -> datetime | None:
        """When it ends by itself or by its mandate, whichever is first; None: open."""
        ends = (self.ends_at, self.mandate.ends_at if self.mandate else None)
        return min((at for at in ends if at), default=None)

    def is_open(self, now: datetime) -> bool:
        """Tells whether it has not ended: it may be still to come, suspended, or without a mandate now."""
        return self.ends_at is None or self.ends_at > now

    def status(self, now: datetime) -> Status:
        """Returns how it stands."""
        if (self.until or FOREVER) <= now:
            return Status.INACTIVE
        if self.suspended_at is not None:
            return Status.SUSPENDED
        return Status.PROPOSED if self.span.since > now else Status.ACTIVE


@dataclass(frozen=True, slots=True)
class Authority:
    """A person decides about a child in the matters of `scope`; `source` is a code.

    Parental authority holds until the child is of age; that of a curator or mentor from then on.
    """

    id: UUID
    version: int
    child: UUID
    holder: UUID
    scope: tuple[Decision, ...]
    source: str
    starts_at: datetime
    ends_at: datetime | None
    role: HolderRole = HolderRole.PARENTAL
    ended_by_hand: bool = False

    @property
    def span(self) -> Span:
        return Span(self.starts_at, self.ends_at or FOREVER)


@dataclass(frozen=True, slots=True)
class Answer:
    """The latest answer of one holder to one consent."""

    holder: UUID
    capacity: Capacity
    answer: AnswerKind
    at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """Purpose x recipient x categories x period x notice version, and what each holder answered.

    `renews`: the consent of the same name that this one carries on when that one's time is over.
    """

    id: UUID
    version: int
    child: UUID
    for_purpose: Purpose
    recipient_kind: RecipientKind
    recipient: UUID
    categories: tuple[Category, ...]
    notice_version: int
    starts_at: datetime
    ends_at: datetime
    state: ConsentState
    answers: tuple[Answer, ...]
    renews: UUID | None = None

    def answer_of(self, holder: UUID) -> AnswerKind | None:
        """Returns what `holder` answered last, None: nothing yet."""
        return next((one.answer for one in self.answers if one.holder == holder), None)

    @property
    def span(self) -> Span:
        return Span(self.starts_at, self.ends_at)

    def is_for(self, membership: Membership) -> bool:
        """Tells whether this member is the recipient, in person or through the organisation."""
        if self.recipient_kind is RecipientKind.MEMBER:
            return membership.person == self.recipient
        return membership.organisation == self.recipient


@dataclass(frozen=True, slots=True)
class Child:
    """All facts about one child. `revision` is that of its access row, `wide` the school's number when it was made.

    Birthdays after `veil` are left out of account: grants, which others see, must not tell when a child was born.
    """

    id: UUID
    version: int
    born_on: date | None
    wide: int
    revision: int
    memberships: tuple[Membership, ...] = ()
    authorities: tuple[Authority, ...] = ()
    consents: tuple[Consent, ...] = ()
    due_on: date | None = None
    veil: datetime = FOREVER
    policies: tuple[PolicyVersion, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    withheld: tuple[Withholding, ...] = ()
    emergencies: tuple[Emergency, ...] = ()
    reminders: frozenset[UUID] = frozenset()
    attend_at: datetime | None = None

    def reaches(self, age: int) -> datetime:
        """Returns the moment of that birthday, or FOREVER when the day of birth is unknown."""
        moment = FOREVER if self.born_on is None else reached_at(self.born_on, age)
        return FOREVER if moment > self.veil else moment

    @property
    def guardians(self) -> frozenset[UUID]:
        """Who is or was a guardian. They may be former partners: whatever else they are here, of another they learn
        nothing that a guardian must not.
        """
        return frozenset(one.person for one in self.memberships if one.role is Role.GUARDIAN)

    def has_left(self, now: datetime) -> bool:
        """Tells whether the child was a pupil here and is none any more."""
        own = [one for one in self.memberships if one.role is Role.CHILD]
        return bool(own) and not any(one.is_open(now) for one in own)

    def status(self, now: datetime) -> Status:
        """Returns how the network round the child stands: by those round it, the child itself left out."""
        found = {one.status(now) for one in self.memberships if one.role is not Role.CHILD}
        if self.has_left(now) or found == {Status.INACTIVE}:
            return Status.INACTIVE
        return next((one for one in (Status.ACTIVE, Status.SUSPENDED) if one in found), Status.PROPOSED)

    def next_due(self, now: datetime) -> date | None:
        """Returns the day before the next birthday that changes grants, if it is still to come."""
        if self.born_on is None:
            return None
        days = [birthday(self.born_on, age) - timedelta(days=1) for age in (DECIDES_AT, OF_AGE_AT)]
        return next((day for day in days if day_start(day) > now), None)

    def holding(self, one: Authority) -> Span:
        """Returns when an authority holds, by its period and the child's age."""
        of_age = self.reaches(OF_AGE_AT)
        return one.span.within(Span(EVER, of_age) if one.role is HolderRole.PARENTAL else Span(of_age))

    def authority_spans(self, holder: UUID, decision: Decision) -> list[Span]:
        """Returns when `holder` has authority in that matter, joined and in order."""
        return joined(self.holding(one) for one in self.authorities if one.holder == holder and decision in one.scope)

    def sharing_spans(self, holder: UUID) -> list[Span]:
        """Returns when `holder` decides on sharing: parents until the child itself does, a curator or mentor after."""
        minor = Span(EVER, self.reaches(DECIDES_AT))
        return joined(
            self.holding(one).within(minor if one.role is HolderRole.PARENTAL else Span(EVER))
            for one in self.authorities
            if one.holder == holder and Decision.SHARING in one.scope
        )

    def self_spans(self) -> list[Span]:
        """Returns when the young person decides on sharing: from 16, while no curator or mentor does."""
        others = [
            self.holding(one)
            for one in self.authorities
            if one.role is not HolderRole.PARENTAL and Decision.SHARING in one.scope
        ]
        return list(without(Span(self.reaches(DECIDES_AT)), joined(others)))

    def holders_at(self, at: datetime) -> frozenset[UUID]:
        """Returns who decides on sharing at `at`: the child itself from 16, before that all with authority.

        A curator or mentor decides instead of someone of age.
        """
        holding = [one for one in self.authorities if Decision.SHARING in one.scope and self.holding(one).holds(at)]
        if at < self.reaches(DECIDES_AT):
            return frozenset(one.holder for one in holding)
        return frozenset(one.holder for one in holding if one.role is not HolderRole.PARENTAL) or frozenset({self.id})

    def rule_at(self, decision: Decision, at: datetime) -> PolicyRule:
        """Returns whose yes it takes at `at`: by the school's policy, but everyone's while holders are in dispute."""
        version = in_force(self.policies, decision, at)
        disputed = any(
            one.decision is decision and Span(one.starts_at, one.ends_at or FOREVER).holds(at) for one in self.disputes
        )
        return PolicyRule.ALL_HOLDERS if version is None or disputed else version.rule


@dataclass(frozen=True, slots=True)
class School:
    """The facts of the school itself. `wide` counts changes of what reaches every child: certain roles, the policy.

    `in_review`: an emergency waits for its review. `rules`: the version of the rules that the grants follow.
    """

    id: UUID
    version: int
    wide: int
    revision: int
    memberships: tuple[Membership, ...] = ()
    in_review: bool = False
    policies: tuple[PolicyVersion, ...] = ()
    rules: int = 0


_CHILDREN = TypeAdapter(tuple[Child, ...])
_SCHOOL = TypeAdapter(School)


def children_of(state: Mapping[str, Any]) -> dict[UUID, Child]:
    """Returns the children in a reader's state, by id, each with the school's policy."""
    policies = school_of(state).policies if state["children"] else ()
    return {child.id: replace(child, policies=policies) for child in _CHILDREN.validate_python(state["children"])}


def school_of(state: Mapping[str, Any]) -> School:
    """Returns the school in a reader's state."""
    return _SCHOOL.validate_python(state["school"])
