"""Makes a service's database, its three roles and its tables; runs plain SQL migrations, forward only."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from deploy.first_plans import STATISTICS
from deploy.keys import Keys

ROOT = Path(__file__).resolve().parent.parent

MIGRATION_LOCK = 7_361_204_885  # any constant of our own: two runners on one database take turns

LOGIN_SETTINGS = {
    "transaction_timeout": "2s",
    "lock_timeout": "100ms",
    "idle_in_transaction_session_timeout": "2s",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
}
RELAY_SETTINGS = {
    "transaction_timeout": "2s",
    "lock_timeout": "1s",
    "idle_session_timeout": "3s",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
}


class MigrationError(RuntimeError):
    """A migration can't be applied; the message says what to do."""


@dataclass(frozen=True)
class Roles:
    """The names of a service's roles: who owns the tables, who serves, who relays."""

    owner: str
    login: str
    relay: str

    @classmethod
    def of(cls, service: str) -> Roles:
        """Return the role names of `service`."""
        return cls(f"samen_{service}_owner", f"samen_{service}", f"samen_{service}_relay")


@dataclass(frozen=True)
class ServiceDatabase:
    """One service's database and the addresses of its three logins."""

    service: str
    name: str
    dsn: str
    relay_dsn: str
    owner_dsn: str


def database_name(service: str) -> str:
    """Return the usual name of a service's database."""
    return f"samen_{service}"


def with_login(admin_dsn: str, role: str, password: str, database: str) -> str:
    """Return `admin_dsn` with another login and database."""
    parts = urlsplit(admin_dsn)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{quote(role)}:{quote(password)}@{host}", f"/{database}", parts.query, ""))


def describe(admin_dsn: str, service: str, keys: Keys, name: str | None = None) -> ServiceDatabase:
    """Return the addresses of a service's database; nothing is made."""
    roles, name = Roles.of(service), name or database_name(service)
    dsn, relay, owner = (
        with_login(admin_dsn, role, keys.password(role), name) for role in (roles.login, roles.relay, roles.owner)
    )
    return ServiceDatabase(service, name, dsn, relay, owner)


async def provision(
    admin_dsn: str,
    service: str,
    keys: Keys,
    *,
    name: str | None = None,
    template: str | None = None,
) -> ServiceDatabase:
    """Make roles, database and tables of `service` where they are missing; bring migrations up to date.

    `template` names a migrated database to clone instead of migrating (tests do).
    """
    target = describe(admin_dsn, service, keys, name)
    roles = Roles.of(service)
    admin = await asyncpg.connect(admin_dsn)
    try:
        if template is None:
            await _ensure_roles(admin, roles, keys)
        await _ensure_database(admin, target.name, roles, template)
    finally:
        await admin.close()
    if template is None:
        await _grant(target.owner_dsn, roles)
        await migrate(target.owner_dsn, service, roles)
    return target


async def _ensure_roles(admin: asyncpg.Connection[asyncpg.Record], roles: Roles, keys: Keys) -> None:
    for role in (roles.owner, roles.login, roles.relay):
        known = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
        if not known:
            # Another provisioner may be faster.
            with contextlib.suppress(asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError):
                await admin.execute(f'CREATE ROLE "{role}"')
        password = keys.password(role).replace("'", "''")
        await admin.execute(
            f'ALTER ROLE "{role}" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOINHERIT '
            f"PASSWORD '{password}'"
        )
    for role, settings in ((roles.login, LOGIN_SETTINGS), (roles.relay, RELAY_SETTINGS)):
        for setting, value in settings.items():
            await admin.execute(f"ALTER ROLE \"{role}\" SET {setting} = '{value}'")
    # An administrator that is no superuser may give a database only to a role it is a member of.
    if not await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await admin.execute(f'GRANT "{roles.owner}" TO current_user')


async def _ensure_database(
    admin: asyncpg.Connection[asyncpg.Record], name: str, roles: Roles, template: str | None
) -> None:
    if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        source = f'TEMPLATE "{template}"' if template else "TEMPLATE template0 ENCODING 'UTF8'"
        await admin.execute(f'CREATE DATABASE "{name}" OWNER "{roles.owner}" {source}')
    await admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{roles.login}", "{roles.relay}"')


async def _grant(owner_dsn: str, roles: Roles) -> None:
    """Give the login what it needs of tables to come, and everyone else nothing."""
    owner = await asyncpg.connect(owner_dsn)
    try:
        await owner.execute(f"""
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            GRANT USAGE ON SCHEMA public TO "{roles.login}", "{roles.relay}";
            ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC;
            ALTER DEFAULT PRIVILEGES REVOKE ALL ON TYPES FROM PUBLIC;
            ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "{roles.login}";
            ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO "{roles.login}";
            ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO "{roles.login}";
            ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO "{roles.login}", "{roles.relay}";
        """)
    finally:
        await owner.close()


