"""A table whose people talk: conversations are planned, held and looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar

from shared.actor import Actor
from tests.goals.plans import Json, Table
from tests.network.talks import move_time

IN_AN_HOUR = timedelta(hours=1)


class Room:
    """A table whose people talk; `later` moves the school's time."""

    def __init__(self, table: Table, owner_dsn: str) -> None:
        self.table, self.owner_dsn = table, owner_dsn
        self.start = datetime.now(UTC) + IN_AN_HOUR

    def times(self, days: int = 0) -> Json:
        start = self.start + timedelta(days=days)
        return {"starts_at": start.isoformat(), "ends_at": (start + IN_AN_HOUR).isoformat()}

    async def plan(self, who: Actor | None = None, *invited: Actor, **more: object) -> Json:
        """Returns a conversation of the teacher with the mother, unless said otherwise."""
        table = self.table
        guests = [one.id for one in invited or (table.mum,)]
        body = {"about": table.child, "why": "how reading goes at home", "invited": guests, **self.times(), **more}
        return await table.ask(who or table.teacher, "plan-conversation", **body)

    async def later(self, hours: float = 2) -> None:
        await move_time(self.owner_dsn, timedelta(hours=hours))

    async def held(self, *attended: Actor, **more: object) -> Json:
        """Returns a conversation that took place with these (none given: the teacher and the mother)."""
        table = self.table
        who = [one.id for one in attended or (table.teacher, table.mum)]
        made = await self.plan(None, table.mum, table.dad, **more)
        await self.later()
        asked = {"conversation": made["conversation"], "sequence": 0, "attended": who}
        return await table.ask(table.teacher, "hold-conversation", **asked)

    async def shown(self, made: Json, who: Actor | None = None) -> Json:
        return await self.table.ask(who or self.table.mum, "conversation", conversation=made["conversation"])

    async def ics(self, made: Json, who: Actor | None = None, **more: object) -> Any:  # noqa: ANN401  an iCalendar object
        asked = {"conversation": made["conversation"], **more}
        text = (await self.table.ask(who or self.table.mum, "conversation-invite", **asked))["ics"]
        return icalendar.Calendar.from_ical(text)

    async def facts(self, name: str) -> list[Json]:
        return [event["data"]["fact"] for event in await self.table.desk.told() if f".{name}.v1" in event["type"]]
