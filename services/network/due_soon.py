"""Tells, once and three months before, that a child's file may soon be erased: whatever was down meanwhile."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from services.network.terms import ends_at, terms_in
from shared import journal
from shared.erasure import act_of_service
from shared.events.base import NewEvent
from shared.events.erasure import RetentionClass, RetentionDueSoon
from shared.rounds import each_school
from shared.service import Site

EVERY_S = 30.0
A_PAGE = 200
SOON = timedelta(days=91)

LEFT = "SELECT child, left_at FROM list_left($1, domain_now(), $2, $3)"
KNOWN = "SELECT domain_now(), terms_of($1)"
# Who waits for the same row sees that it is there: it is told once, whichever replica comes first.
NOTE = """
INSERT INTO reminder (school, id, version, child)
SELECT $1, x.id, 1, x.child FROM unnest($2::uuid[], $3::uuid[]) AS x (id, child)
ON CONFLICT DO NOTHING RETURNING id
"""


async def run(at: Site) -> None:
    """Tells, school by school, until cancelled."""
    while True:
        await each_school(at, _turn, "terms_late")
        await asyncio.sleep(EVERY_S)


async def _turn(at: Site, school: str) -> None:
    if at.guard.stopped(school) is None:
        await tell_due_soon(at, school)


async def tell_due_soon(at: Site, school: str) -> int:
    """Tells of a school's files that are due within three months, a page a transaction; returns of how many."""
    told, after = 0, UUID(int=0)
    while True:
        async with at.db.school(school) as conn:
            now, raw = await conn.fetchrow(KNOWN, school) or (None, [])
            rows = await conn.fetch(LEFT, school, after, A_PAGE)
            if not rows or now is None:
                return told
            terms = terms_in({"terms": raw})
            due = {one["child"]: ends_at(one["left_at"], terms, now) for one in rows}
            soon = {reminder(child, at_): (child, at_) for child, at_ in due.items() if at_ <= now + SOON}
            children = [child for child, _ in soon.values()]
            new = [row["id"] for row in await conn.fetch(NOTE, school, list(soon), children)]
            act = act_of_service("network", None)
            events = [
                NewEvent(RetentionDueSoon(kind=RetentionClass.PUPIL_FILE, due_at=soon[id_][1]), soon[id_][0], act)
                for id_ in new
            ]
            await journal.append(conn, school, events, at.ids, now)
        told, after = told + len(new), rows[-1]["child"]
        if new:
            at.relay.wake(school)


def reminder(child: UUID, due_at: datetime) -> UUID:
    """Returns what notes that it was told: of another term it is told anew."""
    return uuid5(child, f"due:{due_at.isoformat()}")
