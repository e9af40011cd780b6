"""Takes events to tools by webhook: connect, claim, send at once, write down how it went; and again, for three days.

One replica is active, and in it one worker a tool. A worker has a few connections; each carries one parcel at a time,
of different children. Who dies between sending and writing down sends again: receivers know it by webhook-id.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pydantic_core

from services.gate import receivers
from services.gate.addresses import Refused, Target, parse
from services.gate.knocking import Answer, Late, Line, Resolve, Unreachable, resolve
from services.gate.leaving import Speech
from services.gate.minding import GONE, mind_tool
from services.gate.model import SERVICE, Message
from services.gate.parcels import CLAIM, SETTLE, WITHDRAWALS, Claimed, ClaimParcels, Result, Settle, TellWithdrawals
from services.gate.patience import GIVE_UP, Breaker
from services.gate.places import Alarm, Wakes
from services.gate.receivers import Door
from services.gate.signing import signed
from services.gate.webhooks import keys_of
from shared.actor import Actor
from shared.clock import Clock, Ids
from shared.db import LOST, Database
from shared.ending import end
from shared.errors import Problem, ProblemType, Transient
from shared.events.words import ActorKind
from shared.session import Session
from shared.unit import Asked, Endpoint
from shared.unit_run import Unit

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
LINES = 4
TOOLS_AT_ONCE = 64
CONTENT = "application/cloudevents+json; charset=utf-8"
Key = tuple[str, UUID]


@dataclass(slots=True)
class Courier:
    """Everything that webhooks need. `told` is called when withdrawals hold: the cursor may be announced."""

    db: Database
    unit: Unit
    ids: Ids
    clock: Clock
    wakes: Wakes
    alarm: Alarm
    context: ssl.SSLContext
    release_within_s: float
    deletion_within: timedelta
    chance: Callable[[], float]
    told: Callable[[], None] = lambda: None
    loopback: bool = False
    find: Resolve = resolve
    doors: dict[Key, Door] = field(default_factory=dict)
    limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TOOLS_AT_ONCE))

    async def run(self, session: Session) -> None:
        """Delivers until cancelled, while this replica is the active one."""
        while True:
            await session.wait_for_lock()
            self.doors.clear()
            try:
                async with session.beating():
                    await self._hold(session)
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("webhooks rest", extra={"code": "webhooks_rest", "kind": type(error).__name__})
                await asyncio.sleep(0.2)
            finally:
                await self.stop()

    async def _hold(self, session: Session) -> None:
        loop, looked = asyncio.get_running_loop(), 0.0
        while session.holds_lock:
            woken = await self.wakes.schools(max(0.0, looked + LOOK_EVERY_S - loop.time()))
            if loop.time() >= looked + LOOK_EVERY_S:
                looked = loop.time()
                woken |= set(await self.db.schools())
            for school in woken:
                await self.look(school)

    async def stop(self) -> None:
        """Ends all that is under way: whatever was sent, it is claimed anew when its time has come."""
        await end(door.worker for door in self.doors.values() if door.worker is not None)

    async def look(self, school: str) -> None:
        """Gives every tool of a school for which something waits its worker."""
        async with self.db.school(school) as conn:
            waiting = await receivers.list_waiting(conn, school)
        for tool in waiting:
            door = self.doors.setdefault((school, tool), Door())
            if door.worker is None or door.worker.done():
                door.worker = asyncio.create_task(self._work((school, tool), door))
            else:
                door.again = True

    async def _work(self, key: Key, door: Door) -> None:
        async with self.limit:
            door.again = True
            try:
                while door.again:
                    door.again = False
                    await self.serve(key, door)
            except (Problem, Transient, *LOST, asyncpg.PostgresError) as error:
                kind = error.type.value if isinstance(error, Problem) else type(error).__name__
                log.warning("a webhook waits", extra={"code": "webhook_waits", "kind": kind, "school": key[0]})
            finally:
                for line in door.idle:
                    line.close()
                door.idle.clear()

    async def serve(self, key: Key, door: Door) -> None:
        """Has a tool's withdrawals hold, then delivers what waits, until nothing does or its receiver needs a rest."""
        while await self._ask(
            key, WITHDRAWALS, TellWithdrawals(tool=key[1], due_in_s=self.deletion_within.total_seconds())
        ):
            self.told()
        if not await self._load(key, door):
            return
        under_way = set[asyncio.Task[Result]]()
        try:
            while True:
                while await self._begin(key, door, under_way):
                    pass
                if not under_way:
                    return
                await self._end(key, door, under_way)
        finally:
            await end(under_way)

    async def _load(self, key: Key, door: Door) -> bool:
        """Reads where to go, and how the receiver fared before; tells whether there is anywhere to go now."""
        async with self.db.school(key[0]) as conn:
            url, breaker, since = await receivers.get(conn, *key)
        if not door.loaded:
            door.breaker, door.since, door.loaded = breaker, since, True
        door.breaker, door.url = door.breaker.unheard(), url or ""
        return url is not None

    async def _begin(self, key: Key, door: Door, under_way: set[asyncio.Task[Result]]) -> bool:
        """Claims as much as there are free connections, and sends it; tells whether to come again at once."""
        now = self.clock.now()
        if len(under_way) >= LINES or not door.breaker.may(now):
            return False
        try:
            line = await self._line(key, door, parse(door.url, loopback=self.loopback))
        except (Refused, Unreachable) as error:
            door.breaker = door.breaker.begun()
            await self._failed(key, door, str(error))
            return False
        if line is None:
            return False
        loop = asyncio.get_running_loop()
        by = loop.time() + self.release_within_s
        try:
            found = await self._ask(key, CLAIM, ClaimParcels(tool=key[1], limit=1))
        except BaseException:
            line.close()
            raise
        claimed: Claimed | None = found["claimed"] if found else None
        if claimed is None or not claimed.messages:
            door.idle.append(line)
            return found is not None
        (message,) = claimed.messages
        moved = claimed.url != door.url
        if moved:  # since the connection was made
            line.close()
            door.url = claimed.url
        door.breaker = door.breaker.begun()
        going = _anew(message.seq) if moved else self._deliver(key, line, door, claimed, message, by)
        under_way.add(asyncio.create_task(going))
        return True

    async def _line(self, key: Key, door: Door, target: Target) -> Line | None:
        """Returns a connection to the target, a new one only when there is something to send; None: there is not."""
        while door.idle:
            line = door.idle.pop()
            if line.good and line.target == target:
                return line
            line.close()
        async with self.db.school(key[0]) as conn:
            if not await receivers.has_next(conn, *key):
                return None
        return await Line.open(target, self.context, loopback=self.loopback, find=self.find)

    async def _deliver(self, key: Key, line: Line, door: Door, claimed: Claimed, message: Message, by: float) -> Result:
        now = self.clock.now()
        body = Speech(key[0], "", claimed.secret).say(message, now).data
        name = pydantic_core.from_json(body)["id"]
        headers = signed(keys_of(claimed.keys), name, now, body) | {"Content-Type": CONTENT}
        try:
            answer = await line.post(headers, body, by)
        except Late:
            return Result(seq=message.seq, code="late", again=True)
        except Unreachable as error:
            return Result(seq=message.seq, code=str(error), chance=self.chance())
        except BaseException:
            line.close()
            raise
        door.idle.append(line)
        return _result(message.seq, answer, self.chance())

    async def _end(self, key: Key, door: Door, under_way: set[asyncio.Task[Result]]) -> None:
        """Waits for an attempt to end, and writes down how those that did went."""
        done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        results = tuple(task.result() for task in done)
        under_way -= done
        settled = await self._ask(key, SETTLE, Settle(tool=key[1], results=results))
        if settled and settled["aside"]:
            text = "a webhook's receiver did not take what it was owed for three days: it is set aside"
            self.alarm("webhook_aside", text, school=key[0], tool=str(key[1]), count=settled["aside"])
        for result in results:
            if result.code is None:
                await self._succeeded(key, door)
            elif not result.again:
                await self._failed(key, door, result.code)

    async def _succeeded(self, key: Key, door: Door) -> None:
        failing = door.since is not None
        door.breaker, door.since = door.breaker.succeeded(), None
        if failing:
            await self._keep(key, door, None)

    async def _failed(self, key: Key, door: Door, code: str) -> None:
        now = self.clock.now()
        closed = door.breaker.until is None
        door.since = door.since or now
        door.breaker = door.breaker.failed(now, self.chance())
        log.warning("a webhook failed", extra={"code": "webhook_untaken", "kind": code, "school": key[0]})
        await self._keep(key, door, code)
        if closed and door.breaker.until is not None:
            text = "a webhook's receiver fails: it is left alone for a while"
            self.alarm("webhook_failing", text, school=key[0], tool=str(key[1]), kind=code)
        if code == "status_410" or now - door.since >= GIVE_UP:
            await self._pause(key, door)

    async def _keep(self, key: Key, door: Door, code: str | None) -> None:
        async with self.db.school(key[0]) as conn:
            await receivers.keep(conn, *key, door.breaker, door.since, code)

    async def _pause(self, key: Key, door: Door) -> None:
        """Has a tool paused whose receiver wants nothing any more, or has taken nothing for days."""
        actor, body = mind_tool(*key)
        try:
            await self.unit.run(GONE, Asked(actor, key[0], body, self.ids))
        except Problem as problem:
            if problem.type is not ProblemType.CONFLICT:  # it is not active any more
                raise
            return
        door.breaker, door.since = Breaker(), None
        await self._keep(key, door, "gone")
        text = "a webhook's receiver is gone: the tool is paused, and nothing it was owed is lost"
        self.alarm("webhook_gone", text, school=key[0], tool=str(key[1]))

    async def _ask(self, key: Key, endpoint: Endpoint[Any], body: Any) -> dict[str, Any] | None:  # noqa: ANN401  a Request
        """Runs an endpoint as the tool; None: nothing waits."""
        actor = Actor(key[1], ActorKind.TOOL, key[0], SERVICE)
        try:
            found: dict[str, Any] = await self.unit.run(endpoint, Asked(actor, key[0], body, self.ids))
        except Problem as problem:
            if problem.type is ProblemType.NOT_FOUND:
                return None
            raise
        return found


async def _anew(seq: int) -> Result:
    return Result(seq=seq, code="moved", again=True)


def _result(seq: int, answer: Answer, chance: float) -> Result:
    if 200 <= answer.status < 300:
        return Result(seq=seq, code=None)
    asked = answer.asked.total_seconds() if answer.asked is not None else None
    return Result(seq=seq, code=f"status_{answer.status}", asked_s=asked, chance=chance)
