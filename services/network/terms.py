"""How long a child's file is kept, and when it is due to go. Pure.

The defaults and bounds: a pupil's file is kept two years after leaving, and may be kept no shorter (Dutch practice for
pupil files; records of attendance are kept five years and those of a referral to special education three, elsewhere).
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


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a school may choose, in months, and what holds where it chose nothing."""

    least: int
    default: int
    most: int


BOUNDS = {RetentionClass.PUPIL_FILE: Bounds(24, 24, TermSettings().pupil_file_most)}


class Elsewhere(StrEnum):
    """What this platform keeps nothing of, or never deletes: shown, so that nobody looks for its setting."""

    ATTENDANCE = "nothing of it is kept here: five years, in the administration"
    SPECIAL_EDUCATION_REFERRAL = "nothing of it is kept here: three years, in the administration"
    AUDIT_LOG = "never deleted: five years from writing at least; about pseudonyms that nobody can resolve once erased"
    CONSENT = "kept with the pupil's file; it asks for renewal after a year"


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
    begun = [one for one in of_kind(terms, kind) if one.starts_at <= at]
    newest = max(begun, key=lambda one: (one.starts_at, one.number), default=None)
    bounds = BOUNDS[kind]
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
