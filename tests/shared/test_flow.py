"""From a journal over the relay, the bus and the consumer into another service's table: on real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from nats.aio.client import Client

from shared import settle
from shared.actor import SigningKey
from shared.bus import Bus
from shared.clock import Clock, Ids
from shared.consumer import Consumer
from shared.db import Connection, Database
from shared.errors import Transient
from shared.events.base import Event, NewEvent
from shared.lanes import LaneState
from shared.projection import Applier, Lane, Policy
from shared.relay import Relay
from shared.replay import Replay
from shared.session import Session
from shared.telemetry import Telemetry
from shared.unit_run import Unit
from tests.shared.notes import TABLES, WRITE, WriteNote, asked, give, grant, person
from tests.shared.test_projection import SEEN
from tests.support.fixtures import DatabaseFactory, LoginFactory
from tests.support.servers import EmbeddedServers, Servers

WITHIN_S = 10.0
UNSENT = """
SELECT 1 FROM journal_head h LEFT JOIN relay_cursor c USING (school)
 WHERE h.school = ANY($1::text[]) AND h.seq > coalesce(c.seq, 0)
"""


async def until(holds: Callable[[], bool], within_s: float = WITHIN_S) -> float:
    """Waits until something holds; returns how long that took, in seconds."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while not holds():
        assert loop.time() - started < within_s, "it did not come about in time"
        await asyncio.sleep(0.02)
    return loop.time() - started


