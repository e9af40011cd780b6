"""The tools' side of the process: its connection to them, the door on it, and the tasks that mind who comes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pydantic_core
from nats.aio.msg import Msg
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.gate.asking import Platform
from services.gate.calling import Calls
from services.gate.incoming import ToolDoor
from services.gate.minding import END, HOLD, mind_tool
from services.gate.model import SERVICE, ToolState
from services.gate.rates import Limits, Rates
from services.gate.registry import Known, Registry
from services.gate.slots import LOGIN, Slots, Wanted, keep_slots, read_wanted
from shared.bus import answer
from shared.db import LOST
from shared.errors import Problem
from shared.service import Site
from shared.unit import Asked, Endpoint

log = logging.getLogger(__name__)

EVERY_S = 1.0
WAIT_S = 10.0
"""So long somebody waits to hear that a slot is as it was asked."""
ASKED_SLOT = "ask.tool-slot"
FORGOTTEN_AT_ONCE = 1000
TRIES = 20
DRAIN_S = 1.0


class DoorSettings(BaseSettings):
    """What the tools' door is told; names in upper case behind `SAMEN_`."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_", frozen=True, extra="ignore")

    gate_creds: Path | None = None
    """The login `gate-door` in account GATE; without it there is no door."""
    slots: Path | None = None
    """The folder of the keys that sign tools' logins, one a slot."""
    tool_login_s: float = 3600
    """How long a tool's login is good for; it renews it before."""
    tool_per_s: float = 50
    tool_burst: int = 100
    tool_flood: int = 1000
    """So many refusals within five seconds pause a tool."""

    @property
    def login_lives(self) -> timedelta:
        """How long a tool's login is good for."""
        return timedelta(seconds=self.tool_login_s)


@dataclass(slots=True)
class Tools:
    """The running door, and what minds it."""

    site: Site
    registry: Registry
    rates: Rates
    wanted: Wanted
    telling: set[asyncio.Task[None]] = field(default_factory=set)

    async def cut_off(self, tool: Known) -> None:
        """Pauses a tool that floods, and waits until nothing of it comes through any more."""
        self.site.alarm("tool_flooding", "a tool sends much more than it may, and is paused", school=tool.school)
        for tried in range(TRIES):
            if await self._mind(HOLD, tool):
                await self.wanted.settled(tool.account, ToolState.PAUSED.value)
                return
            await asyncio.sleep(0.05 * 2 ** min(tried, 6))

    async def _mind(self, endpoint: Endpoint[Any], tool: Known) -> bool:
        actor, body = mind_tool(tool.school, tool.id)
        try:
            await self.site.unit.run(endpoint, Asked(actor, tool.school, body, self.site.ids))
        except Problem as problem:
            if problem.more.get("state") is not None:  # somebody was faster
                return True
            log.warning("not done yet", extra={"code": "tool_not_minded", "kind": problem.type.value})
            return False
        return True

    async def watch(self) -> None:
        """Reads every second which tools there are; removes those whose time has come; lets those in again that were
        resumed.
        """
        while True:
            with contextlib.suppress(*LOST, asyncpg.PostgresError):
                for resumed in await self.registry.refresh():
                    self.rates.forgive(resumed.account)
                for tool in list(self.registry.tools.values()):
                    if tool.ended and tool.state is not ToolState.REMOVED:
                        await self._mind(END, tool)
            await asyncio.sleep(EVERY_S)

    async def forget(self) -> None:
        """Deletes the pseudonyms of removed tools, a page at a time."""
        while True:
            gone = 0
            with contextlib.suppress(*LOST, asyncpg.PostgresError):
                for school in await self.site.db.schools():
                    gone += await self.site.db.function("forget_told", school, FORGOTTEN_AT_ONCE)
            await asyncio.sleep(1 if gone else 30)

    async def tell_slot(self, message: Msg) -> None:
        """Answers {account, state} with {holds, connections} once the slot is in that state, or time is up."""
        task = asyncio.create_task(self._tell_slot(message))  # others ask meanwhile
        self.telling.add(task)
        task.add_done_callback(self.telling.discard)

    async def _tell_slot(self, message: Msg) -> None:
        try:
            asked = pydantic_core.from_json(message.data)
            account, state = str(asked["account"]), str(asked["state"])
            async with asyncio.timeout(WAIT_S):
                told: dict[str, Any] = {"holds": state, "connections": await self.wanted.settled(account, state)}
        except TimeoutError:
            told = {"holds": None, "connections": None}
        except (ValueError, KeyError, TypeError):
            return
        await answer(message, told)


async def serve_tools(at: Site, settings: DoorSettings, slots: Slots, own: Mapping[str, Endpoint[Any]]) -> None:
    """Serves what tools ask, and keeps their slots as they are to be, until cancelled."""
    if settings.gate_creds is None:
        log.warning("no door for tools", extra={"code": "no_tools_door"})
        return
    wanted = Wanted(slots, partial(read_wanted, at), at.alarm)
    calls = Calls(at.db, at.unit, at.ids, at.clock, at.verifier, Platform(at.bus, at.clock), own)
    limits = Limits(per_s=settings.tool_per_s, burst=settings.tool_burst, flood=settings.tool_flood)
    tools = Tools(at, Registry(at.db), Rates(limits), wanted)
    door = ToolDoor(calls, tools.registry, tools.rates, at.telemetry, at.clock, tools.cut_off)
    await at.bus.client.subscribe(ASKED_SLOT, queue=SERVICE, cb=tools.tell_slot)
    await asyncio.gather(
        keep_slots(at, wanted, settings.gate_creds), _open(at, door, settings.gate_creds), tools.watch(), tools.forget()
    )


async def _open(at: Site, door: ToolDoor, creds: Path) -> None:
    """Has the door open until cancelled, on a connection of its own: a flood holds up nothing else."""

    async def heard(error: Exception) -> None:
        log.warning("nats", extra={"code": "nats_error", "kind": type(error).__name__})

    client = await nats.connect(
        at.settings.nats_url,
        user_credentials=str(creds),
        inbox_prefix=f"_INBOX.{LOGIN}".encode(),
        name=f"{LOGIN} in",
        error_cb=heard,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,
    )
    try:
        await door.serve(client)
        await asyncio.Event().wait()
    finally:
        await door.close(DRAIN_S)
        await client.close()
