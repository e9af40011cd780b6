"""What the tests of the gate share: a broker for the tools' streams, and a house on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.gate.house import Broker, House, broker, housed
from tests.support.fixtures import DatabaseFactory


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the session; each test has tools of its own."""
    with broker(tmp_path_factory.mktemp("out")) as made:
        yield made


@pytest.fixture
async def house(database: DatabaseFactory, out: Broker, school: str) -> AsyncIterator[House]:
    async with housed((await database("gate")).dsn, out.url, school) as made:
        yield made
