"""What is taken from a tool: found in network's changes, told behind a fence, and waited for.

A withdrawal is in the transaction that moves network's cursor. The cursor is told to others only as far as before the
first one that its tool's stream has not acknowledged: then the tool can fetch nothing of it any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid5

from services.gate import store
from services.gate.model import Tool, pseudonym
from shared.backlog import Key
from shared.db import Connection, Database
from shared.events.base import Event
from shared.events.erasure import ChildErased
from shared.events.network import AccessChanged
from shared.events.words import Action, Category, Purpose, Role
from shared.projection import Position
from shared.pull import AUTHORITY


def receivable(grants: Sequence[Mapping[str, Any]], purpose: Purpose, at: datetime) -> set[Category]:
    """Returns the categories that these grants of a tool let it receive for its purpose, at some time from `at` on."""
    return {
        Category(category)
        for grant in grants
        if grant["role"] == Role.LOCAL_TOOL
        and Action.RECEIVE in grant["actions"]
        and purpose in grant["purposes"]
        and (grant["valid_until"] is None or datetime.fromisoformat(grant["valid_until"]) > at)
        for category in grant["categories"]
    }


async def take_withdrawn(conn: Connection, events: Sequence[Event], tools: Sequence[Tool]) -> bool:
    """Takes from tools what the last change of access to each child no longer gives; tells whether it took anything."""
    newest = {event.about: event for event in events if event.is_a(AccessChanged)}
    if not newest or not tools:
        return False
    school, by_id = events[0].school, {tool.id: tool for tool in tools}
    held = await store.list_held(conn, school, newest, by_id)
    taken = False
    for tool, about, category in sorted(held):
        event = newest[about]
        grants = [one for one in event.content["data"]["fact"]["grants"] if one["member"] == str(tool)]
        if category in receivable(grants, by_id[tool].purpose, event.recorded_at):
            continue
        taken = True
        if await store.take_out(conn, school, about, tool, category):
            await store.add_marker(conn, event, uuid5(event.id, f"{tool}/{category}"), by_id[tool], about, category)
    return taken


async def forget_erased(conn: Connection, events: Sequence[Event], tools: Sequence[Tool]) -> None:
    """Has the withdrawals of children that are erased name them as their tools do, before the rows go."""
    for event in events:
        if event.is_a(ChildErased):
            for tool in tools:
                theirs = pseudonym(tool.secret, event.about)
                await store.point_markers(conn, event.school, tool.id, event.about, theirs)


async def held_back(
    db: Database, positions: Mapping[Key, Position]
) -> tuple[dict[Key, Position], dict[str, list[str]]]:
    """Returns the cursors as they may be told, and of each school the tools that some of it waits for.

    Ask after the positions were read: a withdrawal that one of them passed is written down by then.
    """
    told, waits = dict(positions), dict[str, list[str]]()
    for row in await db.rows(store.LISTED_HELD):
        key, before = (AUTHORITY, row["school"]), Position(row["epoch"], row["seq"], row["hash"])
        if key in told and told[key].seq > before.seq:
            told[key] = before
            waits[row["school"]] = [str(tool) for tool in row["tools"]]
    return told, waits
