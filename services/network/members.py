"""Who takes part in a child's or the school's network: what every command about that shares. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.network.draft import Draft, act_without_grant, membership_row
from services.network.model import Child, Mandate, Membership, School, children_of, school_of
from services.network.policy import ROLES_OF_CHILD, ROLES_OF_SCHOOL, reaches_all
from services.network.spans import day_start
from shared import access
from shared.access import View
from shared.actor import service_id
from shared.clock import Ids
from shared.errors import Problem, ProblemType
from shared.events.base import Act
from shared.events.membership import MemberAdded, MembershipEnded, PersonAdded
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role, school_subject
from shared.text import Code, Day, Line
from shared.unit import Asked, Request, Snapshot, stale

Email = Annotated[Line, Field(max_length=254, pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")]
SourcedId = Annotated[Line, Field(max_length=200)]


class Managing(Request):
    """A request of those who keep a school's records."""

    purpose: Purpose = Purpose.ADMINISTRATION


class NewPerson(Request):
    """Someone the school does not know yet."""

    given_name: Line
    family_name: Line
    email: Email | None = None
    phone: Line | None = None
    sourced_id: SourcedId | None = None


class NewTool(Request):
    """A local tool that the school does not know yet. `agreement` refers to the processing agreement with its maker."""

    name: Line
    agreement: Line


class GivenMandate(Request):
    """What a member is there for (a code), and when: `ends_on` is the first day on which it no longer holds."""

    code: Code
    starts_on: Day | None = None
    ends_on: Day | None = None

    def mandate(self) -> Mandate:
        """Returns it in moments."""
        return Mandate(
            self.code,
            day_start(self.starts_on) if self.starts_on else None,
            day_start(self.ends_on) if self.ends_on else None,
        )


def invalid(detail: str, **more: Any) -> Problem:  # noqa: ANN401  JSON values
    """Returns the problem for a request that can't be meant so."""
    return Problem(ProblemType.INVALID, detail, **more)


def conflict(detail: str, **more: Any) -> Problem:  # noqa: ANN401  JSON values
    """Returns the problem for a request that does not fit the present state."""
    return Problem(ProblemType.CONFLICT, detail, **more)


def end_of(ends_on: date | None, known: datetime | None, now: datetime) -> datetime:
    """Returns the moment at which something ends that was known to end at `known`: never later, and not in the past.

    Earlier looks were lawful, and what ends must not hold longer than it did.
    """
    end = day_start(ends_on) if ends_on else now
    if end < now:
        raise invalid("what was done until now stays lawful: leave ends_on out (it ends now), or name a day to come")
    if known is not None and end > known:
        raise conflict("it ends earlier already: let it end, then add a new one", ends_at=known.isoformat())
    return end


def without_grant(asked: Asked[Any], action: Action, category: Category, *, service: str | None = None) -> Act:
    """Returns the act of an operator (or of the one service named), or raises Denial for anyone else."""
    actor = asked.actor
    fits = (
        actor.kind is ActorKind.OPERATOR
        if service is None
        else actor.kind is ActorKind.SERVICE and actor.id == service_id(service)
    )
    if not fits:
        view = View(school_subject(asked.school), None, (), fresh=True)
        raise access.denial(view, actor, action, category, asked.body.purpose, "no_grant")
    return act_without_grant(actor, action, category, asked.body.purpose, Basis.PUBLIC_TASK)


def add_person(draft: Draft, person: NewPerson, about: UUID, ids: Ids) -> UUID:
    """Drafts a new person; returns the pseudonym."""
    found = ids.pseudonym()
    draft.write("person", found, 0, person.model_dump(exclude={"purpose"}))
    draft.tell(PersonAdded(person=found, pupil=False), about, found)
    return found


def add_tool(draft: Draft, tool: NewTool, about: UUID, ids: Ids) -> UUID:
    """Drafts a new local tool, which is kept among the persons; returns the pseudonym."""
    found = ids.pseudonym()
    draft.write("person", found, 0, {"given_name": tool.name, "family_name": "(app)", "agreement": tool.agreement})
    draft.tell(PersonAdded(person=found, pupil=False), about, found)
    return found


