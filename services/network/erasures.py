"""Carries confirmed erasures out, a page a transaction; whichever replica comes goes on where the last one stopped.

A child's rows go when the withdrawal of all access to it is effective: nothing that is under way can write more. When
none is left network tells it, and it is complete when every other service has applied that event, in the transaction of
which its own rows went.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg

from services.network.effective import Effects
from shared import journal
from shared.db import LOST, Connection
from shared.erasure import act_of_service, erased_event
from shared.events.base import NewEvent
from shared.events.erasure import ErasureCompleted, PersonErased
from shared.events.words import school_subject
from shared.service import Site

log = logging.getLogger(__name__)

EVERY_S = 1.0
A_PAGE = 500
STUCK_AFTER_S = 600.0
AGAIN_AFTER_S = 3600.0
"""An erasure takes seconds: one that is under way for ten minutes is an alarm, once an hour."""

UNDER_WAY = """
SELECT e.id, e.state, e.seq, e.withdrawal IS NULL OR coalesce(w.how IS NOT NULL, true) AS withdrawn
  FROM erasure e LEFT JOIN withdrawal w ON w.school = e.school AND w.id = e.withdrawal
 WHERE e.school = $1 AND e.state IN ('erasing', 'erased')
 ORDER BY e.state = 'erased', e.id LIMIT 50
"""
PAGE = "SELECT erase_page($1, $2, $3)"
LOCK = "SELECT child, decided_by, gone, seq FROM erasure WHERE school = $1 AND id = $2 AND state = $3 FOR UPDATE"
TOLD = """
UPDATE erasure SET version = version + 1, state = 'erased', around = NULL,
       seq = (SELECT seq FROM journal_head WHERE school = $1)
 WHERE school = $1 AND id = $2
"""
COMPLETE = """
UPDATE erasure SET version = version + 1, state = 'completed', completed_at = (SELECT domain_now())
 WHERE school = $1 AND id = $2
"""


class Patience:
    """Remembers since when erasures are under way, on a monotonic clock in seconds."""

    def __init__(self) -> None:
        self._since: dict[str, dict[UUID | None, float]] = {}
        self._told: dict[str, float] = {}

    def ends(self, school: str, under_way: Collection[UUID | None], now: float) -> int:
        """Returns how many of a school's are stuck, if that is to be told now: not again for an hour; else 0."""
        known = self._since.get(school, {})
        self._since[school] = {one: known.get(one, now) for one in under_way}
        stuck = sum(now - since >= STUCK_AFTER_S for since in self._since[school].values())
        if not stuck or now - self._told.get(school, -AGAIN_AFTER_S) < AGAIN_AFTER_S:
            return 0
        self._told[school] = now
        return stuck


async def run(at: Site, effects: Effects) -> None:
    """Erases what is confirmed, school by school, until cancelled."""
    patience = Patience()
    while True:
        try:
            schools = await at.db.schools()
        except (asyncpg.PostgresError, *LOST) as error:
            log.warning("erasures wait", extra={"code": "erasure_late", "kind": type(error).__name__})
        else:
            for school in schools:
                await turn(at, school, partial(effects.confirmed, at, school), patience)
        await asyncio.sleep(EVERY_S)


async def turn(at: Site, school: str, confirmed: Callable[[int], bool], patience: Patience) -> None:
    """Does one school; that it fails is no other school's matter, and an alarm when it goes on."""
    under_way: Collection[UUID | None] = (None,)  # what could not be read may be stuck
    if at.guard.stopped(school) is not None:
        return
    try:
        under_way = await erase_school(at, school, confirmed)
    except (asyncpg.PostgresError, *LOST) as error:
        log.warning("erasures wait", extra={"code": "erasure_late", "kind": type(error).__name__, "school": school})
    if count := patience.ends(school, under_way, at.loop.time()):
        at.alarm("erasure_stuck", "erasures don't come to their end", school=school, count=count)


async def erase_school(at: Site, school: str, confirmed: Callable[[int], bool]) -> set[UUID | None]:
    """Takes each of a school's erasures as far as it goes now; returns which were under way.

    `confirmed`: every service applied that number.
    """
    async with at.db.school(school) as conn:
        found = await conn.fetch(UNDER_WAY, school)
    for one in found:
        if one["state"] == "erasing" and one["withdrawn"]:
            await _all_pages(at, school, one["id"])
        elif one["state"] == "erased" and confirmed(one["seq"]):
            await _complete(at, school, one["id"])
    return {one["id"] for one in found}


async def _all_pages(at: Site, school: str, erasure: UUID) -> None:
    left = True
    while left:
        left = not await _page(at, school, erasure)


async def _page(at: Site, school: str, erasure: UUID) -> bool:
    """Erases a page and tells of persons who went with it, or that nothing is left; True: nothing is left."""
    async with at.db.school(school) as conn:
        page = await conn.fetchval(PAGE, school, erasure, A_PAGE)
        if page is None:
            return True
        if page["gone"]:
            await _tell_persons(at, conn, school, erasure, [UUID(one) for one in page["persons"]])
            return False
        one = await conn.fetchrow(LOCK, school, erasure, "erasing")
        if one is not None:
            act = act_of_service("network", one["decided_by"])
            event = erased_event(erasure, one["gone"], one["child"], act, "network")
            await journal.append(conn, school, [event], at.ids, at.clock.now())
            await conn.execute(TOLD, school, erasure)
    at.relay.wake(school)
    return True


async def _tell_persons(at: Site, conn: Connection, school: str, erasure: UUID, persons: list[UUID]) -> None:
    act = act_of_service("network", None)
    events = [
        NewEvent(PersonErased(erasure=erasure, person=one), school_subject(school), act, thing=one) for one in persons
    ]
    await journal.append(conn, school, events, at.ids, at.clock.now())


async def _complete(at: Site, school: str, erasure: UUID) -> None:
    async with at.db.school(school) as conn:
        one: Any = await conn.fetchrow(LOCK, school, erasure, "erased")
        if one is None:
            return
        await conn.execute(COMPLETE, school, erasure)
        fact = ErasureCompleted(erasure=erasure, applied=one["seq"])
        event = NewEvent(fact, one["child"], act_of_service("network", one["decided_by"]), thing=erasure)
        await journal.append(conn, school, [event], at.ids, at.clock.now())
    at.relay.wake(school)
