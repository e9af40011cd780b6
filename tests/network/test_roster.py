"""Taking in batches of a roster: once, again, changed, and with rows that can't be."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.network import reactions
from shared.errors import Problem, ProblemType
from shared.events.membership import MembershipEnded, PlacementEnded, RosterImported
from shared.events.network import AccessChanged
from shared.events.words import Action, Category, Purpose, Role
from tests.network.conftest import FAMILY, Network, adult, catch_up, link, pupil
from tests.network.family import secret
from tests.support.fixtures import DatabaseFactory
from tests.support.refusing import CASES, Refusing

COUNTS = ("added", "changed", "ended", "unchanged")


def counts(reply: dict[str, Any]) -> tuple[int, ...]:
    return tuple(reply[name] for name in COUNTS)


def family(**network: object) -> dict[str, Any]:
    found = copy.deepcopy(FAMILY)
    found["networks"][0].update(network)
    return found


async def roles_round(network: Network, child: UUID) -> set[Role]:
    return {grant.role for grant in await network.grants(child)}


async def test_the_same_roster_twice_changes_nothing(network: Network) -> None:
    await network.open()
    first = await network.operate("import-roster", **FAMILY)
    assert counts(first) == (17, 0, 0, 0)
    changes = [event for event in await network.events() if event.is_a(AccessChanged)]
    again = await network.operate("import-roster", **FAMILY)
    assert counts(again) == (0, 0, 0, 17)
    events = await network.events()
    assert [event for event in events if event.is_a(AccessChanged)] == changes
    assert events[-1].fact(RosterImported).unchanged == 17


async def links(network: Network) -> dict[tuple[str, str, str], str]:
    """The links that stand, by (person, child, role)."""
    found = (await network.operate("roster-links", purpose="administration"))["links"]
    return {(one["person"], one["child"] or "", one["role"]): one["id"] for one in found if one["person"]}


async def end(network: Network, *which: tuple[str, str, str]) -> dict[str, Any]:
    there = await links(network)
    reply: dict[str, Any] = await network.operate("import-roster", ends=[there[one] for one in which])
    return reply


async def test_a_changed_roster_adds_and_changes_and_ends_what_it_says(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    kim = await network.find("kim")
    changed = family(links=[link("mum", "guardian"), link("ib", "internal_coordinator", ends_on="2030-07-01")])
    changed["persons"][0]["phone"] = "+31 6 00000000"
    reply = await network.operate("import-roster", **changed)
    # Changed: mum's phone, and until when ib takes part. Who is not named stays: absence is judged by the whole.
    assert counts(reply)[:3] == (0, 2, 0)
    assert reply["lines"] == {"added": [], "changed": ["users.csv:3", "users.csv:4"]}
    over = family(links=[link("juf", "teacher", ends_on="2020-01-01")])
    assert (await network.operate("import-roster", **over))["ended"] == 1
    assert (await end(network, ("dad", "kim", "guardian"), ("dad", "kim", "authority")))["ended"] == 2
    assert await roles_round(network, kim) == {
        *(Role.GUARDIAN, Role.COORDINATOR, Role.SCHOOL_ADMINISTRATOR, Role.AUDITOR)
    }
    ended = {event.fact(MembershipEnded).role for event in await network.events() if event.is_a(MembershipEnded)}
    assert ended == {Role.GUARDIAN, Role.TEACHER}
    shown = await network.manage("child-network", child=kim, purpose="administration")
    assert {one["status"] for one in shown["authorities"]} == {"active", "inactive"}


async def test_what_was_added_by_hand_is_not_the_rosters_to_end(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    kim = await network.find("kim")
    pien = {"given_name": "Pien", "family_name": "Puzzel", "sourced_id": "pien"}
    await network.manage("add-member", subject=kim, role="psychologist", new_person=pien)
    await end(network, ("dad", "kim", "authority"))
    by_court = {"child": kim, "holder": await network.find("dad"), "source": "school_record"}
    authority = (await network.manage("record-authority", **by_court))["authority"]
    reply = await network.operate("import-roster", **FAMILY)
    assert counts(reply) == (0, 0, 0, 17)
    assert ("dad", "kim", "authority") not in await links(network)
    assert counts(await network.operate("import-roster", ends=[authority])) == (0, 0, 0, 1)
    assert counts(await end(network, ("pien", "kim", "psychologist"))) == (0, 0, 0, 1)
    assert Role.PSYCHOLOGIST in await roles_round(network, kim)


async def test_a_pupil_who_left_keeps_no_network_not_even_what_was_added_by_hand(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    kim = await network.find("kim")
    pien = {"given_name": "Pien", "family_name": "Puzzel"}
    await network.manage("add-member", subject=kim, role="psychologist", new_person=pien)
    mum, ib, logo = [await network.find(name) for name in ("mum", "ib", "logo")]
    consent = {"child": kim, "for_purpose": "care_coordination", "recipient": logo, "categories": ["goals"]}
    await network.ask("give-consent", mum, **consent, notice_version=1)
    await network.ask("invite-member", ib, subject=kim, role="teacher", secret=secret())
    ids = [(await links(network))["kim", "kim", "child"]]
    assert counts(await network.operate("import-roster", ends=ids)) == (0, 0, 9, 0)
    assert await roles_round(network, kim) == {Role.SCHOOL_ADMINISTRATOR, Role.AUDITOR}
    (told,) = await network.facts(PlacementEnded)
    ended = {"memberships": 7, "authorities": 2, "consents": 1, "invitations": 1}
    assert told.model_dump(exclude={"at"}) == {"reason": "left_roster", **ended}
    assert counts(await network.operate("import-roster", ends=ids)) == (0, 0, 0, 1)
    back = await network.operate("import-roster", **FAMILY)
    assert (back["added"], back["refused"]) == (8, [])
    assert Role.GUARDIAN in await roles_round(network, kim)


async def test_a_batch_may_add_round_a_pupil_whose_place_it_ends(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    kim = await network.find("kim")
    ids = [(await links(network))["kim", "kim", "child"]]
    circle = [{"at": "users.csv:9", "child": "kim", "links": [link("opa", "guardian")], "holders": ["opa"]}]
    reply = await network.operate("import-roster", persons=[adult("opa")], networks=circle, ends=ids)
    assert (reply["added"], reply["refused"]) == (3, [])
    assert await roles_round(network, kim) == {Role.SCHOOL_ADMINISTRATOR, Role.AUDITOR}
    shown = await network.manage("child-network", child=kim, purpose="administration")
    assert {one["status"] for one in (*shown["members"], *shown["authorities"])} == {"inactive"}


async def test_links_come_in_pages_and_only_to_those_who_import(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    found = await links(network)
    assert len(found) == 10  # kim, five round it, two roles at school, two authorities
    last = max(found.values())
    after = await network.operate("roster-links", purpose="administration", after=last)
    assert after["links"] == []
    assert len(await links(network)) == len(found)
    for who in (await network.find("juf"), network.auditor):
        for name in ("roster-links", "preview-roster"):
            with pytest.raises(Problem) as caught:
                await network.ask(name, who, purpose="administration")
            assert caught.value.type is ProblemType.FORBIDDEN


async def test_a_preview_answers_as_the_import_would_and_changes_nothing(network: Network) -> None:
    await network.open()
    before = await links(network)
    rows = family()
    people = {key: rows.pop(key) for key in ("organisations", "persons")}
    wait = {"persons": people["persons"][-1:], **rows}
    asked = {"expected_persons": ["mum", "dad", "juf", "ib"], "purpose": "administration"}
    preview = await network.operate("preview-roster", **wait, **asked)
    assert [one["code"] for one in preview["refused"]] == ["unknown_person"]  # logo is brought by nobody
    assert await links(network) == before
    await network.operate("import-roster", persons=people["persons"][:4])
    assert await network.operate("import-roster", **wait) == preview


async def test_each_row_that_can_not_be_is_named_and_the_rest_goes_in(network: Network) -> None:
    await network.open()
    rows = {
        "persons": [
            adult("mum"),
            {**adult("mum"), "at": "users.csv:9"},
            adult("stray", at="users.csv:10", organisation="nowhere"),
            adult("boss", at="users.csv:11", roles=["guardian"]),
            pupil("kim"),
        ],
        "networks": [
            {
                "at": "users.csv:12",
                "child": "kim",
                "links": [
                    link("mum", "guardian"),
                    link("ghost", "guardian", at="users.csv:13"),
                    link("boss", "auditor", at="users.csv:14"),
                    link("mum", "teacher", at="users.csv:15", starts_on="2026-02-01", ends_on="2026-01-01"),
                ],
                "holders": ["mum", "boss"],
            },
            {"at": "users.csv:16", "child": "mum", "links": []},
        ],
    }
    reply = await network.operate("import-roster", **rows)
    assert {(one["at"], one["code"]) for one in reply["refused"]} == {
        ("users.csv:9", "duplicate_id"),
        ("users.csv:10", "unknown_organisation"),
        ("users.csv:11", "role_not_for_school"),
        ("users.csv:13", "unknown_person"),
        ("users.csv:14", "role_not_for_child"),
        ("users.csv:15", "ends_before_start"),
        ("users.csv:12", "holder_is_no_guardian"),
        ("users.csv:16", "unknown_child"),
    }
    assert {one.role for one in await network.grants(await network.find("kim"))} >= {Role.GUARDIAN}


async def test_only_operators_and_keepers_of_the_records_import(network: Network) -> None:
    with pytest.raises(Problem) as closed:
        await network.operate("import-roster", **FAMILY)
    assert closed.value.more["code"] == "not_open"
    await network.open()
    await network.manage("import-roster", **FAMILY)
    for who in (await network.find("juf"), network.auditor):
        with pytest.raises(Problem) as caught:
            await network.ask("import-roster", who, **FAMILY)
        assert caught.value.type is ProblemType.FORBIDDEN


async def test_a_new_administrator_from_the_roster_reaches_the_children_that_were_there(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    await network.operate("import-roster", persons=[adult("chef", roles=["school_administrator"])])
    kim, chef = await network.find("kim"), await network.find("chef")
    assert not [grant for grant in await network.grants(kim) if grant.member == chef]

    await catch_up(network)
    found = [grant for grant in await network.grants(kim) if grant.member == chef]
    (keeps,) = [one for one in found if Action.MANAGE in one.actions]
    assert Category.NETWORK in keeps.categories
    assert Purpose.ADMINISTRATION in keeps.purposes
    (told,) = [one for one in found if one is not keeps]  # which child's file is due: no more than that
    assert (told.actions, told.categories) == ((Action.RECEIVE,), (Category.IDENTITY,))
    count = len(await network.events())
    await catch_up(network)
    assert len(await network.events()) == count


async def test_a_birthday_takes_effect_without_anyone_calling(network: Network, database: DatabaseFactory) -> None:
    await network.open()
    rows = family()
    rows["persons"][-1]["born_on"] = "2012-07-01"
    await network.operate("import-roster", **rows)
    kim, mum = await network.find("kim"), await network.find("mum")

    async def deciders() -> set[UUID]:
        return {one.member for one in await network.grants(kim) if Action.CONSENT in one.actions}

    assert kim not in await deciders()
    await catch_up(network)
    owner = await asyncpg.connect((await database("network")).owner_dsn)
    morning = datetime(2028, 7, 1, 10, tzinfo=UTC)
    await owner.execute("UPDATE time_shift SET shift = $1::timestamptz - clock_timestamp()", morning)
    await owner.close()
    count = len(await network.events())
    await catch_up(network)
    assert len(await network.events()) == count + 1
    assert kim in await deciders()
    assert mum not in await deciders()
    await catch_up(network)
    assert len(await network.events()) == count + 1


@pytest.mark.parametrize(("problem", "alarmed"), CASES[1:])
async def test_grants_that_cannot_be_published_anew_are_an_alarm_unless_it_is_only_not_now(
    monkeypatch: pytest.MonkeyPatch, problem: Problem, *, alarmed: bool
) -> None:
    async def waits(*_: object) -> bool:
        return True

    monkeypatch.setattr(reactions, "is_waiting", waits)
    unit = Refusing("network", problem)
    site: Any = SimpleNamespace(unit=unit, ids=unit.ids, db=SimpleNamespace(school=nullcontext))
    await reactions.catch_up_school(site, "olm")
    assert unit.alarms == ["regrant_failed"] * alarmed
