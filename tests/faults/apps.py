"""A school's tool beside the whole platform: let in as people do it, and fetching as a supplier's program would."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import nats.errors

from services.gate.model import pseudonym
from tests.faults.cast import Kid, School, goal_for
from tests.faults.door import Door
from tests.faults.stage import Stage, until
from tests.gate.house import Got
from tests.support.tools import connect_tool, gate_door, user_credentials, want

ADD = """
INSERT INTO tool (school, id, version, account, label, purpose, categories, types, agreement, channel, state, registered_at, secret)
VALUES ($1, $2, 1, $3, 'Rekenmaatje', 'local_tool', '{goals}', '{}', 'VO-2026-014', 'nats', 'active', clock_timestamp(), $4)
"""  # noqa: E501  a column list is read across
NEXT = "$JS.gate.API.CONSUMER.MSG.NEXT.OUT.me"


def consent(kid: Kid, tool: UUID, *categories: str) -> dict[str, Any]:
    """Names the consent that lets the tool have these of a child; none said: its goals."""
    named = list(categories or ("goals",))
    return {"child": kid.child, "for_purpose": "local_tool", "recipient": str(tool), "categories": named}


@dataclass
class App:
    """One tool of a school."""

    stage: Stage
    door: Door
    school: School
    id: UUID
    account: str
    secret: str
    folder: Path
    got: Got = field(default_factory=Got)

    def theirs(self, ours: str) -> str:
        """What it knows an id as."""
        return str(pseudonym(self.secret, UUID(ours)))

    async def give(self, kid: Kid, *categories: str) -> None:
        """Has both parents say yes to these, or to goals."""
        for who in (kid.mum, kid.dad):
            person = self.door.person(who, self.school.slug)
            await self.door.must(
                self.school.slug, "network.give-consent", person, **consent(kid, self.id, *categories), notice_version=1
            )

    async def withdraw(self, kid: Kid) -> dict[str, Any]:
        """Has a parent take it back; returns how and when that holds."""
        slug = self.school.slug
        reply = await self.door.must(
            slug, "network.withdraw-consent", self.door.person(kid.mum, slug), **consent(kid, self.id)
        )
        asked = json.dumps({"school": slug, "withdrawal": reply["withdrawal"]}).encode()
        told = await self.door.client.request("ask.effective", asked, timeout=14)
        return dict(json.loads(told.data))

    async def fetch(self) -> Got:
        """Connects, fetches what lies ready, acknowledges it and goes; nothing, while the broker is away."""
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            creds = user_credentials(self.stage.servers.keys, self.account, self.folder)
            tool = await connect_tool(self.stage.servers.nats_url, creds, self.account)
            try:
                inbox = await tool.client.subscribe(tool.client.new_inbox())
                await tool.client.publish(NEXT, b'{"batch":500,"no_wait":true}', reply=inbox.subject)
                while True:
                    message = await inbox.next_msg(2)
                    if message.headers and "Status" in message.headers:
                        break
                    self.got.take(json.loads(message.data))
                    await tool.client.publish(message.reply, b"+ACK")
                await tool.client.flush()
            finally:
                await tool.client.close()
        return self.got

    async def has(self, count: int, within_s: float = 30.0) -> Got:
        """Fetches until it has so many messages."""

        async def enough() -> bool:
            await self.fetch()
            return len(self.goals()) >= count

        await until(enough, within_s, f"{count} goals")
        return self.got

    def goals(self) -> list[str]:
        """Which goals it was told to be proposed, in order, as it knows them."""
        return [one["thing"] for one in self.got.messages if one["type"].endswith("goal.proposed.v1")]

    async def put_out(self, count: int) -> None:
        """Waits until so many disclosures of goals stand in the gate's journal."""

        async def lines() -> bool:
            return len(await self.lines()) >= count

        await until(lines, 30, f"{count} disclosure lines")

    async def lines(self) -> list[dict[str, Any]]:
        """Returns the gate's disclosure lines of goals, as events."""
        async with self.stage.admin("gate") as conn:
            rows = await conn.fetch(
                "SELECT event FROM journal WHERE type = 'nl.samenkracht.gate.put-out.made.v1' ORDER BY seq"
            )
        events = [json.loads(row["event"]) for row in rows]
        return [one for one in events if one["data"]["fact"]["what"].endswith("goal.proposed.v1")]


async def joined(door: Door, school: School) -> UUID:
    """Has a tool become a member of every child's network; returns its id."""
    member: str | None = None
    admin = door.person(school.admin, school.slug)
    for kid in school.kids:
        named = {"person": member} if member else {"new_tool": {"name": "Rekenmaatje", "agreement": "VO-2026-014"}}
        added = await door.must(school.slug, "network.add-member", admin, subject=kid.child, role="local_tool", **named)
        member = str(added["person"])
    return UUID(member)


async def proposed(app: App, kid: Kid) -> str:
    """Has a goal of a child proposed; returns it."""
    made = await app.door.must(
        app.school.slug, "goals.propose-goal", app.door.person(kid.teacher, app.school.slug), **goal_for(kid)
    )
    return str(made["goal"])


@asynccontextmanager
async def let_in(stage: Stage, door: Door, school: School, folder: Path) -> AsyncIterator[App]:
    """Yields a tool that is a member of every child's network, registered, with a live slot."""
    (account,) = stage.servers.keys.prepare_slots(1)
    app = App(stage, door, school, await joined(door, school), account, "ab" * 32, folder)
    async with stage.admin("gate") as conn:
        await conn.execute(ADD, school.slug, app.id, account, app.secret)
    saying = asyncio.create_task(_say(stage, account))
    try:
        yield app
    finally:
        saying.cancel()


async def _say(stage: Stage, account: str) -> None:
    """Says once a second what the slot is to be, as the gate does."""
    while True:
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            client = await gate_door(stage.servers.nats_url, stage.servers.keys)
            try:
                while True:
                    await want(client, {account: "live"})
                    await asyncio.sleep(0.5)
            finally:
                await client.close()
        await asyncio.sleep(0.2)
