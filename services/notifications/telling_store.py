"""SQL of events that are told to very many: how far each has come."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from shared.db import Connection
from shared.events.base import Event

TELL_ON = """
INSERT INTO telling AS t (school, id, version, about, event, told_to) VALUES ($1, $2, 1, $3, $4, $5)
ON CONFLICT (school, id) DO UPDATE SET told_to = excluded.told_to, version = t.version + 1
"""
TOLD_ALL = "DELETE FROM telling WHERE school = $1 AND id = $2"
TELLING = "SELECT event, told_to FROM telling WHERE school = $1 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"


@dataclass(frozen=True, slots=True)
class Telling:
    """An event that is being told to many, and the last member it was told to."""

    event: Event
    told_to: UUID


async def get_telling(conn: Connection, school: str) -> Telling | None:
    """Returns, locked, an event that is being told to many; None: there is none, or another has it."""
    row = await conn.fetchrow(TELLING, school)
    return None if row is None else Telling(Event.parse(row["event"].encode()), row["told_to"])


async def tell_on(conn: Connection, event: Event, told_to: UUID | None) -> None:
    """Notes how far an event has been told; None: to everyone."""
    if told_to is None:
        await conn.execute(TOLD_ALL, event.school, event.id)
    else:
        raw = event.raw.decode()
        await conn.execute(TELL_ON, event.school, event.id, event.about, raw, told_to)
