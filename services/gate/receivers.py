"""What the courier knows of receivers, and its SQL: for which tools something waits, where it goes, how each fares."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.gate.knocking import Line
from services.gate.patience import Breaker
from shared.db import Connection

WAITING = """
SELECT t.id FROM tool t LEFT JOIN outlet o ON o.school = t.school AND o.id = t.id
 WHERE t.school = $1 AND t.channel = 'webhook'
   AND (EXISTS (SELECT FROM marker m WHERE m.school = $1 AND m.tool = t.id AND m.told_at IS NULL)
     OR (t.state = 'active' AND EXISTS (SELECT FROM webhook w WHERE w.school = $1 AND w.id = t.id)
         AND (EXISTS (SELECT FROM put_out p WHERE p.school = $1 AND p.tool = t.id AND p.seq IS NULL)
           OR o.out_seq < o.seq
           OR EXISTS (SELECT FROM parcel p WHERE p.school = $1 AND p.tool = t.id AND p.aside_at IS NULL
                         AND p.next_at <= clock_timestamp()))))
"""
ONE = """
SELECT w.url, r.failures, r.openings, r.until, r.failing_since
  FROM webhook w JOIN tool t ON t.school = w.school AND t.id = w.id
  LEFT JOIN receiver r ON r.school = w.school AND r.id = w.id
 WHERE w.school = $1 AND w.id = $2 AND t.state = 'active'
"""
KEEP = """
INSERT INTO receiver (school, id, failures, openings, until, failing_since, code) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (school, id) DO UPDATE
   SET failures = excluded.failures, openings = excluded.openings, until = excluded.until,
       failing_since = excluded.failing_since, code = excluded.code
"""
NEXT = """
SELECT jsonb_array_length(r->'items') > 0 OR jsonb_array_length(r->'open') > 0
       OR (r->'outlet'->>'out_seq')::bigint < (r->'outlet'->>'seq')::bigint
  FROM read_parcels($1) r
"""


@dataclass(slots=True)
class Door:
    """What this process knows of one tool's receiver."""

    breaker: Breaker = field(default_factory=Breaker)
    since: datetime | None = None
    """When it began to fail without a success between."""
    loaded: bool = False
    url: str = ""
    """Where to go, as it was last read."""
    idle: list[Line] = field(default_factory=list)
    worker: asyncio.Task[None] | None = None
    again: bool = False


async def list_waiting(conn: Connection, school: str) -> list[UUID]:
    """Returns the tools that are told by webhook and for which something waits."""
    return [row["id"] for row in await conn.fetch(WAITING, school)]


async def get(conn: Connection, school: str, tool: UUID) -> tuple[str | None, Breaker, datetime | None]:
    """Returns where a tool's webhook leads, how its receiver fares, and since when it fails; None: nowhere now."""
    row = await conn.fetchrow(ONE, school, tool)
    if row is None:
        return None, Breaker(), None
    breaker = Breaker(row["failures"] or 0, row["openings"] or 0, row["until"])
    return row["url"], breaker, row["failing_since"]


async def has_next(conn: Connection, school: str, tool: UUID) -> bool:
    """Tells whether the tool's courier would get something now."""
    asked = {"school": school, "tool": tool, "limit": 1}
    return bool(await conn.fetchval(NEXT, asked))


async def keep(  # the row's own columns
    conn: Connection, school: str, tool: UUID, breaker: Breaker, since: datetime | None, code: str | None
) -> None:
    """Keeps how a receiver fares, for whoever asks and for the next process."""
    await conn.execute(KEEP, school, tool, breaker.failures, breaker.openings, breaker.until, since, code)
