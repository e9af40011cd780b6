"""What a durable delivers: asked for two batches ahead, so that the next travels while one commits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pydantic_core
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.backlog import Backlog
from shared.bus import Bus

log = logging.getLogger(__name__)

AUTHORITY = "network"
BATCH = 500
UNDER_WAY = 2 * BATCH
"""Events that the durable lets be under way."""
PULL_EXPIRES_S = 3.0


class Pull:
    """One consumer's requests to its durable, and what came and is not taken yet."""

    def __init__(self, bus: Bus, backlog: Backlog) -> None:
        self._bus = bus
        self._backlog = backlog
        self._inbox: asyncio.Queue[Msg] = asyncio.Queue()
        self.woken = asyncio.Event()
        """Set when something was delivered, or something else is to be done."""
        self.urgent = asyncio.Event()
        """Set when something of the authority was delivered: people wait for it to hold."""
        self._left = 0
        self._asked_at = 0.0
        self._answered_at = 0.0

    async def subscribe(self) -> Subscription:
        """Begins anew; what comes is received until `end`."""
        self._left = 0
        return await self._bus.client.subscribe(self._bus.client.new_inbox(), cb=self._receive)

    async def end(self, subscription: Subscription) -> None:
        """Receives no more and forgets what was not taken."""
        with contextlib.suppress(Exception):  # the connection may be gone already
            await subscription.unsubscribe()
        while not self._inbox.empty():
            self._inbox.get_nowait()

    async def ask(self, subscription: Subscription) -> None:
        """Keeps up to two batches asked for."""
        now = asyncio.get_running_loop().time()
        if self._left > BATCH and now - self._asked_at < PULL_EXPIRES_S + 1:
            return
        if now - self._asked_at >= PULL_EXPIRES_S + 1:
            self._left = 0
        durable = f"{self._bus.service}--events"
        request: dict[str, Any] = {"batch": BATCH, "expires": int(PULL_EXPIRES_S * 1e9)}
        if not self._answered_at:  # the first is answered at once, and so shows that the durable is there
            request = {"batch": BATCH, "no_wait": True}
        try:
            await self._bus.client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.EVENTS.{durable}",
                pydantic_core.to_json(request),
                reply=subscription.subject,
            )
        except Exception as error:  # noqa: BLE001  the client reconnects by itself
            log.warning("pull not sent", extra={"code": "pull_unsent", "kind": type(error).__name__})
            await asyncio.sleep(0.2)
        self._left += BATCH
        self._asked_at = now

    async def _receive(self, message: Msg) -> None:
        status = message.headers.get("Status") if message.headers else None
        if status is None or message.reply.startswith("$JS.ACK"):
            self._answered_at = asyncio.get_running_loop().time()
            self._left -= 1
            self._backlog.received(message, self._answered_at)
            self._inbox.put_nowait(message)
            self.woken.set()
            if producer_of(message) == AUTHORITY:
                self.urgent.set()
        elif status in {"408", "404"}:  # the request ran out: some or none of it came
            self._answered_at = asyncio.get_running_loop().time()
            self._left = max(0, self._left - BATCH)
        elif status != "100":
            self._left = 0
            await asyncio.sleep(0.2)

    @property
    def at_hand(self) -> bool:
        """Whether something came that is not taken yet."""
        return not self._inbox.empty()

    def take(self) -> list[Msg]:
        """Returns what came, in order, at most a batch."""
        batch: list[Msg] = []
        while len(batch) < BATCH and not self._inbox.empty():
            batch.append(self._inbox.get_nowait())
        return batch

    def answered(self, now: float) -> bool:
        """Tells whether the durable has answered of late: it answers at least when a request runs out."""
        return now - self._answered_at < 3 * PULL_EXPIRES_S


def producer_of(message: Msg) -> str:
    """Returns whose event a message holds, by its subject `evt.<school>.<producer>.<entity>.<verb>`."""
    return message.subject.split(".", 3)[2]
