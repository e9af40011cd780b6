"""What a pack's report counts: looks a week by role, refusals, on what ground, and what the judge found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from shared.events.words import school_subject

LOOKS = frozenset({"access.viewed", "notice.sent"})
MOST_DISTINCT = 1_000_000


@dataclass(slots=True)
class Tally:
    """Counts over lines, in the order in which they are taken."""

    lines: int = 0
    first_at: str = ""
    last_at: str = ""
    looks: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By week (its Monday, UTC) and role."""
    refused: Counter[str] = field(default_factory=Counter)
    """By week."""
    why_refused: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    purposes: Counter[str] = field(default_factory=Counter)
    grounds: Counter[str] = field(default_factory=Counter)
    emergencies: int = 0
    """Looks on emergency access."""
    exports: int = 0
    people: set[str] = field(default_factory=set)
    """Who looked."""
    children: set[str] = field(default_factory=set)
    """Who was looked at."""
    findings: Counter[str] = field(default_factory=Counter)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Counts a line."""
        at = str(entry["occurred_at"])
        self.lines += 1
        self.first_at = min(self.first_at or at, at)
        self.last_at = max(self.last_at, at)
        if entry["outcome"] == "denied":
            self.refused[_week(at[:10])] += 1
            self.why_refused[str(entry.get("reason", ""))] += 1
        elif _is_look(str(entry["type"])):
            self._look(entry, _week(at[:10]))

    def _look(self, entry: Mapping[str, Any], week: str) -> None:
        role = str(entry.get("role") or entry["kind"])
        self.looks[week, role] += 1
        self.categories[str(entry["category"])] += 1
        self.purposes[str(entry["purpose"])] += 1
        self.grounds[str(entry.get("basis", ""))] += 1
        self.emergencies += bool(entry["emergency"])
        self.exports += entry["action"] == "export"
        if len(self.people) < MOST_DISTINCT:
            self.people.add(str(entry["actor"]))
        if len(self.children) < MOST_DISTINCT and entry["about"] != _school(str(entry["school"])):
            self.children.add(str(entry["about"]))

    def find(self, codes: Iterable[str]) -> None:
        """Counts findings."""
        self.findings.update(codes)

    def weeks(self) -> list[str]:
        """Returns every week from the first to the last in which there was a look or a refusal."""
        known = sorted({*(week for week, _ in self.looks), *self.refused} - {""})
        if not known:
            return []
        first, last = date.fromisoformat(known[0]), date.fromisoformat(known[-1])
        return [str(first + timedelta(weeks=n)) for n in range((last - first).days // 7 + 1)]


@lru_cache(maxsize=4096)
def _week(day: str) -> str:
    try:
        found = date.fromisoformat(day)
    except ValueError:
        return ""
    return str(found - timedelta(days=found.weekday()))


@lru_cache(maxsize=1024)
def _is_look(type_: str) -> bool:
    return ".".join(type_.split(".")[3:-1]) in LOOKS


@lru_cache(maxsize=64)
def _school(slug: str) -> str:
    return str(school_subject(slug))
