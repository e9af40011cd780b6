"""Break-glass through the real path: who may, for how long, who is told, who judges, and when nobody does."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.network.spans import AMSTERDAM
from services.network.times import review_due_at
from shared.actor import Actor
from shared.errors import ProblemType
from shared.events.emergencies import EmergencyEnded, EmergencyReviewed, EmergencyReviewOverdue, EmergencyStarted
from shared.events.network import AccessChanged, Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose
from tests.network.conftest import FAMILY, Network, adult, link, pupil
from tests.network.facts import allowed
from tests.network.test_commands import Family, family, refused

__all__ = ["family"]

A, C, P = Action, Category, Purpose
REASON = "Kim is missing since noon."


@pytest.fixture
async def leader(network: Network, family: Family) -> UUID:
    """The school's leader, who takes no part round Kim."""
    del family
    return await hire(network, "school_leader")


async def hire(network: Network, role: str) -> UUID:
    new = {"given_name": "Loes", "family_name": "Leiding"}
    made = await network.manage("add-member", subject=network.subject, role=role, new_person=new)
    return UUID(made["person"])


async def stranger(network: Network, role: str = "teacher") -> UUID:
    """Someone of the team or of care who is round another child."""
    organisation = {"organisation": "care"} if role in {"therapist", "care_professional"} else {}
    name = f"other-{role}"
    await network.operate(
        "import-roster",
        organisations=FAMILY["organisations"],
        persons=[adult(name, **organisation), pupil("noor")],
        networks=[{"at": "users.csv:2", "child": "noor", "links": [link(name, role)], "holders": []}],
    )
    return await network.find(name)


async def breaks(network: Network, who: UUID, child: UUID, **more: object) -> Any:  # noqa: ANN401  JSON
    return await network.ask("break-glass", who, child=child, reason=REASON, **more)


async def held(network: Network, who: UUID, child: UUID) -> list[Grant]:
    return [one for one in await network.grants(child) if one.member == who and one.emergency]


async def test_someone_of_the_team_gets_one_child_for_an_hour_and_the_contacts_that_are_needed(
    network: Network, family: Family, leader: UUID
) -> None:
    del leader
    who = await stranger(network)
    assert (await refused(network, "emergency-contacts", who, child=family.kim, purpose="guidance")).type is (
        ProblemType.FORBIDDEN
    )
    reply = await breaks(network, who, family.kim)
    assert reply["reviewers"] == 1
    (grant,) = await held(network, who, family.kim)
    assert grant.basis is Basis.VITAL_INTEREST
    assert set(grant.categories) == {C.IDENTITY, C.CONTACT, C.CARE, C.PLAN, C.GOALS}
    assert grant.actions == (A.VIEW,)
    assert grant.valid_until is not None
    assert grant.valid_until - grant.valid_from == timedelta(hours=1)
    shown = await network.ask("emergency-contacts", who, child=family.kim, purpose="guidance")
    assert "mum@example.org" in json.dumps(shown)
    noor = await network.find("noor")
    assert not await held(network, who, noor)
    looked = next(one for one in reversed(await network.events()) if one.about == family.kim).act
    assert (looked.emergency, looked.basis, looked.grant) == (True, Basis.VITAL_INTEREST, grant.id)


@pytest.mark.parametrize("role", ["therapist", "care_professional"])
async def test_care_from_outside_that_the_school_knows_may_too(network: Network, family: Family, role: str) -> None:
    who = await stranger(network, role)
    await breaks(network, who, family.kim, minutes=10)
    (grant,) = await held(network, who, family.kim)
    assert grant.organisation is not None
    assert grant.valid_until == grant.valid_from + timedelta(minutes=10)


