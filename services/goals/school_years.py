"""A school sets its years and holidays. Bodies and pure decisions; what clocks make of them is in calendar.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.goals.plan_queries import answered
from services.goals.writing import invalid
from shared.events.base import NewEvent
from shared.events.plans import DaysOff, SchoolYearSet
from shared.events.words import Action, Category, school_subject
from shared.text import Day, Line
from shared.unit import Asked, Change, Query, Request, Row, Snapshot, stale

LONGEST_YEAR = timedelta(days=400)
LONGEST_HOLIDAY = timedelta(days=70)


class Holiday(BaseModel):
    """Days on which nobody is at school, both included."""

    model_config = Request.model_config
    name: Line
    first_on: Day
    last_on: Day

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.first_on <= self.last_on <= self.first_on + LONGEST_HOLIDAY:
            msg = f"must end on or after its first day, and within {LONGEST_HOLIDAY.days} days"
            raise ValueError(msg)
        return self


class SetSchoolYear(Request):
    """A school year's first and last day and its holidays, whole. `about` is the school's own subject.

    `version` is the calendar's as seen, 0 when none was set. The year is known by the calendar year in which it ends.
    """

    about: UUID
    version: Annotated[int, Field(ge=0, lt=2**31)]
    starts_on: Day
    ends_on: Day
    holidays: Annotated[tuple[Holiday, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.starts_on < self.ends_on <= self.starts_on + LONGEST_YEAR:
            msg = f"a school year must end after it starts, and within {LONGEST_YEAR.days} days"
            raise ValueError(msg)
        days = sorted(self.holidays, key=lambda one: one.first_on)
        if any(one.last_on >= after.first_on for one, after in pairwise(days)):
            msg = "names two holidays that share a day: give each day once"
            raise ValueError(msg)
        return self


class SchoolYears(Query):
    """The school's years and holidays, for who may see plans of `about`."""

    about: UUID


def decide_set_year(asked: Asked[SetSchoolYear], seen: Snapshot) -> Change:
    """Sets one school year; clocks that run are counted anew within seconds."""
    permit = seen.require(asked, Action.DECIDE, Category.PLAN)
    body, subject, found = asked.body, school_subject(asked.school), seen.state["calendar"]
    if permit.subject != subject:
        raise invalid("a calendar is a school's: name the school's own subject", "about")
    version = found["version"] if found else 0
    if body.version != version:
        raise stale(body.version, version)
    years = dict(found["years"]) if found else {}
    for name, other in years.items():
        if name != str(body.ends_on.year) and _share_days(body, other):
            raise invalid(f"shares days with the school year that ends in {name}: set that one first", "starts_on")
    years[str(body.ends_on.year)] = body.model_dump(mode="json", include={"starts_on", "ends_on", "holidays"}) | {
        "set_by": str(asked.actor.id),
        "set_at": seen.now.isoformat(),
    }
    fact = SchoolYearSet(
        version=version + 1,
        starts_on=body.starts_on,
        ends_on=body.ends_on,
        holidays=len(body.holidays),
        days_off=tuple(DaysOff(first_on=one.first_on, last_on=one.last_on) for one in body.holidays),
    )
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, about=subject, act=permit.act, thing=subject),),
        rows=(Row("school_calendar", subject, version, {"years": years}),),
        reply={"version": version + 1, "year": body.ends_on.year},
    )


def decide_years(asked: Asked[SchoolYears], seen: Snapshot) -> Change:
    """Answers the school's years and holidays."""
    permit = seen.require(asked, Action.VIEW, Category.PLAN)
    found = seen.state["calendar"] or {"version": 0, "years": {}}
    return answered((permit,), "school-years", len(found["years"]), found)


def _share_days(body: SetSchoolYear, other: Mapping[str, Any]) -> bool:
    starts_on, ends_on = date.fromisoformat(other["starts_on"]), date.fromisoformat(other["ends_on"])
    return body.starts_on <= ends_on and starts_on <= body.ends_on
