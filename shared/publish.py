"""Publishing many events at once, acknowledged: an atomic batch where it can be, a window of single ones where not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import uuid4

import nats.errors
import pydantic_core
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.errors import Transient

BATCH = 500
ATOMIC_FROM = 32
"""An atomic batch has a fixed price of some milliseconds at the server; below this many single messages cost less."""
ACK_TIMEOUT_S = 3.0
DUPLICATE_IN_BATCH = 10201


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message: `id` lets the stream drop a repeat within its window (an optimisation, never the guarantee)."""

    subject: str
    id: str
    data: bytes


_Sent: TypeAlias = tuple[Sequence[Outgoing], "asyncio.Future[Msg]"]
"""A batch on its way, and what will be answered to it."""


class Publisher:
    """Publishes over one connection and one reply inbox."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._number = 0

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Returns when the stream has acknowledged every message; raises Transient when that cannot be said.

        After Transient some may be stored: publish all again, in the same order.
        """
        if not self._client.is_connected:  # else the client would keep them, and send them late
            msg = "no broker"
            raise Transient(msg)
        if self._subscription is None:
            self._inbox = self._client.new_inbox()
            self._subscription = await self._client.subscribe(f"{self._inbox}.*", cb=self._receive)
        before: _Sent | None = None
        try:
            for start in range(0, len(messages), BATCH):
                part = messages[start : start + BATCH]
                if len(part) < ATOMIC_FROM:
                    await self._settled(before)
                    before = None
                    await self._windowed(part)
                else:
                    # Travels while the batch before it is stored, and is committed behind it: the order stays.
                    batch = await self._stage(part)
                    await self._settled(before)
                    before = part, await self._commit(part[-1], batch, len(part))
            await self._settled(before)
        finally:
            if before is not None:
                before[1].cancel()

    async def _stage(self, messages: Sequence[Outgoing]) -> str:
        """Sends all but the last message of a batch; returns its id. Nothing is stored until the last is there."""
        batch = uuid4().hex
        for place, message in enumerate(messages[:-1], 1):
            headers = {"Nats-Msg-Id": message.id, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)}
            await self._put(message, headers)
        return batch

    async def _commit(self, last: Outgoing, batch: str, count: int) -> asyncio.Future[Msg]:
        """Sends the last message of a batch, with which it is stored whole or not at all."""
        headers = {
            "Nats-Msg-Id": last.id,
            "Nats-Batch-Id": batch,
            "Nats-Batch-Sequence": str(count),
            "Nats-Batch-Commit": "1",
        }
        return await self._send(last, headers)

    async def _settled(self, sent: _Sent | None) -> None:
        """Returns when a batch is stored; one of which a message is stored already goes singly."""
        if sent is None:
            return
        messages, answer = sent
        error = _error((await self._acknowledged([answer]))[0])
        if error == DUPLICATE_IN_BATCH:
            await self._windowed(messages)
        elif error:
            msg = f"the stream refused a batch: {error}"
            raise Transient(msg)

    async def _windowed(self, messages: Sequence[Outgoing]) -> None:
        sent = [await self._send(message, {"Nats-Msg-Id": message.id}) for message in messages]
        for answer in await self._acknowledged(sent):
            if error := _error(answer):
                msg = f"the stream refused an event: {error}"
                raise Transient(msg)

    async def _send(self, message: Outgoing, headers: dict[str, str]) -> asyncio.Future[Msg]:
        self._number += 1
        token = str(self._number)
        future: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[token] = future
        future.add_done_callback(lambda _: self._waiting.pop(token, None))
        try:
            await self._put(message, headers, f"{self._inbox}.{token}")
        except Transient:
            future.cancel()
            raise
        return future

    async def _put(self, message: Outgoing, headers: dict[str, str], reply: str = "") -> None:
        try:
            await self._client.publish(message.subject, message.data, reply=reply, headers=headers)
        except (nats.errors.Error, OSError) as error:
            msg = f"not sent: {type(error).__name__}"
            raise Transient(msg) from None

    async def _acknowledged(self, sent: Sequence[asyncio.Future[Msg]]) -> list[Msg]:
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                return [await one for one in sent]
        except TimeoutError:
            msg = "no acknowledgement in time"
            raise Transient(msg) from None
        finally:
            for one in sent:
                one.cancel()

    async def _receive(self, message: Msg) -> None:
        future = self._waiting.get(message.subject.rpartition(".")[2])
        if future is not None and not future.done():
            future.set_result(message)


def _error(answer: Msg) -> int:
    """Returns 0 for an acknowledgement, else the stream's error code (503: no stream listens)."""
    if answer.headers and answer.headers.get("Status") == "503":
        return 503
    if not answer.data:
        return 500
    error = pydantic_core.from_json(answer.data).get("error")
    return int(error.get("err_code", 500)) if error else 0