async def test_nobody_else_may_and_an_unknown_child_answers_alike(network: Network, family: Family) -> None:
    tool = Actor(family.juf, ActorKind.TOOL, network.school, "test")
    answers = [
        await refused(network, "break-glass", who, child=family.kim, reason=REASON)
        for who in (family.mum, family.kim, network.admin, network.auditor, uuid4(), tool)
    ]
    answers.append(await refused(network, "break-glass", family.juf, child=uuid4(), reason=REASON))
    assert {json.dumps(one.to_json(), sort_keys=True) for one in answers} == {
        json.dumps(answers[0].to_json(), sort_keys=True)
    }
    assert answers[0].type is ProblemType.FORBIDDEN
    assert not await network.facts(EmergencyStarted)


async def test_who_has_left_may_not(network: Network, family: Family) -> None:
    who = await stranger(network)
    noor = await network.find("noor")
    shown = await network.manage("child-network", child=noor, purpose="administration")
    one = next(one for one in shown["members"] if one["person"] == str(who))
    body = {"subject": noor, "membership": one["membership"], "version": one["version"]}
    await network.manage("end-membership", **body)
    problem = await refused(network, "break-glass", who, child=family.kim, reason=REASON)
    assert problem.type is ProblemType.FORBIDDEN


async def test_a_reviewer_who_leaves_between_look_and_commit_is_not_let_in(
    network: Network, family: Family, leader: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = await network.manage("school", purpose="administration")
    one = next(one for one in shown["members"] if one["person"] == str(leader))
    commit, looked = network.unit._commit, asyncio.Event()

    async def late(*args: Any) -> str:  # noqa: ANN401  passed on as they are
        if not looked.is_set():
            looked.set()
            body = {"subject": network.subject, "membership": one["membership"], "version": one["version"]}
            await network.manage("end-membership", **body)
        return await commit(*args)

    monkeypatch.setattr(network.unit, "_commit", late)
    reply = await breaks(network, family.juf, family.kim)
    assert (looked.is_set(), reply["reviewers"]) == (True, 0)
    assert not [one for one in await network.grants(family.kim) if one.member == leader]


async def test_a_member_who_leaves_between_look_and_commit_gets_nothing(
    network: Network, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await stranger(network)
    noor = await network.find("noor")
    shown = await network.manage("child-network", child=noor, purpose="administration")
    one = next(one for one in shown["members"] if one["person"] == str(who))
    commit, looked = network.unit._commit, asyncio.Event()

    async def late(*args: Any) -> str:  # noqa: ANN401  passed on as they are
        if not looked.is_set():
            looked.set()
            body = {"subject": noor, "membership": one["membership"], "version": one["version"]}
            await network.manage("end-membership", **body)
        return await commit(*args)

    monkeypatch.setattr(network.unit, "_commit", late)
    problem = await refused(network, "break-glass", who, child=family.kim, reason=REASON)
    assert (looked.is_set(), problem.type) == (True, ProblemType.FORBIDDEN)
    assert not await held(network, who, family.kim)


async def test_it_is_not_prolonged_and_more_than_an_hour_is_not_asked(network: Network, family: Family) -> None:
    first = await breaks(network, family.juf, family.kim)
    again = await refused(network, "break-glass", family.juf, child=family.kim, reason=REASON)
    assert (again.type, again.more["emergency"]) == (ProblemType.CONFLICT, first["emergency"])
    with pytest.raises(ValueError, match="less than or equal to 60"):
        await breaks(network, family.juf, family.kim, minutes=61)


async def test_reviewers_hear_of_it_after_the_grants_that_let_them(
    network: Network, family: Family, leader: UUID
) -> None:
    await breaks(network, family.juf, family.kim)
    told = [
        e
        for e in await network.events()
        if e.about == family.kim and (e.is_a(AccessChanged) or e.is_a(EmergencyStarted))
    ]
    assert [e.is_a(AccessChanged) for e in told[-2:]] == [True, False]
    hearing = [
        one.member for one in await network.grants(family.kim) if A.RECEIVE in one.actions and C.LOG in one.categories
    ]
    assert hearing == [leader]
    assert REASON not in json.dumps([e.content for e in await network.events()], default=str)


async def test_a_reviewer_who_broke_the_glass_is_not_told_and_does_not_judge(
    network: Network, family: Family, leader: UUID
) -> None:
    reply = await breaks(network, leader, family.kim)
    assert reply["reviewers"] == 0
    other = await hire(network, "support_committee")
    await network.attend()
    grants = await network.grants(family.kim)
    assert {one.member for one in grants if C.LOG in one.categories and A.DECIDE in one.actions} == {other}
    body = {"child": family.kim, "emergency": reply["emergency"], "version": 1, "outcome": "justified", "reason": "ok"}
    assert (await refused(network, "review-emergency", leader, **body)).type is ProblemType.FORBIDDEN
    # Not with another's emergency to review either, nor in someone else's name.
    await breaks(network, family.juf, family.kim)
    own = await refused(network, "review-emergency", leader, **body)
    assert (own.type, "own emergency" in own.detail) == (ProblemType.FORBIDDEN, True)
    posing = Actor(other, ActorKind.PERSON, network.school, "test", on_behalf_of=leader)
    assert (await refused(network, "review-emergency", posing, **body)).type is ProblemType.FORBIDDEN
    done = await network.ask("review-emergency", other, **body)
    assert (done["version"], done["effective"]) == (2, "pending")


async def test_who_sat_at_the_keyboard_of_an_emergency_does_not_judge_it_as_another(
    network: Network, family: Family, leader: UUID
) -> None:
    def at(operator: str, who: UUID) -> Actor:
        return Actor(who, ActorKind.PERSON, network.school, "samen", operator)

    reply = await network.ask("break-glass", at("anna", family.juf), child=family.kim, reason=REASON)
    body = {"child": family.kim, "emergency": reply["emergency"], "version": 1, "outcome": "justified", "reason": "ok"}
    same = await refused(network, "review-emergency", at("anna", leader), **body)
    assert (same.type, same.more["code"]) == (ProblemType.FORBIDDEN, "same_operator")
    await network.ask("review-emergency", at("bert", leader), **body)


async def test_a_review_ends_the_reviewers_own_access_and_not_justified_ends_the_emergency(
    network: Network, family: Family, leader: UUID
) -> None:
    reply = await breaks(network, family.juf, family.kim)
    body = {"child": family.kim, "emergency": reply["emergency"], "version": 1, "outcome": "not_justified"}
    await network.ask("review-emergency", leader, **body, reason="A phone call would have done.")
    grants = await network.grants(family.kim)
    assert not [one for one in grants if one.emergency or one.member == leader]
    assert len(await network.facts(EmergencyEnded)) == 1
    assert [one.outcome.value for one in await network.facts(EmergencyReviewed)] == ["not_justified"]
    assert (await refused(network, "review-emergency", leader, **body, reason="x")).type is ProblemType.FORBIDDEN
    shown = await network.ask("emergencies", network.auditor, child=family.kim, purpose="oversight")
    (one,) = shown["emergencies"]
    assert (one["outcome"], one["reviewed_by"]) == ("not_justified", str(leader))
    assert REASON not in json.dumps(shown)


async def test_a_childs_family_reads_it_in_the_log_where_a_restriction_is_known(
    network: Network, family: Family, leader: UUID
) -> None:
    """Whatever else they are here: a mother who audits the school, and one who administers it."""
    await breaks(network, family.juf, family.kim)
    told = await refused(network, "emergencies", family.mum, child=family.kim, purpose="own_data")
    assert (told.type, told.more) == (ProblemType.FORBIDDEN, {"code": "in_the_log"})
    assert "samen audit break-glass" in told.detail
    for role in ("auditor", "school_administrator"):
        await network.manage("add-member", subject=network.subject, person=family.mum, role=role)
    await network.attend()
    both = await refused(network, "emergencies", family.mum, child=family.kim, purpose="oversight")
    assert both.more == {"code": "in_the_log"}
    body = {"child": family.kim, "who": family.juf, "action": "view", "category": "contact", "for_purpose": "guidance"}
    for who, told_of in ((family.mum, False), (network.admin, True)):
        shown = await network.ask("policy-explanation", who, **body, purpose="administration")
        rules = [one for one in shown["reasons"] if "Emergency" in one["words"] and one["kind"] == "rule"]
        assert bool(rules) is told_of
    assert (await network.ask("emergencies", leader, child=family.kim, purpose="oversight"))["emergencies"]


async def test_it_is_ended_early_by_who_has_it_or_by_a_reviewer_and_by_nobody_else(
    network: Network, family: Family, leader: UUID
) -> None:
    for who, purpose in ((family.juf, "guidance"), (leader, "oversight")):
        reply = await breaks(network, family.juf, family.kim)
        body = {"child": family.kim, "emergency": reply["emergency"], "version": 1}
        for other in (family.ib, family.mum, network.auditor):
            assert (await refused(network, "end-emergency", other, **body)).type is ProblemType.FORBIDDEN
        shown = await network.ask("emergencies", who, child=family.kim, purpose=purpose)
        assert REASON in json.dumps(shown)
        ended = await network.ask("end-emergency", who, **body, purpose=purpose)
        assert ended["effective"] == "pending"
        assert not await held(network, family.juf, family.kim)
    assert len(await network.facts(EmergencyEnded)) == 2


async def test_a_new_reviewer_gets_what_waits_and_one_who_leaves_loses_it(
    network: Network, family: Family, leader: UUID
) -> None:
    await breaks(network, family.juf, family.kim)
    shown = await network.manage("school", purpose="administration")
    one = next(one for one in shown["members"] if one["person"] == str(leader))
    body = {"subject": network.subject, "membership": one["membership"], "version": one["version"]}
    await network.manage("end-membership", **body)
    await network.attend()
    assert not [one for one in await network.grants(family.kim) if one.member == leader]
    new = await hire(network, "school_leader")
    await network.attend()
    assert [one for one in await network.grants(family.kim) if one.member == new and A.DECIDE in one.actions]


async def test_when_nobody_reviews_it_in_three_days_that_is_told_once_even_after_an_outage(
    network: Network, family: Family, leader: UUID
) -> None:
    del leader
    reply = await breaks(network, family.juf, family.kim)
    due = review_due_at((await network.facts(EmergencyStarted))[0].starts_at)
    await network.shift(due - timedelta(seconds=30))
    await network.attend()
    assert not await network.facts(EmergencyReviewOverdue)
    await network.shift(due + timedelta(days=20))
    await asyncio.gather(*(network.attend() for _ in range(3)))
    await network.attend()
    told = await network.facts(EmergencyReviewOverdue)
    assert [(str(one.emergency), one.due_at) for one in told] == [(reply["emergency"], due)]


async def test_what_was_reviewed_in_time_is_never_overdue(network: Network, family: Family, leader: UUID) -> None:
    reply = await breaks(network, family.juf, family.kim)
    body = {"child": family.kim, "emergency": reply["emergency"], "version": 1, "outcome": "justified", "reason": "ok"}
    await network.ask("review-emergency", leader, **body)
    await network.shift(datetime.now(UTC) + timedelta(days=9))
    await network.attend()
    assert not await network.facts(EmergencyReviewOverdue)


def test_three_days_are_days_of_the_netherlands_when_the_clock_changes() -> None:
    started = datetime(2026, 10, 24, 10, tzinfo=UTC)  # noon; winter time begins that night
    assert review_due_at(started) - started == timedelta(hours=73)
    assert review_due_at(started).astimezone(AMSTERDAM).hour == 12


async def test_a_grant_in_an_emergency_says_yes_to_what_it_names_and_to_nothing_else(
    network: Network, family: Family
) -> None:
    who = await stranger(network)
    await breaks(network, who, family.kim)
    grants, now = await network.grants(family.kim), datetime.now(UTC)
    assert allowed(grants, who, A.VIEW, C.CARE, P.CARE_COORDINATION, at=now)
    for action, category, purpose in (
        (A.VIEW, C.OBSERVATIONS, P.GUIDANCE),
        (A.PROPOSE, C.CARE, P.GUIDANCE),
        (A.VIEW, C.CARE, P.TRANSFER),
    ):
        assert not allowed(grants, who, action, category, purpose, at=now)
