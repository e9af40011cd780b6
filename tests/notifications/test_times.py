"""Quiet hours, days off and digests on Amsterdam's clocks, through both clock changes."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.notifications.times import (
    HERE,
    DaysOff,
    Pace,
    Quiet,
    Times,
    awake,
    local,
    next_digest,
    plan_release,
    read_days_off,
)

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
NIGHT = Quiet(time(21), time(7))
HOURS = st.times(max_value=time(23, 59)).map(lambda at: at.replace(second=0, microsecond=0))
MOMENTS = st.datetimes(datetime(2026, 3, 27), datetime(2026, 4, 1)) | st.datetimes(  # noqa: DTZ001  UTC below
    datetime(2026, 10, 23),  # noqa: DTZ001
    datetime(2026, 10, 28),  # noqa: DTZ001
)
QUIET = st.builds(Quiet, HOURS, HOURS).filter(lambda quiet: quiet.since != quiet.until)
SPANS = st.lists(st.tuples(st.dates(date(2026, 3, 20), date(2026, 11, 1)), st.integers(0, 16)), max_size=3).map(
    lambda spans: [(first, first + timedelta(days=days)) for first, days in spans]
)


def at(text: str) -> datetime:
    """Returns a local clock reading as a moment."""
    return datetime.fromisoformat(text).replace(tzinfo=HERE).astimezone(UTC)


def times(quiet: Quiet | None = None, *, hour: int = 7, day: int = 1, days_off: bool = True) -> Times:
    return Times(quiet, hour, day, days_off)


def reads_quiet(moment: datetime, quiet: Quiet) -> bool:
    """The slow way: what the clock on the wall says."""
    reading = moment.astimezone(HERE).time()
    if quiet.since < quiet.until:
        return quiet.since <= reading < quiet.until
    return reading >= quiet.since or reading < quiet.until


@given(MOMENTS, QUIET, SPANS)
@example(datetime(2026, 3, 29, 0, 59), Quiet(time(23), time(2, 30)), [])  # noqa: DTZ001  the skipped hour
@example(datetime(2026, 10, 25, 0, 15), Quiet(time(22), time(2, 30)), [])  # noqa: DTZ001  the repeated hour
def test_nothing_is_released_while_the_clock_on_the_wall_is_quiet_or_the_school_closed(
    naive: datetime, quiet: Quiet, off: DaysOff
) -> None:
    asked = naive.replace(tzinfo=UTC)
    moment, why = awake(asked, quiet, off)
    assert moment >= asked
    assert (why is None) == (moment == asked)
    assert not reads_quiet(moment, quiet)
    assert not any(first <= moment.astimezone(HERE).date() <= last for first, last in off)


@given(MOMENTS, QUIET)
def test_quiet_hours_put_off_and_never_drop(naive: datetime, quiet: Quiet) -> None:
    asked = naive.replace(tzinfo=UTC)
    # A day, and another where quiet hours of nearly a day meet over a skipped hour.
    assert awake(asked, quiet, [])[0] - asked <= timedelta(hours=48)


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        ("2026-03-28T22:00", "2026-03-29T07:00"),
        ("2026-03-29T06:59", "2026-03-29T07:00"),
        ("2026-03-29T07:00", "2026-03-29T07:00"),
        ("2026-10-24T22:00", "2026-10-25T07:00"),
        ("2026-10-25T02:30", "2026-10-25T07:00"),
        ("2026-06-01T20:59", "2026-06-01T20:59"),
        ("2026-06-01T21:00", "2026-06-02T07:00"),
    ],
)
def test_a_night_ends_at_seven_on_the_clock_also_when_it_is_an_hour_shorter_or_longer(asked: str, until: str) -> None:
    assert awake(at(asked), NIGHT, [])[0] == at(until)


def test_nights_of_clock_changes_last_nine_and_eleven_hours() -> None:
    lengths = [awake(at(f"{day}T21:00"), NIGHT, [])[0] - at(f"{day}T21:00") for day in ("2026-03-28", "2026-10-24")]
    assert lengths == [timedelta(hours=9), timedelta(hours=11)]


def test_a_reading_that_is_skipped_or_repeated_has_two_moments() -> None:
    assert [one.hour for one in local(SPRING, time(2, 30))] == [0, 1]
    assert [one.hour for one in local(AUTUMN, time(2, 30))] == [0, 1]
    assert len(set(local(SPRING, time(4)))) == 1


def test_in_holidays_nothing_comes_and_at_their_end_it_does() -> None:
    holiday = [(date(2026, 10, 17), date(2026, 10, 25))]
    moment, why = awake(at("2026-10-20T12:00"), NIGHT, holiday)
    assert (moment, why) == (at("2026-10-26T07:00"), "days_off")


@pytest.mark.parametrize("pace", [Pace.DAILY, Pace.WEEKLY])
@given(MOMENTS, st.integers(0, 23), st.integers(1, 7), SPANS)
def test_digests_one_after_another_each_have_a_period_of_their_own(
    pace: Pace, naive: datetime, hour: int, day: int, off: DaysOff
) -> None:
    wished, moment, periods = times(hour=hour, day=day), naive.replace(tzinfo=UTC), []
    for _ in range(10):
        following, period = next_digest(moment, pace, wished, off)
        assert following > moment
        periods.append(period)
        moment = following
    assert len(set(periods)) == len(periods)
    assert periods == sorted(periods)


@given(MOMENTS, st.integers(0, 23))
def test_a_daily_digest_comes_every_day_through_the_clock_changes(naive: datetime, hour: int) -> None:
    moment, days = naive.replace(tzinfo=UTC), []
    for _ in range(5):
        moment, period = next_digest(moment, Pace.DAILY, times(hour=hour), [])
        days.append(date.fromisoformat(period))
    assert [later - earlier for earlier, later in itertools.pairwise(days)] == [timedelta(days=1)] * 4


def test_a_weekly_digest_comes_on_its_day_or_on_the_first_after_a_holiday() -> None:
    assert next_digest(at("2026-11-25T12:00"), Pace.WEEKLY, times(), []) == (at("2026-11-30T07:00"), "2026-W49")
    closed = [(date(2026, 11, 28), date(2026, 12, 1))]
    assert next_digest(at("2026-11-25T12:00"), Pace.WEEKLY, times(), closed) == (at("2026-12-02T07:00"), "2026-W49")


def test_a_digest_hour_that_is_quiet_waits_for_the_end_of_it() -> None:
    moment, period = next_digest(at("2026-11-25T12:00"), Pace.DAILY, times(NIGHT, hour=5), [])
    assert (moment, period) == (at("2026-11-26T07:00"), "2026-11-26")


@given(MOMENTS, QUIET, st.sampled_from(list(Pace)), SPANS)
def test_what_is_urgent_goes_at_once(naive: datetime, quiet: Quiet, pace: Pace, off: DaysOff) -> None:
    asked = naive.replace(tzinfo=UTC)
    assert plan_release(asked, pace, times(quiet), off, urgent=True).at == asked


def test_a_parent_is_told_in_holidays_unless_they_want_otherwise() -> None:
    off = [(date(2026, 10, 17), date(2026, 10, 25))]
    assert plan_release(at("2026-10-20T12:00"), Pace.NOW, times(days_off=False), off).why is None
    assert plan_release(at("2026-10-20T12:00"), Pace.NOW, times(), off).why == "days_off"


def test_quiet_hours_and_days_off_are_read_as_they_are_written() -> None:
    assert str(Quiet.read("21:00-07:00")) == "21:00-07:00"
    assert Quiet.read("none") is None
    for wrong in ("", "21", "07:00-07:00", "25:00-07:00"):
        with pytest.raises(ValueError):  # noqa: PT011  whatever it says
            Quiet.read(wrong)
    assert read_days_off({"2027": [["2026-10-17", "2026-10-25"]]}) == [(date(2026, 10, 17), date(2026, 10, 25))]
    assert read_days_off(None) == []
