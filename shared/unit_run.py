"""Runs endpoints: reads the snapshot, asks the pure decision, commits in groups, tries again when a race was lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from shared import access
from shared import db as database
from shared.access import Denial, View
from shared.actor import Actor
from shared.clock import Ids
from shared.db import Database
from shared.errors import Problem, ProblemType, Transient
from shared.events.base import Denied, NewEvent
from shared.events.words import Action, Category, Purpose, school_subject
from shared.groups import Groups, Overdue
from shared.journal import entries
from shared.telemetry import tell
from shared.unit import Asked, Change, Endpoint, Request, Snapshot
from shared.unit_parts import Entry, Key, Look, Opened, commit_parts, repeated, snapshot

log = logging.getLogger(__name__)

TRIES = 12
COLLISIONS = 6
"""What breaks one constraint so often is no race: a Change of several new rows may lose one of them each time."""
PROBLEMS = {
    "busy": (ProblemType.UNAVAILABLE, "many changed this at once: try again with the same Idempotency-Key"),
    "forbidden": (ProblemType.FORBIDDEN, "you may not do this here, or it does not exist: ask the school if it should"),
    "unverified": (ProblemType.UNAVAILABLE, "access cannot be verified now: try again in a moment"),
    "late": (
        ProblemType.UNAVAILABLE,
        "the answer came too late to be released: try again with the same Idempotency-Key",
    ),
    "overdue": (ProblemType.UNAVAILABLE, "the deadline had passed: nothing was done"),
    "collides": (
        ProblemType.CONFLICT,
        "this collides with what is here already, or refers to what is not here: change it and ask anew",
    ),
    "slow": (ProblemType.UNAVAILABLE, "this took too long and nothing was done: ask for less at a time, or try later"),
    "unreachable": (ProblemType.UNAVAILABLE, "the records cannot be reached: try again with the same Idempotency-Key"),
    "stopped": (ProblemType.UNAVAILABLE, "this school's records are being checked after a restore: try again later"),
}


def problem(name: str) -> Problem:
    """Returns a new Problem of the command path's own."""
    return Problem(*PROBLEMS[name])


B = TypeVar("B", bound=BaseModel)

SINGLY = (
    *database.RETRY,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    database.TooLong,
)
"""Errors that one Change of a group causes: the others go in when each is tried alone."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be committed: a Change, the key to keep its reply under, when, and whether it is a denial's."""

    change: Change
    key: Key | None
    at: datetime
    denial: Denial | None = None

    def answer(self, endpoint: Endpoint[Any], vouched: Mapping[UUID, bool]) -> Any:  # noqa: ANN401  JSON
        """Returns what is released once it is committed; raises Problem for a denial."""
        if self.denial is None:
            return self.change.result if endpoint.is_query else dict(self.change.reply)
        unverified = self.denial.act.reason == "cannot_verify_now" and not vouched.get(self.denial.subject)
        raise problem("unverified" if unverified else "forbidden")


