"""A note that people may write about a child: the smallest service, to try the backbone with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.clock import Ids
from shared.db import Database
from shared.unit_run import Unit
from tests.shared.notes import TABLES
from tests.shared.scene import Scene, connect
from tests.support.fixtures import DatabaseFactory


@dataclass
class Notes:
    """A toy service on a real database: its unit, and what was committed."""

    unit: Unit
    db: Database
    owner_dsn: str
    relay_dsn: str
    dsn: str
    committed: list[str] = field(default_factory=list)
    vouched: list[UUID] = field(default_factory=list)

    async def journal(self, school: str) -> list[dict[str, Any]]:
        """Returns the journal's rows of a school, in order."""
        async with self.db.school(school) as conn:
            rows = await conn.fetch("SELECT * FROM journal WHERE school = $1 ORDER BY seq", school)
        return [dict(row) for row in rows]


@pytest.fixture
async def notes(database: DatabaseFactory) -> AsyncIterator[Notes]:
    """The toy service, as an authority: its grants need no lease."""
    async for one in _notes(database, authority=True):
        yield one


@pytest.fixture
async def leased_notes(database: DatabaseFactory) -> AsyncIterator[Notes]:
    """The toy service as any service is: what it permits needs a lease."""
    async for one in _notes(database, authority=False):
        yield one


async def _notes(database: DatabaseFactory, *, authority: bool) -> AsyncIterator[Notes]:
    made = await database("goals")
    owner = await asyncpg.connect(made.owner_dsn)
    await owner.execute(TABLES)
    await owner.close()
    db = await Database.connect(made.dsn, 10)
    notes = Notes(None, db, made.owner_dsn, made.relay_dsn, made.dsn)  # type: ignore[arg-type]  # set below
    notes.unit = Unit(
        "goals",
        db,
        Ids(Random(7)),
        authority=authority,
        committed=notes.committed.append,
    )
    yield notes
    await db.close()


Grant = Callable[..., Awaitable[None]]


@pytest.fixture
async def scene(database: DatabaseFactory) -> AsyncIterator[Scene]:
    """A child at revision 1, applied and not leased yet."""
    made = await database("goals")
    one, other = await connect(made.dsn), await connect(made.dsn)
    child = uuid4()
    made_scene = Scene(made, one, other, child)
    async with one.transaction():
        await made_scene.project(one, 1, 1)
    yield made_scene
    for conn in (one, other):
        conn.terminate()
