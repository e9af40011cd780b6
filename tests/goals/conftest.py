"""A desk of goals on a database of its own, and one child with people round it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.db import Database
from tests.goals.support import Desk
from tests.support.fixtures import DatabaseFactory


@pytest.fixture
async def goals_db(database: DatabaseFactory) -> AsyncIterator[Database]:
    """Goals' own fresh database, with the service's login."""
    made = await Database.connect((await database("goals")).dsn, 6)
    yield made
    await made.close()


@pytest.fixture
async def desk(goals_db: Database, school: str) -> Desk:
    """Asks goals in one school; `desk.child` has a teacher, a mother, a carer and a viewer of goals only."""
    made = Desk(goals_db, school)
    await made.settle()
    return made
