from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.goals.model import (
    STEPS,
    Divergence,
    Mark,
    NoWeight,
    Weighed,
    allowed_from,
    divergences,
    new_divergences,
    settings_of,
    t_score,
    today,
    together,
    with_mark,
    without_mark,
)
from shared.events.goals import Status
from shared.events.words import Role, Setting

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)

levels = st.integers(-2, 2)
weights = st.integers(1, 10)
scored = st.lists(st.tuples(weights, levels), min_size=1, max_size=12)


def weighed(pairs: Sequence[tuple[float, float | None]]) -> list[Weighed]:
    return [Weighed(UUID(int=place), weight, level) for place, (weight, level) in enumerate(pairs)]


def value_of(pairs: Sequence[tuple[float, float | None]]) -> float:
    found = t_score(weighed(pairs)).value
    assert found is not None
    return found


def mark(level: int, day: int, number: int, minute: int = 0) -> Mark:
    return Mark(UUID(int=number), level, date(2026, 3, day), AT + timedelta(minutes=minute))


# T-score


@pytest.mark.parametrize(
    ("given_levels", "given_weights", "expected"),
    [
        ([0], [1], 50.0),
        ([1], [1], 60.0),
        ([1, 1, 1], [1, 1, 1], 63.6931),
        ([-2, -2, -2], [1, 1, 1], 22.6139),
        ([2] * 5, [1] * 5, 80.1511),
        ([0, 1, 2], [3, 2, 1], 58.8131),
    ],
)
def test_t_score_meets_the_golden_vectors(given_levels: list[int], given_weights: list[int], expected: float) -> None:
    assert value_of(list(zip(given_weights, given_levels, strict=True))) == pytest.approx(expected, abs=5e-5)


def test_t_score_of_the_balanced_vector_is_exactly_55() -> None:
    assert value_of([(3, -2), (5, 0), (1, -1), (4, 2), (2, 0), (6, 1)]) == 55.0


@settings(deadline=None)
@given(scored, st.data())
def test_a_higher_level_never_lowers_t(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(pairs) - 1))
    weight, level = pairs[place]
    higher = [*pairs[:place], (weight, level + 1), *pairs[place + 1 :]]
    assert value_of(higher) > value_of(pairs)


@settings(deadline=None)
@given(scored, st.floats(1e-200, 1e200))
def test_only_the_proportions_of_the_weights_count(pairs: list[tuple[int, int]], scale: float) -> None:
    scaled = [(weight * scale, level) for weight, level in pairs]
    assert value_of(scaled) == pytest.approx(value_of(pairs), rel=1e-12)


