"""The life of a service process: put together, checked, ready, drained. Every service's `__main__` calls `run`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nats.errors
import uvloop
from faststream import FastStream
from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI

from shared.access_authority import Authority
from shared.access_projection import Leases
from shared.actor import SigningKey, Verifier
from shared.bus import Bus
from shared.clock import Clock, Ids
from shared.consumer import Consumer
from shared.db import Connection, Database
from shared.events.base import Event
from shared.forks import ForkGuard
from shared.health import HealthServer
from shared.keyring import follow, trusted_in
from shared.operations import Operations
from shared.projection import Applier, Lane
from shared.relay import Relay
from shared.replay import Replay
from shared.rpc import Door, Replied
from shared.session import Session
from shared.settings import Settings
from shared.telemetry import Telemetry, log_to_stderr
from shared.unit import Endpoint
from shared.unit_run import Unit
from shared.upkeep import collect_seldom, finish_rebuilds, forever, purge, refuse_shifted_time, watch

log = logging.getLogger(__name__)

TakenBack = Callable[[Connection, Sequence[Event]], Awaitable[object]]

DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Service:
    """What a service is made of. `authority`: its own access rows are the policy's (network only).

    `asks` are more system subjects it answers; `tasks` run beside the rest until the process ends.
    """

    name: str
    endpoints: tuple[Endpoint[Any], ...]
    lanes: tuple[Lane, ...] = ()
    tasks: tuple[Callable[[Site], Awaitable[None]], ...] = ()
    authority: bool = False
    taken_back: TakenBack | None = None
    """Applies to the service's own tables what must hold at once of a lost tail (withdrawals, revisions, erasures)."""
    replied: Replied | None = None
    """Comes between a command's commit and its answer."""
    reload: Callable[[Site], Awaitable[None]] | None = None
    """Gives a restored database back what the service keeps outside it. Comes first whenever the journal is in doubt;
    raises Transient: try again, nothing is answered."""


@dataclass(slots=True)
class Site:
    """Everything a running service has, for its own tasks."""

    name: str
    settings: Settings
    db: Database
    bus: Bus
    unit: Unit
    relay: Relay
    guard: ForkGuard
    verifier: Verifier
    keys: Callable[[], Awaitable[None]]
    """Follows the files of its own key and of those that it trusts."""
    telemetry: Telemetry
    clock: Clock
    ids: Ids
    consumer: Consumer | None
    leases: Leases | None
    door: Door
    loop: asyncio.AbstractEventLoop
    taken_back: TakenBack | None
    alive: bool = True
    serving: bool = False
    """The broker knows of every subscription."""
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def alarm(self, code: str, text: str, **facts: object) -> None:
        """Raises an alarm (metric, ERROR line); the runbook explains each code."""
        self.telemetry.alarm(code, text, **facts)

    def state(self) -> dict[str, Any]:
        """Returns what /ready tells: whether requests can be served, and what stands in the way."""
        now = self.loop.time()
        connected = self.bus.client.is_connected
        consuming = self.consumer is None or self.consumer.healthy(now)
        lanes = self.consumer.lanes if self.consumer else {}
        return {
            "service": self.name,
            "ready": connected and self.alive and self.serving and self.guard.checked and consuming,
            "nats": connected,
            "database": self.alive,
            "checked": self.guard.checked,
            "forked": dict(self.guard.forked),
            "consumer": consuming,
            "consuming": self.consumer is not None and self.consumer.active,
            "relay": {"active": self.relay.session.holds_lock, "backlog": self.relay.backlog},
            "lanes": [
                {"producer": p, "school": s, "seq": lane.position.seq, "lag": lane.lag, "stopped": lane.stopped}
                for (p, s), lane in list(lanes.items())
            ],
        }


def run(service: Service) -> None:
    """Runs a service process until SIGTERM or SIGINT, with the environment's settings.

    `python -m services.<name> asyncapi` prints the AsyncAPI document of its events and requests instead.
    """
    if sys.argv[1:] == ["asyncapi"]:
        from shared.contract import document

        sys.stdout.write(json.dumps(document(service.name, service.endpoints), ensure_ascii=False) + "\n")
        return
    settings = Settings()
    log_to_stderr(service.name, settings.log_level)
    uvloop.run(_run(service, settings))


def make_broker(settings: Settings) -> NatsBroker:
    """Returns the broker with this service's login; nothing connects yet."""
    return NatsBroker(
        settings.nats_url,
        user_credentials=str(settings.nats_creds),
        inbox_prefix=f"_INBOX.{settings.service}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,  # type: ignore[arg-type]  # nats-py takes seconds as a float too
        apply_types=False,
        error_cb=_nats_error,
        logger=None,
    )


async def _nats_error(error: Exception) -> None:
    log.warning("nats", extra={"code": "nats_error", "kind": type(error).__name__})


