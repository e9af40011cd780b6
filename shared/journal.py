"""The journal: what a service did, numbered densely per school in the order of its commits. The truth of the bus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.clock import Ids
from shared.db import Connection
from shared.events.base import NewEvent

APPEND = """
SELECT append_events($1, $2, clock_timestamp(), coalesce(c.epoch, 0), coalesce(c.seq, 0))
  FROM (SELECT 1) one LEFT JOIN projection_cursor c ON c.school = $1 AND c.producer = 'network'
"""
AFTER = """
SELECT event FROM journal WHERE school = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""


def entries(
    events: Sequence[NewEvent], school: str, ids: Ids, at: datetime, traceparent: str | None = None
) -> list[dict[str, Any]]:
    """Returns `events` as `append_events` and `commit_changes` take them; `at` is domain time."""
    return [
        {
            "type": event.fact.type(event.producer),
            "about": event.about,
            "body": event.body(school, ids.time_ordered(at), at, traceparent),
        }
        for event in events
    ]


async def append(conn: Connection, school: str, events: Sequence[NewEvent], ids: Ids, at: datetime) -> None:
    """Appends events in the caller's transaction. The last statement before its end, and once in it."""
    if events:
        await conn.execute(APPEND, school, entries(events, school, ids, at))


async def after(conn: Connection, school: str, seq: int, limit: int) -> list[bytes]:
    """Returns the bytes of the events that follow `seq`, in order, at most `limit`."""
    return [row[0].encode() for row in await conn.fetch(AFTER, school, seq, limit)]
