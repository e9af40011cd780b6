"""A school's own terms, and whose term has ended: bodies and pure decisions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field

from services.network.draft import Draft, as_moment
from services.network.erasing import holds_now
from services.network.members import Managing, conflict, invalid
from services.network.model import school_of
from services.network.queries import also, viewed
from services.network.spans import day_start
from services.network.terms import BOUNDS, SET_HERE, Place, Term, ends_at, months_of, of_kind, terms_in
from shared.events.erasure import RetentionClass, RetentionSet
from shared.events.words import Action, Category
from shared.text import Day
from shared.unit import Asked, Change, Query, Snapshot

A_PAGE = 200
_WHERE = {
    Place.FILE: "this is kept with the pupil's file and has its term: set pupil_file",
    Place.ADMINISTRATION: "nothing of this is kept here: set its term in the school's administration",
    Place.LOG: "lines of the log are never deleted, so there is no term to set",
}
"""What is said of a class whose term is not set here."""


class SetRetention(Managing):
    """Sets for how many months after leaving a class is kept, from `starts_on` on (None: now), as a new version."""

    kind: RetentionClass
    months: Annotated[int, Field(ge=0, le=240)]
    starts_on: Day | None = None


class Retention(Query):
    """What is kept how long here, with all versions."""


class RetentionDue(Query):
    """Children who left and whose term has ended, or ends within so many days: a page by id, ask on with `after`."""

    within_days: Annotated[int, Field(ge=0, le=3660)] = 0
    after: UUID | None = None


def decide_set_retention(asked: Asked[SetRetention], seen: Snapshot) -> Change:
    """Adds a version."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK)
    body, bounds, school = asked.body, BOUNDS[asked.body.kind], school_of(seen.state)
    if body.kind is not SET_HERE:
        raise conflict(_WHERE[bounds.place], code="not_set_here", place=bounds.place.value)
    if not bounds.least <= body.months <= (bounds.most or body.months):
        raise invalid(
            "that is outside what the law and the foundation allow: choose from least to most months",
            least=bounds.least,
            most=bounds.most,
        )
    starts_at = day_start(body.starts_on) if body.starts_on else seen.now
    if starts_at < seen.now:
        raise invalid("a term can't start in the past: leave out starts_on to start now, or name a later day")
    known = of_kind(terms_in(seen.state), body.kind)
    last = max(known, key=lambda one: (one.starts_at, one.number), default=None)
    if last is not None and starts_at < last.starts_at:
        raise conflict("a later version is planned already: start on its day to replace it, or after")
    if (last.months if last else bounds.default) == body.months:
        raise conflict("this term is set already: nothing is to be changed", number=last.number if last else 0)
    number = 1 + max((one.number for one in known), default=0)
    # The id follows from the number: of two at once the second decides anew.
    id_ = uuid5(school.id, f"retention:{body.kind}:{number}")
    values = {"number": number, "months": body.months, "starts_at": starts_at}
    draft = Draft(seen, permit.act, (permit,))
    draft.write("retention_version", id_, 0, {**values, "class": body.kind, "set_by": asked.actor.id})
    draft.tell(RetentionSet(setting=id_, kind=body.kind, **values), school.id, id_)
    return draft.change({"setting": str(id_), "number": number, "months": body.months})


def decide_retention(asked: Asked[Retention], seen: Snapshot) -> Change:
    """Answers what is kept how long, for those who keep or oversee the records."""
    permit = also(seen, asked, Action.VIEW, Category.LOG) or seen.require(asked, Action.MANAGE, Category.NETWORK)
    terms = terms_in(seen.state)
    result = {"classes": [_class(kind, terms, seen.now) for kind in RetentionClass]}
    return viewed("retention", permit.subject, permit.act, result, len(terms), (permit,))


def _class(kind: RetentionClass, terms: tuple[Term, ...], now: datetime) -> dict[str, Any]:
    bounds = BOUNDS[kind]
    versions = [
        {"number": one.number, "months": one.months, "starts_at": as_moment(one.starts_at)}
        for one in of_kind(terms, kind)
    ]
    return {
        "kind": kind.value,
        "months": months_of(terms, kind, now),
        "least": bounds.least,
        "most": bounds.most,
        "since": bounds.since.value,
        "place": bounds.place.value,
        "versions": versions,
    }


def decide_retention_due(asked: Asked[RetentionDue], seen: Snapshot) -> Change:
    """Answers whose term has ended or soon will, and what stands in the way."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK)
    terms, found = terms_in(seen.state), seen.state["left"]
    by = seen.now + timedelta(days=asked.body.within_days)
    due = [one for one in (_due(row, terms, seen.now) for row in found) if datetime.fromisoformat(one["due_at"]) <= by]
    result = {"due": due, "next": found[-1]["child"] if len(found) == A_PAGE else None}
    return viewed("retention-due", permit.subject, permit.act, result, len(due), (permit,))


def _due(row: dict[str, Any], terms: tuple[Term, ...], now: datetime) -> dict[str, Any]:
    left = datetime.fromisoformat(row["left_at"])
    due = ends_at(left, terms, now)
    held = next((one for one in row["holds"] if holds_now(one, now)), None)
    return {
        "child": row["child"],
        "kind": RetentionClass.PUPIL_FILE.value,
        "left_at": as_moment(left),
        "due_at": as_moment(due),
        "due": due <= now,
        "hold": held["id"] if held else None,
        "erasure": row["erasure"],
    }
