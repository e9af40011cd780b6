"""What a chart of a ladder shows, from what the query `goal` answers: scores, and when settings were apart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

LEVELS = (2, 1, 0, -1, -2)
APART = 2
"""As `goals` has it: from this many levels between two settings on, they see a different child."""
LONGEST = timedelta(days=3 * 366)
"""A target day further than this after the last score is named at the edge, and does not squeeze the scores."""

Span = tuple[date, date | None]


@dataclass(frozen=True, slots=True)
class Score:
    """A score that counts."""

    setting: str
    level: int
    on: date


@dataclass(frozen=True, slots=True)
class Ladder:
    """A goal's ladder over time. `levels` from -2 to +2; `apart` until None: they still are."""

    statement: str
    levels: tuple[str, ...]
    baseline: int
    target_on: date
    scores: tuple[Score, ...]
    apart: tuple[Span, ...]
    wrong: int
    older: int

    @classmethod
    def of(cls, goal: Mapping[str, Any], scores: Sequence[Mapping[str, Any]], older: int = 0) -> Ladder:
        """Reads a goal and its scores, oldest first, as the query `goal` answers them."""
        counted = [raw for raw in scores if raw["in_error_at"] is None]
        found = tuple(Score(raw["setting"], raw["level"], date.fromisoformat(raw["observed_on"])) for raw in counted)
        target = date.fromisoformat(goal["target_on"])
        levels, wrong = tuple(goal["ladder"]), len(scores) - len(counted)
        return cls(goal["statement"], levels, goal["baseline"], target, found, spans_apart(found), wrong, older)

    def latest(self) -> dict[str, Score]:
        """Returns each setting's latest score."""
        return {one.setting: one for one in self.scores}

    def days(self) -> tuple[date, date]:
        """Returns the first and the last day to draw; without a score they are those before the target."""
        if not self.scores:
            return self.target_on - timedelta(days=90), self.target_on
        first, last = self.scores[0].on, self.scores[-1].on
        near = self.target_on - last <= LONGEST
        return min(first, self.target_on), max(last, self.target_on if near else last)


def signed(level: int) -> str:
    """Returns a level as a terminal shows it: +1, 0, -2."""
    return f"{level:+d}" if level else "0"


def spans_apart(scores: Iterable[Score]) -> tuple[Span, ...]:
    """Returns when the latest scores of two settings lay `APART` or more apart; of one day, the last word counts."""
    latest: dict[str, int] = {}
    after: dict[date, bool] = {}
    for one in scores:
        latest[one.setting] = one.level
        after[one.on] = max(latest.values()) - min(latest.values()) >= APART
    spans: list[Span] = []
    since: date | None = None
    for day, apart in after.items():
        if apart and since is None:
            since = day
        elif not apart and since is not None:
            spans.append((since, day))
            since = None
    return (*spans, (since, None)) if since is not None else tuple(spans)


def ticks(first: date, last: date, most: int) -> list[date]:
    """Returns at most `most` days to name on the axis, evenly by days, weeks, months or years."""
    for days in (1, 2, 7, 14):
        if (last - first).days // days < most:
            return [first + timedelta(days=days * number) for number in range((last - first).days // days + 1)]
    for months in (1, 2, 3, 6, 12, 24, 60, 120, 600):
        found = [one for one in _firsts(first, last) if (one.year * 12 + one.month - 1) % months == 0]
        if 0 < len(found) <= most:
            return found
    return [first, last]


def _firsts(first: date, last: date) -> Iterable[date]:
    """Yields each first day of a month."""
    month = first.year * 12 + first.month - (1 if first.day == 1 else 0)
    while (day := date(month // 12, month % 12 + 1, 1)) <= last:
        yield day
        month += 1
