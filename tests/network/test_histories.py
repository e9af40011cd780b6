"""Histories of a child's network against an independent, slow reference of the policy: they agree at every moment.

SAMEN_HISTORIES says how many (200; nightly 10,000).
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.network.explain import Question, explain
from services.network.grants import child_grants
from services.network.model import (
    DECIDES_AT,
    OF_AGE_AT,
    Answer,
    AnswerKind,
    Authority,
    Child,
    Consent,
    Membership,
    School,
)
from services.network.policy import EXTERNAL, ROLES_OF_CHILD, ROLES_OF_SCHOOL
from services.network.safeguards import Dispute, Emergency, PolicyVersion, Withholding
from services.network.spans import FOREVER, birthday, day_start
from services.network.times import due, next_attention, told
from shared.events.emergencies import ReviewOutcome
from shared.events.network import Capacity, ConsentState, Decision, Grant, HolderRole, PolicyRule, RecipientKind
from shared.events.words import Action, Category, Purpose, Role
from tests.network.facts import CARE_ORG, CARER, DAD, KIM, MUM, SCHOOL
from tests.network.reference import may

HISTORIES = int(os.environ.get("SAMEN_HISTORIES", "200"))
pytestmark = pytest.mark.timeout(300 + HISTORIES)
BEGIN = datetime(2026, 9, 1, 6, tzinfo=UTC)
TEACHER, LEADER, WORKER, KEEPER = (UUID(int=number) for number in (31, 35, 36, 37))
PEOPLE = [KIM, MUM, DAD, CARER, TEACHER, LEADER, WORKER, KEEPER]
ROLES: dict[UUID, list[Role]] = {
    KIM: [Role.CHILD],
    MUM: [Role.GUARDIAN],
    DAD: [Role.GUARDIAN, Role.COORDINATOR, Role.THERAPIST],
    CARER: sorted(EXTERNAL),
    TEACHER: sorted(ROLES_OF_CHILD - EXTERNAL - {Role.CHILD, Role.GUARDIAN}),
    LEADER: [Role.SCHOOL_LEADER, Role.COORDINATOR],
    WORKER: [Role.SOCIAL_WORKER, Role.SUPPORT_COMMITTEE],
    KEEPER: [Role.PSYCHOLOGIST],
}
QUESTIONS = [(action, category, purpose) for action in Action for category in Category for purpose in Purpose]
HOURS = st.sampled_from([0, 1, 5, 24, 24 * 7, 24 * 45, 24 * 300, 24 * 900])
LATER = st.none() | HOURS.map(lambda hours: timedelta(hours=hours))
SCOPES = st.sampled_from([tuple(Decision), (Decision.SHARING,), (Decision.PLAN,), (Decision.CARE,)])


class Histories(RuleBasedStateMachine):
    """Facts change as time goes on; grants are published after each change, and before a birthday."""

    moments: ClassVar[int] = 0

    @initialize(
        born_on=st.sampled_from([None, *(date(2026 - years, 9, 10) for years in (9, 15, 16, 17, 18))]),
        seed=st.integers(0, 2**32),
    )
    def begin(self, born_on: date | None, seed: int) -> None:
        self.now, self.dice, self.ids = BEGIN, Random(seed), 1000
        self.school = School(SCHOOL, 1, 1, 1)
        self.child = Child(KIM, 1, born_on, 1, 1)
        for person, role in ((KIM, Role.CHILD), (MUM, Role.GUARDIAN), (DAD, Role.GUARDIAN), (CARER, Role.THERAPIST)):
            self._join(person, role, None)
        self.child = replace(
            self.child, authorities=(self._authority(MUM, tuple(Decision), HolderRole.PARENTAL, None),)
        )
        self._publish()

    def _id(self) -> UUID:
        self.ids += 1
        return UUID(int=self.ids)

    def _publish(self) -> None:
        self.published: tuple[Grant, ...] = child_grants(self.child, self.school, self.now)
        self.due_on = self.child.next_due(self.now)

    def _change(self, **facts: Any) -> None:  # noqa: ANN401  a child's fields
        self.child = replace(self.child, **facts)
        self._publish()

    # What happens ----------------------------------------------------------------------------------------------------

    @rule(hours=HOURS, minutes=st.integers(1, 59))
    def time_passes(self, hours: int, minutes: int) -> None:
        self._until(self.now + timedelta(hours=hours, minutes=minutes))

    @rule(age=st.sampled_from([DECIDES_AT, OF_AGE_AT]), minutes=st.sampled_from([-1500, -60, -1, 0, 1, 60]))
    def a_birthday_nears(self, age: int, minutes: int) -> None:
        if self.child.born_on is not None:
            at = day_start(birthday(self.child.born_on, age)) + timedelta(minutes=minutes)
            if at > self.now:
                self._until(at)

    def _until(self, moment: datetime) -> None:
        """The regrant task comes, a little late, on the day before a birthday that counts."""
        while self.due_on is not None and day_start(self.due_on) <= moment:
            self.now = min(moment, day_start(self.due_on) + timedelta(minutes=self.dice.randrange(90)))
            self._publish()
        self.now = moment

    @rule(days=st.integers(-700, 700))
    def the_day_of_birth_is_corrected(self, days: int) -> None:
        if self.child.born_on is not None:
            self._change(born_on=self.child.born_on + timedelta(days=days))

    def _join(self, person: UUID, role: Role, lasts: timedelta | None) -> None:
        ends_at = self.now + lasts if lasts else None
        organisation = CARE_ORG if person == CARER else None
        made = Membership(self._id(), 1, KIM, person, role, organisation, None, "hand", self.now, ends_at)
        self.child = replace(self.child, memberships=(*self.child.memberships, made))

    @rule(person=st.sampled_from(PEOPLE), pick=st.integers(0, 5), lasts=LATER)
    def someone_joins(self, person: UUID, pick: int, lasts: timedelta | None) -> None:
        self._join(person, ROLES[person][pick % len(ROLES[person])], lasts)
        self._publish()

    @rule(pick=st.integers(0, 9))
    def someone_leaves(self, pick: int) -> None:
        self._change(memberships=self._ended(self.child.memberships, pick))

    def _ended(self, found: tuple[Any, ...], pick: int) -> tuple[Any, ...]:
        if not found:
            return found
        one = found[pick % len(found)]
        if one.ends_at is not None and one.ends_at <= self.now:
            return found
        return tuple(replace(one, ends_at=self.now) if other is one else other for other in found)

    @rule(person=st.sampled_from([LEADER, WORKER, KEEPER, TEACHER, DAD]), role=st.sampled_from(sorted(ROLES_OF_SCHOOL)))
    def someone_joins_the_school(self, person: UUID, role: Role) -> None:
        made = Membership(self._id(), 1, SCHOOL, person, role, None, None, "hand", self.now, None)
        self.school = replace(self.school, memberships=(*self.school.memberships, made))
        self._publish()

    @rule(pick=st.integers(0, 9))
    def someone_leaves_the_school(self, pick: int) -> None:
        self.school = replace(self.school, memberships=self._ended(self.school.memberships, pick))
        self._publish()

    def _authority(
        self, holder: UUID, scope: tuple[Decision, ...], role: HolderRole, lasts: timedelta | None
    ) -> Authority:
        ends_at = self.now + lasts if lasts else None
        return Authority(self._id(), 1, KIM, holder, scope, "court", self.now, ends_at, role)

    @rule(holder=st.sampled_from([MUM, DAD]), scope=SCOPES, role=st.sampled_from(HolderRole), lasts=LATER)
    def authority_is_recorded(
        self, holder: UUID, scope: tuple[Decision, ...], role: HolderRole, lasts: timedelta | None
    ) -> None:
        self._change(authorities=(*self.child.authorities, self._authority(holder, scope, role, lasts)))

    @rule(pick=st.integers(0, 9))
    def authority_ends(self, pick: int) -> None:
        self._change(authorities=self._ended(self.child.authorities, pick))

    @rule(
        organisation=st.booleans(),
        person=st.sampled_from([CARER, CARER, DAD]),
        categories=st.sampled_from([(Category.GOALS,), (Category.CONTACT,), (Category.CARE, Category.CONTACT)]),
        purpose=st.sampled_from([Purpose.CARE_COORDINATION, Purpose.GUIDANCE]),
        starts=HOURS,
        lasts=HOURS.filter(bool),
    )
    def consent_is_asked(
        self,
        organisation: bool,
        person: UUID,
        categories: tuple[Category, ...],
        purpose: Purpose,
        starts: int,
        lasts: int,
    ) -> None:
        kind = RecipientKind.ORGANISATION if organisation else RecipientKind.MEMBER
        since = self.now + timedelta(hours=starts)
        made = Consent(
            id=self._id(),
            version=1,
            child=KIM,
            for_purpose=purpose,
            recipient_kind=kind,
            recipient=CARE_ORG if organisation else person,
            categories=categories,
            notice_version=1,
            starts_at=since,
            ends_at=since + timedelta(hours=lasts),
            state=ConsentState.ASKED,
            answers=(),
        )
        self._change(consents=(*self.child.consents, made))

    @precondition(lambda self: self.child.consents)
    @rule(
        pick=st.integers(0, 9),
        who=st.sampled_from([KIM, MUM, DAD]),
        kind=st.sampled_from([*AnswerKind, AnswerKind.GIVEN]),
    )
    def consent_is_answered(self, pick: int, who: UUID, kind: AnswerKind) -> None:
        one = self.child.consents[pick % len(self.child.consents)]
        capacity = Capacity.SELF if who == KIM else Capacity.AUTHORITY_HOLDER
        others = tuple(answer for answer in one.answers if answer.holder != who)
        answered = replace(one, answers=(*others, Answer(who, capacity, kind, self.now)))
        self._change(consents=tuple(answered if other is one else other for other in self.child.consents))

    @rule(
        decision=st.sampled_from([Decision.SHARING, Decision.SHARING, Decision.PLAN]),
        which=st.sampled_from(PolicyRule),
        starts=HOURS,
    )
    def a_policy_is_set(self, decision: Decision, which: PolicyRule, starts: int) -> None:
        number = 1 + sum(one.decision is decision for one in self.child.policies)
        last = max((one.starts_at for one in self.child.policies if one.decision is decision), default=self.now)
        starts_at = max(last, self.now + timedelta(hours=starts))
        self._change(policies=(*self.child.policies, PolicyVersion(self._id(), number, decision, which, starts_at)))

    @rule(decision=st.sampled_from([Decision.SHARING, Decision.CARE]))
    def a_dispute_is_noted(self, decision: Decision) -> None:
        made = Dispute(self._id(), 1, decision, (MUM, DAD), self.now, None)
        self._change(disputes=(*self.child.disputes, made))

    @rule(pick=st.integers(0, 9))
    def a_dispute_is_settled(self, pick: int) -> None:
        self._change(disputes=self._ended(self.child.disputes, pick))

    @rule(who=st.sampled_from([MUM, DAD]), lasts=LATER)
    def information_is_withheld(self, who: UUID, lasts: timedelta | None) -> None:
        made = Withholding(self._id(), 1, who, "court", self.now, self.now + lasts if lasts else None)
        self._change(withheld=(*self.child.withheld, made))

    @rule(pick=st.integers(0, 9))
    def information_is_told_again(self, pick: int) -> None:
        self._change(withheld=self._ended(self.child.withheld, pick))

    @rule(who=st.sampled_from([CARER, TEACHER, LEADER, WORKER, DAD]), minutes=st.integers(1, 60))
    def the_glass_is_broken(self, who: UUID, minutes: int) -> None:
        mine = [one for one in (*self.child.memberships, *self.school.memberships) if one.person == who]
        standing = mine[-1].id if mine else self._id()
        ends_at = self.now + timedelta(minutes=minutes)
        made = Emergency(self._id(), 1, who, Role.TEACHER, None, standing, self.now, ends_at, None, None, None)
        self._change(emergencies=(*self.child.emergencies, made))

    @precondition(lambda self: self.child.emergencies)
    @rule(pick=st.integers(0, 9), outcome=st.sampled_from(ReviewOutcome))
    def an_emergency_is_reviewed(self, pick: int, outcome: ReviewOutcome) -> None:
        one = self.child.emergencies[pick % len(self.child.emergencies)]
        judged = replace(one, outcome=outcome, reviewed_by=KEEPER, reviewed_at=self.now)
        self._change(emergencies=tuple(judged if other is one else other for other in self.child.emergencies))

    # What must hold ---------------------------------------------------------------------------------------------------

    @invariant()
    def grants_and_reference_agree(self) -> None:
        for at in self._moments():
            Histories.moments += 1
            granted: dict[UUID, set[tuple[Action, Category, Purpose]]] = {person: set() for person in PEOPLE}
            for grant in self.published:
                if grant.valid_from <= at and (grant.valid_until is None or at < grant.valid_until):
                    granted[grant.member] |= {
                        (a, c, p) for a in grant.actions for c in grant.categories for p in grant.purposes
                    }
            for person, given in granted.items():
                some = self.dice.sample(sorted(given), min(len(given), 6)) + self.dice.sample(QUESTIONS, 12)
                for asked in some:
                    expected = may(self.child, self.school, person, *asked, at)
                    assert (asked in given) == expected, (person, asked, at.isoformat())

    def _moments(self) -> list[datetime]:
        """Now, and a few edges of facts until grants are published anew."""
        horizon = day_start(self.due_on) if self.due_on else FOREVER
        edges = {edge for one in self._facts() for edge in (one.starts_at, one.ends_at) if edge is not None}
        edges |= {one.starts_at for one in self.child.policies}
        later = sorted(edge for edge in edges if self.now < edge < horizon)
        picked = self.dice.sample(later, min(2, len(later)))
        return [self.now, *picked, *(edge - timedelta(microseconds=1) for edge in picked)]

    def _facts(self) -> list[Any]:
        child = self.child
        circles = (child.memberships, self.school.memberships, child.authorities, child.consents)
        return [one for facts in (*circles, child.disputes, child.withheld, child.emergencies) for one in facts]

    @invariant()
    def an_explanation_says_what_the_grants_say(self) -> None:
        person, (action, category, purpose) = self.dice.choice(PEOPLE), self.dice.choice(QUESTIONS)
        mine = [one for one in self.published if one.member == person]
        if mine and self.dice.random() < 0.7:  # what is allowed is rare by chance
            one = self.dice.choice(mine)
            action, category = self.dice.choice(one.actions), self.dice.choice(one.categories)
            purpose = self.dice.choice(one.purposes)
        found = explain(self.child, self.school, Question(person, action, category, purpose, self.now))
        assert found.allowed == may(self.child, self.school, person, action, category, purpose, self.now)
        assert any(reason.holds is found.allowed for reason in found.reasons)

    @invariant()
    def what_is_due_is_told_once_and_then_waits_for_a_later_moment(self) -> None:
        done = due(self.child, self.now)
        self.child = told(self.child, done)
        assert due(self.child, self.now) == []
        following = next_attention(self.child, self.now)
        assert following is None or following > self.now


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
