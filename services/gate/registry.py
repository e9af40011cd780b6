"""Which tools there are, by account: what the tools' door looks up before it asks the database about one of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.gate.model import ToolState
from shared.db import LOST, Database

LOOK_EVERY_S = 0.1
LIST = "SELECT school, id, version, account, state, ended FROM list_tools()"


@dataclass(frozen=True, slots=True)
class Known:
    """A tool with a slot. `ended`: its registration's end has come."""

    school: str
    id: UUID
    version: int
    account: str
    state: ToolState
    ended: bool


class Registry:
    """All schools' tools that have a slot, as they were a moment ago: no decision rests on it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.tools: Mapping[str, Known] = {}
        self._looking: asyncio.Task[object] | None = None

    async def find(self, account: str) -> Known | None:
        """Returns the tool that has this account, also one that came a moment ago: it is looked for at most once at a
        time, and so often only.
        """
        if account not in self.tools:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.ensure_future(self._look())
            await asyncio.wait({self._looking})
        return self.tools.get(account)

    async def _look(self) -> None:
        with contextlib.suppress(*LOST, asyncpg.PostgresError):
            await self.refresh()
        await asyncio.sleep(LOOK_EVERY_S)

    async def refresh(self) -> list[Known]:
        """Reads them anew; returns those that became active since the last time."""
        before = self.tools
        self.tools = {
            row["account"]: Known(**{**row, "state": ToolState(row["state"])}) for row in await self._db.rows(LIST)
        }
        return [
            one
            for one in self.tools.values()
            if one.state is ToolState.ACTIVE and (old := before.get(one.account)) and old.state is not one.state
        ]
