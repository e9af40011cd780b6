"""Histories made from a seed: grants that flip while putters are lost, answers go missing and streams are wiped.

What a tool must end with is worked out beside the gate: each event that happened while it might receive it and that was
put out before that ended, in order, each number once; of what was taken from it, nothing but the withdrawal.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.gate.streams import Streams
from shared.clock import Ids
from shared.errors import Transient
from shared.events.base import Event
from shared.events.gate import PutOut
from shared.events.network import AccessChanged
from shared.events.words import Category
from tests.gate.house import Got, House, Tool

GOALS, PLAN = Category.GOALS, Category.PLAN
HISTORIES = int(os.environ.get("SAMEN_GATE_HISTORIES", "4"))
STEPS = 40


class Flaky(Streams):
    """Streams that lose answers, lose what is sent, and stand still before they send."""

    def __init__(self, house: House, random: Random) -> None:
        super().__init__(house.client, Ids())
        self.random = random
        self.stuck: list[asyncio.Event] = []
        self.sober = False

    async def publish(self, messages: Any, expected: int) -> int:  # noqa: ANN401
        chance = 1.0 if self.sober else self.random.random()
        if chance < 0.08:
            raise Transient("never left")
        if chance < 0.16:
            gate = asyncio.Event()
            self.stuck.append(gate)
            await gate.wait()
        last = await super().publish(messages, expected)
        if 0.16 <= chance < 0.26:
            raise Transient("answer lost")
        return last


@dataclass
class Story:
    """One history."""

    house: House
    random: Random
    tools: list[Tool] = field(default_factory=list)
    children: list[UUID] = field(default_factory=list)
    kept: dict[UUID, Got] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    working: list[asyncio.Task[None]] = field(default_factory=list)
    streams: list[Flaky] = field(default_factory=list)

    def new_putter(self) -> None:
        """Another process takes over; what the one before still has under way goes on, late."""
        flaky = Flaky(self.house, self.random)
        self.streams.append(flaky)
        self.house.putter = self.house.make_putter(flaky)

    async def play(self) -> None:
        house, random = self.house, self.random
        self.tools = [await house.tool() for _ in range(2)]
        self.children = [uuid4() for _ in range(2)]
        self.kept = {tool.id: Got() for tool in self.tools}
        self.new_putter()
        for _ in range(STEPS):
            step = random.choice(
                ("event", "event", "event", "put", "put", "flip", "fetch", "take over", "wipe", "unstick")
            )
            await self.step(step)
        await self.end()

    async def step(self, what: str) -> None:
        house, random = self.house, self.random
        tool, child = random.choice(self.tools), random.choice(self.children)
        if what == "event":
            self.events.append(await house.happens(child))
        elif what == "put":
            self.working.append(asyncio.create_task(house.put()))
            await asyncio.sleep(0.02)
        elif what == "flip":
            await house.allow(child, tool, *random.choice(((), (GOALS,), (GOALS,), (GOALS, PLAN))))
        elif what == "fetch":
            await house.fetch(tool, self.kept[tool.id], most=random.randint(1, 5), ack=random.random() < 0.8)
            await house.putter.look_after()
        elif what == "take over":
            self.new_putter()
        elif what == "wipe" and random.random() < 0.5:
            await house.wipe(tool)
            await house.make_stream(tool)
        elif what == "unstick":
            for flaky in self.streams:
                for gate in flaky.stuck:
                    gate.set()

    async def end(self) -> None:
        """Lets everything that is under way come through, in whatever order, and puts out the rest soberly."""
        await self.step("unstick")
        for flaky in self.streams:
            flaky.sober = True
        await self.step("unstick")
        await asyncio.gather(*self.working, return_exceptions=True)
        await self.settle()

    async def settle(self) -> None:
        """One sober putter brings every tool to its end, which fetches all."""
        house = self.house
        house.putter = house.make_putter()
        for _ in range(3):
            await house.lease()
            await house.put()
            await house.putter.look_after()
            await house.put()
        for tool in self.tools:
            await house.fetch(tool, self.kept[tool.id])


async def check(story: Story) -> None:
    """Holds the tools' ends against the log's lines and against what happened."""
    house = story.house
    lines = [line.fact(PutOut) for line in await house.told("put-out.made")]
    order = {event.id: n for n, event in enumerate(story.events)}
    for tool in story.tools:
        got, mine = story.kept[tool.id], [line for line in lines if line.tool == tool.id]
        of = {tool.theirs(event.id): event for event in story.events}
        outs = [one for one in got.messages if one["type"].endswith("goal.accepted.v1")]
        by_number = {line.sequence: line.source for line in mine}
        assert all(of[one["id"]].id == by_number[one["sequence"]] for one in outs), "a number holds what its line says"
        ids = [one["id"] for one in outs]
        assert len(ids) == len(set(ids)), "an event twice, under two numbers"
        ordered = sorted(outs, key=lambda one: (one["epoch"], one["sequence"]))
        assert [order[of[one["id"]].id] for one in ordered] == sorted(order[of[one["id"]].id] for one in ordered)
        await complete(story, tool, got)


async def complete(story: Story, tool: Tool, got: Got) -> None:
    """Every number is there, or was said to be taken out; and what is owed still is there."""
    house = story.house
    taken = {n for one in got.messages if "taken_out" in one["data"] for n in one["data"]["taken_out"]}
    async with house.db.school(house.school) as conn:
        seq = await conn.fetchval("SELECT coalesce(max(seq), 0) FROM outlet WHERE id = $1", tool.id)
        owed = await conn.fetch(
            "SELECT source FROM put_out WHERE tool = $1 AND NOT void AND seq IS NOT NULL ORDER BY seq", tool.id
        )
        queued = await conn.fetchval("SELECT count(*) FROM put_out WHERE tool = $1 AND seq IS NULL", tool.id)
    assert queued == 0
    missing = set(range(1, seq + 1)) - set(got.numbers)
    assert missing <= taken, f"numbers that nobody explains: {sorted(missing - taken)}"
    has = {one["id"] for one in got.messages}
    assert {tool.theirs(row["source"]) for row in owed} <= has
    info = await house.api(f"STREAM.INFO.OUT-{tool.account}", subjects_filter=">")
    for child in story.children:
        if GOALS in house.given.get(child, {}).get(tool.id, set()):
            continue
        left = (info["state"].get("subjects") or {}).get(f"out.{tool.account}.{tool.theirs(child)}.goals", 0)
        assert left <= 1, "of a withdrawn child nothing lies there but the withdrawal"


async def no_line_after_a_withdrawal(story: Story) -> None:
    """Every line was committed before the change that took its grant away was applied."""
    house = story.house
    async with house.db.school(house.school) as conn:
        rows = await conn.fetch("SELECT event FROM journal ORDER BY seq")
    for row in rows:
        event = Event.parse(row[0].encode())
        if event.is_a(PutOut):
            position = event.content["networkseq"]
            changes = [c for c in story.house.changes if c.about == event.about and c.seq <= position]
            grants = changes[-1].fact(AccessChanged).grants
            assert any(g.member == event.act.actor and g.id == event.act.grant for g in grants)


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_whatever_goes_wrong_a_tool_ends_with_what_it_was_owed_and_nothing_that_was_withdrawn(
    house: House, seed: int
) -> None:
    story = Story(house, Random(seed))
    await story.play()
    await check(story)
    await no_line_after_a_withdrawal(story)
