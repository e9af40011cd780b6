"""Scenes about a school's own tool: plugged in, told what guardians let it have, and told to forget it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import nats
import nats.errors
import pydantic_core
from nats.aio.client import Client, RawCredentials

from deploy.demo.cast import Cast, Child, ToolPlayed
from deploy.demo.names import MARK
from deploy.demo.stage import Stage, Who
from deploy.samen.tool_plug import slot_settled
from shared import nats_jwt
from shared.events.words import Role, school_subject

NAME = f"L{MARK}app"
"""Its name holds the mark, so that it is seen when it leaves the services that keep it."""
AGREEMENT = "VO-2026-14"
SHARED = ["goals", "observations"]
FOR = "local_tool"
CHILDREN = 4
FETCHED_WITHIN_S = 30.0
TOLD = "nl.samenkracht.gate.withdrawal.told.v1"


async def tools_are_plugged_in(stage: Stage, cast: Cast) -> None:
    """Each school plugs a tool in; guardians consent for some children, and it fetches what it may have."""
    schools = [(keeper, [c for c in cast.of(school) if c.goals][:CHILDREN]) for school, keeper in cast.keepers.items()]
    members = await stage.all("a tool is plugged in", (_member(stage, *one) for one in schools))
    await stage.settle("network")
    jobs = (_plug(stage, *one, tool) for one, tool in zip(schools, members, strict=True))
    cast.tools += [tool for tool in await stage.all("it gets its login", jobs) if tool]
    asked = [(tool, child) for tool in cast.tools for child in tool.children]
    await stage.all("guardians let it have something", (_consent(stage, *one) for one in asked))


async def tools_fetch(stage: Stage, cast: Cast) -> None:
    """Each tool fetches all that it is owed until now, and confirms each deletion that it is told of."""
    await stage.settle("network", "goals")
    jobs = (stage.went(_fetch(stage, cast, tool), "tool fetched all that it was owed") for tool in cast.tools)
    await stage.all("tools fetch what they may have", jobs)


async def what_a_tool_has_is_withdrawn(stage: Stage, cast: Cast) -> None:
    """For one child of each tool a guardian takes the yes back: the tool is told, deletes, and says so."""
    jobs = (_withdraw(stage, tool, tool.children[0]) for tool in cast.tools)
    await stage.all("consent for a tool is withdrawn", jobs)
    await tools_fetch(stage, cast)


async def _member(stage: Stage, keeper: Who, children: list[Child]) -> str | None:
    new: dict[str, Any] = {"new_tool": {"name": NAME, "agreement": AGREEMENT}}
    tool = None
    for child in children:
        joining = stage.do(keeper, "network", "add-member", subject=str(child.id), role=Role.LOCAL_TOOL.value, **new)
        reply = await stage.went(joining, "tool takes part")
        if reply:
            tool = str(reply["person"])
            new = {"person": tool}
    return tool


async def _plug(stage: Stage, keeper: Who, children: list[Child], tool: str | None) -> ToolPlayed | None:
    about = {"about": str(school_subject(keeper.school)), "tool": tool}
    body = {"label": NAME, "for_purpose": FOR, "categories": SHARED, "agreement": AGREEMENT, "channel": "nats"}
    made = await stage.went(stage.do(keeper, "gate", "register-tool", **about, **body), "tool registered")
    seed = nats_jwt.new_seed(nats_jwt.USER, secrets.token_bytes(32))
    key = {"user_key": nats_jwt.public_key(seed)}
    login = await stage.went(stage.do(keeper, "gate", "issue-login", **about, **key), "tool got its login")
    if tool is None or made is None or login is None:
        return None
    if await slot_settled(stage.witness, made["account"], "active") is None:
        stage.surprises.append(f"NATS does not let the tool of {keeper.school} in")
    return ToolPlayed(Who(keeper.school, UUID(tool)), nats_jwt.credentials(login["jwt"], seed), children)


def _words(tool: ToolPlayed, child: Child) -> dict[str, Any]:
    return {
        "child": str(child.id),
        "for_purpose": FOR,
        "recipient_kind": "member",
        "recipient": str(tool.who.id),
        "categories": SHARED,
        "notice_version": 1,
    }


async def _consent(stage: Stage, tool: ToolPlayed, child: Child) -> None:
    words = _words(tool, child)
    await stage.went(stage.do(child.coordinator, "network", "ask-consent", **words), "consent for a tool asked")
    for who in child.decides:
        await stage.went(stage.do(who, "network", "give-consent", **words), "consent for a tool given")


async def _withdraw(stage: Stage, tool: ToolPlayed, child: Child) -> None:
    acting = stage.do(child.decides[0], "network", "withdraw-consent", **_words(tool, child))
    await stage.went(acting, "consent for a tool withdrawn")


async def _fetch(stage: Stage, cast: Cast, tool: ToolPlayed) -> None:
    keeper, loop = cast.keepers[tool.who.school], asyncio.get_running_loop()
    end = loop.time() + FETCHED_WITHIN_S
    async with _connected(stage, tool) as client:
        mine = await client.jetstream(domain="gate").pull_subscribe_bind("me", stream="OUT")
        while await _owed(stage, keeper, tool):
            if loop.time() > end:
                stage.surprises.append(f"the tool of {keeper.school} did not get all within {FETCHED_WITHIN_S:g} s")
                return
            try:
                messages = await mine.fetch(100, timeout=0.3)
            except (TimeoutError, nats.errors.TimeoutError):
                continue
            for message in messages:
                await _take(client, tool, pydantic_core.from_json(message.data))
                await message.ack()


async def _take(client: Client, tool: ToolPlayed, event: dict[str, Any]) -> None:
    tool.received.append(event)
    if event["type"] == TOLD:
        withdrawal = event["data"]["withdrawal"]
        await client.request("in.gate.confirm-deletion", pydantic_core.to_json({"withdrawal": withdrawal}), timeout=5)
        tool.confirmed.append(withdrawal)


async def _owed(stage: Stage, keeper: Who, tool: ToolPlayed) -> bool:
    about = str(school_subject(keeper.school))
    found = await stage.ask(keeper, "gate", "tool-lag", about=about, purpose="administration")
    row = next(one for one in found["tools"] if one["tool"] == str(tool.who.id))
    last = max((event["sequence"] for event in tool.received), default=0)
    return bool(row["queued"]) or int(row["sequence"]) > last


@asynccontextmanager
async def _connected(stage: Stage, tool: ToolPlayed) -> AsyncIterator[Client]:
    url = stage.witness.nats.connected_url
    client = await nats.connect(
        url.geturl() if url else [], user_credentials=RawCredentials(tool.creds), allow_reconnect=False
    )
    try:
        yield client
    finally:
        await client.close()
