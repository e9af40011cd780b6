"""What is answered about a school's tools, as others read it: registration, logins, webhooks, how far each has come."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from services.gate.model import ToolState
from shared.events.gate import ToolChannel, WebhookScheme
from shared.events.words import Category, Purpose
from shared.unit import Reply


class ToolReply(Reply):
    """A tool as it stands now. `account`: the slot at NATS that it has; None: it is told by webhook."""

    tool: UUID
    version: int
    state: ToolState
    account: str | None


class ToolFields(Reply):
    """A tool as it is registered. `ends_at`: from then on it is not any more."""

    id: UUID
    version: int
    account: str | None
    label: str
    purpose: Purpose
    categories: tuple[Category, ...]
    types: tuple[str, ...]
    """Of which events it is told; none named: of all that it may receive."""
    agreement: str
    channel: ToolChannel
    state: ToolState
    registered_at: datetime
    ends_at: datetime | None
    seq: int
    """The last number that it was put out."""
    acked: int
    """Up to which number it has acknowledged."""


class ToolsReply(Reply):
    """The school's tools, as they were registered."""

    tools: tuple[ToolFields, ...]


class LoginShown(Reply):
    """A tool's login to NATS, by the public half of the tool's own key."""

    login: str
    issued_at: datetime
    expires_at: datetime


class OneToolReply(ToolFields):
    """One tool, with its login if it has one. `epoch` 0: it was put out nothing yet."""

    epoch: int
    login: LoginShown | None


class LoginReply(Reply):
    """A login that was issued. `key`: which of the slot's keys signed it."""

    tool: UUID
    login: str
    jwt: str
    """NATS' own format; it goes into the credentials file, beside the tool's key."""
    expires_at: datetime
    account: str
    key: int


class DeletionReply(Reply):
    """That a tool deleted what a withdrawal names."""

    withdrawal: UUID
    state: Literal["confirmed"]


class ToolLagShown(Reply):
    """How far a tool has come, what it was not told yet, and what it has not deleted yet."""

    tool: UUID
    label: str
    state: ToolState
    channel: ToolChannel
    epoch: int
    sequence: int
    """The last number that it was put out."""
    acked: int
    outlet: int
    """The version of its row of numbers: it grows with every batch."""
    queued: int
    """What has no number yet, counted up to 10,000."""
    oldest_unacked_at: datetime | None
    withdrawals_untold: int
    deletions_open: int


class ToolLagReply(Reply):
    """How far each tool has come."""

    tools: tuple[ToolLagShown, ...]


class ReplayReply(Reply):
    """From which number up to which a tool is put out again, each checked when it goes."""

    tool: UUID
    from_sequence: int
    to_sequence: int


class WebhookSetReply(Reply):
    """The version of a tool's webhook as it stands now."""

    tool: UUID
    version: int


class ParcelsReply(Reply):
    """How many of what was set aside are tried again: 200 at most, ask again for the rest."""

    tool: UUID
    parcels: int


class WebhookKeyShown(Reply):
    """A key that signs. `public`: of an Ed25519 key, its public half; `until` None: as long as none takes its place."""

    scheme: WebhookScheme
    public: str | None
    until: datetime | None


class ReceiverShown(Reply):
    """How a webhook's receiver fares: failures since it last answered well, and until when nothing is tried."""

    failures: int
    openings: int
    """How often it was let rest since it last answered well."""
    until: datetime | None
    failing_since: datetime | None
    code: str | None
    """What went wrong last."""


class ParcelAside(Reply):
    """What was tried for too long: it goes again when asked."""

    seq: int
    tries: int
    code: str | None
    aside_at: datetime


class WebhookReply(Reply):
    """A tool's webhook. No secret stands in it."""

    tool: UUID
    version: int
    url: str
    keys: tuple[WebhookKeyShown, ...]
    receiver: ReceiverShown | None
    """None: nothing was sent there yet."""
    waiting: int
    aside: tuple[ParcelAside, ...]
    """The first 200 from the number asked."""