async def _run(service: Service, settings: Settings) -> None:
    broker = make_broker(settings)
    site = await _build(service, settings, broker)
    site.door.serve(service.endpoints)

    @contextlib.asynccontextmanager
    async def life() -> AsyncIterator[None]:
        health = await _start(service, site)
        try:
            yield
        finally:
            health.close()
            await _stop(site)

    app = FastStream(
        broker,
        lifespan=life,
        after_startup=[_serving(site)],
        on_shutdown=[_draining(site)],
        logger=None,
        specification=AsyncAPI(),
    )
    await app.run(log_level=logging.WARNING, sleep_time=0.05)


async def _build(service: Service, settings: Settings, broker: NatsBroker) -> Site:
    clock, ids = Clock(), Ids()
    telemetry = Telemetry(service.name, export="OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ)
    bus = Bus(await broker.connect(), service.name, SigningKey.load(settings.signing_key), clock)
    db = await _patiently(lambda: Database.connect(settings.database_url, settings.pool_size))
    outside = set(settings.witnesses) - {service.name}
    guard = ForkGuard(Session(settings.relay_database_url, "guard"), bus, settings.consumers, outside, telemetry)
    relay = Relay(Session(settings.relay_database_url, "relay"), bus, telemetry, guard.withheld)
    db.lost.append(guard.doubt)
    applier = Applier(db, service.lanes, ids, telemetry, relay.applied, guard.stopped)
    producers = [lane.producer for lane in service.lanes]
    session = Session(settings.database_url, "consumer")
    leases = None if service.authority else Leases(db, bus, telemetry)
    unit = Unit(
        service.name,
        db,
        ids,
        authority=service.authority,
        group_size=settings.group_size,
        release_within_s=settings.release_within_s,
        vouch=leases.vouch if leases else None,
        committed=relay.wake,
        stopped=guard.stopped,
        alarm=telemetry.alarm,
        stray=telemetry.unverified,
    )
    verifier, trusted = trusted_in(settings.trusted_keys)
    return Site(
        name=service.name,
        settings=settings,
        db=db,
        bus=bus,
        unit=unit,
        relay=relay,
        guard=guard,
        verifier=verifier,
        keys=partial(follow, verifier, trusted, bus, settings.signing_key),
        telemetry=telemetry,
        clock=clock,
        ids=ids,
        consumer=Consumer(session, bus, applier, producers, telemetry) if producers else None,
        leases=leases,
        door=Door(broker, unit, verifier, clock, ids, telemetry, settings.under_way, service.replied),
        loop=asyncio.get_running_loop(),
        taken_back=service.taken_back,
    )


async def _patiently(connect: Callable[[], Coroutine[Any, Any, Database]]) -> Database:
    """Connects as soon as the database is there."""
    while True:
        try:
            return await connect()
        except OSError:
            await asyncio.sleep(0.2)


async def _start(service: Service, site: Site) -> HealthServer:
    """Starts everything but the requests, which the broker starts next. Cursors are answered first of all."""
    settings = site.settings
    await refuse_shifted_time(site)
    if site.consumer is not None:
        await site.consumer.listen()
    await Replay(site.db, site.bus, site.guard.stopped).serve()
    if service.authority:
        session = Session(settings.relay_database_url, "leases", durable=True)
        await Authority(site.db, session, site.bus, site.guard.stopped).serve()
    await Operations(site).serve()
    if service.reload is not None:
        site.guard.first = partial(service.reload, site)
    jobs: list[Awaitable[None]] = [site.guard.run(), site.relay.run(), watch(site), purge(site), site.keys()]
    if site.consumer is not None:
        jobs.append(site.consumer.run())
    if site.leases is not None:
        jobs += [site.leases.run(), finish_rebuilds(site)]
    jobs += [task(site) for task in service.tasks]
    site.tasks = [asyncio.ensure_future(forever(job, site.alarm)) for job in jobs]
    health = HealthServer(settings.http_host, settings.http_port, site.telemetry.registry, site.state)
    if settings.port_file is not None:
        _write(settings.port_file, str(health.port))
    log.info("started", extra={"code": "started", "port": health.port})
    collect_seldom()
    return health


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)


def _serving(site: Site) -> Callable[[], Awaitable[None]]:
    async def serving() -> None:
        """Not ready before: NATS tells whoever asks earlier that nobody is there."""
        with contextlib.suppress(nats.errors.Error, TimeoutError):  # it comes back, with every subscription
            await site.bus.client.flush()
        site.serving = True

    return serving


def _draining(site: Site) -> Callable[[], Awaitable[None]]:
    async def drain() -> None:
        await site.door.drain(DRAIN_S)
        await site.relay.flush()  # behind the last answer, and before the broker is left

    return drain


async def _stop(site: Site) -> None:
    for task in site.tasks:
        task.cancel()
    if site.tasks:  # with an end: Python 3.11's wait_for may swallow a cancellation
        await asyncio.wait(site.tasks, timeout=2)
    await site.db.close()
    site.telemetry.close()
