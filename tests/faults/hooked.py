"""A school's tool that is told by webhook, beside the whole platform, and its server as a process to kill."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from deploy.embedded.process import free_port
from tests.faults.apps import App, joined
from tests.faults.cast import School
from tests.faults.door import Door
from tests.faults.stage import Stage

LOOPBACK = {"SAMEN_GATE_WEBHOOK_LOOPBACK": "true"}
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
ADD = """
INSERT INTO tool (school, id, version, account, label, purpose, categories, types, agreement, channel, state, registered_at, secret)
VALUES ($1, $2, 1, NULL, 'Leesmaatje', 'local_tool', '{goals}', '{}', 'VO-2026-015', 'webhook', 'active', clock_timestamp(), $3)
"""  # noqa: E501  a column list is read across
ADD_WEBHOOK = "INSERT INTO webhook VALUES ($1, $2, 1, $3, $4, clock_timestamp())"
REST_OVER = "UPDATE parcel SET next_at = least(next_at, clock_timestamp())"
BREAKER_OVER = "DELETE FROM receiver"


@dataclass
class Hooked(App):
    """The tool. What its server kept is what it has, whatever became of the answer."""

    port: int = field(default_factory=free_port)
    server: Process | None = None

    @property
    def kept(self) -> Path:
        """What its server has written down."""
        return self.folder / "kept.jsonl"

    async def start(self) -> None:
        """Starts the server, and waits until it serves."""
        self.server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.hook", str(self.port), str(self.kept), stdout=PIPE
        )
        assert self.server.stdout is not None
        async with asyncio.timeout(20):
            await self.server.stdout.readline()

    async def kill(self) -> None:
        """Ends the server as kill -9 does; it stays down until `start`."""
        if self.server is not None:
            self.server.kill()
            await self.server.wait()
            self.server = None

    def pause(self, *, on: bool = True) -> None:
        """Has the server stand still, or go on: what is sent to it meanwhile lies unread."""
        if self.server is not None:
            self.server.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    async def minutes_later(self) -> None:
        """Kills the gate and starts it again as if minutes had gone by: what was on its way is taken for lost, and the
        server has rested long enough.
        """
        if "gate" not in self.stage.down:
            await self.stage.kill("gate")
        async with self.stage.admin("gate") as conn:
            await conn.execute(REST_OVER)
            await conn.execute(BREAKER_OVER)
        self.stage.start("gate")

    def requests(self) -> list[dict[str, Any]]:
        """Returns every request's body with its `webhook-id`, in the order in which they came; each is verified."""
        found = []
        for line in self.kept.read_text().splitlines() if self.kept.exists() else ():
            kept = json.loads(line)
            told: dict[str, Any] = Webhook(SECRET).verify(kept["body"], kept["headers"])
            assert kept["headers"]["webhook-id"] == told["id"]
            found.append(told)
        return found

    def proposed(self, child: str) -> list[str]:
        """Returns which goals of a child it was told to be proposed, each at its first coming."""
        told = [one for one in self.requests() if one["type"].endswith("goal.proposed.v1")]
        return list(dict.fromkeys(one["thing"] for one in told if one["subject"] == self.theirs(child)))


@asynccontextmanager
async def plugged_in(stage: Stage, door: Door, school: School, folder: Path) -> AsyncIterator[Hooked]:
    """Yields a tool that is a member of every child's network, its server up."""
    tool = Hooked(stage, door, school, await joined(door, school), "", "cd" * 32, folder)
    url, keys = f"http://127.0.0.1:{tool.port}/hook", [{"secret": SECRET, "until": None}]
    async with stage.admin("gate") as conn:
        await conn.execute(ADD, school.slug, tool.id, tool.secret)
        await conn.execute(ADD_WEBHOOK, school.slug, tool.id, url, keys)
    await tool.start()
    try:
        yield tool
    finally:
        await tool.kill()
