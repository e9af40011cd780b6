"""What other services' events cause here: the grants by which put-outs are judged, and erasures."""

from __future__ import annotations

from collections.abc import Sequence

from services.gate.model import SERVICE
from shared.access_projection import project_access
from shared.db import Connection
from shared.erasure import erase
from shared.events.base import Event, NewEvent
from shared.projection import Lane, Policy


async def on_network(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Keeps the projection of access, and erases children."""
    await project_access(conn, events)
    return await erase(conn, events, SERVICE)


async def on_goals(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Takes nothing yet."""
    del conn, events
    return ()


def lanes() -> tuple[Lane, ...]:
    """Returns how each producer's events are applied."""
    return (Lane("network", on_network, Policy.BLOCK), Lane("goals", on_goals, Policy.PARK))
