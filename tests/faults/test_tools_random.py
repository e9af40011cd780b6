"""The gate, the broker and the tool killed at random, on real processes: the tool ends with just what it was owed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import nats.errors
import pytest

from tests.faults.apps import NEXT, App, let_in, proposed
from tests.faults.cast import open_school
from tests.faults.door import Door
from tests.faults.stage import Stage
from tests.faults.test_tools import judged
from tests.support.tools import connect_tool, user_credentials

SLUG = "faults-random"
PLAYS_S = float(os.environ.get("SAMEN_PLAYS_S", "20"))
REDELIVERED_S = 30.0
"""What a tool was given and died with comes again after this (`ack_wait`)."""
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not os.environ.get("SAMEN_LONG"), reason="kills for 20 s: SAMEN_LONG=1 plays it"),
]


@pytest.fixture
async def app(stage: Stage, door: Door, tmp_path: Path) -> AsyncIterator[App]:
    school = await open_school(door, SLUG, 2)
    async with let_in(stage, door, school, tmp_path) as made:
        for kid in school.kids:
            await made.give(kid)
        yield made


async def dies(app: App, chance: random.Random) -> None:
    """Fetches as a tool does that is killed: of some it has not said that it kept them, others it never read."""
    with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
        creds = user_credentials(app.stage.servers.keys, app.account, app.folder)
        tool = await connect_tool(app.stage.servers.nats_url, creds, app.account)
        try:
            inbox = await tool.client.subscribe(tool.client.new_inbox())
            asked = {"batch": chance.randint(1, 20), "no_wait": True}
            await tool.client.publish(NEXT, json.dumps(asked).encode(), reply=inbox.subject)
            for _ in range(chance.randint(0, 3)):
                message = await inbox.next_msg(1)
                if message.headers and "Status" in message.headers:
                    break
                app.got.take(json.loads(message.data))
                if chance.random() < 0.5:  # kept, and killed before it said so
                    await tool.client.publish(message.reply, b"+ACK")
        finally:
            await tool.client.close()


async def broker(stage: Stage, *, wiped: bool) -> None:
    """Kills the broker, all of its storage gone with it or not, and starts it again."""
    nats_server = stage.embedded.nats
    await asyncio.to_thread(nats_server.kill)
    if wiped:
        await asyncio.to_thread(nats_server.wipe)
    await asyncio.to_thread(nats_server.start)


async def play(app: App, stage: Stage, chance: random.Random) -> list[str]:
    """Kills at random while goals are proposed; returns them in order, everything running again."""
    loop = asyncio.get_running_loop()
    end, goals, blows = loop.time() + PLAYS_S, list[str](), 0
    while loop.time() < end:
        match chance.choice(("propose", "propose", "propose", "gate", "broker", "tool", "tool", "fetch", "pause")):
            case "propose":
                goals.append(await proposed(app, chance.choice(app.school.kids)))
            case "gate":
                blows += 1
                if "gate" in stage.down:
                    stage.start("gate")
                else:
                    await stage.kill("gate")
            case "broker":
                blows += 1
                await broker(stage, wiped=chance.random() < 0.3)
            case "tool":
                await dies(app, chance)
            case "fetch":
                await app.fetch()
            case _:
                await asyncio.sleep(chance.random())
    if "gate" in stage.down:
        stage.start("gate")
    goals.append(await proposed(app, app.school.kids[0]))
    assert blows, "nothing was killed: another seed, or a longer play"
    return goals


async def test_kills_at_random_of_gate_broker_and_tool_cost_the_tool_nothing(app: App, stage: Stage) -> None:
    seed = int(os.environ.get("SAMEN_SEED", "6"))
    goals = await play(app, stage, random.Random(seed))
    got = await app.has(len(goals), 60 + REDELIVERED_S)
    told = sorted(got.messages, key=lambda one: (one["epoch"], one["sequence"]))
    assert [one["sequence"] for one in told] == list(range(1, len(told) + 1)), f"seed {seed}: a number is missing"
    assert [one["thing"] for one in told if one["type"].endswith("goal.proposed.v1")] == [*map(app.theirs, goals)]
    first = {(one["epoch"], one["sequence"]): one for one in got.messages}
    for again in got.repeated:
        assert again == first[again["epoch"], again["sequence"]], f"seed {seed}: a number came with something else"
    await judged(stage)
