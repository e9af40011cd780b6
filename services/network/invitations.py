"""Invitations: single use, expiring, for one role in one network. How they are made, listed and taken back. Pure.

`taking.py` has what becomes of one for whoever has its secret.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.network.draft import Draft, as_mandate, as_moment
from services.network.grants import child_grants, school_grants
from services.network.members import (
    Circle,
    GivenMandate,
    conflict,
    invalid,
)
from services.network.policy import EXTERNAL, WIDE
from services.network.queries import also, viewed
from services.network.spans import day_start
from shared.access import Permit
from shared.events.membership import InvitationMade, InvitationRevoked
from shared.events.words import Action, Category, Role
from shared.text import Day
from shared.unit import Asked, Change, Query, Request, Snapshot, stale

VALID_FOR = timedelta(days=14)
LONGEST = timedelta(days=60)
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


class Invitations(Query):
    """The invitations to a network: all that are open, and the latest others."""

    subject: UUID


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
        raise invalid("there is no such invitation to this network: look it up with `samen network invitations`")
    if found["version"] != body.version:
        raise stale(body.version, found["version"])
    if not _is_open(found, seen.now):
        raise conflict("this invitation is taken, revoked or expired already: nothing is left to revoke")
    revoke(draft, found, "revoked")
    return draft.change({"invitation": found["id"], "version": body.version + 1})


def may_invite(maker: UUID, role: Role, circle: Circle, now: datetime) -> bool:
    action, category = _needed(role)
    grants = child_grants(circle.child, circle.school, now) if circle.child else school_grants(circle.school, now)
    return any(
        one.member == maker and action in one.actions and category in one.categories and one.valid_from <= now
        for one in grants
    )


def decide_invitations(asked: Asked[Invitations], seen: Snapshot) -> Change:
    """Answers a network's invitations: to those who may reach people for the school all, to others their own."""
    permit, mine = _asker(asked, seen, asked.body.subject)
    circle = Circle.of(seen, asked.body.subject)
    shown = [
        {
            "invitation": one["id"],
            "version": one["version"],
            "role": one["role"],
            "organisation": one["organisation"],
            "mandate": one["mandate"],
            "invited_by": one["invited_by"],
            "expires_at": one["expires_at"],
            "state": _state(one, circle, seen.now),
        }
        for one in mine
    ]
    return viewed("invitations", permit.subject, permit.act, {"invitations": shown}, len(shown), (permit,))


def _state(one: dict[str, Any], circle: Circle, now: datetime) -> str:
    """Returns how it stands; `void`: whoever made it may not invite any more, so nobody can take it."""
    if one["revoked_at"]:
        return "revoked"
    if one["taken_at"]:
        return "taken"
    if not _is_open(one, now):
        return "expired"
    return "open" if may_invite(UUID(one["invited_by"]), Role(one["role"]), circle, now) else "void"