@settings(deadline=None)
@given(scored.flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))))
def test_the_order_of_the_goals_does_not_count(both: tuple[list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    assert value_of(both[0]) == value_of(both[1])


@settings(deadline=None)
@given(scored, st.lists(weights, min_size=1, max_size=5))
def test_a_goal_without_a_score_is_reported_and_never_counts(pairs: list[tuple[int, int]], without: list[int]) -> None:
    mixed = weighed([*pairs, *((weight, None) for weight in without)])
    found = t_score(mixed)
    assert found.value == value_of(pairs)
    assert found.scored == len(pairs)
    assert found.missing == tuple(goal.goal for goal in mixed[len(pairs) :])


@settings(deadline=None)
@given(scored)
def test_opposite_levels_lie_opposite_of_50(pairs: list[tuple[int, int]]) -> None:
    mirrored = [(weight, -level) for weight, level in pairs]
    assert value_of(pairs) - 50 == pytest.approx(50 - value_of(mirrored))


@settings(deadline=None)
@given(st.lists(levels, min_size=1, max_size=6))
def test_weights_that_are_all_zero_are_an_error(given_levels: list[int]) -> None:
    with pytest.raises(NoWeight):
        t_score(weighed([(0, level) for level in given_levels]))


def test_without_any_score_there_is_no_t_and_all_are_missing() -> None:
    found = t_score(weighed([(1, None), (2, None)]))
    assert (found.value, found.scored, len(found.missing)) == (None, 0, 2)


def test_t_stays_finite_with_tiny_weights() -> None:
    assert math.isfinite(value_of([(5e-324, 1), (5e-324, -2)]))


# Life

LIFE = {
    ("proposed", "accepted"),
    ("proposed", "rejected"),
    ("accepted", "active"),
    ("accepted", "cancelled"),
    ("active", "on_hold"),
    ("on_hold", "active"),
    ("active", "completed"),
    ("on_hold", "completed"),
    ("active", "cancelled"),
    ("on_hold", "cancelled"),
} | {(status.value, "entered_in_error") for status in Status if status is not Status.ENTERED_IN_ERROR}


def test_the_steps_are_the_life_of_a_goal_and_nothing_else() -> None:
    assert {(source.value, step.target.value) for step in STEPS for source in step.sources} == LIFE


@pytest.mark.parametrize("status", list(Status))
def test_what_is_allowed_from_a_status_is_what_its_steps_take(status: Status) -> None:
    steps = {step.command for step in STEPS if status in step.sources}
    assert steps <= set(allowed_from(status))
    assert ("score-goal" in allowed_from(status)) == (status.value in {"active", "on_hold", "completed"})


def test_nothing_follows_an_error() -> None:
    assert allowed_from(Status.ENTERED_IN_ERROR) == ()


# Scores


def test_the_latest_is_of_the_latest_day_not_of_the_latest_writing() -> None:
    latest = with_mark({}, Setting.HOME, mark(1, day=9, number=1))
    late = with_mark(latest, Setting.HOME, mark(-2, day=2, number=2, minute=5))
    assert late[Setting.HOME].level == 1
    assert with_mark(late, Setting.HOME, mark(0, day=9, number=3, minute=9))[Setting.HOME].level == 0


def test_settings_do_not_overwrite_each_other() -> None:
    latest = with_mark(with_mark({}, Setting.HOME, mark(1, 9, 1)), Setting.CARE, mark(-1, 9, 2))
    assert {setting: found.level for setting, found in latest.items()} == {Setting.HOME: 1, Setting.CARE: -1}


def test_a_score_taken_out_leaves_the_one_before_it() -> None:
    latest = {Setting.HOME: mark(2, 9, 1), Setting.SCHOOL: mark(0, 9, 2)}
    assert without_mark(latest, Setting.HOME, UUID(int=1), mark(1, 3, 3))[Setting.HOME].level == 1
    assert without_mark(latest, Setting.HOME, UUID(int=1), None) == {Setting.SCHOOL: mark(0, 9, 2)}
    assert without_mark(latest, Setting.HOME, UUID(int=9), None) == latest


marks = st.lists(
    st.tuples(st.sampled_from(Setting), levels, st.integers(1, 28), st.integers(0, 50)),
    max_size=12,
    unique_by=lambda one: one[3],
)


@settings(deadline=None)
@given(marks)
def test_the_latest_does_not_depend_on_the_order_of_arrival(given_marks: list[tuple[Setting, int, int, int]]) -> None:
    def arrive(ones: list[tuple[Setting, int, int, int]]) -> dict[Setting, Mark]:
        latest: dict[Setting, Mark] = {}
        for setting, level, day, number in ones:
            latest = dict(with_mark(latest, setting, mark(level, day, number, number)))
        return latest

    assert arrive(given_marks) == arrive(given_marks[::-1])


@settings(deadline=None)
@given(marks)
def test_a_pair_diverges_from_two_levels_on(given_marks: list[tuple[Setting, int, int, int]]) -> None:
    latest = {setting: mark(level, day, number) for setting, level, day, number in given_marks}
    found = {(one.lower, one.higher) for one in divergences(latest)}
    expected = {
        (low, high)
        for low, low_mark in latest.items()
        for high, high_mark in latest.items()
        if high_mark.level - low_mark.level >= 2
    }
    assert found == expected


def test_a_divergence_is_new_once() -> None:
    close = {Setting.HOME: mark(0, 1, 1), Setting.SCHOOL: mark(1, 1, 2)}
    apart = {Setting.HOME: mark(0, 1, 1), Setting.SCHOOL: mark(2, 2, 3)}
    further = {Setting.HOME: mark(-1, 3, 4), Setting.SCHOOL: mark(2, 2, 3)}
    assert new_divergences(close, apart) == (Divergence(Setting.HOME, 0, Setting.SCHOOL, 2),)
    assert new_divergences(apart, further) == ()
    assert new_divergences(close, further) == (Divergence(Setting.HOME, -1, Setting.SCHOOL, 2),)


def test_together_is_the_middle_of_the_settings() -> None:
    assert together({}) is None
    assert together({Setting.HOME: mark(-1, 1, 1), Setting.SCHOOL: mark(2, 1, 2)}) == 0.5
    assert together({Setting.HOME: mark(-1, 1, 1), Setting.SCHOOL: mark(2, 1, 2), Setting.CARE: mark(2, 1, 3)}) == 2


def test_roles_score_from_their_own_setting_and_overseers_from_none() -> None:
    assert settings_of([Role.GUARDIAN]) == {Setting.HOME}
    assert settings_of([Role.TEACHER, Role.GUARDIAN]) == {Setting.HOME, Setting.SCHOOL}
    assert settings_of([Role.CARE_PROFESSIONAL]) == settings_of([Role.THERAPIST]) == {Setting.CARE}
    assert settings_of([Role.CHILD]) == {Setting.CHILD}
    assert settings_of([Role.AUDITOR, Role.SCHOOL_ADMINISTRATOR, Role.FOUNDATION_ADMINISTRATOR]) == frozenset()


def test_a_day_is_a_day_in_amsterdam() -> None:
    assert today(datetime(2026, 6, 30, 22, 30, tzinfo=UTC)) == date(2026, 7, 1)
    assert today(datetime(2026, 12, 31, 22, 30, tzinfo=UTC)) == date(2026, 12, 31)
