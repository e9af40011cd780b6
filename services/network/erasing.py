"""Erasing a child: asked by one, confirmed by another, blocked by a hold. Bodies and pure decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.network.draft import Draft, as_moment
from services.network.lifecycle import cut_all
from services.network.members import Managing, conflict, invalid
from services.network.model import Child, children_of
from services.network.queries import also, viewed
from services.network.spans import day_start
from services.network.terms import due_at
from shared import access
from shared.access import Permit, View
from shared.events.erasure import (
    ErasureAsked,
    ErasureConfirmed,
    ErasureDeclined,
    ErasureReason,
    HoldLifted,
    HoldPlaced,
    HoldReason,
)
from shared.events.words import Action, Category, Role, school_subject
from shared.four_eyes import check_other_hands
from shared.text import Day
from shared.unit import Asked, Change, Query, Snapshot, stale

UNDER_WAY = frozenset({"erasing", "erased", "completed"})
A_PAGE = 200


class EraseChild(Managing):
    """Asks that everything about a child be erased, everywhere. Someone else must confirm it."""

    child: UUID
    reason: ErasureReason


class DecideErasure(Managing):
    """Confirms an erasure that someone else asked, which cannot be undone; or declines it."""

    child: UUID
    erasure: UUID
    version: int
    answer: Literal["confirmed", "declined"]


class PlaceHold(Managing):
    """Keeps a child's file from being erased; `until` is the first day on which it may be again, None: until lifted."""

    child: UUID
    reason: HoldReason
    until: Day | None = None


class LiftHold(Managing):
    """Ends a hold."""

    child: UUID
    hold: UUID
    version: int


class Erasures(Query):
    """The erasures of the school, newest first: how each stands. Of one state, or one alone, if named.

    A page by id: ask on with `before` being what the answer named as `next`, until that is null.
    """

    state: Literal["asked", "declined", "erasing", "erased", "completed"] | None = None
    erasure: UUID | None = None
    before: UUID | None = None


class Holds(Query):
    """The holds on a child's file."""

    child: UUID


def decide_erase_child(asked: Asked[EraseChild], seen: Snapshot) -> Change:
    """Notes the request. A child that is erased is told so; one that is not here is answered as a forbidden one."""
    school_permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=school_subject(asked.school))
    _check_not_erased(seen)
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.child)
    child = _child(asked, seen)
    _check_free(seen)
    for one in seen.state["erasures"]:
        raise conflict("this is asked already: someone else confirms or declines it", **_named(one))
    if asked.body.reason is ErasureReason.RETENTION_ENDED:
        _check_term(child, seen)
    draft, id_ = Draft(seen, permit.act, (school_permit, permit)), asked.ids.time_ordered(seen.now)
    values = {
        "child": child.id,
        "reason": asked.body.reason,
        "state": "asked",
        "asked_by": asked.actor.id,
        "asked_operator": asked.actor.operator,
        "asked_at": seen.now,
        "gone": {},
    }
    draft.write("erasure", id_, 0, values)
    draft.tell(ErasureAsked(erasure=id_, reason=asked.body.reason), child.id, id_)
    return draft.change({"erasure": str(id_), "version": 1, "state": "asked"})


def decide_decide_erasure(asked: Asked[DecideErasure], seen: Snapshot) -> Change:
    """Confirms: nobody has access from this transaction on, and the rows go. Declines: it is as if nobody had asked."""
    permit = _decider(asked, seen)
    body, now = asked.body, seen.now
    _check_not_erased(seen)
    found = next((one for one in seen.state["erasures"] if one["id"] == str(body.erasure)), None)
    if found is None:
        raise invalid("there is no such request about this child: list them with `samen child erasures`")
    if found["version"] != body.version:
        raise stale(body.version, found["version"])
    draft = Draft(seen, permit.act, (permit,))
    decided = {"decided_by": asked.actor.id, "decided_at": now}
    if body.answer == "declined":
        draft.write("erasure", body.erasure, body.version, {"state": "declined", **decided})
        draft.tell(ErasureDeclined(erasure=body.erasure), body.child, body.erasure)
        return draft.change({"erasure": str(body.erasure), "version": body.version + 1, "state": "declined"})
    refusal = "nobody confirms what they asked: another administrator or the school leader does"
    check_other_hands(asked.actor, UUID(found["asked_by"]), found["asked_operator"], refusal)
    _check_free(seen)
    child = _child(asked, seen)
    if found["reason"] == ErasureReason.RETENTION_ENDED:
        _check_term(child, seen)
    return _confirmed(asked, draft, child, found, seen, decided)


def _confirmed(
    asked: Asked[DecideErasure],
    draft: Draft,
    child: Child,
    found: Mapping[str, Any],
    seen: Snapshot,
    decided: dict[str, Any],
) -> Change:
    body = asked.body
    if not child.has_left(seen.now):
        cut_all(draft, seen, child, "erased")
    withdrawal = asked.ids.time_ordered(seen.now)
    draft.write("erasure", body.erasure, body.version, {"state": "erasing", "withdrawal": withdrawal, **decided})
    draft.write("erased", child.id, 0, {"at": seen.clock})
    # Its row is written so that a hold placed at this moment is seen by whichever of both commits second.
    draft.write("child", child.id, child.version, {"due_on": None, "attend_at": None})
    reason, asked_by = ErasureReason(found["reason"]), UUID(found["asked_by"])
    draft.tell(ErasureConfirmed(erasure=body.erasure, reason=reason, asked_by=asked_by), child.id, body.erasure)
    draft.publish_nobody(child)
    reply = {"erasure": str(body.erasure), "version": body.version + 1, "state": "erasing"}
    reply |= {"revision": child.revision + 1, **draft.withdraws(withdrawal, child.id, body.erasure)}
    return draft.change(reply)


