"""What goes wrong in one school, or with one mail, stays there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.notifications.channel import Channel
from services.notifications.sender import REFUSALS, WORKERS, Sender
from services.notifications.store import Due
from services.notifications.turns import LONGEST_REST_S, rest_s
from shared.errors import Problem
from shared.unit_run import problem
from tests.notifications.house import ACTOR, CHILD, MEMBER, OTHER, House
from tests.notifications.support import Lane, accepted, act, give_access, grant

Deliver = Callable[[Sender, Channel, str, Due], Awaitable[bool]]


@asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[None]:
    """Lets the sender run meanwhile; it must not have ended by itself."""
    task = asyncio.create_task(sender.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})


def refusing(monkeypatch: pytest.MonkeyPatch, refuses: Callable[[str, Due], Exception | None]) -> list[UUID]:
    """Lets claims fail as told; returns the list of members whose claims failed."""
    deliver: Deliver = Sender.deliver
    refused: list[UUID] = []

    async def some(self: Sender, channel: Channel, school: str, due: Due) -> bool:
        error = refuses(school, due)
        if error is not None:
            refused.append(due.member)
            raise error
        return await deliver(self, channel, school, due)

    monkeypatch.setattr(Sender, "deliver", some)
    return refused


@pytest.mark.parametrize("error", [problem("stopped"), asyncpg.exceptions.AdminShutdownError("bye")])
async def test_a_school_whose_claims_fail_does_not_silence_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    first = f"a-{house.school}"
    await give_access(house.db, first, CHILD, [grant(MEMBER)])
    event = Lane(first).add(accepted(), CHILD, act(ACTOR), uuid4())
    await house.applier.apply(first, "goals", [event])
    refused = refusing(monkeypatch, lambda school, _: error if school == first else None)
    await house.tell(MEMBER)
    assert await house.db.schools() == [first, house.school]
    async with running(house.sender()):
        await asyncio.wait_for(house.server.arrived.wait(), 20)
    assert refused
    assert [to for to, _ in house.server.accepted] == ["een@thuis.example"]


async def test_a_mail_that_is_refused_does_not_keep_the_others_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = REFUSALS + WORKERS  # more than can be refused before the school rests
    for _ in range(many):
        await house.tell(MEMBER)
    await house.tell(OTHER)
    refused = refusing(monkeypatch, lambda _, due: problem("unverified") if due.member == MEMBER else None)
    sender = house.sender()
    with pytest.raises(Problem):
        await sender.send_due(house.school)
    assert REFUSALS <= len(refused) < many
    for _ in range(2):
        with suppress(Problem):
            await sender.send_due(house.school)
    assert [to for to, _ in house.server.accepted] == ["twee@elders.example"]


async def test_a_database_that_fails_for_all_ends_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    schools, asked = house.db.schools, asyncio.Event()

    async def failing() -> list[str]:
        if not asked.is_set():
            asked.set()
            raise asyncpg.exceptions.TooManyConnectionsError("full")
        return await schools()

    monkeypatch.setattr(house.db, "schools", failing)
    await house.tell(MEMBER)
    async with running(house.sender()):
        await asyncio.wait_for(house.server.arrived.wait(), 20)
    assert asked.is_set()


def test_rests_grow_and_end_however_long_it_lasts() -> None:
    assert [rest_s(failures) for failures in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert {rest_s(failures) for failures in (7, 100, 5000)} == {LONGEST_REST_S}
