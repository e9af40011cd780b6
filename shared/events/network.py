"""What `network` tells: who is round a child, and the grants that follow from it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.events import dialogue, emergencies, erasure, membership
from shared.events.base import Fact, by_type
from shared.events.words import Action, Basis, Category, Purpose, Role


class Grant(BaseModel):
    """One member may do these actions on these categories of one subject's data, for these purposes, on this basis.

    Holds from `valid_from` (included) to `valid_until` (excluded; None: open), both UTC.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: UUID
    member: UUID
    role: Role
    organisation: UUID | None = None
    actions: tuple[Action, ...]
    categories: tuple[Category, ...]
    purposes: tuple[Purpose, ...]
    basis: Basis
    consent: UUID | None = None
    consent_version: int | None = None
    emergency: bool = False
    valid_from: datetime
    valid_until: datetime | None = None


class _Network(Fact):
    PRODUCER: ClassVar[str] = "network"


class AccessChanged(_Network):
    """The full set of grants on one subject, replacing every earlier one with a lower revision."""

    NAME: ClassVar[str] = "access.changed"
    revision: int
    grants: tuple[Grant, ...]


class ConsentState(StrEnum):
    """How a consent stands, all its holders taken together."""

    ASKED = "asked"
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    CONFLICTING = "conflicting"


class Capacity(StrEnum):
    """In which capacity someone answers a consent."""

    AUTHORITY_HOLDER = "authority_holder"
    SELF = "self"


class RecipientKind(StrEnum):
    MEMBER = "member"
    ORGANISATION = "organisation"


class Decision(StrEnum):
    """What parental authority can be limited to."""

    PLAN = "plan"
    SHARING = "sharing"
    CARE = "care"


class PolicyRule(StrEnum):
    """Whose yes a decision needs: everybody's who decides, or one's as long as nobody objects."""

    ALL_HOLDERS = "all_holders"
    ONE_UNLESS_OBJECTION = "one_unless_objection"


class HolderRole(StrEnum):
    """As what someone decides. Parental authority ends at 18; a curator or mentor (a court names them) decides then."""

    PARENTAL = "parental"
    CURATOR = "curator"
    MENTOR = "mentor"


class NoticePublished(_Network):
    """A version of the notice that consent is asked with can be read. `hash` is the SHA-256 of its text."""

    NAME: ClassVar[str] = "consent-notice.published"
    notice: UUID
    number: int
    language: str
    hash: str


class AuthorityRecorded(_Network):
    """The holder decides about the child, in these matters, on the ground that `source` names (a code)."""

    NAME: ClassVar[str] = "authority.recorded"
    authority: UUID
    holder: UUID
    scope: tuple[Decision, ...]
    source: str
    starts_at: datetime
    ends_at: datetime | None = None
    role: HolderRole = HolderRole.PARENTAL


class AuthorityEnded(_Network):
    """The holder's authority ends at `ends_at`."""

    NAME: ClassVar[str] = "authority.ended"
    authority: UUID
    holder: UUID
    ends_at: datetime


class _Consent(_Network):
    consent: UUID
    consent_version: int
    for_purpose: Purpose
    recipient_kind: RecipientKind
    recipient: UUID
    categories: tuple[Category, ...]
    notice_version: int
    starts_at: datetime
    ends_at: datetime
    state: ConsentState
    """How the consent stands after this event: one holder's yes alone is not `given`."""


class ConsentAsked(_Consent):
    """The holders are asked for an answer."""

    NAME: ClassVar[str] = "consent.asked"


class _Answer(_Consent):
    giver: UUID
    capacity: Capacity


class ConsentGiven(_Answer):
    """One holder said yes."""

    NAME: ClassVar[str] = "consent.given"


class ConsentRefused(_Answer):
    """One holder said no."""

    NAME: ClassVar[str] = "consent.refused"


class ConsentWithdrawn(_Answer):
    """One holder took a yes back."""

    NAME: ClassVar[str] = "consent.withdrawn"


class ConsentEnded(_Consent):
    """The consent's period was cut short, because what it hung on ended."""

    NAME: ClassVar[str] = "consent.ended"
    reason: str


class WithdrawalEffective(_Network):
    """What was withdrawn, refused or ended holds everywhere from `at` on, by the database's clock.

    `how`: `confirmed` (every enforcing service has applied network's event number `applied`) or `clock` (the longest
    lease and transaction have run out). By the clock: `unconfirmed` are the services that had not confirmed, `tools`
    those that the gate had not reached: what they had not fetched may still lie in their streams.
    """

    NAME: ClassVar[str] = "withdrawal.effective"
    withdrawal: UUID
    how: str
    applied: int
    at: datetime
    unconfirmed: tuple[str, ...] = ()
    tools: tuple[UUID, ...] = ()


class ConsentSettled(_Consent):
    """How a consent stands changed without an answer, because the holders changed."""

    NAME: ClassVar[str] = "consent.settled"


class ConsentRenewalDue(_Consent):
    """It will lapse within six weeks: it ends, or others will decide then.

    Which, and on what day, is not told here: it would tell a birthday.
    """

    NAME: ClassVar[str] = "consent.renewal-due"


class PolicySet(_Network):
    """From `starts_at` on the school decides by this rule in this matter. About the school."""

    NAME: ClassVar[str] = "policy.set"
    policy: UUID
    decision: Decision
    number: int
    """1 for the first version in this matter; before it every holder must say yes."""
    rule: PolicyRule
    starts_at: datetime


class DisputeNoted(_Network):
    """Holders disagree in this matter: while it lasts, every one of them must say yes."""

    NAME: ClassVar[str] = "dispute.noted"
    dispute: UUID
    decision: Decision
    between: tuple[UUID, ...]
    starts_at: datetime


class DisputeSettled(_Network):
    """A dispute is over; the school's rule applies again."""

    NAME: ClassVar[str] = "dispute.settled"
    dispute: UUID
    decision: Decision
    ends_at: datetime


class InformationWithheld(_Network):
    """Nothing is told of this child to one of its guardians, by a ruling or in the child's interest (`source`)."""

    NAME: ClassVar[str] = "information.withheld"
    withholding: UUID
    guardian: UUID
    source: str
    starts_at: datetime
    ends_at: datetime | None = None


class InformationRestored(_Network):
    """What was withheld is told again: as far as the facts let it."""

    NAME: ClassVar[str] = "information.restored"
    withholding: UUID
    guardian: UUID
    ends_at: datetime


FACTS = by_type(
    (
        AccessChanged,
        NoticePublished,
        ConsentEnded,
        AuthorityRecorded,
        AuthorityEnded,
        ConsentAsked,
        ConsentGiven,
        ConsentRefused,
        ConsentWithdrawn,
        WithdrawalEffective,
        ConsentSettled,
        ConsentRenewalDue,
        PolicySet,
        DisputeNoted,
        DisputeSettled,
        InformationWithheld,
        InformationRestored,
        *membership.FACTS,
        *emergencies.FACTS,
        *dialogue.FACTS,
        *erasure.FACTS,
    )
)
"""Every event of network, by CloudEvents type."""
