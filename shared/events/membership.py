"""What `network` tells of who takes part: a school, its people, their memberships and how they came and went."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.events.base import Fact
from shared.events.words import Role


class _Network(Fact):
    PRODUCER: ClassVar[str] = "network"


class SchoolOpened(_Network):
    """A school takes part from now on. About the school itself."""

    NAME: ClassVar[str] = "school.opened"
    subject_id: UUID


class PersonAdded(_Network):
    """A person became known to the school. About the child, for a pupil, else about the school."""

    NAME: ClassVar[str] = "person.added"
    person: UUID
    pupil: bool


class PersonChanged(_Network):
    """What the school knows of a person changed; `fields` are the names of what did, never the values."""

    NAME: ClassVar[str] = "person.changed"
    person: UUID
    fields: tuple[str, ...]


class OrganisationAdded(_Network):
    """An organisation outside the school became known. About the school."""

    NAME: ClassVar[str] = "organisation.added"
    organisation: UUID


class MemberAdded(_Network):
    """A person takes part in the subject's network from `starts_at` until `ends_at` (None: until it is ended)."""

    NAME: ClassVar[str] = "member.added"
    membership: UUID
    member: UUID
    role: Role
    organisation: UUID | None = None
    on_behalf_of: UUID | None = None
    starts_at: datetime
    ends_at: datetime | None = None
    mandate: str | None = None
    mandate_ends_at: datetime | None = None


class MembershipChanged(_Network):
    """The period of a membership changed, or its mandate was renewed, without ending it now.

    `mandate` (a code) and its period: as they are from now on; None: it has none, or this event is older than these.
    """

    NAME: ClassVar[str] = "membership.changed"
    membership: UUID
    member: UUID
    role: Role
    starts_at: datetime
    ends_at: datetime | None = None
    mandate: str | None = None
    mandate_starts_at: datetime | None = None
    mandate_ends_at: datetime | None = None


class MembershipEnded(_Network):
    """A membership ends at `ends_at`, and every grant that hung on it with it."""

    NAME: ClassVar[str] = "membership.ended"
    membership: UUID
    member: UUID
    role: Role
    ends_at: datetime
    reason: str


class MembershipSuspended(_Network):
    """A membership gives nothing from `at` on, until it is resumed."""

    NAME: ClassVar[str] = "membership.suspended"
    membership: UUID
    member: UUID
    role: Role
    at: datetime
    reason: str


class MembershipResumed(_Network):
    """A suspended membership gives again what it gave."""

    NAME: ClassVar[str] = "membership.resumed"
    membership: UUID
    member: UUID
    role: Role


class InvitationMade(_Network):
    """Who has the secret can take this role, once, until `expires_at`. About the child or the school."""

    NAME: ClassVar[str] = "invitation.made"
    invitation: UUID
    role: Role
    organisation: UUID | None = None
    expires_at: datetime


class InvitationTaken(_Network):
    """It was used: `member` takes part by it."""

    NAME: ClassVar[str] = "invitation.taken"
    invitation: UUID
    membership: UUID
    member: UUID


class InvitationRevoked(_Network):
    """It can't be taken any more."""

    NAME: ClassVar[str] = "invitation.revoked"
    invitation: UUID
    reason: str


class PlacementEnded(_Network):
    """The child left the school at `at`: this many memberships, authorities, consents and invitations ended with it."""

    NAME: ClassVar[str] = "placement.ended"
    at: datetime
    reason: str
    memberships: int
    authorities: int
    consents: int
    invitations: int


class TieStated(_Network):
    """A member said how close it stands to `other` (the child or another member); how close is not told here."""

    NAME: ClassVar[str] = "tie.stated"
    tie: UUID
    tie_version: int
    member: UUID
    other: UUID


class RosterImported(_Network):
    """A batch of a roster was taken in. About the school."""

    NAME: ClassVar[str] = "roster.imported"
    added: int
    changed: int
    ended: int
    unchanged: int
    refused: int


FACTS: tuple[type[Fact], ...] = (
    SchoolOpened,
    PersonAdded,
    PersonChanged,
    OrganisationAdded,
    MemberAdded,
    MembershipChanged,
    MembershipEnded,
    MembershipSuspended,
    MembershipResumed,
    InvitationMade,
    InvitationTaken,
    InvitationRevoked,
    PlacementEnded,
    TieStated,
    RosterImported,
)
"""Every fact about who takes part."""
