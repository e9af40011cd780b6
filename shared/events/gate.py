"""What `gate` tells: which tools there are, what was put out to them on what basis, and what they must delete again.

`PutOut` is the disclosure line: its `act` is the tool's permit to receive, checked again in the transaction that lets
it out. Nothing here goes out to tools; only a deletion that stays away notifies.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from shared.events.base import Fact, by_type
from shared.events.words import Category, Purpose


class ToolChannel(StrEnum):
    """Through what a tool is told."""

    NATS = "nats"
    WEBHOOK = "webhook"


class WebhookScheme(StrEnum):
    """How a webhook is signed: with a secret that both sides hold, or with a key whose public half the tool has."""

    HMAC = "hmac"
    ED25519 = "ed25519"


class _Tool(Fact):
    PRODUCER: ClassVar[str] = "gate"
    tool: UUID
    """The tool's id as a member of networks."""


class ToolRegistered(_Tool):
    """A tool may be put out to, for this purpose, these categories and types (none named: all). About the school."""

    NAME: ClassVar[str] = "tool.registered"
    purpose: Purpose
    categories: tuple[Category, ...]
    types: tuple[str, ...]
    channel: ToolChannel
    ends_at: datetime | None = None


class ToolPaused(_Tool):
    """Nothing is put out to it until it is resumed, and it can ask nothing. `reason` is a code."""

    NAME: ClassVar[str] = "tool.paused"
    reason: str


class ToolResumed(_Tool):
    """It is put out to again: what it was owed meanwhile first."""

    NAME: ClassVar[str] = "tool.resumed"


class ToolRemoved(_Tool):
    """Its registration ended, and its connections with it. `reason` is a code."""

    NAME: ClassVar[str] = "tool.removed"
    reason: str


class LoginIssued(_Tool):
    """The tool may connect to NATS with this login, a public key, until it expires; the one before it acts no more.

    `renewed`: the tool itself had it made to last longer. `key`: which key of its slot signed it; the slot lets in no
    login by another one from then on. About the school.
    """

    NAME: ClassVar[str] = "login.issued"
    login: str
    expires_at: datetime
    renewed: bool
    key: int = 0


class _Numbered(_Tool):
    tool_epoch: int
    sequence: int
    """The tool's own dense number, in its epoch."""


class PutOut(_Numbered):
    """An event of another service was let out to the tool under this number. Once more whenever it is let out again.

    `source` is that event's id, `what` its type. The event's `thing` is what the event's own was.
    """

    NAME: ClassVar[str] = "put-out.made"
    source: UUID
    what: str


class PutOutVoided(_Numbered):
    """The number holds nothing any more: the tool may not receive what it stood for. It gets a tombstone."""

    NAME: ClassVar[str] = "put-out.voided"


class WithdrawalTold(_Numbered):
    """What the tool had not fetched of this child in this category was taken out, and it was told to delete the rest.

    The event's `thing` is the withdrawal, which the tool confirms by its number.
    """

    NAME: ClassVar[str] = "withdrawal.told"
    of: Category
    taken_out: int
    """How many numbers the tool can not fetch any more."""
    due_at: datetime
    """By when it must have confirmed that it deleted what it has."""


class DeletionConfirmed(_Tool):
    """The tool says that it deleted what it had of this child in this category. `thing` is the withdrawal."""

    NAME: ClassVar[str] = "deletion.confirmed"
    of: Category


class DeletionOverdue(_Tool):
    """The tool did not confirm in time. Told once. `thing` is the withdrawal."""

    NAME: ClassVar[str] = "deletion.overdue"
    of: Category
    due_at: datetime


class ParcelSetAside(_Numbered):
    """A webhook's receiver did not take this number for three days. `reason` is the last failure's code."""

    NAME: ClassVar[str] = "parcel.set-aside"
    reason: str


class ParcelsRedriven(_Tool):
    """What was set aside from this number on is tried again. About the school."""

    NAME: ClassVar[str] = "parcels.redriven"
    from_sequence: int
    parcels: int


class WebhookSet(_Tool):
    """A tool's webhook leads somewhere, or somewhere else: where is in the gate only. About the school."""

    NAME: ClassVar[str] = "webhook.set"


class WebhookKeyTaken(_Tool):
    """Another key signs a tool's webhooks; those before it do so until then. About the school."""

    NAME: ClassVar[str] = "webhook.key-taken"
    scheme: WebhookScheme
    earlier_until: datetime


class ReplayStarted(_Tool):
    """What was put out from this number on is let out again, each checked again. About the school."""

    NAME: ClassVar[str] = "replay.started"
    from_sequence: int
    reason: str
    """A code: `asked`, or `stream_lost`."""


FACTS = by_type(
    (
        ToolRegistered,
        ToolPaused,
        ToolResumed,
        ToolRemoved,
        LoginIssued,
        PutOut,
        PutOutVoided,
        WithdrawalTold,
        DeletionConfirmed,
        DeletionOverdue,
        ReplayStarted,
        ParcelSetAside,
        ParcelsRedriven,
        WebhookSet,
        WebhookKeyTaken,
    )
)
"""Every event of gate, by CloudEvents type."""
