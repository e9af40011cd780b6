"""What provisioning promises: roles that own nothing, limits, forward-only migrations."""

from pathlib import Path

import asyncpg
import pytest

from deploy.databases import Migration, MigrationError, Roles, check_unedited, migrate, migrations, provision
from tests.support.fixtures import DatabaseFactory
from tests.support.servers import Servers

GOALS = Roles.of("goals")


async def test_the_login_owns_nothing_and_cannot_pass_row_level_security(database: DatabaseFactory) -> None:
    login = await asyncpg.connect((await database("goals")).dsn)
    try:
        row = await login.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
        assert row is not None
        assert list(row.values()) == [False, False, False]
        owned = "SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = $1)"
        assert await login.fetchval(owned, GOALS.login) == 0
        assert await login.fetchval(owned, GOALS.owner) > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute("CREATE TABLE mine (n int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(f"SET ROLE {GOALS.owner}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute("INSERT INTO migration (name, sha256) VALUES ('forged', '')")
    finally:
        await login.close()


async def test_the_logins_carry_their_limits_and_the_owner_is_free_of_them(database: DatabaseFactory) -> None:
    goals = await database("goals")
    wanted = {
        goals.dsn: {
            "transaction_timeout": "2s",
            "lock_timeout": "100ms",
            "idle_in_transaction_session_timeout": "2s",
            "default_transaction_isolation": "read committed",
            "TimeZone": "UTC",
        },
        goals.relay_dsn: {
            "transaction_timeout": "2s",
            "lock_timeout": "1s",
            "idle_session_timeout": "3s",
            "default_transaction_isolation": "read committed",
            "TimeZone": "UTC",
        },
        goals.owner_dsn: {"transaction_timeout": "0"},
    }
    for dsn, settings in wanted.items():
        connection = await asyncpg.connect(dsn)
        try:
            for name, value in settings.items():
                assert await connection.fetchval("SELECT current_setting($1)", name) == value
        finally:
            await connection.close()


async def test_a_login_reaches_no_other_services_database(database: DatabaseFactory) -> None:
    goals, audit = await database("goals"), await database("audit")
    other = goals.dsn.replace(goals.name, audit.name)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(other)
    own = await asyncpg.connect(goals.dsn)  # the positive control
    await own.close()


async def test_the_relay_gets_nothing_that_no_migration_grants(database: DatabaseFactory) -> None:
    goals = await database("goals")
    owner, relay = await asyncpg.connect(goals.owner_dsn), await asyncpg.connect(goals.relay_dsn)
    try:
        await owner.execute("CREATE TABLE fresh (n int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await relay.fetch("SELECT * FROM fresh")
        await owner.execute(f"GRANT SELECT ON fresh TO {GOALS.relay}")
        assert await relay.fetch("SELECT * FROM fresh") == []
    finally:
        await owner.close()
        await relay.close()


def _tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        part, _, file = name.partition("__")
        folder = root / ("shared" if part == "shared" else f"services/{part}") / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{file}.sql").write_text(text)
    return root


async def _empty(servers: Servers, name: str) -> str:
    """Return the owner's address of a database with roles and grants and no migration."""
    admin = await asyncpg.connect(servers.admin_dsn)
    await servers.template("goals")  # makes the roles
    await admin.execute(f'CREATE DATABASE "{name}" OWNER {GOALS.owner}')
    await admin.close()
    made = await provision(servers.admin_dsn, "goals", servers.keys, name=name, template=name)
    return made.owner_dsn


async def test_migrations_run_shared_first_once_and_record_themselves(servers: Servers, tmp_path: Path) -> None:
    root = _tree(
        tmp_path,
        shared__0001_base="CREATE TABLE base (n int); COMMENT ON TABLE base IS '{not a role}';",
        goals__0001_own="CREATE TABLE own AS SELECT * FROM base; GRANT SELECT ON own TO {relay};",
    )
    owner_dsn = await _empty(servers, "t_migrations")
    try:
        assert await migrate(owner_dsn, "goals", GOALS, root) == ["shared/0001_base.sql", "goals/0001_own.sql"]
        assert await migrate(owner_dsn, "goals", GOALS, root) == []
        _tree(root, goals__0002_more="CREATE TABLE more (n int);")
        assert await migrate(owner_dsn, "goals", GOALS, root) == ["goals/0002_more.sql"]
        _tree(root, goals__0002_more="CREATE TABLE more (n bigint);")
        with pytest.raises(
            MigrationError, match=r"goals/0002_more\.sql was edited .* write the change as a new migration"
        ):
            await migrate(owner_dsn, "goals", GOALS, root)
    finally:
        await servers.drop("t_migrations")


async def test_a_failing_migration_leaves_nothing_of_itself(servers: Servers, tmp_path: Path) -> None:
    root = _tree(tmp_path, goals__0001_half="CREATE TABLE half (n int); SELECT 1/0;")
    owner_dsn = await _empty(servers, "t_half")
    try:
        with pytest.raises(MigrationError, match=r"0001_half\.sql failed and was rolled back: division by zero"):
            await migrate(owner_dsn, "goals", GOALS, root)
        owner = await asyncpg.connect(owner_dsn)
        assert await owner.fetchval("SELECT to_regclass('half')") is None
        await owner.close()
        _tree(root, goals__0001_half="CREATE TABLE half (n int);")
        assert await migrate(owner_dsn, "goals", GOALS, root) == ["goals/0001_half.sql"]
    finally:
        await servers.drop("t_half")


async def test_a_migration_that_cannot_be_recorded_is_not_applied(servers: Servers, tmp_path: Path) -> None:
    name = "goals/0001_half.sql"
    root = _tree(tmp_path, goals__0001_half=f"CREATE TABLE half (n int); INSERT INTO migration VALUES ('{name}', 'x');")
    owner_dsn = await _empty(servers, "t_unrecorded")
    try:
        with pytest.raises(MigrationError, match="duplicate key"):
            await migrate(owner_dsn, "goals", GOALS, root)
        owner = await asyncpg.connect(owner_dsn)
        assert await owner.fetchval("SELECT to_regclass('half')") is None
        await owner.close()
    finally:
        await servers.drop("t_unrecorded")


def test_a_removed_migration_is_an_error() -> None:
    kept = Migration("shared/0001_base.sql", "SELECT 1;")
    check_unedited({kept.name: kept.sha256}, [kept])
    with pytest.raises(MigrationError, match="is gone"):
        check_unedited({kept.name: kept.sha256, "shared/0002_lost.sql": "x"}, [kept])


def test_every_service_has_the_shared_migrations_first() -> None:
    for service in ("network", "goals", "notifications", "gate", "audit"):
        names = [m.name for m in migrations(service)]
        assert names[0].startswith("shared/0001")
        assert names == sorted(names, key=lambda name: not name.startswith("shared/"))


async def test_the_relay_reads_the_journal_of_every_school(database: DatabaseFactory) -> None:
    relay = await asyncpg.connect((await database("goals")).relay_dsn)
    try:
        assert await relay.fetch("SELECT * FROM journal") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await relay.fetch("SELECT * FROM access")
    finally:
        await relay.close()
