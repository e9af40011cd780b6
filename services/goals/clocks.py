"""By which day something must be done about a plan, and the rows that set and stop those clocks. Pure.

Days are Europe/Amsterdam's. A first plan is due six weeks after enrolment, an evaluation once in every school year
(Wet op de expertisecentra, article 41a). Years and holidays are the school's own: calendar.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from services.goals.calendar import NONE_SET, SchoolCalendar
from services.goals.plan import Kind, PlanText
from shared.events.plans import Deadline, DeadlineDueSoon, DeadlineOverdue
from shared.unit import Row

DAY = timedelta(days=1)
FIRST_PLAN_WITHIN = timedelta(weeks=6)
LEAD: Mapping[Deadline, timedelta] = {
    Deadline.FIRST_PLAN: timedelta(weeks=2),
    Deadline.EVALUATION: timedelta(weeks=4),
    Deadline.ACTION: timedelta(weeks=1),
}
"""So long before its day something is due soon, holidays not counted."""


class Told(StrEnum):
    """What was told of a clock last."""

    NOTHING = "nothing"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Clock:
    """A day by which something must be done. `next_on` None: there is nothing more to tell."""

    id: UUID
    version: int
    about: UUID
    deadline: Deadline
    plan: UUID | None
    action: UUID | None
    due_on: date
    next_on: date | None
    told: Told
    concerns: tuple[UUID, ...]

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Clock:
        """Returns what a reader gave of a row of plan_clock."""
        return cls(
            UUID(raw["id"]),
            raw["version"],
            UUID(raw["about"]),
            Deadline(raw["deadline"]),
            UUID(raw["plan"]) if raw["plan"] else None,
            UUID(raw["action"]) if raw["action"] else None,
            date.fromisoformat(raw["due_on"]),
            date.fromisoformat(raw["next_on"]) if raw["next_on"] else None,
            Told(raw["told"]),
            tuple(map(UUID, raw["concerns"])),
        )


def recounted(clock: Clock, calendar: SchoolCalendar, year: int | None) -> Clock:
    """Returns a clock by a calendar that was set since; what was told of it already is told no more.

    `year` is the school year of an evaluation, by the year in which it ends.
    """
    due_on = clock.due_on if year is None else calendar.end(year)
    if clock.next_on is None:
        return clock
    next_on = calendar.soon(due_on, LEAD[clock.deadline]) if clock.told is Told.NOTHING else due_on + DAY
    return replace(clock, due_on=due_on, next_on=next_on)


def steps(clock: Clock, today: date) -> Iterable[tuple[type[DeadlineDueSoon | DeadlineOverdue], Clock]]:
    """Yields what is to be told by `today`, in order, each with the clock as it is once that is told."""
    while clock.next_on is not None and clock.next_on <= today:
        if clock.told is Told.NOTHING:
            clock = replace(clock, told=Told.DUE_SOON, next_on=clock.due_on + DAY)
            yield DeadlineDueSoon, clock
        else:
            clock = replace(clock, told=Told.OVERDUE, next_on=None)
            yield DeadlineOverdue, clock


def first_plan_clock(child: UUID) -> UUID:
    """Returns the id of the clock of a child's first plan."""
    return uuid5(child, "first-plan")


# The rows of commands -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks about a subject that a command on one plan may set or stop."""

    about: UUID
    plan: UUID
    known: Mapping[UUID, Clock]
    calendar: SchoolCalendar = NONE_SET

    @classmethod
    def read(cls, about: UUID, plan: UUID, state: Mapping[str, Any]) -> Clocks:
        """Returns what the reader `read_plan_with_clocks` gave."""
        known = {clock.id: clock for clock in map(Clock.read, state["clocks"])}
        return cls(about, plan, known, SchoolCalendar.read(state["calendar"]))

    def at_force(self, text: PlanText, ended: frozenset[UUID], today: date, *, first: bool) -> list[Row]:
        """Returns what changes when a text comes into force: its actions' days, and no first plan is waited for."""
        rows = [self._stop(first_plan_clock(self.about))]
        if first:
            rows.append(self._evaluation(self.calendar.first_evaluation(today)))
        actions = {item.id: item for item in text.items if item.kind is Kind.ACTION and item.id not in ended}
        rows += [
            self._set(Deadline.ACTION, id_, date.fromisoformat(item.text["until"]), tuple(map(UUID, item.text["who"])))
            for id_, item in actions.items()
        ]
        gone = (one for one in self.known.values() if one.deadline is Deadline.ACTION and one.action not in actions)
        return [row for row in (*rows, *(self._stop(one.id) for one in gone)) if row is not None]

    def at_evaluation(self) -> list[Row]:
        """Returns what changes when the plan was evaluated."""
        return self._only(self._stop(self._id(Deadline.EVALUATION, None)))

    def at_continuation(self, held_on: date, today: date) -> list[Row]:
        """Returns what changes when the plan goes on after an evaluation that was held on a day.

        The next is due in the school year after that of the last, however late it was written down or gone on from.
        """
        year = self.calendar.year_of
        return self._only(self._evaluation(max(year(held_on) + 1, year(today))))

    def at_end_of(self, action: UUID) -> list[Row]:
        """Returns what changes when an action has ended."""
        return self._only(self._stop(self._id(Deadline.ACTION, action)))

    def at_close(self) -> list[Row]:
        """Returns what changes when the plan is closed: nothing of it is waited for any more."""
        return [row for one in self.known.values() if one.plan == self.plan for row in self._only(self._stop(one.id))]

    def _only(self, row: Row | None) -> list[Row]:
        return [] if row is None else [row]

    def _id(self, deadline: Deadline, action: UUID | None) -> UUID:
        return uuid5(self.plan, f"{deadline.value}:{action or ''}")

    def _evaluation(self, year: int) -> Row | None:
        return self._set(Deadline.EVALUATION, None, self.calendar.end(year), (), year)

    def _set(
        self,
        deadline: Deadline,
        action: UUID | None,
        due_on: date,
        concerns: tuple[UUID, ...],
        year: int | None = None,
    ) -> Row | None:
        """Returns the row of a clock that runs to this day; one that does already goes on as it was told."""
        id_ = self._id(deadline, action)
        found = self.known.get(id_)
        moving = {
            "due_on": due_on,
            "next_on": self.calendar.soon(due_on, LEAD[deadline]),
            "told": Told.NOTHING,
            "concerns": concerns,
            "school_year": year,
            "counted": self.calendar.version,
        }
        if found is None:
            values = {"about": self.about, "deadline": deadline, "plan": self.plan, "action": action}
            return Row("plan_clock", id_, 0, values | moving)
        running = found.next_on is not None or found.told is Told.OVERDUE
        if running and found.due_on == due_on:
            same = found.concerns == concerns
            return None if same else Row("plan_clock", id_, found.version, {"concerns": concerns})
        return Row("plan_clock", id_, found.version, moving)

    def _stop(self, id_: UUID) -> Row | None:
        found = self.known.get(id_)
        if found is None or (found.next_on is None and found.told is Told.NOTHING):
            return None
        return Row("plan_clock", id_, found.version, {"next_on": None, "told": Told.NOTHING})
