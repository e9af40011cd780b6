"""A service of the product that only appends: `python -m tests.bench.product.producer`, as service `goals`."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from shared.db import RETRY
from shared.journal import entries
from shared.service import Service, Site, run
from tests.bench import event as made
from tests.bench.worker import obey

IN_FLIGHT = 32


async def orders(at: Site) -> None:
    """Takes the parent's orders; when they end, so does the process."""

    async def transaction(school: str, per_tx: int) -> None:
        now = at.clock.now()
        about = made.children(school)[0]
        events = [made.event(school, about, at.ids.time_ordered(now)) for _ in range(per_tx)]
        while True:
            try:
                # The way every command and import goes: one transaction, one round trip.
                await at.db.function(
                    "commit_changes", school, False, 1, [], [], [], {}, entries(events, school, at.ids, now)
                )
            except RETRY:
                continue  # two tasks a school, and a lock is waited for 100 ms at most
            break
        at.relay.wake(school)

    async def append_many(order: dict[str, Any]) -> dict[str, Any]:
        per_tx, left = int(order["per_tx"]), int(order["count"])

        async def work(place: int) -> None:
            nonlocal left
            while left > 0:
                left -= per_tx
                await transaction(made.SCHOOLS[place % len(made.SCHOOLS)], per_tx)

        await asyncio.gather(*(work(place) for place in range(IN_FLIGHT)))
        return {}

    await obey({"append": append_many})
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    run(Service(name="goals", endpoints=(), tasks=(orders,)))
