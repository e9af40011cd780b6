"""Every table of every service stands behind the walls, in the catalogue and in what a login really sees."""

from __future__ import annotations

from collections import Counter

import asyncpg
import pytest

from tests.faults.cast import School
from tests.faults.stage import SERVICES, Stage
from tests.support.fixtures import DatabaseFactory
from tests.support.servers import Servers
from tests.walls.catalogue import TABLES, holes


@pytest.mark.parametrize("service", SERVICES)
async def test_no_table_of_a_service_has_a_hole_in_its_walls(service: str, database: DatabaseFactory) -> None:
    conn = await asyncpg.connect((await database(service)).owner_dsn)
    try:
        assert await holes(conn, service) == []
        assert sum(row["tenant"] for row in await conn.fetch(TABLES)) >= 10
    finally:
        await conn.close()


BREACHES = {
    "policy dropped": "DROP POLICY tenant ON goal",
    "security off": "ALTER TABLE score DISABLE ROW LEVEL SECURITY",
    "not forced": "ALTER TABLE journal NO FORCE ROW LEVEL SECURITY",
    "policy for all": "CREATE POLICY more ON goal USING (true)",
    "policy that writes for all": "ALTER POLICY tenant ON goal WITH CHECK (true)",
    "relay reads goals": "CREATE POLICY more ON goal FOR SELECT TO samen_goals_relay USING (true)",
    "key without school": "CREATE UNIQUE INDEX more ON goal (id)",
    "foreign key without school": (
        "CREATE UNIQUE INDEX more ON goal (id);"
        "ALTER TABLE score ADD CONSTRAINT f FOREIGN KEY (goal) REFERENCES goal (id)"
    ),
    "table without policy": "CREATE TABLE more (school text, id uuid, PRIMARY KEY (school, id))",
    "table without school": "CREATE TABLE more (id uuid PRIMARY KEY)",
    "view": "CREATE VIEW more AS SELECT * FROM goal",
    "definer": "CREATE FUNCTION more() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
}


@pytest.mark.parametrize("breach", BREACHES)
async def test_each_kind_of_hole_is_found(breach: str, database: DatabaseFactory) -> None:
    conn = await asyncpg.connect((await database("goals")).owner_dsn)
    try:
        await conn.execute(BREACHES[breach])
        assert await holes(conn, "goals") != []
    finally:
        await conn.close()


async def test_a_login_that_bypasses_or_owns_is_found(database: DatabaseFactory, infra: Servers) -> None:
    name = (await database("goals")).name
    admin = await asyncpg.connect(infra.admin_dsn.rpartition("/")[0] + f"/{name}")
    try:
        async with admin.transaction():
            await admin.execute("ALTER TABLE goal OWNER TO samen_goals")
            found = await holes(admin, "goals")
            raise asyncpg.PostgresError  # undo it: roles are shared by every test
    except asyncpg.PostgresError:
        assert any("owns something" in hole for hole in found)
        assert any("belongs to samen_goals" in hole for hole in found)
    finally:
        await admin.close()


@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize("service", SERVICES)
async def test_a_login_sees_only_the_school_that_is_set_and_without_one_nothing(
    service: str, stage: Stage, here: School, there: School
) -> None:
    async with stage.admin(service) as admin:
        tables = [row["relname"] for row in await admin.fetch(TABLES) if row["tenant"]]
        rows = {table: await _schools(admin, table) for table in tables}
    login = await asyncpg.connect(stage.databases[service].dsn)
    try:
        assert any({here.slug, there.slug} <= set(schools) for schools in rows.values())
        for table in tables:
            assert not await _schools(login, table), table
        async with login.transaction():
            await login.execute("SELECT set_config('app.school', $1, true)", here.slug)
            for table in tables:
                assert set(await _schools(login, table)) <= {here.slug}, table
                if here.slug in rows[table] and table not in {"access_lease", "delivery"}:  # these come and go
                    assert await _schools(login, table), table
    finally:
        await login.close()


@pytest.mark.asyncio(loop_scope="package")
async def test_a_login_can_write_no_row_of_another_school(stage: Stage, here: School, there: School) -> None:
    login = await asyncpg.connect(stage.databases["network"].dsn)
    try:
        transaction = login.transaction()
        await transaction.start()
        await login.execute("SELECT set_config('app.school', $1, true)", here.slug)
        changed = await login.execute("UPDATE person SET version = version + 1 WHERE school = $1", there.slug)
        assert changed == "UPDATE 0"
        assert await login.execute("UPDATE person SET version = version WHERE school = $1", here.slug) != "UPDATE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await login.execute("INSERT INTO journal_head VALUES ($1, 1, 0, '')", "walls-elsewhere")
        await transaction.rollback()
    finally:
        await login.close()


async def _schools(conn: asyncpg.Connection[asyncpg.Record], table: str) -> Counter[str]:
    return Counter(row[0] for row in await conn.fetch(f"SELECT school FROM {table}"))