def _decider(asked: Asked[Any], seen: Snapshot) -> Permit:
    """Returns the permit of an administrator or the school's leader; the latter acts for guidance."""
    subject = school_subject(asked.school)
    found = also(seen, asked, Action.MANAGE, Category.NETWORK, subject)
    if found is not None:
        return found
    view = seen.views.get(subject) or View(subject, None, (), fresh=seen.leased)
    found = access.require(view, asked.actor, Action.DECIDE, Category.NETWORK, asked.body.purpose, seen.clock)
    if found.act.role is not Role.SCHOOL_LEADER:
        raise access.denial(view, asked.actor, Action.MANAGE, Category.NETWORK, asked.body.purpose, "no_grant")
    return found


def _named(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"erasure": one["id"], "version": one["version"], "state": one["state"]}


def _check_not_erased(seen: Snapshot) -> None:
    for one in seen.state["erasures"]:
        if one["state"] in UNDER_WAY:
            raise conflict("this child is erased: nothing is left to do", code="erased", **_named(one))


def _check_free(seen: Snapshot) -> None:
    """Raises the Problem that says by which hold the file must stay."""
    for one in seen.state["holds"]:
        if holds_now(one, seen.now):
            raise conflict(
                "a hold keeps this file: it is lifted, or runs out, first",
                code="on_hold",
                hold=one["id"],
                reason=one["reason"],
                until=one["until"],
            )


def holds_now(one: Mapping[str, Any], now: datetime) -> bool:
    """Tells whether a hold keeps the file at `now`."""
    until = datetime.fromisoformat(one["until"]) if one["until"] else None
    return one["lifted_at"] is None and (until is None or until > now)


def _child(asked: Asked[Any], seen: Snapshot) -> Child:
    """Returns the child; the school itself, which has permits of its own, is none."""
    found = children_of(seen.state).get(asked.body.child)
    if found is None:
        raise invalid("this is no child of the school: look it up with `samen network children --all`")
    return found


def _check_term(child: Child, seen: Snapshot) -> None:
    at = due_at(child, seen)
    if at is None:
        raise conflict("this child is a pupil here: its term begins when it leaves", code="not_left")
    if at > seen.now:
        raise conflict("its term has not ended yet", code="term_runs", due_at=as_moment(at))


def decide_place_hold(asked: Asked[PlaceHold], seen: Snapshot) -> Change:
    """Places a hold; whoever erases at this moment is told of it."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.child)
    body, child = asked.body, _child(asked, seen)
    until = day_start(body.until) if body.until else None
    if until is not None and until <= seen.now:
        raise invalid("a hold ends on a day to come: leave until out if nobody knows which")
    draft, id_ = Draft(seen, permit.act, (permit,)), asked.ids.time_ordered(seen.now)
    values = {
        "child": child.id,
        "reason": body.reason,
        "placed_by": asked.actor.id,
        "starts_at": seen.now,
        "until": until,
    }
    draft.write("legal_hold", id_, 0, values)
    draft.write("child", child.id, child.version, {"due_on": child.due_on})
    draft.tell(HoldPlaced(hold=id_, reason=body.reason, starts_at=seen.now, until=until), child.id, id_)
    return draft.change({"hold": str(id_), "version": 1})


def decide_lift_hold(asked: Asked[LiftHold], seen: Snapshot) -> Change:
    """Lifts a hold."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.child)
    body = asked.body
    found = next((one for one in seen.state["holds"] if one["id"] == str(body.hold)), None)
    if found is None:
        raise invalid("there is no such hold on this child: look it up with `samen child holds`")
    if found["version"] != body.version:
        raise stale(body.version, found["version"])
    if found["lifted_at"] is not None:
        raise conflict("this hold is lifted already: nothing is left to lift", version=found["version"])
    draft = Draft(seen, permit.act, (permit,))
    draft.write("legal_hold", body.hold, body.version, {"lifted_by": asked.actor.id, "lifted_at": seen.now})
    draft.tell(HoldLifted(hold=body.hold), body.child, body.hold)
    return draft.change({"hold": str(body.hold), "version": body.version + 1})


def decide_holds(asked: Asked[Holds], seen: Snapshot) -> Change:
    """Answers the holds on a child, for those who keep the records."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.child)
    result = [{**one, "holds": holds_now(one, seen.now)} for one in seen.state["holds"]]
    return viewed("holds", asked.body.child, permit.act, {"holds": result}, len(result), (permit,))


def decide_erasures(asked: Asked[Erasures], seen: Snapshot) -> Change:
    """Answers how each stands, for those who keep or oversee the records, and for the school's leader."""
    subject = school_subject(asked.school)
    permit = also(seen, asked, Action.VIEW, Category.LOG, subject) or _decider(asked, seen)
    found = seen.state["erasures"]
    result = {"erasures": found, "next": found[-1]["id"] if len(found) == A_PAGE else None}
    return viewed("erasures", subject, permit.act, result, len(found), (permit,))
