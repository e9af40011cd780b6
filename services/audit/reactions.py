"""Every event of every producer becomes a line. Logging causes no events, so looks at the log do not loop."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from services.audit.files import Logs
from services.audit.model import SERVICE, line_of
from services.audit.store import add_lines
from shared.access_projection import project_access
from shared.db import Connection
from shared.erasure import erase
from shared.errors import Permanent, Transient
from shared.events.base import Event, NewEvent
from shared.projection import Lane, Policy
from shared.tlog.tiles import Unreadable


def lanes(logs: Logs) -> tuple[Lane, ...]:
    """Returns how each producer's events become lines of `logs`."""

    async def log_events(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
        """Adds the events' lines. One that cannot be a line blocks its lane: an audit log must not have holes."""
        school = events[0].school
        lines = [line_of(event) for event in events]
        try:
            await add_lines(conn, school, lines, await logs.of(school))
        except asyncpg.DataError as error:
            # An id that is none, a moment out of range, a NUL: it will not fit later either.
            raise Permanent("not_a_line", str(error.sqlstate)) from None
        except Unreadable as error:
            raise Transient("log_files_unreadable") from error
        return ()

    async def log_network(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
        """Keeps the grants by which questions to the log are judged, and adds the lines; they stay when a child goes.

        What is erased here is told by nobody: logging causes no events. The lane's cursor confirms it.
        """
        await project_access(conn, events)
        await erase(conn, events, SERVICE)
        return await log_events(conn, events)

    return (
        Lane("network", log_network, Policy.BLOCK),
        Lane("goals", log_events, Policy.BLOCK),
        Lane("notifications", log_events, Policy.BLOCK),
        Lane("gate", log_events, Policy.BLOCK),
        Lane(SERVICE, log_events, Policy.BLOCK),
    )
