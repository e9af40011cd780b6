"""What the gate does by itself: put out, escalate what tools did not delete, forget what is too old to go out again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg

from services.gate import obliging
from services.gate.fence import held_back, take_lapsed
from services.gate.heard import Heard
from services.gate.minding import END, mind_tool
from services.gate.model import SERVICE
from services.gate.places import Wakes
from services.gate.putting import Putter
from services.gate.settings import GateSettings
from services.gate.streams import Streams
from shared.actor import Actor, service_id
from shared.backlog import Key
from shared.db import LOST
from shared.errors import Problem
from shared.events.words import ActorKind
from shared.projection import Position
from shared.service import Site
from shared.session import Session
from shared.unit import Asked

log = logging.getLogger(__name__)

ROUND_EVERY_S = 60.0
OVER = """
SELECT t.id FROM tool t, time_shift s
 WHERE t.school = $1 AND t.state <> 'removed' AND t.ends_at <= clock_timestamp() + s.shift ORDER BY t.id
"""
FORGET = "SELECT forget_put_outs($1, $2, $3)"
MOST_FORGOTTEN = 1000


async def put_out(at: Site, wakes: Wakes, heard: Heard) -> None:
    """Puts out through the tools' streams until cancelled; has network's cursor told only as far as that allows."""
    settings = GateSettings()

    async def hold(positions: Mapping[Key, Position]) -> tuple[Mapping[Key, Position], Mapping[str, Any]]:
        told, waits = await held_back(at.db, positions)
        return told, {"waits": waits} if waits else {}

    if at.consumer is not None:
        at.consumer.announcer.hold = hold
    if settings.creds is None:
        log.warning("nothing is put out", extra={"code": "gate_without_streams"})
        return
    announcing: set[asyncio.Task[None]] = set()

    def told() -> None:
        if at.consumer is not None:
            task = asyncio.create_task(at.consumer.announce())
            announcing.add(task)
            task.add_done_callback(announcing.discard)

    streams = await Streams.connect(at.settings.nats_url, settings, _heard, at.ids)
    putter = Putter(
        at.db,
        at.unit,
        at.ids,
        at.clock,
        streams,
        wakes,
        heard,
        at.alarm,
        at.settings.release_within_s,
        timedelta(days=settings.deletion_within_days),
        told,
    )
    session = Session(at.settings.database_url, "putter")
    try:
        await putter.run(session)
    finally:
        await session.close()
        await streams.close()


async def keep_house(at: Site) -> None:
    """Escalates and forgets, a round a minute, until cancelled."""
    settings = GateSettings()
    while True:
        try:
            schools = await at.db.schools()
        except (*LOST, asyncpg.PostgresError) as error:
            schools = []
            log.warning("the gate's round waits", extra={"code": "gate_round_late", "kind": type(error).__name__})
        for school in schools:
            try:
                await _round(at, school, settings)
            except (Problem, *LOST, asyncpg.PostgresError) as error:  # what ails one school is nothing to the next
                kind = type(error).__name__
                log.warning("a school's round waits", extra={"code": "gate_round_late", "kind": kind, "school": school})
        await asyncio.sleep(ROUND_EVERY_S)


async def _round(at: Site, school: str, settings: GateSettings) -> None:
    await take_lapsed(at.db, school, at.clock.now(), at.ids)
    await end_registrations(at, school)
    await escalate(at, school)
    async with at.db.school(school) as conn:
        await conn.execute(FORGET, school, timedelta(days=settings.kept_days), MOST_FORGOTTEN)


async def end_registrations(at: Site, school: str) -> None:
    """Removes the tools whose time has come: those with a slot were within the second, those with a webhook now."""
    async with at.db.school(school) as conn:
        over = [row["id"] for row in await conn.fetch(OVER, school)]
    for tool in over:
        actor, body = mind_tool(school, tool)
        try:
            await at.unit.run(END, Asked(actor, school, body, at.ids))
        except Problem as problem:
            if problem.more.get("state") is None:  # else somebody was faster
                raise


async def escalate(at: Site, school: str) -> None:
    """Tells, once each, which deletions tools did not confirm in time."""
    service = Actor(service_id(SERVICE), ActorKind.SERVICE, school, SERVICE)
    found = await at.unit.run(obliging.OVERDUE, Asked(service, school, obliging.TellOverdue(), at.ids))
    if found["told"]:
        at.alarm("deletion_overdue", "a tool did not confirm a deletion in time", school=school)


async def _heard(error: Exception) -> None:
    log.warning("nats", extra={"code": "nats_error", "kind": type(error).__name__})
