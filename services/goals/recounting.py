"""Counts clocks anew when a school has set its calendar since: until then they tell nothing."""

from __future__ import annotations

import asyncio
import logging

import asyncpg

from services.goals.calendar import SchoolCalendar
from services.goals.clocks import Clock, recounted
from shared.db import LOST, Database
from shared.service import Site

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
A_PAGE = 200
CALENDAR = "SELECT school_calendar_of($1)"
BEHIND = """
SELECT school_year, to_jsonb(c) AS clock FROM plan_clock c
 WHERE school = $1 AND counted < $2 ORDER BY id LIMIT $3 FOR NO KEY UPDATE
"""
# The version moves: a command that saw the row before decides again.
COUNTED = """
UPDATE plan_clock c SET version = c.version + 1, due_on = x.due_on, next_on = x.next_on, counted = $5
  FROM unnest($2::uuid[], $3::date[], $4::date[]) AS x (id, due_on, next_on)
 WHERE c.school = $1 AND c.id = x.id
"""


async def recount(at: Site) -> None:
    """Counts anew, school by school, until cancelled."""
    while True:
        try:
            for school in await at.db.schools():
                await recount_school(at.db, school)
        except (asyncpg.PostgresError, *LOST) as error:
            log.warning("clocks wait", extra={"code": "clocks_wait", "kind": type(error).__name__})
        await asyncio.sleep(LOOK_EVERY_S)


async def recount_school(db: Database, school: str) -> int:
    """Counts a school's clocks by its newest calendar, a page a transaction; returns how many."""
    done = 0
    while True:
        async with db.school(school) as conn:
            calendar = SchoolCalendar.read(await conn.fetchval(CALENDAR, school))
            rows = await conn.fetch(BEHIND, school, calendar.version, A_PAGE)
            found = [recounted(Clock.read(row["clock"]), calendar, row["school_year"]) for row in rows]
            if found:
                ids, dues, nexts = zip(*((one.id, one.due_on, one.next_on) for one in found), strict=True)
                await conn.execute(COUNTED, school, ids, dues, nexts, calendar.version)
        done += len(found)
        if len(found) < A_PAGE:
            return done
