"""The gate's own fresh database, and an office over it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.db import Database
from tests.gate.door.support import Office
from tests.support.fixtures import DatabaseFactory


@pytest.fixture
async def gate_db(database: DatabaseFactory) -> AsyncIterator[Database]:
    made = await Database.connect((await database("gate")).dsn, 6)
    yield made
    await made.close()


@pytest.fixture
async def office(gate_db: Database, school: str) -> Office:
    made = Office(gate_db, school)
    await made.settle()
    return made
