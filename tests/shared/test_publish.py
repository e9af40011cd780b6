"""Publishing many events at once."""

from __future__ import annotations

import pydantic_core
import pytest
from nats.aio.client import Client

from shared.publish import ATOMIC_FROM, BATCH, Outgoing, Publisher
from tests.support.fixtures import LoginFactory


async def stored(bus: Client) -> list[int]:
    """What the stream holds, in its order."""
    js = bus.jetstream()
    state = (await js.stream_info("EVENTS")).state
    found = [await js.get_msg("EVENTS", seq) for seq in range(state.first_seq, state.last_seq + 1)]
    return [int(pydantic_core.from_json(one.data or b"0")) for one in found]


@pytest.mark.parametrize("count", [2 * BATCH, 2 * BATCH + 1, BATCH + ATOMIC_FROM], ids=str)
@pytest.mark.parametrize("known", [(), (3,), (BATCH + 1,), (0, BATCH - 1, BATCH)], ids=str)
async def test_batches_travel_together_and_are_stored_in_order_each_message_once(
    bus: Client, nats_login: LoginFactory, school: str, count: int, known: tuple[int, ...]
) -> None:
    """`known` were stored by an earlier try: their batches go singly, and what follows still comes behind them."""
    publisher = Publisher(await nats_login("goals"))
    subject = f"evt.{school}.goals.goal.proposed"
    messages = [Outgoing(subject, f"{school}-{n}", str(n).encode()) for n in range(count)]
    for n in known:
        await publisher.publish([messages[n]])
    await publisher.publish(messages)
    assert await stored(bus) == [*known, *(n for n in range(count) if n not in known)]
