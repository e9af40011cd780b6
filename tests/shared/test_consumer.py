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


class Settling:
    """Remembers in which order lanes were settled, and applies nothing."""

    def __init__(self) -> None:
        self.settled: list[Key] = []

    async def settle(self, key: Key, events: Sequence[Event]) -> None:
        assert events
        self.settled.append(key)


def made(settling: Any) -> Consumer:  # noqa: ANN401  in place of its settler
    nothing: Any = None
    bus: Any = Bus()
    consumer = Consumer(nothing, bus, nothing, ["goals", "network"], Telemetry("audit", export=False))
    consumer._settler = settling
    return consumer


def message(event: Event, place: int) -> Msg:
    client: Any = None
    reply = f"$JS.ACK.EVENTS.audit--events.1.{place}.{place}.1764000000000000000.0"
    return Msg(client, f"evt.{event.school}.{event.producer}.note.written", reply, event.raw)


async def test_of_what_was_delivered_together_the_authoritys_is_applied_first() -> None:
    """A withdrawal waits until it was applied; what others journaled meanwhile can wait a moment longer."""
    settling = Settling()
    consumer = made(settling)
    lanes = (("olm", "goals"), ("olm", "network"), ("wilg", "goals"))
    events = [Journal(*lane).viewed() for lane in lanes]
    await consumer._take([message(event, place) for place, event in enumerate(events, 1)])
    assert settling.settled.index(("network", "olm")) == 0
    assert set(settling.settled) == {("goals", "olm"), ("network", "olm"), ("goals", "wilg")}
