"""The checker of the hammer's books can tell: each forgery is found, and honest books are not accused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.blows import blows
from tests.faults.withdrawn import Attempt, Ledger, Quiet, Release, Withdrawal, check, late

CHILD = ("olm", "child")
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
THERAPIST, READ = "therapist", "goals.goals-of-child"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def released(seconds: float, revision: int, grant: str = "consent", seq: int = 1) -> Release:
    return Release("goals", seq, "access.viewed", CHILD, THERAPIST, revision, grant, at(seconds))


def asked(sent_at: float, *, released: bool, answered_at: float | None = None, what: str = READ) -> Attempt:
    kind = "ok" if released else "forbidden"
    return Attempt(CHILD, THERAPIST, what, sent_at, answered_at or sent_at + 0.01, kind, released)


@dataclass
class Run:
    """Given at 0 (revision 1), withdrawn at 10 (2), told at 11; given at 20 (3), withdrawn at 30 (4), by the clock."""

    ledger: Ledger
    attempts: list[Attempt]
    quiets: list[Quiet]

    def check(self) -> list[str]:
        return check(self.ledger, self.attempts, self.quiets)


@pytest.fixture
def run() -> Run:
    withdrawals = [
        Withdrawal("first", CHILD, 2, at(10), "confirmed", at(11)),
        Withdrawal("second", CHILD, 4, at(30), "clock", at(37.2)),
    ]
    lines = [released(5, 1), released(10.9, 1), released(10.99, 1), released(25, 3), released(34.9, 3)]
    held = {1: {"consent"}, 2: set[str](), 3: {"consent"}, 4: set[str]()}
    grants = {(CHILD, revision): frozenset(ids) for revision, ids in held.items()}
    attempts = [asked(5, released=True), asked(11.2, released=False), asked(25, released=True)]
    return Run(
        Ledger(withdrawals, lines, grants=grants), attempts, [Quiet(CHILD, THERAPIST, frozenset({READ}), 11, 20)]
    )


def test_an_honest_run_is_not_accused(run: Run) -> None:
    assert run.check() == []
    assert len(list(late(run.ledger))) == 0


def _after_the_confirmation(run: Run) -> None:
    run.ledger.releases.append(released(11.000001, 1))


def _after_a_later_giving(run: Run) -> None:
    """The grants are there again, and still it was judged by the old ones."""
    run.ledger.releases.append(released(26, 1))


def _after_the_clock_of_one_that_is_told_later(run: Run) -> None:
    run.ledger.releases.append(released(37.1, 3))


def _after_the_clock_of_one_that_was_never_told(run: Run) -> None:
    run.ledger.withdrawals[1] = replace(run.ledger.withdrawals[1], how=None, effective_at=None)
    run.ledger.releases.append(released(37.1, 3))


def _never_effective(run: Run) -> None:
    run.ledger.withdrawals[0] = replace(run.ledger.withdrawals[0], how=None, effective_at=None)


def _effective_too_slowly(run: Run) -> None:
    run.ledger.withdrawals[1] = replace(run.ledger.withdrawals[1], effective_at=at(38.001))


def _on_a_grant_that_was_not_there(run: Run) -> None:
    """It knew of the withdrawal, and was done all the same."""
    run.ledger.releases.append(released(12, 2))


def _by_a_revision_of_nowhere(run: Run) -> None:
    run.ledger.releases.append(released(39, 9))


def _answered_without_a_line(run: Run) -> None:
    run.attempts += [asked(21 + n, released=True) for n in range(4)]


def _answered_after_it_was_told(run: Run) -> None:
    run.attempts[1] = asked(11.2, released=True)


FORGERIES: list[tuple[Callable[[Run], None], str]] = [
    (_after_the_confirmation, "after a withdrawal"),
    (_after_a_later_giving, "after a withdrawal"),
    (_after_the_clock_of_one_that_is_told_later, "after a withdrawal"),
    (_after_the_clock_of_one_that_was_never_told, "after a withdrawal"),
    (_never_effective, "never effective"),
    (_effective_too_slowly, "8.001 s only, by clock"),
    (_on_a_grant_that_was_not_there, "has no grant"),
    (_by_a_revision_of_nowhere, "has no grant"),
    (_answered_without_a_line, "6 answers, 5 lines"),
    (_answered_after_it_was_told, "told effective, was answered"),
]


@pytest.mark.parametrize(("forge", "finding"), FORGERIES, ids=[forge.__name__.strip("_") for forge, _ in FORGERIES])
def test_what_is_forged_is_found(run: Run, forge: Callable[[Run], None], finding: str) -> None:
    forge(run)
    found = run.check()
    assert any(finding in one for one in found), found


def test_what_rests_on_something_else_or_was_asked_before_may_be_answered(run: Run) -> None:
    run.attempts += [
        asked(12, released=True, what="goals.other"),
        asked(10.9, released=True, answered_at=11.5),
        asked(19.9, released=True, answered_at=20.1),
    ]
    run.ledger.releases += [released(25 + n, 3) for n in range(3)]
    assert run.check() == []


def test_blows_are_a_function_of_their_seed() -> None:
    first, again, other = blows(4), blows(4), blows(5)
    taken = [next(first) for _ in range(200)]
    assert taken == [next(again) for _ in range(200)]
    assert taken != [next(other) for _ in range(200)]
    assert {(one.deed, one.target) for one in taken} >= {("kill", "goals"), ("pause", "network 2"), ("cut", "audit")}
