"""The naive relay: every 100 ms it takes the rows not sent, publishes each and marks it, in one transaction."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg
from nats.js import JetStreamContext

POLL_S = 0.1
ROWS = 500

WAITING = "SELECT id, subject, event FROM outbox WHERE sent_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
SENT = "UPDATE outbox SET sent_at = clock_timestamp() WHERE id = $1"


async def relay_once(conn: asyncpg.Connection[asyncpg.Record], js: JetStreamContext) -> int:
    """Sends one batch; returns how many rows it held."""
    async with conn.transaction():
        rows = await conn.fetch(WAITING, ROWS)
        for row in rows:
            await js.publish(row["subject"], row["event"].encode())
            await conn.execute(SENT, row["id"])
    return len(rows)


async def relay(conn: asyncpg.Connection[asyncpg.Record], js: JetStreamContext, stop: asyncio.Event) -> None:
    """Relays until `stop` is set: full batches follow one another, then it waits for the next poll."""
    while not stop.is_set():
        if await relay_once(conn, js) < ROWS:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_S)
