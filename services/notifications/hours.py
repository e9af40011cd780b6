"""A school's own hours: quiet ones, when digests go, whether holidays are quiet; for who has set nothing themselves.

Within the foundation's bounds (`NoticeSettings`), as versions that are kept for ever. A person's own settings win.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field

from services.notifications.adjusting import answered, of_records
from services.notifications.preferences import told_of
from services.notifications.replies import HoursSetReply, HoursShown
from services.notifications.times import foundation, out_of_hours, read_usual
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent
from shared.events.notifications import HoursSet
from shared.unit import Asked, Change, Endpoint, Query, Request, Row, Snapshot, stale


class SchoolHours(Query):
    """What holds in the school for who has set nothing. `about` is the school's own subject."""

    about: UUID


class SetHours(Request):
    """Sets a school's hours, whole; None: as the foundation has it. `number` is the version as seen, 0: none yet."""

    about: UUID
    number: Annotated[int, Field(ge=0, lt=2**31)]
    quiet: Annotated[str, Field(max_length=11)] | None = None
    """`21:00-07:00`, or `none`."""
    digest_at: Annotated[int, Field(ge=0, le=23)] | None = None
    digest_on: Annotated[int, Field(ge=1, le=7)] | None = None
    days_off: bool | None = None
    """On days off nothing for anybody, or as on other days; None: nothing for who works at school only."""


def decide_hours(asked: Asked[SchoolHours], seen: Snapshot) -> Change:
    """Answers what holds, and within which bounds the school may set it."""
    permit = of_records(asked, seen, asked.body.about)
    ours = foundation()
    bounds = {"within": ours.quiet_most, "at_least": ours.quiet_least}
    return answered(permit, "school-hours", 1, {"hours": told_of(read_usual(seen.state["hours"])), "bounds": bounds})


def decide_set_hours(asked: Asked[SetHours], seen: Snapshot) -> Change:
    """Sets them, as a new version; what waits already is weighed by them when its time comes."""
    permit, body = of_records(asked, seen, asked.body.about), asked.body
    number = seen.state["hours"]["number"] if seen.state["hours"] else 0
    if body.number != number:
        raise stale(body.number, number)
    try:
        why = None if body.quiet is None else out_of_hours(body.quiet, foundation())
    except ValueError:
        why = "two times of the day as 21:00-07:00, or none"
    if why is not None:
        raise Problem(ProblemType.INVALID, f"quiet: {why}", field="quiet")
    chosen = {"quiet", "digest_at", "digest_on", "days_off"}
    values = {
        "number": number + 1,
        "settings": body.model_dump(mode="json", include=chosen),
        "set_by": asked.actor.id,
        "set_at": seen.now,
    }
    # Two at once make the same row: one of them reads and decides anew.
    row = Row("school_hours", uuid5(permit.subject, f"hours:{number + 1}"), 0, values)
    fact = HoursSet(number=number + 1, **body.model_dump(include=chosen))
    event = NewEvent(fact, permit.subject, permit.act)
    return Change(permits=(permit,), events=(event,), rows=(row,), reply={"number": number + 1})


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("school-hours", SchoolHours, "read_school_hours", decide_hours, HoursShown),
    Endpoint("set-hours", SetHours, "read_school_hours", decide_set_hours, HoursSetReply),
)
