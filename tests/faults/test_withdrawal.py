"""Withdrawn means withdrawn, and the person is told when; given means usable. On the whole platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pydantic_core
import pytest
import pytest_asyncio

from tests.faults.books import read_books
from tests.faults.cast import Kid, goal_for, open_school
from tests.faults.door import Door, Json
from tests.faults.stage import Stage, raised, until
from tests.support.servers import EmbeddedServers

SLUG = "withdrawn"
WITHIN_S = 8.0
"""The promise: a withdrawal is effective so long after its commit at the latest."""

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(own: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One platform for all: each test has a child of its own, and leaves every process running."""
    async with raised(own, tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(stage: Stage) -> AsyncIterator[Door]:
    async with stage.login("samen") as client:
        yield Door.of(stage, client)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kids(door: Door) -> Iterator[Kid]:
    return iter((await open_school(door, SLUG, 8)).kids)


@pytest_asyncio.fixture(loop_scope="module")
async def kid(stage: Stage, door: Door, kids: Iterator[Kid]) -> Kid:
    """A child that no other test has, with a goal, whose therapist sees it by consent."""
    await stage.ready()
    made = next(kids)
    await door.must(SLUG, "goals.propose-goal", door.person(made.teacher, SLUG), **goal_for(made))
    await give(door, made)
    return made


def about(kid: Kid) -> dict[str, Json]:
    return {
        "child": kid.child,
        "for_purpose": "care_coordination",
        "recipient": kid.therapist,
        "categories": ["goals"],
    }


async def give(door: Door, kid: Kid) -> None:
    for who in (kid.mum, kid.dad):
        answer = await door.command(
            SLUG, "network.give-consent", door.person(who, SLUG), **about(kid), notice_version=1
        )
        assert answer.done or answer.kind == "conflict", answer


async def withdraw(door: Door, who: str, kid: Kid) -> dict[str, Any]:
    answer = await door.command(SLUG, "network.withdraw-consent", door.person(who, SLUG), **about(kid))
    assert answer.done, answer
    return dict(answer.ok)


async def effective(door: Door, reply: dict[str, Any]) -> dict[str, Any]:
    asked = pydantic_core.to_json({"school": SLUG, "withdrawal": reply["withdrawal"]})
    told = await door.client.request("ask.effective", asked, timeout=12)
    return dict(pydantic_core.from_json(told.data))


async def look(door: Door, kid: Kid) -> str:
    """How the therapist's question for the child's goals is answered."""
    body = {"about": kid.child, "purpose": "care_coordination"}
    return (await door.query(SLUG, "goals.goals-of-child", door.person(kid.therapist, SLUG), **body)).kind


async def usable(door: Door, kid: Kid) -> None:
    async def seen() -> bool:
        return await look(door, kid) == "ok"

    await until(seen, 30, "the therapist sees the goals")


async def told(stage: Stage, reply: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns what was published of a withdrawal that became effective."""
    facts = [entry.fact for _, entry in (await read_books(stage)).events("network", "withdrawal.effective")]
    return [fact for fact in facts if fact["withdrawal"] == reply["withdrawal"]]


async def test_a_withdrawal_is_pending_first_and_effective_when_every_service_has_confirmed(
    stage: Stage, door: Door, kid: Kid
) -> None:
    await usable(door, kid)
    reply = await withdraw(door, kid.mum, kid)
    assert reply["effective"] == "pending"
    found = await effective(door, reply)
    assert found["how"] == "confirmed"
    assert await look(door, kid) == "forbidden"
    (fact,) = await told(stage, reply)
    assert (fact["withdrawal"], fact["how"], fact["at"]) == (reply["withdrawal"], "confirmed", found["at"])
    books = await read_books(stage)
    applied = {name: books.cursors[SLUG, "network", name][1] for name in ("goals", "notifications", "gate", "audit")}
    assert min(applied.values()) >= fact["applied"] > 0


@pytest.mark.parametrize("silent", ["goals", "notifications", "gate", "audit"])
async def test_where_a_service_does_not_confirm_the_clock_decides(
    stage: Stage, door: Door, kid: Kid, silent: str
) -> None:
    """Paused, nobody knows what it still permits: only the end of every lease and transaction makes it sure."""
    await usable(door, kid)
    stage.processes[silent].pause()
    loop = asyncio.get_running_loop()
    started = loop.time()
    reply = await withdraw(door, kid.mum, kid)
    found = await effective(door, reply)
    took = loop.time() - started
    stage.processes[silent].resume()
    assert found["how"] == "clock"
    assert 6 < took < WITHIN_S
    assert (await look(door, kid)) in {"forbidden", "unavailable"}
    assert [fact["how"] for fact in await told(stage, reply)] == ["clock"]


async def test_another_process_finishes_what_one_began(stage: Stage, door: Door, kid: Kid) -> None:
    """Network is killed as soon as it has answered; the withdrawal was committed, and is told once."""
    stage.processes["goals"].pause()  # so that it can't be confirmed before the kill
    reply = await withdraw(door, kid.mum, kid)
    await stage.kill("network")
    assert await told(stage, reply) == []
    stage.processes["goals"].resume()
    stage.start("network")
    await stage.ready()
    found = await effective(door, reply)
    assert found["how"] in {"confirmed", "clock"}
    assert [fact["withdrawal"] for fact in await told(stage, reply)] == [reply["withdrawal"]]


async def test_what_was_given_can_be_used_at_once_every_time(door: Door, kid: Kid) -> None:
    for _ in range(15):
        assert await look(door, kid) == "ok"
        assert (await effective(door, await withdraw(door, kid.mum, kid)))["how"] == "confirmed"
        assert await look(door, kid) == "forbidden"
        await give(door, kid)


async def test_a_pending_withdrawal_of_nobody_is_never_told(door: Door, kid: Kid) -> None:
    """A made-up id is answered as one that is pending for ever; nothing of another school is told."""
    reply = await withdraw(door, kid.mum, kid)
    await effective(door, reply)
    asked = pydantic_core.to_json({"school": "elsewhere", "withdrawal": reply["withdrawal"]})
    answer = await door.client.request("ask.effective", asked, timeout=12)
    assert pydantic_core.from_json(answer.data) == {"how": None, "at": None}
