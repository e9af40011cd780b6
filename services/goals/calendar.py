"""The days that clocks get from a school's years and holidays. Pure.

What the law sets (six weeks, once in a school year) no holiday moves; it moves the warning forward, to a day when
people are at school. Days are Europe/Amsterdam's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

YEAR_ENDS = (7, 31)
"""Month and day of a school year's last day where the school says nothing else."""
TOO_SOON = timedelta(weeks=12)
"""A plan that came into force so shortly before a school year's end is evaluated in the next one."""
DAY = timedelta(days=1)
FAR = 200
"""Days that a warning is moved forward at most."""


@dataclass(frozen=True, slots=True)
class SchoolCalendar:
    """The years that a school has set (by the year in which each ends) and its holidays. `version` 0: none."""

    version: int = 0
    ends: Mapping[int, date] | None = None
    holidays: tuple[tuple[date, date], ...] = ()

    @classmethod
    def read(cls, raw: Mapping[str, Any] | None) -> SchoolCalendar:
        """Returns what the SQL function `school_calendar_of` gave."""
        if raw is None:
            return NONE_SET
        ends = {int(year): date.fromisoformat(one["ends_on"]) for year, one in raw["years"].items()}
        holidays = tuple(
            (date.fromisoformat(one["first_on"]), date.fromisoformat(one["last_on"]))
            for year in raw["years"].values()
            for one in year["holidays"]
        )
        return cls(raw["version"], ends, holidays)

    def end(self, year: int) -> date:
        """Returns the last day of the school year that ends in `year`."""
        return (self.ends or {}).get(year) or date(year, *YEAR_ENDS)

    def year_of(self, day: date) -> int:
        """Returns the school year that `day` falls in, by the year in which it ends; after a last day, the next."""
        return next(year for year in range(day.year - 1, day.year + 3) if day <= self.end(year))

    def first_evaluation(self, in_force_on: date) -> int:
        """Returns in which school year a plan that came into force is first evaluated."""
        year = self.year_of(in_force_on)
        return year if self.end(year) - in_force_on >= TOO_SOON else year + 1

    def soon(self, due_on: date, lead: timedelta) -> date:
        """Returns the day from which something is due soon: `lead` before it, holidays not counted."""
        day, left = due_on, lead.days
        for _ in range(FAR):
            if left == 0 and not self.is_holiday(day):
                return day
            day -= DAY
            left -= left > 0 and not self.is_holiday(day)
        return day

    def is_holiday(self, day: date) -> bool:
        """Tells whether nobody is at school on `day`."""
        return any(first <= day <= last for first, last in self.holidays)


NONE_SET = SchoolCalendar()
