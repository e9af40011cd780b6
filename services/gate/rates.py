"""How much one tool may ask: a bucket of tokens each, and when one that does not listen is a flood.

Times are a monotonic clock's, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto

MOST_TOOLS = 10_000
"""So many buckets are kept; the one longest unused goes first, and is full when it comes back."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`per_s` requests a second in the long run, `burst` at once; `under_way` at one time.

    So many refusals within `patience_s` are a flood: a tool that heeds `retry_after_s` never gets there.
    """

    per_s: float = 50.0
    burst: int = 100
    under_way: int = 16
    flood: int = 1000
    patience_s: float = 5.0


class Verdict(Enum):
    """What happens to a request."""

    SERVED = auto()
    REFUSED = auto()
    FLOOD = auto()
    """Refused, and this is the one by which it is a flood: the tool is to be cut off."""
    DROPPED = auto()
    """Not even answered: the tool is being cut off."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    refused: int = 0
    since: float = 0.0
    under_way: int = 0


class Rates:
    """The buckets of all tools, by account."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def judge(self, account: str, now: float) -> tuple[Verdict, float]:
        """Returns what happens to a request that came at `now`, and after how many seconds the next may be served."""
        limits, bucket = self._limits, self._bucket(account, now)
        bucket.tokens = min(limits.burst, bucket.tokens + (now - bucket.at) * limits.per_s)
        bucket.at = now
        if bucket.tokens >= 1 and bucket.under_way < limits.under_way:
            bucket.tokens -= 1
            return Verdict.SERVED, 0.0
        if now - bucket.since > limits.patience_s:
            bucket.refused, bucket.since = 0, now
        bucket.refused += 1
        wait_s = max((1 - bucket.tokens) / limits.per_s, 1 / limits.per_s)
        if bucket.refused < limits.flood:
            return Verdict.REFUSED, wait_s
        return (Verdict.FLOOD if bucket.refused == limits.flood else Verdict.DROPPED), wait_s

    def began(self, account: str) -> None:
        """Notes that a request of this tool is being worked on."""
        self._buckets[account].under_way += 1

    def ended(self, account: str) -> None:
        """Notes that one is done."""
        if bucket := self._buckets.get(account):
            bucket.under_way = max(0, bucket.under_way - 1)

    def forgive(self, account: str) -> None:
        """Begins anew with a tool that was let in again."""
        self._buckets.pop(account, None)

    def _bucket(self, account: str, now: float) -> _Bucket:
        bucket = self._buckets.get(account)
        if bucket is None:
            bucket = self._buckets[account] = _Bucket(self._limits.burst, now)
            if len(self._buckets) > MOST_TOOLS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(account)
        return bucket
