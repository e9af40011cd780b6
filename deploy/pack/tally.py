"""What a pack's report counts: looks a week by role, refusals, on what ground, and what the judge found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import Any

from shared.events.words import school_subject

LOOKS = frozenset({"access.viewed", "notice.sent", "put-out.made"})
MOST_DISTINCT = 1_000_000
_what = itemgetter("category", "purpose", "action")


Kind = tuple[Any, ...] | None


@dataclass(slots=True)
class Tally:
    """Counts over lines, in the order in which they are taken."""

    lines: int = 0
    first_at: str = ""
    last_at: str = ""
    people: set[str] = field(default_factory=set)
    """Who looked."""
    children: set[str] = field(default_factory=set)
    """Who was looked at."""
    findings: Counter[str] = field(default_factory=Counter)
    _counted: Counter[tuple[tuple[Any, ...], str]] = field(default_factory=Counter)
    """By kind and day (UTC)."""

    def take(self, entry: Mapping[str, Any]) -> None:
        """Counts a line; raises KeyError, TypeError when it is none."""
        kind = kind_of(entry)
        actor, about = (entry["actor"], entry["about"]) if kind is not None and kind[0] == "look" else ("", None)
        child = about if about is not None and about != _school(entry["school"]) else None
        self.count(entry["occurred_at"], kind, actor, child)

    def count(self, at: str, kind: Kind, actor: str, child: str | None) -> None:
        """Counts a line of a kind; `child` is None where it is about the school."""
        self.lines += 1
        self.last_at = max(self.last_at, at)
        if at < self.first_at or not self.first_at:
            self.first_at = at
        if kind is not None:
            self._counted[kind, at[:10]] += 1
            if kind[0] == "look":
                if len(self.people) < MOST_DISTINCT:
                    self.people.add(actor)
                if child is not None and len(self.children) < MOST_DISTINCT:
                    self.children.add(child)

    def count_alike(
        self, kind: Kind, ats: Collection[str], days: Mapping[str, int], people: Iterable[str], children: Iterable[str]
    ) -> None:
        """Counts lines of one kind, fewer than `MOST_DISTINCT` in all: how many a day; of looks, whose and at whom."""
        first_at, last_at = min(ats), max(ats)
        self.lines += len(ats)
        self.last_at = max(self.last_at, last_at)
        if first_at < self.first_at or not self.first_at:
            self.first_at = first_at
        if kind is not None:
            self._counted.update({(kind, day): count for day, count in days.items()})
        self.people.update(people)
        self.children.update(children)

    def add(self, later: Tally) -> None:
        """Counts what another counted over the lines that follow."""
        self.lines += later.lines
        self.last_at = max(self.last_at, later.last_at)
        if later.first_at and (later.first_at < self.first_at or not self.first_at):
            self.first_at = later.first_at
        self._counted.update(later._counted)
        for known, new in ((self.people, later.people), (self.children, later.children)):
            known.update(islice(new - known, MOST_DISTINCT - len(known)))

    @property
    def _kinds(self) -> Counter[tuple[Any, ...]]:
        return self._of("look")

    @property
    def _refused(self) -> Counter[tuple[Any, ...]]:
        return self._of("refusal")

    def _of(self, what: str) -> Counter[tuple[Any, ...]]:
        return Counter({(day, *kind[1:]): count for (kind, day), count in self._counted.items() if kind[0] == what})

    def _by(self, *places: int) -> Counter[tuple[Any, ...]]:
        found: Counter[tuple[Any, ...]] = Counter()
        for kind, count in self._kinds.items():
            found[tuple(kind[place] for place in places)] += count
        return found

    @property
    def looks(self) -> Counter[tuple[str, str]]:
        """By week (its Monday, UTC) and role."""
        found: Counter[tuple[str, str]] = Counter()
        for (day, role), count in self._by(0, 1).items():
            found[_week(day), str(role)] += count
        return found

    def by(self, what: str) -> Counter[str]:
        """Returns looks by `category`, `purpose` or `basis`."""
        place = ("category", "purpose", "action", "basis").index(what) + 2
        return Counter({str(one): count for (one,), count in self._by(place).items()})

    @property
    def refused(self) -> Counter[str]:
        """By week."""
        found: Counter[str] = Counter()
        for (day, _), count in self._refused.items():
            found[_week(day)] += count
        return found

    @property
    def why_refused(self) -> Counter[str]:
        """By reason."""
        found: Counter[str] = Counter()
        for (_, reason), count in self._refused.items():
            found[reason] += count
        return found

    @property
    def emergencies(self) -> int:
        """How often somebody looked on emergency access."""
        return self._by(6)[(True,)]

    @property
    def exports(self) -> int:
        """How often data were taken along."""
        return self._by(4)[("export",)]

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


def kind_of(entry: Mapping[str, Any]) -> Kind:
    """Returns what a line counts as: a look of some kind, a refusal, or (None) neither."""
    if entry["outcome"] == "denied":
        return ("refusal", str(entry.get("reason", "")))
    if not _is_look(entry["type"]):
        return None
    who = entry.get("role") or entry["kind"]
    return ("look", who, *_what(entry), entry.get("basis", ""), bool(entry["emergency"]))


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
