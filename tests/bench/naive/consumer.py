"""The naive consumer: FastStream's pull subscriber with its batched fetch, a validated body, one insert a message."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from pydantic import BaseModel

from tests.bench.worker import Handler

FETCH = 100
INSERT = """
INSERT INTO line (event_id, school, type, about, thing, actor, action, category, outcome, occurred_at, event)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (event_id) DO NOTHING
"""


class Act(BaseModel):
    actor: UUID
    action: str
    category: str
    outcome: str


class Data(BaseModel):
    act: Act


class CloudEvent(BaseModel):
    id: UUID
    school: str
    type: str
    subject: UUID
    thing: UUID | None = None
    time: datetime
    data: Data


class Counter:
    """Counts the lines that are in, and tells when a number is reached."""

    def __init__(self) -> None:
        self.lines = 0
        self._wanted = 0
        self._reached = asyncio.Event()
        self._at = 0.0

    def add(self) -> None:
        """Notes one more line, after its commit."""
        self.lines += 1
        if self.lines >= self._wanted and not self._reached.is_set():
            self._at = time.monotonic()
            self._reached.set()

    async def until(self, order: dict[str, Any]) -> dict[str, Any]:
        """Answers the monotonic moment at which `lines` were in, counted from the start."""
        self._wanted = int(order["lines"])
        self._reached.clear()
        if self.lines < self._wanted:
            await asyncio.wait_for(self._reached.wait(), 110)
            return {"at": self._at}
        return {"at": time.monotonic()}


def consume(broker: NatsBroker, pool: asyncpg.Pool[asyncpg.Record], stream: str, counter: Counter) -> None:
    """Registers the subscriber on a durable of `stream`."""

    @broker.subscriber(
        "evt.>",
        stream=JStream(stream, declare=False),
        durable="naive",
        pull_sub=PullSub(batch_size=FETCH),
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def on_event(body: CloudEvent, message: NatsMessage) -> None:
        act = body.data.act
        await pool.execute(
            INSERT, body.id, body.school, body.type, body.subject, body.thing, act.actor, act.action, act.category,
            act.outcome, body.time, message.body.decode(),
        )  # fmt: skip
        counter.add()


def orders(counter: Counter) -> dict[str, Handler]:
    """Returns what the parent may order: tell when so many lines are in, or how many are."""

    async def lines(_: dict[str, Any]) -> dict[str, Any]:
        return {"lines": counter.lines}

    return {"until": counter.until, "lines": lines}
