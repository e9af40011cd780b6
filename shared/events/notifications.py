"""What `notifications` tells: who was told that there is something new, through what, about whom, on what basis.

The basis stands in the event's `act`: for a notice that is queued it is the service's own, on behalf of the actor whose
event caused it; from the claim on it is the recipient's permit to receive, as re-checked in the claiming transaction.
Nothing here causes a notice, and nothing here goes out to tools.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from shared.events.base import Fact, by_type
from shared.events.words import Role


class Channel(StrEnum):
    """Through what somebody is told, beside the inbox."""

    MAIL = "mail"
    PUSH = "push"
    """Web Push (RFC 8030), to a browser that the person has told us of."""
    OTHER = "other"
    """What the school has set up itself: an Apprise URL."""


class _Notifications(Fact):
    PRODUCER: ClassVar[str] = "notifications"
    recipient: UUID
    kind: str
    """What the notice is about, as a code (`goal_proposed`)."""


class NoticeQueued(_Notifications):
    """A notice lies in the recipient's inbox; the channels will be tried. The event's `thing` is the notice."""

    NAME: ClassVar[str] = "notice.queued"
    source: UUID
    """The id of the event that caused it; one notice per recipient and source."""
    channels: tuple[Channel, ...]


class _Delivery(_Notifications):
    channel: Channel
    tries: int
    """How often it was claimed, this time included."""


class NoticeClaimed(_Delivery):
    """The recipient's access was checked again; what is sent on this claim leaves at once or not at all."""

    NAME: ClassVar[str] = "notice.claimed"


class NoticeSent(_Delivery):
    """The channel accepted it: the disclosure line. `act` is the claim's: to whom, on what basis.

    `doubts`: earlier tries that may have arrived without our knowing; the same Message-ID lets a repeat be known.
    """

    NAME: ClassVar[str] = "notice.sent"
    doubts: int = 0


class NoticeDeferred(_Delivery):
    """It could not be sent now and will be tried again."""

    NAME: ClassVar[str] = "notice.deferred"
    code: str
    next_try_at: datetime


class NoticeFailed(_Delivery):
    """It will not be sent through this channel: refused for good, or for too long. It stays in the inbox."""

    NAME: ClassVar[str] = "notice.failed"
    code: str


class NoticeCancelled(_Delivery):
    """It is not sent any more: the recipient may not receive it now, or has no address."""

    NAME: ClassVar[str] = "notice.cancelled"
    code: str


class NoticeRead(_Notifications):
    """The recipient opened it in the inbox."""

    NAME: ClassVar[str] = "notice.read"


class NoticeDone(_Notifications):
    """The recipient put it away as dealt with."""

    NAME: ClassVar[str] = "notice.done"


class NoticeReminded(_Notifications):
    """It still waits for the recipient's answer: the channels are tried once more, for the `round`th time."""

    NAME: ClassVar[str] = "notice.reminded"
    round: int


class PreferencesSet(Fact):
    """A person set what it wants of notices. About the school: it concerns no child."""

    PRODUCER: ClassVar[str] = "notifications"
    NAME: ClassVar[str] = "preferences.set"
    recipient: UUID
    version: int


class RuleSet(Fact):
    """The school adjusted whom it tells of a kind of event, and how soon. About the school; `number` is its version."""

    PRODUCER: ClassVar[str] = "notifications"
    NAME: ClassVar[str] = "rule.set"
    kind: str
    number: int
    told: bool
    left_out: tuple[Role, ...]
    pace: str | None
    remind_days: int | None


class HoursSet(Fact):
    """The school set its own quiet hours, digests and holidays. About the school; `number` is its version."""

    PRODUCER: ClassVar[str] = "notifications"
    NAME: ClassVar[str] = "hours.set"
    number: int
    quiet: str | None
    digest_at: int | None
    digest_on: int | None
    days_off: bool | None


class _Address(Fact):
    """An address itself is never told: who it is of, through what, and which row (`thing`)."""

    PRODUCER: ClassVar[str] = "notifications"
    recipient: UUID
    channel: Channel


class AddressAdded(_Address):
    """A member gave an address of its own. Nothing but a code is sent there until that came back."""

    NAME: ClassVar[str] = "address.added"


class AddressAsked(_Address):
    """A code leaves for an address: whoever reads it there can confirm it."""

    NAME: ClassVar[str] = "address.asked"


class AddressVerified(_Address):
    """The code came back."""

    NAME: ClassVar[str] = "address.verified"


class AddressRemoved(_Address):
    """The member removed it."""

    NAME: ClassVar[str] = "address.removed"


class AddressStopped(_Address):
    """Nothing goes there any more: `code` says why (`bounced`, `gone`, `unsubscribed`, `unsubscribed_all`)."""

    NAME: ClassVar[str] = "address.stopped"
    code: str


class AddressResumed(_Address):
    """The member wants to be reached there again."""

    NAME: ClassVar[str] = "address.resumed"


class _Outlet(Fact):
    PRODUCER: ClassVar[str] = "notifications"
    outlet: UUID
    scheme: str
    """Which service it goes through, as the URL's scheme."""


class OutletSet(_Outlet):
    """The school set up a channel of its own, or changed how it is reached."""

    NAME: ClassVar[str] = "outlet.set"


class OutletRemoved(_Outlet):
    """The school removed a channel of its own."""

    NAME: ClassVar[str] = "outlet.removed"


FACTS = by_type(
    (
        NoticeQueued,
        NoticeClaimed,
        NoticeSent,
        NoticeDeferred,
        NoticeFailed,
        NoticeCancelled,
        NoticeRead,
        NoticeDone,
        NoticeReminded,
        PreferencesSet,
        RuleSet,
        HoursSet,
        AddressAdded,
        AddressAsked,
        AddressVerified,
        AddressRemoved,
        AddressStopped,
        AddressResumed,
        OutletSet,
        OutletRemoved,
    )
)
"""Every event of notifications, by CloudEvents type."""
