"""Starts the product's processes over fresh databases and an emptied stream."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import nats

from deploy import topology
from deploy.databases import ServiceDatabase
from deploy.environment import service_environment
from deploy.provisioner import converge
from tests.bench.product.consumer import TABLE
from tests.bench.servers import BenchServers, tree_cpu_s
from tests.bench.worker import Worker

LOOK_EVERY_S = 0.01
APPLIED = "SELECT coalesce(sum(seq), 0)::bigint FROM projection_cursor WHERE producer = $1"


class Lag:
    """Watches how far a consumer has come with a producer's events, as its committed cursors say."""

    def __init__(self, servers: BenchServers, conn: asyncpg.Connection[asyncpg.Record], producer: str) -> None:
        self._servers = servers
        self._conn = conn
        self._producer = producer

    @classmethod
    async def of(cls, servers: BenchServers, database: ServiceDatabase, producer: str = "goals") -> Lag:
        """Connects as the administrator: the walls would hide the schools."""
        return cls(servers, await asyncpg.connect(servers.dsn(database.name)), producer)

    async def applied(self) -> int:
        """Returns how many events are applied."""
        return int(await self._conn.fetchval(APPLIED, self._producer))

    async def rows(self, sql: str) -> list[asyncpg.Record]:
        """Returns what the consumer's database holds, past the walls."""
        return await self._conn.fetch(sql)

    async def until(self, count: int, within_s: float = 110) -> float:
        """Returns the monotonic moment at which `count` are applied."""
        async with asyncio.timeout(within_s):
            while await self.applied() < count:  # noqa: ASYNC110  another process's database tells nobody
                await asyncio.sleep(LOOK_EVERY_S)
        return time.monotonic()

    async def elsewhere(self, database: ServiceDatabase, sql: str) -> list[asyncpg.Record]:
        """Returns what another service's database holds."""
        conn = await asyncpg.connect(self._servers.dsn(database.name))
        try:
            return await conn.fetch(sql)
        finally:
            await conn.close()

    async def close(self) -> None:
        """Closes the connection."""
        await self._conn.close()


@dataclass(slots=True)
class Pipeline:
    """A producer and a consumer of the product under way."""

    producer: Worker
    consumer: Worker
    lag: Lag
    databases: dict[str, ServiceDatabase]

    def cpu_s(self) -> float:
        """Returns the processor seconds of its own processes so far."""
        return tree_cpu_s(self.producer.pid) + tree_cpu_s(self.consumer.pid)


async def empty_stream(servers: BenchServers) -> None:
    """Makes the product's stream anew: one that is purged remembers the ids of a former run, and drops this one's."""
    client = await nats.connect(
        servers.nats_url,
        user_credentials=str(servers.keys.creds("provisioner-bus")),
        inbox_prefix=b"_INBOX.provisioner",
    )
    try:
        await client.request(f"$JS.API.STREAM.DELETE.{topology.STREAM}", b"", timeout=10)
    finally:
        await client.close()
    await converge(servers.nats_url, servers.keys)


async def fresh(servers: BenchServers, *services: str) -> dict[str, ServiceDatabase]:
    """Makes the services' databases anew, and the log's folder: a log that is there holds a new database to it."""
    made = {}
    for service in services:
        await servers.drop(f"bench_{service}")
        made[service] = await servers.clone(service, f"bench_{service}")
        shutil.rmtree(_log_dir(servers, made[service]), ignore_errors=True)
    return made


async def open_table(database: ServiceDatabase) -> None:
    """Adds the table that the bench's consumer projects into."""
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute(TABLE)
    await owner.close()


def environment(servers: BenchServers, database: ServiceDatabase, **more: str) -> dict[str, str]:
    """Returns a service's environment; only audit is there to bear witness."""
    port_file = servers.root / f"{database.service}.port"
    log_dir = _log_dir(servers, database)
    found = service_environment(database, servers.nats_url, servers.keys, port_file, log_dir, log_level="WARNING")
    return found | more


def _log_dir(servers: BenchServers, database: ServiceDatabase) -> Path:
    return servers.root / "log" / database.name


@asynccontextmanager
async def pipeline(servers: BenchServers, react: str = "table") -> AsyncIterator[Pipeline]:
    """Runs the bench's producer (as goals) and consumer (as audit), a process each."""
    databases = await fresh(servers, "goals", "audit")
    await open_table(databases["audit"])
    await empty_stream(servers)
    workers = {}
    for service, module in (("audit", "consumer"), ("goals", "producer")):
        env = environment(servers, databases[service], BENCH_REACT=react)
        log = servers.root / f"bench-{service}.log"
        workers[service] = await Worker.start(f"tests.bench.product.{module}", [], env, log)
    lag = await Lag.of(servers, databases["audit"])
    try:
        yield Pipeline(workers["goals"], workers["audit"], lag, databases)
    finally:
        await lag.close()
        for worker in workers.values():
            await worker.stop()
