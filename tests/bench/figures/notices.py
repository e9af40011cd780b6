"""From events to notices that are queued: who, when, folded, journaled; a batch beside one event a transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import UUID, uuid4

from services.notifications.reactions import LANES
from shared.clock import Ids
from shared.db import Database
from shared.events.base import Event
from shared.projection import Applier
from shared.telemetry import Telemetry
from tests.bench.harness import Report, Run, Target, report
from tests.bench.product.stack import fresh
from tests.bench.servers import BenchServers
from tests.notifications.support import Lane, accepted, act, give_access, grant

CHILDREN, EVENTS, SINGLES, RECIPIENTS = 100, 2_000, 100, 6
BATCH = 200


async def notices(servers: BenchServers, runs: int) -> list[Report]:
    """Measures how fast events of goals become notices, with six recipients each."""
    made = await fresh(servers, "notifications")
    db = await Database.connect(made["notifications"].dsn, 4)
    sides = {"batch": telling(db, EVENTS, BATCH), "one each": telling(db, SINGLES, 1)}
    targets = (
        Target("notices/s from a batch", "notices_per_s", "batch", at_least=5_000),
        Target("batch over one event a transaction", "notices_per_s", "batch", "one each", at_least=3),
    )
    note = f"{RECIPIENTS} recipients an event, {BATCH} events a transaction on one connection, {CHILDREN} children"
    try:
        return [await report("notices: events to queued notices", sides, targets, runs, note)]
    finally:
        await db.close()


def telling(db: Database, count: int, size: int) -> Run:
    """Returns a run that tells of so many accepted goals, so many a transaction, in a school of its own."""
    names = iter(range(1_000))

    async def run() -> Mapping[str, float]:
        school = f"bench-{size}-{next(names)}"
        applier = Applier(db, LANES, Ids(), Telemetry(f"bench-{school}", export=False))
        children = [uuid4() for _ in range(CHILDREN)]
        for child in children:
            await give_access(db, school, child, [grant(uuid4()) for _ in range(RECIPIENTS)])
        events = _events(school, children, count)
        started = time.perf_counter()
        for first in range(0, count, size):
            await applier.apply(school, "goals", events[first : first + size])
        took = time.perf_counter() - started
        async with db.school(school) as conn:
            queued = await conn.fetchval("SELECT count(*) FROM delivery WHERE state IN ('queued', 'held')")
        if queued != count * RECIPIENTS:
            raise RuntimeError(f"{queued} deliveries wait, {count * RECIPIENTS} should")
        return {"notices_per_s": queued / took}

    return run


def _events(school: str, children: list[UUID], count: int) -> list[Event]:
    lane, by = Lane(school), act(uuid4())
    return [lane.add(accepted(), children[n % CHILDREN], by, uuid4()) for n in range(count)]
