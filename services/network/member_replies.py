"""What is answered about who takes part round a child or in a school, as others read it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from services.network.model import Status
from services.network.ties import Strength
from shared.events.network import Decision, HolderRole
from shared.events.words import Action, Category, Purpose, Role, Setting
from shared.unit import Reply


class TakenAway(Reply):
    """Something was taken away. When that is effective everywhere, `withdrawal.effective` tells it by this id."""

    withdrawal: UUID
    effective: Literal["pending"]


class MayTakeAway(Reply):
    """The same, where something may have been taken away: else both are left out."""

    withdrawal: UUID | None = None
    effective: Literal["pending"] | None = None


class MembershipReply(Reply):
    """A membership as it stands now, and the revision of its network's grants."""

    membership: UUID
    version: int
    revision: int


class MemberAddedReply(MembershipReply):
    """A new membership, and whose it is."""

    person: UUID


class MembershipEndedReply(MembershipReply, MayTakeAway):
    """A membership that ended, or will on a day to come."""


class MembershipTakenReply(MembershipReply, TakenAway):
    """A membership that gives nothing from now on."""


class ReplacedReply(MemberAddedReply, TakenAway):
    """The successor's membership; `ended` is the one before it."""

    ended: UUID


class MandateShown(Reply):
    """What a member is there for, a code, and when; None: without beginning or end of its own."""

    code: str
    starts_at: datetime | None
    ends_at: datetime | None


class MandateReply(MembershipReply):
    """A membership whose mandate was renewed."""

    mandate: MandateShown


class PlacementEndedReply(TakenAway):
    """How much ended with a child's place."""

    child: UUID
    revision: int
    memberships: int
    authorities: int
    consents: int
    invitations: int


class AuthorityReply(Reply):
    """An authority as it stands now, and the revision of the child's grants."""

    authority: UUID
    version: int
    revision: int


class AuthorityEndedReply(AuthorityReply, MayTakeAway):
    """An authority that ended, or will on a day to come."""


class MemberShown(Reply):
    """A member round a child. Contact data are left out for who may not see them."""

    membership: UUID
    version: int
    person: UUID
    given_name: str | None
    family_name: str | None
    role: Role
    organisation: UUID | None
    organisation_name: str | None
    on_behalf_of: UUID | None
    status: Status
    starts_at: datetime
    ends_at: datetime | None
    mandate: MandateShown | None
    agreement: str | None
    """Of a local tool, the processing agreement with its maker."""
    email: str | None = None
    phone: str | None = None
    confidential: bool | None = None


class AuthorityShown(Reply):
    """Who decides about a child, in which matters."""

    authority: UUID
    version: int
    holder: UUID
    scope: tuple[Decision, ...]
    source: str
    role: HolderRole
    status: Status
    """By age too."""
    starts_at: datetime
    ends_at: datetime | None


class ChildNetworkReply(Reply):
    """Who is round a child, and who decides about it."""

    child: UUID
    given_name: str | None
    family_name: str | None
    status: Status
    members: tuple[MemberShown, ...]
    authorities: tuple[AuthorityShown, ...]


class InvitedReply(Reply):
    """An invitation that was made; its secret is only where it was made."""

    invitation: UUID
    version: int
    expires_at: datetime


class InvitationRevokedReply(Reply):
    """An invitation that nobody can take any more."""

    invitation: UUID
    version: int


class InvitationListed(Reply):
    """An invitation. `void`: whoever made it may not invite any more, so nobody can take it."""

    invitation: UUID
    version: int
    role: Role
    organisation: UUID | None
    mandate: MandateShown | None
    invited_by: UUID
    expires_at: datetime
    state: Literal["open", "taken", "revoked", "expired", "void"]


class InvitationsReply(Reply):
    """A network's invitations that the asker may know of."""

    invitations: tuple[InvitationListed, ...]


class AllowedShown(Reply):
    """What a role gives, in codes and in words."""

    actions: tuple[Action, ...]
    categories: tuple[Category, ...]
    purposes: tuple[Purpose, ...]
    nl: str
    en: str


class InvitationForReply(Reply):
    """What an invitation is for. Nothing about the child."""

    school_name: str
    network: Literal["child", "school"]
    role: Role
    organisation_name: str | None
    mandate: MandateShown | None
    expires_at: datetime
    allows: tuple[AllowedShown, ...]


class TiedMember(Reply):
    """A member as an ecogram draws it."""

    membership: UUID
    person: UUID
    given_name: str | None
    family_name: str | None
    role: Role
    setting: Setting
    organisation_name: str | None
    status: Status
    mandate: str | None
    until: datetime | None


class TieShown(Reply):
    """How close someone says the tie to another is. A guardian sees of another only the tie to the child."""

    who: UUID = Field(alias="from")
    to: UUID
    strength: Strength
    version: int
    stated_at: datetime


class EcogramReply(Reply):
    """A child's network as data to draw."""

    child: UUID
    given_name: str | None
    family_name: str | None
    status: Status
    members: tuple[TiedMember, ...]
    ties: tuple[TieShown, ...]


class TieReply(Reply):
    """A tie as it stands now."""

    tie: UUID
    version: int
