"""What network does by itself: it follows no other service's events yet; it catches up on grants."""

from __future__ import annotations

import asyncio
import logging

from services.network.commands import REGRANT
from services.network.school import Regrant
from services.network.store import is_waiting
from shared.actor import Actor, service_id
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind
from shared.projection import Lane
from shared.rounds import each_school
from shared.service import Site
from shared.unit import Asked

log = logging.getLogger(__name__)

LANES: tuple[Lane, ...] = ()
EVERY_S = 0.5


async def catch_up(at: Site) -> None:
    """Publishes, page by page, the grants of children that wait: for a birthday, or for who reaches every child."""
    while True:
        await each_school(at, catch_up_school, "regrant_waits")
        await asyncio.sleep(EVERY_S)


async def catch_up_school(at: Site, school: str) -> None:
    """Does one school until no child waits; what fails is tried again at the next round."""
    actor = Actor(service_id("network"), ActorKind.SERVICE, school, "network")
    while True:
        async with at.db.school(school) as conn:
            if not await is_waiting(conn, school):
                return
        try:
            await at.unit.run(REGRANT, Asked(actor, school, Regrant(), at.ids))
        except Problem as problem:
            if problem.type is ProblemType.UNAVAILABLE:
                log.warning("grants wait", extra={"code": "regrant_waits", "kind": problem.type.value})
            else:
                at.unit.alarm("regrant_failed", "grants cannot be told", school=school, kind=problem.type.value)
            return
