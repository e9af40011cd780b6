"""Consents over time: a no that stands, notices, renewal before one lapses, and holders whose membership is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.network.spans import AMSTERDAM
from shared.errors import ProblemType
from shared.events.network import ConsentAsked, ConsentRenewalDue, ConsentWithdrawn
from tests.network.conftest import Network
from tests.network.family import Family, forbidden, refused, settle

ONE = {"decision": "sharing", "rule": "one_unless_objection"}


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def shown(network: Network, family: Family) -> list[dict[str, Any]]:
    found = await network.manage("consents", child=family.kim, purpose="administration")
    return sorted(found["consents"], key=lambda one: str(one["starts_at"]))


async def in_force(network: Network, family: Family) -> list[bool]:
    """Which of them hold at this moment of domain time."""
    return [one["in_force"] for one in await shown(network, family)]


@pytest.mark.parametrize("objection", ["refuse-consent", "withdraw-consent"])
@pytest.mark.parametrize("lapsed", [False, True])
async def test_a_no_stands_when_the_consent_is_asked_anew_until_that_holder_says_yes(
    network: Network, family: Family, objection: str, *, lapsed: bool
) -> None:
    await network.manage("set-policy", **ONE)
    await network.ask("give-consent", family.mum, **family.consent())
    if objection == "withdraw-consent":
        await network.ask("give-consent", family.dad, **family.consent())
    await network.ask(objection, family.dad, **family.consent())
    if lapsed:
        await network.shift(datetime.now(UTC) + timedelta(days=366))
    newer = family.consent(notice_version=2)
    await network.ask("ask-consent", family.ib, **newer)
    mums = await network.ask("give-consent", family.mum, **newer)
    assert mums["state"] == ("conflicting" if objection == "refuse-consent" else "withdrawn")
    await network.attend()
    assert not await family.sees(family.logo)
    dads = await network.ask("give-consent", family.dad, **newer)
    assert (dads["state"], await family.sees(family.logo)) == ("given", True)


async def test_a_yes_to_an_older_notice_is_no_yes_to_the_newer_one(network: Network, family: Family) -> None:
    await network.ask("give-consent", family.mum, **family.consent())
    asked = await network.ask("ask-consent", family.ib, **family.consent(notice_version=2))
    dads = await network.ask("give-consent", family.dad, **family.consent(notice_version=2))
    assert (asked["state"], dads["state"]) == ("asked", "asked")


async def test_a_notice_that_is_unknown_or_older_than_the_consents_own_is_refused(
    network: Network, family: Family
) -> None:
    await network.ask("ask-consent", family.ib, **family.consent(notice_version=3))
    older = await refused(network, "ask-consent", family.ib, **family.consent(notice_version=2))
    assert (older.type, older.more["notice_version"]) == (ProblemType.CONFLICT, 3)
    # A school that keeps its notices elsewhere publishes none; one that publishes them asks with those only.
    for number in (1, 4):
        await network.manage("publish-notice", number=number, text="Wij vragen u iets.")
    for name, who in (("ask-consent", family.ib), ("give-consent", family.mum)):
        other = family.consent(notice_version=2, categories=["care"])
        unknown = await refused(network, name, who, **other)
        assert (unknown.type, unknown.more["allowed"]) == (ProblemType.INVALID, [1, 4])
    assert (await network.ask("ask-consent", family.ib, **family.consent(notice_version=4)))["state"] == "asked"
    answered = await refused(network, "give-consent", family.mum, **family.consent(notice_version=1))
    assert answered.more["notice_version"] == 4


async def lapsing(network: Network, family: Family) -> str:
    """Both holders said yes for a year, of which six weeks are left; returns the consent."""
    given = await family.both_consent()
    early = await refused(network, "ask-consent", family.ib, **family.consent())
    assert early.type is ProblemType.CONFLICT
    again = await refused(network, "give-consent", family.mum, **family.consent())
    renew_from = datetime.fromisoformat(early.more["renew_from"])
    assert again.more["renew_from"] == early.more["renew_from"]
    await network.shift(renew_from + timedelta(minutes=1))
    return given


async def test_a_consent_is_renewed_before_it_lapses_and_holds_until_the_new_one_starts(
    network: Network, family: Family
) -> None:
    given = await lapsing(network, family)
    await network.attend()
    assert [str(one.consent) for one in await network.facts(ConsentRenewalDue)] == [given]
    asked = await network.ask("ask-consent", family.ib, **family.consent(notice_version=2))
    assert asked["consent"] != given
    again = await refused(network, "ask-consent", family.ib, **family.consent(notice_version=2))
    assert (again.type, again.more["state"]) == (ProblemType.CONFLICT, "asked")
    old, new = await shown(network, family)
    assert (old["consent"], old["in_force"], new["renews"], new["state"]) == (given, True, given, "asked")
    assert (new["starts_at"], len(old["answers"]), new["answers"]) == (old["ends_at"], 2, [])
    for who in (family.mum, family.dad):
        reply = await network.ask("give-consent", who, **family.consent(notice_version=2))
        assert (reply["consent"], await family.sees(family.logo)) == (asked["consent"], True)
    assert (await refused(network, "give-consent", family.mum, **family.consent(notice_version=2))).type is (
        ProblemType.CONFLICT
    )
    await network.shift(datetime.fromisoformat(old["ends_at"]) + timedelta(minutes=1))
    old, new = await shown(network, family)
    assert (old["in_force"], new["in_force"]) == (False, True)
    # And the year after: each is carried on once, by the next.
    await network.shift(datetime.fromisoformat(new["renew_from"]) + timedelta(minutes=1))
    third = await network.ask("give-consent", family.mum, **family.consent(notice_version=2))
    assert [one["renews"] for one in await shown(network, family)] == [None, given, asked["consent"]]
    assert third["state"] == "asked"


async def test_a_holder_renews_unasked_and_is_not_reminded_of_what_is_under_way(
    network: Network, family: Family
) -> None:
    await lapsing(network, family)
    past = datetime.now(AMSTERDAM).date()
    problem = await refused(network, "give-consent", family.mum, **family.consent(starts_on=past))
    assert problem.type is ProblemType.INVALID
    first = await network.ask("give-consent", family.mum, **family.consent())
    second = await network.ask("give-consent", family.dad, **family.consent())
    assert (first["consent"], first["state"], second["state"]) == (second["consent"], "asked", "given")
    await network.attend()
    assert await network.facts(ConsentRenewalDue) == []


async def test_a_no_to_the_renewal_leaves_the_present_one_until_its_end(network: Network, family: Family) -> None:
    await network.manage("set-policy", **ONE)
    await lapsing(network, family)
    await network.ask("give-consent", family.mum, **family.consent())
    no = await network.ask("refuse-consent", family.dad, **family.consent())
    assert (no["state"], await family.sees(family.logo)) == ("conflicting", True)
    repeated = await refused(network, "refuse-consent", family.dad, **family.consent())
    assert (repeated.type, await family.sees(family.logo)) == (ProblemType.CONFLICT, True)
    # With a newer notice it is asked anew, for the same time: after the present one.
    await network.ask("ask-consent", family.ib, **family.consent(notice_version=2))
    old, new = await shown(network, family)
    assert (new["starts_at"], new["notice_version"], new["state"]) == (old["ends_at"], 2, "refused")
    await network.shift(datetime.now(UTC) + timedelta(days=366))
    assert await in_force(network, family) == [False, False]


async def test_what_is_withdrawn_is_withdrawn_from_the_renewal_too(network: Network, family: Family) -> None:
    await network.manage("set-policy", **ONE)
    await lapsing(network, family)
    await network.ask("give-consent", family.mum, **family.consent())
    taken = await network.ask("withdraw-consent", family.dad, **family.consent())
    assert (taken["state"], await family.sees(family.logo)) == ("withdrawn", False)
    assert len(await network.facts(ConsentWithdrawn)) == 2
    await network.shift(datetime.now(UTC) + timedelta(days=366))
    assert await in_force(network, family) == [False, False]
    # Asked for the time that is left, the renewal is asked anew in its place.
    asked = await network.ask("ask-consent", family.ib, **family.consent(notice_version=2))
    assert str((await network.facts(ConsentAsked))[-1].consent) == asked["consent"]
    assert len(await shown(network, family)) == 2


@pytest.mark.parametrize("named", ["nothing", "old", "new"])
async def test_where_a_consent_and_its_renewal_wait_a_yes_is_to_the_one_that_is_named_or_else_the_last(
    network: Network, family: Family, named: str
) -> None:
    await network.manage("set-policy", **ONE)
    await network.ask("ask-consent", family.ib, **family.consent())
    await network.ask("give-consent", family.mum, **family.consent())
    await network.shift(datetime.now(UTC) + timedelta(days=350))
    await network.attend()
    await network.ask("ask-consent", family.ib, **family.consent())
    old, new = await shown(network, family)
    assert (old["version"], new["version"]) == (2, 1)
    seen = {"nothing": {}, "old": {"version": old["version"]}, "new": {"version": new["version"]}}[named]
    yes = await network.ask("give-consent", family.dad, **family.consent(), **seen)
    assert yes["consent"] == (old if named == "old" else new)["consent"]
    stale = await refused(network, "give-consent", family.dad, **family.consent(), version=99)
    assert stale.type is ProblemType.STALE_VERSION


async def test_a_consent_whose_place_ended_during_its_renewal_is_given_and_renewed_again(
    network: Network, family: Family
) -> None:
    await lapsing(network, family)
    await network.ask("ask-consent", family.ib, **family.consent())
    await network.manage("end-placement", child=family.kim)
    circle = {"guardian": [family.mum, family.dad], "internal_coordinator": [family.ib], "therapist": [family.logo]}
    for role, persons in ({"child": [family.kim]} | circle).items():
        for person in persons:
            await network.manage("add-member", subject=family.kim, role=role, person=person)
    for holder in circle["guardian"]:
        await network.manage("record-authority", child=family.kim, holder=holder, source="birth")
    await family.both_consent()
    before = len(await network.facts(ConsentRenewalDue))
    (one,) = [one for one in await shown(network, family) if one["in_force"]]
    await network.shift(datetime.fromisoformat(one["renew_from"]) + timedelta(minutes=1))
    await network.attend()
    assert len(await network.facts(ConsentRenewalDue)) == before + 1
    asked = await network.ask("ask-consent", family.ib, **family.consent())
    assert (
        next(one for one in await shown(network, family) if one["consent"] == asked["consent"])["renews"]
        == (one["consent"])
    )


@pytest.mark.parametrize("way", ["end-membership", "suspend-membership"])
async def test_a_holder_whose_membership_is_over_still_sees_and_answers_consents(
    network: Network, family: Family, way: str
) -> None:
    await family.both_consent()
    await network.manage(way, **await family.membership(family.dad))
    assert await family.sees(family.logo)
    seen = await network.ask("consents", family.dad, child=family.kim, purpose="own_data")
    assert [(one["state"], [said["holder"] for said in one["answers"]]) for one in seen["consents"]] == [
        ("given", [str(family.dad)])
    ]
    taken = await network.ask("withdraw-consent", family.dad, **family.consent())
    assert (taken["effective"], await family.sees(family.logo)) == ("pending", False)
    assert (await network.ask("refuse-consent", family.dad, **family.consent()))["state"] == "conflicting"
    assert (await network.ask("give-consent", family.dad, **family.consent()))["state"] == "given"
    # It is about consents, for a holder's own reasons, and lasts no longer than the authority.
    assert await forbidden(network, "child-network", family.dad, child=family.kim, purpose="own_data")
    assert await forbidden(network, "consents", family.dad, child=family.kim, purpose="administration")
    found = await network.manage("child-network", child=family.kim, purpose="administration")
    dads = next(one for one in found["authorities"] if one["holder"] == str(family.dad))
    await network.manage("end-authority", child=family.kim, authority=dads["authority"], version=dads["version"])
    assert await forbidden(network, "withdraw-consent", family.dad, **family.consent())
    assert await forbidden(network, "consents", family.dad, child=family.kim, purpose="own_data")


async def test_a_child_that_is_unknown_here_is_denied_to_everyone_alike(network: Network, family: Family) -> None:
    other = family.mum
    assert await forbidden(network, "consents", family.dad, child=other, purpose="own_data")
    assert await forbidden(network, "withdraw-consent", family.dad, **family.consent(child=other))
