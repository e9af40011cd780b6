"""Connections: what binds them, and what it takes to lose one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from deploy.databases import Roles, ServiceDatabase, drop
from shared.db import Database, TooLong
from shared.session import Session
from tests.shared.test_flow import until
from tests.support.fixtures import DatabaseFactory
from tests.support.servers import Servers

ISOLATION = "SELECT current_setting('default_transaction_isolation')"


@pytest.fixture
async def made(database: DatabaseFactory) -> ServiceDatabase:
    return await database("goals")


@pytest.fixture
async def db(made: ServiceDatabase) -> AsyncIterator[Database]:
    db = await Database.connect(made.dsn, 1)
    yield db
    await db.close()


async def test_no_setting_of_the_login_loosens_what_binds_a_session(made: ServiceDatabase, infra: Servers) -> None:
    admin = await asyncpg.connect(infra.admin_dsn)
    for role in (Roles.of("goals").login, Roles.of("goals").relay):
        for setting in ("default_transaction_isolation = 'repeatable read'", "transaction_timeout = 0"):
            await admin.execute(f'ALTER ROLE "{role}" IN DATABASE "{made.name}" SET {setting}')
    await admin.close()
    db, session = await Database.connect(made.dsn, 1), Session(made.relay_dsn, "guard")
    limits = f"{ISOLATION}, current_setting('transaction_timeout'), current_setting('lock_timeout')"
    assert tuple(await db.row(limits)) == ("read committed", "2s", "100ms")
    assert tuple((await session.fetch(limits))[0]) == ("read committed", "2s", "1s")
    await session.close()
    await db.close()


async def dawdle(db: Database, seconds: int) -> None:
    async with db.lane() as conn:
        for _ in range(3):
            await conn.fetchval("SELECT pg_sleep($1)", seconds)


async def test_work_that_takes_too_long_ends_and_its_connection_lives(db: Database) -> None:
    """A connection that ends puts every school in doubt: one school's slow work must not."""
    lost: list[str] = []
    db.lost.append(lambda: lost.append("lost"))
    mine = await db.function("pg_backend_pid")
    with pytest.raises(TooLong):
        await db.function("pg_sleep", 5.0)
    for seconds in (1, 5):  # the statements together, and one of them
        with pytest.raises(TimeoutError):
            await dawdle(db, seconds)
    assert await db.function("pg_backend_pid") == mine
    assert lost == []


async def test_nobody_waits_for_a_connection_for_ever(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.db.ACQUIRE_S", 0.1)
    async with db.lane():
        waiting = asyncio.ensure_future(db.function("pg_backend_pid"))
        await asyncio.wait([waiting], timeout=20)
        assert isinstance(waiting.done() and waiting.exception(), TimeoutError)
    assert await db.function("pg_backend_pid")


async def test_another_database_in_the_place_of_one_is_known_before_it_is_used(
    made: ServiceDatabase, infra: Servers
) -> None:
    """The same server, the same timeline: a copy under the old name, as a restore puts it there."""
    admin = await asyncpg.connect(infra.admin_dsn)
    copy, lost = f"{made.name}_copy", f"{made.name}_lost"
    await admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{made.name}"')
    await admin.execute(f'GRANT CONNECT ON DATABASE "{copy}" TO "{Roles.of("goals").login}"')
    db = await Database.connect(made.dsn, 1)
    told: list[str] = []
    db.lost.append(lambda: told.append("lost"))
    await admin.execute(f'ALTER DATABASE "{made.name}" ALLOW_CONNECTIONS false')
    ended = "SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity WHERE datname = $1"
    await admin.fetchval(ended, made.name)
    await until(lambda: told == ["lost"])  # that it ended is told by itself; from here on only the copy can tell
    await admin.execute(f'ALTER DATABASE "{made.name}" RENAME TO "{lost}"')
    await admin.execute(f'ALTER DATABASE "{copy}" RENAME TO "{made.name}"')
    assert await db.function_of("length", lambda: ["lost" * len(told)]) == len("lostlost")
    await db.close()
    await admin.close()
    await drop(infra.admin_dsn, lost)


async def test_tables_put_back_in_place_are_another_journal(db: Database, made: ServiceDatabase) -> None:
    told: list[str] = []
    db.lost.append(lambda: told.append("lost"))
    owner = await asyncpg.connect(made.owner_dsn)
    await owner.execute("TRUNCATE journal")  # what a restore of the data alone begins with
    await owner.close()
    await db.function("pg_backend_pid")
    assert told == []
    with pytest.raises(asyncpg.PostgresConnectionError):
        await db.row("SELECT pg_terminate_backend(pg_backend_pid())")
    await db.function("pg_backend_pid")
    assert told == ["lost", "lost"]


KEPT = """
CREATE TABLE grown (school text, id uuid, about int, a text, b text, c text, d text, e text, f text, g text, h text,
                    PRIMARY KEY (school, id)) WITH (autovacuum_enabled = off);
CREATE INDEX grown_about ON grown (school, about);
GRANT SELECT ON grown TO PUBLIC;
CREATE FUNCTION read_grown(p_id uuid) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN RETURN (SELECT about FROM grown WHERE school = 'a' AND id = p_id); END $$
"""
GROW = "INSERT INTO grown SELECT 'a', gen_random_uuid(), n FROM generate_series(1, 20000) n"


async def test_a_plan_of_an_empty_table_is_not_kept_while_it_grows(
    db: Database, made: ServiceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blocks() -> int:
        (found,) = json.loads((await db.row(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT read_grown('{one}')"))[0])
        return int(found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"])

    one = UUID(int=7)
    owner = await asyncpg.connect(made.owner_dsn)
    await owner.execute(KEPT)
    for _ in range(10):  # until the server takes the plan that it keeps
        await db.function("read_grown", one)
    await owner.execute(GROW)
    await owner.close()
    assert await blocks() > 50  # of some other plan than the one by its key: what this is against
    monkeypatch.setattr("shared.db.PLANS_LIVE_S", 0.0)
    await db.function("read_grown", one)
    await db.function("read_grown", one)
    assert await blocks() < 10
