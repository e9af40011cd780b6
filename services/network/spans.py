"""Stretches of time, and the days of the Netherlands as moments. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
EVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


def day_start(day: date) -> datetime:
    """Returns the UTC moment at which `day` begins in the Netherlands."""
    return datetime.combine(day, time(), AMSTERDAM).astimezone(UTC)


def birthday(born_on: date, age: int) -> date:
    """Returns the day on which `age` is reached; who was born on 29 February reaches it on 1 March in other years."""
    try:
        return born_on.replace(year=born_on.year + age)
    except ValueError:
        return date(born_on.year + age, 3, 1)


@lru_cache(16_384)
def reached_at(born_on: date, age: int) -> datetime:
    """Returns that day's first moment; pupils' days of birth are some thousands, asked for again and again."""
    return day_start(birthday(born_on, age))


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, `until` excluded."""

    since: datetime
    until: datetime = FOREVER

    def within(self, other: Span) -> Span:
        """Returns what both cover; empty (`since >= until`) when they don't meet."""
        return Span(max(self.since, other.since), min(self.until, other.until))

    def holds(self, at: datetime) -> bool:
        """Tells whether `at` falls in it."""
        return self.since <= at < self.until

    def __bool__(self) -> bool:
        return self.since < self.until


def joined(spans: Iterable[Span]) -> list[Span]:
    """Returns the union of `spans` as separate spans in order."""
    out: list[Span] = []
    for span in sorted((span for span in spans if span), key=lambda span: span.since):
        if out and span.since <= out[-1].until:
            out[-1] = Span(out[-1].since, max(out[-1].until, span.until))
        else:
            out.append(span)
    return out


def without(span: Span, taken: Iterable[Span]) -> Iterator[Span]:
    """Yields what is left of `span` outside `taken` (separate and in order)."""
    since = span.since
    for one in taken:
        left = Span(since, min(one.since, span.until))
        if left:
            yield left
        since = max(since, one.until)
    rest = Span(since, span.until)
    if rest:
        yield rest
