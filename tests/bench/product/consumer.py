"""A service of the product that projects into a table or, with BENCH_REACT=nothing, into nothing; named `audit`."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from shared.db import Connection
from shared.events.base import Event, NewEvent
from shared.projection import Lane, Policy
from shared.service import Service, Site, run
from tests.bench.worker import obey

TABLE = """
CREATE TABLE bench_line (
    school text, event_id uuid, type text NOT NULL, about uuid NOT NULL, thing uuid, actor uuid NOT NULL,
    action text NOT NULL, category text NOT NULL, outcome text NOT NULL, occurred_at timestamptz NOT NULL,
    event text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (school, event_id));
SELECT tenant_policy('bench_line');
"""
INSERT = """
INSERT INTO bench_line (school, event_id, type, about, thing, actor, action, category, outcome, occurred_at, event)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[],
                         $10::timestamptz[], $11::text[])
"""


async def into_table(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Adds a line an event in one statement: the same columns as the naive consumer's."""
    acts = [event.content["data"]["act"] for event in events]
    await conn.execute(
        INSERT,
        events[0].school,
        [event.id for event in events],
        [event.type for event in events],
        [event.about for event in events],
        [event.thing for event in events],
        [act["actor"] for act in acts],
        [act["action"] for act in acts],
        [act["category"] for act in acts],
        [act["outcome"] for act in acts],
        [event.occurred_at for event in events],
        [event.raw.decode() for event in events],
    )
    return ()


async def into_nothing(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Does nothing: what is left is the projection's own work."""
    del conn, events
    return ()


async def orders(at: Site) -> None:
    """Ends the process when the parent says nothing more."""
    del at
    await obey({})
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    react = into_nothing if os.environ.get("BENCH_REACT") == "nothing" else into_table
    run(Service(name="audit", endpoints=(), lanes=(Lane("goals", react, Policy.BLOCK),), tasks=(orders,)))
