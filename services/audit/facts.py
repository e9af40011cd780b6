"""What network's events say of one subject's circle, folded in their order: what its grants must rest on. Pure.

Thin events do not tell a day of birth, the start of a mandate, or why: what hangs on those is not derived here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.events import emergencies, membership
from shared.events import network as told
from shared.events.base import Event, Fact, by_type
from shared.events.network import Capacity, Decision, HolderRole, PolicyRule, RecipientKind
from shared.events.words import Category, Purpose, Role

FOREVER = datetime.max.replace(tzinfo=UTC)

FACTS = by_type(
    (
        membership.MemberAdded,
        membership.MembershipChanged,
        membership.MembershipEnded,
        membership.MembershipSuspended,
        membership.MembershipResumed,
        told.AuthorityRecorded,
        told.AuthorityEnded,
        told.ConsentAsked,
        told.ConsentGiven,
        told.ConsentRefused,
        told.ConsentWithdrawn,
        told.ConsentSettled,
        told.ConsentEnded,
        emergencies.EmergencyStarted,
        emergencies.EmergencyEnded,
        emergencies.EmergencyReviewed,
        told.DisputeNoted,
        told.DisputeSettled,
        told.InformationWithheld,
        told.InformationRestored,
        told.PolicySet,
    )
)
"""The events that grants are held against; 0015_withheld.sql has an index over these very types."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` (included) to `until` (excluded)."""

    since: datetime
    until: datetime = FOREVER

    def holds(self, at: datetime) -> bool:
        """Tells whether `at` lies in it."""
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class Part:
    """A membership as it was told. `cut_told_at`: when its end or suspension was told; `before`: its end until then."""

    member: UUID
    role: Role
    organisation: UUID | None
    starts_at: datetime
    ends_at: datetime
    mandate_ends_at: datetime
    suspended_at: datetime = FOREVER
    cut_told_at: datetime | None = None
    before: datetime = FOREVER

    def span(self, known_at: datetime = FOREVER) -> Span:
        """Returns when it gives anything, leaving out a cut that was told after `known_at` (the database's clock)."""
        end = min(self.ends_at, self.suspended_at)
        if self.cut_told_at is not None and self.cut_told_at > known_at:
            end = max(end, self.before)
        return Span(self.starts_at, min(end, self.mandate_ends_at))


@dataclass(frozen=True, slots=True)
class Holding:
    """Authority as it was told."""

    holder: UUID
    scope: frozenset[Decision]
    role: HolderRole
    span: Span


@dataclass(frozen=True, slots=True)
class Answer:
    """A holder's latest answer: the kind is `given`, `refused` or `withdrawn`."""

    kind: str
    capacity: Capacity


