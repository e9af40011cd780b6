"""The two hops alone: draining a journal into JetStream, and a stream into a projection."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random

import asyncpg
import nats
from nats.aio.client import Client

from deploy.databases import ServiceDatabase
from shared.actor import SigningKey
from shared.bus import Bus
from shared.clock import Clock, Ids
from shared.db import Database
from shared.journal import append
from shared.relay import Relay
from shared.session import Session
from shared.telemetry import Telemetry
from tests.bench import event as made
from tests.bench.harness import Report, Run, Target, report
from tests.bench.naive.relay import relay_once
from tests.bench.naive.service import OUTBOX
from tests.bench.product.stack import Lag, empty_stream, environment, fresh, open_table
from tests.bench.servers import STREAM, BenchServers, tree_cpu_s
from tests.bench.worker import Worker

JOURNALED = 20_000
OUTBOXED = 3_000
FETCHED = 20_000
INSERTED = 2_000
A_TRANSACTION = 250
PENDING = 500
FETCH = 500


async def journal(database: ServiceDatabase, count: int) -> None:
    """Journals `count` events over the schools, with no relay under way."""
    db, ids, now = await Database.connect(database.dsn, 2), Ids(Random("journal")), datetime.now(UTC)
    for place in range(count // A_TRANSACTION):
        school = made.SCHOOLS[place % len(made.SCHOOLS)]
        about = made.children(school)[0]
        events = [made.event(school, about, ids.time_ordered(now)) for _ in range(A_TRANSACTION)]
        async with db.school(school) as conn:
            await append(conn, school, events, ids, now)
    await db.close()


@asynccontextmanager
async def relaying(servers: BenchServers, database: ServiceDatabase) -> AsyncIterator[Relay]:
    """Gives the product's relay of goals in this process, holding its lock, not running."""
    client = await nats.connect(
        servers.nats_url, user_credentials=str(servers.keys.creds("goals")), inbox_prefix=b"_INBOX.goals"
    )
    bus = Bus(client, "goals", SigningKey.load(servers.keys.token_key("goals")), Clock())
    session = Session(database.relay_dsn, "relay")
    await session.take_lock()
    yield Relay(session, bus, Telemetry("goals", export=False))
    await session.close()
    await client.close()


def product_drain(servers: BenchServers) -> Run:
    """Returns a run of the product's relay over a full journal."""

    async def run() -> Mapping[str, float]:
        database = (await fresh(servers, "goals"))["goals"]
        await empty_stream(servers)
        await journal(database, JOURNALED)
        async with relaying(servers, database) as relay:
            cpu_s, own_s, started = servers.cpu_s(), time.process_time(), time.monotonic()
            while await _unsent(servers, database):
                await relay.flush()
            taken = time.monotonic() - started
            used = servers.cpu_s() - cpu_s + time.process_time() - own_s
        return {"per_s": JOURNALED / taken, "cpu_us": used / JOURNALED * 1e6}

    return run


async def _unsent(servers: BenchServers, database: ServiceDatabase) -> int:
    conn = await asyncpg.connect(servers.dsn(database.name))
    try:
        return int(
            await conn.fetchval(
                "SELECT coalesce(sum(h.seq - coalesce(c.seq, 0)), 0)::bigint "
                "FROM journal_head h LEFT JOIN relay_cursor c USING (school)"
            )
        )
    finally:
        await conn.close()


def naive_drain(servers: BenchServers) -> Run:
    """Returns a run of the naive relay over a full outbox, without its waiting."""

    async def run() -> Mapping[str, float]:
        dsn = await servers.naive_database("bench_drain")
        await servers.naive_stream()
        conn, client = await asyncpg.connect(dsn), await nats.connect(servers.plain.url)
        rows = [
            (f"evt.{school}.naive.goal.activated", made.body(school, uuid.uuid4()))
            for school in itertools.islice(itertools.cycle(made.SCHOOLS), OUTBOXED)
        ]
        await conn.executemany(OUTBOX, rows)
        cpu_s, own_s, started = servers.cpu_s(), time.process_time(), time.monotonic()
        js = client.jetstream()
        while await relay_once(conn, js):
            pass
        taken = time.monotonic() - started
        used = servers.cpu_s() - cpu_s + time.process_time() - own_s
        await client.close()
        await conn.close()
        return {"per_s": OUTBOXED / taken, "cpu_us": used / OUTBOXED * 1e6}

    return run


def windowed(servers: BenchServers, count: int) -> Run:
    """Returns a run of nats-py's own asynchronous publish, `PENDING` under way, without a database."""

    async def run() -> Mapping[str, float]:
        await servers.naive_stream()
        client = await nats.connect(servers.plain.url)
        bodies = [made.body(made.SCHOOLS[0], uuid.uuid4()).encode() for _ in range(count)]
        started = time.monotonic()
        await _publish(client, bodies)
        taken = time.monotonic() - started
        await client.close()
        return {"per_s": count / taken}

    return run


async def _publish(client: Client, bodies: list[bytes]) -> None:
    js = client.jetstream(publish_async_max_pending=PENDING)
    for place, body in enumerate(bodies):
        school = made.SCHOOLS[place % len(made.SCHOOLS)]
        headers = {"Nats-Msg-Id": str(place)}
        await js.publish_async(f"evt.{school}.naive.goal.activated", body, wait_stall=30, headers=headers)
    await js.publish_async_completed()


