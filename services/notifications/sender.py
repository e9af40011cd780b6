"""Sends what is queued: claim (the recipient's access is checked again), ask the address, send, write down.

A crash between the server's acceptance and our "sent" can't be told from one before it: the claim lapses and the mail
goes again under the same Message-ID. At least once, then, and a repeat can be known as one: by its Message-ID, and in
our log by the `doubts` of what was sent. A server that is down costs no try: nothing is claimed before it has greeted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from services.notifications import store
from services.notifications.channel import Channel, ChannelDown, Letter, NotSent, Target
from services.notifications.deliveries import CLAIM, SETTLE, ClaimDelivery, Outcome, SettleDelivery
from services.notifications.model import SERVICE, DeliveryState
from services.notifications.pace import Pace
from services.notifications.reaching import Nowhere, Reach, circuit_of
from services.notifications.stopping import STOP, StopAddress
from services.notifications.store import Due
from services.notifications.turns import Alarm, Batch, Folded, Rest, Watch, Woken, Yielding, finish, in_turn, rest_s
from shared.actor import Actor, service_id
from shared.clock import Clock, Ids
from shared.db import LOST, Database
from shared.errors import Problem, ProblemType
from shared.events import notifications as told
from shared.events.words import ActorKind, school_subject
from shared.unit import Asked
from shared.unit_run import Unit

log = logging.getLogger(__name__)

POLL_S = 0.5
BATCH = 200
WORKERS = 8
REFUSALS = 8
CLAIM_SPARE_S = 15.0
SETTLE_AFTER_S = (0.0, 0.1, 0.5, 2.0, 5.0)
IDLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Sender:
    """Everything that sending through one channel needs.

    `urgent`: it takes only what can't wait. `yielding`: those who don't let those who do go first. `keep`: connections
    stay open between batches.
    """

    db: Database
    unit: Unit
    ids: Ids
    clock: Clock
    reach: Reach
    channel: Callable[[], Channel]
    alarm: Alarm
    release_within_s: float
    patience_s: float
    pace: Pace
    watch: Watch = field(default_factory=Watch)
    folded: Folded = field(default_factory=Folded)
    kind: told.Channel = told.Channel.MAIL
    urgent: bool = False
    workers: int = WORKERS
    keep: bool = False
    woken: Woken = field(default_factory=Woken)
    yielding: Yielding = field(default_factory=Yielding)
    refused: dict[str, dict[UUID, int]] = field(default_factory=dict)
    idle: list[tuple[float, Channel]] = field(default_factory=list)

    async def run(self) -> None:
        """Sends what falls due until cancelled; a mail under way is finished first.

        Only what all schools share (the mail server, the list of schools) lets all of them rest; anything else lets
        its own school rest. What there is to share goes round: a school that sent is looked at after those that didn't.
        """
        now = self.watch.now
        failures, rests = 0, defaultdict[str, Rest](Rest)
        try:
            while True:
                try:
                    schools = self.woken.take(now()) or await self.db.schools()
                    sent = [await self._send_one(school, rests[school]) for school in in_turn(schools, rests)]
                    await self._close_idle(now() - IDLE_S)
                except (ChannelDown, *LOST, asyncpg.PostgresError) as error:
                    failures += 1
                    self._tell(error, failures)
                    await self.watch.sleep(rest_s(failures))
                else:
                    failures = 0
                    if not any(sent):
                        await self.woken.wait(POLL_S)
        finally:
            await self._close_idle(now() + 1)

    async def _send_one(self, school: str, rest: Rest) -> int:
        """Sends what is due in a school that does not rest. Raises ChannelDown only."""
        if self.watch.now() < rest.until:
            return 0
        try:
            with self.yielding.going(urgent=self.urgent):
                sent = await self.send_due(school)
        except (Problem, *LOST, asyncpg.PostgresError) as error:
            rest.failures += 1
            rest.until = self.watch.now() + rest_s(rest.failures)
            self._tell(error, rest.failures)
            return 0
        rest.failures = 0
        if sent:
            rest.went = self.watch.now()
        return sent

    def _tell(self, error: Exception, failures: int) -> None:
        # Never the exception's text: SMTP servers repeat addresses in theirs.
        if isinstance(error, ChannelDown) and failures == 1:
            if self.kind is told.Channel.MAIL:
                self.alarm("mail_server_unreachable", "mails wait until the server is back", reason=error.code)
            else:
                self.alarm("channel_down", "what goes through a channel waits until it is back", reason=error.code)
        else:
            log.warning("sending rests", extra={"code": "sending_rests", "kind": type(error).__name__})

    async def send_due(self, school: str) -> int:
        """Sends a batch of what is due in one school; returns how many it took up.

        One that is refused stays due, and the others go on; those refused before come last. Raises ChannelDown when no
        worker could reach the server, Problem when claims can't be made now: REFUSALS in a row, or nothing but them.
        """
        batch = await self._batch(school)
        begun = len(batch.due)
        workers = [self._work(school, batch) for _ in range(min(self.workers, begun))]
        ended = await asyncio.gather(*workers, return_exceptions=True)
        if spared := len(batch.due) + batch.spared:
            await self.pace.give_back(school, spared)
        for other in (e for e in ended if isinstance(e, BaseException) and not isinstance(e, ChannelDown)):
            raise other
        down = [e for e in ended if isinstance(e, ChannelDown)]
        if len(batch.due) == begun and down:
            raise down[0]
        if batch.problem and (batch.in_a_row >= REFUSALS or not batch.done):
            raise batch.problem
        return batch.done

    async def _batch(self, school: str) -> Batch:
        async with self.db.school(school) as conn:
            listed = await store.list_due(conn, school, BATCH, self.kind, urgent=self.urgent)
            if not listed:
                self.refused.pop(school, None)
                return Batch.of([], {}, REFUSALS)
            before = self.refused.get(school, {})
            refused = self.refused[school] = {one.delivery: before.get(one.delivery, 0) for one in listed}
            batch = Batch.of(listed, refused, REFUSALS)
            batch.due = deque(await self.pace.begin(conn, school, batch.due))
            return batch

    async def _work(self, school: str, batch: Batch) -> None:
        channel = self.idle.pop()[1] if self.idle else self.channel()
        try:
            while batch.goes_on():
                await channel.ready()
                await self.yielding.turn(urgent=self.urgent)
                if not batch.goes_on():
                    break
                await finish(self._take(channel, school, batch, batch.due.popleft()))
        except BaseException:
            await channel.close()
            raise
        if self.keep:
            self.idle.append((self.watch.now(), channel))
        else:
            await channel.close()

    async def _close_idle(self, until: float) -> None:
        for one in [one for one in self.idle if one[0] < until]:
            self.idle.remove(one)
            await one[1].close()

    async def _take(self, channel: Channel, school: str, batch: Batch, due: Due) -> None:
        try:
            with self.yielding.going(urgent=self.urgent):
                left = await self.deliver(channel, school, due)
        except Problem as problem:
            batch.refuse(due, problem)
        except (*LOST, asyncpg.PostgresError):
            raise
        except Exception as error:  # noqa: BLE001  one that can't be made must not keep back all schools' others
            self._strange(error)
            batch.refuse(due, Problem(ProblemType.UNAVAILABLE, "this one can't be made now"))
        else:
            batch.done, batch.in_a_row, batch.spared = batch.done + 1, 0, batch.spared + (not left)

    async def deliver(self, channel: Channel, school: str, due: Due) -> bool:
        """Claims one delivery, sends it, notes what became of it; False: nothing was to go. Raises Problem."""
        before = asyncio.get_running_loop().time() + self.release_within_s
        claim = ClaimDelivery(delivery=due.delivery, lasts_s=self.patience_s + CLAIM_SPARE_S)
        recipient = Actor(due.member, ActorKind.PERSON, school, SERVICE)
        try:
            claimed = await self.unit.run(CLAIM, Asked(recipient, school, claim, self.ids))
        except Problem as problem:
            if problem.type is ProblemType.CONFLICT:
                return False  # another replica has it
            raise
        if claimed["state"] != DeliveryState.CLAIMED:
            return False
        became = await self._attempt(channel, school, due, claimed, before)
        claim_was = {name: claimed[name] for name in ("delivery", "parts", "tries")}
        await self._settle(school, SettleDelivery.model_validate({**claim_was, **became}, strict=False))
        return True

    async def _attempt(
        self, channel: Channel, school: str, due: Due, claimed: dict[str, Any], before: float
    ) -> dict[str, Any]:
        """Returns what became of it. With several addresses it is sent when it was sent to one of them."""
        try:
            letter, targets = await asyncio.gather(
                self.reach.letter(school, due.member, self.kind, claimed),
                self.reach.targets(school, due.member, self.kind, claimed),
            )
        except Nowhere as nowhere:
            return {"outcome": Outcome.CANCELLED, "code": nowhere.code}
        except NotSent as refusal:
            return {"outcome": Outcome.DEFERRED, "code": refusal.code}
        # Browsers at once: a slow one must not make the others too late. Mail and outlets have one address.
        sendings = (self._send(channel, school, letter, target, before) for target in targets)
        ended = await asyncio.gather(*sendings, return_exceptions=True)
        refusals = [one for one in ended if isinstance(one, NotSent)]
        for strange in ended:
            if isinstance(strange, BaseException) and not isinstance(strange, NotSent):
                raise strange
        if len(refusals) < len(targets):
            return {"outcome": Outcome.SENT}
        for one in refusals:
            if not one.for_good:
                doubtful = any(other.doubtful for other in refusals)
                return {"outcome": Outcome.DEFERRED, "code": one.code, "doubtful": doubtful, "rest_s": one.rest_s}
        return {"outcome": Outcome.FAILED, "code": refusals[0].code}

    async def _send(self, channel: Channel, school: str, letter: Letter, target: Target, before: float) -> None:
        """Sends to one address, if what lies behind it does not rest. Raises NotSent."""
        name = circuit_of(self.kind, target)
        if not await self.pace.closed(school, name):
            raise NotSent("resting")
        try:
            await channel.send(letter, target, self.clock.now(), before)
        except NotSent as refusal:
            if refusal.ours and (times := self.folded.times(refusal.code, self.watch.now())):
                text = "what goes through a channel waits: we are refused"
                self.alarm("channel_refuses_us", text, reason=refusal.code, count=times)
            if refusal.gone:
                await self._stop(school, letter.notice, target)
            if refusal.for_good:
                await self.pace.worked(school, name)  # it answered
            elif refusal.code != "claim_too_old":
                await self.pace.failed(school, name)
            raise
        except Exception as error:  # noqa: BLE001  a library's own: one letter must not keep the others back
            self._strange(error)
            raise NotSent("unexpected", doubtful=True) from None
        await self.pace.worked(school, name)

    def _strange(self, error: Exception) -> None:
        if times := self.folded.times(type(error).__name__, self.watch.now()):
            text = "a letter can't be sent now, and is tried again"
            self.alarm("sending_failed", text, kind=type(error).__name__, count=times)

    async def _stop(self, school: str, notice: UUID, target: Target) -> None:
        code = "bounced" if self.kind is told.Channel.MAIL else "gone"
        body = StopAddress(
            about=school_subject(school), notice=notice, channel=self.kind, target=target.text, code=code
        )
        try:
            await self.unit.run(STOP, Asked(self._service(school), school, body, self.ids))
        except Problem as problem:
            # The next letter will find it again.
            log.warning("address not stopped", extra={"code": "address_not_stopped", "kind": problem.type.value})

    async def _settle(self, school: str, body: SettleDelivery) -> None:
        for delay in SETTLE_AFTER_S:
            await asyncio.sleep(delay)
            try:
                await self.unit.run(SETTLE, Asked(self._service(school), school, body, self.ids))
            except Problem as problem:
                if problem.type is ProblemType.CONFLICT:
                    return  # the claim lapsed and another holds it: that one settles
            else:
                return
        # It stays claimed, so it goes again when the claim lapses.
        self.alarm("delivery_not_settled", "a mail may go twice", school=school, outcome=body.outcome.value)

    def _service(self, school: str) -> Actor:
        return Actor(service_id(SERVICE), ActorKind.SERVICE, school, SERVICE)
