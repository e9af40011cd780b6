"""Opening a school, and what keeps it going: bodies and pure decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import Field

from services.network.draft import Draft
from services.network.members import Managing, NewPerson, SourcedId, add_membership, add_person, conflict, without_grant
from services.network.model import Membership, School, children_of, school_of
from services.network.policy import POLICY_VERSION
from shared.events.membership import OrganisationAdded, SchoolOpened
from shared.events.words import Action, Category, Role, school_subject
from shared.text import Line
from shared.unit import Asked, Change, Snapshot


class OpenSchool(Managing):
    """Lets a school take part, with those who will keep its records and those who oversee it. Operators only."""

    name: Line
    sourced_id: SourcedId | None = None
    administrators: tuple[NewPerson, ...] = Field(default=(), max_length=20)
    auditors: tuple[NewPerson, ...] = Field(default=(), max_length=20)


class AddOrganisation(Managing):
    """Makes an outside organisation known."""

    name: Line
    sourced_id: SourcedId | None = None


class Regrant(Managing):
    """Does what waiting children wait for: new grants, and what must be told in time. For this service itself."""

    page: int = Field(default=100, ge=1, le=200)


def decide_open_school(asked: Asked[OpenSchool], seen: Snapshot) -> Change:
    """Opens the school with its first administrators and auditors."""
    act = without_grant(asked, Action.MANAGE, Category.NETWORK)
    if seen.state["school"] is not None:
        raise conflict("this school is open already: import its roster, or choose another slug", code="already_open")
    body, ids, draft = asked.body, asked.ids, Draft(seen, act)
    subject = school_subject(asked.school)
    draft.write(
        "school_profile",
        subject,
        0,
        {
            "name": body.name,
            "sourced_id": body.sourced_id,
            "wide": 1,
            "rules": POLICY_VERSION,
            "opened_at": seen.now,
        },
    )
    draft.tell(SchoolOpened(subject_id=subject), subject, subject)
    reply: dict[str, Any] = {"subject": str(subject)}
    memberships = []
    for key, role, people in (
        ("administrators", Role.SCHOOL_ADMINISTRATOR, body.administrators),
        ("auditors", Role.AUDITOR, body.auditors),
    ):
        persons = [add_person(draft, person, subject, ids) for person in people]
        reply[key] = [str(person) for person in persons]
        for person in persons:
            membership = Membership(
                ids.time_ordered(seen.now), 1, subject, person, role, None, None, "hand", seen.now, None
            )
            add_membership(draft, membership)
            memberships.append(membership)
    draft.publish_school(School(subject, 1, 1, 0, tuple(memberships)))
    return draft.change(reply)


def decide_add_organisation(asked: Asked[AddOrganisation], seen: Snapshot) -> Change:
    """Makes an outside organisation known to the school."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK)
    draft, found = Draft(seen, permit.act, (permit,)), asked.ids.time_ordered(seen.now)
    draft.write("organisation", found, 0, asked.body.model_dump(exclude={"purpose"}))
    draft.tell(OrganisationAdded(organisation=found), permit.subject, found)
    return draft.change({"organisation": str(found)})


def decide_regrant(asked: Asked[Regrant], seen: Snapshot) -> Change:
    """Tells what is due about a page of waiting children and publishes their grants, as network itself."""
    act = without_grant(asked, Action.MANAGE, Category.NETWORK, service="network")
    draft, school = Draft(seen, act), school_of(seen.state)
    children, started = children_of(seen.state).values(), seen.state["started"]
    anew = school.rules < POLICY_VERSION
    if not children and not started and not anew:
        raise conflict("no child waits for new grants: nothing is to be done", code="none_waiting")
    if started or anew:  # what a stricter policy takes away ends by itself at its start, when all are published
        school = replace(school, wide=school.wide + 1, rules=max(school.rules, POLICY_VERSION))
        draft.write("school_profile", school.id, school.version, {"wide": school.wide, "rules": school.rules})
    if anew:
        draft.publish_school(school)
    for policy in started:
        draft.withdraws(asked.ids.time_ordered(seen.now), school.id, UUID(policy))
    for child in children:
        draft.publish_child(draft.remind(child), school)
    return draft.change({"children": len(children)})
