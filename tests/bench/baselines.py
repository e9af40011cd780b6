"""Starts the baselines' processes over a database and a stream of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.bench.servers import BenchServers, tree_cpu_s
from tests.bench.worker import Worker


@dataclass(slots=True)
class Baseline:
    """A baseline under way: who appends or serves, who else works, who counts lines."""

    dsn: str
    producer: Worker
    consumer: Worker
    others: tuple[Worker, ...] = ()

    def cpu_s(self) -> float:
        """Returns the processor seconds of its own processes so far."""
        return sum(tree_cpu_s(worker.pid) for worker in (self.producer, self.consumer, *self.others))

    async def stop(self) -> None:
        """Ends its processes."""
        for worker in (self.producer, *self.others, self.consumer):
            await worker.stop()


@asynccontextmanager
async def naive(servers: BenchServers) -> AsyncIterator[Baseline]:
    """Runs the naive service, relay and consumer, a process each."""
    dsn = await servers.naive_database("bench_naive")
    await servers.naive_stream()
    env, module = servers.naive_environment(dsn), "tests.bench.naive"
    consumer = await Worker.start(module, ["consumer"], env, servers.root / "naive-consumer.log")
    relay = await Worker.start(module, ["relay"], env, servers.root / "naive-relay.log")
    service = await Worker.start(module, ["service"], env, servers.root / "naive-service.log")
    made = Baseline(dsn, service, consumer, (relay,))
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def outbox(servers: BenchServers) -> AsyncIterator[Baseline]:
    """Runs faststream-outbox's producer with its relay, and the naive consumer."""
    dsn = await servers.naive_database("bench_outbox")
    await servers.naive_stream()
    env = servers.naive_environment(dsn)
    consumer = await Worker.start("tests.bench.naive", ["consumer"], env, servers.root / "outbox-consumer.log")
    producer = await Worker.start("tests.bench.outbox", [], env, servers.root / "outbox.log")
    made = Baseline(dsn, producer, consumer)
    try:
        yield made
    finally:
        await made.stop()
