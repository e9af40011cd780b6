"""Whoever has an invitation's secret can look at what the mandate will allow, and take it. Bodies and pure decisions.

But not whoever made it, and only while its maker may still invite so. A secret that can't be used (wrong, used,
expired, revoked) is refused in one and the same way, after one and the same look: nothing tells whether
there ever was one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from services.network.draft import Draft, act_without_grant
from services.network.invitations import Secret, may_invite
from services.network.members import (
    Circle,
    Email,
    add_membership,
    invalid,
)
from services.network.model import Mandate, Membership
from services.network.queries import viewed
from services.network.words import allowed_to
from shared import access
from shared.access import Denial, View
from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.membership import InvitationTaken, PersonAdded
from shared.events.words import Action, ActorKind, Basis, Category, Role, school_subject
from shared.text import Line
from shared.unit import Asked, Change, Query, Request, Snapshot
from shared.unit_run import problem

MOST_WRONG = 20
"""Wrong secrets that are answered a door and minute."""


class Introduction(Request):
    """Who takes an invitation, when the school does not know this person yet."""

    given_name: Line
    family_name: Line
    email: Email | None = None
    phone: Line | None = None


class TakeInvitation(Request):
    """Takes part by an invitation. `new_person` only when the school does not know the asking person."""

    secret: Secret
    new_person: Introduction | None = None


class Invitation(Query):
    """What an invitation is for, and what it will allow."""

    secret: Secret


B = TypeVar("B", bound=BaseModel)
_MANDATE = TypeAdapter(Mandate | None)


class Tries:
    """Counts wrong secrets by door and minute of the database's clock.

    In this process's memory: each replica counts for itself, and a restart begins anew. Guessing is hopeless by the
    secret's length; this keeps a guesser from filling the journal. Who has a right secret is never held up by others.
    """

    def __init__(self, most: int = MOST_WRONG) -> None:
        self._most = most
        self._minute = 0
        self._wrong: Counter[str] = Counter()

    def limit(self, decide: Callable[[Asked[B], Snapshot], Change]) -> Callable[[Asked[B], Snapshot], Change]:
        """Returns `decide`, which answers no more wrong secrets than that."""

        def limited(asked: Asked[B], seen: Snapshot) -> Change:
            try:
                return decide(asked, seen)
            except Denial:
                if not self._counts(asked.actor.door, seen.clock):
                    raise Problem(
                        ProblemType.RATE_LIMITED, "too many invitations were tried that can't be used: wait a minute"
                    ) from None
                raise

        return limited

    def _counts(self, door: str, at: datetime) -> bool:
        minute = int(at.timestamp() // 60)
        if minute != self._minute:
            self._minute, self._wrong = minute, Counter()
        self._wrong[door] += 1
        return self._wrong[door] <= self._most


def _refused(asked: Asked[Any]) -> Denial:
    view = View(school_subject(asked.school), None, (), fresh=True)
    return access.denial(view, asked.actor, Action.VIEW, Category.NETWORK, asked.body.purpose, "no_such_invitation")


def _found(asked: Asked[Any], seen: Snapshot) -> dict[str, Any]:
    """Returns the invitation that was read, or raises what every secret gets that can't be used (now)."""
    found: dict[str, Any] | None = seen.state["invitation"]
    if found is None:
        raise _refused(asked)
    circle = Circle.of(seen, UUID(found["subject"]))
    view = seen.views.get(UUID(found["subject"]))
    closed = view is None or view.revision is None  # since a recovery, until it was reviewed
    if closed or (circle.child is not None and circle.child.has_left(seen.now)):
        raise _refused(asked)
    if not found["taken_at"] and not _is_vouched(found, circle, asked.actor, seen.now):
        raise _refused(asked)
    return found


def _is_vouched(found: dict[str, Any], circle: Circle, actor: Actor, now: datetime) -> bool:
    """Tells whether whoever made an invitation may still make it, by the facts as they stand; and is not who asks."""
    maker = UUID(found["invited_by"])
    return maker not in {actor.id, actor.on_behalf_of} and may_invite(maker, Role(found["role"]), circle, now)


def decide_invitation(asked: Asked[Invitation], seen: Snapshot) -> Change:
    """Answers what an invitation is for: the school, the role and what it allows. Nothing about the child."""
    found = _found(asked, seen)
    if found["taken_at"]:
        raise _refused(asked)
    act = act_without_grant(asked.actor, Action.VIEW, Category.NETWORK, asked.body.purpose, Basis.PUBLIC_TASK)
    of_child = found["subject"] != str(school_subject(asked.school))
    result = {
        "school_name": seen.state["school_name"],
        "network": "child" if of_child else "school",
        "role": found["role"],
        "organisation_name": seen.state["organisation_name"],
        "mandate": found["mandate"],
        "expires_at": found["expires_at"],
        "allows": allowed_to(Role(found["role"]), of_child=of_child),
    }
    return viewed("invitation", UUID(found["subject"]), act, result, 1, (), UUID(found["id"]))


def decide_take_invitation(asked: Asked[TakeInvitation], seen: Snapshot) -> Change:
    """Makes the asking person a member; the grants follow in the same transaction."""
    found, person = _found(asked, seen), asked.actor.id
    if found["taken_at"]:
        raise problem("forbidden")  # this person took it: a retry is answered with the first reply, anything else so
    if asked.actor.kind is not ActorKind.PERSON or found["subject"] == str(person):
        raise _refused(asked)
    act = act_without_grant(asked.actor, Action.PROPOSE, Category.NETWORK, asked.body.purpose, Basis.PUBLIC_TASK)
    subject, invitation, role = UUID(found["subject"]), UUID(found["id"]), Role(found["role"])
    draft, circle = Draft(seen, act), Circle.of(seen, subject)
    circle.check_not_there(person, role, seen)
    organisation = UUID(found["organisation"]) if found["organisation"] else None
    _introduce(asked, seen, draft, subject, organisation)
    membership = Membership(
        id=asked.ids.time_ordered(seen.now),
        version=1,
        subject=subject,
        person=person,
        role=role,
        organisation=organisation,
        on_behalf_of=None,
        source="hand",
        starts_at=seen.now,
        ends_at=None,
        mandate=_MANDATE.validate_python(found["mandate"]),
    )
    draft.write("invitation", invitation, found["version"], {"taken_at": seen.now, "taken_by": person})
    draft.tell(InvitationTaken(invitation=invitation, membership=membership.id, member=person), subject, invitation)
    add_membership(draft, membership)
    revision = circle.publish(draft, circle.with_changed(membership), role)
    return draft.change({"membership": str(membership.id), "version": 1, "person": str(person), "revision": revision})


def _introduce(
    asked: Asked[TakeInvitation], seen: Snapshot, draft: Draft, subject: UUID, organisation: UUID | None
) -> None:
    """Drafts the asking person, under the id that the door knows it by, when the school does not know it yet."""
    new, person = asked.body.new_person, asked.actor.id
    if (new is None) != bool(seen.state["person_known"]):
        raise invalid("say who you are with new_person if the school does not know you yet, and only then")
    if new is not None:
        draft.write("person", person, 0, new.model_dump(exclude={"purpose"}) | {"organisation": organisation})
        draft.tell(PersonAdded(person=person, pupil=False), subject, person)
