"""Tells the doors that a member's inbox changed: `note.<school>.<member>`, with ids and no word of what.

Only a nudge to read the inbox again, which asks for access and leaves its line. A door that was not there misses
nothing: it reads when it comes. Only doors may listen (deploy/topology.py): who gets a nudge is something to know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import asyncpg
import nats.errors
import pydantic_core
from nats.aio.msg import Msg

from services.notifications.model import SERVICE
from shared.db import LOST, Database
from shared.events.base import Event
from shared.events.notifications import NoticeDone, NoticeQueued, NoticeRead, NoticeReminded
from shared.service import Site

log = logging.getLogger(__name__)

GATHER_S = 0.02
"""So that what is committed together is one nudge."""
RETRY_S = 1.0
PAGE = 1000
TYPES = [fact.type() for fact in (NoticeQueued, NoticeRead, NoticeDone, NoticeReminded)]
HEAD = "SELECT coalesce(max(seq), 0) FROM journal_head WHERE school = $1"
NEWS = """
SELECT seq, event FROM journal WHERE school = $1 AND seq > $2 AND seq <= $3 AND type = ANY ($4) ORDER BY seq LIMIT $5
"""


class Pokes:
    """Follows this service's own journal from where it stood at the start, in the schools where it moves.

    A commit of this process says so at once; those of other replicas show in the heads that are announced.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._moved: set[str] = set()
        self._woken = asyncio.Event()

    def moved(self, school: str) -> None:
        """Something was committed in this school."""
        self._moved.add(school)
        self._woken.set()

    async def heads(self, message: Msg) -> None:
        """Hears where the journals of this service stand."""
        for school, (_, seq, _) in pydantic_core.from_json(message.data).items():
            if seq > self._seen.get(school, 0):
                self.moved(school)

    async def run(self, at: Site) -> None:
        """Nudges until cancelled. Each replica does; a nudge more is no harm."""
        for school in await at.db.schools():
            async with at.db.school(school) as conn:
                self._seen[school] = await conn.fetchval(HEAD, school)
        at.relay.also.append(self.moved)
        await at.bus.client.subscribe(f"head.{SERVICE}", cb=self.heads)
        while True:
            await self._woken.wait()
            await asyncio.sleep(GATHER_S)
            self._woken.clear()
            moved, self._moved = self._moved, set()
            for school in moved:
                await self._look(at, school)

    async def _look(self, at: Site, school: str) -> None:
        try:
            for subject, body in await self.news(at.db, school):
                await at.bus.client.publish(subject, body)
        except (asyncpg.PostgresError, nats.errors.Error, *LOST) as error:
            log.info("an inbox is told of later", extra={"code": "pokes_wait", "kind": type(error).__name__})
            asyncio.get_running_loop().call_later(RETRY_S, self.moved, school)

    async def news(self, db: Database, school: str) -> list[tuple[str, bytes]]:
        """Returns the nudges for what this school's journal holds since the last time."""
        seen = self._seen.get(school, 0)
        async with db.school(school) as conn:
            head: int = await conn.fetchval(HEAD, school)
            rows = await conn.fetch(NEWS, school, seen, head, TYPES, PAGE) if head > seen else []
        if len(rows) == PAGE:
            head = rows[-1]["seq"]
            self.moved(school)
        self._seen[school] = max(head, seen)
        return nudges(Event.parse(row["event"].encode()) for row in rows)


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
