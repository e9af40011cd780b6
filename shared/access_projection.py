"""Network's grants as every other service keeps them, and the leases that make them count (DESIGN.md "Access")."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from shared.bus import Bus
from shared.db import LOST, Connection, Database
from shared.errors import Transient
from shared.events.base import Event, NewEvent
from shared.events.network import AccessChanged, Grant
from shared.telemetry import Telemetry

log = logging.getLogger(__name__)

LEASE_EVERY_S = 1.0

PROJECT = """
INSERT INTO access AS a (school, id, version, grants, epoch, seq)
SELECT $1, * FROM unnest($2::uuid[], $3::int[], $4::jsonb[], $5::int[], $6::bigint[])
ON CONFLICT (school, id) DO UPDATE
   SET version = excluded.version, grants = excluded.grants, epoch = excluded.epoch, seq = excluded.seq,
       lease_reading = NULL, lease_generation = NULL
 WHERE a.version < excluded.version
"""
READING = "SELECT clock_timestamp(), generation_now()"
READ_FOR_LEASE = "SELECT * FROM read_for_lease()"


def by_member(grants: Iterable[Grant]) -> dict[str, list[dict[str, Any]]]:
    """Returns grants as table `access` keeps them: lists keyed by member."""
    kept: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for grant in grants:
        kept[str(grant.member)].append(grant.model_dump(mode="json"))
    return dict(kept)


async def project_access(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Keeps the newest set of grants of each subject. The projection holds the subjects' exclusive locks already."""
    newest = {event.about: event for event in events if event.is_a(AccessChanged)}
    if newest:
        subjects = sorted(newest)
        changes = [newest[subject] for subject in subjects]
        await conn.execute(
            PROJECT,
            events[0].school,
            subjects,
            [change.fact(AccessChanged).revision for change in changes],
            [_told(change) for change in changes],
            [change.epoch for change in changes],
            [change.seq for change in changes],
        )
    return ()


def _told(change: Event) -> dict[str, list[dict[str, Any]]]:
    """Returns `by_member` of a change that was read as one: its own JSON is what its grants would be written as."""
    kept: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for grant in change.content["data"]["fact"]["grants"]:
        kept[grant["member"]].append(grant)
    return dict(kept)


def subjects_of(events: Iterable[Event]) -> list[UUID]:
    """Returns the subjects whose access these events change: what the projection locks first."""
    return sorted({event.about for event in events if event.is_a(AccessChanged)})


class Leases:
    """Keeps this service's grants countable: asks network, once a second, where its access stands."""

    def __init__(self, db: Database, bus: Bus, telemetry: Telemetry) -> None:
        self._db = db
        self._bus = bus
        self._telemetry = telemetry
        self._asking: dict[tuple[str, UUID], asyncio.Future[bool]] = {}

    async def run(self) -> None:
        """Renews the leases until cancelled. Unreachable: they run out, and nothing is permitted any more."""
        while True:
            try:
                await self._renew()
            except (Transient, asyncpg.PostgresError, *LOST) as error:
                log.warning("leases not renewed", extra={"code": "lease_late", "kind": type(error).__name__})
            await asyncio.sleep(LEASE_EVERY_S)

    async def _renew(self) -> None:
        reading, generation, stepped = await self._db.row(READ_FOR_LEASE)
        if stepped is not None:
            text = "the database's clock stepped back: every lease was voided"
            self._telemetry.alarm("clock_stepped", text, seconds=stepped.total_seconds())
        heads = await self._bus.ask("ask.access", {"what": "heads"})
        await self._db.function("store_leases", reading, generation, heads)

    async def vouch(self, school: str, subject: UUID) -> bool:
        """Asks network for one subject's grants and stores them with a lease of their own; once at a time a subject.

        False: network knows no such subject. Raises Transient when network cannot be reached.
        """
        place = (school, subject)
        if (asking := self._asking.get(place)) is not None:
            return await asyncio.shield(asking)
        task = asyncio.ensure_future(self._vouch(school, subject))
        self._asking[place] = task
        task.add_done_callback(lambda _: self._asking.pop(place, None))
        return await asyncio.shield(task)

    async def _vouch(self, school: str, subject: UUID) -> bool:
        reading, generation = await self._db.row(READING)
        told = await self._bus.ask("ask.access", {"what": "subject", "school": school, "subject": subject}, timeout_s=1)
        if told["revision"] is None:
            return False
        try:
            await self._db.function(
                "store_vouched",
                school,
                subject,
                told["revision"],
                told["grants"],
                told["epoch"],
                told["seq"],
                reading,
                generation,
            )
        except (asyncpg.PostgresError, *LOST) as error:
            msg = f"not stored: {type(error).__name__}"
            raise Transient(msg) from None
        return True
