"""Tells what is to be told because its day has come: school by school, page by page, whatever was down meanwhile.

What was told is noted by the same Change, so that a second replica, or a restart, tells nothing again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.actor import Actor, service_id
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind
from shared.rounds import each_school
from shared.service import Site
from shared.unit import Asked, Endpoint
from shared.unit_run import Unit

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
NONE_DUE = "none_due"
"""The code of the Problem by which an endpoint says that nothing is left to be told."""


@dataclass(frozen=True, slots=True)
class Reminders:
    """One kind of reminder of a service.

    `due` is SQL that tells whether a school ($1) has any; `endpoint` tells a page of them, as the service itself, and
    its reply says under `counted` how many; `failed` raises the alarm, given the school and the problem's type, when
    they can't be told and it is not only for a moment.
    """

    due: str
    endpoint: Endpoint[Any]
    counted: str
    failed: Callable[[Unit, str, str], None]

    async def run(self, at: Site) -> None:
        """Tells, school by school, until cancelled."""
        while True:
            await each_school(at, self._look, "reminders_wait")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, at: Site, school: str) -> None:
        async with at.db.school(school) as conn:
            due = bool(await conn.fetchval(self.due, school))
        if due:
            await self.tell(at.unit, school)

    async def tell(self, unit: Unit, school: str) -> int:
        """Tells of one school until nothing is due; returns how many it told of."""
        actor = Actor(service_id(unit.service), ActorKind.SERVICE, school, unit.service)
        told = 0
        while True:
            try:
                asked = Asked(actor, school, self.endpoint.body(), unit.ids)
                told += (await unit.run(self.endpoint, asked))[self.counted]
            except Problem as problem:
                if problem.type is ProblemType.UNAVAILABLE:
                    log.warning("what is due waits", extra={"code": "reminders_wait", "kind": problem.type.value})
                elif problem.more.get("code") != NONE_DUE:
                    self.failed(unit, school, problem.type.value)
                return told
