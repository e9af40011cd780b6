"""Tools of schools, each in an account of its own: what five hundred cost, and how fast one is cut off."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.gate_account import KILLED, LIVE, WANT
from tests.bench.harness import Report, Run, Target, report
from tests.bench.machine import percentile
from tests.bench.servers import BenchServers
from tests.support.tools import Tool, connect_tool, gate_door, user_credentials, want

TOOLS = 500
AT_ONCE = 50
EACH = 10
ONE_BY_ONE = 50
NEXT = "$JS.gate.API.CONSUMER.MSG.NEXT.OUT.me"
T = TypeVar("T")


async def accounts(servers: BenchServers, runs: int) -> list[Report]:
    """Measures so many tools on one server: opened, connected, put out to, and cut off one by one and all at once."""
    found = await report(
        f"gate: {TOOLS} tools, each in an account with a stream of its own",
        {"product": opened_and_cut(servers)},
        (
            Target(f"{TOOLS} tools connected", "connected", "product", at_least=TOOLS),
            Target("slots made, s", "made_s", "product"),
            Target("all connect, s", "connect_s", "product"),
            Target("server's memory, MiB more", "server_mib", "product"),
            Target("event to tool p50, ms", "event_p50_ms", "product", at_most=10),
            Target("one killed, until it sees it, p50 ms", "cut_p50_ms", "product"),
            Target(f"{TOOLS - ONE_BY_ONE} killed at once, until all are seen cut, s", "cut_all_s", "product"),
        ),
        runs,
        "without the gate: its door's login puts out; event: one message at a time; events_per_s: as many as this one "
        f"process takes, {AT_ONCE} tools at a time, each message acknowledged",
        "server_mib: a server keeps what an earlier run took, so the largest counts",
        f"cut_answer: until the provisioner answers that it saw no connection left, {ONE_BY_ONE} tools one by one",
        timeout_s=600,
    )
    return [found]


def opened_and_cut(servers: BenchServers) -> Run:
    """Returns a run over new slots."""

    async def run() -> Mapping[str, float]:
        names = servers.keys.prepare_slots(TOOLS)
        states = dict.fromkeys(names, LIVE)
        door = await gate_door(servers.nats_url, servers.keys)
        with tempfile.TemporaryDirectory(dir=servers.root) as folder:
            found, tools = await _opened(servers, door, states, Path(folder))
            calm = await _events(door, tools, at_once=1, each=1)
            found |= {f"event_{name}": calm[name] for name in ("p50_ms", "p99_ms")}
            found["events_per_s"] = (await _events(door, tools, at_once=AT_ONCE, each=EACH))["per_s"]
            found |= await _cut(door, tools, states)
        await door.close()
        return found

    return run


async def _opened(
    servers: BenchServers, door: Client, states: dict[str, str], folder: Path
) -> tuple[dict[str, float], list[Tool]]:
    server = psutil.Process(servers.nats.pid)
    before = server.memory_info().rss
    await want(door, {})  # the provisioner is there
    started = time.perf_counter()
    await _want(door, states)
    made = time.perf_counter() - started
    creds = {name: user_credentials(servers.keys, name, folder, lives_s=3600) for name in states}
    started = time.perf_counter()
    tools = await _some(states, lambda name: connect_tool(servers.nats_url, creds[name], name))
    took = time.perf_counter() - started
    more = (server.memory_info().rss - before) / 2**20
    told = await _want(door, states)
    connected = sum(told["connections"].get(name, 0) for name in states)
    return {"connected": connected, "made_s": made, "connect_s": took, "server_mib": more}, tools


async def _events(door: Client, tools: list[Tool], at_once: int, each: int) -> dict[str, float]:
    """Puts out to every tool, and takes how long each message took from the publish to the tool's inbox."""
    taken: list[float] = []
    asked = json.dumps({"batch": each, "expires": 30 * 10**9}).encode()

    async def one(tool: Tool) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left = each

        async def heard(message: Msg) -> None:
            nonlocal left
            taken.append((time.perf_counter() - float(message.data)) * 1000)
            await tool.client.publish(message.reply, b"+ACK")
            left -= 1
            if not left:
                done.set_result(None)

        inbox = await tool.client.subscribe(tool.client.new_inbox(), cb=heard)
        await tool.client.publish(NEXT, asked, reply=inbox.subject)
        await tool.client.flush()
        for _ in range(each):
            await door.request(f"out.{tool.account}.child.care", repr(time.perf_counter()).encode(), timeout=10)
        await done
        await inbox.unsubscribe()

    started = time.perf_counter()
    await _some(tools, one, at_once)
    rate = len(taken) / (time.perf_counter() - started)
    return {"p50_ms": percentile(taken, 50), "p99_ms": percentile(taken, 99), "per_s": rate}


async def _cut(door: Client, tools: list[Tool], states: dict[str, str]) -> dict[str, float]:
    answers, seen = [], []
    for tool in tools[:ONE_BY_ONE]:
        states[tool.account] = KILLED
        started = time.perf_counter()
        watching = asyncio.create_task(_closed(tool))
        await _want(door, states)
        answers.append((time.perf_counter() - started) * 1000)
        seen.append((await watching - started) * 1000)
    started = time.perf_counter()
    watching_all = [asyncio.create_task(_closed(tool)) for tool in tools[ONE_BY_ONE:]]
    states.update(dict.fromkeys(states, KILLED))
    await _want(door, states)
    answered = time.perf_counter() - started
    last = max(await asyncio.gather(*watching_all)) - started
    for tool in tools:
        await tool.client.close()
    return {
        "cut_p50_ms": percentile(seen, 50),
        "cut_answer_p50_ms": percentile(answers, 50),
        "cut_all_s": last,
        "cut_all_answer_s": answered,
    }


async def _closed(tool: Tool) -> float:
    while not tool.client.is_closed:  # noqa: ASYNC110 (the library tells nobody)
        await asyncio.sleep(0.0005 if tool.client.is_connected else 0)
    return time.perf_counter()


async def _want(door: Client, states: dict[str, str]) -> dict[str, Any]:
    asked = json.dumps({"at": time.time_ns() // 1000, "slots": states}).encode()
    told: dict[str, Any] = json.loads((await door.request(WANT, asked, timeout=120)).data)
    if told["slots"] != states:
        raise RuntimeError("the slots are not as they were asked")
    return told


async def _some(of: list[Tool] | dict[str, str], work: Callable[..., Awaitable[T]], at_once: int = AT_ONCE) -> list[T]:
    """Does it to all, so many at once."""
    room = asyncio.Semaphore(at_once)

    async def one(what: object) -> T:
        async with room:
            return await work(what)

    return list(await asyncio.gather(*(one(what) for what in of)))
