"""Sends what is queued: claim (the recipient's access is checked again), ask the address, send, write down.

A crash between the server's acceptance and our "sent" can't be told from one before it: the claim lapses and the mail
goes again under the same Message-ID. At least once, then, and a repeat can be known as one. A server that is down costs
no try: nothing is claimed before it has greeted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from services.notifications import store
from services.notifications.deliveries import CLAIM, SETTLE, ClaimDelivery, Outcome, SettleDelivery
from services.notifications.model import SERVICE, DeliveryState
from services.notifications.smtp import Channel, ChannelDown, NotSent
from services.notifications.store import Due
from shared.actor import Actor, service_id
from shared.clock import Clock, Ids
from shared.db import LOST, Database
from shared.errors import Problem, ProblemType, Transient
from shared.events.words import ActorKind
from shared.unit import Asked
from shared.unit_run import Unit

log = logging.getLogger(__name__)

POLL_S = 0.5
BATCH = 200
WORKERS = 8
REFUSALS = 8
LONGEST_REST_S = 60.0
CLAIM_SPARE_S = 15.0
SETTLE_AFTER_S = (0.0, 0.1, 0.5, 2.0, 5.0)
FINISH_WITHIN_S = 15.0

Contact = Callable[[str, UUID, UUID], Awaitable[str | None]]
"""Asks network where, in a school, a member is reached about a subject; None: nowhere. Raises Problem or Transient."""


class Alarm(Protocol):
    """Tells the operators (DESIGN.md "Alarms")."""

    def __call__(self, code: str, text: str, **facts: object) -> None: ...


@dataclass(slots=True)
class Rest:
    """How often in a row a school's sending failed, and until when (the loop's time) it is left alone."""

    failures: int = 0
    until: float = 0.0


def rest_s(failures: int) -> float:
    """Returns how long to rest after this many failures in a row."""
    # The power is bounded too: after a day of failures it no longer fits a float.
    return min(POLL_S * 2.0 ** min(failures, 16), LONGEST_REST_S)


@dataclass(slots=True)
class Batch:
    """What the workers of one school share: what is left to do, and how it goes."""

    due: deque[Due]
    refused: dict[UUID, int]
    done: int = 0
    in_a_row: int = 0
    problem: Problem | None = None

    def goes_on(self) -> bool:
        """Tells whether there is more, and not everything is being refused."""
        return bool(self.due) and self.in_a_row < REFUSALS

    def refuse(self, due: Due, problem: Problem) -> None:
        """Counts a refusal: it costs this delivery its place, and the school its turn only when others fare alike."""
        self.refused[due.delivery] += 1
        self.in_a_row += 1
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Sender:
    """Everything that sending needs."""

    db: Database
    unit: Unit
    ids: Ids
    clock: Clock
    contact: Contact
    channel: Callable[[], Channel]
    alarm: Alarm
    release_within_s: float
    patience_s: float
    refused: dict[str, dict[UUID, int]] = field(default_factory=dict)

    async def run(self) -> None:
        """Sends what falls due until cancelled; a mail under way is finished first.

        Only what all schools share (the mail server, the list of schools) lets all of them rest; anything else lets
        its own school rest.
        """
        now = asyncio.get_running_loop().time
        failures, rests = 0, defaultdict[str, Rest](Rest)
        while True:
            try:
                sent = [await self._send_one(school, rests[school], now) for school in await self.db.schools()]
            except (ChannelDown, *LOST, asyncpg.PostgresError) as error:
                failures += 1
                self._tell(error, failures)
                await asyncio.sleep(rest_s(failures))
            else:
                failures = 0
                if not any(sent):
                    await asyncio.sleep(POLL_S)

    async def _send_one(self, school: str, rest: Rest, now: Callable[[], float]) -> int:
        """Sends what is due in a school that does not rest. Raises ChannelDown only."""
        if now() < rest.until:
            return 0
        try:
            sent = await self.send_due(school)
        except (Problem, *LOST, asyncpg.PostgresError) as error:
            rest.failures += 1
            rest.until = now() + rest_s(rest.failures)
            self._tell(error, rest.failures)
            return 0
        rest.failures = 0
        return sent

    def _tell(self, error: Exception, failures: int) -> None:
        # Never the exception's text: SMTP servers repeat addresses in theirs.
        if isinstance(error, ChannelDown) and failures == 1:
            self.alarm("mail_server_unreachable", "mails wait until the server is back", reason=error.code)
        else:
            log.warning("sending rests", extra={"code": "sending_rests", "kind": type(error).__name__})

    async def send_due(self, school: str) -> int:
        """Sends a batch of what is due in one school; returns how many it took up.

        One that is refused stays due, and the others go on; those refused before come last. Raises ChannelDown when no
        worker could reach the server, Problem when claims can't be made now: REFUSALS in a row, or nothing but them.
        """
        async with self.db.school(school) as conn:
            listed = await store.list_due(conn, school, BATCH)
        if not listed:
            self.refused.pop(school, None)
            return 0
        before = self.refused.get(school, {})
        refused = self.refused[school] = {one.delivery: before.get(one.delivery, 0) for one in listed}
        batch = Batch(deque(sorted(listed, key=lambda one: refused[one.delivery])), refused)
        workers = [self._work(school, batch) for _ in range(min(WORKERS, len(listed)))]
        ended = await asyncio.gather(*workers, return_exceptions=True)
        others = [e for e in ended if isinstance(e, BaseException) and not isinstance(e, ChannelDown)]
        if others:
            raise others[0]
        down = [e for e in ended if isinstance(e, ChannelDown)]
        if len(batch.due) == len(listed) and down:
            raise down[0]
        if batch.problem and (batch.in_a_row >= REFUSALS or not batch.done):
            raise batch.problem
        return batch.done

    async def _work(self, school: str, batch: Batch) -> None:
        channel = self.channel()
        try:
            while batch.goes_on():
                await channel.ready()
                if batch.goes_on():
                    await _finish(self._take(channel, school, batch, batch.due.popleft()))
        finally:
            await channel.close()

    async def _take(self, channel: Channel, school: str, batch: Batch, due: Due) -> None:
        try:
            await self.deliver(channel, school, due)
        except Problem as problem:
            batch.refuse(due, problem)
        else:
            batch.done += 1
            batch.in_a_row = 0

    async def deliver(self, channel: Channel, school: str, due: Due) -> None:
        """Claims one delivery, sends it and writes down what became of it. Raises Problem when claims can't be made."""
        before = asyncio.get_running_loop().time() + self.release_within_s
        claim = ClaimDelivery(delivery=due.delivery, lasts_s=self.patience_s + CLAIM_SPARE_S)
        recipient = Actor(due.member, ActorKind.PERSON, school, SERVICE)
        try:
            claimed = await self.unit.run(CLAIM, Asked(recipient, school, claim, self.ids))
        except Problem as problem:
            if problem.type is ProblemType.CONFLICT:
                return  # another replica has it
            raise
        if claimed["state"] != DeliveryState.CLAIMED:
            return
        about, notice = UUID(claimed["about"]), UUID(claimed["message"])
        outcome, code = await self._attempt(channel, self.contact(school, due.member, about), notice, before)
        body = SettleDelivery(delivery=UUID(claimed["delivery"]), tries=claimed["tries"], outcome=outcome, code=code)
        await self._settle(school, body)

    async def _attempt(
        self, channel: Channel, asking: Awaitable[str | None], notice: UUID, before: float
    ) -> tuple[Outcome, str | None]:
        try:
            address = await asking
            if address is None:
                return Outcome.CANCELLED, "no_address"
            await channel.send(notice, address, self.clock.now(), before)
        except NotSent as refusal:
            return (Outcome.FAILED if refusal.for_good else Outcome.DEFERRED), refusal.code
        except (Problem, Transient) as error:
            return Outcome.DEFERRED, f"contact_{error.type}" if isinstance(error, Problem) else "contact_unanswered"
        return Outcome.SENT, None

    async def _settle(self, school: str, body: SettleDelivery) -> None:
        service = Actor(service_id(SERVICE), ActorKind.SERVICE, school, SERVICE)
        for delay in SETTLE_AFTER_S:
            await asyncio.sleep(delay)
            try:
                await self.unit.run(SETTLE, Asked(service, school, body, self.ids))
            except Problem as problem:
                if problem.type is ProblemType.CONFLICT:
                    return  # the claim lapsed and another holds it: that one settles
            else:
                return
        # It stays claimed, so it goes again when the claim lapses.
        self.alarm("delivery_not_settled", "a mail may go twice", school=school, outcome=body.outcome.value)


async def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Awaits `work`; when cancelled, lets it end first: a mail that was accepted must be written down."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=FINISH_WITHIN_S)
        raise
