"""The brake of a tool that floods: counted where the server counts, for what it sends need not reach the gate.

Each request for next messages leaves a trace in the server until it is answered or its time is over: without an end to
them a tool would fill the server's memory, and that of all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PER_S = 2_000.0
BURST = 60_000.0
"""More than acknowledging a full stream takes, which an honest tool does when it comes back after days."""
HELD_S = 60.0


@dataclass(slots=True)
class _Meter:
    received: int
    at: float
    left: float
    held_until: float = 0.0


class Brake:
    """Which accounts send more than they may; those are held for a minute."""

    def __init__(self) -> None:
        self._per_s, self._burst, self._held_s = PER_S, BURST, HELD_S
        self._meters: dict[str, _Meter] = {}

    def weigh(self, received: Mapping[str, int], now: float) -> list[str]:
        """Take how many messages each account has sent so far, at a monotonic reading; return who is held from now."""
        held = []
        for account, count in received.items():
            meter = self._meters.setdefault(account, _Meter(count, now, self._burst))
            if self.holds(account, now):
                meter.left = self._burst
            else:
                more = max(0, count - meter.received)  # a server that started anew counts from nothing
                meter.left = min(self._burst, meter.left + (now - meter.at) * self._per_s) - more
                if meter.left < 0:
                    meter.held_until = now + self._held_s
                    held.append(account)
            meter.received, meter.at = count, now
        return held

    def holds(self, account: str, now: float) -> bool:
        """Tell whether an account is held."""
        meter = self._meters.get(account)
        return meter is not None and now < meter.held_until
