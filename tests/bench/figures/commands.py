"""Commands and queries through RPC: token, access check, state, journal and audit line; latency at a light load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import nats

from shared.actor import SigningKey
from tests.bench.baselines import Baseline, naive
from tests.bench.event import SCHOOLS
from tests.bench.harness import Report, Run, Target, report
from tests.bench.load import Sender
from tests.bench.machine import percentile
from tests.bench.product.platform import Platform, platform
from tests.bench.servers import BenchServers

IN_FLIGHT = 256
RATE = 100.0
LIGHT = 300
NAIVE = 600
PRODUCT = 2000
WARM = 256
NAIVE_LINES = "SELECT thing, pg_xact_commit_timestamp(xmin) AS at FROM line WHERE type LIKE '%.goal.proposed.%'"
LINES = "SELECT thing, pg_xact_commit_timestamp(xmin) AS at FROM line WHERE producer = 'goals'"


@dataclass(slots=True)
class Side:
    """One side under way: how to ask it, how to wait for its audit lines, what it costs."""

    sender: Callable[[tuple[str, ...]], Sender]
    lines: Callable[[], Awaitable[float]]
    """Waits until every event journaled so far is an audit line; returns the monotonic moment."""
    cpu_s: Callable[[], float]
    committed: Callable[[], Awaitable[Mapping[str, float]]]


@asynccontextmanager
async def naive_side(servers: BenchServers, baseline: Baseline) -> AsyncIterator[Side]:
    """Asks the naive service."""
    client = await nats.connect(servers.plain.url)
    key = SigningKey.load(servers.keys.token_key("samen"))

    async def lines() -> float:
        conn = await asyncpg.connect(baseline.dsn)
        count = await conn.fetchval("SELECT count(*) FROM outbox")
        await conn.close()
        return float((await baseline.consumer.ask("until", lines=count))["at"])

    async def committed() -> Mapping[str, float]:
        conn = await asyncpg.connect(baseline.dsn)
        try:
            return {str(row["thing"]): row["at"].timestamp() for row in await conn.fetch(NAIVE_LINES)}
        finally:
            await conn.close()

    def cpu_s() -> float:
        return baseline.cpu_s() + servers.cpu_s()

    yield Side(lambda schools: Sender(client, "naive", key, schools), lines, cpu_s, committed)
    await client.close()


@asynccontextmanager
async def product_side(servers: BenchServers, product: Platform) -> AsyncIterator[Side]:
    """Asks the service goals."""

    async def lines() -> float:
        return await product.lag.until(await product.journaled())

    async def committed() -> Mapping[str, float]:
        return {row["thing"]: row["at"].timestamp() for row in await product.lag.rows(LINES) if row["thing"]}

    def cpu_s() -> float:
        return product.cpu_s() + servers.cpu_s()

    yield Side(lambda schools: Sender(product.door, "goals", product.key, schools), lines, cpu_s, committed)


def many(side: Side, count: int, schools: tuple[str, ...], *, look: bool = False) -> Run:
    """Returns a run of `count` requests, timed until the last one's audit line is committed."""

    async def run() -> Mapping[str, float]:
        sender, cpu_s, started = side.sender(schools), side.cpu_s(), time.monotonic()
        load = await sender.many(count, IN_FLIGHT, look=look)
        ended = await side.lines()
        if load.refused:
            msg = f"{load.refused} requests refused: not a run to count"
            raise RuntimeError(msg)
        return {
            "per_s": (count - load.unanswered) / (ended - started),
            "cpu_us": (side.cpu_s() - cpu_s) / count * 1e6,
            "unanswered": load.unanswered,
            "p50_ms": load.p(50),
            "p99_ms": load.p(99),
        }

    return run


def paced(side: Side) -> Run:
    """Returns a run at a light load: from the command's sending to the commit of its audit line."""

    async def run() -> Mapping[str, float]:
        load = await side.sender(SCHOOLS).pace(LIGHT, RATE)
        await side.lines()
        committed = await side.committed()
        taken = [(committed[thing] - sent_at) * 1000 for thing, sent_at in load.sent_at.items()]
        return {
            "line_p50_ms": percentile(taken, 50),
            "line_p99_ms": percentile(taken, 99),
            "reply_p50_ms": load.p(50),
            "reply_p99_ms": load.p(99),
            "unanswered": load.unanswered + load.refused,
        }

    return run


@asynccontextmanager
async def both(servers: BenchServers) -> AsyncIterator[tuple[Side, Side]]:
    """Runs both sides, warmed: idle while the other is measured."""
    async with (
        naive(servers) as baseline,
        naive_side(servers, baseline) as first,
        platform(servers) as product,
        product_side(servers, product) as second,
    ):
        for side in (first, second):
            await many(side, WARM, SCHOOLS)()
        yield first, second


async def commands(servers: BenchServers, runs: int) -> list[Report]:
    """Measures commands over sixteen schools and over one."""
    async with both(servers) as (first, second):
        sixteen = await report(
            "commands: 16 schools, 256 in flight, to the last audit line",
            {"naive": many(first, NAIVE, SCHOOLS), "product": many(second, PRODUCT, SCHOOLS)},
            (
                Target("commands/s over naive", "per_s", "product", "naive", at_least=4),
                Target("cpu of naive over product", "cpu_us", "naive", "product", at_least=4),
                Target("p99 of naive over product", "p99_ms", "naive", "product"),
            ),
            runs,
            "cpu_us: a command, over services and servers (not the sender); p50, p99: to the reply",
        )
        one = await report(
            "commands: one school",
            {"naive": many(first, NAIVE, SCHOOLS[:1]), "product": many(second, PRODUCT, SCHOOLS[:1])},
            (Target("commands/s over naive", "per_s", "product", "naive", at_least=4),),
            runs,
        )
    return [sixteen, one]


async def queries(servers: BenchServers, runs: int) -> list[Report]:
    """Measures a query that journals "viewed", beside a command."""
    async with both(servers) as (first, second):
        found = await report(
            "queries that journal viewed: 16 schools",
            {
                "naive": many(first, NAIVE, SCHOOLS, look=True),
                "product": many(second, PRODUCT, SCHOOLS, look=True),
                "product, commands": many(second, PRODUCT, SCHOOLS),
            },
            (
                Target("queries/s over commands/s", "per_s", "product", "product, commands", at_least=0.8),
                Target("queries/s over naive", "per_s", "product", "naive"),
            ),
            runs,
        )
    return [found]


async def light(servers: BenchServers, runs: int) -> list[Report]:
    """Measures from a command's sending to its audit line's commit, at 100 a second."""
    async with both(servers) as (first, second):
        await asyncio.sleep(1)
        found = await report(
            "light: command to audit line at 100 commands/s",
            {"naive": paced(first), "product": paced(second)},
            (
                Target("p50, ms", "line_p50_ms", "product", at_most=4),
                Target("p99, ms", "line_p99_ms", "product", at_most=10),
                Target("p50 of naive over product", "line_p50_ms", "naive", "product"),
            ),
            runs,
            "to the time in the line's commit record: the fsync that follows is the disk's (see the machine)",
        )
    return [found]
