"""What network does by itself outlives a database that says no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from services.network import due_soon, reactions, reviews


@dataclass
class Refusing:
    """A database that has no connection to spare at first."""

    asked: int = 0
    again: asyncio.Event = field(default_factory=asyncio.Event)

    async def schools(self) -> list[str]:
        self.asked += 1
        if self.asked == 1:
            raise asyncpg.TooManyConnectionsError
        self.again.set()
        return []


async def test_a_database_without_a_connection_to_spare_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactions, "EVERY_S", 0.0)
    db = Refusing()
    site: Any = SimpleNamespace(db=db)
    task = asyncio.create_task(reactions.catch_up(site))
    again = asyncio.create_task(db.again.wait())
    await asyncio.wait((task, again), timeout=20, return_when=asyncio.FIRST_COMPLETED)
    assert again.done()
    assert not task.done()
    task.cancel()


@dataclass
class OneBroken:
    """A database in which the first of two schools can't be read."""

    other: asyncio.Event = field(default_factory=asyncio.Event)

    async def schools(self) -> list[str]:
        return ["broken", "other"]

    def school(self, school: str) -> AbstractAsyncContextManager[None]:
        if school == "other":
            self.other.set()
        raise asyncpg.UndefinedTableError


@pytest.mark.parametrize("work", [reactions.catch_up, due_soon.run, reviews.REVIEWS.run])
async def test_a_school_that_cannot_be_read_holds_up_no_other(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    db = OneBroken()
    task = asyncio.create_task(work(SimpleNamespace(db=db, guard=SimpleNamespace(stopped=lambda _: None))))
    async with asyncio.timeout(20):
        await db.other.wait()
    assert not task.done()
    task.cancel()
