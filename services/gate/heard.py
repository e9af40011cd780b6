"""Events as tools are told them, but for their ids and hashes: made once a process, however many tools want one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection

from services.gate.model import Said
from shared.db import Database
from shared.errors import Transient

REMEMBERED = 8192
"""More than all tools at work may claim together, so that none is forgotten between being read and being told."""
TEXTS = "SELECT id, event FROM heard WHERE school = $1 AND id = ANY ($2)"


class Unread(Transient):
    """These events are not known in this process yet: read them, and ask again."""

    def __init__(self, sources: Collection[str]) -> None:
        super().__init__("events that are to go out are not read yet")
        self.sources = sources


class Heard:
    """What this process knows of events that wait for tools. Whether one may still go out is the database's to say."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Said] = OrderedDict()
        self._reading = asyncio.Lock()

    def keep(self, school: str, source: str, raw: bytes | str) -> None:
        """Keeps an event; the one that was not asked for the longest is forgotten for it."""
        self._known[school, source] = Said.of(raw)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def of(self, school: str, sources: Collection[str]) -> dict[str, Said]:
        """Returns these events; raises Unread with those that are not known."""
        found, unread = dict[str, Said](), list[str]()
        for source in sources:
            said = self._known.get((school, source))
            if said is None:
                unread.append(source)
                continue
            self._known.move_to_end((school, source))
            found[source] = said
        if unread:
            raise Unread(unread)
        return found

    async def read(self, db: Database, school: str, sources: Collection[str]) -> None:
        """Reads what is not known; of many who want the same at once one does."""
        async with self._reading:
            wanted = [source for source in sources if (school, source) not in self._known]
            if not wanted:
                return
            async with db.school(school) as conn:
                for row in await conn.fetch(TEXTS, school, wanted):
                    self.keep(school, str(row["id"]), row["event"])
