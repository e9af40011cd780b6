"""When somebody is told: quiet hours, days off and digests, on Europe/Amsterdam's clocks, both clock changes included.

Pure. Moments are domain time, aware, in UTC; hours and days are the local ones. Nothing is ever dropped by what is
decided here, only put off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

HERE = ZoneInfo("Europe/Amsterdam")
DAY = timedelta(days=1)
FAR = 200
"""Days that something is put off at most, however long a school is closed."""

HOURS = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)

LONGEST = 80
"""Days: no holiday is longer."""

DaysOff = Sequence[tuple[date, date]]
"""First and last day, both included."""


class Pace(StrEnum):
    """How soon a kind of notice goes through a channel. `off`: it stays in the inbox."""

    NOW = "now"
    DAILY = "daily"
    WEEKLY = "weekly"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of every day, `since` included and `until` not; past midnight where `until` is the earlier."""

    since: time
    until: time

    @classmethod
    def read(cls, text: str) -> Quiet | None:
        """Returns what `21:00-07:00` says; `none`: nothing is quiet. Raises ValueError."""
        if text == "none":
            return None
        if HOURS.fullmatch(text) is None:  # and no seconds, which would be lost as it is kept
            msg = "quiet hours are two times of the day, as 21:00-07:00, or none"
            raise ValueError(msg)
        since, _, until = text.partition("-")
        quiet = cls(time.fromisoformat(since), time.fromisoformat(until))
        if quiet.since == quiet.until:
            msg = "quiet hours that begin and end at once: say none for no quiet hours"
            raise ValueError(msg)
        return quiet

    def __str__(self) -> str:
        return f"{self.since:%H:%M}-{self.until:%H:%M}"

    def covers(self, other: Quiet) -> bool:
        """Tells whether all of the other's hours are quiet by these too."""
        minutes = [(60 * at.hour + at.minute - 60 * self.since.hour - self.since.minute) % 1440 for at in (
            self.until, other.since, other.until)]  # fmt: skip
        return minutes[1] < (minutes[2] or 1440) <= minutes[0]


class NoticeSettings(BaseSettings):
    """What holds in the whole foundation where a person has set nothing; names are `SAMEN_NOTICES_` and the field's."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_NOTICES_", frozen=True, extra="ignore")
    quiet: str = "21:00-07:00"
    digest_at: Annotated[int, Field(ge=0, le=23)] = 7
    """The hour of the day at which digests go."""
    digest_on: Annotated[int, Field(ge=1, le=7)] = 1
    """The day of the week of weekly ones: 1 is Monday."""
    quiet_most: str = "17:00-09:00"
    """A school's own quiet hours lie within these."""
    quiet_least: str = "none"
    """And cover these."""

    @field_validator("quiet", "quiet_most", "quiet_least")
    @classmethod
    def _hours(cls, value: str) -> str:
        Quiet.read(value)
        return value


@cache
def foundation() -> NoticeSettings:
    """Returns the foundation's settings, as the process found them in its environment."""
    return NoticeSettings()


@dataclass(frozen=True, slots=True)
class Usual:
    """What holds in a school for who has set nothing: the school's own (version `number`), or else the foundation's.

    `days_off` None: on days off nothing for who works at school; parents and the child are told.
    """

    quiet: Quiet | None
    digest_at: int
    digest_on: int
    days_off: bool | None = None
    number: int = 0


def read_usual(kept: Mapping[str, Any] | None, ours: NoticeSettings | None = None) -> Usual:
    """Returns what holds, of the newest row of table `school_hours`, but not what the foundation doesn't allow now."""
    ours = ours or foundation()
    wants: Mapping[str, Any] = kept["settings"] if kept else {}
    quiet, digest_at, digest_on = wants.get("quiet"), wants.get("digest_at"), wants.get("digest_on")
    if quiet is None or out_of_hours(quiet, ours) is not None:
        quiet = ours.quiet
    return Usual(
        Quiet.read(quiet),
        ours.digest_at if digest_at is None else digest_at,
        ours.digest_on if digest_on is None else digest_on,
        wants.get("days_off"),
        kept["number"] if kept else 0,
    )


