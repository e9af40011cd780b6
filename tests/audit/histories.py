"""Histories of a school as its services would journal them, from a seed, with and without violations planted in them.

Facts become grants by network's own policy, so that the judge, which is written apart from it, is held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pydantic_core

from services.audit.facts import FACTS
from services.audit.judging import Page
from services.audit.model import entry_of
from services.network.consent_state import state_at
from services.network.grants import child_grants, school_grants
from services.network.model import Answer, AnswerKind, Authority, Child, Consent, Membership, School
from services.network.safeguards import Emergency
from shared.events import emergencies, membership
from shared.events import network as told
from shared.events.audit import Ground, RestrictionAsked, RestrictionConfirmed
from shared.events.base import Act, Denied, Event, Fact, Viewed
from shared.events.emergencies import ReviewOutcome
from shared.events.gate import PutOut
from shared.events.network import AccessChanged, Capacity, ConsentState, Decision, Grant, RecipientKind
from shared.events.notifications import Channel, NoticeClaimed, NoticeSent
from shared.events.words import Action, ActorKind, Basis, Category, Outcome, Purpose, Role, school_subject
from tests.audit.support import Journal

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SLUG = "de-eik"
Planted = set[tuple[int, str]]
TEAM = (Role.TEACHER, Role.COORDINATOR, Role.SOCIAL_WORKER, Role.PSYCHOLOGIST)
KINDS = (Category.GOALS, Category.OBSERVATIONS, Category.CARE)


class History:
    """A school with its lanes; `plant` adds a violation, `planted` is what the judge must find, and nothing else."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.at = START
        self.lanes = {name: Journal(SLUG, name) for name in ("network", "goals", "notifications", "gate", "audit")}
        self.log: list[Event] = []
        self.sets: dict[UUID, list[tuple[int, int, tuple[Grant, ...]]]] = {}
        """By subject: number, revision and grants of each set."""
        self.effective = 0
        """The furthest number that a withdrawal, which holds everywhere, reaches."""
        self._expected: list[tuple[Event, str]] = []
        self.school = School(school_subject(SLUG), 1, 1, 0)
        self.children: dict[UUID, Child] = {}
        self.admin, self.auditor, self.leader = (self._person() for _ in range(3))
        self._open()

    # What happens --------------------------------------------------------------------------------------------------

    def _person(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def _open(self) -> None:
        operator = self._act(self.admin, None, Action.MANAGE, Category.NETWORK, Purpose.ADMINISTRATION)
        act = operator.model_copy(update={"kind": ActorKind.OPERATOR, "basis": Basis.PUBLIC_TASK})
        for person, role in (
            (self.admin, Role.SCHOOL_ADMINISTRATOR),
            (self.auditor, Role.AUDITOR),
            (self.leader, Role.SCHOOL_LEADER),
        ):
            one = self._membership(self.school.id, person, role)
            self.school = replace(self.school, memberships=(*self.school.memberships, one))
            self.tell(_added(one), act, self.school.id)
        self.publish_school(act)
        for _ in range(2):
            self.enrol()

    def pass_time(self, **more: int) -> None:
        """Lets time pass: some minutes, or what is named."""
        self.at += timedelta(**more) if more else timedelta(minutes=self.random.randint(1, 90))

    def _membership(self, subject: UUID, person: UUID, role: Role, **more: Any) -> Membership:  # noqa: ANN401  fields
        base: dict[str, Any] = {"starts_at": self.at, "ends_at": None, "organisation": None} | more
        organisation, starts_at, ends_at = base["organisation"], base["starts_at"], base["ends_at"]
        id_ = self._person()
        return Membership(id_, 1, subject, person, role, organisation, None, "hand", starts_at, ends_at)

    def tell(self, fact: Fact, act: Act, about: UUID, thing: UUID | None = None, lane: str = "network") -> Event:
        """Journals an event and, some time later, has it logged; judged by the newest position."""
        return self.say(lane, fact, act, about, self.head, thing)

    def say(self, lane: str, fact: Fact, act: Act, about: UUID, position: int, thing: UUID | None = None) -> Event:
        """The same, judged by a position of one's own."""
        journal = self.lanes[lane]
        self.at = max(self.at, journal.at) + timedelta(seconds=self.random.randint(1, 20))
        journal.at = self.at - timedelta(minutes=1)
        event = journal.add(fact, act, about, thing, networkseq=position)
        self.log.append(event)
        return event

    @property
    def head(self) -> int:
        return len(self.lanes["network"].events)

    def publish(self, child: Child, act: Act, *odd: Grant) -> int:
        """Publishes a child's grants as policy has them, and `odd` ones; returns the number."""
        grants = (*child_grants(child, self.school, self.at), *odd)
        event = self.tell(AccessChanged(revision=child.revision + 1, grants=grants), act, child.id)
        self.sets.setdefault(child.id, []).append((event.seq, child.revision + 1, grants))
        self.children[child.id] = replace(child, revision=child.revision + 1)
        return event.seq

    def publish_school(self, act: Act) -> int:
        revision = self.school.revision + 1
        grants = school_grants(self.school, self.at)
        event = self.tell(AccessChanged(revision=revision, grants=grants), act, self.school.id)
        self.sets.setdefault(self.school.id, []).append((event.seq, revision, grants))
        self.school = replace(self.school, revision=revision)
        return event.seq

    def holds_everywhere(self, subject: UUID, act: Act, applied: int) -> None:
        """Tells that a withdrawal is effective."""
        self.pass_time(seconds=7)
        fact = told.WithdrawalEffective(withdrawal=self._person(), how="confirmed", applied=applied, at=self.at)
        self.say("network", fact, act, subject, 0)
        self.effective = applied

    # Who may what ----------------------------------------------------------------------------------------------------

    def set_of(self, subject: UUID, position: int | None = None) -> tuple[int, int, tuple[Grant, ...]]:
        upto = self.head if position is None else position
        return [one for one in self.sets[subject] if one[0] <= upto][-1]

    def holding(self, subject: UUID, position: int | None = None) -> list[Grant]:
        """Returns the grants that hold now, of the set at a position."""
        soon = self.at + timedelta(minutes=1)
        grants = self.set_of(subject, position)[2]
        return [g for g in grants if g.valid_from <= self.at and (g.valid_until is None or g.valid_until > soon)]

    def holders(self, child: Child) -> list[UUID]:
        """Returns who has authority now."""
        return sorted({one.holder for one in child.authorities if one.ends_at is None})

    def act_of(self, grant: Grant, subject: UUID, position: int | None = None, **more: Any) -> Act:  # noqa: ANN401  fields
        """Returns an act that the grant allows."""
        words = (self.random.choice(grant.actions), self.random.choice(grant.categories))
        act = self._act(grant.member, grant, *words, self.random.choice(grant.purposes))
        return act.model_copy(update={"revision": self.set_of(subject, position)[1], **more})

    def _act(self, actor: UUID, grant: Grant | None, action: Action, category: Category, purpose: Purpose) -> Act:
        act = Act(actor=actor, kind=ActorKind.PERSON, door="portal", purpose=purpose, action=action, category=category)
        if grant is None:
            return act
        return act.model_copy(
            update={
                "role": grant.role,
                "organisation": grant.organisation,
                "basis": grant.basis,
                "grant": grant.id,
                "consent": grant.consent,
                "consent_version": grant.consent_version,
                "emergency": grant.emergency,
            }
        )

    def manage(self) -> Act:
        """Returns the act of the administrator, who keeps the records by the grant on the school."""
        grant = next(g for g in self.set_of(self.school.id)[2] if Action.MANAGE in g.actions)
        more: dict[str, Any] = {
            "action": Action.MANAGE,
            "category": Category.NETWORK,
            "purpose": Purpose.ADMINISTRATION,
        }
        return self.act_of(grant, self.school.id, **more)

    # Honest steps ----------------------------------------------------------------------------------------------------

    def enrol(self) -> None:
        """Adds a child with guardians, some of the team, and someone from outside."""
        act, id_ = self.manage(), self._person()
        people: list[tuple[UUID, Role, UUID | None]] = [(id_, Role.CHILD, None)]
        people += [(self._person(), Role.GUARDIAN, None) for _ in range(self.random.randint(1, 2))]
        people += [(self._person(), role, None) for role in self.random.sample(TEAM, 2)]
        people += [(self._person(), Role.CARE_PROFESSIONAL, self._person())]
        circle = tuple(self._membership(id_, who, role, organisation=org) for who, role, org in people)
        for one in circle:
            self.tell(_added(one), act, id_)
        holders = tuple(
            Authority(self._person(), 1, id_, one.person, tuple(Decision), "birth", self.at, None)
            for one in circle
            if one.role is Role.GUARDIAN
        )
        for holding in holders:
            self.tell(_recorded(holding), act, id_)
        self.publish(Child(id_, 1, None, 1, 0, circle, holders), act)

    def some_child(self) -> Child:
        return self.random.choice([*self.children.values()])

    def look(self) -> None:
        """Somebody looks at a child on a grant that holds, judged by a position that may lag behind."""
        child, lag = self.some_child(), self.random.choice((0, 0, 0, 1, 2))
        position = max(self.head - lag, self.effective, self.sets[child.id][0][0])
        if grants := self.holding(child.id, position):
            act = self.act_of(self.random.choice(grants), child.id, position)
            lane = "audit" if act.category is Category.LOG else "goals"
            self.say(lane, Viewed(query="goals-of-child", things=1), act, child.id, position)

    def look_by_authority(self, who: UUID | None = None) -> Event:
        """A holder whose membership is over looks at the consents, without a grant; or `who`, who holds nothing."""
        child = self.some_child()
        act = self._act(who or self.holders(child)[0], None, Action.VIEW, Category.NETWORK, Purpose.OWN_DATA)
        act = act.model_copy(update={"basis": Basis.AUTHORITY, "role": Role.GUARDIAN})
        return self.tell(Viewed(query="consents", things=1), act, child.id)

    def refuse(self) -> None:
        act = self._act(self._person(), None, Action.VIEW, Category.GOALS, Purpose.GUIDANCE)
        act = act.model_copy(update={"outcome": Outcome.DENIED, "reason": "no_grant"})
        self.tell(Denied(what="goals-of-child"), act, self.some_child().id, lane="goals")

    def audit(self) -> None:
        """The auditor looks at a child's lines by the grant on the school."""
        grant = next(g for g in self.holding(self.school.id) if g.role is Role.AUDITOR)
        act = self.act_of(grant, self.school.id, action=Action.VIEW)
        self.tell(Viewed(query="who-looked", things=3), act, self.some_child().id, lane="audit")

    def restrict(self) -> None:
        """The administrator asks that lines be held back, and the leader confirms it: by the school's set."""
        child, id_ = self.some_child(), self._person()
        held: dict[str, Any] = {"ground": Ground.CHILD_PROTECTION, "told": True, "lines_from": self.at}
        held |= {"restriction": id_, "ends_at": self.at + timedelta(days=30)}
        self.tell(RestrictionAsked(**held), self.manage(), child.id, id_, "audit")
        grant = next(g for g in self.holding(self.school.id) if Action.DECIDE in g.actions)
        words: dict[str, Any] = {"action": Action.DECIDE, "category": Category.NETWORK, "purpose": Purpose.GUIDANCE}
        leader = self.act_of(grant, self.school.id, **words)
        self.tell(RestrictionConfirmed(**held, asked_by=self.admin), leader, child.id, id_, "audit")

    def notify(self) -> None:
        """A guardian or professional is told, by mail or through more: each on a claim of its own, crossing."""
        child = self.some_child()
        grants = [g for g in self.holding(child.id) if Action.RECEIVE in g.actions]
        if grants:
            grant, notice = self.random.choice(grants), self._person()
            claimed: list[tuple[dict[str, Any], Act]] = []
            for channel in self.random.choice(((Channel.MAIL,), (Channel.MAIL, Channel.PUSH))):
                act = self.act_of(grant, child.id, action=Action.RECEIVE, purpose=self.random.choice(grant.purposes))
                fact = {"recipient": act.actor, "kind": "goal_proposed", "channel": channel, "tries": 1}
                self.tell(NoticeClaimed(**fact), act, child.id, notice, "notifications")
                claimed.append((fact, act))
            for fact, act in claimed:
                self.tell(NoticeSent(**fact), act, child.id, notice, "notifications")

    def tool_of(self, child: Child) -> Membership:
        """Has a program of the school become a member of a child's network, which gives it nothing by itself."""
        one = self._membership(child.id, self._person(), Role.LOCAL_TOOL)
        act = self.manage()
        self.tell(_added(one), act, child.id)
        self.publish(replace(child, memberships=(*child.memberships, one)), act)
        return one

    def put_out(self, child: UUID, grant: Grant, position: int | None = None) -> Event:
        """A program is given something by a grant."""
        act = self.act_of(grant, child, position, action=Action.RECEIVE, kind=ActorKind.TOOL, door="gate")
        fact = PutOut(tool=grant.member, tool_epoch=1, sequence=1, source=self._person(), what="goal.activated")
        return self.say("gate", fact, act, child, self.head if position is None else position)

    def consent(self) -> None:
        """The holders are asked, and answer; a yes may be taken back."""
        child = self.some_child()
        outside = [one for one in child.memberships if one.role is Role.CARE_PROFESSIONAL and one.is_open(self.at)]
        if not outside:
            return
        kinds = tuple(sorted(self.random.sample(KINDS, 2)))
        ends_at = self.at + timedelta(days=self.random.choice((2, 200)))
        base = (child.id, Purpose.CARE_COORDINATION, RecipientKind.MEMBER, outside[0].person, kinds, 1)
        one = Consent(self._person(), 1, *base, self.at, ends_at, ConsentState.ASKED, ())
        self._answered(child, one, told.ConsentAsked, self.manage())
        for holder in self.holders(child):
            child, one = self.children[child.id], self._newest(child.id, one.id)
            kind = self.random.choice((AnswerKind.GIVEN, AnswerKind.GIVEN, AnswerKind.GIVEN, AnswerKind.REFUSED))
            self._answer(child, one, holder, kind)
        child, one = self.children[child.id], self._newest(child.id, one.id)
        if one.state is ConsentState.GIVEN and self.random.random() < 0.5:
            self.withdraw(child, one)

    def withdraw(self, child: Child, one: Consent) -> int:
        """A holder takes a yes back; returns the position before."""
        before, holder = self.head, one.answers[0].holder
        act, applied = self._answer(child, one, holder, AnswerKind.WITHDRAWN)
        self.look()
        self.holds_everywhere(child.id, act, applied)
        return before

    def _newest(self, child: UUID, consent: UUID) -> Consent:
        return next(one for one in self.children[child].consents if one.id == consent)

    def _answer(self, child: Child, one: Consent, holder: UUID, kind: AnswerKind) -> tuple[Act, int]:
        grant = next(g for g in self.holding(child.id) if g.member == holder and Action.CONSENT in g.actions)
        more: dict[str, Any] = {"action": Action.CONSENT, "purpose": Purpose.OWN_DATA}
        act = self.act_of(grant, child.id, **more)
        answer = Answer(holder, Capacity.AUTHORITY_HOLDER, kind, self.at)
        answers = (*(a for a in one.answers if a.holder != holder), answer)
        fact = {
            AnswerKind.GIVEN: told.ConsentGiven,
            AnswerKind.REFUSED: told.ConsentRefused,
            AnswerKind.WITHDRAWN: told.ConsentWithdrawn,
        }[kind]
        more_words = {"giver": holder, "capacity": Capacity.AUTHORITY_HOLDER}
        changed = replace(one, version=one.version + 1, answers=answers)
        return act, self._answered(child, changed, fact, act, **more_words)

    def _answered(self, child: Child, one: Consent, fact: Callable[..., Fact], act: Act, **more: Any) -> int:  # noqa: ANN401  fields
        one = replace(one, state=state_at(one, child, self.at))
        names = ("for_purpose", "recipient_kind", "recipient", "categories", "notice_version", "starts_at", "ends_at")
        words = {name: getattr(one, name) for name in (*names, "state")}
        self.tell(fact(consent=one.id, consent_version=one.version, **words, **more), act, child.id, one.id)
        consents = (*(c for c in child.consents if c.id != one.id), one)
        return self.publish(replace(child, consents=consents), act)

    def end_member(self, child: Child | None = None) -> tuple[UUID, UUID, int] | None:
        """Ends the part of one of the team; returns child, member and the position before."""
        child = child or self.some_child()
        team = [one for one in child.memberships if one.role in TEAM and one.is_open(self.at)]
        if not team:
            return None
        before, act, one = self.head, self.manage(), self.random.choice(team)
        ended = replace(one, ends_at=self.at)
        words = {"membership": one.id, "member": one.person, "role": one.role, "ends_at": self.at, "reason": "ended"}
        self.tell(membership.MembershipEnded(**words), act, child.id, one.id)
        rest = tuple(ended if m.id == one.id else m for m in child.memberships)
        applied = self.publish(replace(child, memberships=rest), act)
        self.holds_everywhere(child.id, act, applied)
        return child.id, one.person, before

    def end_guardian(self) -> tuple[UUID, Membership] | None:
        """Ends the part of one of two guardians, whose authority goes on; returns child and membership."""
        for child in self.children.values():
            parts = [one for one in child.memberships if one.role is Role.GUARDIAN and one.is_open(self.at)]
            taking_part = [one for one in parts if one.person in self.holders(child)]
            if len(taking_part) > 1:
                return child.id, self._leaves(child, self.random.choice(taking_part))
        return None

    def _leaves(self, child: Child, one: Membership) -> Membership:
        act, ended = self.manage(), replace(one, ends_at=self.at)
        words = {"membership": one.id, "member": one.person, "role": one.role, "ends_at": self.at, "reason": "ended"}
        self.tell(membership.MembershipEnded(**words), act, child.id, one.id)
        rest = tuple(ended if m.id == one.id else m for m in child.memberships)
        self.holds_everywhere(child.id, act, self.publish(replace(child, memberships=rest), act))
        return ended

    def join(self) -> None:
        """Somebody of the team joins, now or tomorrow, and may leave by itself."""
        child, act = self.some_child(), self.manage()
        starts_at = self.at + timedelta(days=self.random.choice((0, 0, 1)))
        ends_at = self.random.choice((None, starts_at + timedelta(days=3)))
        one = self._membership(child.id, self._person(), Role.TEACHER, starts_at=starts_at, ends_at=ends_at)
        self.tell(_added(one), act, child.id)
        self.publish(replace(child, memberships=(*child.memberships, one)), act)

    def break_glass(self, *, review: bool = True) -> tuple[UUID, Emergency]:
        """Someone of the team takes emergency access for an hour; the leader reviews it."""
        child, now = self.some_child(), self.at
        one = Emergency(
            self._person(), 1, self._person(), Role.TEACHER, None, self._person(), now,
            now + timedelta(hours=1), None, None, None,
        )  # fmt: skip
        act = self._act(one.member, None, Action.VIEW, Category.IDENTITY, Purpose.GUIDANCE)
        act = act.model_copy(update={"basis": Basis.VITAL_INTEREST, "emergency": True, "role": one.role})
        journal = self.lanes["network"]
        self.publish(replace(child, emergencies=(*child.emergencies, one)), act)
        kinds = (Category.IDENTITY, Category.CONTACT, Category.CARE, Category.PLAN, Category.GOALS)
        fact = emergencies.EmergencyStarted(
            emergency=one.id, member=one.member, role=one.role, categories=kinds,
            starts_at=one.starts_at, ends_at=one.ends_at,
        )  # fmt: skip
        journal.at -= timedelta(minutes=1)  # one commit with the grants
        event = journal.add(fact, act, child.id, one.id, networkseq=self.head - 1)
        self.log.append(event)
        grant = next((g for g in self.holding(child.id) if g.emergency and g.member == one.member), None)
        if grant is not None:
            self.tell(Viewed(query="goals-of-child", things=1), self.act_of(grant, child.id), child.id, lane="goals")
        if review:
            self.review(child.id, one)
        return child.id, one

    def review(self, child_id: UUID, one: Emergency) -> None:
        self.pass_time(hours=self.random.randint(1, 30))
        child = self.children[child_id]
        grant = next(g for g in self.holding(child_id) if g.member == self.leader and Action.DECIDE in g.actions)
        act = self.act_of(grant, child_id, action=Action.DECIDE)
        fact = emergencies.EmergencyReviewed(emergency=one.id, member=one.member, outcome=ReviewOutcome.JUSTIFIED)
        self.tell(fact, act, child_id, one.id)
        judged = replace(one, outcome=ReviewOutcome.JUSTIFIED, reviewed_by=self.leader, reviewed_at=self.at)
        rest = tuple(judged if e.id == one.id else e for e in child.emergencies)
        self.publish(replace(child, emergencies=rest), act)

    def live(self, steps: int) -> None:
        """Plays honest steps."""
        ways = (self.look, self.look, self.look, self.refuse, self.audit, self.notify, self.consent, self.join)
        rare = (self.end_member, self.end_guardian, self.break_glass, self.enrol, self.look_by_authority, self.restrict)
        for _ in range(steps):
            self.pass_time()
            self.random.choice(rare if self.random.random() < 0.1 else ways)()

    # What is judged ------------------------------------------------------------------------------------------------

    def expect(self, event: Event, code: str) -> None:
        """Notes what must be found."""
        self._expected.append((event, code))

    def lie(self, code: str, child: UUID, position: int | None = None, **claims: Any) -> None:  # noqa: ANN401  fields
        """Plants a look that would have been allowed, but for what it claims."""
        grants = [
            g
            for g in self.holding(child, position)
            if not g.emergency and Category.LOG not in g.categories and Action.MANAGE not in g.actions
        ]
        act = self.act_of(self.random.choice(grants), child, position).model_copy(update=claims)
        upto = self.head if position is None else position
        self.expect(self.say("goals", Viewed(query="goals-of-child", things=1), act, child, upto), code)

    def order(self) -> list[Event]:
        """Returns an order in which audit may log all of it."""
        return [*_interleaved(self.log, self.random)]

    def page(self, order: list[Event] | None = None) -> tuple[Page, Planted]:
        """Returns the whole log as one page with all evidence, and what must be found in it."""
        log = self.order() if order is None else order
        where = {id(event): idx for idx, event in enumerate(log)}
        return Page(evidence(log, self.at)), {(where[id(event)], code) for event, code in self._expected}


def _sent(log: Sequence[Event]) -> dict[str, int | None]:
    """Returns the number of the claim that each sent notice left on: the newest before it of its channel and try."""
    claims: dict[tuple[object, ...], int] = {}
    found: dict[str, int | None] = {}
    for event in log:
        if event.is_a(NoticeClaimed):
            fact = event.fact(NoticeClaimed)
            claims[event.thing, fact.channel, fact.tries] = event.seq
        elif event.is_a(NoticeSent):
            told_ = event.fact(NoticeSent)
            found[str(event.seq)] = claims.get((event.thing, told_.channel, told_.tries))
    return found


def evidence(log: list[Event], clock: datetime) -> Mapping[str, Any]:
    """Returns what `judge_evidence` would of a whole log, and more than is needed of each kind."""
    network = [(idx, event) for idx, event in enumerate(log) if event.producer == "network"]
    texts = {idx: {"idx": idx, "event": event.raw.decode()} for idx, event in network}
    entries = [entry_of(event) for event in log]
    return {
        "lines": [{"idx": idx, "entry": _json(entry)} for idx, entry in enumerate(entries)],
        "size": len(log),
        "head": len(network),
        "clock": (clock + timedelta(days=1)).isoformat(),
        "epochs": {str(event.seq): event.epoch for _, event in network},
        "sets": [texts[idx] for idx, event in network if event.is_a(AccessChanged)],
        "withdrawals": [event.raw.decode() for _, event in network if event.is_a(told.WithdrawalEffective)],
        "sent": _sent(log),
        "claims": [_json(e) for e, event in zip(entries, log, strict=True) if event.is_a(NoticeClaimed)],
        "facts": [event.raw.decode() for _, event in network if event.type in FACTS],
        "emergencies": [
            texts[idx]
            for idx, event in network
            if event.is_a(emergencies.EmergencyStarted) or event.is_a(emergencies.EmergencyReviewed)
        ],
    }


def _json(entry: Mapping[str, Any]) -> str:
    return pydantic_core.to_json(dict(entry)).decode()


def _interleaved(log: list[Event], random: Random) -> Iterator[Event]:
    """Yields the lanes' events in an order in which audit may log them: each lane's own is kept."""
    lanes: dict[str, list[Event]] = {}
    for event in log:
        lanes.setdefault(event.producer, []).append(event)
    while any(lanes.values()):
        name = random.choice([name for name, left in lanes.items() if left])
        for _ in range(random.randint(1, 5)):
            if lanes[name]:
                yield lanes[name].pop(0)


def _added(one: Membership) -> membership.MemberAdded:
    return membership.MemberAdded(
        membership=one.id,
        member=one.person,
        role=one.role,
        organisation=one.organisation,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
    )


def _recorded(one: Authority) -> told.AuthorityRecorded:
    return told.AuthorityRecorded(
        authority=one.id, holder=one.holder, scope=one.scope, source=one.source, starts_at=one.starts_at
    )
