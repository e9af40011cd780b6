"""What all questions to the log share: pages, whose grant allows them, and the line that a look leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from services.audit.model import SERVICE
from shared.access import Denial, Permit
from shared.events.base import NewEvent, Viewed
from shared.events.words import Action, Category
from shared.text import EARLIEST, LATEST
from shared.unit import Asked, Change, Query, Snapshot


def _within_reason(value: datetime) -> datetime:
    if EARLIEST <= value.date() <= LATEST:
        return value
    msg = f"lies outside {EARLIEST} to {LATEST}: check the year"
    raise ValueError(msg)


Moment = Annotated[AwareDatetime, AfterValidator(_within_reason)]
Index = Annotated[int, Field(ge=0, le=2**53 - 1)]


class Page(Query):
    """Lines from `since` (included) to `until` (excluded), newest first; `before` is the `next` of the page before."""

    since: Moment | None = None
    until: Moment | None = None
    category: Category | None = None
    before: Index | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


def may_look(asked: Asked[Any], seen: Snapshot, *subjects: UUID) -> Permit:
    """Returns a permit to view the log of one of these subjects, the first that allows it, or raises Denial."""
    denials: list[Denial] = []
    for subject in subjects:
        try:
            return seen.require(asked, Action.VIEW, Category.LOG, about=subject)
        except Denial as denial:
            denials.append(denial)
    raise next((denial for denial in denials if not denial.verifiable), denials[0])


def shown(
    permit: Permit,
    query: str,
    about: UUID,
    result: Mapping[str, Any],
    *,
    things: int | None = None,
    thing: UUID | None = None,
) -> Change:
    """Returns the Change of a look at the log: the line that someone looked, and the answer."""
    seen = len(result["lines"]) if things is None else things
    event = NewEvent(Viewed(query=query, things=seen), about, permit.act, thing=thing, producer=SERVICE)
    return Change(permits=(permit,), events=(event,), result=result)


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns lines as answers hold them: the entry, and where it stands."""
    return [{"idx": row["idx"], **row["entry"]} for row in rows]


def page_of(body: Page, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns a page of lines, and where the next one begins."""
    full = len(rows) == body.limit
    return {"lines": lines_of(rows), "next": rows[-1]["idx"] if full else None}
