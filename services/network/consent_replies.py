"""What is answered about consents, who decides and by which rule, as others read it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.network.member_replies import MayTakeAway, TakenAway
from services.network.model import AnswerKind
from services.network.policy import Standing
from shared.events.network import Capacity, ConsentState, Decision, HolderRole, PolicyRule, RecipientKind
from shared.events.words import Action, Basis, Category, Purpose, Role
from shared.unit import Reply


class ConsentReply(Reply):
    """A consent as it stands now, and the revision of the child's grants."""

    consent: UUID
    version: int
    state: ConsentState
    revision: int


class ConsentTakenReply(ConsentReply, TakenAway):
    """A consent that was refused or withdrawn."""


class ConsentAnswerShown(Reply):
    """A holder's latest answer."""

    holder: UUID
    capacity: Capacity
    answer: AnswerKind
    at: datetime


class ConsentShown(Reply):
    """A consent and how it stands. A guardian reads the own answer only."""

    consent: UUID
    version: int
    for_purpose: Purpose
    recipient_kind: RecipientKind
    recipient: UUID
    recipient_name: str | None
    categories: tuple[Category, ...]
    notice_version: int
    starts_at: datetime
    ends_at: datetime
    state: ConsentState
    in_force: bool
    renews: UUID | None
    """The consent that it carries on."""
    renew_from: datetime
    answers: tuple[ConsentAnswerShown, ...]


class ConsentsReply(Reply):
    """A child's consents."""

    consents: tuple[ConsentShown, ...]


class NoticePublishedReply(Reply):
    """A version of the notice that is on record; `hash` is its text's SHA-256, in hex."""

    notice: UUID
    number: int
    hash: str


class NoticeText(Reply):
    """A text of the notice, by its hash."""

    language: str
    hash_algorithm: str
    hash: str


class ReceiptNotice(Reply):
    """The notice that consent was asked with."""

    version: int
    texts: tuple[NoticeText, ...]


class PiiType(Reply):
    """A category of data."""

    pii_type: Category


class ReceiptPurpose(Reply):
    """What is processed for which purpose."""

    purpose: Purpose
    lawful_basis: str
    pii_information: tuple[PiiType, ...]
    pii_controllers: tuple[UUID, ...]
    recipient_third_parties: tuple[UUID, ...]
    jurisdiction: str
    withdrawal_method: str


class ReceiptPeriod(Reply):
    """From when to when."""

    starts_at: datetime
    ends_at: datetime


class ReceiptProcessing(Reply):
    """What the consent is to, and how it stands."""

    privacy_notice: ReceiptNotice
    purposes: tuple[ReceiptPurpose, ...]
    period: ReceiptPeriod
    state: ConsentState
    in_force: bool


class ReceiptParty(Reply):
    """Who it is about. A person stays a pseudonym."""

    party_id: UUID
    party_type: Literal["organisation", "person"]
    party_role: str
    party_name: str | None = None


class ReceiptEvent(Reply):
    """What became of the consent; of an answer also whose."""

    event_time: datetime
    event_type: str
    event_state: ConsentState
    record_version: int
    notice_version: int
    entity_id: UUID | None = None
    capacity: Capacity | None = None


class ReceiptRecord(Reply):
    """The consent record (ISO/IEC TS 27560:2023, clause 6)."""

    schema_version: str
    record_id: UUID
    record_version: int
    pii_principal_id: UUID
    pii_processing: ReceiptProcessing
    party_identification: tuple[ReceiptParty, ...]
    events: tuple[ReceiptEvent, ...]


class Receipt(Reply):
    """A receipt of a consent record (ISO/IEC TS 27560:2023)."""

    receipt_id: UUID
    receipt_time: datetime
    record: ReceiptRecord


class ConsentReceiptReply(Reply):
    """A consent's receipt, twice."""

    receipt: Receipt
    fhir: dict[str, Any]
    """A FHIR R4 Consent."""


class PolicySetReply(MayTakeAway):
    """A version of how holders decide. Taken away is only by a stricter one that starts now."""

    policy: UUID
    number: int
    revision: int


class DisputeReply(Reply):
    """A dispute as it stands now, and the revision of the child's grants."""

    dispute: UUID
    version: int
    revision: int


class DisputeNotedReply(DisputeReply, MayTakeAway):
    """A dispute that was noted. One about sharing takes away what rested on one holder's yes."""


class GrantRuleShown(Reply):
    """A rule that grants follow from: what these roles may, and what that rests on beside the membership."""

    name: str
    roles: tuple[Role, ...]
    standing: Standing
    actions: tuple[Action, ...]
    categories: tuple[Category, ...]
    purposes: tuple[Purpose, ...]
    basis: Basis


class PolicyVersionShown(Reply):
    """A version of how holders decide in a matter."""

    number: int
    rule: PolicyRule
    starts_at: datetime


class MatterShown(Reply):
    """How holders decide in a matter now (`number` 0: the school has set nothing), and every version."""

    decision: Decision
    rule: PolicyRule
    number: int
    versions: tuple[PolicyVersionShown, ...]


class PoliciesReply(Reply):
    """The rules of every school, by network (`child`, `school`), and the school's own versions."""

    version: int
    rules: dict[str, tuple[GrantRuleShown, ...]]
    decisions: tuple[MatterShown, ...]


class DeciderShown(Reply):
    """Who decides, and as what: `self` is the child."""

    holder: UUID
    capacity: Literal["self"] | HolderRole = Field(alias="as")
    name: str | None


class MatterDecided(Reply):
    """Who decides in a matter, and by which rule."""

    decision: Decision
    holders: tuple[DeciderShown, ...]
    rule: PolicyRule
    number: int
    disputed: bool


class DisputeShown(Reply):
    """A dispute. The note is for who keeps it."""

    dispute: UUID
    version: int
    decision: Decision
    between: tuple[UUID, ...]
    starts_at: datetime
    ends_at: datetime | None
    note: str | None


class WithheldShown(Reply):
    """A guardian from whom information is withheld, by whose word (a code)."""

    withholding: UUID
    version: int
    guardian: UUID
    source: str
    starts_at: datetime
    ends_at: datetime | None


class DecidersReply(Reply):
    """Who decides about a child, matter by matter, disputes, and for who keeps it what is withheld from whom."""

    child: UUID
    matters: tuple[MatterDecided, ...]
    disputes: tuple[DisputeShown, ...]
    withheld: tuple[WithheldShown, ...]


class ReasonShown(Reply):
    """A fact that counted, and whether it speaks for a yes."""

    kind: str
    holds: bool
    words: str


class PolicyExplanationReply(Reply):
    """Whether it is allowed, and why."""

    allowed: bool
    at: datetime
    reasons: tuple[ReasonShown, ...]
