"""The second baseline: faststream-outbox as its documentation shows it, relaying to JetStream with a stacked publisher.

Four workers and rows taken by the hundred; otherwise its defaults, with NOTIFY waking it. Run as
`python -m tests.bench.outbox`, settings from BENCH_*.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from typing import Any

import uvloop
from faststream.nats import NatsBroker
from faststream_outbox import OutboxBroker, make_outbox_table
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from tests.bench import event as made
from tests.bench.worker import obey

WORKERS = 4
FETCH = 100
IN_FLIGHT = 32
QUEUE = "events"
STREAM = "NAIVE"
SUBJECT = "evt.bench.outbox.goal.activated"


class Sender:
    """Appends events through the library's own publish, in transactions of its caller."""

    def __init__(self, broker: OutboxBroker, engine: AsyncEngine) -> None:
        self._broker = broker
        self._session = async_sessionmaker(engine, expire_on_commit=False)

    async def append(self, order: dict[str, Any]) -> dict[str, Any]:
        """Appends `count` events in transactions of `per_tx`, from 32 tasks."""
        per_tx, left = int(order["per_tx"]), int(order["count"])

        async def work(place: int) -> None:
            nonlocal left
            while left > 0:
                left -= per_tx
                await self._transaction(made.SCHOOLS[place % len(made.SCHOOLS)], [uuid.uuid4() for _ in range(per_tx)])

        await asyncio.gather(*(work(place) for place in range(IN_FLIGHT)))
        return {}

    async def _transaction(self, school: str, things: list[uuid.UUID]) -> None:
        async with self._session() as session, session.begin():
            for thing in things:
                await self._broker.publish(json.loads(made.body(school, thing)), queue=QUEUE, session=session)

    async def pace(self, order: dict[str, Any]) -> dict[str, Any]:
        """Appends one event every `1 / rate` seconds; answers when each was begun."""
        begun: dict[str, float] = {}
        tasks = []
        started = time.monotonic()
        for place in range(int(order["count"])):
            await asyncio.sleep(max(0.0, started + place / float(order["rate"]) - time.monotonic()))
            thing = uuid.uuid4()
            begun[str(thing)] = time.time()
            tasks.append(asyncio.create_task(self._transaction(made.SCHOOLS[place % len(made.SCHOOLS)], [thing])))
        await asyncio.gather(*tasks)
        return {"begun": begun}


async def main() -> None:
    engine = create_async_engine(
        os.environ["BENCH_DSN"].replace("postgresql://", "postgresql+asyncpg://"), pool_size=20
    )
    metadata = MetaData()
    table = make_outbox_table(metadata, table_name="library_outbox")
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
    bus = NatsBroker(os.environ["BENCH_NATS"], logger=None)
    outbox = OutboxBroker(engine, outbox_table=table, logger=None)

    @bus.publisher(SUBJECT, stream=STREAM)
    @outbox.subscriber(QUEUE, max_workers=WORKERS, fetch_batch_size=FETCH)
    async def relay(body: dict[str, Any]) -> dict[str, Any]:
        return body

    await bus.start()
    await outbox.start()
    sender = Sender(outbox, engine)
    await obey({"append": sender.append, "pace": sender.pace})
    await outbox.stop()
    await bus.stop()
    await engine.dispose()


if __name__ == "__main__":
    uvloop.run(main())
