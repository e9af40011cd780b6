"""What may be asked of network: bodies and pure decisions. Each answer's journal line is committed before it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.network.authority import holder_act
from services.network.consent_state import state_at
from services.network.draft import as_mandate, as_moment
from services.network.members import SourcedId, without_grant
from services.network.model import Authority, Child, Consent, Membership, children_of, school_of
from services.network.spans import FOREVER
from services.network.times import renewable_from
from shared import access
from shared.access import Denial, Permit
from shared.events.base import Act, NewEvent, Viewed
from shared.events.network import Grant
from shared.events.words import Action, ActorKind, Category, Role, school_subject
from shared.unit import Asked, Change, Query, Snapshot

SERVICE = "network"


class ChildNetwork(Query):
    """Who is round a child."""

    child: UUID


class Consents(Query):
    """Which consents there are about a child, and how they stand."""

    child: UUID


class Children(Query):
    """The children in whose network the asking person takes part, or on whose plan they decide by authority alone;
    `everyone`: all of the school, for its keepers.

    At most 500, in order of id; ask on with `after` the last.
    """

    everyone: bool = False
    after: UUID | None = None


class FindPerson(Query):
    """Whose sourced id is this."""

    sourced_id: SourcedId


class SchoolMembers(Query):
    """The school's own network, by id."""


class ContactPoint(Query):
    """Where a member is reached for a notice about a subject. For the service notifications only."""

    member: UUID
    about: UUID


def viewed(
    query: str,
    about: UUID,
    act: Act,
    result: Any,  # noqa: ANN401  JSON
    things: int,
    permits: Iterable[Permit],
    thing: UUID | None = None,
) -> Change:
    """Returns the Change of a query: the line that someone looked, and the answer."""
    event = NewEvent(Viewed(query=query, things=things), about=about, act=act, thing=thing, producer=SERVICE)
    return Change(permits=tuple(permits), events=(event,), result=result)


def also(
    seen: Snapshot, asked: Asked[Any], action: Action, category: Category, about: UUID | None = None
) -> Permit | None:
    """Returns the permit for something more than what was asked, None when there is none: no denial."""
    try:
        return seen.require(asked, action, category, about=about)
    except Denial:
        return None


def family(child: Child) -> frozenset[UUID]:
    """Returns the child, and who is or was its guardian."""
    return frozenset(one.person for one in child.memberships if one.role in {Role.GUARDIAN, Role.CHILD})


def _status(starts_at: datetime, ends_at: datetime | None, now: datetime) -> str:
    if starts_at > now:
        return "proposed"
    return "active" if (ends_at or FOREVER) > now else "inactive"


def decide_child_network(asked: Asked[ChildNetwork], seen: Snapshot) -> Change:
    """Answers who takes part, in which role, until when, and who has authority; contact only for those who may."""
    child_id = asked.body.child
    permit = seen.require(asked, Action.VIEW, Category.NETWORK, about=child_id)
    contact = also(seen, asked, Action.VIEW, Category.CONTACT, child_id)
    child = children_of(seen.state)[child_id]
    result = {
        "child": str(child.id),
        **names_of(seen.state["persons"].get(str(child.id))),
        "status": child.status(seen.now).value,
        "members": [_member(one, seen, contact=contact is not None) for one in child.memberships],
        "authorities": [_authority(one, child, seen.now) for one in child.authorities],
    }
    permits = (permit, contact) if contact else (permit,)
    act = permit.act if contact is None else contact.act
    return viewed("child-network", child.id, act, result, len(child.memberships), permits)


def names_of(person: dict[str, Any] | None) -> dict[str, Any]:
    """Returns the names that an answer shows."""
    found = person or {}
    return {"given_name": found.get("given_name"), "family_name": found.get("family_name")}


