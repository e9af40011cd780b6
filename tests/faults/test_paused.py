"""The active replica of two is frozen while people work: the other one takes over, and the sleeper wakes to no harm."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable

import pytest
from nats.aio.client import Client

from tests.faults.books import read_books
from tests.faults.cast import School, open_school
from tests.faults.door import Door
from tests.faults.load import Load
from tests.faults.run import settle
from tests.faults.stage import Stage, until

SLUG = "paused"
WITHIN_S = 5.0
ASKERS = 20
"""So many ask at once, for the frozen replica gets its share of the questions."""

pytestmark = pytest.mark.timeout(240)


async def published(bus: Client) -> int:
    """Returns the number of goals' last event in the stream."""
    wanted = json.dumps({"last_by_subj": f"evt.{SLUG}.goals.>"}).encode()
    found = json.loads((await bus.request("$JS.API.STREAM.MSG.GET.EVENTS", wanted)).data)
    return int(json.loads(base64.b64decode(found["message"]["data"]))["seq"])


async def lined(stage: Stage) -> int:
    """Returns the number of goals' last event in the audit log."""
    async with stage.admin("audit") as conn:
        return int(await conn.fetchval("SELECT max(seq) FROM line WHERE school = $1 AND producer = 'goals'", SLUG))


async def journaled(stage: Stage) -> int:
    async with stage.admin("goals") as conn:
        return int(await conn.fetchval("SELECT seq FROM journal_head WHERE school = $1", SLUG))


def is_active(stage: Stage, name: str) -> bool:
    told = stage.processes[name].details()
    active = told["relay"]["active"] if name.startswith("goals") else told["consuming"]
    return bool(active)


async def replaced(stage: Stage, door: Door, school: School, service: str, seen: Callable[[], Awaitable[int]]) -> None:
    """Freezes the active replica of a service; what happens from then on must be seen within 5 s. Wakes it again."""
    first, second = names = (service, f"{service} 2")
    active: list[str] = []

    def one_is() -> bool:
        active[:] = [name for name in names if is_active(stage, name)]
        return active in ([first], [second])

    await until(lambda: asyncio.to_thread(one_is), 20, f"one replica of {service} is the active one")
    stage.processes[active[0]].pause()
    frozen_at = asyncio.get_running_loop().time()
    before = await journaled(stage)
    about = school.kids[0]
    looks = [
        asyncio.create_task(
            door.query(
                SLUG, "goals.goals-of-child", door.person(about.mum, SLUG), about=about.child, purpose="guidance"
            )
        )
        for _ in range(ASKERS)
    ]

    async def went_on() -> bool:
        return await seen() > before

    left = WITHIN_S - (asyncio.get_running_loop().time() - frozen_at)
    await until(went_on, left, f"{active[0]} is frozen: what was journaled after it is seen")
    stage.processes[active[0]].resume()
    await asyncio.gather(*looks)
    await stage.ready()


async def test_a_frozen_relay_or_projector_is_replaced_within_five_seconds_and_does_no_harm_when_it_wakes(
    stage: Stage, door: Door
) -> None:
    school = await open_school(door, SLUG, 4)
    for service in ("goals", "audit"):
        stage.add_replica(service)
    await stage.ready()
    since = await read_books(stage)
    load = Load(door, (school,), seed=7)
    working = asyncio.create_task(load.run())
    try:
        await until(lambda: any(one.kind == "ok" for one in load.said), 20, "people are at work")
        async with stage.bus() as bus:
            await replaced(stage, door, school, "goals", lambda: published(bus))
        await replaced(stage, door, school, "audit", lambda: lined(stage))
    finally:
        load.stopping = True
        await working
    assert (await settle(stage, load, since)).findings == []