def add_membership(draft: Draft, membership: Membership) -> None:
    """Drafts a new membership and tells it."""
    draft.write("membership", membership.id, 0, membership_row(membership))
    fact = MemberAdded(
        membership=membership.id,
        member=membership.person,
        role=membership.role,
        organisation=membership.organisation,
        on_behalf_of=membership.on_behalf_of,
        starts_at=membership.starts_at,
        ends_at=membership.ends_at,
        mandate=membership.mandate.code if membership.mandate else None,
        mandate_ends_at=membership.mandate.ends_at if membership.mandate else None,
    )
    draft.tell(fact, membership.subject, membership.id)


def end_membership(draft: Draft, ended: Membership, reason: str, *, by_hand: bool) -> None:
    """Drafts the end of a membership; `ended` has the end in it and the version that was seen.

    `by_hand`: a command ends it, so no roster takes it up again.
    """
    by_hand = by_hand or ended.ended_by_hand
    draft.write("membership", ended.id, ended.version, {"ends_at": ended.ends_at, "ended_by_hand": by_hand})
    fact = MembershipEnded(
        membership=ended.id,
        member=ended.person,
        role=ended.role,
        ends_at=ended.ends_at or draft.now,
        reason=reason,
    )
    draft.tell(fact, ended.subject, ended.id)
    draft.ends_with(ended)


@dataclass(frozen=True, slots=True)
class Circle:
    """The network that a change of members is about: a child's, or the school's own."""

    school: School
    children: dict[UUID, Child]
    child: Child | None

    @classmethod
    def of(cls, seen: Snapshot, subject: UUID) -> Circle:
        children = children_of(seen.state)
        return cls(school_of(seen.state), children, children.get(subject))

    @property
    def memberships(self) -> tuple[Membership, ...]:
        return (self.child or self.school).memberships

    @property
    def roles(self) -> frozenset[Role]:
        return ROLES_OF_CHILD if self.child else ROLES_OF_SCHOOL

    def find(self, membership: UUID, version: int, now: datetime) -> Membership:
        """Returns a membership that has not ended, as it was seen, or raises the Problem that says what is amiss."""
        found = next((one for one in self.memberships if one.id == membership), None)
        if found is None:
            raise invalid("there is no such membership in this network: look it up with `samen network show --ids`")
        if found.version != version:
            raise stale(version, found.version)
        if not found.is_open(now):
            raise conflict("this membership has ended already: nothing is left to change", version=found.version)
        return found

    def check_placed(self, seen: Snapshot) -> None:
        """Raises a Problem when the child is no pupil here any more: nobody joins then."""
        if self.child is not None and self.child.has_left(seen.now):
            raise conflict("this child has left the school: nobody can join its network any more", code="has_left")

    def check_not_there(self, person: UUID, role: Role, seen: Snapshot) -> None:
        """Raises a Problem when this person takes part in this role already."""
        for one in self.memberships:
            if one.person == person and one.role is role and one.is_open(seen.now):
                raise conflict(
                    "takes part in this role already: end that membership first",
                    membership=str(one.id),
                    version=one.version,
                )

    def with_changed(self, *changed: Membership) -> tuple[Membership, ...]:
        """Returns the memberships with these in place of their older selves, or added."""
        ids = {one.id for one in changed}
        return (*(one for one in self.memberships if one.id not in ids), *changed)

    def publish(self, draft: Draft, memberships: tuple[Membership, ...], role: Role) -> int:
        """Publishes the grants with these members; returns the subject's new revision.

        A role that reaches every child changes theirs too: at once for those that the reader brought, the others wait
        for the regrant task.
        """
        if self.child:
            draft.publish_child(replace(self.child, memberships=memberships), self.school)
            return self.child.revision + 1
        school = replace(self.school, memberships=memberships)
        if reaches_all(role, self.school):
            school = replace(school, wide=school.wide + 1)
            draft.write("school_profile", school.id, school.version, {"wide": school.wide})
            for child in self.children.values():
                draft.publish_child(child, school)
        draft.publish_school(school)
        return school.revision + 1
