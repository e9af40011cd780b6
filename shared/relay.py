"""Journal to JetStream: one active relay a service, in order, repeated until acknowledged; and the journal's heads.

Publishing deletes nothing and moves only a cursor that never goes back. The relay's login reads every school's journal
and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from typing import Any

import asyncpg
import pydantic_core
from nats.aio.msg import Msg

from shared.bus import Bus, answer
from shared.db import LOST
from shared.errors import Transient
from shared.publish import Outgoing, Publisher
from shared.session import Session
from shared.telemetry import Telemetry

log = logging.getLogger(__name__)

SLOW_POLL_S = 0.5
HEADS_EVERY_S = 1.0
SCHOOLS_A_MESSAGE = 1000
ONE_SCHOOL = 500
ONE_PASS = 2000
BUSY = 8
"""A pass of more rows than this shows a busy journal: the next waits a little, so that more go at once."""
GATHER_S = 0.02

PENDING = """
SELECT h.school, j.epoch, j.seq, j.type, j.event
  FROM journal_head h LEFT JOIN relay_cursor c USING (school)
 CROSS JOIN LATERAL (
       SELECT epoch, seq, type, event FROM journal
        WHERE school = h.school AND seq > coalesce(c.seq, 0) ORDER BY seq LIMIT $1) j
 WHERE h.seq > coalesce(c.seq, 0) AND h.school <> ALL ($3)
 LIMIT $2
"""
MOVE = """
INSERT INTO relay_cursor AS c (school, epoch, seq)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[])
ON CONFLICT (school) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq WHERE excluded.seq > c.seq
"""
HEADS = "SELECT school, epoch, seq, hash FROM journal_head"
UNSENT = """
SELECT coalesce(sum(h.seq - coalesce(c.seq, 0)), 0)::bigint FROM journal_head h LEFT JOIN relay_cursor c USING (school)
"""


class Relay:
    """A service's relay. `wake` says that something was committed; `run` lives as long as the process."""

    def __init__(
        self, session: Session, bus: Bus, telemetry: Telemetry, withheld: Callable[[], Collection[str] | None] = list
    ) -> None:
        """`withheld` names the schools of which nothing may be published now; None: all of them.

        What a restored journal still has would be published once more, and hide from the stream's end what it lost.
        """
        self.session = session
        self._withheld = withheld
        self._bus = bus
        self._telemetry = telemetry
        self._publisher = Publisher(bus.client)
        self._woken = asyncio.Event()
        self.also: list[Callable[[str], None]] = []
        """Who else wants to know at once that events were applied for a school."""
        self._poke: asyncio.Task[None] | None = None
        self.backlog = 0

    def applied(self, school: str) -> None:
        """The same, where events of others were applied: what they caused may have somebody waiting here."""
        self.wake(school)
        for tell in self.also:
            tell(school)

    def wake(self, _school: str = "") -> None:
        """Has what was just committed published at once, by whichever replica is the active one."""
        self._woken.set()
        if not self.session.holds_lock and (self._poke is None or self._poke.done()):
            self._poke = asyncio.create_task(self._poke_others())

    async def _poke_others(self) -> None:
        with contextlib.suppress(Exception):  # the slow poll is the net under this
            await self._bus.client.publish(f"poke.{self._bus.service}", b"")

    async def run(self) -> None:
        """Relays until cancelled."""
        subscription = await self._bus.client.subscribe(f"poke.{self._bus.service}", cb=self._poked)
        asked = await self._bus.client.subscribe(
            f"ask.head.{self._bus.service}", queue=self._bus.service, cb=self._answer_heads
        )
        announcing = asyncio.create_task(self._announce())
        try:
            while True:
                await self.session.wait_for_lock()
                await self._hold()
        finally:
            announcing.cancel()
            for one in (subscription, asked):
                with contextlib.suppress(Exception):  # the connection may be gone already
                    await one.unsubscribe()

    async def _hold(self) -> None:
        """Publishes while this replica holds the lock; returns when it lost it."""
        pause = 0.05
        async with self.session.beating():
            while self.session.holds_lock:
                self._woken.clear()
                try:
                    published = await self._pass()
                except Transient as error:
                    log.warning("not published", extra={"code": "relay_late", "reason": str(error)})
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)
                    continue
                except (*LOST, asyncpg.PostgresError) as error:
                    log.warning("relay lost its session", extra={"code": "relay_session", "kind": type(error).__name__})
                    return
                pause = 0.05
                if BUSY < published < ONE_SCHOOL:
                    await asyncio.sleep(GATHER_S)
                elif not published and not self._woken.is_set():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(SLOW_POLL_S):
                            await self._woken.wait()

    async def _pass(self) -> int:
        """Publishes one lot; says how many, 0 when there was nothing."""
        withheld = self._withheld()
        rows = [] if withheld is None else await self.session.fetch(PENDING, ONE_SCHOOL, ONE_PASS, list(withheld))
        if not rows:
            return 0
        service = self._bus.service
        await self._publisher.publish(
            [
                Outgoing(_subject(school, type_), f"{service}:{school}:{epoch}:{seq}", event.encode())
                for school, epoch, seq, type_, event in rows
            ]
        )
        moved: dict[str, tuple[int, int]] = {}
        for school, epoch, seq, *_ in rows:
            moved[school] = (epoch, seq)
        schools = list(moved)
        await self.session.fetch(MOVE, schools, [moved[s][0] for s in schools], [moved[s][1] for s in schools])
        self._telemetry.published.inc(len(rows))
        return len(rows)

    async def flush(self) -> None:
        """Publishes what is left, if this replica may; for a graceful stop."""
        with contextlib.suppress(Transient, *LOST, asyncpg.PostgresError):
            async with asyncio.timeout(2):
                while self.session.holds_lock and await self._pass():
                    pass

    async def heads(self) -> dict[str, list[Any]]:
        """Returns school to [epoch, seq, hash] of this service's journal."""
        return {school: [epoch, seq, hash_] for school, epoch, seq, hash_ in await self.session.fetch(HEADS)}

    async def _announce(self) -> None:
        while True:
            if self.session.holds_lock:
                with contextlib.suppress(Exception):  # announced again in a second
                    heads = await self.heads()
                    for part in _parts(heads):
                        await self._bus.client.publish(f"head.{self._bus.service}", part)
                    self.backlog = (await self.session.fetch(UNSENT))[0][0]
            await asyncio.sleep(HEADS_EVERY_S)

    async def _poked(self, _message: Msg) -> None:
        self._woken.set()

    async def _answer_heads(self, message: Msg) -> None:
        try:
            await answer(message, await self.heads())
        except Exception as error:  # noqa: BLE001  whoever asked asks again
            log.warning("heads not told", extra={"code": "heads_unanswered", "kind": type(error).__name__})


def _subject(school: str, type_: str) -> str:
    """Returns the NATS subject of a CloudEvents type `nl.samenkracht.<service>.<entity>.<verb>.v<n>`."""
    return f"evt.{school}.{type_.removeprefix('nl.samenkracht.').rpartition('.')[0]}"


def _parts(heads: dict[str, list[Any]]) -> list[bytes]:
    names = list(heads)
    return [
        pydantic_core.to_json({name: heads[name] for name in names[start : start + SCHOOLS_A_MESSAGE]})
        for start in range(0, max(len(names), 1), SCHOOLS_A_MESSAGE)
    ]
