"""What goes when a child is erased from network, and that nothing brings it back."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from services.network import erasures
from services.network.restored import take_back
from services.network.store import finish_withdrawal
from shared.errors import ProblemType
from shared.events.erasure import (
    ChildErased,
    ErasureCompleted,
    HoldPlaced,
    PersonErased,
)
from tests.network.conftest import FAMILY, Network, adult, link, pupil
from tests.network.erasing import (
    CANARY,
    KEPT,
    ask,
    confirm,
    counts,
    decided,
    dump,
    erased,
    leave_traces,
    live,
    put_back,
    rows_of,
    second,
    site,
    tables_with,
    work,
)
from tests.network.family import refused, settle


async def test_everything_of_the_child_goes_and_nothing_of_it_is_found_anywhere(network: Network) -> None:
    family = await live(network)
    await leave_traces(network, family)
    before = await counts(network, family.kim)
    assert set(before) == await decided(network) - {"under_review"}  # it would close the child before its time
    assert tables_with(CANARY, await dump(network)) == {
        "person",
        "dispute",
        "emergency",
        "expectation",
        "turn",
    }
    request = await ask(network, family.kim)
    await confirm(network, await second(network), request)
    assert not await network.grants(family.kim)
    await work(network)
    assert await counts(network, family.kim) == {}
    after = await dump(network)
    assert tables_with(CANARY, after) == set()
    assert tables_with(str(family.kim), after, KEPT) == set()
    (told,) = await network.facts(ChildErased)
    assert {name: told.rows[name] for name in before} == before | {"idempotency": 3}  # by permit, reply and thing
    assert "other" in after["idempotency"]
    assert told.things == sum(told.rows.values())


async def test_rows_go_only_when_the_withdrawal_of_all_access_is_effective(network: Network) -> None:
    family = await settle(network)
    await confirm(network, await second(network), await ask(network, family.kim))
    before = await counts(network, family.kim)
    await erasures.erase_school(await site(network), network.school, lambda _: True)
    assert await counts(network, family.kim) == before
    await work(network)
    assert await counts(network, family.kim) == {}


async def test_it_is_complete_when_every_service_has_applied_it_and_told_once(network: Network) -> None:
    family = await settle(network)
    await erased(network, family.kim)
    heard: list[int] = []

    def hear(seq: int) -> bool:
        heard.append(seq)
        return False

    here = await site(network)
    await erasures.erase_school(here, network.school, hear)
    assert await network.facts(ErasureCompleted) == []
    for _ in range(2):
        await erasures.erase_school(here, network.school, lambda _: True)
    (told,) = await network.facts(ErasureCompleted)
    assert heard == [told.applied]
    event = next(one for one in await network.events() if one.seq == told.applied)
    assert event.is_a(ChildErased)
    shown = await network.manage("erasures", purpose="administration")
    assert [one["state"] for one in shown["erasures"]] == ["completed"]
    assert str(family.mum) not in json.dumps(shown)


async def test_only_who_is_left_without_anybody_goes_with_the_child(network: Network) -> None:
    family = await settle(network)
    await network.operate(
        "import-roster",
        persons=[pupil("noor"), adult("mum", email="mum@example.org"), adult("opa")],
        networks=[{"at": "users.csv:2", "child": "noor", "links": [link("mum", "guardian")], "holders": ["mum"]}],
    )
    await erased(network, family.kim)
    gone = {one.person for one in await network.facts(PersonErased)}
    # The therapist is of an outside organisation and was round this child only; those of the school's team stay.
    assert gone == {family.kim, family.dad, family.logo}
    assert await network.find("mum") == family.mum
    assert await network.find("juf") == family.juf
    assert await network.find("opa") not in gone  # nobody's yet: brought by a roster that may still link it


async def test_a_roster_that_brings_the_child_again_brings_somebody_new(network: Network) -> None:
    family = await settle(network)
    await confirm(network, await second(network), await ask(network, family.kim))
    reply = await network.operate("import-roster", persons=[pupil("kim")])
    assert reply["refused"] == [{"at": "users.csv:2", "code": "being_erased"}]
    await work(network)
    assert (await network.operate("import-roster", **FAMILY))["refused"] == []
    again = await network.find("kim")
    assert again != family.kim
    assert await network.grants(again)
    assert await network.grants(family.kim) == ()


async def test_an_erased_pupil_who_stays_as_somebodys_guardian_is_known_as_any_guardian_is(network: Network) -> None:
    family = await settle(network)
    await network.operate("import-roster", persons=[pupil("noor")])
    noor = await network.find("noor")
    await network.manage("add-member", subject=noor, role="guardian", person=family.kim)
    await confirm(network, await second(network), await ask(network, family.kim))
    named = {"sourced_id": "kim", "purpose": "administration"}
    assert (await network.manage("find-person", **named))["persons"] == []
    await work(network)
    circle = [{"at": "users.csv:3", "child": "noor", "links": [link("kim", "guardian")]}]
    reply = await network.operate("import-roster", persons=[adult("kim", email="kim@example.org")], networks=circle)
    assert (reply["refused"], reply["changed"]) == ([], 1)
    assert [one["person"] for one in (await network.manage("find-person", **named))["persons"]] == [str(family.kim)]
    # But not as the pupil whose file was erased: under that pseudonym nothing comes back.
    again = await network.operate("import-roster", persons=[pupil("kim")])
    assert again["refused"] == [{"at": "users.csv:2", "code": "was_erased"}]


async def test_a_large_file_goes_in_pages_that_any_replica_finishes(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = await live(network)
    before = await counts(network, family.kim)
    monkeypatch.setattr(erasures, "A_PAGE", 3)
    await confirm(network, await second(network), await ask(network, family.kim))
    async with network.db.school(network.school) as conn:
        rows = await conn.fetch("SELECT id FROM withdrawal WHERE how IS NULL")
        for row in rows:
            await finish_withdrawal(conn, network.school, row["id"], "clock")
        one = await conn.fetchval("SELECT id FROM erasure")
    here = await site(network)
    assert not await erasures._page(here, network.school, one)
    left = await counts(network, family.kim)
    assert 0 < sum(left.values()) < sum(before.values())
    await erasures.erase_school(here, network.school, lambda _: False)
    assert await counts(network, family.kim) == {}
    (told,) = await network.facts(ChildErased)
    assert {name: told.rows[name] for name in before if name != "withdrawal"} == {
        name: n for name, n in before.items() if name != "withdrawal"
    }


async def test_a_database_that_lost_an_erasure_erases_again(network: Network) -> None:
    family = await live(network)
    held = await network.manage("place-hold", child=family.kim, reason="court")
    tail = [one for one in await network.events() if one.is_a(HoldPlaced) and one.thing == UUID(held["hold"])]
    before = len(await network.events())
    await network.manage("lift-hold", child=family.kim, hold=held["hold"], version=1)
    request = await ask(network, family.kim)
    other = await second(network)
    kept = await rows_of(network)
    await confirm(network, other, request)
    await work(network)
    tail += (await network.events())[before:]
    await put_back(network, kept)
    assert tables_with(CANARY, await dump(network))
    async with network.db.school(network.school) as conn:
        for _ in range(2):
            await take_back(conn, tail)
    assert (
        await refused(network, "child-network", network.admin, child=family.kim, purpose="administration")
    ).type is (ProblemType.FORBIDDEN)
    await work(network, confirmed=True)
    await work(network, confirmed=True)
    assert tables_with(CANARY, await dump(network)) == set()
    assert await counts(network, family.kim) == {}
    assert await network.facts(ErasureCompleted)
