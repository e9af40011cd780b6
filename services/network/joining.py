"""Members added to a network and ended, by command: bodies and pure decisions."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from services.network.draft import Draft
from services.network.members import (
    Circle,
    GivenMandate,
    Managing,
    NewPerson,
    NewTool,
    add_membership,
    add_person,
    add_tool,
    end_membership,
    end_of,
    invalid,
)
from services.network.model import Membership
from services.network.spans import day_start
from shared.events.words import Action, Category, Role
from shared.text import Code, Day
from shared.unit import Asked, Change, Snapshot


class AddMember(Managing):
    """Adds a person or local tool, known or new, to the network of a child or of the school.

    `starts_on` None: now. `ends_on` is the first day on which it no longer holds; None: until it is ended.
    """

    subject: UUID
    role: Role
    person: UUID | None = None
    new_person: NewPerson | None = None
    new_tool: NewTool | None = None
    organisation: UUID | None = None
    on_behalf_of: UUID | None = None
    starts_on: Day | None = None
    ends_on: Day | None = None
    mandate: GivenMandate | None = None


class EndMembership(Managing):
    """Ends a membership, now or from `ends_on` on. `reason` is a code."""

    subject: UUID
    membership: UUID
    version: int
    reason: Code = "ended"
    ends_on: Day | None = None


def decide_add_member(asked: Asked[AddMember], seen: Snapshot) -> Change:
    """Adds a member to a child's or the school's network; the grants follow in the same transaction."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.subject)
    body, draft = asked.body, Draft(seen, permit.act, (permit,))
    circle = Circle.of(seen, body.subject)
    _check_new_member(body, circle, seen)
    if body.person is not None:
        person = body.person
    elif body.new_tool is not None:
        person = add_tool(draft, body.new_tool, body.subject, asked.ids)
    else:
        new = body.new_person or NewPerson(given_name="?", family_name="?")
        person = add_person(draft, new, body.subject, asked.ids)
    membership = Membership(
        id=asked.ids.time_ordered(seen.now),
        version=1,
        subject=body.subject,
        person=person,
        role=body.role,
        organisation=body.organisation,
        on_behalf_of=body.on_behalf_of,
        source="hand",
        starts_at=day_start(body.starts_on) if body.starts_on else seen.now,
        ends_at=day_start(body.ends_on) if body.ends_on else None,
        mandate=body.mandate.mandate() if body.mandate else None,
    )
    if not membership.span:
        raise invalid("it would end before it starts: ends_on (of the mandate too) must lie after starts_on")
    add_membership(draft, membership)
    revision = circle.publish(draft, (*circle.memberships, membership), membership.role)
    return draft.change({"membership": str(membership.id), "version": 1, "person": str(person), "revision": revision})


def _check_new_member(body: AddMember, circle: Circle, seen: Snapshot) -> None:
    if [body.person, body.new_person, body.new_tool].count(None) != 2:
        raise invalid("name the member: one of person (known), new_person and new_tool")
    if body.role not in circle.roles:
        raise invalid("nobody has this role here: choose one of allowed", allowed=sorted(circle.roles))
    if body.role is Role.CHILD and body.person != body.subject:
        raise invalid("only the child itself has the role child in its network")
    if body.role is not Role.CHILD:
        circle.check_placed(seen)
    _check_tool(body, seen)
    for field, known in (
        ("person", "person_known"),
        ("organisation", "organisation_known"),
        ("on_behalf_of", "behalf_known"),
    ):
        if getattr(body, field) is not None and not seen.state[known]:
            raise invalid(f"{field} is not known to this school: find it or add it first", field=field)
    if body.person is not None:
        circle.check_not_there(body.person, body.role, seen)


def _check_tool(body: AddMember, seen: Snapshot) -> None:
    known = bool(seen.state["is_tool"]) if body.person is not None else body.new_tool is not None
    if (body.role is Role.LOCAL_TOOL) != known:
        raise invalid("the role local_tool is for local tools, and they have no other: name one as new_tool")


def decide_end_membership(asked: Asked[EndMembership], seen: Snapshot) -> Change:
    """Ends a membership and every grant that hung on it."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=asked.body.subject)
    body, draft = asked.body, Draft(seen, permit.act, (permit,))
    circle = Circle.of(seen, body.subject)
    found = circle.find(body.membership, body.version, seen.now)
    ended = replace(found, ends_at=end_of(body.ends_on, found.ends_at, seen.now))
    end_membership(draft, ended, body.reason, by_hand=True)
    revision = circle.publish(draft, circle.with_changed(ended), found.role)
    reply = {"membership": str(found.id), "version": found.version + 1, "revision": revision}
    if not body.ends_on:
        reply |= draft.withdraws(asked.ids.time_ordered(seen.now), body.subject, found.id)
    return draft.change(reply)
