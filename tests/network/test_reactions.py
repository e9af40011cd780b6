"""What network does by itself outlives a database that says no."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from services.network import reactions


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
