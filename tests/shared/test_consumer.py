"""What a consumer does first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nats.aio.msg import Msg

from shared.backlog import Key
from shared.consumer import Consumer
from shared.events.base import Event
from shared.telemetry import Telemetry
from tests.audit.support import Journal


class Bus:
    """Takes what is published."""

    service = "audit"

    def __init__(self) -> None:
        self.client = self
        self.sent: list[str] = []

    async def publish(self, subject: str, _data: bytes) -> None:
        self.sent.append(subject)


class Settling(Consumer):
    """A consumer that remembers in which order lanes were settled, and applies nothing."""

    def __init__(self) -> None:
        nothing: Any = None
        bus: Any = Bus()
        super().__init__(nothing, bus, nothing, ["goals", "network"], Telemetry("audit", export=False))
        self.settled: list[Key] = []

    async def _settle(self, key: Key, events: Sequence[Event]) -> None:
        assert events
        self.settled.append(key)


def message(event: Event, place: int) -> Msg:
    client: Any = None
    reply = f"$JS.ACK.EVENTS.audit--events.1.{place}.{place}.1764000000000000000.0"
    return Msg(client, f"evt.{event.school}.{event.producer}.note.written", reply, event.raw)


async def test_of_what_was_delivered_together_the_authoritys_is_applied_first() -> None:
    """A withdrawal waits until it was applied; what others journaled meanwhile can wait a moment longer."""
    consumer = Settling()
    lanes = (("olm", "goals"), ("olm", "network"), ("wilg", "goals"))
    events = [Journal(*lane).viewed() for lane in lanes]
    await consumer._take([message(event, place) for place, event in enumerate(events, 1)])
    assert consumer.settled.index(("network", "olm")) == 0
    assert set(consumer.settled) == {("goals", "olm"), ("network", "olm"), ("goals", "wilg")}