@dataclass(frozen=True)
class Migration:
    """One SQL file: its recorded name, its text as written, the hash of that text."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Hash of the text as written, before names are filled in."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def sql(self, roles: Roles) -> str:
        """Return the SQL with `{login}`, `{relay}` and `{owner}` filled in (other braces stay)."""
        names = {"{login}": roles.login, "{relay}": roles.relay, "{owner}": roles.owner}
        text = self.text
        for mark, role in names.items():
            text = text.replace(mark, role)
        return text


def migrations(service: str, root: Path = ROOT) -> list[Migration]:
    """Return the migrations of `service` in order: those of shared/, then its own."""
    return [
        Migration(f"{part}/{path.name}", path.read_text("utf-8"))
        for part, folder in (("shared", root / "shared"), (service, root / "services" / service))
        for path in sorted((folder / "migrations").glob("*.sql"))
    ]


def migrations_hash(service: str) -> str:
    """Return a hash over all migrations of `service`; a template database is named by it."""
    text = "".join(f"{m.name}:{m.sha256}\n" for m in migrations(service))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


DISPATCHERS = """
DO $$ BEGIN
    IF to_regproc('make_dispatchers') IS NOT NULL THEN PERFORM make_dispatchers(); END IF;
END $$
"""
"""Has the commit's writers and readers written out again (shared/migrations/0001_backbone.sql)."""


async def migrate(owner_dsn: str, service: str, roles: Roles, root: Path = ROOT) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; return the applied names."""
    owner = await asyncpg.connect(owner_dsn)
    try:
        await owner.execute("SELECT pg_advisory_lock($1::bigint)", MIGRATION_LOCK)
        await owner.execute(
            f"""
            CREATE TABLE IF NOT EXISTS migration (
                name text PRIMARY KEY, sha256 text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp());
            REVOKE ALL ON migration FROM "{roles.login}";
            GRANT SELECT ON migration TO "{roles.login}";
            """
        )
        rows = await owner.fetch("SELECT name, sha256 FROM migration")
        applied = {row["name"]: row["sha256"] for row in rows}
        wanted = migrations(service, root)
        check_unedited(applied, wanted)
        missing = [m for m in wanted if m.name not in applied]
        for migration in missing:
            await _apply(owner, migration, roles)
        if missing:
            await owner.execute(DISPATCHERS)
            await owner.execute(STATISTICS)
        return [m.name for m in missing]
    finally:
        await owner.close()


def check_unedited(applied: dict[str, str], wanted: list[Migration]) -> None:
    """Raise MigrationError when a file that was applied has been edited or removed since."""
    found = {m.name: m.sha256 for m in wanted}
    for name, sha256 in applied.items():
        if found.get(name) != sha256:
            what = "is gone" if name not in found else "was edited"
            raise MigrationError(
                f"migration {name} {what} after it had been applied. Put the file back as it was and "
                "write the change as a new migration; a database for development may be dropped instead."
            )


async def _apply(owner: asyncpg.Connection[asyncpg.Record], migration: Migration, roles: Roles) -> None:
    try:
        async with owner.transaction():
            await owner.execute(migration.sql(roles))
            await owner.execute(
                "INSERT INTO migration (name, sha256) VALUES ($1, $2)",
                migration.name,
                migration.sha256,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"migration {migration.name} failed and was rolled back: {error}. "
            f"Mend the file (it is not recorded as applied) and run again."
        ) from error


async def provision_all(admin_dsn: str, services: tuple[str, ...], keys: Keys) -> list[ServiceDatabase]:
    """Provision every service's database."""
    return list(await asyncio.gather(*(provision(admin_dsn, service, keys) for service in services)))


async def drop(admin_dsn: str, name: str) -> None:
    """Drop a database, ending the sessions in it."""
    admin = await asyncpg.connect(admin_dsn)
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await admin.close()


def main() -> None:
    """Provision all databases; settings from SAMEN_ADMIN_DATABASE_URL and SAMEN_KEYS."""
    from deploy.topology import NAMES

    keys = Keys(Path(os.environ["SAMEN_KEYS"]))
    for made in asyncio.run(provision_all(os.environ["SAMEN_ADMIN_DATABASE_URL"], NAMES, keys)):
        sys.stdout.write(f"{made.name}: ready\n")


if __name__ == "__main__":
    main()