def _member(one: Membership, seen: Snapshot, *, contact: bool) -> dict[str, Any]:
    person = seen.state["persons"].get(str(one.person))
    placed = None if is_veiled(person, contact=contact) else one.organisation
    shown = {
        "membership": str(one.id),
        "version": one.version,
        "person": str(one.person),
        **names_of(person),
        "role": one.role.value,
        "organisation": str(placed) if placed else None,
        "organisation_name": seen.state["organisations"].get(str(placed)),
        "on_behalf_of": str(one.on_behalf_of) if one.on_behalf_of else None,
        "status": one.status(seen.now).value,
        "starts_at": as_moment(one.starts_at),
        "ends_at": as_moment(one.ends_at),
        "mandate": as_mandate(one.mandate),
        "agreement": person.get("agreement") if person else None,
    }
    if contact and person:
        shown |= {"email": person["email"], "phone": person["phone"], "confidential": bool(person.get("confidential"))}
    return shown


def is_veiled(person: Mapping[str, Any] | None, *, contact: bool) -> bool:
    """Tells whether an answer leaves out what would tell where to find this person: its organisation."""
    return not contact and bool(person and person.get("confidential"))


def _authority(one: Authority, child: Child, now: datetime) -> dict[str, Any]:
    held = child.holding(one)  # by age too: who looks may know that
    return {
        "authority": str(one.id),
        "version": one.version,
        "holder": str(one.holder),
        "scope": [decision.value for decision in one.scope],
        "source": one.source,
        "role": one.role.value,
        "status": _status(held.since, held.until, now),
        "starts_at": as_moment(one.starts_at),
        "ends_at": as_moment(one.ends_at),
    }


def decide_consents(asked: Asked[Consents], seen: Snapshot) -> Change:
    """Answers how each consent stands. A guardian, in whatever role, sees the own answer and the state, no other's."""
    act, permits = holder_act(asked, seen, Action.VIEW)
    child = children_of(seen.state)[asked.body.child]
    names = {key: " ".join(filter(None, names_of(one).values())) for key, one in seen.state["persons"].items()}
    names |= seen.state["organisations"]
    only = asked.actor.id if asked.actor.id in child.guardians or act.role is Role.GUARDIAN else None
    shown = [_consent(one, child, seen.now, names, only) for one in child.consents]
    return viewed("consents", child.id, act, {"consents": shown}, len(shown), permits)


def _consent(one: Consent, child: Child, now: datetime, names: dict[str, str], only: UUID | None) -> dict[str, Any]:
    return {
        "consent": str(one.id),
        "version": one.version,
        "for_purpose": one.for_purpose.value,
        "recipient_kind": one.recipient_kind.value,
        "recipient": str(one.recipient),
        "recipient_name": names.get(str(one.recipient)),
        "categories": [category.value for category in one.categories],
        "notice_version": one.notice_version,
        "starts_at": as_moment(one.starts_at),
        "ends_at": as_moment(one.ends_at),
        "state": state_at(one, child, now).value,
        "in_force": one.span.holds(now) and state_at(one, child, now) == "given",
        "renews": str(one.renews) if one.renews else None,
        "renew_from": as_moment(renewable_from(one)),
        "answers": [
            {
                "holder": str(answer.holder),
                "capacity": answer.capacity.value,
                "answer": answer.answer.value,
                "at": as_moment(answer.at),
            }
            for answer in one.answers
            if only is None or answer.holder == only
        ],
    }


