"""The gate's own fresh database, an office over it, and the door between tools and platform on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.gate.rates import Limits
from shared.db import Database
from tests.gate.door.support import Office
from tests.gate.door.world import SignedSlots, World, opened
from tests.support.fixtures import DatabaseFactory, LoginFactory
from tests.support.servers import Servers
from tests.support.tools import gate_door


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


@pytest.fixture
def limits() -> Limits:
    """As much as a test needs; those about limits set their own."""
    return Limits(per_s=1000, burst=1000, under_way=100)


@pytest.fixture
async def world(
    gate_db: Database, school: str, servers: Servers, nats_login: LoginFactory, tmp_path: Path, limits: Limits
) -> AsyncIterator[World]:
    office = Office(gate_db, school, SignedSlots(servers.keys, servers.keys.prepare_slots(2)))
    await office.settle()
    client = await gate_door(servers.nats_url, servers.keys)
    made = await opened(servers, office, nats_login, client, tmp_path, limits)
    yield made
    for one in (*made.clients, client):
        await one.close()
    made.door.telemetry.close()