def out_of_hours(text: str, ours: NoticeSettings) -> str | None:
    """Returns why a school may not have these quiet hours; None: it may. Raises ValueError of what are none."""
    quiet, most, least = Quiet.read(text), Quiet.read(ours.quiet_most), Quiet.read(ours.quiet_least)
    if quiet is not None and (most is None or not most.covers(quiet)):
        return f"the foundation lets a school's quiet hours lie within {ours.quiet_most}"
    if least is not None and (quiet is None or not quiet.covers(least)):
        return f"the foundation wants {ours.quiet_least} to be quiet in every school"
    return None


@dataclass(frozen=True, slots=True)
class Times:
    """One person's hours. `days_off`: on the school's days off nothing comes but what is urgent."""

    quiet: Quiet | None
    digest_at: int
    digest_on: int
    days_off: bool


@dataclass(frozen=True, slots=True)
class Release:
    """When a delivery is free to go, and what held it until then: a code, or None: it goes at once.

    `period` names the day or week whose digest it goes in.
    """

    at: datetime
    why: str | None = None
    period: str | None = None


def read_days_off(years: Mapping[str, Sequence[Sequence[str]]] | None) -> DaysOff:
    """Returns the days off as table `days_off` keeps them."""
    spans = [span for of_year in (years or {}).values() for span in of_year]
    return [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in spans]


def local(day: date, at: time) -> tuple[datetime, datetime]:
    """Returns the first and last moment at which that clock reading may be said to be.

    They differ where a clock change skips it (then they lie on both sides of the skip) or repeats it.
    """
    both = sorted(datetime.combine(day, at, HERE).replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return both[0], both[1]


def awake(at: datetime, quiet: Quiet | None, off: DaysOff) -> tuple[datetime, str | None]:
    """Returns the first moment from `at` on that is neither quiet nor on a day off, and the code of what put it off."""
    why = None
    for _ in range(2 * FAR):
        today = at.astimezone(HERE).date()
        if any(first <= today <= last for first, last in off):
            at, why = local(today + DAY, time.min)[0], "days_off"
        elif quiet is not None and (until := _quiet_until(at, today, quiet)) is not None:
            at, why = until, why or "quiet_hours"
        else:
            break
    return at, why


def _quiet_until(at: datetime, today: date, quiet: Quiet) -> datetime | None:
    """Returns the end of the quiet hours that `at` lies in. At a clock change the longer reading of them holds."""
    for day in (today - DAY, today):
        since = local(day, quiet.since)[0]
        until = local(day if quiet.since < quiet.until else day + DAY, quiet.until)[1]
        if since <= at < until:
            return until
    return None


def next_digest(at: datetime, pace: Pace, times: Times, off: DaysOff) -> tuple[datetime, str]:
    """Returns the moment of the first digest after `at`, and the day or week that it is of.

    A weekly one that falls on a day off goes on the first day after it; of days off there is no daily one.
    """
    closed = off if times.days_off else ()
    # From before the longest holiday on: what fell in it may be still to come.
    day = at.astimezone(HERE).date() - timedelta(days=LONGEST if closed else 8)
    while True:
        if (day.isoweekday() == times.digest_on) if pace is Pace.WEEKLY else _open(day, closed) == day:
            # A reading that is skipped counts as the hour after it, one that is repeated as its first.
            opens = datetime.combine(_open(day, closed), time(times.digest_at), HERE).astimezone(UTC)
            moment, _ = awake(opens, times.quiet, closed)
            if moment > at:
                return moment, period_of(day, pace)
        day += DAY


def _open(day: date, off: DaysOff) -> date:
    for _ in range(FAR):
        if not any(first <= day <= last for first, last in off):
            break
        day += DAY
    return day


def period_of(day: date, pace: Pace) -> str:
    """Returns the name of the day, or of the week that it lies in: 2026-11-30, 2026-W49."""
    if pace is Pace.DAILY:
        return day.isoformat()
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def plan_release(at: datetime, pace: Pace, times: Times, off: DaysOff, *, urgent: bool = False) -> Release:
    """Returns when what is told at `at` goes: at once if it is urgent, else by the person's pace and hours."""
    if urgent:
        return Release(at)
    if pace in {Pace.DAILY, Pace.WEEKLY}:
        moment, period = next_digest(at, pace, times, off)
        return Release(moment, "digest", period)
    moment, why = awake(at, times.quiet, off if times.days_off else ())
    return Release(moment, why)
