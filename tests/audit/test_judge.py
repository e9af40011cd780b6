"""The judge on made-up histories: every planted violation is found by its code, and nothing else.

More of them: `make tamper`, or `SAMEN_HISTORIES=1000 SAMEN_HISTORIES_FROM=0 pytest tests/audit/test_judge.py`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.audit.facts import Facts
from services.audit.judge import judge
from services.audit.judged import Evidence, Published, Said
from services.audit.judging import review_due_at
from shared.actor import service_id
from shared.events.base import Fact
from shared.events.emergencies import EmergencyReviewOverdue, EmergencyStarted
from shared.events.membership import MemberAdded, MembershipChanged
from shared.events.network import Capacity, ConsentAsked, ConsentGiven, ConsentRefused, ConsentState, RecipientKind
from shared.events.words import Action, Category, Purpose, Role
from tests.audit.histories import History
from tests.audit.plants import PLANTS
from tests.audit.support import CARER, MOTHER, TEACHER, Journal, act
from tests.goals.support import grant

GOALS_ITSELF = {"action": "manage", "basis": "public_task", "kind": "service", "actor": str(service_id("goals"))}
HISTORIES, FIRST = int(os.environ.get("SAMEN_HISTORIES", "60")), int(os.environ.get("SAMEN_HISTORIES_FROM", "0"))
"""How many, and from which seed."""


def _found(history: History) -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
    """Returns what the judge found, and what had been planted."""
    page, planted = history.page()
    ready = page.ready()
    assert len(ready) == len(page.lines) > 10, "control: everything is judged"
    return {(one.idx, one.code) for one in page.judge(ready)}, planted


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_violation_is_found_by_its_code(name: str) -> None:
    for seed in range(6):
        history = History(seed)
        history.live(10)
        PLANTS[name](history)
        history.live(10)
        found, planted = _found(history)
        assert planted, "control: something was planted"
        assert found == planted, f"seed {seed}"


@pytest.mark.timeout(120 + HISTORIES)
def test_all_that_is_planted_is_found_and_nothing_is_invented() -> None:
    told = judged = 0
    for seed in range(FIRST, FIRST + HISTORIES):
        random = Random(seed)
        history = History(seed)
        for name in random.sample(sorted(PLANTS), random.randint(0, 6)):
            history.live(random.randint(0, 12))
            PLANTS[name](history)
        history.live(random.randint(1, 12))
        found, planted = _found(history)
        assert found == planted, f"seed {seed}"
        told += len(planted)
        judged += len(history.log)
    assert told > HISTORIES * 2, "control: violations were planted"
    print(
        f"{HISTORIES} histories from seed {FIRST}, {judged} lines, {told} violations planted and found, none invented"
    )


def test_a_review_that_is_overdue_is_found_in_a_quiet_school_too() -> None:
    """Nothing else happens after it: that it is overdue is told at that very moment, and is the log's last line."""
    history = History(3)
    child, one = history.break_glass(review=False)
    started = next(e for e in reversed(history.log) if e.is_a(EmergencyStarted) and e.about == child)
    history.expect(started, "emergency_not_reviewed_in_time")
    before = history.page()[0]
    assert before.judge(before.lines) == [], "control: nobody is late yet"
    due_at = review_due_at(one.starts_at)
    history.at = due_at - timedelta(seconds=20)
    late = EmergencyReviewOverdue(emergency=one.id, member=one.member, due_at=due_at)
    history.tell(late, history.manage(), child, one.id)
    found, planted = _found(history)
    assert (found, len(planted)) == (planted, 1)


def test_a_renewed_mandate_carries_on_and_another_change_leaves_it() -> None:
    journal = Journal("de-eik", "network")
    start, end = journal.at, journal.at + timedelta(days=30)
    who = {"membership": UUID(int=5), "member": TEACHER, "role": Role.THERAPIST, "starts_at": start}
    facts = Facts().take([journal.add(MemberAdded(**who, mandate="therapy", mandate_ends_at=end), act())])
    assert facts.parts[UUID(int=5)].span().until == end
    facts.take([journal.add(MembershipChanged(**who, ends_at=end + timedelta(days=90)), act())])
    assert facts.parts[UUID(int=5)].span().until == end
    later = end + timedelta(days=60)
    facts.take([journal.add(MembershipChanged(**who, mandate="therapy", mandate_ends_at=later), act())])
    assert facts.parts[UUID(int=5)].span().until == later


