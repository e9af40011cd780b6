"""How long a child's file is kept, and when it is due to go. Pure.

The terms are those of Dutch practice for schools: a pupil's file two years after leaving and no shorter, consents being
part of it; attendance five and a referral to special education three; a log of who looked at least five from writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.network.model import Child
from services.network.spans import AMSTERDAM, day_start
from shared.events.erasure import RetentionClass
from shared.events.words import Role
from shared.unit import Snapshot


class TermSettings(BaseSettings):
    """The foundation's say, read at start: `SAMEN_RETENTION_PUPIL_FILE_MOST`, in months, five years at most."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_RETENTION_", frozen=True, extra="ignore")
    pupil_file_most: Annotated[int, Field(ge=24, le=60)] = 60


class Since(StrEnum):
    """What a term counts from."""

    LEAVING = "leaving"
    WRITING = "writing"


class Place(StrEnum):
    """Where a class is kept, and so who deletes it when its term has ended."""

    FILE = "file"
    """Here, with the child: it goes when the child is erased, at the term of the pupil's file."""
    ADMINISTRATION = "administration"
    """In the school's administration: nothing of it is kept here."""
    LOG = "log"
    """Here, and never deleted: about pseudonyms that nobody can resolve once the child is erased."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a school may choose, in months, and what holds where it chose nothing. `most` None: without an end."""

    least: int
    default: int
    most: int | None
    since: Since
    place: Place


_FILE = Bounds(24, 24, TermSettings().pupil_file_most, Since.LEAVING, Place.FILE)
BOUNDS = {
    RetentionClass.PUPIL_FILE: _FILE,
    RetentionClass.CONSENT: _FILE,
    RetentionClass.ATTENDANCE: Bounds(60, 60, 60, Since.LEAVING, Place.ADMINISTRATION),
    RetentionClass.SPECIAL_EDUCATION_REFERRAL: Bounds(36, 36, 36, Since.LEAVING, Place.ADMINISTRATION),
    RetentionClass.AUDIT_LOG: Bounds(60, 60, None, Since.WRITING, Place.LOG),
}
SET_HERE = RetentionClass.PUPIL_FILE
"""The one class whose term a school sets; what is kept with the file has the file's term."""


@dataclass(frozen=True, slots=True)
class Term:
    """From `starts_at` until the next version starts, the school keeps this class so many months."""

    id: UUID
    number: int
    kind: RetentionClass
    months: int
    starts_at: datetime


_TERMS = TypeAdapter(tuple[Term, ...])


def terms_in(state: Any) -> tuple[Term, ...]:  # noqa: ANN401  JSON
    """Returns the school's versions in a reader's state."""
    return _TERMS.validate_python([{**one, "kind": one["class"]} for one in state["terms"]])


def of_kind(terms: Sequence[Term], kind: RetentionClass) -> list[Term]:
    """Returns the versions of one class."""
    return [one for one in terms if one.kind.value == kind.value]


def months_of(terms: Sequence[Term], kind: RetentionClass, at: datetime) -> int:
    """Returns for how many months a class is kept, as it stands at `at`; never outside the foundation's bounds."""
    bounds = BOUNDS[kind]
    if bounds.place is not Place.FILE or bounds.most is None:
        return bounds.default
    begun = [one for one in of_kind(terms, SET_HERE) if one.starts_at <= at]
    newest = max(begun, key=lambda one: (one.starts_at, one.number), default=None)
    return min(max(newest.months, bounds.least), bounds.most) if newest else bounds.default


def months_later(day: date, months: int) -> date:
    """Returns the same day so many months later; where there is none, the first day of the month after."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        return day.replace(year=year, month=month + 1)
    except ValueError:
        return date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)


def ends_at(left: datetime, terms: Sequence[Term], now: datetime) -> datetime:
    """Returns from when on the file of a child who left then may go: by the terms as they stand now."""
    months = months_of(terms, RetentionClass.PUPIL_FILE, now)
    return day_start(months_later(left.astimezone(AMSTERDAM).date(), months))


def due_at(child: Child, seen: Snapshot) -> datetime | None:
    """Returns from when on the child's file may go by its term; None: it has not left, so the term has not begun."""
    if not child.has_left(seen.now):
        return None
    left = max(one.ends_at for one in child.memberships if one.role is Role.CHILD and one.ends_at)
    return ends_at(left, terms_in(seen.state), seen.now)
