"""A platform of its own for each test that breaks one, on one pair of servers a module."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.door import Door
from tests.faults.stage import Stage, private_servers, raised
from tests.support.servers import EmbeddedServers, Servers


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[EmbeddedServers]:
    """Servers that only this module uses."""
    with private_servers(servers) as made:
        yield made


@pytest.fixture
async def stage(own: EmbeddedServers, tmp_path: Path) -> AsyncIterator[Stage]:
    """The whole platform, fresh; the broker's store is emptied behind it."""
    async with raised(own, tmp_path / "stage", f"f{uuid4().hex[:6]}") as made:
        yield made
    await asyncio.to_thread(own.nats.kill)
    await asyncio.to_thread(own.nats.wipe)
    await asyncio.to_thread(own.nats.start)


@pytest.fixture
async def door(stage: Stage) -> AsyncIterator[Door]:
    """The door `samen` of that platform."""
    async with stage.login("samen") as client:
        yield Door.of(stage, client)
