"""Connections with walls: a school's transaction, or a function that sets the school. Nothing else is handed out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import pydantic_core

log = logging.getLogger(__name__)

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was cut short and cannot be used any more
    asyncpg.CannotConnectNowError,
    OSError,
    TimeoutError,
)
"""What asyncpg raises when the server, the line or the transaction's time went away."""


class TooLong(TimeoutError):
    """A statement took too long: the server ended it, nothing of it was done, and its connection lives."""


CLASHES = (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError)
"""A race that was lost, or what a caller gave: then it comes again."""

RETRY = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    *CLASHES,
)
"""What losing a race with another transaction looks like: read again, decide again."""


def encode(value: object) -> str:
    """Returns JSON text; UUIDs, moments, days, enums, tuples and pydantic models are known."""
    return pydantic_core.to_json(value).decode()


async def init_connection(conn: asyncpg.Connection[asyncpg.Record]) -> None:
    """Makes jsonb parameters and columns plain Python values."""
    await conn.set_type_codec("jsonb", encoder=encode, decoder=pydantic_core.from_json, schema="pg_catalog")


SERVER = """
SELECT concat_ws(' ', pg_postmaster_start_time(), left(pg_walfile_name(pg_current_wal_lsn()), 8),
                 (SELECT oid FROM pg_database WHERE datname = current_database()),
                 to_regclass('journal')::oid, pg_relation_filenode(to_regclass('journal')))
"""
"""Which journal answers: a server started when, on which timeline, in which database and table."""

LIMITS = {
    "default_transaction_isolation": "read committed",
    "transaction_timeout": "2s",
    "lock_timeout": "100ms",
}
"""What every session is bound by, whatever its login's own settings are."""

STATEMENT_MS = 1500
LONGEST_S = 1.9
"""Work that is too long is ended by these, and its connection lives: one that ends puts every school in doubt."""
ACQUIRE_S = 4.0
"""Who waits longer for a connection is no longer waited for."""
PLANS_LIVE_S = 15.0
"""So long a connection keeps its plans: making all of them anew takes some milliseconds."""


class _Pooled(asyncpg.Connection):
    """Settings are transaction-local here: nothing to reset on release, but plans that are kept too long.

    One made while a table was empty may take any index (they all cost nothing then), a foreign key's check too, and
    reads a grown school's whole index each time: until statistics come, and nothing here may wait for those.
    """

    planned_at = 0.0

    def get_reset_query(self) -> str:
        now = time.monotonic()
        if now < self.planned_at + PLANS_LIVE_S:
            return ""
        self.planned_at = now
        return "DISCARD PLANS"


class Database:
    """A service's database, seen with the service's own login."""

    def __init__(self) -> None:
        self._pool: asyncpg.Pool[asyncpg.Record]
        self._server: str | None = None
        self.lost: list[Callable[[], None]] = []
        """Called when a connection ended by itself, before another is used: the server may be another one then."""

    @classmethod
    async def connect(cls, dsn: str, size: int) -> Database:
        """Opens the pool; `LIMITS` bind its transactions."""
        database = cls()

        async def init(conn: asyncpg.Connection[asyncpg.Record]) -> None:
            await init_connection(conn)
            conn.add_termination_listener(database._ended)
            server = await conn.fetchval(SERVER)
            if database._server not in {None, server}:
                database._ended(conn)
            database._server = server

        database._pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            init=init,
            connection_class=_Pooled,
            command_timeout=10,
            max_inactive_connection_lifetime=0,
            server_settings={
                "application_name": "samenkracht",
                **LIMITS,
                "statement_timeout": f"{STATEMENT_MS}ms",
                "jit": "off",
                # A plan made while a table was empty must not scan it while it is kept.
                "enable_seqscan": "off",
            },
        )
        return database

    async def close(self) -> None:
        """Waits for what is under way, then closes."""
        await self._pool.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        async with asyncio.timeout(ACQUIRE_S):  # the pool's own timeout can swallow a cancellation in Python 3.11
            conn = await self._pool.acquire()
        try:
            yield conn
        except asyncpg.QueryCanceledError as error:
            raise TooLong from error
        finally:
            await self._pool.release(conn)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with (
            self._connection() as conn,
            asyncio.timeout(LONGEST_S),
            conn.transaction(isolation="read_committed"),
        ):
            yield conn

    @asynccontextmanager
    async def school(self, school: str) -> AsyncIterator[Connection]:
        """Yields a connection in a transaction in which only this school's rows exist."""
        async with self._transaction() as conn:
            await conn.execute("SELECT set_config('app.school', $1, true)", school)
            yield conn

    @asynccontextmanager
    async def lane(self, ready: Callable[[], object] = lambda: None) -> AsyncIterator[Connection]:
        """Yields a connection in a transaction whose first statement must be `open_lane`, which sets the school.

        `ready` is called when the transaction has its connection: it raises when nothing may be written any more.
        """
        async with self._transaction() as conn:
            ready()
            yield conn

    async def function(self, name: str, *args: object) -> Any:  # noqa: ANN401  whatever the SQL function returns
        """Calls an SQL function that sets the school itself, as a transaction of its own in one round trip."""
        return await self.function_of(name, lambda: args)

    async def function_of(self, name: str, ready: Callable[[], Sequence[object]]) -> Any:  # noqa: ANN401
        """The same, of what `ready` returns when the call has its connection: it raises when none may be made any more.

        While one waits for a connection the database may become another one, and deadlines pass.
        """
        async with self._connection() as conn:
            args = ready()
            places = ", ".join(f"${n}" for n in range(1, len(args) + 1))
            return await conn.fetchval(f"SELECT {name}({places})", *args)

    async def row(self, sql: str, *args: object) -> asyncpg.Record:
        """Returns the one row of a statement that needs no school: tables without one, or functions that set it."""
        async with self._connection() as conn:
            return (await conn.fetch(sql, *args))[0]

    async def rows(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """The same, of several rows."""
        async with self._connection() as conn:
            return await conn.fetch(sql, *args)

    async def schools(self) -> list[str]:
        """Returns the slugs of all schools that this database has heard of."""
        return [row[0] for row in await self.rows("SELECT list_schools()")]

    async def alive(self) -> bool:
        """Tells whether the server answers within a second."""
        try:
            async with asyncio.timeout(1), self._pool.acquire() as conn:
                return bool(await conn.fetchval("SELECT true"))
        except (*LOST, asyncpg.PostgresError):
            return False

    def _ended(self, _conn: object) -> None:
        for call in self.lost:
            call()
