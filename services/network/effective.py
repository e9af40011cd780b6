"""When a withdrawal holds everywhere, and when what was given can be used (DESIGN.md "Withdrawal").

A withdrawal is answered at its commit as pending. It is effective when every service that enforces grants has announced
that it applied the new ones, or when no older grant can be in use any more: a lease's 5 s and a transaction's 2 s, on
this process's monotonic clock, from the moment at which it first saw the committed row. Any replica finishes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pydantic_core
from nats.aio.msg import Msg

from services.network import store
from shared import journal
from shared.bus import answer
from shared.db import LOST
from shared.errors import Transient
from shared.events.base import Act, NewEvent
from shared.events.network import WithdrawalEffective
from shared.service import Site

log = logging.getLogger(__name__)

RUNS_OUT_S = 7.0
USABLE_WITHIN_S = 1.0
LOOK_EVERY_S = 0.5
"""How often rows are looked for that another replica wrote. Whoever sees one last still finishes it within 8 s of its
COMMIT."""
WAITS_S = 9.0
"""The longest that a question for a withdrawal waits: doors wait 10 s."""
MOST_WAITING = 1000
CLOCK = "clock"
TOOLS_OF = "gate"
"""The service that tells tools, and says for which of them its cursor waits."""

Key = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Pending:
    """A withdrawal under way: the number of network's event that must be applied, and when the clock decides."""

    seq: int
    until: float


