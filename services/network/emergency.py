"""Break-glass: access to one child in an emergency, told to reviewers at once and judged by someone else afterwards."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.network.draft import Draft, act_without_grant, as_moment
from services.network.members import conflict, invalid
from services.network.model import Child, Membership, School, children_of, school_of
from services.network.policy import EMERGENCY_RULE, REVIEWERS, open_to
from services.network.queries import also
from services.network.safeguards import Emergency
from services.network.spans import FOREVER
from shared import access
from shared.access import HOLDS_FOR, Permit, View
from shared.events.base import Act
from shared.events.emergencies import EmergencyReviewed, EmergencyStarted, ReviewOutcome
from shared.events.words import Action, ActorKind, Basis, Category, Purpose
from shared.four_eyes import check_other_hands
from shared.text import Text
from shared.unit import Asked, Change, Request, Snapshot, stale


class EmergencySettings(BaseSettings):
    """The environment's say, read at start: `SAMEN_EMERGENCY_MINUTES`, an hour at most."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_EMERGENCY_", frozen=True, extra="ignore")
    minutes: Annotated[int, Field(ge=1, le=60)] = 60


LASTS = timedelta(minutes=EmergencySettings().minutes)
"""The longest that emergency access lasts here, and what it lasts when nobody asks for less."""

_MEMBERSHIPS = TypeAdapter(tuple[Membership, ...])


class BreakGlass(Request):
    """Asks emergency access to one child. `reason` stays here; `minutes` None: as long as is allowed."""

    child: UUID
    reason: Text
    minutes: Annotated[int, Field(ge=1, le=60)] | None = None


class EndEmergency(Request):
    """Ends emergency access before its time: by who has it, or by a reviewer (purpose oversight)."""

    child: UUID
    emergency: UUID
    version: int


class ReviewEmergency(Request):
    """Judges someone else's emergency access, with a reason that stays here; not justified ends it at once."""

    purpose: Purpose = Purpose.OVERSIGHT
    child: UUID
    emergency: UUID
    version: int
    outcome: ReviewOutcome
    reason: Text


def decide_break_glass(asked: Asked[BreakGlass], seen: Snapshot) -> Change:
    """Gives the asking member of the team or of care access to the child at once, and tells the reviewers."""
    standing, permits = _stand(asked, seen)
    body, draft = asked.body, Draft(seen, permits[0].act, permits)
    child, school = children_of(seen.state)[body.child], school_of(seen.state)
    emergency = _begun(asked, seen, child, standing)
    values = {name: value for name, value in asdict(emergency).items() if name not in {"id", "version"}}
    draft.write("emergency", emergency.id, 0, {**values, "child": child.id, "reason": body.reason})
    fact = EmergencyStarted(
        emergency=emergency.id,
        member=emergency.member,
        role=emergency.role,
        organisation=emergency.organisation,
        categories=open_to(child, emergency.member, EMERGENCY_RULE.categories),
        starts_at=emergency.starts_at,
        ends_at=emergency.ends_at,
        standing=emergency.standing,
    )
    draft.tell_last(fact, child.id, emergency.id)
    draft.publish_child(replace(child, emergencies=(*child.emergencies, emergency)), school)
    # Their revisions move too: a reviewer who joins or leaves in this moment, and what ends the membership that this
    # rests on, is decided about again, knowing of it.
    draft.publish_school(school)
    for beside in children_of({**seen.state, "children": seen.state["beside"]}).values():
        if beside.id == standing.subject:
            draft.publish_beside(beside, school)
    return draft.change(
        {
            "emergency": str(emergency.id),
            "version": 1,
            "until": as_moment(emergency.ends_at),
            "reviewers": len(_reviewers(child, school, seen, emergency.member)),
            "revision": child.revision + 1,
        }
    )


