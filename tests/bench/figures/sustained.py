"""Append, relay, JetStream, projection into a table: sustained over sixteen schools."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from tests.bench.baselines import Baseline, naive, outbox
from tests.bench.harness import Report, Run, Target, report
from tests.bench.product.stack import Pipeline, pipeline
from tests.bench.servers import BenchServers


def baseline_run(servers: BenchServers, side: Baseline, count: int, per_tx: int) -> Run:
    """Returns a run of a baseline."""

    async def run() -> Mapping[str, float]:
        before = (await side.consumer.ask("lines"))["lines"]
        cpu_s, started = side.cpu_s() + servers.cpu_s(), time.monotonic()
        until = asyncio.create_task(side.consumer.ask("until", lines=before + count))
        await side.producer.ask("append", count=count, per_tx=per_tx)
        ended = float((await until)["at"])
        used = side.cpu_s() + servers.cpu_s() - cpu_s
        return {"per_s": count / (ended - started), "cpu_us": used / count * 1e6}

    return run


def product_run(servers: BenchServers, side: Pipeline, count: int, per_tx: int) -> Run:
    """Returns a run of the product."""

    async def run() -> Mapping[str, float]:
        before = await side.lag.applied()
        cpu_s, started = side.cpu_s() + servers.cpu_s(), time.monotonic()
        await side.producer.ask("append", count=count, per_tx=per_tx)
        ended = await side.lag.until(before + count)
        used = side.cpu_s() + servers.cpu_s() - cpu_s
        return {"per_s": count / (ended - started), "cpu_us": used / count * 1e6}

    return run


async def sustained(servers: BenchServers, runs: int) -> list[Report]:
    """Measures one event a transaction, and fifty."""
    async with naive(servers) as first, pipeline(servers) as product:
        single = await report(
            "sustained: one event a transaction, 16 schools",
            {"naive": baseline_run(servers, first, 1500, 1), "product": product_run(servers, product, 4000, 1)},
            (
                Target("events/s over naive", "per_s", "product", "naive", at_least=2),
                Target("cpu of naive over product", "cpu_us", "naive", "product", at_least=2),
            ),
            runs,
        )
        fifty = await report(
            "sustained: 50 events a transaction, 16 schools",
            {"naive": baseline_run(servers, first, 1600, 50), "product": product_run(servers, product, 24_000, 50)},
            (
                Target("events/s over naive", "per_s", "product", "naive", at_least=12),
                Target("cpu of naive over product", "cpu_us", "naive", "product", at_least=12),
            ),
            runs,
        )
    async with outbox(servers) as library:
        other = await report(
            "sustained: faststream-outbox",
            {
                "one": baseline_run(servers, library, 800, 1),
                "fifty": baseline_run(servers, library, 800, 50),
            },
            (),
            runs,
            "its own relay as documented (4 workers, rows by the hundred), the naive consumer behind it; not tuned",
        )
    theirs = {m.side: m.median for m in other.measures if m.name == "per_s"}
    for found, place in ((single, "one"), (fifty, "fifty")):
        mine = [m.median for m in found.measures if (m.side, m.name) == ("product", "per_s")]
        if mine and place in theirs:
            found.notes.append(f"over faststream-outbox: {mine[0] / theirs[place]:.1f} times")
    return [single, fifty, other]
