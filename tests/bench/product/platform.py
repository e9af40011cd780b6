"""The product's real services as processes, with made-up grants in network's journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import nats
import psutil
from nats.aio.client import Client

from deploy.databases import ServiceDatabase
from shared.actor import SigningKey
from shared.clock import Ids
from shared.db import Database
from shared.events.base import Act, NewEvent
from shared.events.network import AccessChanged, Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role
from shared.journal import append
from tests.bench.event import SCHOOLS, children, teacher
from tests.bench.product.stack import Lag, empty_stream, environment, fresh
from tests.bench.servers import BenchServers, tree_cpu_s
from tests.support.processes import ServiceProcess

SERVICES = ("audit", "network", "goals")
A_TRANSACTION = 100
HEADS = "SELECT coalesce(sum(seq), 0)::bigint FROM journal_head"


@dataclass(slots=True)
class Platform:
    """Services under way, a door's connection, and how far audit has come."""

    services: dict[str, ServiceProcess]
    databases: dict[str, ServiceDatabase]
    door: Client
    key: SigningKey
    lag: Lag

    async def journaled(self) -> int:
        """Returns how many events goals has journaled."""
        return int((await self.lag.elsewhere(self.databases["goals"], HEADS))[0][0])

    def cpu_s(self) -> float:
        """Returns the processor seconds of the services so far."""
        return sum(tree_cpu_s(process.pid) for process in self.services.values())

    def rss_mb(self, service: str) -> float:
        """Returns the resident memory of a service."""
        return float(psutil.Process(self.services[service].pid).memory_info().rss) / 1e6


def grant(school: str, ids: Ids, now: datetime) -> Grant:
    """Returns the teacher's grant on a child."""
    return Grant(
        id=ids.time_ordered(now),
        member=teacher(school),
        role=Role.TEACHER,
        actions=(Action.VIEW, Action.PROPOSE, Action.SCORE),
        categories=(Category.GOALS,),
        purposes=(Purpose.GUIDANCE,),
        basis=Basis.PUBLIC_TASK,
        valid_from=now - timedelta(days=90),
    )


async def give_access(database: ServiceDatabase) -> None:
    """Journals one AccessChanged a child, as network would after an import."""
    db, ids, now = await Database.connect(database.dsn, 2), Ids(Random("grants")), datetime.now(UTC)
    for school in SCHOOLS:
        act = Act(
            actor=teacher(school),
            kind=ActorKind.OPERATOR,
            door="samen",
            purpose=Purpose.ADMINISTRATION,
            action=Action.MANAGE,
            category=Category.NETWORK,
        )
        events = [
            NewEvent(AccessChanged(revision=1, grants=(grant(school, ids, now),)), child, act, child)
            for child in children(school)
        ]
        for start in range(0, len(events), A_TRANSACTION):
            async with db.school(school) as conn:
                await append(conn, school, events[start : start + A_TRANSACTION], ids, now)
    await db.close()


@asynccontextmanager
async def platform(servers: BenchServers, names: Sequence[str] = SERVICES) -> AsyncIterator[Platform]:
    """Runs these services; yields once goals has every grant and a lease behind it."""
    databases = await fresh(servers, *names)
    await give_access(databases["network"])
    await empty_stream(servers)
    services: dict[str, ServiceProcess] = {}
    try:
        for service in names:
            folder = servers.root / f"platform-{service}"
            folder.mkdir(exist_ok=True)
            services[service] = ServiceProcess(service, environment(servers, databases[service]), folder)
            services[service].start()
        for process in services.values():
            await process.ready(40)
        door = await nats.connect(
            servers.nats_url, user_credentials=str(servers.keys.creds("samen")), inbox_prefix=b"_INBOX.samen"
        )
        lag = await Lag.of(servers, databases["audit"])
        grants = await Lag.of(servers, databases["goals"], producer="network")
        await grants.until(len(SCHOOLS) * len(children(SCHOOLS[0])), 30)
        await grants.close()
        await asyncio.sleep(2)  # two rounds of leases: there is no event to await
        yield Platform(services, databases, door, SigningKey.load(servers.keys.token_key("samen")), lag)
        await lag.close()
        await door.close()
    finally:
        for process in services.values():
            process.kill()  # how a service stops is measured elsewhere