def _begun(asked: Asked[BreakGlass], seen: Snapshot, child: Child, standing: Membership) -> Emergency:
    minutes = asked.body.minutes
    lasts = timedelta(minutes=minutes) if minutes else LASTS
    if lasts > LASTS:
        allowed = int(LASTS.total_seconds() // 60)
        raise invalid("emergency access does not last that long here: ask for at most allowed minutes", allowed=allowed)
    for one in child.emergencies:
        if one.member == asked.actor.id and one.ends_at > seen.now:
            raise conflict(
                "you have emergency access to this child already: use it, or end it first",
                emergency=str(one.id),
                version=one.version,
                until=as_moment(one.ends_at),
            )
    return Emergency(
        id=asked.ids.time_ordered(seen.now),
        version=1,
        member=asked.actor.id,
        role=standing.role,
        organisation=standing.organisation,
        standing=standing.id,
        starts_at=seen.now,
        ends_at=min(seen.now + lasts, standing.span.until),
        outcome=None,
        reviewed_by=None,
        reviewed_at=None,
        operator=asked.actor.operator,
    )


def _reviewers(child: Child, school: School, seen: Snapshot, member: UUID) -> set[UUID]:
    circle = (*child.memberships, *school.memberships)
    return {one.person for one in circle if one.role in REVIEWERS and one.span.holds(seen.now)} - {member}


def _stand(asked: Asked[BreakGlass], seen: Snapshot) -> tuple[Membership, tuple[Permit, ...]]:
    """Returns the membership that lets the actor ask, with permits that re-check it at commit, or raises Denial.

    There is no grant to ask by; what counts is a membership of the team or of care, round any child or of the school.
    Each membership stands in its subject's revision, so a commit that meets another revision is decided anew.
    """
    child_id, purpose = asked.body.child, asked.body.purpose
    view = seen.views.get(child_id) or View(child_id, None, (), fresh=seen.leased)
    shift = seen.now - seen.clock
    if any(child.has_left(seen.now) for child in children_of(seen.state).values()):
        raise access.denial(view, asked.actor, Action.VIEW, Category.IDENTITY, purpose, "has_left")
    if view.revision is not None and view.fresh and asked.actor.kind is ActorKind.PERSON:
        for one in _MEMBERSHIPS.validate_python(seen.state["standings"]):
            there = seen.views.get(one.subject)
            # Suspended, or with its mandate over or still to come, it gives nothing now: it lets nobody in either.
            until = None if one.span.until == FOREVER else one.span.until - shift
            lasts = one.span.holds(seen.now) and (until is None or until > seen.clock + HOLDS_FOR)
            if one.role in EMERGENCY_RULE.roles and lasts and there is not None and there.revision is not None:
                act = _act(asked, one, view.revision)
                subjects = {child_id: (view.revision, None), one.subject: (there.revision, until)}
                permits = tuple(
                    Permit(act, subject, revision, seen.clock, end) for subject, (revision, end) in subjects.items()
                )
                return one, permits
    raise access.denial(view, asked.actor, Action.VIEW, Category.IDENTITY, purpose, "not_of_the_team")


def _act(asked: Asked[BreakGlass], standing: Membership, revision: int) -> Act:
    purpose = asked.body.purpose
    if purpose not in EMERGENCY_RULE.purposes:
        raise invalid("emergency access is for one of allowed", allowed=list(EMERGENCY_RULE.purposes))
    act = act_without_grant(asked.actor, Action.VIEW, Category.IDENTITY, purpose, Basis.VITAL_INTEREST)
    more = {"role": standing.role, "organisation": standing.organisation, "revision": revision, "emergency": True}
    return act.model_copy(update=more)


def _named(asked: Asked[EndEmergency] | Asked[ReviewEmergency], child: Child) -> Emergency:
    found = next((one for one in child.emergencies if one.id == asked.body.emergency), None)
    if found is None:
        raise invalid("there is no such emergency access to this child: look it up with `samen network emergency list`")
    if found.version != asked.body.version:
        raise stale(asked.body.version, found.version)
    return found


def decide_end_emergency(asked: Asked[EndEmergency], seen: Snapshot) -> Change:
    """Ends emergency access early; its grants end in this transaction."""
    reviewer = also(seen, asked, Action.DECIDE, Category.LOG, asked.body.child)
    permit = reviewer or seen.require(asked, Action.VIEW, Category.IDENTITY, about=asked.body.child)
    draft = Draft(seen, permit.act, (permit,))
    child, school = children_of(seen.state)[asked.body.child], school_of(seen.state)
    own = any(one.id == asked.body.emergency and one.member == asked.actor.id for one in child.emergencies)
    if reviewer is None and not own:
        view = seen.views[child.id]
        raise access.denial(view, asked.actor, Action.DECIDE, Category.LOG, asked.body.purpose, "not_own")
    found = _named(asked, child)
    if found.ends_at <= seen.now:
        raise conflict("this emergency access is over already: nothing is left to end", version=found.version)
    ended = replace(found, ends_at=seen.now)
    draft.end_emergency(child.id, found, seen.now)
    return _changed(asked, seen, draft, child, school, ended)


def decide_review_emergency(asked: Asked[ReviewEmergency], seen: Snapshot) -> Change:
    """Records what someone else found; with it the reviewers' own access ends."""
    permit = seen.require(asked, Action.DECIDE, Category.LOG, about=asked.body.child)
    body, draft = asked.body, Draft(seen, permit.act, (permit,))
    child, school = children_of(seen.state)[body.child], school_of(seen.state)
    found = _named(asked, child)
    refusal = "nobody reviews their own emergency access: another reviewer does"
    check_other_hands(asked.actor, found.member, found.operator, refusal)
    if found.outcome is not None:
        raise conflict("this emergency access is reviewed already", outcome=found.outcome.value)
    stops = body.outcome is ReviewOutcome.NOT_JUSTIFIED and found.ends_at > seen.now
    judged = replace(
        found,
        outcome=body.outcome,
        reviewed_by=asked.actor.id,
        reviewed_at=seen.now,
        ends_at=seen.now if stops else found.ends_at,
    )
    values = {
        "outcome": judged.outcome,
        "reviewed_by": judged.reviewed_by,
        "reviewed_at": judged.reviewed_at,
        "ends_at": judged.ends_at,
        "review_reason": body.reason,
    }
    draft.write("emergency", found.id, found.version, values)
    fact = EmergencyReviewed(emergency=found.id, member=found.member, outcome=body.outcome)
    draft.tell(fact, child.id, found.id)
    if stops:
        draft.end_emergency(child.id, found, seen.now)
    return _changed(asked, seen, draft, child, school, judged)


def _changed(
    asked: Asked[Any], seen: Snapshot, draft: Draft, child: Child, school: School, changed: Emergency
) -> Change:
    rest = tuple(changed if one.id == changed.id else one for one in child.emergencies)
    draft.publish_child(replace(child, emergencies=rest), school)
    reply = {"emergency": str(changed.id), "version": changed.version + 1, "revision": child.revision + 1}
    return draft.change(reply | draft.withdraws(asked.ids.time_ordered(seen.now), child.id, changed.id))
