"""Withdrawn means withdrawn: the books of a run held against the promise. Pure; a finding is a sentence.

A release is the database's clock in the line of whatever was done or shown, and the revision of the grants that it was
judged by. A withdrawal is effective at the moment that network told, or 7 s after its line by the clock, whichever is
first: from then on nothing about that child may be judged by older grants.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

BY_THE_CLOCK = timedelta(seconds=7)
"""A lease of 5 s and a transaction of 2 s. Counted from the withdrawal's line, which is older than its COMMIT by less
than the same 2 s; a release's line is read within the lease of 5 s."""
WITHIN = timedelta(seconds=8)

Subject = tuple[str, str]
"""A school and a child of it."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """One withdrawal of the grants before `revision`. `at` is its line's moment; `how` None: it is pending still."""

    id: str
    subject: Subject
    revision: int
    at: datetime
    how: str | None
    effective_at: datetime | None

    @property
    def ends_at(self) -> datetime:
        """From when on nothing older may be released."""
        by_the_clock = self.at + BY_THE_CLOCK
        return by_the_clock if self.effective_at is None else min(self.effective_at, by_the_clock)


@dataclass(frozen=True, slots=True)
class Release:
    """One line that something was permitted: in whose journal, for whom, by which grant of which revision."""

    producer: str
    seq: int
    name: str
    subject: Subject
    actor: str
    revision: int
    grant: str
    at: datetime


@dataclass(slots=True)
class Ledger:
    """What the databases have of a run. `grants`: the ids of the grants that each revision of a child's set holds."""

    withdrawals: list[Withdrawal] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    denials: Counter[str] = field(default_factory=Counter)
    """By the reason that was written down."""
    grants: dict[tuple[Subject, int], frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a hammer, on the test's own monotonic clock. `released`: its answer held what was asked for."""

    subject: Subject
    actor: str
    what: str
    sent_at: float
    answered_at: float
    kind: str
    released: bool


@dataclass(frozen=True, slots=True)
class Quiet:
    """Between the answer "it is effective" and the next giving nothing is there for `actor` to release."""

    subject: Subject
    actor: str
    what: frozenset[str]
    since: float
    until: float


def check(ledger: Ledger, attempts: Iterable[Attempt], quiets: Iterable[Quiet]) -> list[str]:
    """Returns everything that is wrong."""
    tried = list(attempts)
    found = [*late(ledger), *slow(ledger), *unfounded(ledger), *unlined(ledger, tried)]
    return [*found, *seen_in_quiet(tried, quiets)]


def late(ledger: Ledger) -> Iterator[str]:
    """Releases after the effective moment of a withdrawal that they did not know."""
    ends = _ends(ledger.withdrawals)
    for one in ledger.releases:
        revisions, limits = ends.get(one.subject, ([], []))
        place = bisect_right(revisions, one.revision)
        if place < len(limits) and one.at > limits[place]:
            after_s = (one.at - limits[place]).total_seconds()
            yield (
                f"{one.producer} {one.seq} ({one.name} by {one.actor}) was released {after_s:.6f} s after a withdrawal"
                f" was effective: judged by revision {one.revision}"
            )


def _ends(withdrawals: Iterable[Withdrawal]) -> dict[Subject, tuple[list[int], list[datetime]]]:
    """By subject the revisions of its withdrawals, and of each the first end of it and all later ones."""
    by_subject: defaultdict[Subject, list[Withdrawal]] = defaultdict(list)
    for one in withdrawals:
        by_subject[one.subject].append(one)
    found = {}
    for subject, those in by_subject.items():
        those.sort(key=lambda one: one.revision)
        limits = [one.ends_at for one in those]
        for place in range(len(limits) - 2, -1, -1):
            limits[place] = min(limits[place], limits[place + 1])
        found[subject] = ([one.revision for one in those], limits)
    return found


def slow(ledger: Ledger) -> Iterator[str]:
    """Withdrawals that were not effective within 8 s, while a replica of network and its database ran all along."""
    for one in ledger.withdrawals:
        if one.effective_at is None:
            yield f"withdrawal {one.id} was never effective"
        elif one.effective_at - one.at > WITHIN:
            took_s = (one.effective_at - one.at).total_seconds()
            yield f"withdrawal {one.id} was effective after {took_s:.3f} s only, by {one.how}"


def unfounded(ledger: Ledger) -> Iterator[str]:
    """Releases on a grant that the revision which they name does not hold."""
    for one in ledger.releases:
        if one.grant not in ledger.grants.get((one.subject, one.revision), frozenset()):
            yield f"{one.producer} {one.seq} ({one.name}): revision {one.revision} has no grant {one.grant}"


def unlined(ledger: Ledger, attempts: Iterable[Attempt]) -> Iterator[str]:
    """Answers that hold something, for which there is no line."""
    lines = Counter((one.subject, one.actor, one.producer) for one in ledger.releases)
    told = Counter((one.subject, one.actor, one.what.split(".")[0]) for one in attempts if one.released)
    for key, number in told.items():
        if lines[key] < number:
            yield f"{number} answers, {lines[key]} lines: {key}"


def seen_in_quiet(attempts: Iterable[Attempt], quiets: Iterable[Quiet]) -> Iterator[str]:
    """Answers with something in them to what was asked and answered while nothing was given."""
    by_place: defaultdict[tuple[Subject, str], list[Quiet]] = defaultdict(list)
    for quiet in quiets:
        by_place[quiet.subject, quiet.actor].append(quiet)
    for those in by_place.values():
        those.sort(key=lambda quiet: quiet.since)
    starts = {place: [quiet.since for quiet in those] for place, those in by_place.items()}
    for one in attempts:
        place = (one.subject, one.actor)
        nth = bisect_right(starts.get(place, []), one.sent_at) - 1
        if nth < 0 or not one.released:
            continue
        quiet = by_place[place][nth]
        if one.what in quiet.what and one.answered_at <= quiet.until:
            after_s = one.sent_at - quiet.since
            yield f"{one.what} by {one.actor}, asked {after_s:.3f} s after it was told effective, was answered"


def figures(ledger: Ledger, attempts: Iterable[Attempt], findings: list[str]) -> dict[str, int | float]:
    """Returns what a reader wants to see; durations in seconds."""
    kinds = Counter("released" if one.released else one.kind for one in attempts)
    how = Counter(one.how for one in ledger.withdrawals)
    took = sorted((one.effective_at - one.at).total_seconds() for one in ledger.withdrawals if one.effective_at)
    silent = kinds["silence"]
    return {
        "attempts that were answered": kinds.total() - silent,
        "of them with what was asked": kinds["released"],
        "of them forbidden": kinds["forbidden"],
        "of them unavailable": kinds["unavailable"],
        "attempts without an answer": silent,
        "releases in the books": len(ledger.releases),
        "denials in the books": ledger.denials.total(),
        "of them not to be verified": ledger.denials["cannot_verify_now"],
        "withdrawals": len(ledger.withdrawals),
        "effective by confirmation": how["confirmed"],
        "effective by the clock": how["clock"],
        "median until effective (s)": round(median(took), 3) if took else 0.0,
        "worst until effective (s)": round(took[-1], 3) if took else 0.0,
        "releases after it was effective": sum(1 for _ in late(ledger)),
        "wrong": len(findings),
    }
