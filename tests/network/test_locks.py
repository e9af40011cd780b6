"""Whoever refers to a person waits for nobody while it holds the school's journal."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from shared.db import init_connection
from tests.network.conftest import FAMILY, Network
from tests.support.fixtures import DatabaseFactory

COMMIT = "SELECT commit_changes($1, true, 1, '[]', '[]', '[]', $2, $3)"


async def connect(dsn: str, school: str) -> asyncpg.Connection[asyncpg.Record]:
    conn = await asyncpg.connect(dsn)
    await init_connection(conn)
    await conn.execute("SET lock_timeout = '5s'")
    await conn.execute("SELECT set_config('app.school', $1, false)", school)
    return conn


def joins(subject: UUID, person: UUID) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The rows and events of one more membership."""
    values = {"subject": subject, "person": person, "role": "teacher", "source": "hand", "starts_at": datetime.now(UTC)}
    values["ended_by_hand"] = False
    event = {"place": 1, "type": "toy", "about": subject, "body": "{}"}
    return {"membership": [{"place": 1, "id": uuid4(), "seen": 0, "values": values}]}, [event]


async def test_who_refers_to_a_person_does_not_wait_for_who_changes_it(
    network: Network, database: DatabaseFactory
) -> None:
    """Else the one waits at its COMMIT, with the journal's head, which the other needs next."""
    await network.open()
    await network.operate("import-roster", **FAMILY)
    mum, logo = await network.find("mum"), await network.find("logo")
    dsn = (await database("network")).dsn
    changing, joining = await connect(dsn, network.school), await connect(dsn, network.school)
    async with changing.transaction():
        await changing.execute("SELECT stale_person($1, $2)", network.school, [{"id": logo, "seen": 1}])
        await changing.execute("UPDATE person SET phone = '1' WHERE school = $1 AND id = $2", network.school, logo)
        async with asyncio.timeout(20):
            told = await joining.fetchval(COMMIT, network.school, *joins(mum, logo))
    assert told["status"] == ["done"]
    await changing.close()
    await joining.close()


async def test_who_waits_for_a_person_does_not_hold_the_journal(network: Network, database: DatabaseFactory) -> None:
    """A change of a unique column is a change of a key: who refers to the row does wait for that."""
    await network.open()
    await network.operate("import-roster", **FAMILY)
    mum, logo = await network.find("mum"), await network.find("logo")
    dsn = (await database("network")).dsn
    changing, joining = await connect(dsn, network.school), await connect(dsn, network.school)
    pid = joining.get_server_pid()
    async with changing.transaction():
        await changing.execute(
            "UPDATE person SET sourced_id = 'other' WHERE school = $1 AND id = $2", network.school, logo
        )
        waiting = asyncio.create_task(joining.fetchval(COMMIT, network.school, *joins(mum, logo)))
        while not await changing.fetchval("SELECT pg_blocking_pids($1) <> '{}'", pid):
            assert not waiting.done()
        await changing.execute("SELECT FROM journal_head WHERE school = $1 FOR UPDATE NOWAIT", network.school)
    assert (await waiting)["status"] == ["done"]
    await changing.close()
    await joining.close()
