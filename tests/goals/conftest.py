"""A desk of goals on a database of its own, and one child with people round it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.db import Database
from shared.events.words import Action, Basis, Category, Role
from tests.goals.plans import Table, grant
from tests.goals.rooms import Room
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


@pytest.fixture
async def room(desk: Desk, database: DatabaseFactory) -> Room:
    table = await Table(desk).sit()
    talks = (Action.VIEW, Action.ANSWER)
    carer = grant(table.carer.id, Role.CARE_PROFESSIONAL, Basis.CONSENT, talks, (Category.CONVERSATIONS,))
    await desk.give(table.child, *(one for one in table.usual if one.member != table.carer.id), carer)
    return Room(table, (await database("goals")).owner_dsn)
