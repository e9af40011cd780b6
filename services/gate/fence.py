"""What is taken from a tool: found in network's changes, told behind a fence, and waited for.

A withdrawal is in the transaction that moves network's cursor. The cursor is told to others only as far as before the
first one that its tool's stream has not acknowledged: then the tool can fetch nothing of it any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from services.gate import store
from services.gate.model import Tool, pseudonym
from services.gate.store import Before
from shared.backlog import Key
from shared.clock import Ids
from shared.db import Connection, Database
from shared.events.base import Event
from shared.events.erasure import ChildErased
from shared.events.network import AccessChanged
from shared.events.words import Action, Category, Purpose, Role
from shared.projection import OPEN_LANE, Position
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
    """Takes from tools what a change of access to a child no longer gives; tells whether it took anything.

    What is held was put out before any of these changes: what is taken by one of them and given again by the next one
    was withdrawn, and is to be deleted.
    """
    changes: dict[UUID, list[Event]] = {}
    for event in events:
        if event.is_a(AccessChanged):
            changes.setdefault(event.about, []).append(event)
    if not changes or not tools:
        return False
    school, by_id = events[0].school, {tool.id: tool for tool in tools}
    taken = False
    for tool, about, category in sorted(await store.list_held(conn, school, changes, by_id)):
        took = [one for one in changes[about] if category not in _left(one, by_id[tool])]
        if not took:
            continue
        taken, first = True, took[0]
        before = Before(first.epoch, first.seq - 1, first.prev_hash, first.recorded_at)
        await _take(conn, school, (by_id[tool], about, category), first.id, before)
    return taken


def _left(event: Event, tool: Tool) -> set[Category]:
    """Returns what a change of access leaves a tool of the child."""
    grants = [one for one in event.content["data"]["fact"]["grants"] if one["member"] == str(tool.id)]
    return receivable(grants, tool.purpose, event.recorded_at)


async def take_lapsed(db: Database, school: str, now: datetime, ids: Ids) -> int:
    """Takes from tools what their grants, by their own end, no longer give; returns how much. Nothing tells of an end.

    It is taken as if network had said so: under the children's locks, and before its cursor is told any further.
    """
    async with db.school(school) as conn:
        tools = {tool.id: tool for tool in await store.list_tools(conn, school)}
        lapsed = await store.list_lapsed(conn, school) if tools else []
    if not lapsed:
        return 0
    taken = 0
    async with db.lane() as conn:
        at = await conn.fetchrow(OPEN_LANE, school, AUTHORITY, sorted(lapsed))
        if at is None:
            raise RuntimeError("open_lane returned no row")
        before = Before(at["epoch"], at["seq"], at["hash"], now)
        access = await store.get_grants(conn, school, lapsed, tools)
        for tool, about, category in sorted(await store.list_held(conn, school, lapsed, tools)):
            grants = access.get(about, (0, {}))[1].get(str(tool), ())
            if category not in receivable(grants, tools[tool].purpose, now):
                await _take(conn, school, (tools[tool], about, category), ids.pseudonym(), before)
                taken += 1
    return taken


async def _take(conn: Connection, school: str, what: tuple[Tool, UUID, Category], source: UUID, before: Before) -> None:
    tool, about, category = what
    if await store.take_out(conn, school, about, tool.id, category):
        await store.add_marker(conn, school, uuid5(source, f"{tool.id}/{category}"), tool, about, category, before)


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
