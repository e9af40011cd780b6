"""What operators ask of a service over `ops.<service>.<what>`: its state, its dead letters, and to try again.

`status` tells counts and codes, `schools` slugs. Everything else shows or touches what concerns children, so it is
journaled first, in the school that it concerns; a stopped school is refused, because its journal cannot take the line.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import asyncpg
import pydantic_core
from nats.aio.msg import Msg

from shared import journal
from shared.actor import EVERY_SCHOOL, Actor, BadToken
from shared.bus import answer
from shared.db import LOST
from shared.errors import Problem, ProblemType, Transient
from shared.events.base import Fact, NewEvent, Viewed
from shared.events.words import ActorKind, school_subject
from shared.rebuild import is_rebuilding, rebuild
from shared.recovery import act_of, recover, review
from shared.unit_run import problem

if TYPE_CHECKING:
    from shared.service import Site

MOST = 500
"""Rows of one school in an answer."""

COUNTS = """
SELECT school, producer, state, code, count(*) AS count, min(since) AS since FROM dead_letter
 WHERE school = $1 GROUP BY 1, 2, 3, 4 ORDER BY 2, 3, 4
"""
CLOSED = "SELECT count(*) FROM under_review WHERE school = $1"
LETTERS = """
SELECT school, producer, seq, about, state, code, tries, since FROM dead_letter
 WHERE school = $1 ORDER BY producer, seq LIMIT $2
