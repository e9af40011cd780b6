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
STOPPED = {"stopped": True}
"""What is answered for a school whose journal is in doubt."""
UNREADABLE = "replay_unreadable"


class NotTold(Transient):
    """The producer answers, but not with this school's events now: its other schools need not wait."""


async def replayed(bus: Bus, producer: str, school: str, after: int, limit: int = MOST) -> list[Event]:
    """Returns the events of a producer's journal that follow `after`, in order, as far as one answer holds them.

    Raises Transient when the producer does not answer; NotTold when the school's journal is in doubt, or what is
    answered is not of its own lane.
    """
    asked = {"school": school, "after": after, "limit": limit}
    try:
        told = await bus.ask(f"replay.{producer}", asked)
        events = [Event.parse(text.encode()) for text in ([] if told == STOPPED else told)]
    except (ValueError, AttributeError, TypeError):
        raise NotTold(UNREADABLE) from None
    if any((event.school, event.producer) != (school, producer) for event in events):
        raise NotTold(UNREADABLE)
    if told == STOPPED:
        msg = "stopped"
        raise NotTold(msg)
    return events


class Replay:
    """Answers `replay.<service>`: {school, after, limit} with the texts of the events that follow, as far as they fit.

    Of a school whose journal is in doubt it tells only that: the asker tries again.
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
            await answer(message, fitting(events) if self._stopped(school) is None else STOPPED)
        except Exception as error:  # noqa: BLE001  whatever it is, the asker tries again
            log.warning("replay not answered", extra={"code": "replay_unanswered", "kind": type(error).__name__})
