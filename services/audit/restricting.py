"""Holding lines back from parents and young people for a while, where the law lets a school: bodies, pure decisions.

Asked by one, confirmed by another, ended by itself on its day. The log keeps every line, and auditors see every line;
what is held back is so only in answers to who asks for their own data (0006_restriction.sql).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.audit.model import SERVICE
from services.audit.pages import Moment, may_look, shown
from services.audit.told_replies import RestrictionReply, RestrictionsReply
from shared import access
from shared.access import Denial, Permit, View
from shared.errors import Problem, ProblemType
from shared.events.audit import Ground, RestrictionAsked, RestrictionConfirmed, RestrictionDeclined, RestrictionLifted
from shared.events.base import Fact, NewEvent
from shared.events.words import Action, Category, Purpose, Role, school_subject
from shared.four_eyes import check_other_hands
from shared.text import Text
from shared.unit import Asked, Change, Endpoint, Query, Request, Row, Snapshot, stale

LONGEST = timedelta(days=366)
"""No restriction is given for longer: then it is asked anew, and weighed anew."""


class Restricting(Request):
    """A request of those who keep a school's records."""

    purpose: Purpose = Purpose.ADMINISTRATION


class RestrictView(Restricting):
    """Asks that lines about a child be held back from parents and the young person until `ends_at`.

    Which: of what happened from `lines_from` (None: from now) until `lines_until` (None: as long as it lasts), of these
    categories (none named: all), by `who` (None: anyone). `told` False: nor are they told that lines are held back.
    """

    child: UUID
    ground: Ground
    reason: Text
    ends_at: Moment
    told: bool = True
    lines_from: Moment | None = None
    lines_until: Moment | None = None
    categories: Annotated[tuple[Category, ...], Field(max_length=len(Category))] = ()
    who: UUID | None = None


class DecideRestriction(Restricting):
    """Confirms a restriction that someone else asked, or declines it; `version` is the one that was seen."""

    child: UUID
    restriction: UUID
    version: int
    answer: Literal["confirmed", "declined"]


class LiftRestriction(Restricting):
    """Ends a restriction before its time: one person is enough to show more."""

    child: UUID
    restriction: UUID
    version: int


class Restrictions(Query):
    """The restrictions in the school, or on one child, newest first; `before` is the `next` of the page before.

    For auditors and for those who decide on them. The look is noted as one at the school's log, so that the child's own
    overview does not tell of what may not be told.
    """

    child: UUID | None = None
    before: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


def decide_restrict_view(asked: Asked[RestrictView], seen: Snapshot) -> Change:
    """Notes what is asked; nothing is held back before someone else has confirmed it."""
    permit, body, now = _keeper(asked, seen, asked.body.child), asked.body, seen.now
    if seen.state["erased"]:
        raise Problem(ProblemType.CONFLICT, "this child is erased: nobody can look at its log any more")
    if body.ends_at <= now:
        raise Problem(ProblemType.INVALID, "its end is past: name a later day")
    if body.ends_at > now + LONGEST:
        raise Problem(ProblemType.INVALID, f"name an end within {LONGEST.days} days: later it is asked anew")
    begins = body.lines_from or now
    if body.lines_until is not None and body.lines_until <= begins:
        raise Problem(ProblemType.INVALID, "the lines' end lies before their beginning: name a later lines_until")
    id_ = asked.ids.time_ordered(now)
    categories = sorted(set(body.categories))
    held: dict[str, Any] = {
        "ground": body.ground,
        "told": body.told,
        "lines_from": begins,
        "lines_until": body.lines_until,
        "categories": tuple(categories),
        "who": body.who,
        "ends_at": body.ends_at,
    }
    row = {**held, "child": body.child, "state": "asked", "reason": body.reason}
    row |= {"categories": categories, "asked_by": asked.actor.id, "asked_at": now}
    row |= {"asked_operator": asked.actor.operator}
    return _change(
        permit, body.child, Row("restriction", id_, 0, row), RestrictionAsked(restriction=id_, **held), "asked"
    )


def decide_decide_restriction(asked: Asked[DecideRestriction], seen: Snapshot) -> Change:
    """Confirms it: from this transaction on the lines are held back. Declines it: nothing ever was."""
    permit, body = _keeper(asked, seen, asked.body.child), asked.body
    found = _found(seen, body.restriction, body.version)
    if found["state"] != "asked":
        raise Problem(ProblemType.CONFLICT, f"this is {found['state']} already: nothing is left to decide")
    decided: dict[str, Any] = {"state": body.answer, "decided_by": asked.actor.id, "decided_at": seen.now}
    row = Row("restriction", body.restriction, body.version, decided)
    if body.answer == "declined":
        return _change(permit, body.child, row, RestrictionDeclined(restriction=body.restriction), "declined")
    refusal = "nobody confirms what they asked: another administrator or the school leader does"
    check_other_hands(asked.actor, UUID(found["asked_by"]), found["asked_operator"], refusal)
    if datetime.fromisoformat(found["ends_at"]) <= seen.now:
        raise Problem(ProblemType.CONFLICT, "its end is past: decline it, and ask it anew if it is still needed")
    fact = RestrictionConfirmed.model_validate(
        {**found, "restriction": body.restriction, "asked_by": found["asked_by"]}
    )
    return _change(permit, body.child, row, fact, "confirmed")


