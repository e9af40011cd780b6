"""Network's side of the leases: answers where its access stands, from its journal, after a write that committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pydantic_core
from nats.aio.msg import Msg
from pydantic import TypeAdapter

from shared.bus import Bus, answer
from shared.db import Database
from shared.errors import Transient
from shared.groups import Groups
from shared.session import Session
from shared.text import Slug

log = logging.getLogger(__name__)

# The read sees the write's own transaction: both commit, or nobody is answered.
HEADS = """
WITH asked AS (UPDATE lease_question SET asked = asked + 1 RETURNING asked)
SELECT h.school, coalesce(j.epoch, 1), coalesce(j.seq, 0)
  FROM asked, journal_head h
  LEFT JOIN LATERAL (
       SELECT epoch, seq FROM journal
        WHERE school = h.school AND type = 'nl.samenkracht.network.access.changed.v1'
        ORDER BY seq DESC LIMIT 1) j ON true
"""
Question = tuple[str, UUID]
"""A school and one of its subjects."""

MOST = 512
"""Questions about subjects under way at once; whoever asks one more asks again."""
A_READ = 64
"""Subjects in one read, at most."""


_slug = TypeAdapter(Slug).validate_python
"""One question with something else for a school would spoil the read of all that wait with it."""


class Authority:
    """Answers `ask.access` of the other services. A stopped school is left out.

    One read serves all questions that waited for it; heads do not wait for subjects, however many are asked about.
    """

    def __init__(self, db: Database, session: Session, bus: Bus, stopped: Callable[[str], str | None]) -> None:
        self._db = db
        self._session = session
        self._bus = bus
        self._stopped = stopped
        self._heads: Groups[None, Any] = Groups(self._read_heads, MOST, ())
        self._subjects: Groups[Question, Any] = Groups(self._read_subjects, A_READ, ())
        self._under_way: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Subscribes; replicas share the questions."""
        await self._bus.client.subscribe("ask.access", queue=self._bus.service, cb=self._take)

    async def _take(self, message: Msg) -> None:
        """Starts the work and returns: the client awaits each callback before it hears the next question."""
        task = asyncio.create_task(self._answer(message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answer(self, message: Msg) -> None:
        try:
            question = pydantic_core.from_json(message.data)
            if question["what"] == "heads":
                told = await self._heads.submit("", None)
            elif len(self._under_way) > MOST:
                msg = "too many questions at once"
                raise Transient(msg)
            else:
                told = await self._subjects.submit("", (_slug(question["school"]), UUID(question["subject"])))
                if self._stopped(question["school"]) is not None:
                    msg = "a stopped school is not vouched for"
                    raise Transient(msg)
            await answer(message, told)
        except Exception as error:  # noqa: BLE001  whoever asked asks again
            log.warning("access not told", extra={"code": "access_unanswered", "kind": type(error).__name__})

    async def _read_heads(self, _: str, waiting: Sequence[None]) -> Sequence[Any]:
        heads = await self._session.fetch(HEADS)
        told = {school: [e, s] for school, e, s in heads if self._stopped(school) is None}
        return [told] * len(waiting)

    async def _read_subjects(self, _: str, waiting: Sequence[Question]) -> Sequence[Any]:
        once = list(dict.fromkeys(waiting))
        told = await self._db.function("vouch", [{"school": school, "subject": subject} for school, subject in once])
        found = dict(zip(once, told, strict=True))
        return [found[question] for question in waiting]
