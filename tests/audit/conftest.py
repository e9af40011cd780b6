"""What tests of audit start from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.databases import ServiceDatabase
from shared.db import Database
from tests.audit.support import Log
from tests.support.fixtures import DatabaseFactory
from tests.support.servers import Servers


@pytest.fixture
async def kept(database: DatabaseFactory) -> ServiceDatabase:
    """The addresses of a fresh database of audit."""
    return await database("audit")


@pytest.fixture
async def log(kept: ServiceDatabase, school: str, tmp_path: Path) -> AsyncIterator[Log]:
    """A log on it, as the service uses it."""
    db = await Database.connect(kept.dsn, 4)
    yield Log(db, school, tmp_path / "log")
    await db.close()


@pytest.fixture
def servers_admin(infra: Servers) -> str:
    """The address of a superuser's login: whom only triggers hold off."""
    return infra.admin_dsn
