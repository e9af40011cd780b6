"""What happens to a membership on its way: left, suspended, resumed, replaced; and the end of a placement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from services.network.authority import tell_authority_ended
from services.network.draft import Draft, act_without_grant, consent_words
from services.network.invitations import open_invitations, revoke
from services.network.members import (
    Circle,
    Managing,
    NewPerson,
    add_membership,
    add_person,
    conflict,
    end_membership,
    invalid,
)
from services.network.model import Authority, Child, Consent, Membership, children_of
from shared import access
from shared.access import View
from shared.actor import Actor
from shared.events.base import Act
from shared.events.membership import MembershipResumed, MembershipSuspended, PlacementEnded
from shared.events.network import ConsentEnded
from shared.events.words import Action, ActorKind, Basis, Category, Role
from shared.text import Code
from shared.unit import Asked, Change, Request, Snapshot

MEMBERS = frozenset({ActorKind.PERSON, ActorKind.TOOL})
REASON = "placement_ended"


class LeaveNetwork(Request):
    """Ends one's own membership, now."""

    subject: UUID
    membership: UUID
    version: int


class SuspendMembership(Managing):
    """Stops what a membership gives, without ending it. `reason` is a code."""

    subject: UUID
    membership: UUID
    version: int
    reason: Code = "suspended"


class ResumeMembership(Managing):
    """Lets a suspended membership give again what it gave."""

    subject: UUID
    membership: UUID
    version: int


class ReplaceMember(Managing):
    """Puts another person in a member's place: same role, mandate and end. `organisation` None: the old one's."""

    subject: UUID
    membership: UUID
    version: int
    person: UUID | None = None
    new_person: NewPerson | None = None
    organisation: UUID | None = None


class EndPlacement(Managing):
    """Ends a child's place at this school, now, with everything that hung on it. `reason` is a code."""

    child: UUID
    reason: Code = "left_school"


def own_act(actor: Actor, role: Role, asked: Asked[Any]) -> Act:
    """Returns the act of a member who does something about the own membership."""
    act = act_without_grant(actor, Action.DECIDE, Category.NETWORK, asked.body.purpose, Basis.OWN_DATA)
    return act.model_copy(update={"role": role})


def own_memberships(
    asked: Asked[Any], memberships: Iterable[Membership], subject: UUID, seen: Snapshot
) -> list[Membership]:
    """Returns the asking member's own memberships that are in force; raises Denial when there is none."""
    found = [
        one
        for one in memberships
        if one.person == asked.actor.id and asked.actor.kind in MEMBERS and one.is_open(seen.now)
    ]
    view = seen.views.get(subject) or View(UUID(int=0), None, (), fresh=seen.leased)
    if not found or view.revision is None:
        reason = "no_membership"
        raise access.denial(view, asked.actor, Action.DECIDE, Category.NETWORK, asked.body.purpose, reason)
    return found


def decide_leave_network(asked: Asked[LeaveNetwork], seen: Snapshot) -> Change:
    """Lets a member go by own will; everything that the membership gave ends with it."""
    body, circle = asked.body, Circle.of(seen, asked.body.subject)
    own = own_memberships(asked, circle.memberships, body.subject, seen)
    if body.membership not in {one.id for one in own}:
        raise invalid("this is no membership of your own here: look it up with `samen network show --ids`")
    found = circle.find(body.membership, body.version, seen.now)
    if found.role is Role.CHILD:
        raise conflict("the network is yours: you cannot leave it, and you decide who takes part from the age of 16")
    child = circle.child
    if child and any(one.holder == found.person and one.span.holds(seen.now) for one in child.authorities):
        raise conflict("you have authority over this child, which you decide with here: ask the school to end it first")
    draft = Draft(seen, own_act(asked.actor, found.role, asked))
    return _ended(asked, seen, draft, circle, found, "own_will")


