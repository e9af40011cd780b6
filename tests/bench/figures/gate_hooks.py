"""Webhooks in numbers: deliveries a second beside bare POSTs to the same receiver, and how soon an event is there."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from services.gate.addresses import parse
from services.gate.courier import CONTENT, LINES, Courier
from services.gate.knocking import Line
from services.gate.places import Wakes
from services.gate.signing import Key, make_secret, signed
from shared.clock import Clock, Ids
from shared.events.gate import WebhookScheme
from shared.events.words import Category
from tests.bench.figures.gate import happened, leased
from tests.bench.harness import Report, Run, Target, report
from tests.bench.machine import percentile
from tests.bench.product.stack import fresh
from tests.bench.servers import BenchServers
from tests.gate.house import House, Tool, housed
from tests.gate.receiver import OK, Got, Receiver, receiving

TOOLS = 10
CHILDREN = 20
EVENTS = 100
"""Events that every tool wants: 1,000 deliveries a run, each tool with connections to spare."""
SINGLE = 150
SECRET = make_secret(WebhookScheme.HMAC, b"a bench's thirty-two fixed bytes")
ADD_TOOL = """
INSERT INTO tool (school, id, version, account, label, purpose, categories, types, agreement, channel, state, registered_at, secret)
VALUES ($1, $2, 1, NULL, 'a tool', 'local_tool', $3, '{}', 'dpa-1', 'webhook', 'active', clock_timestamp(), $4)
"""  # noqa: E501  a column list is read across
ADD_WEBHOOK = "INSERT INTO webhook VALUES ($1, $2, 1, $3, $4, clock_timestamp())"


@asynccontextmanager
async def opened(servers: BenchServers, tools: int) -> AsyncIterator[tuple[House, Courier, Receiver, list[UUID]]]:
    """Yields a gate whose tools are told by webhook and may all receive of all children, and their one receiver."""
    made = await fresh(servers, "gate")
    async with (
        receiving(Receiver()) as receiver,
        housed(made["gate"].dsn, servers.plain.url, f"h-{uuid4().hex[:8]}") as house,
    ):
        found, children = [await _tool(house, receiver) for _ in range(tools)], [uuid4() for _ in range(CHILDREN)]
        for child in children:
            house.given[child] = {tool.id: {Category.GOALS} for tool in found}
            await house.allow(child, found[0], Category.GOALS)
        leasing = asyncio.create_task(leased(house))
        try:
            await house.lease()
            yield house, _courier(house), receiver, children
        finally:
            leasing.cancel()


async def _tool(house: House, receiver: Receiver) -> Tool:
    made = Tool(uuid4(), "", uuid4().hex * 2)
    async with house.db.school(house.school) as conn:
        await conn.execute(ADD_TOOL, house.school, made.id, list(Category), made.secret)
        keys = [{"secret": SECRET, "until": None}]
        await conn.execute(ADD_WEBHOOK, house.school, made.id, f"http://127.0.0.1:{receiver.port}/hook", keys)
    return made


def _courier(house: House) -> Courier:
    def alarm(code: str, text: str, **facts: object) -> None:
        raise RuntimeError(f"{code}: {text} {facts}")

    context, days, chance = ssl.create_default_context(), timedelta(days=30), random.Random(1).random
    return Courier(house.db, house.unit, Ids(), Clock(), Wakes(), alarm, context, 4.0, days, chance, loopback=True)


async def _delivered(house: House, courier: Courier) -> None:
    await courier.look(house.school)
    await asyncio.gather(*(door.worker for door in courier.doors.values() if door.worker is not None))


def hooks(servers: BenchServers) -> Run:
    """Returns a run of events that wait, until each tool's receiver has confirmed all."""

    async def run() -> Mapping[str, float]:
        async with opened(servers, TOOLS) as (house, courier, receiver, children):
            await house.apply("goals", *happened(house, children, EVENTS))
            started = time.perf_counter()
            await _delivered(house, courier)
            took = time.perf_counter() - started
            if len({got.id for got in receiver.got}) != EVENTS * TOOLS:
                msg = f"not all came: {len(receiver.got)}"
                raise RuntimeError(msg)
        return {"per_s": EVENTS * TOOLS / took}

    return run


def soon(servers: BenchServers) -> Run:
    """Returns a run of single events, each timed from its arrival at the gate until the receiver has it."""

    async def run() -> Mapping[str, float]:
        async with opened(servers, 1) as (house, courier, receiver, children):
            came, took = asyncio.Event(), list[float]()

            def answer(got: Got) -> bytes:
                del got
                came.set()
                return OK

            receiver.answer = answer
            for event in happened(house, children, SINGLE):
                came.clear()
                started = time.perf_counter()
                await house.apply("goals", event)
                delivering = asyncio.create_task(_delivered(house, courier))
                await came.wait()
                took.append((time.perf_counter() - started) * 1000)
                await delivering
        return {"p50_ms": percentile(took, 50), "p99_ms": percentile(took, 99)}

    return run


async def _bare() -> Mapping[str, float]:
    """POSTs as many signed bodies over as many connections, and nothing else."""
    context, keys, took = ssl.create_default_context(), [Key(SECRET)], list[float]()
    body = b'{"data":"' + b"x" * 700 + b'"}'
    async with receiving(Receiver()) as receiver:
        target = parse(f"http://127.0.0.1:{receiver.port}/hook", loopback=True)

        async def send(count: int) -> None:
            line = await Line.open(target, context, loopback=True)
            for _ in range(count):
                started = time.perf_counter()
                headers = signed(keys, uuid4().hex, datetime.now(UTC), body) | {"Content-Type": CONTENT}
                await line.post(headers, body, asyncio.get_running_loop().time() + 4)
                took.append((time.perf_counter() - started) * 1000)
            line.close()

        started = time.perf_counter()
        await asyncio.gather(*(send(EVENTS // LINES) for _ in range(TOOLS * LINES)))
        lasted, took = time.perf_counter() - started, []
        await send(SINGLE)
    return {"per_s": EVENTS * TOOLS / lasted, "p50_ms": percentile(took, 50), "p99_ms": percentile(took, 99)}


async def gate_hooks(servers: BenchServers, runs: int) -> list[Report]:
    """Webhooks: deliveries a second over ten tools, and event to receiver."""
    return [
        await report(
            f"gate-hooks: deliveries to {TOOLS} tools by webhook, each checked, numbered, signed and with its line",
            {"hooks": hooks(servers), "to one": soon(servers), "bare": _bare},
            (
                Target("deliveries/s", "per_s", "hooks"),
                Target("deliveries/s over bare POSTs", "per_s", "hooks", over="bare"),
                Target("event to receiver, p50, ms", "p50_ms", "to one"),
                Target("event to receiver, p99, ms", "p99_ms", "to one"),
                Target("event to receiver over a bare POST, p50", "p50_ms", "to one", over="bare"),
            ),
            runs,
            "one process, the receiver in it, plain http; from the event's arrival at the gate: no bus, no relay",
        )
    ]