def decide_lift_restriction(asked: Asked[LiftRestriction], seen: Snapshot) -> Change:
    """Ends it now."""
    permit, body = _keeper(asked, seen, asked.body.child), asked.body
    found = _found(seen, body.restriction, body.version)
    if not in_force(found, seen.now):
        raise Problem(ProblemType.CONFLICT, "it holds nothing back now: there is nothing to lift")
    values = {"state": "lifted", "lifted_by": asked.actor.id, "lifted_at": seen.now}
    row = Row("restriction", body.restriction, body.version, values)
    return _change(permit, body.child, row, RestrictionLifted(restriction=body.restriction), "lifted")


def decide_restrictions(asked: Asked[Restrictions], seen: Snapshot) -> Change:
    """Shows restrictions with how each stands. The reason in words is for those who decide on them only."""
    school = school_subject(asked.school)
    try:
        permit, keeps = may_look(asked, seen, school), False
    except Denial:
        permit, keeps = _keeper(asked, seen, None), True
    rows = seen.state["restrictions"]
    found = [_told(row, seen.now, reason=keeps) for row in rows]
    more = rows[-1]["id"] if len(rows) == asked.body.limit else None
    return shown(permit, "restrictions", school, {"restrictions": found, "next": more}, things=len(found))


def in_force(row: Mapping[str, Any], now: datetime) -> bool:
    """Tells whether a restriction holds lines back at `now`."""
    return row["state"] == "confirmed" and datetime.fromisoformat(row["ends_at"]) > now


def _told(row: Mapping[str, Any], now: datetime, *, reason: bool) -> dict[str, Any]:
    left_out = {"school"} if reason else {"school", "reason"}
    told = {name: value for name, value in row.items() if name not in left_out and value is not None}
    return {**told, "in_force": in_force(row, now)}


def _keeper(asked: Asked[Any], seen: Snapshot, child: UUID | None) -> Permit:
    """Returns the permit of an administrator, or of the school's leader (who acts for guidance), or raises Denial.

    A child that is not here is answered as a forbidden one. Nobody keeps the log of a child of their own: Problem.
    """
    subject = school_subject(asked.school)
    view = seen.views.get(subject) or View(subject, None, (), fresh=seen.leased)
    try:
        permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=subject)
    except Denial as denial:
        if not denial.verifiable:
            raise
        permit = seen.require(asked, Action.DECIDE, Category.NETWORK, about=subject)
        if permit.act.role is not Role.SCHOOL_LEADER:
            raise access.denial(
                view, asked.actor, Action.MANAGE, Category.NETWORK, asked.body.purpose, "no_grant"
            ) from None
    if child is not None and (child == subject or child not in seen.views or seen.views[child].revision is None):
        raise access.denial(view, asked.actor, Action.MANAGE, Category.NETWORK, asked.body.purpose, "no_grant")
    if child is not None and seen.state["family"]:
        raise Problem(
            ProblemType.FORBIDDEN, "this is a child of your own: another administrator or the school leader does this"
        )
    return permit


def _found(seen: Snapshot, id_: UUID, version: int) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = next((r for r in seen.state["restrictions"] if r["id"] == str(id_)), None)
    if found is None:
        raise Problem(ProblemType.INVALID, "there is no such restriction on this child: `samen audit restriction list`")
    if found["version"] != version:
        raise stale(version, found["version"])
    return found


def _change(permit: Permit, child: UUID, row: Row, fact: Fact, state: str) -> Change:
    event = NewEvent(fact, child, permit.act, thing=row.id, producer=SERVICE)
    reply = {"restriction": str(row.id), "version": row.seen + 1, "state": state}
    return Change(permits=(permit,), events=(event,), rows=(row,), reply=reply)


RESTRICTING: tuple[Endpoint[Any], ...] = (
    Endpoint("restrict-view", RestrictView, "read_restriction", decide_restrict_view, RestrictionReply),
    Endpoint("decide-restriction", DecideRestriction, "read_restriction", decide_decide_restriction, RestrictionReply),
    Endpoint("lift-restriction", LiftRestriction, "read_restriction", decide_lift_restriction, RestrictionReply),
    Endpoint("restrictions", Restrictions, "read_restrictions", decide_restrictions, RestrictionsReply),
)
