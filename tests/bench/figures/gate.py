"""What the gate does in numbers: how many put-outs leave a second to fifty tools, and how soon one reaches a tool."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from statistics import quantiles
from uuid import UUID, uuid4

from nats.aio.subscription import Subscription

from services.gate.putting import BATCH
from shared.events.base import Event
from shared.events.words import Category
from tests.bench.harness import Report, Run, Target, report
from tests.bench.product.stack import fresh
from tests.bench.servers import BenchServers
from tests.gate.house import House, Tool, housed
from tests.notifications.support import accepted, act

TOOLS = 50
CHILDREN = 20
EVENTS = 400
"""Events that every tool wants: 20,000 put-outs a run."""
A_TURN = 50
"""Events that come together, as from a busy lane."""
SINGLE = 150


@asynccontextmanager
async def opened(servers: BenchServers) -> AsyncIterator[tuple[House, list[Tool], list[UUID]]]:
    """Yields a gate of fifty tools that may all receive of all children."""
    made = await fresh(servers, "gate")
    async with housed(made["gate"].dsn, servers.plain.url, f"b-{uuid4().hex[:8]}") as house:
        tools, children = await _furnished(house)
        leasing = asyncio.create_task(leased(house))
        try:
            await house.lease()
            yield house, tools, children
        finally:
            leasing.cancel()


async def _furnished(house: House) -> tuple[list[Tool], list[UUID]]:
    tools, children = [await house.tool() for _ in range(TOOLS)], [uuid4() for _ in range(CHILDREN)]
    for child in children:
        house.given[child] = {tool.id: {Category.GOALS} for tool in tools}
        await house.allow(child, tools[0], Category.GOALS)
    house.putter.batch = BATCH
    return tools, children


def happened(house: House, children: list[UUID], count: int) -> list[Event]:
    """Returns the next events of goals, of every child in turn."""
    by = act(uuid4())
    return [house.goals.add(accepted(), children[n % len(children)], by, uuid4()) for n in range(count)]


async def leased(house: House) -> None:
    """Keeps grants countable until cancelled."""
    while True:
        await house.lease()
        await asyncio.sleep(1)


def out(servers: BenchServers) -> Run:
    """Returns a run of events that come at once, until all lie in fifty tools' streams."""

    async def run() -> Mapping[str, float]:
        async with opened(servers) as (house, tools, children):
            events = happened(house, children, EVENTS)
            started = time.perf_counter()
            for start in range(0, EVENTS, A_TURN):
                await house.apply("goals", *events[start : start + A_TURN])
            queued = time.perf_counter()
            await house.put()
            ended = time.perf_counter()
            if any(house.at(tool).out_seq != EVENTS for tool in tools):
                msg = "not all left"
                raise RuntimeError(msg)
        count = EVENTS * TOOLS
        return {
            "queued_per_s": count / (queued - started),
            "left_per_s": count / (ended - queued),
            "both_per_s": count / (ended - started),
        }

    return run


def soon(servers: BenchServers, listening: int) -> Run:
    """Returns a run of single events, each timed until it has come to each of so many tools that wait for it.

    The others of the fifty are there, and may not receive of that child.
    """

    async def run() -> Mapping[str, float]:
        async with opened(servers) as (house, fifty, _):
            took: list[float] = []
            tools, child = fifty[:listening], uuid4()
            house.given[child] = {tool.id: {Category.GOALS} for tool in tools}
            await house.allow(child, tools[0], Category.GOALS)
            inboxes = [await house.client.subscribe(house.client.new_inbox()) for _ in tools]
            asked = json.dumps({"batch": 1, "expires": 5_000_000_000}).encode()
            for event in happened(house, [child], SINGLE):
                for tool, inbox in zip(tools, inboxes, strict=True):
                    subject = f"$JS.API.CONSUMER.MSG.NEXT.OUT-{tool.account}.{tool.account}"
                    await house.client.publish(subject, asked, reply=inbox.subject)
                await house.client.flush()
                started = time.perf_counter()

                async def come(inbox: Subscription, started: float = started) -> None:
                    message = await inbox.next_msg(5)
                    took.append((time.perf_counter() - started) * 1000)
                    await house.client.publish(message.reply, b"+ACK")

                waiting = asyncio.gather(*map(come, inboxes))
                await house.apply("goals", event)
                await house.put()
                await waiting
        cuts = quantiles(took, n=100)
        return {"p50_ms": cuts[49], "p99_ms": cuts[98]}

    return run


async def gate_out(servers: BenchServers, runs: int) -> list[Report]:
    """Out: put-outs a second over fifty tools, and event to tool."""
    return [
        await report(
            "gate-out: put-outs to 50 tools, each checked, numbered and with its line",
            {"out": out(servers), "to one": soon(servers, 1), "to fifty": soon(servers, TOOLS)},
            (
                Target("deliveries/s over 50 tools", "left_per_s", "out", at_least=5_000),
                Target("the same with queueing", "both_per_s", "out", at_least=5_000),
                Target("of it, leaving over queueing", "left_per_s", "out", over="out", over_measure="queued_per_s"),
                Target("event to the one tool that may have it, p50, ms", "p50_ms", "to one", at_most=10),
                Target("event to each of fifty, p50, ms", "p50_ms", "to fifty", at_most=10),
            ),
            runs,
            "one process, a broker without accounts; from the event's arrival at the gate: bus and relay are apart",
        )
    ]
