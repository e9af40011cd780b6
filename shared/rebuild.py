"""Builds a service's grants anew from network's journal. Nothing is permitted until it is done (DESIGN.md "Access")."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from shared.access_projection import project_access, subjects_of
from shared.db import RETRY
from shared.errors import Problem, ProblemType, Transient
from shared.events.base import Event
from shared.projection import OPEN_LANE
from shared.replay import replayed

if TYPE_CHECKING:
    from shared.service import Site

PRODUCER = "network"
SUBJECTS_A_TRANSACTION = 500

TRIES = 8

BEGIN = "UPDATE access_generation SET generation = $1, rebuilding = true RETURNING true"
END = """
WITH ended AS (UPDATE access_generation SET rebuilding = false WHERE generation = $1 RETURNING 1)
SELECT count(*) FROM ended
"""
REBUILDING = "SELECT rebuilding FROM access_generation"
FORGET = "DELETE FROM access WHERE school = $1 AND id = ANY ($2::uuid[])"
KNOWN = "SELECT id FROM access WHERE school = $1"


async def rebuild(site: Site) -> dict[str, int]:
    """Replaces every school's grants by what network's journal says; returns the number of subjects a school.

    The lane's cursor stays where it is: its other effects (lines, notices) are still owed, and grants ahead of it do
    no harm. Raises Problem when this process is not the active consumer, or another one began anew meanwhile. A
    rebuild that was cut short denies until it is done (`finish_rebuild`).
    """
    consumer = site.consumer
    if consumer is None or site.leases is None:
        raise Problem(
            ProblemType.CONFLICT,
            "this service keeps no grants of network's, nothing to build anew: name goals, notifications or gate",
        )
    if not consumer.active:
        raise Problem(ProblemType.UNAVAILABLE, "another replica is the active one: ask again")
    async with consumer.turn:
        return await _all_schools(site)


async def finish_rebuild(site: Site) -> None:
    """Does a rebuild that was cut short again, where this process is the active consumer."""
    if site.consumer is None or not site.consumer.active or not await is_rebuilding(site):
        return
    async with site.consumer.turn:
        if await is_rebuilding(site):  # nobody is at it any more, and it was not done
            await _all_schools(site)


async def is_rebuilding(site: Site) -> bool:
    """Tells whether a rebuild was begun and has not come to its end: nothing is permitted."""
    return bool((await site.db.row(REBUILDING))[0])


async def _all_schools(site: Site) -> dict[str, int]:
    generation = str(uuid4())
    await site.db.row(BEGIN, generation)
    counts = {school: await _school(site, school) for school in await site.db.schools()}
    if not (await site.db.row(END, generation))[0]:
        raise Problem(ProblemType.UNAVAILABLE, "another rebuild began meanwhile: it ends by itself, see `samen status`")
    return counts


@dataclass(slots=True)
class _Told:
    """What network's journal says, as far as it was read: the last change of access of each subject."""

    read_to: int = 0
    newest: dict[UUID, Event] = field(default_factory=dict)


async def _school(site: Site, school: str) -> int:
    told = _Told()
    await _read_on(site, school, told)
    async with site.db.school(school) as conn:
        known = {row[0] for row in await conn.fetch(KNOWN, school)}
    subjects = sorted(known | set(told.newest))
    for first in range(0, len(subjects), SUBJECTS_A_TRANSACTION):
        await _replace_page(site, school, subjects[first : first + SUBJECTS_A_TRANSACTION], told)
    return len(told.newest)


async def _replace_page(site: Site, school: str, page: list[UUID], told: _Told) -> None:
    """Replaces the grants of some subjects, reading on first when more was applied here than was read."""
    for attempt in range(TRIES):
        try:
            applied = await _replace(site, school, page, told)
        except RETRY:
            await asyncio.sleep(0.01 * 2**attempt)
            continue
        if applied <= told.read_to:
            return
        await _read_on(site, school, told)
        if told.read_to < applied:
            msg = "network's journal ends before what was applied here"
            raise Transient(msg)
    msg = "locks"
    raise Transient(msg)


async def _replace(site: Site, school: str, page: list[UUID], told: _Told) -> int:
    """Returns the lane's cursor; nothing was replaced when it has passed what was read.

    This process may have slept since it read, and another be the active consumer: the rows would go back behind the
    cursor, and a withdrawn grant would count again.
    """
    async with site.db.lane() as conn:
        opened = await conn.fetchrow(OPEN_LANE, school, PRODUCER, page)
        applied = int(opened["seq"]) if opened else 0
        if applied <= told.read_to:
            await conn.execute(FORGET, school, page)
            await project_access(conn, [told.newest[subject] for subject in page if subject in told.newest])
    return applied


async def _read_on(site: Site, school: str, told: _Told) -> None:
    while events := await replayed(site.bus, PRODUCER, school, told.read_to):
        for event in events:
            if subjects_of([event]):
                told.newest[event.about] = event
        told.read_to = events[-1].seq
