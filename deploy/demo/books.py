"""Opens the databases of a running platform, to read what is written there and to move the demo's time on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Self

import asyncpg

from deploy.databases import ServiceDatabase
from deploy.topology import SERVICES

Row = asyncpg.Record
Heads = dict[str, tuple[int, int, str]]
"""By school: epoch, seq and hash."""
PAGE = 4_000

LANES = {one.name: tuple(p for p in one.consumes if one.name != "network") for one in SERVICES}
"""Whose events each service applies. network may hear goals, and has no use for it yet."""

HEADS = "SELECT school, epoch, seq, hash FROM journal_head ORDER BY school"
PAGE_OF_JOURNAL = "SELECT seq, epoch, hash, event FROM journal WHERE school = $1 AND seq > $2 ORDER BY seq LIMIT $3"
CURSORS = "SELECT producer, school, epoch, seq, hash FROM list_cursors()"


class Books:
    """One connection with the service's login and one with the relay's, for each service; reads only.

    The time is moved with the owner's login, which is opened for that alone.
    """

    def __init__(self, databases: dict[str, ServiceDatabase]) -> None:
        self._databases = databases
        self._own: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        """Connect."""
        for name, database in self._databases.items():
            self._own[name] = await asyncpg.connect(database.dsn, server_settings={"jit": "off"})
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        for conn in self._own.values():
            await conn.close()

    @asynccontextmanager
    async def _journals(self, service: str) -> AsyncIterator[Any]:
        # The relay's login may not idle, so each reading has a connection of its own.
        conn = await asyncpg.connect(self._databases[service].relay_dsn, server_settings={"jit": "off"})
        try:
            yield conn
        finally:
            await conn.close()

    async def heads(self, service: str) -> Heads:
        """Returns each school's journal head in a service: (epoch, seq, hash)."""
        async with self._journals(service) as conn:
            return {row["school"]: (row["epoch"], row["seq"], row["hash"]) for row in await conn.fetch(HEADS)}

    async def cursors(self, service: str) -> dict[tuple[str, str], tuple[int, int, str]]:
        """Returns how far a service applied each lane, by (producer, school)."""
        rows = await self._own[service].fetch(CURSORS)
        return {(row["producer"], row["school"]): (row["epoch"], row["seq"], row["hash"]) for row in rows}

    async def journal(self, service: str, school: str) -> AsyncIterator[Row]:
        """Yields a school's journal in a service, in order: seq, epoch, hash, event (its text)."""
        async with self._journals(service) as conn:
            last = 0
            while rows := await conn.fetch(PAGE_OF_JOURNAL, school, last, PAGE):
                for row in rows:
                    yield row
                last = rows[-1]["seq"]

    async def rows(self, service: str, school: str, sql: str, *args: object) -> list[Row]:
        """Returns the rows of a statement in which only this school's rows exist."""
        conn = self._own[service]
        async with conn.transaction(readonly=True):
            await conn.execute("SELECT set_config('app.school', $1, true)", school)
            found: list[Row] = await conn.fetch(sql, *args)
        return found

    async def behind(self, heads: dict[str, Heads]) -> list[str]:
        """Returns the lanes that have not come to these heads, by producer, as `consumer <- producer (school)`."""
        found = []
        for consumer, producers in LANES.items():
            cursors = await self.cursors(consumer)
            for producer in producers:
                for school, (_, seq, _) in heads.get(producer, {}).items():
                    if cursors.get((producer, school), (0, 0, ""))[1] < seq:
                        found.append(f"{consumer} <- {producer} ({school})")
        return found

    async def move_time(self, shift: timedelta) -> None:
        """Sets how far domain time is ahead of the clock, in every database at once."""

        async def one(database: ServiceDatabase) -> None:
            conn = await asyncpg.connect(database.owner_dsn)
            try:
                await conn.execute("UPDATE time_shift SET shift = $1", shift)
            finally:
                await conn.close()

        await asyncio.gather(*(one(database) for database in self._databases.values()))
