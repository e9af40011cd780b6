"""What the tests of notifications share: a database of the service's own, and its command path over it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.notifications.reactions import LANES
from shared.clock import Ids
from shared.db import Database
from shared.projection import Applier
from shared.telemetry import Telemetry
from shared.unit_run import Unit
from tests.notifications.house import House
from tests.notifications.mailserver import Server, serving
from tests.support.fixtures import DatabaseFactory


@pytest.fixture
async def db(database: DatabaseFactory) -> AsyncIterator[Database]:
    made = await Database.connect((await database("notifications")).dsn, 6)
    yield made
    await made.close()


@pytest.fixture
def unit(db: Database) -> Unit:
    return Unit("notifications", db, Ids())


@pytest.fixture
def applier(db: Database) -> Applier:
    return Applier(db, LANES, Ids(), Telemetry("notifications", export=False))


@pytest.fixture
async def house(db: Database, unit: Unit, applier: Applier, school: str) -> AsyncIterator[House]:
    async with serving(Server()) as server:
        yield House(db, unit, applier, school, server)