class Flow:
    """A producer (`goals`) and a consumer (`audit`), each with its own database and login."""

    def __init__(self, school: str, producer: Database, consumer: Database, relay_dsn: str, consumer_dsn: str) -> None:
        self.school = school
        self.db = producer
        self.consumer_db = consumer
        self.relay_dsn = relay_dsn
        self.consumer_dsn = consumer_dsn
        self.seen: list[int] = []
        self.others = (f"{school}-1", f"{school}-2")
        """Schools that have work of their own."""
        self.who, self.child = person(), uuid4()
        self.who = type(self.who)(self.who.id, self.who.kind, school, self.who.door)

    def build(self, goals: Client, audit: Client, key: SigningKey) -> None:
        telemetry = Telemetry("toy", export=False)
        self.relay = Relay(Session(self.relay_dsn, "relay"), Bus(goals, "goals", key, Clock()), telemetry)
        self.replay = Replay(self.db, Bus(goals, "goals", key, Clock()), lambda _: None)
        self.unit = Unit("goals", self.db, Ids(Random(3)), authority=True, committed=self.relay.wake)
        applier = Applier(self.consumer_db, [Lane("goals", self.react, Policy.BLOCK)], Ids(Random(4)), telemetry)
        self.consumer = Consumer(
            Session(self.consumer_dsn, "consumer"), Bus(audit, "audit", key, Clock()), applier, ["goals"], telemetry
        )

    @property
    def applied(self) -> int:
        """Up to where the consumer has committed the school's events."""
        return self.consumer.lanes["goals", self.school].position.seq

    def heads(self) -> list[LaneState]:
        """What the consumer has heard of the lanes of all schools."""
        return [self.consumer.lanes["goals", school] for school in (self.school, *self.others)]

    async def react(self, conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
        await conn.executemany(
            "INSERT INTO seen (school, seq) VALUES ($1, $2)", [(event.school, event.seq) for event in events]
        )
        self.seen += [event.seq for event in events if event.school == self.school]
        return ()

    async def write(self, count: int, school: str = "") -> None:
        who = replace(self.who, school=school or self.school)
        await asyncio.gather(
            *(self.unit.run(WRITE, asked(who, WriteNote(child=self.child, words=f"word {n}"))) for n in range(count))
        )

    async def sent(self, *others: str) -> None:
        """Waits until the broker acknowledged every event of the school, and of these; the rest may go on."""
        while await self.relay.session.fetch(UNSENT, [self.school, *others]):  # noqa: ASYNC110  a table of another session
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """The consumer has all that it may have under way from another school: what the body writes, it has not got."""
        async with self.consumer.turn:
            await self.write(1100, self.others[0])
            yield

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """The other schools go on while the body runs."""

        async def work() -> None:
            while True:
                await asyncio.gather(*(self.write(1, school) for school in self.others))

        working = asyncio.create_task(work())
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def stored(self) -> list[int]:
        async with self.consumer_db.school(self.school) as conn:
            rows = await conn.fetch("SELECT seq FROM seen WHERE school = $1 ORDER BY number", self.school)
        return [row[0] for row in rows]


@pytest.fixture
async def flow(
    database: DatabaseFactory,
    nats_login: LoginFactory,
    infra: Servers,
    bus: Client,  # noqa: ARG001  empties the stream
    school: str,
) -> AsyncIterator[Flow]:
    async with AsyncExitStack() as stack:
        made = {service: await database(service) for service in ("goals", "audit")}
        for service, sql in (("goals", TABLES), ("audit", SEEN)):
            owner = await asyncpg.connect(made[service].owner_dsn)
            await owner.execute(sql)
            await owner.close()
        dbs = {service: await Database.connect(one.dsn, 4) for service, one in made.items()}
        for db in dbs.values():
            stack.push_async_callback(db.close)
        flow = Flow(school, dbs["goals"], dbs["audit"], made["goals"].relay_dsn, made["audit"].dsn)
        flow.build(await nats_login("goals"), await nats_login("audit"), SigningKey.load(infra.keys.token_key("goals")))
        for one in (school, *flow.others):
            await give(flow.db, flow.child, grant(flow.who.id), school=one)
        yield flow


class Running:
    """Starts the parts of a flow as tasks and ends them with the test."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, *jobs: Coroutine[Any, Any, None]) -> None:
        self.tasks += [asyncio.create_task(job) for job in jobs]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    yield made
    await made.stop()


async def test_every_event_arrives_once_and_in_order(flow: Flow, running: Running) -> None:
    await flow.consumer.listen()
    await flow.replay.serve()
    running.start(flow.relay.run(), flow.consumer.run())
    await flow.write(300)
    await until(lambda: flow.applied >= 300)
    assert await flow.stored() == list(range(1, 301))


async def test_a_backlog_of_a_thousand_goes_in_batches_after_a_repeat(flow: Flow, running: Running) -> None:
    """The relay's cursor is set back, as after a crash before it moved: batches with repeats fall back to a window."""
    await flow.write(700)
    await flow.relay.session.wait_for_lock()
    assert await flow.relay._pass()
    await flow.relay.session.fetch("UPDATE relay_cursor SET seq = 300")
    await flow.consumer.listen()
    await flow.replay.serve()
    running.start(flow.relay.run(), flow.consumer.run())
    await until(lambda: flow.applied >= 700)
    assert await flow.stored() == list(range(1, 701))


async def test_a_consumer_with_a_long_backlog_takes_it_from_the_stream_and_leaves_the_journal_alone(
    flow: Flow, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def counted(_bus: Bus, producer: str, *_: object) -> list[Event]:
        asked.append(producer)
        raise Transient

    monkeypatch.setattr(settle, "replayed", counted)
    running.start(flow.relay.run())
    for school in (flow.school, *flow.others):
        await flow.write(700, school)
    await flow.relay.session.wait_for_lock()
    await flow.sent(*flow.others)
    await flow.consumer.listen()
    while not all(lane.head.seq for lane in flow.heads()):  # noqa: ASYNC110  heads are told once a second
        await asyncio.sleep(0.05)
    running.start(flow.consumer.run())
    await until(lambda: flow.applied >= 700)
    assert await flow.stored() == list(range(1, 701))
    assert asked == []


async def test_a_tail_that_the_broker_lost_is_taken_from_the_journal_within_three_seconds(
    flow: Flow, running: Running, bus: Client
) -> None:
    await flow.consumer.listen()
    await flow.replay.serve()
    running.start(flow.relay.run())
    await flow.write(20)
    await flow.relay.session.wait_for_lock()
    await flow.sent()
    await bus.request("$JS.API.STREAM.PURGE.EVENTS", b"")
    running.start(flow.consumer.run())
    await until(lambda: flow.applied >= 20, 3.0)
    assert await flow.stored() == list(range(1, 21))


async def test_a_tail_lost_on_a_busy_consumer_is_taken_from_the_journal_within_three_seconds(
    flow: Flow, running: Running, bus: Client
) -> None:
    await flow.consumer.listen()
    await flow.replay.serve()
    running.start(flow.relay.run(), flow.consumer.run())
    await flow.write(5)
    await until(lambda: flow.applied >= 5)
    async with flow.flowing():
        async with flow.busy():
            await flow.write(20)
            await flow.sent()
            lost = await ask(bus, "STREAM.PURGE.EVENTS", {"filter": f"evt.{flow.school}.>"})
            assert lost["purged"] == 25
        await until(lambda: flow.applied >= 25, 3.0)
    assert await flow.stored() == list(range(1, 26))


async def test_a_single_message_that_the_broker_lost_between_others_is_taken_from_the_journal(
    flow: Flow, running: Running, bus: Client
) -> None:
    """Nobody announces a head here: that one is missing shows when the next one comes."""
    await flow.consumer.listen()
    await flow.replay.serve()
    running.start(flow.consumer.run())
    await flow.relay.session.wait_for_lock()
    async with flow.relay.session.beating():
        async with flow.busy():
            await flow.relay.flush()
            await flow.write(9)
            await flow.relay.flush()
            last = (await ask(bus, "STREAM.INFO.EVENTS"))["state"]["last_seq"]
            assert (await ask(bus, "STREAM.MSG.DELETE.EVENTS", {"seq": last - 4}))["success"]
        await until(lambda: flow.applied >= 9, 3.0)
    assert await flow.stored() == list(range(1, 10))


async def ask(bus: Client, subject: str, body: object = None) -> dict[str, Any]:
    data = b"" if body is None else json.dumps(body).encode()
    answer: dict[str, Any] = json.loads((await bus.request(f"$JS.API.{subject}", data)).data)
    return answer


async def test_a_consumer_that_takes_over_settles_what_was_delivered_to_the_one_before(
    flow: Flow, running: Running, bus: Client
) -> None:
    """It heard of the events while it stood by; the messages are not there for it, and no head is announced again."""
    active = Session(flow.consumer_dsn, "consumer")
    await active.wait_for_lock()
    async with active.beating():
        await flow.consumer.listen()
        await flow.replay.serve()
        running.start(flow.consumer.run())
        await flow.write(5)
        await flow.relay.session.wait_for_lock()
        await flow.relay.flush()
        await bus.request("$JS.API.STREAM.PURGE.EVENTS", b"")
        heads = json.dumps(await flow.relay.heads()).encode()
        await flow.relay._bus.client.publish("head.goals", heads)
        await until(lambda: flow.consumer.lanes["goals", flow.school].lag == 5)
    assert flow.seen == []
    await active.close()
    await until(lambda: flow.applied >= 5, 3.0)
    assert await flow.stored() == list(range(1, 6))


async def test_a_second_replica_takes_over_within_five_seconds_of_a_pause(
    flow: Flow, running: Running, nats_login: LoginFactory, infra: Servers
) -> None:
    """A paused process beats no more: its session ends, the other one goes on; the sleeper wakes and does no harm."""
    await flow.consumer.listen()
    await flow.replay.serve()
    key = SigningKey.load(infra.keys.token_key("goals"))
    telemetry = Telemetry("toy", export=False)
    other = Relay(Session(flow.relay_dsn, "relay"), Bus(await nats_login("goals"), "goals", key, Clock()), telemetry)
    await flow.relay.session.take_lock()  # holds it, and never beats
    running.start(other.run(), flow.consumer.run())
    await flow.write(5)
    assert await until(lambda: flow.applied >= 5, 5.0) > 1  # the lock was really held
    await flow.relay.session.fetch("SELECT 1")
    assert not flow.relay.session.holds_lock
    assert await flow.stored() == list(range(1, 6))


async def test_after_the_brokers_store_is_wiped_everything_goes_on(
    own_servers: EmbeddedServers, flow: Flow, running: Running
) -> None:
    await flow.consumer.listen()
    await flow.replay.serve()
    running.start(flow.relay.run(), flow.consumer.run())
    await flow.write(50)
    await until(lambda: flow.applied >= 50)
    await asyncio.to_thread(own_servers.nats.kill)
    await flow.write(50)
    await asyncio.to_thread(own_servers.nats.wipe)
    await asyncio.to_thread(own_servers.nats.start)
    await flow.write(50)
    await until(lambda: flow.applied >= 150, 20)
    assert await flow.stored() == list(range(1, 151))
