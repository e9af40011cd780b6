"""What other services' events cause here: the grants by which put-outs are judged, and erasures."""

from __future__ import annotations

from collections.abc import Sequence

from services.gate.model import SERVICE
from services.gate.store import note_tools
from shared.access_projection import project_access
from shared.db import Connection
from shared.erasure import erase
from shared.events.base import Event, NewEvent
from shared.events.network import MemberAdded
from shared.events.words import Role
from shared.projection import Lane, Policy


async def on_network(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Keeps the projection of access and which members are tools, and erases children."""
    await project_access(conn, events)
    added = [(event, event.fact(MemberAdded)) for event in events if event.is_a(MemberAdded)]
    if tools := {fact.member for _, fact in added if fact.role is Role.LOCAL_TOOL}:
        await note_tools(conn, added[0][0].school, tools)
    return await erase(conn, events, SERVICE)


async def on_goals(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Takes nothing yet."""
    del conn, events
    return ()


def lanes() -> tuple[Lane, ...]:
    """Returns how each producer's events are applied."""
    return (Lane("network", on_network, Policy.BLOCK), Lane("goals", on_goals, Policy.PARK))
