"""A gate in this process with a school, its tools' streams on a broker of its own, and what a tool does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import nats
import pydantic_core
from nats.aio.client import Client

from deploy.embedded.nats import binary
from deploy.embedded.process import free_port, listens, spawn, wait_until
from deploy.gate_account import new_stream
from services.gate.heard import Heard
from services.gate.model import At, pseudonym
from services.gate.places import Place, Wakes
from services.gate.putting import Putter
from services.gate.reactions import lanes
from services.gate.streams import Streams
from shared.clock import Clock, Ids
from shared.db import Database
from shared.events.base import Event, Fact
from shared.events.network import AccessChanged, Grant
from shared.events.words import Action, Basis, Category, Purpose, Role
from shared.projection import Applier
from shared.telemetry import Telemetry
from shared.unit_run import Unit
from tests.faults.stage import until
from tests.notifications.support import LONG_AGO, Lane, accepted, act, journaled

CONFIG = """\
host: 127.0.0.1
port: {port}
jetstream {{ store_dir: "{store}", max_mem: 64MB, max_file: 2GB }}
"""
ADD_TOOL = """
INSERT INTO tool (school, id, version, account, label, purpose, categories, types, agreement, channel, state, registered_at, secret)
VALUES ($1, $2, 1, $3, 'a tool', 'local_tool', $4, $5, 'dpa-1', 'nats', 'active', clock_timestamp(), $6)
"""  # noqa: E501  a column list is read across
LEASE = "INSERT INTO access_lease SELECT $1, clock_timestamp(), generation_now(), 0, 0 ON CONFLICT DO NOTHING"
TEACHER = uuid4()


class Broker:
    """A nats-server with JetStream and no accounts: the tools' account as the gate sees it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self._process: Any = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it listens."""
        self.home.mkdir(parents=True, exist_ok=True)
        config = self.home / "broker.conf"
        config.write_text(CONFIG.format(port=self.port, store=self.home / "store"))
        process = self._process = spawn([str(binary()), "-c", str(config)], self.home / "broker.log")
        wait_until(lambda: listens(process.pid, self.port), process, self.home / "broker.log", 20)

    def kill(self) -> None:
        """Ends it as kill -9 does."""
        self._process.kill()
        self._process.wait(10)


@contextmanager
def broker(home: Path) -> Iterator[Broker]:
    """Yields a broker that runs; ends it with the body."""
    made = Broker(home)
    made.start()
    try:
        yield made
    finally:
        made.kill()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, and its account."""

    id: UUID
    account: str
    secret: str

    def theirs(self, ours: UUID) -> str:
        """What it knows an id as."""
        return str(pseudonym(self.secret, ours))


@dataclass
class Got:
    """What a tool keeps: each message once by (epoch, sequence), in the order in which it came."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    repeated: list[dict[str, Any]] = field(default_factory=list)

    def take(self, message: dict[str, Any]) -> None:
        """Takes one, as a tool should: what it has by its number it knows already."""
        key = (message["epoch"], message["sequence"])
        known = {(one["epoch"], one["sequence"]) for one in self.messages}
        (self.repeated if key in known else self.messages).append(message)

    @property
    def numbers(self) -> list[int]:
        """The numbers, in the order in which they came."""
        return [one["sequence"] for one in self.messages]

    def kinds(self) -> list[str]:
        """The types, shortened to entity and verb."""
        return [".".join(one["type"].split(".")[3:-1]) for one in self.messages]


