"""The journal as services that missed events ask for it: their only source of truth."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pydantic_core
from nats.aio.msg import Msg

from shared import journal
from shared.bus import Bus, answer, fitting
from shared.db import Database
from shared.errors import Transient
from shared.events.base import Event

log = logging.getLogger(__name__)

MOST = 1000


async def replayed(bus: Bus, producer: str, school: str, after: int, limit: int = MOST) -> list[Event]:
    """Returns the events of a producer's journal that follow `after`, in order, as far as one answer holds them.

    Raises Transient when the producer does not answer, or answers with what is not of its own lane.
    """
    asked = {"school": school, "after": after, "limit": limit}
    try:
        events = [Event.parse(text.encode()) for text in await bus.ask(f"replay.{producer}", asked)]
    except (ValueError, AttributeError, TypeError):
        events = []
        fits = False
    else:
        fits = all((event.school, event.producer) == (school, producer) for event in events)
    if not fits:
        msg = "replay_unreadable"
        raise Transient(msg)
    return events


class Replay:
    """Answers `replay.<service>`: {school, after, limit} with the texts of the events that follow, as far as they fit.

    A school whose journal is in doubt is not answered: the asker tries again.
    """

    def __init__(self, db: Database, bus: Bus, stopped: Callable[[str], str | None]) -> None:
        self._db = db
        self._bus = bus
        self._stopped = stopped

    async def serve(self) -> None:
        """Subscribes; replicas share the questions."""
        await self._bus.client.subscribe(f"replay.{self._bus.service}", queue=self._bus.service, cb=self._answer)

    async def _answer(self, message: Msg) -> None:
        try:
            question = pydantic_core.from_json(message.data)
            school, after, limit = question["school"], int(question["after"]), min(int(question["limit"]), MOST)
            async with self._db.school(school) as conn:
                events = await journal.after(conn, school, after, limit)
            if self._stopped(school) is None:
                await answer(message, fitting(events))
        except Exception as error:  # noqa: BLE001  whatever it is, the asker tries again
            log.warning("replay not answered", extra={"code": "replay_unanswered", "kind": type(error).__name__})
