"""Limits and circuits, by a clock of the test's own."""

from __future__ import annotations

from services.notifications.pace import FIRST_REST_S, LONGEST_REST_S, OPENS_AFTER, Circuits, Pace
from services.notifications.turns import Woken


def test_a_tenth_of_a_minutes_may_go_at_once_and_the_rest_as_time_goes_by() -> None:
    pace = Pace(per_minute=60)
    assert [pace.take("berk", 0.0, urgent=False) for _ in range(8)] == [True] * 6 + [False] * 2
    assert [pace.take("berk", 2.0, urgent=False) for _ in range(3)] == [True, True, False]


def test_one_schools_limit_is_not_anothers_and_the_total_is_everyones() -> None:
    pace = Pace(per_minute=100, per_minute_school=60)
    assert [pace.take("berk", 0.0, urgent=False) for _ in range(7)].count(True) == 6
    assert [pace.take("linde", 0.0, urgent=False) for _ in range(7)].count(True) == 4


def test_what_is_urgent_goes_anyway_at_the_others_expense() -> None:
    pace = Pace(per_minute=60, per_minute_school=60)
    assert all(pace.take("berk", 0.0, urgent=True) for _ in range(20))
    assert not pace.take("berk", 13.0, urgent=False)
    assert pace.take("berk", 16.0, urgent=False)


def test_without_a_limit_as_many_go_as_will() -> None:
    assert all(Pace().take("berk", 0.0, urgent=False) for _ in range(1000))


def test_a_circuit_opens_after_failures_in_a_row_and_lets_one_try_after_its_rest() -> None:
    circuits = Circuits()
    for _ in range(OPENS_AFTER - 1):
        circuits.failed("x.example", 0.0)
    assert circuits.closed("x.example", 0.0)
    circuits.failed("x.example", 0.0)
    assert not circuits.closed("x.example", FIRST_REST_S - 1)
    assert circuits.closed("y.example", 0.0)
    assert [circuits.closed("x.example", FIRST_REST_S) for _ in range(3)] == [True, False, False]
    circuits.failed("x.example", FIRST_REST_S)
    assert not circuits.closed("x.example", FIRST_REST_S * 2)
    circuits.worked("x.example")
    assert circuits.closed("x.example", 0.0)


def test_rests_have_an_end() -> None:
    circuits, now = Circuits(), 0.0
    for _ in range(2000):
        circuits.failed("x.example", now)
    assert circuits.closed("x.example", now + LONGEST_REST_S)


def test_who_is_woken_looks_at_that_school_and_now_and_then_at_all() -> None:
    woken = Woken()
    assert woken.take(10.0) == []
    woken.wake("berk")
    assert woken.take(10.1) == ["berk"]
    woken.wake("berk")
    assert woken.take(10.6) == []  # all of them
