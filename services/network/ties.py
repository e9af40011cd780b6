"""The ecogram: who is round a child, and how close members say they stand. Bodies and pure decisions."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from services.network.draft import Draft, as_moment
from services.network.lifecycle import own_act, own_memberships
from services.network.members import invalid
from services.network.model import Child, Membership, Status, children_of
from services.network.policy import SCHOOL_TEAM
from services.network.queries import also, is_veiled, names_of, viewed
from shared.access import Permit
from shared.events.membership import TieStated
from shared.events.words import NAMESPACE, Action, Category, Role, Setting
from shared.unit import Asked, Change, Query, Request, Snapshot, stale

SETTINGS = {
    Role.GUARDIAN: Setting.HOME,
    Role.CHILD: Setting.CHILD,
    Role.THERAPIST: Setting.CARE,
    Role.CARE_PROFESSIONAL: Setting.CARE,
    Role.LOCAL_TOOL: Setting.SCHOOL,
    **dict.fromkeys(SCHOOL_TEAM, Setting.SCHOOL),
}
"""Where each role in a child's network stands."""


class Strength(StrEnum):
    """How close a tie is, in the words of ecograms."""

    STRONG = "strong"
    ORDINARY = "ordinary"
    WEAK = "weak"
    STRAINED = "strained"
    BROKEN = "broken"


class StateTie(Request):
    """Says how close one stands oneself to the child (`to` None) or to another member. `version`: that was seen."""

    child: UUID
    to: UUID | None = None
    strength: Strength
    version: int | None = None


class Ecogram(Query):
    """Who is in a child's network, in which setting, until when, with the ties that members state."""

    child: UUID


def decide_state_tie(asked: Asked[StateTie], seen: Snapshot) -> Change:
    """Keeps a member's own word on a tie; the words before it stay on record."""
    body, me = asked.body, asked.actor.id
    child = children_of(seen.state).get(body.child)
    own = own_memberships(asked, child.memberships if child else (), body.child, seen)
    own = [one for one in own if one.status(seen.now) is Status.ACTIVE]
    if child is None or not own:
        raise invalid("your part in this network is not active now: ask the school")
    permits: tuple[Permit, ...] = ()
    if body.to not in {None, child.id}:
        # To name another member one must be allowed to see who they are.
        permits = (seen.require(asked, Action.VIEW, Category.NETWORK, about=child.id),)
        if body.to == me or not any(one.person == body.to and one.is_open(seen.now) for one in child.memberships):
            raise invalid(
                "a tie is to the child or another member round it: look it up with `samen network show --ids`"
            )
    other = body.to or child.id
    if other == me:
        raise invalid("a tie is to someone else: name the member with `to`")
    id_ = uuid5(NAMESPACE, f"tie:{child.id}:{me}:{other}")
    known = next((one["version"] for one in seen.state["ties"] if one["id"] == str(id_)), 0)
    if body.version is not None and body.version != known:
        raise stale(body.version, known)
    draft = Draft(seen, own_act(asked.actor, own[0].role, asked), permits)
    said: dict[str, Any] = {"strength": body.strength, "stated_at": seen.now}
    draft.write("tie", id_, known, said if known else {"child": child.id, "person": me, "other": other, **said})
    draft.write("tie_version", asked.ids.time_ordered(seen.now), 0, {"tie": id_, "number": known + 1, **said})
    draft.tell(TieStated(tie=id_, tie_version=known + 1, member=me, other=other), child.id, id_)
    return draft.change({"tie": str(id_), "version": known + 1})


def decide_ecogram(asked: Asked[Ecogram], seen: Snapshot) -> Change:
    """Answers the ecogram as data. A guardian, in whatever role, sees of another only the tie to the child."""
    permit = seen.require(asked, Action.VIEW, Category.NETWORK, about=asked.body.child)
    child = children_of(seen.state)[asked.body.child]
    contact = also(seen, asked, Action.VIEW, Category.CONTACT, child.id)
    shown = [one for one in child.memberships if one.role is not Role.CHILD and one.status(seen.now) != Status.INACTIVE]
    ties = _ties(asked.actor.id, seen, child, shown)
    result = {
        "child": str(child.id),
        **names_of(seen.state["persons"].get(str(child.id))),
        "status": child.status(seen.now).value,
        "members": [_member(one, seen, contact=contact is not None) for one in shown],
        "ties": ties,
    }
    permits = (permit, contact) if contact else (permit,)
    return viewed("ecogram", child.id, permit.act, result, len(shown), permits)


def _member(one: Membership, seen: Snapshot, *, contact: bool) -> dict[str, Any]:
    person = seen.state["persons"].get(str(one.person))
    placed = None if is_veiled(person, contact=contact) else one.organisation
    return {
        "membership": str(one.id),
        "person": str(one.person),
        **names_of(person),
        "role": one.role.value,
        "setting": SETTINGS[one.role].value,
        "organisation_name": seen.state["organisations"].get(str(placed)),
        "status": one.status(seen.now).value,
        "mandate": one.mandate.code if one.mandate else None,
        "until": as_moment(one.until),
    }


def _ties(me: UUID, seen: Snapshot, child: Child, shown: list[Membership]) -> list[dict[str, Any]]:
    there = {str(one.person) for one in shown} | {str(child.id)}
    others = child.guardians - {me} if me in child.guardians else frozenset()
    hidden = {str(one) for one in others}
    return [
        {
            "from": one["person"],
            "to": one["other"],
            "strength": one["strength"],
            "version": one["version"],
            "stated_at": one["stated_at"],
        }
        for one in seen.state["ties"]
        if {one["person"], one["other"]} <= there
        and not (one["person"] in hidden and one["other"] != str(child.id))
        and not (one["other"] in hidden and one["person"] != str(me))
    ]