async def relay(servers: BenchServers, runs: int) -> list[Report]:
    """Measures the drain of a full journal."""
    return [
        await report(
            "relay: drain of a full journal",
            {"naive": naive_drain(servers), "product": product_drain(servers)},
            (
                Target("events/s over naive", "per_s", "product", "naive", at_least=12),
                Target("cpu of naive over product", "cpu_us", "naive", "product"),
            ),
            runs,
        )
    ]


async def durable(servers: BenchServers, runs: int) -> list[Report]:
    """Measures the relay against a windowed publish where every acknowledgement means fsync."""
    return [
        await report(
            "relay with sync_interval: always",
            {"windowed publish": windowed(servers, 1500), "product": product_drain(servers)},
            (Target("events/s over the window", "per_s", "product", "windowed publish", at_least=7),),
            runs,
            f"window: nats-py's publish_async with {PENDING} under way, from memory; the product reads its journal too",
        )
    ]


def fetching(servers: BenchServers) -> Run:
    """Returns a run of nats-py's fetch(500), acknowledging each message, into nothing."""

    async def run() -> Mapping[str, float]:
        await servers.naive_stream()
        client = await nats.connect(servers.plain.url)
        await _publish(client, [made.body(made.SCHOOLS[0], uuid.uuid4()).encode() for _ in range(FETCHED)])
        subscription = await client.jetstream().pull_subscribe("evt.>", "fetch", stream=STREAM)
        cpu_s, own_s, left, started = servers.cpu_s(), time.process_time(), FETCHED, time.monotonic()
        while left > 0:
            for message in await subscription.fetch(FETCH, timeout=10):
                await message.ack()
                left -= 1
        taken = time.monotonic() - started
        used = servers.cpu_s() - cpu_s + time.process_time() - own_s
        await client.close()
        return {"per_s": FETCHED / taken, "cpu_us": used / FETCHED * 1e6}

    return run


def inserting(servers: BenchServers) -> Run:
    """Returns a run of the naive consumer over a full stream, from its first line to its last."""

    async def run() -> Mapping[str, float]:
        dsn = await servers.naive_database("bench_insert")
        await servers.naive_stream()
        client = await nats.connect(servers.plain.url)
        await _publish(client, [made.body(made.SCHOOLS[0], uuid.uuid4()).encode() for _ in range(INSERTED)])
        await client.close()
        env = servers.naive_environment(dsn)
        worker = await Worker.start("tests.bench.naive", ["consumer"], env, servers.root / "inserting.log")
        first = (await worker.ask("lines"))["lines"]
        cpu_s, started = servers.cpu_s() + tree_cpu_s(worker.pid), time.monotonic()
        ended = float((await worker.ask("until", lines=INSERTED))["at"])
        used = servers.cpu_s() + tree_cpu_s(worker.pid) - cpu_s
        await worker.stop()
        return {"per_s": (INSERTED - first) / (ended - started), "cpu_us": used / (INSERTED - first) * 1e6}

    return run


def projecting(servers: BenchServers, react: str) -> Run:
    """Returns a run of the product's projection over a full stream, from the first commit seen to the last."""

    async def run() -> Mapping[str, float]:
        databases = await fresh(servers, "goals", "audit")
        await open_table(databases["audit"])
        await empty_stream(servers)
        await journal(databases["goals"], JOURNALED)
        async with relaying(servers, databases["goals"]) as relay:
            while await _unsent(servers, databases["goals"]):
                await relay.flush()
        lag = await Lag.of(servers, databases["audit"])
        # Its journal is what the projection asks when messages went to an earlier run's inbox.
        env = environment(servers, databases["goals"])
        producer = await Worker.start("tests.bench.product.producer", [], env, servers.root / "projected.log")
        env = environment(servers, databases["audit"], BENCH_REACT=react)
        worker = await Worker.start("tests.bench.product.consumer", [], env, servers.root / "projecting.log")
        async with asyncio.timeout(60):
            while (first := await lag.applied()) == 0:  # noqa: ASYNC110  another process's database tells nobody
                await asyncio.sleep(0.002)
        cpu_s, started = servers.cpu_s() + tree_cpu_s(worker.pid), time.monotonic()
        ended = await lag.until(JOURNALED)
        used = servers.cpu_s() + tree_cpu_s(worker.pid) - cpu_s
        await lag.close()
        await worker.stop()
        await producer.stop()
        return {"per_s": (JOURNALED - first) / (ended - started), "cpu_us": used / (JOURNALED - first) * 1e6}

    return run


NOTHING = "nats-py fetch(500)+ack, nothing"
INSERTS = "naive, one insert a message"


async def projection(servers: BenchServers, runs: int) -> list[Report]:
    """Measures the projection into nothing and into a table."""
    return [
        await report(
            "projection: over a full stream",
            {
                NOTHING: fetching(servers),
                "product, nothing": projecting(servers, "nothing"),
                INSERTS: inserting(servers),
                "product, a table": projecting(servers, "table"),
            },
            (
                Target("into nothing, over nats-py", "per_s", "product, nothing", NOTHING, at_least=2),
                Target("into a table, over naive", "per_s", "product, a table", INSERTS, at_least=20),
                Target("cpu: nats-py over the product, nothing", "cpu_us", NOTHING, "product, nothing"),
                Target("cpu: naive over the product, a table", "cpu_us", INSERTS, "product, a table"),
            ),
            runs,
            "the product's 'nothing' still parses, checks the chain and moves a durable cursor; nats-py's does not",
        )
    ]
