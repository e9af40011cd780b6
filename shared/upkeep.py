"""What every service does beside its work: it watches its database and its clock, finishes rebuilds, forgets keys."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import asyncpg

from shared.db import LOST
from shared.errors import Problem, Transient
from shared.rebuild import finish_rebuild

if TYPE_CHECKING:
    from shared.service import Site

log = logging.getLogger(__name__)

PURGE_EVERY_S = 3600.0
PURGE_KEYS = """
WITH old AS (SELECT actor, key FROM idempotency
              WHERE school = $1 AND at < clock_timestamp() - interval '24 hours' LIMIT 2000),
     gone AS (DELETE FROM idempotency i USING old
               WHERE i.school = $1 AND i.actor = old.actor AND i.key = old.key RETURNING 1)
SELECT count(*) FROM gone
"""


def collect_seldom() -> None:
    """Leaves what was loaded for the process's life out of every later search for cycles, and searches less often.

    Events and rows make no cycles, and there are hundreds of them under way: searched at Python's own pace they cost a
    third of a consumer's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def forever(job: Awaitable[None], alarm: Callable[..., None]) -> None:
    """A background task that ends by an error takes the process with it: the supervisor starts a clean one."""
    try:
        await job
    except Exception:  # noqa: BLE001  an alarm, and the end
        alarm("task_failed", "a background task failed: the process ends, and is started anew")
        os._exit(os.EX_SOFTWARE)


async def watch(site: Site) -> None:
    """Looks every second whether the database answers, and whether its domain time is the real one."""
    while True:
        site.alive = await site.db.alive()
        with contextlib.suppress(*LOST, asyncpg.PostgresError):
            await refuse_shifted_time(site)
        await asyncio.sleep(1)


async def refuse_shifted_time(site: Site) -> None:
    """Ends the process where due dates, ages and periods would be judged by a clock that somebody moved."""
    if site.settings.shifted_time:
        return
    shift = (await site.db.row("SELECT shift FROM time_shift"))[0]
    if shift:
        text = "this database's domain time is shifted: set time_shift back to 0, or this is no place to work"
        site.telemetry.alarm("time_shifted", text, seconds=shift.total_seconds())
        os._exit(os.EX_CONFIG)


async def finish_rebuilds(site: Site) -> None:
    """Goes on with a rebuild of the grants that was cut short, here or elsewhere: until then all is denied."""
    while True:
        try:
            await finish_rebuild(site)
        except (Problem, Transient, *LOST, asyncpg.PostgresError) as error:
            log.warning("rebuild not finished", extra={"code": "rebuild_late", "kind": type(error).__name__})
        await asyncio.sleep(1)


async def purge(site: Site) -> None:
    """Forgets idempotency keys older than 24 hours, a page a transaction."""
    while True:
        await asyncio.sleep(PURGE_EVERY_S)
        try:
            for school in await site.db.schools():
                while await _purge_page(site, school):
                    pass
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("keys not forgotten", extra={"code": "purge_late", "kind": type(error).__name__})


async def _purge_page(site: Site, school: str) -> bool:
    async with site.db.school(school) as conn:
        return bool(await conn.fetchval(PURGE_KEYS, school))
