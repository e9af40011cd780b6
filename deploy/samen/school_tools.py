"""What is done to all tools of a school at once, tool by tool, and what NATS was seen to do about each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from deploy.samen.client import Client
from shared.errors import Problem, ProblemType
from shared.events.words import school_subject

TRIES = 3

Settled = Callable[[Client, str, str], Awaitable[int | None]]
"""Waits until a tool's account is as its state says; gives the connections it has left, None when time is up."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done: the command, the state that it leads to, and the states that it is done in."""

    command: str
    state: str
    of: tuple[str, ...]


PAUSE = Deed("pause-tool", "paused", ("active",))
RESUME = Deed("resume-tool", "active", ("paused",))
REMOVE = Deed("remove-tool", "removed", ("active", "paused"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One tool: what it is called, what was done, and the connections that NATS was seen to have left of it."""

    tool: UUID
    label: str
    account: str | None
    failed: str | None = None
    connections: int | None = None

    @property
    def seen(self) -> bool:
        """Tell whether NATS was seen to have it so: a tool without an account has nothing there."""
        return self.failed is None and (self.account is None or self.connections is not None)


async def do_to_all(
    client: Client, school: str, person: UUID, deed: Deed, reason: str, settled: Settled
) -> list[Outcome]:
    """Do it to each tool of a school that it is for, and wait until NATS has them so: also those where it was done.

    A tool that can't be changed is told with the others and holds none of them up.
    """
    asking = Asking(client, school, person)
    found = await asking.query("tools", removed=deed is REMOVE)

    async def one(tool: dict[str, Any]) -> Outcome:
        failed = await _done(asking, deed, tool, reason)
        if failed is not None or tool["account"] is None:
            return Outcome(UUID(tool["id"]), tool["label"], tool["account"], failed)
        left = await settled(client, tool["account"], deed.state)
        return Outcome(UUID(tool["id"]), tool["label"], tool["account"], None, left)

    concerned = (tool for tool in found["tools"] if tool["state"] in (*deed.of, deed.state))
    return list(await asyncio.gather(*map(one, concerned)))


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks the gate about a school's tools, as a person of that school."""

    client: Client
    school: str
    person: UUID

    async def query(self, name: str, **body: object) -> dict[str, Any]:
        """Ask."""
        asked = {"about": str(school_subject(self.school)), "purpose": "administration"} | body
        actor = self.client.actor(self.person, self.school)
        return dict(await self.client.query(self.school, "gate", name, asked, actor))

    async def command(self, name: str, **body: object) -> None:
        """Command."""
        asked = {"about": str(school_subject(self.school))} | body
        await self.client.command(self.school, "gate", name, asked, self.client.actor(self.person, self.school))


async def _done(asking: Asking, deed: Deed, tool: dict[str, Any], reason: str) -> str | None:
    """Do it to one tool, again if somebody changed the tool meanwhile; return why it can't be done."""
    detail = None
    try:
        for _ in range(TRIES):
            if tool["state"] == deed.state:
                return None
            try:
                await asking.command(deed.command, tool=tool["id"], version=tool["version"], reason=reason)
            except Problem as problem:
                if problem.type not in {ProblemType.STALE_VERSION, ProblemType.CONFLICT}:
                    raise
                detail = problem.detail
                tool = await asking.query("tool", tool=tool["id"])
            else:
                return None
    except Problem as problem:
        detail = problem.detail
    return detail