"""
UNDER_REVIEW = "SELECT school, id AS about, since FROM under_review WHERE school = $1 ORDER BY id LIMIT $2"
LETTER = "SELECT about, event FROM dead_letter WHERE school = $1 AND producer = $2 AND seq = $3"


class Operated(Fact):
    """An operator had the platform mended: `what` was asked for, whether or not it came off."""

    NAME: ClassVar[str] = "operation.asked"
    what: str


class Operations:
    """Serves operators' requests; each carries an operator's token minted by a door."""

    def __init__(self, site: Site) -> None:
        self._at = site
        self._known = {
            "status": self._status,
            "schools": self._schools,
            "dead-letters": self._letters,
            "dead-letter": self._letter,
            "under-review": self._under_review,
            "retry": self._retry,
            "recover": self._recover,
            "replay": self._replay,
            "review": self._review,
        }

    async def serve(self) -> None:
        """Subscribes; replicas share the requests."""
        await self._at.bus.client.subscribe(f"ops.{self._at.name}.>", queue=self._at.name, cb=self._answer)

    async def _answer(self, message: Msg) -> None:
        try:
            headers = message.headers or {}
            token = headers.get("Authorization", "").removeprefix("Bearer ")
            actor = self._at.verifier.verify(token, EVERY_SCHOOL, self._at.clock.now())
            if actor.kind is not ActorKind.OPERATOR:
                raise problem("forbidden")
            asked = self._known.get(message.subject.split(".", 2)[2])
            if asked is None:
                raise Problem(ProblemType.NOT_FOUND, "no such operation: " + ", ".join(self._known))
            told = {"ok": await asked(actor, pydantic_core.from_json(message.data or b"{}"))}
        except BadToken as bad:
            self._at.telemetry.unverified("ops", str(bad))
            told = {"problem": problem("forbidden").to_json()}
        except Problem as refusal:
            told = {"problem": refusal.to_json()}
        except (ValueError, KeyError, TypeError, asyncpg.DataError):  # the last: a value that no column holds
            text = "the request lacks a field, or holds what can't be in it: check the names, ids and numbers"
            told = {"problem": Problem(ProblemType.INVALID, text).to_json()}
        except Exception as error:  # noqa: BLE001  told to the operator, and an alarm
            self._at.alarm("operation_failed", "an operator's request failed")
            told = {"problem": Problem(ProblemType.UNAVAILABLE, type(error).__name__).to_json()}
        await answer(message, told)

    async def _status(self, _operator: Actor, _: dict[str, Any]) -> dict[str, Any]:
        letters: list[dict[str, Any]] = []
        closed: dict[str, int] = {}
        for school in await self._at.db.schools():
            async with self._at.db.school(school) as conn:
                letters += [dict(row) for row in await conn.fetch(COUNTS, school)]
                if count := await conn.fetchval(CLOSED, school):
                    closed[school] = count
        return {
            **self._at.state(),
            "heads": await self._at.relay.heads(),
            "rebuilding": await is_rebuilding(self._at),
            "dead_letters": letters,
            "under_review": closed,
        }

    async def _schools(self, _operator: Actor, _: dict[str, Any]) -> dict[str, list[str]]:
        """Returns the schools that this service has heard of; one whose journal is gone is still known as forked."""
        return {"schools": sorted({*await self._at.db.schools(), *self._at.guard.forked})}

    async def _letters(self, operator: Actor, _: dict[str, Any]) -> dict[str, Any]:
        return await self._list(operator, "dead-letters", LETTERS)

    async def _under_review(self, operator: Actor, _: dict[str, Any]) -> dict[str, Any]:
        return await self._list(operator, "under-review", UNDER_REVIEW)

    async def _list(self, operator: Actor, query: str, sql: str) -> dict[str, Any]:
        """Returns {found, refused}: each school's first rows, and the schools that are stopped."""
        found: list[dict[str, Any]] = []
        refused: list[str] = []
        for school in await self._at.db.schools():
            if self._at.guard.stopped(school) is not None:
                refused.append(school)
                continue
            found += await self._look(operator, school, query, sql, school, MOST)
        return {"found": found, "refused": refused}

    async def _letter(self, operator: Actor, asked: dict[str, Any]) -> dict[str, Any]:
        school = asked["school"]
        self._refuse_stopped(school)
        found = await self._look(operator, school, "dead-letter", LETTER, school, asked["producer"], int(asked["seq"]))
        if not found:
            raise Problem(ProblemType.NOT_FOUND, "no such dead letter: list them with `samen dead-letters list`")
        return {"event": found[0]["event"]}

    async def _look(self, operator: Actor, school: str, query: str, sql: str, *args: object) -> list[dict[str, Any]]:
        """Returns rows of a school once it is journaled, of each subject in them, that an operator looked."""
        started = self._at.loop.time()
        async with self._at.db.school(school) as conn:
            rows = [dict(row) for row in await conn.fetch(sql, *args)]
            things = Counter(row["about"] for row in rows)
            looks = [
                NewEvent(Viewed(query=query, things=count), about, act_of(operator), producer=self._at.name)
                for about, count in sorted(things.items())
            ]
            await journal.append(conn, school, looks, self._at.ids, self._at.clock.now())
        self._at.relay.wake(school)
        if self._at.loop.time() - started > self._at.settings.release_within_s:
            raise problem("late")
        return rows

    async def _note(self, operator: Actor, school: str, what: str, about: UUID | None = None) -> None:
        """Journals what is about to be done to a school's records, or to one subject's."""
        self._refuse_stopped(school)
        event = NewEvent(Operated(what=what), about or school_subject(school), act_of(operator), producer=self._at.name)
        async with self._at.db.school(school) as conn:
            await journal.append(conn, school, [event], self._at.ids, self._at.clock.now())
        self._at.relay.wake(school)

    async def _retry(self, operator: Actor, asked: dict[str, Any]) -> dict[str, Any]:
        school, about = asked["school"], asked.get("about")
        subject = UUID(about) if about else None
        if self._at.consumer is None:
            raise Problem(ProblemType.CONFLICT, "this service consumes nothing")
        if not self._at.consumer.active:
            raise Problem(ProblemType.UNAVAILABLE, "another replica is the active one: ask again")
        if (asked["producer"], school) not in self._at.consumer.lanes or school not in await self._at.db.schools():
            raise Problem(ProblemType.NOT_FOUND, "no such lane here: `samen status` lists them")
        await self._note(operator, school, "retry", subject)
        return {"applied": await self._at.consumer.retry(school, asked["producer"], subject)}

    async def _recover(self, operator: Actor, asked: dict[str, Any]) -> dict[str, int]:
        return await recover(self._at, asked["school"], operator)

    async def _review(self, operator: Actor, asked: dict[str, Any]) -> dict[str, bool]:
        school, subject = asked["school"], UUID(asked["subject"])
        self._refuse_stopped(school)
        async with self._at.db.school(school) as conn:
            opened = await review(conn, self._at, school, subject, operator)
        self._at.relay.wake(school)
        if not opened:
            raise Problem(
                ProblemType.CONFLICT,
                "this subject is not under review: `samen recover` and `samen status` name those that are",
            )
        return {"opened": opened}

    async def _replay(self, operator: Actor, _: dict[str, Any]) -> dict[str, int]:
        schools = await self._at.db.schools()
        for school in schools:
            self._refuse_stopped(school)
        for school in schools:
            await self._note(operator, school, "replay")
        try:
            return await rebuild(self._at)
        except (Transient, asyncpg.PostgresError, *LOST):
            text = "not done yet, and nothing is permitted until it is: it goes on by itself, see `samen status`"
            raise Problem(ProblemType.UNAVAILABLE, text) from None

    def _refuse_stopped(self, school: str) -> None:
        if self._at.guard.stopped(school) is not None:  # whatever is appended now would reuse a number
            raise problem("stopped")
