"""Lets go what was held, when its moment of domain time has come: after quiet hours, after days off, as a digest.

A digest is one a member, channel and period, for ever: the row in table `digest` is made by the transaction that lets
it go. What was planned for periods that went by unseen (an outage) goes with the newest of them as one message; what
comes late for a period whose digest went already is put off to the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.notifications import wants_store
from services.notifications.model import bundle_id
from services.notifications.preferences import NOTHING_SET
from services.notifications.reactions import tell_more
from services.notifications.rule import HOME_ROLES
from services.notifications.times import Pace, next_digest
from shared.clock import Ids
from shared.db import Connection, Database
from shared.events.notifications import Channel
from shared.journal import append
from shared.rounds import each_school
from shared.service import Site

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
PAGE = 2000

# Rows are locked in order of their ids; one that a claim or a withdrawal holds is left for the next round.
FREE = """
WITH page AS MATERIALIZED (
    SELECT d.id FROM delivery d
     WHERE d.school = $1 AND d.state = 'held' AND d.period IS NULL AND d.release_at <= $2
     ORDER BY d.release_at LIMIT $3 FOR UPDATE SKIP LOCKED
), freed AS (
    UPDATE delivery d SET state = 'queued', version = d.version + 1, next_try_at = clock_timestamp(),
                          due_at = coalesce(d.due_at, clock_timestamp())
      FROM page WHERE d.school = $1 AND d.id = page.id
    RETURNING 1
)
SELECT count(*) FROM freed
"""
DUE = """
SELECT DISTINCT ON (d.member, d.channel, d.pace) d.member, d.channel, d.pace, d.period, d.bundle,
       (SELECT n.told->>'role' FROM notice n WHERE n.school = $1 AND n.id = d.notice) AS role
  FROM (SELECT * FROM delivery h
         WHERE h.school = $1 AND h.state = 'held' AND h.period IS NOT NULL AND h.release_at <= $2
         ORDER BY h.release_at LIMIT $3) d
 ORDER BY d.member, d.channel, d.pace, d.release_at DESC, d.period DESC
"""
BEGIN = """
INSERT INTO digest (school, id, member, channel, pace, period)
SELECT $1, x.id, x.member, x.channel, x.pace, x.period
  FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[]) AS x (id, member, channel, pace, period)
 ORDER BY x.id
ON CONFLICT DO NOTHING
RETURNING id
"""
TOGETHER = """
UPDATE delivery d
   SET state = 'queued', bundle = x.id, period = x.period, version = d.version + 1, next_try_at = clock_timestamp(),
       due_at = coalesce(d.due_at, clock_timestamp())
  FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[]) AS x (id, member, channel, pace, period)
 WHERE d.school = $1 AND d.state = 'held' AND d.period IS NOT NULL AND d.release_at <= $7
   AND d.member = x.member AND d.channel = x.channel AND d.pace = x.pace
"""
PUT_OFF = """
UPDATE delivery d SET release_at = $6, period = $7, bundle = $8, hours = $9, version = d.version + 1
 WHERE d.school = $1 AND d.state = 'held' AND d.member = $2 AND d.channel = $3 AND d.pace = $4 AND d.release_at <= $5
   AND d.period IS NOT NULL
"""


async def let_go(at: Site) -> None:
    """Lets go what is due, school by school, until cancelled."""
    while True:
        await each_school(at, _look, "releases_wait")
        await asyncio.sleep(LOOK_EVERY_S)


async def _look(at: Site, school: str) -> None:
    while at.guard.stopped(school) is None and await tell_on(at.db, at.ids, school):
        at.relay.wake(school)
    try:
        while True:
            async with at.db.school(school) as conn:
                freed = await release(conn, school, await wants_store.domain_now(conn))
            if freed < PAGE:
                return
    except asyncpg.LockNotAvailableError:  # a row is busy: the next round is a second away
        log.info("what is due waits a moment", extra={"code": "releases_wait", "school": school})


async def tell_on(db: Database, ids: Ids, school: str) -> bool:
    """Tells an event that concerns very many to some more of them; says whether there was one."""
    async with db.school(school) as conn:
        told = await tell_more(conn, school)
        if told:
            await append(conn, school, told, ids, await wants_store.domain_now(conn))
    return told is not None


async def release(conn: Connection, school: str, now: datetime) -> int:
    """Lets go what is due at `now`, a page of it; returns about how much that was."""
    freed: int = await conn.fetchval(FREE, school, now, PAGE)
    due = await conn.fetch(DUE, school, now, PAGE)
    if not due:
        return freed
    columns = _columns(due)
    begun = {row["id"] for row in await conn.fetch(BEGIN, school, *columns)}
    going = [row for row in due if row["bundle"] in begun]
    if going:
        await conn.execute(TOGETHER, school, *_columns(going), now)
    await _put_off(conn, school, [row for row in due if row["bundle"] not in begun], now)
    return freed + len(due)


def _columns(rows: Sequence[asyncpg.Record]) -> tuple[list[object], ...]:
    return tuple([row[name] for row in rows] for name in ("bundle", "member", "channel", "pace", "period"))


async def _put_off(conn: Connection, school: str, late: Sequence[asyncpg.Record], now: datetime) -> None:
    """Puts what comes late for a digest that went already into the next."""
    if not late:
        return
    wants = await wants_store.get_wants(conn, school, {row["member"] for row in late})
    off, usual = await wants_store.get_days_off(conn, school), await wants_store.get_usual(conn, school)
    for row in late:
        member, channel, pace = UUID(str(row["member"])), Channel(row["channel"]), Pace(row["pace"])
        times = wants.get(member, NOTHING_SET).times(usual, works_here=row["role"] not in HOME_ROLES)
        moment, period = next_digest(now, pace, times, off)
        if period == row["period"]:  # the hour was moved to later on the same day
            moment, period = next_digest(moment, pace, times, off)
        bundle = bundle_id(member, channel, pace, period)
        await conn.execute(PUT_OFF, school, member, channel, pace, now, moment, period, bundle, usual.number)
