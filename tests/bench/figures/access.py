"""Until a withdrawal is effective while people look and write without a pause; and what `may` adds to a commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from shared.access_projection import PROJECT, READING
from shared.db import Connection, Database
from tests.bench.harness import Report, Run, Target, report
from tests.bench.machine import percentile
from tests.bench.product.stack import fresh
from tests.bench.servers import BenchServers
from tests.faults.door import Door
from tests.faults.hammer import READERS, Flip, Hammer, begin
from tests.faults.ledger import read_ledger
from tests.faults.stage import Stage, raised

FLIPS = 40
COMMITS = 1500
SCHOOL = "bench-may"
COMMIT = "SELECT commit_changes($1, false, 1, '[]', $2, '[]', '{}', $3)"


def hammered(stage: Stage, hammer: Hammer, flip: Flip) -> Run:
    """Returns a run of so many withdrawals, with every reader at work."""

    async def run() -> Mapping[str, float]:
        hammer.stopping = False
        known = {one.id for one in (await read_ledger(stage, {flip.kid.child})).withdrawals}
        before, told, started = hammer.answered, len(hammer.quiets), time.monotonic()
        working = asyncio.gather(*(hammer.reader(nth) for nth in range(READERS)), hammer.flip(flip))
        try:
            while len(hammer.quiets) < told + FLIPS and not working.done():
                await asyncio.wait([working], timeout=0.1)
        finally:
            hammer.stopping = True
            await working
        lasted = time.monotonic() - started
        rows = (await read_ledger(stage, {flip.kid.child})).withdrawals
        new = [one for one in rows if one.id not in known]
        taken = [(one.effective_at - one.at).total_seconds() * 1000 for one in new if one.effective_at]
        return {
            "p50_ms": percentile(taken, 50),
            "p99_ms": percentile(taken, 99),
            "by_the_clock": sum(one.how == "clock" for one in new),
            "attempts_per_s": (hammer.answered - before) / lasted,
        }

    return run


async def withdrawal(servers: BenchServers, runs: int) -> list[Report]:
    """Measures from the line of a withdrawal to the moment that it is effective, nothing being wrong."""
    async with raised(servers, servers.root / "hammered", "bench_hammered") as stage, stage.login("samen") as client:
        hammer, (flip, _) = await begin(Door.of(stage, client))
        found = await report(
            f"withdrawal: effective, {READERS} readers and writers hammering",
            {"product": hammered(stage, hammer, flip)},
            (Target("p50, ms", "p50_ms", "product", at_most=50), Target("p99, ms", "p99_ms", "product")),
            runs,
            "by the database's clock, from the withdrawal's line; attempts_per_s: as many as they get answered",
        )
    return [found]


async def may(servers: BenchServers, runs: int) -> list[Report]:
    """Measures a commit of one event with its permit re-checked beside the same without, in turn."""
    made = await fresh(servers, "goals")
    db, child = await Database.connect(made["goals"].dsn, 2), uuid4()
    async with db.school(SCHOOL) as conn:
        await conn.execute(PROJECT, SCHOOL, [child], [1], [{}], [1], [1])
    found = await report(
        "may: what the re-check adds to a commit",
        {"commit": committed(db, child)},
        (Target("added p50, ms", "added_p50_ms", "commit", at_most=0.15),),
        runs,
        "one event a commit on one connection: lock, lease, row and clock, beside the same commit without a permit",
    )
    await db.close()
    return [found]


def committed(db: Database, child: UUID) -> Run:
    """Returns a run of commits, with and without a permit in turn."""
    check = {"place": 1, "subject": child, "revision": 1, "from": "2020-01-01T00:00:00Z", "until": None}
    event = {"place": 1, "type": "bench", "about": child, "body": "{}"}

    async def once(conn: Connection, checks: list[dict[str, Any]]) -> float:
        started = time.perf_counter()
        told = await conn.fetchval(COMMIT, SCHOOL, checks, [event])
        taken = time.perf_counter() - started
        if told["status"] != ["done"]:
            msg = f"not committed: {told['status']}"
            raise RuntimeError(msg)
        return taken * 1000

    async def run() -> Mapping[str, float]:
        plain, checked = [], []
        for nth in range(COMMITS):
            if nth % 500 == 0:
                reading, generation = await db.row(READING)
                await db.function("store_leases", reading, generation, {SCHOOL: [1, 0]})
            async with db._connection() as conn:
                plain.append(await once(conn, []))
                checked.append(await once(conn, [check]))
        without, with_it = median(plain), median(checked)
        return {"without_p50_ms": without, "with_p50_ms": with_it, "added_p50_ms": with_it - without}

    return run
