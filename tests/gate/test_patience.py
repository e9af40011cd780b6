"""How long a failing receiver is tried, and how it is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.gate.patience import FAILURES, GIVE_UP, LONGEST, LONGEST_REST, Breaker, next_try

START = datetime(2026, 3, 1, tzinfo=UTC)
CHANCES = st.floats(0, 1, exclude_max=True)


@given(CHANCES)
def test_pauses_grow_to_four_hours_and_end_after_three_days(chance: float) -> None:
    now, pauses = START, list[timedelta]()
    while (then := next_try(len(pauses) + 1, START, now, chance)) is not None:
        pauses.append(then - now)
        now = then
    assert timedelta(seconds=4) <= pauses[0] <= timedelta(seconds=6)
    assert all(pause <= LONGEST * 1.2 for pause in pauses)
    assert all(earlier < later for earlier, later in pairwise(pauses[:6]))
    assert now == START + GIVE_UP
    assert 18 < len(pauses) < 30


def test_what_a_receiver_asks_for_is_heeded_within_bounds() -> None:
    assert next_try(1, START, START, 0.5, timedelta(minutes=10)) == START + timedelta(minutes=10)
    assert next_try(1, START, START, 0.5, timedelta(seconds=1)) == START + timedelta(seconds=5)
    assert next_try(1, START, START, 0.5, timedelta(days=1)) == START + LONGEST


def test_the_last_try_is_at_the_end_and_none_comes_after() -> None:
    late = START + GIVE_UP - timedelta(seconds=1)
    assert next_try(30, START, late, 0.9) == START + GIVE_UP
    assert next_try(31, START, START + GIVE_UP, 0.9) is None


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_try_the_door() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker = breaker.begun().failed(START, 0.5)
        assert breaker.may(START)
    breaker = breaker.begun().failed(START, 0.5)
    assert not breaker.may(START + timedelta(seconds=29))
    later = START + timedelta(seconds=30)
    assert breaker.may(later)
    assert breaker.failed(START, 0.5).until == breaker.until
    trying = breaker.begun()
    assert not trying.may(later)
    again = trying.failed(later, 0.5)
    assert not again.may(later + timedelta(seconds=59))
    assert again.may(later + timedelta(seconds=60))
    assert trying.succeeded() == Breaker()


def test_a_success_forgets_earlier_failures() -> None:
    breaker = Breaker()
    for _ in range(10):
        breaker = breaker.begun().failed(START, 0.5).succeeded().begun().failed(START, 0.5)
        assert breaker.may(START)


@given(st.lists(CHANCES, min_size=1, max_size=60))
def test_a_rest_has_an_end_however_often_it_fails(chances: list[float]) -> None:
    now, breaker = START, Breaker(failures=FAILURES)
    for chance in chances:
        breaker = breaker.begun().failed(now, chance)
        assert breaker.until is not None
        assert breaker.until - now <= LONGEST_REST * 1.2
        now = breaker.until