class Unit:
    """The command path of one service process.

    `authority` is True in network only: its own access rows need no lease. `vouch` asks network for one subject's
    grants and stores them (False: network knows none, Transient: unreachable). `committed` is called after each commit
    with the school. `stopped` says why its lane is stopped (a fork), or None. `alarm` and `stray` are Telemetry's.
    """

    def __init__(  # one composition root calls this
        self,
        service: str,
        db: Database,
        ids: Ids,
        *,
        authority: bool = False,
        group_size: int = 64,
        release_within_s: float = 4.0,
        vouch: Callable[[str, UUID], Awaitable[bool]] | None = None,
        committed: Callable[[str], None] = lambda _: None,
        stopped: Callable[[str], str | None] = lambda _: None,
        alarm: Callable[..., None] = tell,
        stray: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self.service = service
        self.ids = ids
        self._db = db
        self._authority = authority
        self._release_within_s = release_within_s
        self._vouch = vouch
        self._committed = committed
        self._stopped = stopped
        self.alarm = alarm
        self._stray = stray
        self._opened = Opened(db)
        self._looks: Groups[Look, dict[str, Any]] = Groups(self._read_group, group_size, SINGLY)
        self._entries: Groups[Entry, str] = Groups(self._commit_group, group_size, SINGLY)

    async def run(
        self,
        endpoint: Endpoint[B],
        asked: Asked[B],
        key: Key | None = None,
        traceparent: str | None = None,
        by: float = math.inf,
    ) -> Any:  # noqa: ANN401  JSON
        """Returns the endpoint's reply or result once it is committed; raises Problem.

        A denial is committed to the journal before the Problem is raised. With `key`, a repeated request gets the
        first one's reply, if what that needed is still permitted. Past `by` (the loop's time) no work is done.
        """
        vouched: dict[UUID, bool] = {}
        tried: list[str] = []
        for attempt in range(TRIES):
            self._refuse_in_vain(asked.school, by)
            decided = await self._decided(endpoint, asked, key, vouched, by)
            if decided is None:
                continue
            if decided.denial is not None and not await self._is_open(asked.school, endpoint.name):
                return decided.answer(endpoint, vouched)
            status = await self._commit(asked, decided.change, decided.key, decided.at, traceparent, by)
            if status == "done":
                return decided.answer(endpoint, vouched)
            tried.append(status)
            if status.startswith("collides") and tried.count(status) == COLLISIONS:
                raise problem("collides")
            if status == "access":
                vouched.clear()
            await asyncio.sleep(0.002 * attempt)
        raise problem("busy")

    async def _decided(
        self, endpoint: Endpoint[B], asked: Asked[B], key: Key | None, vouched: dict[UUID, bool], by: float
    ) -> Decided | None:
        """Reads and decides; None: a denial could not be verified, so network was asked, and it is decided anew."""
        raw = await self._read(endpoint, asked, key, by)
        seen = snapshot(raw, partial(self.alarm, school=asked.school))
        try:
            change = self._decide(endpoint, asked, seen, raw["repeat"], key)
        except Denial as denial:
            if not denial.verifiable and denial.subject not in vouched and not raw["rebuilding"]:
                vouched[denial.subject] = await self._ask_network(asked.school, denial.subject)
                return None
            return Decided(self._denied(endpoint, asked, denial), None, seen.now, denial)
        return Decided(change, None if raw["repeat"] else key, seen.now)

    def _decide(
        self, endpoint: Endpoint[B], asked: Asked[B], seen: Snapshot, stored: Mapping[str, Any] | None, key: Key | None
    ) -> Change:
        if stored is None or key is None:
            return endpoint.decide(asked, seen)
        with contextlib.suppress(Problem):  # that it is done already is no reason against it; a Denial is
            endpoint.decide(asked, seen)
        return repeated(stored, key, asked, seen)

    async def _read(self, endpoint: Endpoint[B], asked: Asked[B], key: Key | None, by: float) -> dict[str, Any]:
        who = {"school": asked.school, "actor": asked.actor.id, "behalf": asked.actor.on_behalf_of}
        args = asked.body.model_dump(mode="json") | who
        look = Look(asked.actor.id, key.key if key else None, endpoint.reader, args)
        for attempt in range(TRIES):
            try:
                return await self._looks.submit(asked.school, look, by=by)
            except Overdue:
                raise problem("overdue") from None
            except database.RETRY:
                await asyncio.sleep(0.002 * attempt)
            except database.LOST as error:
                raise self._refusal(error) from None
        raise problem("busy")

    async def _read_group(self, school: str, looks: Sequence[Look]) -> list[dict[str, Any]]:
        told = await self._db.function("read_snapshots", school, self._authority, [look.part() for look in looks])
        found: list[dict[str, Any]] = told.pop("found")
        return [{**told, **one} for one in found]

    async def _ask_network(self, school: str, subject: UUID) -> bool:
        if self._vouch is None:
            return False
        try:
            await self._vouch(school, subject)
        except Transient:
            return False
        return True

    def _denied(self, endpoint: Endpoint[B], asked: Asked[B], denial: Denial) -> Change:
        known = denial.subject if denial.subject.int else school_subject(asked.school)
        event = NewEvent(Denied(what=endpoint.name), about=known, act=denial.act, producer=self.service)
        return Change(permits=(), events=(event,))

    async def _is_open(self, school: str, asked: str) -> bool:
        """Tells whether this database knows the school: of one that nobody opened no journal begins, and no log."""
        try:
            known = await self._opened.has(school)
        except (*database.LOST, asyncpg.PostgresError) as error:
            raise self._refusal(error) from None
        if not known:
            self._stray(asked, "unknown_school")
        return known

    async def deny(self, endpoint: Endpoint[Any], actor: Actor, by: float = math.inf) -> None:
        """Journals in the actor's own school that it asked at another school's door."""
        if not await self._is_open(actor.school, endpoint.name):
            return
        view = View(school_subject(actor.school), None, (), fresh=True)
        refused = access.denial(view, actor, Action.VIEW, Category.NETWORK, Purpose.GUIDANCE, "other_school")
        asked: Asked[Any] = Asked(actor, actor.school, Request(), self.ids)
        now = (await self._db.row("SELECT clock_timestamp() + shift FROM time_shift"))[0]
        await self._commit(asked, self._denied(endpoint, asked, refused), None, now, None, by)

    def _refuse_in_vain(self, school: str, by: float) -> None:
        if self._stopped(school) is not None:
            raise problem("stopped")
        if asyncio.get_running_loop().time() >= by:
            raise problem("overdue")

    async def _commit(  # one line of the way through
        self, asked: Asked[Any], change: Change, key: Key | None, at: datetime, traceparent: str | None, by: float
    ) -> str:
        """Returns `done`, or why this Change must be decided again: `repeat`, `access`, `row` or `collides` with the
        name of a constraint.
        """
        events = entries(change.events, asked.school, self.ids, at, traceparent)
        entry = Entry(asked.actor.id, change, key, events, by)
        try:
            status = await self._entries.submit(asked.school, entry, entry.holds(), entry.weight())
        except database.CLASHES as clash:
            return f"collides {clash.constraint_name}"
        except database.RETRY:
            return "row"
        except Exception as error:  # noqa: BLE001  told to the caller
            raise self._refusal(error) from None
        if status == "overdue":
            raise problem(status)
        return status

    async def _commit_group(self, school: str, group: Sequence[Entry]) -> list[str]:
        loop = asyncio.get_running_loop()
        sent = 0.0

        def ready() -> tuple[object, ...]:
            nonlocal sent
            self._refuse_in_vain(school, max(one.by for one in group))
            sent = loop.time()
            timely = [one for one in group if sent < one.by]
            return school, self._authority, len(timely), *commit_parts(timely, school_subject(school))

        outcome = await self._db.function_of("commit_changes", ready)
        if outcome["seq"] is not None:
            self._committed(school)
        if loop.time() - sent > self._release_within_s:
            raise problem("late")
        statuses = iter(outcome["status"])
        return [next(statuses) if sent < one.by else "overdue" for one in group]

    def _refusal(self, error: Exception) -> Problem:
        """Returns what a caller is told of a read or commit that failed for good; what needs a person is an alarm."""
        if isinstance(error, Problem):
            return error
        if isinstance(error, database.TooLong):
            self.alarm("statement_slow", "a request's statement took too long and was ended")
            return problem("slow")
        if isinstance(error, database.LOST):
            self.alarm("database_lost", "the database cannot be reached", kind=type(error).__name__)
            return problem("unreachable")
        if isinstance(error, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError):
            log.warning("commit refused", extra={"code": "commit_refused", "kind": str(error.sqlstate)})
            return Problem(ProblemType.INVALID, "this cannot be stored: check the values", code=str(error.sqlstate))
        kind = str(error.sqlstate) if isinstance(error, asyncpg.PostgresError) else type(error).__name__
        self.alarm("commit_failed", "a commit failed", kind=kind)
        return problem("unreachable")
