"""One platform for all tests of walls and borders: they try to break it, and it must not notice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.faults.cast import School, open_school
from tests.faults.door import Door
from tests.faults.stage import Stage, raised
from tests.support.servers import Servers


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stage(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The whole platform, on the session's servers: nothing here kills or wipes them."""
    bus = await servers.emptied_bus()
    async with raised(servers, tmp_path_factory.mktemp("walls"), f"w{uuid4().hex[:6]}") as made:
        yield made
    await bus.close()
    for database in made.databases.values():
        await servers.drop(database.name)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def door(stage: Stage) -> AsyncIterator[Door]:
    """The door `samen`."""
    async with stage.login("samen") as client:
        yield Door.of(stage, client)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def here(door: Door) -> School:
    """The school whose people ask."""
    return await open_school(door, "walls-here", 1)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def third(door: Door) -> School:
    """A school that is neither where they come from nor where they ask."""
    return await open_school(door, "walls-third", 1)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def there(door: Door) -> School:
    """The school behind the wall."""
    return await open_school(door, "walls-there", 1)
