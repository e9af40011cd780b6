"""The protocol of a withdrawal, a step at a time: who decides, who projects, who leases, who reads and who finishes.

The numbers are the product's own, taken from where they are kept, and the decision is `shared.access.require` itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import shared
from services.network import effective
from shared.access import HOLDS_FOR, Denial, Permit, View, require
from shared.access_projection import LEASE_EVERY_S
from shared.actor import Actor
from shared.consumer import CURSORS_EVERY_S
from shared.db import LIMITS
from shared.events.network import Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role
from shared.settings import Settings

SQL = (Path(shared.__file__).parent / "migrations" / "0001_backbone.sql").read_text()
EPOCH = datetime(2026, 11, 2, tzinfo=UTC)
CHILD, WHO = UUID(int=1), Actor(UUID(int=2), ActorKind.PERSON, "olm", "samen")


def in_function(name: str) -> float:
    """Returns the seconds of the one interval in an SQL function of the backbone."""
    body = SQL[SQL.index(f"CREATE FUNCTION {name}(") :]
    (found,) = set(re.findall(r"interval '(\d+) seconds'", body[: body.index("END $$;")]))
    return float(found)


@dataclass(frozen=True, slots=True)
class Rules:
    """The protocol's numbers, in seconds, and its guards: each may be taken out."""

    lease_s: float = in_function("leased")
    row_lease_s: float = in_function("row_leased")
    holds_s: float = in_function("commit_changes")
    limit_s: float = float(LIMITS["transaction_timeout"].removesuffix("s"))
    runs_out_s: float = effective.RUNS_OUT_S
    look_every_s: float = effective.LOOK_EVERY_S
    lease_every_s: float = LEASE_EVERY_S
    cursors_every_s: float = CURSORS_EVERY_S
    release_within_s: float = Settings.model_fields["release_within_s"].default
    locks: bool = True
    locks_first: bool = True
    projector_locks: bool = True
    head_compared: bool = True
    generation_compared: bool = True
    rebuilding_denies: bool = True
    question_written: bool = True
    reading_first: bool = True
    newest_word_only: bool = True
    told_after_commit: bool = True

    def __post_init__(self) -> None:
        if self.holds_s != HOLDS_FOR.total_seconds() and self.holds_s > 0:
            raise ValueError("the decision and the commit differ in how long a grant must hold")


@dataclass(frozen=True, slots=True)
class Access:
    """The child's row: network's revision, whether the therapist is in it and until when, and a lease of its own."""

    revision: int = 0
    given: bool = False
    until: float | None = None
    lease: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service's rows beside the child's."""

    cursor: int = 0
    generation: str = "first"
    timeline: int = 1
    rebuilding: bool = False
    leases: tuple[tuple[float, str, int], ...] = ()

    @property
    def generation_now(self) -> str:
        return f"{self.generation}@{self.timeline}"


@dataclass(slots=True)
class Line:
    """A release: when it was read and by which revision, when its COMMIT began, and when its answer left, if it did."""

    service: str
    revision: int
    reading: float
    until: float | None
    commit_began: float = float("inf")
    left_at: float | None = None


@dataclass(slots=True)
class Withdrawal:
    """A withdrawal that was committed: the revision that has it, and when and how it was effective."""

    revision: int
    committed_at: float
    effective_at: float | None = None
    how: str = ""
    frozen_s: float = 0.0
    """How long a replica of network that was frozen in the very transaction held the row: at most the longest one."""
    away: bool = False
    """Network's database failed over meanwhile: it did not run all the time."""


@dataclass(slots=True)
class Story:
    """What happened, for the judge."""

    lines: list[Line] = field(default_factory=list)
    withdrawals: dict[int, Withdrawal] = field(default_factory=dict)
    until: float = 0.0


def moment(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def grants(row: Access) -> tuple[Grant, ...]:
    """Returns the row's grants, as network would tell them."""
    if not row.given:
        return ()
    grant = Grant(
        id=UUID(int=3),
        member=WHO.id,
        role=Role.THERAPIST,
        actions=(Action.VIEW,),
        categories=(Category.GOALS,),
        purposes=(Purpose.GUIDANCE,),
        basis=Basis.CONSENT,
        valid_from=EPOCH,
        valid_until=None if row.until is None else moment(row.until),
    )
    return (grant,)


def decide(row: Access, now: float, *, fresh: bool) -> Permit | Denial:
    """Returns what the product decides on this snapshot."""
    view = View(CHILD, row.revision or None, grants(row), fresh)
    try:
        return require(view, WHO, Action.VIEW, Category.GOALS, Purpose.GUIDANCE, moment(now))
    except Denial as denial:
        return denial


def fresh(rules: Rules, own: Service, row: Access, now: float) -> bool:
    """Tells whether a lease stands behind the row (`leased` and `row_leased` of the backbone)."""
    for reading, generation, head in own.leases:
        if (
            reading <= now < reading + rules.lease_s
            and (generation == own.generation_now or not rules.generation_compared)
            and (own.cursor >= head or not rules.head_compared)
        ):
            return True
    if row.lease is None:
        return False
    reading, generation = row.lease
    known = generation == own.generation_now or not rules.generation_compared
    return reading <= now < reading + rules.row_lease_s and known


def may_commit(rules: Rules, own: Service, row: Access, seen: int, now: float) -> bool:
    """Tells whether a permit by revision `seen` still counts (`commit_changes`)."""
    closed = own.rebuilding and rules.rebuilding_denies
    ends = row.until is not None and row.until < now + rules.holds_s
    return row.revision == seen and not closed and fresh(rules, own, row, now) and not ends


def judge(rules: Rules, story: Story) -> list[str]:
    """Returns everything that broke the promise."""
    found = []
    for one in story.withdrawals.values():
        took = (one.effective_at or story.until) - one.committed_at
        if took > 8.0 + min(one.frozen_s, rules.limit_s) and not one.away:
            found.append(f"slow: revision {one.revision} was not effective within 8 s of its COMMIT, but {took:.3f}")
    for line in story.lines:
        if line.until is not None and line.commit_began > line.until:
            found.append(f"ended: a grant had ended when COMMIT began: {line}")
        for one in story.withdrawals.values():
            if one.revision <= line.revision or one.effective_at is None:
                continue
            end = one.effective_at
            if line.reading > end:
                found.append(f"released: {line} after {one}")
            elif line.commit_began > end:
                found.append(f"committed: {line} after {one}")
            elif line.left_at is not None and line.left_at > end + 4.0:
                found.append(f"left: {line} over 4 s after {one}")
    return found
