"""A round of a background task over the schools, in which one school's failure is no other's matter."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import asyncpg

from shared.db import LOST
from shared.service import Site

log = logging.getLogger(__name__)


async def each_school(at: Site, turn: Callable[[Site, str], Awaitable[object]], code: str) -> None:
    """Does `turn` for every school; what the database refuses is logged under `code` and waits for the next round.

    The round ends early only when the database is away for all.
    """
    try:
        schools = await at.db.schools()
    except (asyncpg.PostgresError, *LOST) as error:
        _waits(code, error)
        return
    for school in schools:
        try:
            await turn(at, school)
        except (asyncpg.PostgresError, *LOST) as error:
            _waits(code, error, school=school)
            if isinstance(error, LOST) and not await at.db.alive():
                return


def _waits(code: str, error: BaseException, **more: str) -> None:
    log.warning("a school's turn waits", extra={"code": code, "kind": type(error).__name__, **more})