@dataclass
class House:
    """One school with children, its gate and its tools."""

    db: Database
    unit: Unit
    school: str
    client: Client
    wakes: Wakes
    alarms: list[str] = field(default_factory=list)
    revisions: dict[UUID, int] = field(default_factory=dict)
    given: dict[UUID, dict[UUID, set[Category]]] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)
    changes: list[Event] = field(default_factory=list)
    """Every change of access, in order."""
    network: Lane = field(init=False)
    goals: Lane = field(init=False)
    putter: Putter = field(init=False)
    applier: Applier = field(init=False)

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self.network, self.goals = Lane(self.school, "network", now), Lane(self.school, "goals", now)
        self.applier = Applier(self.db, lanes(self.heard, self.wakes.wake), Ids(), Telemetry("gate", export=False))
        self.putter = self.make_putter()

    def make_putter(self, streams: Any = None, unit: Unit | None = None) -> Putter:  # noqa: ANN401  a stand-in
        """Returns a putter as another process would begin: it knows nothing."""

        def alarm(code: str, text: str, **facts: object) -> None:
            del text, facts
            self.alarms.append(code)

        streams = streams or Streams(self.client, Ids())
        heard = Heard() if hasattr(self, "putter") else self.heard
        db, unit, days = self.db, unit or self.unit, timedelta(days=30)
        return Putter(db, unit, Ids(), Clock(), streams, self.wakes, heard, alarm, 4.0, days, batch=50)

    async def tool(self, *categories: Category, types: tuple[str, ...] = ()) -> Tool:
        """Registers a tool, with its stream and consumer."""
        made = Tool(uuid4(), "A" + uuid4().hex.upper(), uuid4().hex * 2)
        async with self.db.school(self.school) as conn:
            wanted = list(categories or tuple(Category))
            await conn.execute(ADD_TOOL, self.school, made.id, made.account, wanted, list(types), made.secret)
        await self.make_stream(made)
        return made

    async def make_stream(self, tool: Tool) -> None:
        """Makes a tool's stream and consumer as the provisioner does."""
        await self.api(
            f"STREAM.CREATE.OUT-{tool.account}",
            name=f"OUT-{tool.account}",
            subjects=[f"out.{tool.account}.>"],
            storage="file",
            allow_rollup_hdrs=True,
            allow_atomic=True,
            max_bytes=1_000_000,
            **new_stream(time.time_ns()),
        )
        config = {"durable_name": tool.account, "ack_policy": "explicit", "ack_wait": 30_000_000_000}
        name = f"OUT-{tool.account}"
        await self.api(f"CONSUMER.CREATE.{name}.{tool.account}", stream_name=name, config=config)

    async def config(self, tool: Tool) -> dict[str, Any]:
        """Returns a stream's settings."""
        found: dict[str, Any] = (await self.api(f"STREAM.INFO.OUT-{tool.account}"))["config"]
        return found

    async def api(self, subject: str, **body: object) -> dict[str, Any]:
        """Asks JetStream something."""
        reply = await self.client.request(f"$JS.API.{subject}", pydantic_core.to_json(body), timeout=5)
        told: dict[str, Any] = json.loads(reply.data)
        assert "error" not in told, told
        return told

    async def wipe(self, tool: Tool) -> None:
        """Deletes a tool's stream, with its consumer."""
        await self.api(f"STREAM.DELETE.OUT-{tool.account}")

    # What happens on the platform ---------------------------------------------------------------------------------

    async def lease(self) -> None:
        """Has grants count for another five seconds."""
        async with self.db.school(self.school) as conn:
            await conn.execute(LEASE, self.school)

    async def allow(self, child: UUID, tool: Tool, *categories: Category, until: datetime | None = None) -> Event:
        """Gives a tool exactly these categories of a child; none: takes all away."""
        self.given.setdefault(child, {})[tool.id] = set(categories)
        self.revisions[child] = self.revisions.get(child, 0) + 1
        grants = tuple(
            Grant(
                id=uuid4(),
                member=member,
                role=Role.LOCAL_TOOL,
                actions=(Action.VIEW, Action.RECEIVE),
                categories=tuple(sorted(given)),
                purposes=(Purpose.LOCAL_TOOL,),
                basis=Basis.CONSENT,
                consent=uuid4(),
                consent_version=1,
                valid_from=LONG_AGO,
                valid_until=until,
            )
            for member, given in self.given[child].items()
            if given
        )
        fact = AccessChanged(revision=self.revisions[child], grants=grants)
        event = self.network.add(fact, child, act(TEACHER), child)
        self.changes.append(event)
        await self.apply("network", event)
        return event

    async def happens(self, child: UUID, fact: Fact | None = None) -> Event:
        """Has something happen to a goal of a child."""
        event = self.goals.add(fact or accepted(), child, act(TEACHER, role=Role.TEACHER), uuid4())
        await self.apply("goals", event)
        return event

    async def apply(self, producer: str, *events: Event) -> None:
        """Applies events of a lane."""
        applied = await self.applier.apply(self.school, producer, events)
        assert applied.missing_from is None

    # What the gate does -------------------------------------------------------------------------------------------

    async def put(self, putter: Putter | None = None) -> None:
        """Puts out all that waits, now."""
        await self.lease()
        putter = putter or self.putter
        await putter.look(self.school)
        workers = [place.worker for place in putter.places.values() if place.worker is not None]
        await asyncio.gather(*workers)

    def place(self, tool: Tool) -> Place:
        """Returns what the putter knows of a tool."""
        return self.putter.places[self.school, tool.id]

    def at(self, tool: Tool) -> At:
        """Returns where the putter thinks that a tool stands."""
        found = self.place(tool).at
        assert found is not None
        return found

    async def noted(self, tool: Tool, acked: int) -> None:
        """Waits until the broker has counted, and the putter noted, that a tool acknowledged so many."""

        async def counted() -> bool:
            await self.putter.look_after()
            return self.at(tool).acked == acked

        await until(counted, 10, f"{acked} acknowledged")

    async def told(self, *names: str) -> list[Event]:
        """Returns the gate's own events of these names."""
        async with self.db.school(self.school) as conn:
            events = await journaled(conn)
        return [event for event in events if ".".join(event.type.split(".")[3:-1]) in names]

    # What a tool does ---------------------------------------------------------------------------------------------

    async def fetch(self, tool: Tool, got: Got | None = None, most: int = 1000, *, ack: bool = True) -> Got:
        """Fetches what its stream holds, and acknowledges it."""
        got = got or Got()
        inbox = await self.client.subscribe(self.client.new_inbox())
        subject = f"$JS.API.CONSUMER.MSG.NEXT.OUT-{tool.account}.{tool.account}"
        asked = json.dumps({"batch": most, "no_wait": True}).encode()
        await self.client.publish(subject, asked, reply=inbox.subject)
        try:
            for _ in range(most):
                message = await inbox.next_msg(5)
                if message.headers and "Status" in message.headers:
                    break
                got.take(json.loads(message.data))
                if ack:
                    await self.client.publish(message.reply, b"+ACK")
        finally:
            await inbox.unsubscribe()
        await self.client.flush()
        return got


@asynccontextmanager
async def housed(dsn: str, url: str, school: str) -> AsyncIterator[House]:
    """Yields a house on a database and a broker."""
    db = await Database.connect(dsn, 8)
    client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    try:
        yield House(db, Unit("gate", db, Ids()), school, client, Wakes())
    finally:
        await client.close()
        await db.close()
