"""Emergency access rests on a membership, and is about a pupil: it ends when either does."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.actor import service_id
from shared.errors import ProblemType
from shared.events.emergencies import EmergencyEnded
from shared.events.network import AccessChanged
from shared.events.words import ActorKind, Category
from tests.network.conftest import Network
from tests.network.family import Family, refused, settle
from tests.network.test_emergency import breaks, held, hire, stranger


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def named(network: Network, subject: UUID, person: UUID) -> dict[str, Any]:
    """The body that names the person's membership in a network."""
    query = {"child": subject} if subject != network.subject else {}
    name = "child-network" if query else "school"
    shown = await network.manage(name, **query, purpose="administration")
    one = next(one for one in shown["members"] if one["person"] == str(person) and one["status"] != "inactive")
    return {"subject": subject, "membership": one["membership"], "version": one["version"]}


ENDINGS = ("end-membership", "suspend-membership", "leave-network", "roster", "end-placement", "roster-pupil")


@pytest.mark.parametrize("how", ENDINGS)
async def test_it_ends_with_the_membership_round_another_child_that_let_it(
    network: Network, family: Family, how: str
) -> None:
    who = await stranger(network)
    noor = await network.find("noor")
    body = await named(network, noor, who)
    await breaks(network, who, family.kim)
    await breaks(network, family.juf, family.kim)
    assert await held(network, who, family.kim), "control: it was there"
    if how == "leave-network":
        await network.ask(how, who, **body)
    elif how == "roster":
        await network.operate("import-roster", ends=[body["membership"]])
    elif how == "roster-pupil":
        await network.operate("import-roster", ends=[(await named(network, noor, noor))["membership"]])
    elif how == "end-placement":
        await network.manage(how, child=noor)
    else:
        await network.manage(how, **body)
    assert not await held(network, who, family.kim)
    assert await held(network, family.juf, family.kim), "another's goes on"
    events = [one for one in await network.events() if one.about == family.kim]
    ended = [one for one in events if one.is_a(EmergencyEnded)]
    assert [one.fact(EmergencyEnded).member for one in ended] == [who]
    # What is about another child than the act was is network's own doing: the judge finds no grant to weigh it by.
    for one in (ended[0], [one for one in events if one.is_a(AccessChanged)][-1]):
        assert (one.act.actor, one.act.kind, one.act.grant) == (service_id("network"), ActorKind.SERVICE, None)
    assert (await refused(network, "emergency-contacts", who, child=family.kim, purpose="guidance")).type is (
        ProblemType.FORBIDDEN
    )


@pytest.mark.parametrize("role", ["teacher", "school_social_worker", "school_leader"])
async def test_it_ends_with_a_membership_of_the_school_alone_even_when_it_is_reviewed(
    network: Network, family: Family, role: str
) -> None:
    who, leader = await hire(network, role), await hire(network, "school_leader")
    reply = await breaks(network, who, family.kim)
    review = {"child": family.kim, "emergency": reply["emergency"], "version": 1, "outcome": "justified"}
    await network.attend()
    await network.ask("review-emergency", leader, **review, reason="ok")
    assert await held(network, who, family.kim)
    await network.manage("end-membership", **(await named(network, network.subject, who)))
    assert not await held(network, who, family.kim)
    assert [one.member for one in await network.facts(EmergencyEnded)] == [who]


@pytest.mark.parametrize("where", ["school", "child"])
async def test_access_that_begins_while_its_membership_ends_does_not_outlive_it(
    network: Network, family: Family, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "school":
        who, subject = await hire(network, "teacher"), network.subject
    else:
        who = await stranger(network)
        subject = await network.find("noor")
    body = await named(network, subject, who)
    commit, looked = network.unit._commit, asyncio.Event()

    async def late(*args: Any) -> str:  # noqa: ANN401  passed on as they are
        if not looked.is_set():
            looked.set()
            await breaks(network, who, family.kim)
        return await commit(*args)

    monkeypatch.setattr(network.unit, "_commit", late)
    await network.manage("end-membership", **body)
    assert looked.is_set()
    assert [one.member for one in await network.facts(EmergencyEnded)] == [who]
    assert not await held(network, who, family.kim)


async def test_what_gives_nothing_now_lets_nobody_in(network: Network, family: Family) -> None:
    who = await stranger(network)
    noor = await network.find("noor")
    await network.manage("suspend-membership", **(await named(network, noor, who)))
    new = {"given_name": "Nel", "family_name": "Nieuw"}
    body = {"subject": noor, "role": "therapist", "new_person": new}
    lapsed = {"mandate": {"code": "x", "starts_on": "2019-01-01", "ends_on": "2020-01-01"}, "starts_on": "2019-01-01"}
    early = {"mandate": {"code": "x", "starts_on": "2199-01-01"}}
    over, later = [UUID((await network.manage("add-member", **body, **more))["person"]) for more in (lapsed, early)]
    for one in (who, over, later):
        problem = await refused(network, "break-glass", one, child=family.kim, reason="r")
        assert problem.type is ProblemType.FORBIDDEN
    # Another membership that holds is found behind a suspended one.
    await network.manage("add-member", subject=network.subject, role="teacher", person=who)
    await breaks(network, who, family.kim)
    assert await held(network, who, family.kim)


async def test_it_lasts_no_longer_than_the_mandate(network: Network, family: Family) -> None:
    new = {"given_name": "Nel", "family_name": "Nieuw"}
    mandate = {"code": "x", "ends_on": "2199-01-01"}
    made = await network.manage("add-member", subject=network.subject, role="teacher", new_person=new, mandate=mandate)
    end = datetime(2198, 12, 31, 23, tzinfo=UTC)
    await network.shift(end - timedelta(minutes=10))
    reply = await breaks(network, UUID(made["person"]), family.kim)
    assert datetime.fromisoformat(reply["until"]) == end


async def test_nobody_breaks_the_glass_for_a_child_that_left_and_what_lasts_ends(
    network: Network, family: Family
) -> None:
    leader, who = await hire(network, "school_leader"), await hire(network, "teacher")
    await breaks(network, who, family.kim)
    await network.manage("end-placement", child=family.kim)
    assert not await held(network, who, family.kim)
    assert [one.member for one in await network.facts(EmergencyEnded)] == [who]
    gone = await refused(network, "break-glass", who, child=family.kim, reason="r")
    unknown = await refused(network, "break-glass", who, child=uuid4(), reason="r")
    assert json.dumps(gone.to_json(), sort_keys=True) == json.dumps(unknown.to_json(), sort_keys=True)
    await network.attend()
    grants = await network.grants(family.kim)
    assert [one.categories for one in grants if one.member == leader] == [(Category.LOG,)], "it is still to be judged"


async def test_a_child_that_leaves_by_the_roster_ends_access_too(network: Network, family: Family) -> None:
    who = await hire(network, "teacher")
    await breaks(network, who, family.kim)
    await network.operate("import-roster", ends=[(await named(network, family.kim, family.kim))["membership"]])
    assert not await held(network, who, family.kim)


async def test_contacts_in_an_emergency_say_what_is_confidential(network: Network, family: Family) -> None:
    await network.ask("set-confidential", family.mum, person=family.mum, confidential=True)
    who = await hire(network, "teacher")
    await breaks(network, who, family.kim)
    shown = await network.ask("emergency-contacts", who, child=family.kim, purpose="guidance")
    flags = {one["person"]: one["confidential"] for one in shown["contacts"]}
    assert (flags[str(family.mum)], flags[str(family.dad)]) == (True, False)
