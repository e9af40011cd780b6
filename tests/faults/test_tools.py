"""Tools beside the whole platform: withdrawn means withdrawn for them too, and nothing that they are owed is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from nats.aio.client import Client

from tests.faults.apps import App, let_in, proposed
from tests.faults.books import at_rest
from tests.faults.cast import Kid, open_school
from tests.faults.door import Door
from tests.faults.stage import Stage, until
from tests.faults.test_restores import forked
from tests.support.clients import connected

SLUG = "faults-tools"
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
async def app(stage: Stage, door: Door, tmp_path: Path) -> AsyncIterator[App]:
    school = await open_school(door, SLUG, 2)
    async with let_in(stage, door, school, tmp_path) as made:
        for kid in school.kids:
            await made.give(kid)
        yield made


async def test_a_paused_gate_holds_nobody_up_and_the_answer_says_that_it_did_not_confirm(app: App) -> None:
    kid, _ = app.school.kids
    await proposed(app, kid)
    await app.put_out(1)
    gate = app.stage.processes["gate"]
    gate.pause()
    await proposed(app, kid)
    found = await app.withdraw(kid)
    gate.resume()
    assert (found["how"], found["unconfirmed"]) == ("clock", ["gate"])
    await until(lambda: cleared(app), 30, "the stream is cleared")
    await app.fetch()
    assert app.goals() == []
    assert len(await app.lines()) == 1, "what happened while it slept is not put out after the withdrawal"


async def test_where_a_tools_stream_does_not_answer_the_tool_is_named(app: App, stage: Stage) -> None:
    kid, _ = app.school.kids
    await proposed(app, kid)
    await app.put_out(1)
    await asyncio.to_thread(stage.servers.stop_provisioner)
    client = await app_streams(stage)
    await client.request(f"$JS.API.STREAM.DELETE.OUT-{app.account}", b"")
    await client.close()
    found = await app.withdraw(kid)
    await asyncio.to_thread(stage.servers.start_provisioner)
    assert (found["how"], found["unconfirmed"], found["tools"]) == ("clock", ["gate"], [str(app.id)])
    await until(lambda: told(app), 30, "the tool is told")
    assert app.goals() == []


async def app_streams(stage: Stage) -> Client:
    creds = str(stage.servers.keys.creds("provisioner-gate"))
    return await connected(stage.servers.nats_url, creds, "provisioner")


async def reviewed(door: Door, kid: Kid) -> bool:
    return (await door.operate("gate", "review", school=SLUG, subject=kid.child)).done


async def cleared(app: App) -> bool:
    """Tells whether the gate has written down that a withdrawal is told."""
    async with app.stage.admin("gate") as conn:
        return bool(await conn.fetchval("SELECT count(*) FROM marker WHERE told_at IS NOT NULL"))


async def told(app: App) -> bool:
    """Tells whether the tool has read of a withdrawal."""
    return "withdrawal.told" in (await app.fetch()).kinds()


async def test_kills_and_a_wiped_broker_cost_a_tool_nothing_and_a_withdrawal_is_confirmed_when_its_stream_is_cleared(
    app: App, stage: Stage
) -> None:
    kid, other = app.school.kids
    goals = []
    for n in range(3):
        goals += [await proposed(app, kid), await proposed(app, other)]
        await stage.kill("gate")
        goals.append(await proposed(app, kid))
        stage.start("gate")
        if n == 1:
            await app.fetch()
            await asyncio.to_thread(stage.embedded.nats.kill)
            await asyncio.to_thread(stage.embedded.nats.wipe)
            await asyncio.to_thread(stage.embedded.nats.start)
    got = await app.has(len(goals), 60)
    assert app.goals() == [app.theirs(goal) for goal in goals]
    assert got.numbers == list(range(1, len(got.messages) + 1))
    await withdrawn(app)
    await judged(stage)


async def judged(stage: Stage) -> None:
    """The log's own judge weighed every line, each disclosure to a tool too, and finds nothing."""
    await at_rest(stage)

    async def all_weighed() -> bool:
        async with stage.admin("audit") as conn:
            return bool(
                await conn.fetchval(
                    "SELECT bool_and(p.idx >= h.size) FROM log_head h LEFT JOIN judge_position p ON p.school = h.school"
                )
            )

    await until(all_weighed, 30, "every line is weighed")
    async with stage.admin("audit") as conn:
        found = await conn.fetch(
            "SELECT f.code, l.type FROM finding f JOIN line l ON (l.school, l.idx) = (f.school, f.idx)"
        )
    assert [tuple(row) for row in found] == []


async def withdrawn(app: App) -> None:
    """What the tool has not fetched of one child is gone when the withdrawal is answered, and nothing of the other."""
    kid, other = app.school.kids
    before, lines = app.goals(), len(await app.lines())
    goals = [await proposed(app, one) for one in (kid, other, kid)]
    await app.put_out(lines + 3)
    found = await app.withdraw(kid)
    assert (found["how"], "tools" in found) == ("confirmed", False)
    got = await app.fetch()
    assert app.goals() == [*before, app.theirs(goals[1])]
    assert (got.kinds()[-1], got.messages[-1]["subject"]) == ("withdrawal.told", app.theirs(kid.child))
    numbers = {line["data"]["fact"]["sequence"] for line in (await app.lines())[-3:] if line["subject"] == kid.child}
    assert numbers <= set(got.messages[-1]["data"]["taken_out"])


async def test_a_gate_put_back_to_an_older_copy_goes_on_in_a_new_epoch_and_repeats_no_event_under_another_number(
    app: App, stage: Stage, door: Door
) -> None:
    kid, other = app.school.kids
    goals = [await proposed(app, kid)]
    await app.has(1)
    await asyncio.sleep(1.2)  # it notes what was acknowledged
    copy = await stage.copy("gate")
    goals += [await proposed(app, one) for one in (kid, other)]
    await app.has(3)
    await stage.put_back("gate", copy)
    await until(lambda: forked(door, "gate"), 30, "the fork is noticed")
    assert (await door.operate("gate", "recover", school=SLUG)).done
    for one in app.school.kids:
        await until(partial(reviewed, door, one), 30, "the child is open again")
    goals.append(await proposed(app, other))
    await app.has(4, 60)
    assert app.goals() == [app.theirs(goal) for goal in goals]
    last = app.got.messages[-1]
    assert (last["epoch"], last["thing"]) == (2, app.theirs(goals[-1]))
