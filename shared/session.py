"""One active replica: a database session that holds an advisory lock, and loses it when its process is paused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zlib import crc32

import asyncpg

from shared.db import LIMITS, LOST, init_connection

log = logging.getLogger(__name__)

IDLE_LIMIT_MS = 3000
HEARTBEAT_S = 1.0
LOCK_TIMEOUT = "1s"
"""Longer than a command's: replicas take turns at the row that a lease is read with, each for a commit."""
TRY_AGAIN_S = 0.5


class Session:
    """A connection of its own with a heartbeat. PostgreSQL ends it after 3 s without one, and with it the lock."""

    def __init__(self, dsn: str, lock: str, *, durable: bool = False) -> None:
        self._dsn = dsn
        # Most of what a session writes is repeatable: a cursor that a crash sets back only repeats.
        self._synchronous_commit = "on" if durable else "off"
        self._key = crc32(lock.encode())
        self._conn: asyncpg.Connection[asyncpg.Record] | None = None
        self._one_at_a_time = asyncio.Lock()
        self.holds_lock = False

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """Runs one statement; connects first when there is no connection. Raises what asyncpg raises, of `LOST` too."""
        async with self._one_at_a_time:
            if self._conn is None or self._conn.is_closed():
                self.holds_lock = False
                self._conn = await asyncpg.connect(
                    self._dsn,
                    command_timeout=5,
                    server_settings={
                        **LIMITS,
                        "lock_timeout": LOCK_TIMEOUT,
                        "idle_session_timeout": str(IDLE_LIMIT_MS),
                        "tcp_keepalives_idle": "2",
                        "tcp_keepalives_interval": "1",
                        "tcp_keepalives_count": "3",
                        "tcp_user_timeout": str(IDLE_LIMIT_MS),  # paused with an answer half read, it is not idle
                        "application_name": "samenkracht",
                        "synchronous_commit": self._synchronous_commit,
                    },
                )
                await init_connection(self._conn)
            try:
                return await self._conn.fetch(sql, *args)
            except LOST:
                self.holds_lock = False
                self._conn.terminate()
                self._conn = None
                raise

    async def take_lock(self) -> bool:
        """Tries once to become the active replica."""
        if not self.holds_lock:
            self.holds_lock = bool((await self.fetch("SELECT pg_try_advisory_lock($1)", self._key))[0][0])
        return self.holds_lock

    async def wait_for_lock(self) -> None:
        """Returns when this process is the active replica; keeps trying while the database is away."""
        while True:
            try:
                if await self.take_lock():
                    return
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("no session", extra={"code": "session_lost", "kind": type(error).__name__})
            await asyncio.sleep(TRY_AGAIN_S)

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Keeps the session alive while the body runs; a paused process beats no more, and so loses the lock."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(HEARTBEAT_S)
                try:
                    await self.fetch("SELECT 1")
                except (*LOST, asyncpg.PostgresError):
                    self.holds_lock = False
                    return

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()

    async def close(self) -> None:
        """Gives the lock back at once."""
        if self._conn is not None:
            await self._conn.close(timeout=1)
            self._conn = None
        self.holds_lock = False
