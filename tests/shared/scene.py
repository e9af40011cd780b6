"""A service's database with one child's grants, and those who commit, apply and vouch: raw, a step at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from deploy.databases import ServiceDatabase
from shared.access_projection import PROJECT, READING
from shared.db import LIMITS, init_connection
from shared.projection import MOVE, OPEN_LANE

Conn: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
SCHOOL = "olm"
COMMIT = "SELECT commit_changes('olm', $1, 1, $2, $3, '[]', '{}', $4)"
BLOCKED = "SELECT pg_blocking_pids($1) <> '{}'"
SEE_LEASES = "SELECT set_config('app.school', 'olm', false)"
PATIENT = LIMITS | {"lock_timeout": "5s", "transaction_timeout": "20s"}
"""For scenes in which someone waits as long as the test looks on; the limits have a scene of their own."""


@dataclass
class Scene:
    """A service's database with a child at revision 1, who is given and may be withdrawn."""

    made: ServiceDatabase
    one: Conn
    other: Conn
    child: UUID

    async def lease(self, age_s: float = 0.0, head: int = 1) -> None:
        """Stores a lease that was read so long ago, when network's access stood at `head`."""
        reading, generation = tuple(await self.one.fetchrow(READING) or ())
        old = reading - timedelta(seconds=age_s)
        await self.one.fetchval("SELECT store_leases($1, $2, $3)", old, generation, {SCHOOL: [1, head]})

    async def project(self, conn: Conn, seq: int, revision: int) -> None:
        """Applies network's event `seq`, which has the child at `revision`, in the caller's transaction."""
        await conn.fetchrow(OPEN_LANE, SCHOOL, "network", [self.child])
        await conn.execute(PROJECT, SCHOOL, [self.child], [revision], [{}], [1], [seq])
        await conn.execute(MOVE, SCHOOL, "network", 1, seq, "0" * 64)

    async def vouch(self, revision: int, age_s: float = 0.0) -> None:
        """Stores network's answer about the child, which was asked for so long ago."""
        reading, generation = tuple(await self.one.fetchrow(READING) or ())
        told: tuple[object, ...] = (
            SCHOOL,
            self.child,
            revision,
            {},
            1,
            1,
            reading - timedelta(seconds=age_s),
            generation,
        )
        await self.one.fetchval("SELECT store_vouched($1, $2, $3, $4, $5, $6, $7, $8)", *told)

    async def release(
        self,
        conn: Conn | None = None,
        *,
        until: datetime | None = None,
        authority: bool = False,
        locks: tuple[UUID, ...] = (),
    ) -> bool:
        """Commits something that was permitted by revision 1; tells whether it went in."""
        check = {"place": 1, "subject": self.child, "revision": 1, "from": "2020-01-01T00:00:00Z", "until": until}
        event = {"place": 1, "type": "toy", "about": self.child, "body": "{}"}
        checks = [] if locks else [check]
        told = await (conn or self.one).fetchval(COMMIT, authority, list(locks), checks, [event])
        return bool(told["status"] == ["done"])

    async def waits(self, conn: Conn, task: asyncio.Task[Any]) -> bool:
        """Tells whether what `conn` runs in the task waits for a lock; False when it ends without."""
        pid = conn.get_server_pid()
        looking = await connect(self.made.dsn)
        try:
            while not task.done():
                if await looking.fetchval(BLOCKED, pid):
                    return True
            return False
        finally:
            await looking.close()


async def connect(dsn: str, limits: dict[str, str] = PATIENT) -> Conn:
    conn = await asyncpg.connect(dsn, server_settings=limits)
    await init_connection(conn)
    await conn.execute(SEE_LEASES)
    return conn
