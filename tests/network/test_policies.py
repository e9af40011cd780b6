"""How a school decides: versions, disputes, curators and mentors; what is told in time. Through the real path."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.network.spans import AMSTERDAM, birthday, day_start
from services.network.store import waits_for_children
from shared.errors import ProblemType
from shared.events.network import ConsentAsked, ConsentRenewalDue, ConsentSettled, ConsentState, DisputeNoted, PolicySet
from shared.events.words import Action, Category, Purpose
from tests.network.conftest import FAMILY, Network, pupil
from tests.network.facts import allowed
from tests.network.test_commands import Family, family, refused, sees

__all__ = ["family"]

ONE = {"decision": "sharing", "rule": "one_unless_objection"}
ALL = {"decision": "sharing", "rule": "all_holders"}


async def test_one_yes_suffices_where_the_school_says_so_until_it_no_longer_does(
    network: Network, family: Family
) -> None:
    given = await network.ask("give-consent", family.mum, **family.consent())
    assert (given["state"], await sees(network, family, family.logo)) == ("asked", False)
    first = await network.manage("set-policy", **ONE)
    assert (first["number"], await network.attend()) == (1, 1)
    assert await sees(network, family, family.logo)
    second = await network.manage("set-policy", **ALL)
    assert (second["number"], second["effective"]) == (2, "pending")
    await network.attend()
    assert not await sees(network, family, family.logo)
    assert [one.state for one in await network.facts(ConsentSettled)] == [ConsentState.GIVEN, ConsentState.ASKED]
    told = await network.facts(PolicySet)
    assert [(one.number, one.rule.value) for one in told] == [(1, "one_unless_objection"), (2, "all_holders")]
    # It stood and no longer does: those whose yes is missing are asked.
    assert [one.state for one in await network.facts(ConsentAsked)] == [ConsentState.ASKED]


async def test_a_withdrawal_for_the_whole_school_waits_until_every_child_has_its_new_grants(
    network: Network, family: Family
) -> None:
    async def waits(reply: dict[str, Any]) -> bool:
        async with network.db.school(network.school) as conn:
            return await waits_for_children(conn, network.school, UUID(reply["withdrawal"]))

    await network.manage("set-policy", **ONE)
    await network.ask("give-consent", family.mum, **family.consent())
    strict = await network.manage("set-policy", **ALL)
    taken = await network.ask("withdraw-consent", family.mum, **family.consent())
    # That one published its child: nothing is left to wait for. Another child's would not.
    assert (await waits(strict), await waits(taken)) == (False, False)
    await network.manage("set-policy", **ONE)
    await network.attend()
    strict = await network.manage("set-policy", **ALL)
    assert (await waits(strict), await waits(taken)) == (True, False)
    await network.attend()
    assert not await waits(strict)


@pytest.mark.parametrize("objection", ["refuse-consent", "withdraw-consent"])
async def test_no_policy_shares_what_a_holder_refused_or_took_back(
    network: Network, family: Family, objection: str
) -> None:
    await network.ask("give-consent", family.mum, **family.consent())
    if objection == "withdraw-consent":
        await network.ask("give-consent", family.dad, **family.consent())
    await network.ask(objection, family.dad, **family.consent())
    await network.manage("set-policy", **ONE)
    await network.attend()
    assert not await sees(network, family, family.logo)


async def test_only_the_administrator_sets_a_policy_and_it_must_change_something(
    network: Network, family: Family
) -> None:
    for who in (family.ib, family.mum, network.auditor):
        assert (await refused(network, "set-policy", who, **ONE)).type is ProblemType.FORBIDDEN
    assert (await refused(network, "set-policy", network.admin, **ALL)).type is ProblemType.CONFLICT
    past = await refused(network, "set-policy", network.admin, **ONE, starts_on="2020-01-01")
    assert past.type is ProblemType.INVALID
    await network.manage("set-policy", **ONE, starts_on="2150-01-01")
    early = await refused(network, "set-policy", network.admin, **ALL)
    assert (early.type, early.more["number"]) == (ProblemType.CONFLICT, 1)


async def test_a_policy_that_starts_later_is_in_the_grants_before_it_starts(network: Network, family: Family) -> None:
    await network.ask("give-consent", family.mum, **family.consent())
    day = datetime.now(AMSTERDAM).date() + timedelta(days=30)
    await network.manage("set-policy", **ONE, starts_on=day)
    await network.attend()
    grants = await network.grants(family.kim)
    question = (family.logo, Action.VIEW, Category.GOALS, Purpose.CARE_COORDINATION)
    assert not allowed(grants, *question, at=day_start(day) - timedelta(seconds=1))
    assert allowed(grants, *question, at=day_start(day))


async def test_a_dispute_stops_what_one_yes_had_given_until_the_school_settles_it(
    network: Network, family: Family
) -> None:
    await network.manage("set-policy", **ONE)
    await network.ask("give-consent", family.mum, **family.consent())
    assert await sees(network, family, family.logo)
    between = [family.mum, family.dad]
    body = {"child": family.kim, "decision": "sharing", "between": between, "note": "Dad wants another therapist."}
    for outsider in (family.juf, family.logo, network.auditor):
        assert (await refused(network, "note-dispute", outsider, **body)).type is ProblemType.FORBIDDEN
    noted = await network.ask("note-dispute", family.dad, **body)
    assert noted["effective"] == "pending"
    assert not await sees(network, family, family.logo)
    settle = {"child": family.kim, "dispute": noted["dispute"], "version": 1}
    assert (await refused(network, "settle-dispute", family.mum, **settle)).type is ProblemType.FORBIDDEN
    await network.ask("settle-dispute", family.ib, **settle)
    assert await sees(network, family, family.logo)
    assert (await refused(network, "settle-dispute", family.ib, **settle)).type is ProblemType.STALE_VERSION
    assert "therapist" not in str([event.content for event in await network.events() if event.is_a(DisputeNoted)])


async def test_what_a_dispute_is_about_is_shown_to_its_keepers_and_to_no_parent(
    network: Network, family: Family
) -> None:
    body = {"child": family.kim, "decision": "care", "between": [family.mum, family.dad], "note": "private words"}
    await network.ask("note-dispute", family.mum, **body)
    for who, shown in ((family.ib, "private words"), (family.dad, None), (family.mum, None)):
        told = await network.ask("deciders", who, child=family.kim, purpose="guidance")
        assert [one["note"] for one in told["disputes"]] == [shown]
        matters = {one["decision"]: one for one in told["matters"]}
        assert (matters["care"]["disputed"], matters["sharing"]["disputed"]) == (True, False)
        assert {one["holder"] for one in matters["care"]["holders"]} == {str(family.mum), str(family.dad)}


async def test_a_dispute_is_between_two_who_decide(network: Network, family: Family) -> None:
    for between in ([family.mum, family.mum], [family.mum, family.juf]):
        body = {"child": family.kim, "decision": "sharing", "between": between}
        assert (await refused(network, "note-dispute", family.ib, **body)).type is ProblemType.INVALID


async def test_two_policies_at_once_get_two_numbers_or_one_is_refused(network: Network, family: Family) -> None:
    del family
    both = await asyncio.gather(*(network.manage("set-policy", **ONE) for _ in range(4)), return_exceptions=True)
    assert sorted(getattr(one, "type", "done") for one in both if not isinstance(one, dict)) == ["conflict"] * 3
    assert [one.number for one in await network.facts(PolicySet)] == [1]


# Age ------------------------------------------------------------------------------------------------------------------


async def turning(network: Network, age: int, in_days: int) -> tuple[Family, date]:
    """A family whose child reaches `age` in so many days; both parents have given consent for two years."""
    day = datetime.now(AMSTERDAM).date() + timedelta(days=in_days)
    born_on = date(day.year - age, day.month, day.day)
    await network.open()
    roster = {**FAMILY, "persons": [*FAMILY["persons"][:-1], pupil("kim", born_on=str(born_on))]}
    await network.operate("import-roster", **roster)
    family = Family({name: await network.find(name) for name in ("kim", "mum", "dad", "juf", "ib", "logo")})
    givers = (family.mum, family.dad) if age == 16 else (family.kim,)
    for who in givers:
        await network.ask("give-consent", who, **family.consent(ends_on=day + timedelta(days=700)))
    return family, birthday(born_on, age)


async def test_six_weeks_before_16_renewal_is_due_once_and_at_16_the_young_person_is_asked(network: Network) -> None:
    family, day = await turning(network, 16, 100)
    notice = day_start(day - timedelta(weeks=6))
    await network.shift(notice - timedelta(minutes=1))
    assert await network.attend() == 0
    await network.shift(notice)
    assert (await network.attend(), await network.attend()) == (1, 0)
    told = await network.facts(ConsentRenewalDue)
    assert [one.state for one in told] == [ConsentState.GIVEN]
    await network.shift(day_start(day) + timedelta(minutes=1))
    await network.attend()
    asked = await network.facts(ConsentAsked)
    assert [one.state for one in asked] == [ConsentState.ASKED]
    assert not await sees(network, family, family.logo)
    again = await network.ask("give-consent", family.kim, **family.consent())
    assert (again["state"], await sees(network, family, family.logo)) == ("given", True)
    assert len(await network.facts(ConsentRenewalDue)) == 1


async def test_after_an_outage_over_the_whole_six_weeks_it_is_still_told_once(network: Network) -> None:
    _, day = await turning(network, 16, 100)
    await network.shift(day_start(day) + timedelta(days=3))
    await asyncio.gather(*(network.attend() for _ in range(3)), return_exceptions=True)
    await network.attend()
    assert len(await network.facts(ConsentRenewalDue)) == 1


async def test_a_consent_that_ends_is_due_six_weeks_before_and_a_short_one_is_not(network: Network) -> None:
    family, _ = await turning(network, 18, 600)
    today = datetime.now(AMSTERDAM).date()
    short = family.consent(categories=["care"], ends_on=today + timedelta(days=20))
    await network.ask("give-consent", family.kim, **short)
    long = family.consent(categories=["observations"])
    given = await network.ask("give-consent", family.kim, **long)
    await network.shift(datetime.now(UTC) + timedelta(days=365 - 41))
    await network.attend()
    assert [str(one.consent) for one in await network.facts(ConsentRenewalDue)] == [given["consent"]]


async def test_a_mentor_decides_from_18_and_until_then_nothing_of_it_shows(network: Network) -> None:
    family, day = await turning(network, 18, 100)
    body: dict[str, Any] = {"child": family.kim, "holder": family.mum, "role": "mentor"}
    problem = await refused(network, "record-authority", network.admin, **body, source="school_record")
    assert problem.type is ProblemType.INVALID
    await network.manage("record-authority", **body, source="court")
    before = await network.grants(family.kim)
    assert {grant.valid_until for grant in before if grant.member == family.mum} == {None}
    await network.shift(day_start(day) + timedelta(minutes=1))
    await network.attend()
    # The young person's own yes no longer counts alone: who decides now is asked.
    assert not await sees(network, family, family.logo)
    told = await network.manage("deciders", child=family.kim, purpose="administration")
    matters = {one["decision"]: one["holders"] for one in told["matters"]}
    assert matters["sharing"] == [{"holder": str(family.mum), "as": "mentor", "name": "Mum de Vries"}]
    assert (await refused(network, "give-consent", family.kim, **family.consent())).type is ProblemType.FORBIDDEN
    assert (await refused(network, "give-consent", family.dad, **family.consent())).type is ProblemType.FORBIDDEN
    given = await network.ask("give-consent", family.mum, **family.consent())
    assert (given["state"], await sees(network, family, family.logo)) == ("given", True)


async def test_the_policy_tables_are_shown_to_the_school_and_to_nobody_else(network: Network, family: Family) -> None:
    await network.manage("set-policy", **ONE)
    for who, purpose in ((network.admin, "administration"), (network.auditor, "oversight"), (family.ib, "guidance")):
        shown = await network.ask("policies", who, purpose=purpose)
        matters = {one["decision"]: one for one in shown["decisions"]}
        assert (matters["sharing"]["rule"], matters["plan"]["rule"]) == ("one_unless_objection", "all_holders")
        assert {"emergency", "review", "guardian", "team"} <= {rule["name"] for rule in shown["rules"]["child"]}
    for who in (family.mum, family.logo, UUID(int=5)):
        assert (await refused(network, "policies", who, purpose="guidance")).type is ProblemType.FORBIDDEN
