"""A child erased from the whole platform: found nowhere, brought back by nothing, and the log still proves the rest."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from services.audit.fsck import check
from shared.tlog.note import origin, verifier_key
from tests.faults.books import at_rest, read_books
from tests.faults.cast import Kid, School, goal_for, open_school
from tests.faults.door import Door, Json
from tests.faults.stage import SERVICES, Stage, until
from tests.faults.test_canary import tables
from tests.faults.test_restores import SLUG, forked, is_open, sound

pytestmark = pytest.mark.timeout(240)

PLANTED = ("kid0", "mum0", "dad0@example.org", "song-of-kid0")
"""What only the first child's file holds: names, addresses, words."""
LEFT = {
    "network": {"access", "erased", "erasure", "journal", "withdrawal"},
    "goals": {"access", "erased", "journal"},
    "notifications": {"access", "erased", "journal"},
    "gate": {"access", "erased", "journal"},
    "audit": {"access", "erased", "line", "journal"},
}
"""Where the pseudonym stays."""


async def opened(door: Door) -> tuple[School, str]:
    """A school with two children, each with a goal in its own words, and the second administrator."""
    school = await open_school(door, SLUG, 2)
    admin = door.person(school.admin, SLUG)
    subject = (await door.query(SLUG, "network.school", admin, purpose="administration")).ok["subject"]
    new = {"given_name": "Bo", "family_name": "Proef"}
    role = "school_administrator"
    made = await door.must(SLUG, "network.add-member", admin, subject=subject, role=role, new_person=new)
    for n, kid in enumerate(school.kids):
        teacher = door.person(kid.teacher, SLUG)
        await door.must(SLUG, "goals.propose-goal", teacher, **goal_for(kid, f"song-of-kid{n}"))
    return school, str(made["person"])


async def erase(door: Door, school: School, other: str) -> dict[str, Json]:
    """Has the first child erased."""
    admin, child = door.person(school.admin, SLUG), school.kids[0].child
    asked = await door.must(SLUG, "network.erase-child", admin, child=child, reason="request_granted")
    answer = {"child": child, "erasure": asked["erasure"], "version": 1, "answer": "confirmed"}
    return dict(await door.must(SLUG, "network.decide-erasure", door.person(other, SLUG), **answer))


async def stands(door: Door, school: School, *states: str) -> bool:
    who = door.person(school.admin, SLUG)
    answer = await door.query(SLUG, "network.erasures", who, purpose="administration")
    return answer.done and answer.ok["erasures"][0]["state"] in states


async def completed(door: Door, school: School) -> None:
    await until(lambda: stands(door, school, "completed"), 60, "the erasure is complete")


async def heard(stage: Stage, *texts: str) -> dict[str, set[str]]:
    """The tables in which any of these can be read, by service."""
    found: dict[str, set[str]] = {}
    for service in SERVICES:
        kept = await tables(stage, service)
        found[service] = {n for n, rows in kept.items() if any(t in row.lower() for row in rows for t in texts)}
    return found


async def gone(stage: Stage, door: Door, school: School) -> None:
    """Nothing of the child is anywhere, nobody reaches it, and the other child is as it was."""
    kid, other = school.kids
    assert await heard(stage, *PLANTED) == {service: set() for service in SERVICES}
    left = await heard(stage, kid.child)
    for service in SERVICES:
        assert left[service] <= LEFT[service], service
    assert await looks(door, school, kid) == ["forbidden"] * 4
    assert await looks(door, school, other) == ["ok"] * 4


async def looks(door: Door, school: School, kid: Kid) -> list[str]:
    """What those who had access are answered, at each service."""
    asked: list[tuple[str, str, dict[str, Json]]] = [
        (kid.teacher, "goals.goals-of-child", {"about": kid.child, "purpose": "guidance"}),
        (kid.teacher, "network.child-network", {"child": kid.child, "purpose": "guidance"}),
        (school.admin, "notifications.erasure-preview", {"child": kid.child, "purpose": "administration"}),
        (kid.mum, "audit.who-looked", {"child": kid.child, "purpose": "own_data"}),
    ]
    answers = [await door.query(SLUG, path, door.person(who, SLUG), **body) for who, path, body in asked]
    return [one.kind for one in answers]


async def proves(stage: Stage) -> None:
    """The whole log verifies against every producer's head: nothing was taken out of it."""
    books = await at_rest(stage)
    assert sound(books) == []
    public = load_pem_public_key((stage.servers.keys.root / "audit-log.pub.pem").read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    heads = {producer: head[1] for (school, producer), head in books.heads.items() if school == SLUG}
    assert set(heads) >= {"network", "goals", "notifications"}

    async def signed() -> bool:
        async with stage.admin("audit") as conn:
            report = await check(conn, SLUG, verifier_key(origin("foundation", SLUG), public), heads)
        return not report.findings

    await until(signed, 30, "the log is signed to its end and verifies")


async def test_an_erased_child_is_found_nowhere_and_a_replay_brings_nothing_back(stage: Stage, door: Door) -> None:
    school, other = await opened(door)
    await at_rest(stage)
    before = await heard(stage, *PLANTED)
    assert before["network"] >= {"person"}
    assert before["goals"] == {"goal"}
    assert (await heard(stage, school.kids[0].child))["notifications"] >= {"notice"}
    reply = await erase(door, school, other)
    assert reply["effective"] == "pending"
    await completed(door, school)
    await at_rest(stage)
    await gone(stage, door, school)
    await proves(stage)
    for service in ("goals", "notifications", "gate", "audit"):
        assert (await door.operate(service, "replay")).done
    await gone(stage, door, school)
    told = [
        entry.content["producer"]
        for lane in (await read_books(stage)).journals.values()
        for entry in lane
        if entry.name == "child.erased"
    ]
    assert sorted(told) == ["gate", "goals", "network", "notifications"]


async def test_a_service_that_is_down_is_waited_for(stage: Stage, door: Door) -> None:
    school, other = await opened(door)
    await at_rest(stage)
    await stage.kill("goals")
    await erase(door, school, other)
    await until(lambda: stands(door, school, "erased"), 30, "network itself has erased the child")
    assert (await heard(stage, *PLANTED))["goals"] == {"goal"}
    assert not await stands(door, school, "completed")
    stage.start("goals")
    await completed(door, school)
    await at_rest(stage)
    await gone(stage, door, school)


@pytest.mark.parametrize("service", ["notifications", "goals", "network"])
async def test_a_database_that_is_put_back_erases_again(stage: Stage, door: Door, service: str) -> None:
    school, other = await opened(door)
    await at_rest(stage)
    copy = await stage.copy(service)
    await erase(door, school, other)
    await completed(door, school)
    await at_rest(stage)
    await stage.put_back(service, copy)
    await until(lambda: forked(door, service), 30, "the fork is noticed")
    assert (await door.operate(service, "recover", school=SLUG)).done
    await until(lambda: is_open(door, service), 30, "the school is open again")

    async def nothing() -> bool:
        return not any((await heard(stage, *PLANTED)).values())

    await until(nothing, 60, "what came back with the copy is erased again")
    await completed(door, school)
    await at_rest(stage)
    assert sound(await read_books(stage)) == []
