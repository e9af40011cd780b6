"""The tools' way in, in numbers: the same command through the gate and straight to its service."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from tests.bench.harness import Report, Run, Target, report
from tests.bench.machine import percentile
from tests.bench.servers import BenchServers
from tests.faults.apps import App, let_in, proposed
from tests.faults.cast import Kid, open_school
from tests.faults.door import Door
from tests.faults.stage import raised, until
from tests.gate.door.world import login_of
from tests.support.tools import connect_tool, user_credentials

SLUG = "bench-in"
KIDS = 4
GOALS = 6
"""Goals of each child: who asks at once scores another one, mostly."""
COMMANDS = 600
IN_FLIGHT = 16
"""As many as one tool may have under way."""
SINGLE = 150
UNBRAKED = {"SAMEN_TOOL_PER_S": "100000", "SAMEN_TOOL_BURST": "100000"}
ADD_LOGIN = "INSERT INTO tool_login VALUES ($1, $2, 1, $3, clock_timestamp(), clock_timestamp() + interval '1 hour')"
ADD_NAME = "INSERT INTO pseudonym VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"
Score: TypeAlias = Callable[[int], Awaitable[None]]


async def _goals(app: App, kid: Kid) -> list[tuple[str, str]]:
    found = []
    for _ in range(GOALS):
        goal = await proposed(app, kid)
        for who, step, version in ((kid.mum, "accept", 1), (kid.teacher, "activate", 2)):
            actor = app.door.person(who, SLUG)
            await app.door.must(SLUG, f"goals.{step}-goal", actor, goal=goal, version=version)
        found.append((goal, kid.teacher))
    async with app.stage.admin("gate") as conn:
        for ours in [kid.child, *(goal for goal, _ in found)]:
            names = UUID(app.theirs(ours)), UUID(kid.child), UUID(ours)
            await conn.execute(ADD_NAME, SLUG, app.id, *names)
    return found


@asynccontextmanager
async def opened(servers: BenchServers) -> AsyncIterator[tuple[Score, Score]]:
    """Yields how one of many goals is scored: by a tool through the gate, and by a teacher straight at goals."""
    with tempfile.TemporaryDirectory(dir=servers.root) as name:
        folder = Path(name)
        async with (
            raised(servers, folder / "stage", "bench_in", **UNBRAKED) as stage,
            stage.login("samen") as client,
        ):
            door = Door.of(stage, client)
            school = await open_school(door, SLUG, KIDS)
            async with let_in(stage, door, school, folder) as app:
                for kid in school.kids:
                    await app.give(kid, "goals", "observations")
                goals = [one for kid in school.kids for one in await _goals(app, kid)]
                creds = user_credentials(servers.keys, app.account, folder, lives_s=3600)
                async with stage.admin("gate") as conn:
                    await conn.execute("UPDATE tool SET categories = '{goals,observations}', version = version + 1")
                    await conn.execute(ADD_LOGIN, SLUG, app.id, login_of(creds))
                tool = await connect_tool(servers.nats_url, creds, app.account)
                tokens = {teacher: door.token(door.person(teacher, SLUG)) for _, teacher in goals}

                async def through(place: int) -> None:
                    goal, _ = goals[place % len(goals)]
                    headers = {"Idempotency-Key": uuid4().hex}
                    subject, body = "in.goals.score-goal", _score(app.theirs(goal), place)
                    _done((await tool.client.request(subject, body, timeout=10, headers=headers)).data)

                async def direct(place: int) -> None:
                    goal, teacher = goals[place % len(goals)]
                    headers = {"Idempotency-Key": uuid4().hex, "Authorization": f"Bearer {tokens[teacher]}"}
                    subject, body = f"cmd.{SLUG}.goals.score-goal", _score(goal, place)
                    _done((await client.request(subject, body, timeout=10, headers=headers)).data)

                await until(lambda: _works(through), 30, "the tool's consent holds")
                try:
                    yield through, direct
                finally:
                    await tool.client.close()


def _score(goal: str, place: int) -> bytes:
    day = datetime.now(UTC).date() - timedelta(days=place % 60)
    body = {"goal": goal, "level": place % 5 - 2, "setting": "school", "observed_on": day.isoformat()}
    return json.dumps(body).encode()


def _done(answer: bytes) -> None:
    told: dict[str, Any] = json.loads(answer)
    if "ok" not in told:
        raise RuntimeError(str(told))


async def _works(score: Score) -> bool:
    try:
        await score(0)
    except Exception:  # noqa: BLE001  the slot, the consent or the service is not there yet
        return False
    return True


def scored(score: Score) -> Run:
    """Returns a run of commands, many at once, then one by one."""

    async def run() -> Mapping[str, float]:
        places = itertools.count()

        async def work() -> None:
            while (place := next(places)) < COMMANDS:
                await score(place)

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        lasted, took = time.perf_counter() - started, list[float]()
        for place in range(SINGLE):
            started = time.perf_counter()
            await score(place)
            took.append((time.perf_counter() - started) * 1000)
        return {"per_s": COMMANDS / lasted, "p50_ms": percentile(took, 50), "p99_ms": percentile(took, 99)}

    return run


async def gate_in(servers: BenchServers, runs: int) -> list[Report]:
    """In: a tool's command through the gate, beside the same command of a person at the service."""
    async with opened(servers) as (through, direct):
        found = await report(
            "gate-in: in.goals.score-goal by a tool, beside cmd.<school>.goals.score-goal by a teacher",
            {"through": scored(through), "direct": scored(direct)},
            (
                Target("commands/s through the gate", "per_s", "through"),
                Target("commands/s, over direct", "per_s", "through", over="direct"),
                Target("one at a time, p50, over direct", "p50_ms", "through", over="direct"),
                Target("one at a time, p99, over direct", "p99_ms", "through", over="direct"),
            ),
            runs,
            f"the whole platform, {IN_FLIGHT} at once; the tool's rate is not limited",
        )
    return [found]