def _ended(asked: Asked[Any], seen: Snapshot, draft: Draft, circle: Circle, found: Membership, reason: str) -> Change:
    ended = replace(found, ends_at=seen.now)
    end_membership(draft, ended, reason, by_hand=True)
    revision = circle.publish(draft, circle.with_changed(ended), found.role)
    reply = {"membership": str(found.id), "version": found.version + 1, "revision": revision}
    return draft.change(reply | draft.withdraws(asked.ids.time_ordered(seen.now), found.subject, found.id))


def _managed(
    asked: Asked[SuspendMembership] | Asked[ResumeMembership] | Asked[ReplaceMember], seen: Snapshot
) -> tuple[Draft, Circle, Membership]:
    body = asked.body
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=body.subject)
    circle = Circle.of(seen, body.subject)
    found = circle.find(body.membership, body.version, seen.now)
    if found.role is Role.CHILD:
        raise invalid("the child is not suspended or replaced in its own network: end its placement if it leaves")
    return Draft(seen, permit.act, (permit,)), circle, found


def decide_suspend_membership(asked: Asked[SuspendMembership], seen: Snapshot) -> Change:
    """Stops every grant of a membership, which stays, and ends the emergency access that rests on it."""
    draft, circle, found = _managed(asked, seen)
    if found.suspended_at is not None:
        raise conflict("this membership is suspended already: resume it, or end it", version=found.version)
    draft.write("membership", found.id, found.version, {"suspended_at": seen.now})
    fact = MembershipSuspended(
        membership=found.id, member=found.person, role=found.role, at=seen.now, reason=asked.body.reason
    )
    draft.tell(fact, found.subject, found.id)
    suspended = replace(found, suspended_at=seen.now)
    draft.ends_with(suspended)
    revision = circle.publish(draft, circle.with_changed(suspended), found.role)
    reply = {"membership": str(found.id), "version": found.version + 1, "revision": revision}
    return draft.change(reply | draft.withdraws(asked.ids.time_ordered(seen.now), found.subject, found.id))


def decide_resume_membership(asked: Asked[ResumeMembership], seen: Snapshot) -> Change:
    """Gives a suspended member the grants that the facts give it now."""
    draft, circle, found = _managed(asked, seen)
    if found.suspended_at is None:
        raise conflict("this membership is not suspended: nothing is to be resumed", version=found.version)
    draft.write("membership", found.id, found.version, {"suspended_at": None})
    fact = MembershipResumed(membership=found.id, member=found.person, role=found.role)
    draft.tell(fact, found.subject, found.id)
    revision = circle.publish(draft, circle.with_changed(replace(found, suspended_at=None)), found.role)
    return draft.change({"membership": str(found.id), "version": found.version + 1, "revision": revision})


def decide_replace_member(asked: Asked[ReplaceMember], seen: Snapshot) -> Change:
    """Ends one member's part and begins another's, at one moment. Consent given to the person does not go over."""
    draft, circle, found = _managed(asked, seen)
    body = asked.body
    if found.role in {Role.GUARDIAN, Role.LOCAL_TOOL}:
        raise invalid("a guardian or a local tool is not replaced: end this membership and add the other by itself")
    if (body.person is None) == (body.new_person is None):
        raise invalid("name the successor: either person (known) or new_person, not both")
    for field, known in (("person", "person_known"), ("organisation", "organisation_known")):
        if getattr(body, field) is not None and not seen.state[known]:
            raise invalid(f"{field} is not known to this school: find it or add it first", field=field)
    if seen.state["is_tool"]:
        raise invalid("a local tool takes no person's place: add it with its own agreement")
    if body.person is not None:
        circle.check_not_there(body.person, found.role, seen)
    new = body.new_person or NewPerson(given_name="?", family_name="?")
    successor = replace(
        found,
        id=asked.ids.time_ordered(seen.now),
        version=1,
        person=body.person or add_person(draft, new, found.subject, asked.ids),
        organisation=body.organisation or found.organisation,
        source="hand",
        starts_at=seen.now,
        suspended_at=None,
    )
    if not successor.span:
        raise conflict("its mandate is over, and the successor's would be too: end this membership and add the other")
    ended = replace(found, ends_at=seen.now)
    end_membership(draft, ended, "replaced", by_hand=True)
    add_membership(draft, successor)
    revision = circle.publish(draft, circle.with_changed(ended, successor), found.role)
    reply = {
        "membership": str(successor.id),
        "version": 1,
        "person": str(successor.person),
        "ended": str(found.id),
        "revision": revision,
    }
    return draft.change(reply | draft.withdraws(asked.ids.time_ordered(seen.now), found.subject, found.id))