def test_a_consent_asked_anew_or_renewed_keeps_a_no_and_drops_a_yes() -> None:
    journal = Journal("de-eik", "network")
    words: dict[str, Any] = {
        "for_purpose": Purpose.CARE_COORDINATION,
        "recipient_kind": RecipientKind.MEMBER,
        "recipient": CARER,
        "categories": (Category.GOALS,),
        "notice_version": 1,
        "starts_at": journal.at,
        "ends_at": journal.at + timedelta(days=365),
        "state": ConsentState.ASKED,
    }
    facts, father = Facts(), UUID(int=9)

    def tell(fact: type[Fact], version: int, consent: int = 5, giver: UUID | None = None) -> dict[UUID, str]:
        who = {"giver": giver, "capacity": Capacity.AUTHORITY_HOLDER} if giver else {}
        facts.take([journal.add(fact(consent=UUID(int=consent), consent_version=version, **words, **who), act())])
        return {holder: said.kind for holder, said in facts.consents[UUID(int=consent)].answers.items()}

    tell(ConsentAsked, 1)
    tell(ConsentGiven, 2, giver=MOTHER)
    assert tell(ConsentRefused, 3, giver=father) == {MOTHER: "given", father: "refused"}
    assert tell(ConsentAsked, 3) == {MOTHER: "given", father: "refused"}, "control: the same version asks nobody anew"
    assert tell(ConsentAsked, 4) == {father: "refused"}
    tell(ConsentGiven, 5, giver=MOTHER)
    assert tell(ConsentAsked, 1, consent=6) == {father: "refused"}


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ({"action": "manage", "basis": "public_task"}, []),  # the foundation's templates
        ({"action": "view", "basis": "anonymous_aggregate", "what": "insight"}, []),
        ({"action": "view", "basis": "public_task", "what": "insight"}, ["no_grant"]),
        ({"action": "view", "basis": "anonymous_aggregate", "what": "goals-of-child"}, ["no_grant"]),
        ({"action": "manage", "basis": "public_task", "category": "plan"}, ["no_grant"]),
        ({"action": "manage", "basis": "public_task", "kind": "person"}, ["no_grant"]),
        # A plan's clock: by goals itself, of plans, and by no other service.
        (GOALS_ITSELF | {"category": "plan"}, []),
        (GOALS_ITSELF | {"category": "goals"}, ["no_grant"]),
        (GOALS_ITSELF | {"category": "plan", "actor": str(service_id("network"))}, ["no_grant"]),
        (GOALS_ITSELF | {"category": "plan", "what": "plans"}, ["no_grant"]),
    ],
)
def test_an_operator_publishes_templates_and_counts_and_does_nothing_else_in_goals(
    more: dict[str, str], codes: list[str]
) -> None:
    name = "access.viewed" if "what" in more else "template.published"
    entry = {
        "type": f"nl.samenkracht.goals.{name}.v1",
        "producer": "goals",
        "seq": 1,
        "about": str(UUID(int=1)),
        "school": "the-oak",
        "actor": str(UUID(int=2)),
        "kind": "operator",
        "category": "goals",
        "outcome": "permitted",
        **more,
    }
    assert [one.code for one in judge(Said(0, entry), Evidence())] == codes


@pytest.mark.parametrize(
    ("more", "told", "codes"),
    [
        ({"things": 1}, True, []),
        ({"things": 1}, False, ["recipient_not_granted"]),  # a time, to who may be told nothing
        ({"things": 0}, False, []),  # it only takes an entry back
        ({"things": 1, "actor": str(service_id("audit"))}, True, ["no_grant"]),
        ({"things": 1, "what": "conversation"}, True, ["no_grant"]),
    ],
)
def test_a_calendar_entry_tells_a_time_only_to_who_may_be_told(
    more: dict[str, Any], told: bool, codes: list[str]
) -> None:
    at = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
    actions = (Action.RECEIVE,) if told else (Action.VIEW,)
    given = grant(MOTHER, Role.GUARDIAN, actions, (Category.CONVERSATIONS,))
    published = Published(0, 1, 1, UUID(int=1), 1, at, at, {given.id: given})
    entry = {
        "type": "nl.samenkracht.goals.access.viewed.v1",
        "producer": "goals",
        "seq": 1,
        "about": str(UUID(int=1)),
        "thing": str(MOTHER),
        "school": "the-oak",
        "actor": str(service_id("notifications")),
        "kind": "service",
        "action": "view",
        "basis": "public_task",
        "category": "conversations",
        "what": "calendar-entry",
        "outcome": "permitted",
        "recorded_at": at.isoformat(),
        **more,
    }
    assert [one.code for one in judge(Said(0, entry), Evidence(of_subject=published))] == codes
