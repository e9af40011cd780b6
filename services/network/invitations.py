"""Invitations: single use, expiring, for one role in one network. Bodies and pure decisions.

Whoever has the secret can look at what the mandate will allow, and take it. A secret that is wrong, used, expired or
revoked is refused in one and the same way, after one and the same look: nothing tells whether there ever was one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter

from services.network.draft import Draft, act_without_grant, as_mandate, as_moment
from services.network.members import (
    Circle,
    Email,
    GivenMandate,
    add_membership,
    conflict,
    invalid,
)
from services.network.model import Mandate, Membership, day_start
from services.network.policy import EXTERNAL, WIDE
from services.network.queries import also, viewed
from services.network.words import allowed_to
from shared import access
from shared.access import Denial, Permit, View
from shared.errors import Problem, ProblemType
from shared.events.network import InvitationMade, InvitationRevoked, InvitationTaken, PersonAdded
from shared.events.words import Action, ActorKind, Basis, Category, Role, school_subject
from shared.text import Day, Line
from shared.unit import Asked, Change, Query, Request, Snapshot, stale
from shared.unit_run import problem

VALID_FOR = timedelta(days=14)
LONGEST = timedelta(days=60)
MOST_WRONG = 20
"""Wrong secrets that are answered a door and minute."""
NOT_INVITED = frozenset({Role.CHILD, Role.LOCAL_TOOL})

Secret = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""32 random bytes in base64url: nobody guesses it."""


class InviteMember(Request):
    """Invites whoever will have the secret. `expires_on` is the first day on which it is over; None: after 14 days."""

    subject: UUID
    role: Role
    secret: Secret
    organisation: UUID | None = None
    mandate: GivenMandate | None = None
    expires_on: Day | None = None


class RevokeInvitation(Request):
    """Takes an invitation back."""

    subject: UUID
    invitation: UUID
    version: int


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


class Invitations(Query):
    """The invitations to a network: all that are open, and the latest others."""

    subject: UUID


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


def decide_invite_member(asked: Asked[InviteMember], seen: Snapshot) -> Change:
    """Invites to one role in one network; whom it lets in is not known before it is taken."""
    body = asked.body
    permit = seen.require(asked, *_needed(body.role), about=body.subject)
    draft, circle = Draft(seen, permit.act, (permit,)), Circle.of(seen, body.subject)
    circle.check_placed(seen)
    if body.role not in circle.roles - NOT_INVITED:
        raise invalid(
            "nobody is invited to this role: choose one of allowed", allowed=sorted(circle.roles - NOT_INVITED)
        )
    if body.organisation is not None and not seen.state["organisation_known"]:
        raise invalid("organisation is not known to this school: add it first", field="organisation")
    expires_at = day_start(body.expires_on) if body.expires_on else seen.now + VALID_FOR
    if not seen.now < expires_at <= seen.now + LONGEST:
        raise invalid(f"expires_on must lie after today and within {LONGEST.days} days")
    mandate = body.mandate.mandate() if body.mandate else None
    if mandate and mandate.ends_at and mandate.ends_at <= max(expires_at, mandate.starts_at or expires_at):
        raise invalid("the mandate would end before the invitation does: let it end later, or the invitation earlier")
    invitation = asked.ids.time_ordered(seen.now)
    values = {
        "subject": body.subject,
        "role": body.role,
        "organisation": body.organisation,
        "mandate": as_mandate(mandate),
        "secret_hash": sha256(body.secret.encode()).hexdigest(),
        "invited_by": asked.actor.id,
        "made_at": seen.now,
        "expires_at": expires_at,
        "taken_at": None,
        "taken_by": None,
        "revoked_at": None,
    }
    draft.write("invitation", invitation, 0, values)
    fact = InvitationMade(invitation=invitation, role=body.role, organisation=body.organisation, expires_at=expires_at)
    draft.tell(fact, body.subject, invitation)
    return draft.change({"invitation": str(invitation), "version": 1, "expires_at": as_moment(expires_at)})


def _needed(role: Role) -> tuple[Action, Category]:
    """Returns what it takes to invite to a role.

    Guardians propose members too: those from outside, who see only what consent gives. To the school's own roles and to
    guardianship invites who may reach people for the school; to roles that reach every child, who keeps its records.
    """
    if role in WIDE:
        return Action.MANAGE, Category.NETWORK
    return Action.PROPOSE, Category.NETWORK if role in EXTERNAL else Category.CONTACT


def _is_open(one: dict[str, Any], now: datetime) -> bool:
    return not (one["taken_at"] or one["revoked_at"]) and datetime.fromisoformat(one["expires_at"]) > now


def revoke(draft: Draft, one: dict[str, Any], reason: str) -> None:
    """Drafts that an invitation can't be taken any more."""
    id_ = UUID(one["id"])
    draft.write("invitation", id_, one["version"], {"revoked_at": draft.now})
    draft.tell(InvitationRevoked(invitation=id_, reason=reason), UUID(one["subject"]), id_)


def open_invitations(seen: Snapshot) -> list[dict[str, Any]]:
    """Returns the invitations of the network that was read which can be taken now."""
    return [one for one in seen.state["invitations"] if _is_open(one, seen.now)]


def _asker(asked: Asked[Any], seen: Snapshot, subject: UUID) -> tuple[Permit, list[dict[str, Any]]]:
    """Returns the permit of who may propose members, and the invitations that this person may know of."""
    whole = also(seen, asked, Action.PROPOSE, Category.CONTACT, subject)
    permit = whole or seen.require(asked, Action.PROPOSE, Category.NETWORK, about=subject)
    mine = [one for one in seen.state["invitations"] if whole or one["invited_by"] == str(asked.actor.id)]
    return permit, mine


def decide_revoke_invitation(asked: Asked[RevokeInvitation], seen: Snapshot) -> Change:
    """Takes an invitation back, one's own or any of the school's: from this commit on nobody can take it."""
    body = asked.body
    permit, mine = _asker(asked, seen, body.subject)
    draft = Draft(seen, permit.act, (permit,))
    found = next((one for one in mine if one["id"] == str(body.invitation)), None)
    if found is None:
        raise invalid("there is no such invitation to this network: look it up with invitations")
    if found["version"] != body.version:
        raise stale(body.version, found["version"])
    if not _is_open(found, seen.now):
        raise conflict("this invitation is taken, revoked or expired already: nothing is left to revoke")
    revoke(draft, found, "revoked")
    return draft.change({"invitation": found["id"], "version": body.version + 1})


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
    return found


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


def decide_invitations(asked: Asked[Invitations], seen: Snapshot) -> Change:
    """Answers a network's invitations: to those who may reach people for the school all, to others their own."""
    permit, mine = _asker(asked, seen, asked.body.subject)
    shown = [
        {
            "invitation": one["id"],
            "version": one["version"],
            "role": one["role"],
            "organisation": one["organisation"],
            "mandate": one["mandate"],
            "invited_by": one["invited_by"],
            "expires_at": one["expires_at"],
            "state": _state(one, seen.now),
        }
        for one in mine
    ]
    return viewed("invitations", permit.subject, permit.act, {"invitations": shown}, len(shown), (permit,))


def _state(one: dict[str, Any], now: datetime) -> str:
    if one["revoked_at"]:
        return "revoked"
    if one["taken_at"]:
        return "taken"
    return "open" if _is_open(one, now) else "expired"
