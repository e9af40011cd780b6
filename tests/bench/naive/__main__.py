"""`python -m tests.bench.naive service|relay|consumer`, settings from BENCH_*."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
import nats
import uvloop
from faststream.nats import NatsBroker

from shared.actor import Verifier, load_trusted
from tests.bench.naive import consumer, relay, service
from tests.bench.worker import obey

POOL = 10
STREAM = "NAIVE"


async def _service() -> None:
    pool = await asyncpg.create_pool(os.environ["BENCH_DSN"], min_size=POOL, max_size=POOL)
    broker = NatsBroker(os.environ["BENCH_NATS"], logger=None)
    service.serve(broker, pool, Verifier(load_trusted(Path(os.environ["BENCH_TRUSTED"]))))
    await broker.start()
    await obey(service.orders(pool))
    await broker.stop()
    await pool.close()


async def _relay() -> None:
    conn = await asyncpg.connect(os.environ["BENCH_DSN"])
    client = await nats.connect(os.environ["BENCH_NATS"])
    stop = asyncio.Event()
    task = asyncio.create_task(relay.relay(conn, client.jetstream(), stop))
    await obey({})
    stop.set()
    await task
    await client.close()
    await conn.close()


async def _consumer() -> None:
    pool = await asyncpg.create_pool(os.environ["BENCH_DSN"], min_size=POOL, max_size=POOL)
    broker = NatsBroker(os.environ["BENCH_NATS"], logger=None)
    counter = consumer.Counter()
    consumer.consume(broker, pool, STREAM, counter)
    await broker.start()
    await obey(consumer.orders(counter))
    await broker.stop()
    await pool.close()


if __name__ == "__main__":
    uvloop.run({"service": _service, "relay": _relay, "consumer": _consumer}[sys.argv[1]]())