class Effects:
    """Follows how far every enforcing service has come."""

    def __init__(self) -> None:
        self._site: Site | None = None
        self._applied: dict[tuple[str, str], int] = {}
        self._waits: dict[str, tuple[UUID, ...]] = {}
        """The tools, a school, for which the gate held its cursor back when it last told it."""
        self._pending: dict[Key, Pending] = {}
        self._moved = asyncio.Event()
        """Set, and replaced by a new one, when something below changed: take it first, then look, then wait for it."""
        self._waiting: set[asyncio.Task[None]] = set()

    async def run(self, site: Site) -> None:
        """Finishes withdrawals until cancelled."""
        self._site = site
        client = site.bus.client
        await client.subscribe("cursor.>", cb=self._hear)
        await client.subscribe("ask.effective", queue=site.name, cb=self._asked)
        while True:
            moved, looked_at = self._moved, site.loop.time()
            try:
                await self._look(site)
                await self._finish_due(site)
            except (Transient, asyncpg.PostgresError, *LOST) as error:
                log.warning("withdrawals wait", extra={"code": "withdrawal_late", "kind": type(error).__name__})
            await _wait(moved, next_look_s(self._pending.values(), looked_at, site.loop.time()))

    async def replied(self, school: str, reply: Mapping[str, Any]) -> None:
        """Sees withdrawals at once; of what was given, waits up to a second until every service can use it."""
        named = [reply["withdrawal"]] if "withdrawal" in reply else reply.get("withdrawals", ())
        if self._site is None or not ("revision" in reply or named):
            return
        try:
            for one in named:
                await self._see(self._site, (school, UUID(one)))
            if named:
                self._tell_waiting()
                return
            seq = await self._changed_at(self._site, school)
        except (asyncpg.PostgresError, *LOST):
            return  # it is committed: another look finds it
        loop = self._site.loop
        end = loop.time() + USABLE_WITHIN_S
        while True:
            moved = self._moved
            left = end - loop.time()
            if left <= 0 or self.confirmed(self._site, school, seq):
                return
            await _wait(moved, left)

    def _tell_waiting(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _hear(self, message: Msg) -> None:
        consumer = message.subject.removeprefix("cursor.")
        if self._site is None or consumer not in self._site.settings.consumers:
            return  # what a chosen reply subject brought here keeps its own subject
        try:
            said = pydantic_core.from_json(message.data)
            for school, (_, seq, _) in said.get("network", {}).items():
                self._applied[consumer, school] = int(seq)
                if consumer == TOOLS_OF:
                    self._waits[school] = tuple(map(UUID, said.get("waits", {}).get(school, ())))
        except (ValueError, TypeError, AttributeError):
            log.warning("cursor not readable", extra={"code": "cursor_unreadable"})
        self._tell_waiting()

    def confirmed(self, site: Site, school: str, seq: int) -> bool:
        """Tells whether every enforcing service has announced that it applied that number of network's events."""
        return all(self._applied.get((name, school), 0) >= seq for name in site.settings.consumers)

    def unconfirmed(self, site: Site, school: str, seq: int) -> tuple[tuple[str, ...], tuple[UUID, ...]]:
        """Returns the services that have not announced it, and the tools that the gate waits for, if it is one."""
        late = tuple(name for name in site.settings.consumers if self._applied.get((name, school), 0) < seq)
        return late, self._waits.get(school, ()) if TOOLS_OF in late else ()

    async def _changed_at(self, site: Site, school: str) -> int:
        async with site.db.school(school) as conn:
            return await store.last_change(conn, school)

    async def _see(self, site: Site, key: Key) -> None:
        """Takes a withdrawal up; one about the whole school only when every child's grants are new: look again."""
        school, withdrawal = key
        async with site.db.school(school) as conn:
            if await store.waits_for_children(conn, school, withdrawal):
                return
            seq = await store.last_change(conn, school)
        self._pending.setdefault(key, Pending(seq, site.loop.time() + RUNS_OUT_S))

    async def _look(self, site: Site) -> None:
        known = set(self._pending)
        rows = {(row["school"], row["id"]) for row in await site.db.rows(store.PENDING)}
        for key in rows - known:
            await _alone(site, key, self._see(site, key))
        for key in known - rows:  # another replica was first
            self._pending.pop(key, None)
            self._tell_waiting()

    async def _finish_due(self, site: Site) -> None:
        """Finishes what is due, one by one; what fails comes after the others the next time."""
        for key, one in list(self._pending.items()):
            confirmed = self.confirmed(site, key[0], one.seq)
            if not confirmed and site.loop.time() < one.until:
                continue
            if site.guard.stopped(key[0]) is not None:
                continue
            how = "confirmed" if confirmed else CLOCK
            if await _alone(site, key, self._finish(site, key, one.seq, how)):
                self._pending.pop(key, None)
                site.relay.wake(key[0])
                self._tell_waiting()
            else:
                self._pending[key] = self._pending.pop(key, one)

    async def _finish(self, site: Site, key: Key, seq: int, how: str) -> None:
        school, withdrawal = key
        late, tools = self.unconfirmed(site, school, seq) if how == CLOCK else ((), ())
        async with site.db.school(school) as conn:
            row = await store.finish_withdrawal(conn, school, withdrawal, how, late, tools)
            if row is not None:
                fact = WithdrawalEffective(
                    withdrawal=withdrawal,
                    how=how,
                    applied=seq,
                    at=row["effective_at"],
                    unconfirmed=late,
                    tools=tools,
                )
                act = Act.model_validate(row["act"])
                event = NewEvent(fact, about=row["subject"], act=act, thing=row["thing"])
                await journal.append(conn, school, [event], site.ids, site.clock.now())

    # For doors ------------------------------------------------------------------------------------------------------

    async def _asked(self, message: Msg) -> None:
        if self._site is None or len(self._waiting) >= MOST_WAITING:
            return
        task = asyncio.create_task(self._tell(self._site, message))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _tell(self, site: Site, message: Msg) -> None:
        """Answers {school, withdrawal} with {how, at} once it is effective, {how: null} after 9 s."""
        try:
            asked = pydantic_core.from_json(message.data)
            school, withdrawal = str(asked["school"]), UUID(asked["withdrawal"])
            end = site.loop.time() + WAITS_S
            while True:
                moved = self._moved
                if (school, withdrawal) not in self._pending or site.loop.time() > end:
                    async with site.db.school(school) as conn:
                        told = await store.get_withdrawal(conn, school, withdrawal)
                    if told["how"] is not None or site.loop.time() > end:
                        break
                await _wait(moved, LOOK_EVERY_S)
            await answer(message, told)
        except (ValueError, LookupError, TypeError, AttributeError, asyncpg.PostgresError, *LOST) as error:
            log.warning("withdrawal not told", extra={"code": "withdrawal_untold", "kind": type(error).__name__})


def next_look_s(pending: Iterable[Pending], looked_at: float, now: float) -> float:
    """Returns in how many seconds to look again: when the next falls due. What was due at the last look and is not done
    failed, or its school is stopped: it waits for the regular look.
    """
    return max(0.0, min([LOOK_EVERY_S, *(one.until - now for one in pending if one.until > looked_at)]))


async def _alone(site: Site, key: Key, work: Awaitable[None]) -> bool:
    """Does one withdrawal's work and tells whether it was done: one that fails leaves the others alone.

    Raises what `LOST` names while the database is away: then all fail.
    """
    try:
        await work
    except LOST as error:
        if not await site.db.alive():
            raise
        kind = type(error).__name__
    except (Transient, asyncpg.PostgresError, ValueError, LookupError, TypeError) as error:
        kind = type(error).__name__
    else:
        return True
    log.warning("a withdrawal waits", extra={"code": "withdrawal_late", "kind": kind, "school": key[0]})
    return False


async def _wait(moved: asyncio.Event, timeout_s: float) -> None:
    """Returns when something changed, or the time is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(timeout_s, 0.001)):
            await moved.wait()