def decide_children(asked: Asked[Children], seen: Snapshot) -> Change:
    """Answers the children whose identity the asking person may see, or on whose plan they decide by authority."""
    if asked.body.everyone:
        permit = seen.require(asked, Action.VIEW, Category.IDENTITY, about=school_subject(asked.school))
        shown = seen.state["children"]
        return viewed("children", permit.subject, permit.act, {"children": shown}, len(shown), (permit,))
    shown, permits = [], []
    for child in seen.state["children"]:
        id_ = UUID(child["id"])
        found = also(seen, asked, Action.VIEW, Category.IDENTITY, id_)
        if found is None and child["id"] in seen.state["held"]:
            found = also(seen, asked, Action.VIEW, Category.PLAN, id_)
        if found is not None:
            shown.append(child)
            permits.append(found)
    if not permits:
        # In nobody's network: keepers of the school's records get an empty list, others a denial about the school.
        permits.append(seen.require(asked, Action.VIEW, Category.IDENTITY, about=school_subject(asked.school)))
    events = tuple(
        NewEvent(Viewed(query="children", things=min(1, len(shown))), about=one.subject, act=one.act, producer=SERVICE)
        for one in permits
    )
    return Change(permits=tuple(permits), events=events, result={"children": shown})


def decide_find_person(asked: Asked[FindPerson], seen: Snapshot) -> Change:
    """Answers who has this sourced id, with the memberships that stand; an operator learns ids and no names."""
    permits: tuple[Permit, ...] = ()
    if asked.actor.kind is ActorKind.OPERATOR:
        act = without_grant(asked, Action.VIEW, Category.IDENTITY)
    else:
        permits = (seen.require(asked, Action.VIEW, Category.IDENTITY),)
        act = permits[0].act
    shown = [
        {
            "person": one["id"],
            "version": one["version"],
            **(names_of(one) if permits else {}),
            "pupil": one["pupil"],
            "memberships": one["memberships"],
        }
        for one in seen.state["persons"]
    ]
    about = UUID(shown[0]["person"]) if shown and shown[0]["pupil"] else school_subject(asked.school)
    thing = UUID(shown[0]["person"]) if shown else None
    return viewed("find-person", about, act, {"persons": shown}, len(shown), permits, thing)


def decide_school(asked: Asked[SchoolMembers], seen: Snapshot) -> Change:
    """Answers who takes part in the school's own network, by id and role."""
    permit = seen.require(asked, Action.VIEW, Category.NETWORK)
    school = school_of(seen.state)
    members = [
        {
            "membership": str(one.id),
            "version": one.version,
            "person": str(one.person),
            "role": one.role.value,
            "status": one.status(seen.now).value,
        }
        for one in school.memberships
    ]
    result = {"slug": asked.school, "subject": str(school.id), "members": members}
    return viewed("school", school.id, permit.act, result, len(members), (permit,))


def decide_contact_point(asked: Asked[ContactPoint], seen: Snapshot) -> Change:
    """Answers a member's address to the service that sends notices, while that member may receive there."""
    act = without_grant(asked, Action.VIEW, Category.CONTACT, service="notifications")
    permit = _receiving(asked, seen, act)
    result = {"email": seen.state["email"]}
    return viewed("contact-point", asked.body.about, act, result, 1, (permit,), asked.body.member)


def _receiving(asked: Asked[ContactPoint], seen: Snapshot, act: Act) -> Permit:
    """Returns the permit that the member's own grant to receive gives, or raises Denial."""
    body, view = asked.body, seen.views[asked.body.about]
    if not view.fresh:
        raise access.denial(view, asked.actor, Action.VIEW, Category.CONTACT, body.purpose, "cannot_verify_now")
    grants = (Grant.model_validate(grant) for grant in seen.state["grants"])
    holding = [
        grant
        for grant in grants
        if Action.RECEIVE in grant.actions
        and grant.valid_from <= seen.clock
        and (grant.valid_until is None or seen.clock + access.HOLDS_FOR <= grant.valid_until)
    ]
    # The view's grants are the service's, of which there are none; its revision tells whether the subject is open.
    if not holding or view.revision is None:
        raise access.denial(view, asked.actor, Action.VIEW, Category.CONTACT, body.purpose, "no_longer_receives")
    best = max(holding, key=lambda grant: (grant.valid_until is None, grant.valid_until or seen.clock))
    return Permit(act, body.about, seen.state["revision"], best.valid_from, best.valid_until)