def decide_end_placement(asked: Asked[EndPlacement], seen: Snapshot) -> Change:
    """Ends all that hung on a child's place here, at one moment: members, consents, emergencies and the rest."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.child)
    draft, circle = Draft(seen, permit.act, (permit,)), Circle.of(seen, asked.body.child)
    child = children_of(seen.state)[asked.body.child]
    if child.has_left(seen.now):
        raise conflict("this child has left the school already: nothing is left to end")
    left, fact = cut_all(draft, seen, child, asked.body.reason, by_hand=True)
    draft.publish_child(left, circle.school)
    reply = {"child": str(child.id), "revision": child.revision + 1, **fact.model_dump(include=COUNTED)}
    return draft.change(reply | draft.withdraws(asked.ids.time_ordered(seen.now), child.id, child.id))


def cut_all(
    draft: Draft, seen: Snapshot, child: Child, reason: str, *, by_hand: bool = False
) -> tuple[Child, PlacementEnded]:
    """Drafts the end of all that hangs on a child's place; returns the child with that, and what was told.

    `by_hand`: a command ends the place, so no roster takes the child up again, nor anyone round it meanwhile. When the
    child is back by command, those round it may come back with the roster.
    """
    memberships = tuple(
        _cut_membership(draft, one, by_hand=by_hand and one.role is Role.CHILD) for one in child.memberships
    )
    authorities = tuple(_cut_authority(draft, one) for one in child.authorities)
    consents = tuple(_cut_consent(draft, one) for one in child.consents)
    invitations = [one for one in open_invitations(seen) if one["subject"] == str(child.id)]
    for one in invitations:
        revoke(draft, one, REASON)
    for emergency in child.emergencies:
        if emergency.ends_at > seen.now:
            draft.end_emergency(child.id, emergency, seen.now)
    fact = PlacementEnded(
        at=seen.now,
        reason=reason,
        memberships=_count(memberships, child.memberships),
        authorities=_count(authorities, child.authorities),
        consents=_count(consents, child.consents),
        invitations=len(invitations),
    )
    draft.tell(fact, child.id, child.id)
    return replace(child, memberships=memberships, authorities=authorities, consents=consents), fact


COUNTED = {"memberships", "authorities", "consents", "invitations"}


def _count(after: tuple[object, ...], before: tuple[object, ...]) -> int:
    return sum(one is not other for one, other in zip(after, before, strict=True))


def _cut_membership(draft: Draft, one: Membership, *, by_hand: bool) -> Membership:
    if not one.is_open(draft.now):
        return one
    ended = replace(one, ends_at=draft.now)
    end_membership(draft, ended, REASON, by_hand=by_hand)
    return ended


def _cut_authority(draft: Draft, one: Authority) -> Authority:
    if one.ends_at is not None and one.ends_at <= draft.now:
        return one
    ended = replace(one, ends_at=draft.now)
    tell_authority_ended(draft, ended, by_hand=False)
    return ended


def _cut_consent(draft: Draft, one: Consent) -> Consent:
    """Cuts its period short; how it stands, and who answered what, stays on record."""
    if one.ends_at <= draft.now:
        return one
    ended = replace(one, ends_at=draft.now, version=one.version + 1)
    draft.write("consent", one.id, one.version, {"ends_at": draft.now})
    draft.tell(ConsentEnded(**consent_words(ended), reason=REASON), one.child, one.id)
    return ended