@dataclass(frozen=True, slots=True)
class Asked:
    """A consent as it was told, with the latest answer of each."""

    version: int
    purpose: Purpose
    recipient_kind: RecipientKind
    recipient: UUID
    categories: frozenset[Category]
    span: Span
    answers: dict[UUID, Answer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Glass:
    """Emergency access as it was told."""

    member: UUID
    role: Role
    categories: frozenset[Category]
    starts_at: datetime
    ends_at: datetime
    reviewed: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A version of the school's policy in one matter, and when it was told."""

    decision: Decision
    number: int
    rule: PolicyRule
    starts_at: datetime
    told_at: datetime


ANSWERS: dict[type[Fact], str] = {
    told.ConsentGiven: "given",
    told.ConsentRefused: "refused",
    told.ConsentWithdrawn: "withdrawn",
}


@dataclass(slots=True)
class Facts:
    """All that was told of one subject (a child or the school), up to some event."""

    seq: int = 0
    parts: dict[UUID, Part] = field(default_factory=dict)
    holdings: dict[UUID, Holding] = field(default_factory=dict)
    consents: dict[UUID, Asked] = field(default_factory=dict)
    glasses: dict[UUID, Glass] = field(default_factory=dict)
    disputes: dict[UUID, tuple[Decision, Span]] = field(default_factory=dict)
    withheld: dict[UUID, tuple[UUID, Span]] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    def take(self, events: Iterable[Event]) -> Facts:
        """Folds events of network about this subject, in order; what was folded already is skipped. Returns itself."""
        for event in events:
            if event.seq > self.seq:
                self._membership(event)
                self._authority(event)
                self._consent(event)
                self._emergency(event)
                self._withheld(event)
                self.seq = event.seq
        return self

    def _membership(self, event: Event) -> None:
        if event.is_a(membership.MemberAdded):
            new = event.fact(membership.MemberAdded)
            until = (new.ends_at or FOREVER, new.mandate_ends_at or FOREVER)
            self.parts[new.membership] = Part(new.member, new.role, new.organisation, new.starts_at, *until)
        elif event.is_a(membership.MembershipChanged):
            changed = event.fact(membership.MembershipChanged)
            renewed = {"mandate_ends_at": changed.mandate_ends_at or FOREVER} if changed.mandate else {}
            ends_at = changed.ends_at or FOREVER
            self._part(changed.membership, starts_at=changed.starts_at, ends_at=ends_at, **renewed)
        elif event.is_a(membership.MembershipEnded):
            ended = event.fact(membership.MembershipEnded)
            self._cut(event, ended.membership, ends_at=ended.ends_at)
        elif event.is_a(membership.MembershipSuspended):
            stopped = event.fact(membership.MembershipSuspended)
            self._cut(event, stopped.membership, suspended_at=stopped.at)
        elif event.is_a(membership.MembershipResumed):
            self._part(event.fact(membership.MembershipResumed).membership, suspended_at=FOREVER)

    def _part(self, id_: UUID, **changes: Any) -> None:  # noqa: ANN401  fields
        if id_ in self.parts:
            self.parts[id_] = replace(self.parts[id_], **changes)

    def _cut(self, event: Event, id_: UUID, **changes: Any) -> None:  # noqa: ANN401  fields
        if id_ in self.parts:
            was = self.parts[id_]
            self.parts[id_] = replace(was, cut_told_at=event.recorded_at, before=was.span().until, **changes)

    def _authority(self, event: Event) -> None:
        if event.is_a(told.AuthorityRecorded):
            one = event.fact(told.AuthorityRecorded)
            span = Span(one.starts_at, one.ends_at or FOREVER)
            self.holdings[one.authority] = Holding(one.holder, frozenset(one.scope), one.role, span)
        elif event.is_a(told.AuthorityEnded):
            ended = event.fact(told.AuthorityEnded)
            if ended.authority in self.holdings:
                was = self.holdings[ended.authority]
                self.holdings[ended.authority] = replace(was, span=Span(was.span.since, ended.ends_at))
        elif event.is_a(told.DisputeNoted):
            noted = event.fact(told.DisputeNoted)
            self.disputes[noted.dispute] = (noted.decision, Span(noted.starts_at))
        elif event.is_a(told.DisputeSettled):
            settled = event.fact(told.DisputeSettled)
            if settled.dispute in self.disputes:
                decision, span = self.disputes[settled.dispute]
                self.disputes[settled.dispute] = (decision, Span(span.since, settled.ends_at))
        elif event.is_a(told.PolicySet):
            one_rule = event.fact(told.PolicySet)
            self.rules.append(
                Rule(one_rule.decision, one_rule.number, one_rule.rule, one_rule.starts_at, event.recorded_at)
            )

    def _withheld(self, event: Event) -> None:
        if event.is_a(told.InformationWithheld):
            one = event.fact(told.InformationWithheld)
            self.withheld[one.withholding] = (one.guardian, Span(one.starts_at, one.ends_at or FOREVER))
        elif event.is_a(told.InformationRestored):
            over = event.fact(told.InformationRestored)
            if over.withholding in self.withheld:
                guardian, span = self.withheld[over.withholding]
                self.withheld[over.withholding] = (guardian, Span(span.since, over.ends_at))

    def _consent(self, event: Event) -> None:
        facts: tuple[type[Fact], ...] = (told.ConsentAsked, told.ConsentSettled, told.ConsentEnded, *ANSWERS)
        for fact in facts:
            if not event.is_a(fact):
                continue
            one = event.fact(told.ConsentAsked)  # each has its fields
            known = self.consents.get(one.consent)
            # A question anew (its version grows; one that only repeats what holders changed does not), or an answer to
            # one whose time was over, starts without a yes; a no stands until that holder answers differently. A
            # renewal starts with the noes to the one that it carries on.
            anew = known is None or (fact is told.ConsentAsked and one.consent_version > known.version)
            anew = anew or (fact in ANSWERS and known is not None and known.span.until <= event.occurred_at)
            answers = dict(known.answers) if known else self._renewed(one)
            answers = {who: said for who, said in answers.items() if not anew or said.kind != "given"}
            if fact in ANSWERS:
                given = event.fact(told.ConsentGiven)  # each answer has its fields
                answers[given.giver] = Answer(ANSWERS[fact], given.capacity)
            self.consents[one.consent] = Asked(
                one.consent_version,
                one.for_purpose,
                one.recipient_kind,
                one.recipient,
                frozenset(one.categories),
                Span(one.starts_at, one.ends_at),
                answers,
            )

    def _renewed(self, one: told.ConsentAsked) -> dict[UUID, Answer]:
        name = (one.for_purpose, one.recipient, frozenset(one.categories))
        same = [asked for asked in self.consents.values() if (asked.purpose, asked.recipient, asked.categories) == name]
        return dict(same[-1].answers) if same else {}  # each is the renewal of the one before

    def _emergency(self, event: Event) -> None:
        if event.is_a(emergencies.EmergencyStarted):
            one = event.fact(emergencies.EmergencyStarted)
            kinds = frozenset(one.categories)
            self.glasses[one.emergency] = Glass(one.member, one.role, kinds, one.starts_at, one.ends_at)
        elif event.is_a(emergencies.EmergencyEnded):
            ended = event.fact(emergencies.EmergencyEnded)
            if ended.emergency in self.glasses:
                self.glasses[ended.emergency] = replace(self.glasses[ended.emergency], ends_at=ended.ends_at)
        elif event.is_a(emergencies.EmergencyReviewed):
            id_ = event.fact(emergencies.EmergencyReviewed).emergency
            if id_ in self.glasses:
                self.glasses[id_] = replace(self.glasses[id_], reviewed=True)
