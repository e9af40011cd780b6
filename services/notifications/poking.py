"""Tells the doors that a member's inbox changed: `note.<school>.<member>`, with ids and no word of what.

Only a nudge to read the inbox again, which asks for access and leaves its line. A door that was not there misses
nothing: it reads when it comes. Only doors may listen (deploy/topology.py): who gets a nudge is something to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pydantic_core

from services.notifications.model import SERVICE
from shared.events.base import Event
from shared.events.notifications import NoticeDone, NoticeQueued, NoticeRead, NoticeReminded
from shared.rounds import each_school
from shared.service import Site

LOOK_EVERY_S = 0.25
PAGE = 1000
TYPES = [fact.type() for fact in (NoticeQueued, NoticeRead, NoticeDone, NoticeReminded)]
HEAD = "SELECT coalesce(max(seq), 0) FROM journal_head WHERE school = $1"
NEWS = """
SELECT seq, event FROM journal WHERE school = $1 AND seq > $2 AND seq <= $3 AND type = ANY ($4) ORDER BY seq LIMIT $5
"""


class Pokes:
    """Follows this service's own journal from where it stood at the start, school by school."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    async def run(self, at: Site) -> None:
        """Nudges until cancelled. Each replica does; a nudge more is no harm."""
        while True:
            await each_school(at, self.look, "pokes_wait")
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, at: Site, school: str) -> None:
        """Nudges whom the events since the last look concern."""
        seen = self._seen.get(school)
        async with at.db.school(school) as conn:
            head: int = await conn.fetchval(HEAD, school)
            rows = [] if seen is None or head <= seen else await conn.fetch(NEWS, school, seen, head, TYPES, PAGE)
        self._seen[school] = rows[-1]["seq"] if len(rows) == PAGE else head
        for subject, body in nudges(Event.parse(row["event"].encode()) for row in rows):
            await at.bus.client.publish(subject, body)


def nudges(events: Iterable[Event]) -> list[tuple[str, bytes]]:
    """Returns one nudge a member: its subject, and the notices it is about."""
    changed: dict[tuple[str, str], list[str]] = {}
    for event in events:
        recipient = event.content["data"]["fact"]["recipient"]
        changed.setdefault((event.school, recipient), []).append(str(event.thing))
    return [
        (f"note.{school}.{member}", pydantic_core.to_json({"service": SERVICE, "notices": notices[-100:]}))
        for (school, member), notices in changed.items()
    ]


async def poke_inboxes(at: Site) -> None:
    """Nudges doors until cancelled."""
    await Pokes().run(at)
