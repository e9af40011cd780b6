"""What is answered about notices, addresses, outlets, rules and hours, as others read it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from services.notifications.model import DeliveryState, NoticeState
from services.notifications.rule import Bound
from services.notifications.times import Pace
from shared.events.notifications import Channel
from shared.events.words import Category, Role
from shared.unit import Reply

Language = Literal["nl", "en"]


class NoticeShown(Reply):
    """A notice in its member's own inbox. It holds no words of others: `kind` says what happened, `thing` to what."""

    notice: UUID
    version: int
    state: NoticeState
    kind: str
    dutch: str
    english: str
    language: Language
    words: str
    """What it says, in the member's language."""
    folds: int
    """How many earlier notices about the same are shown as this one."""
    urgent: bool
    answered: bool
    about: UUID
    thing: UUID | None
    occurred_at: datetime


class InboxReply(Reply):
    """A page of the member's own notices, newest first; `next` is what the next page is asked before."""

    notices: tuple[NoticeShown, ...]
    next: UUID | None


class NoticeReply(Reply):
    """A notice as it stands now."""

    notice: UUID
    version: int
    state: NoticeState


class PreferencesSetReply(Reply):
    """The version of one's own preferences that holds now."""

    version: int


class PacedShown(Reply):
    """How soon one kind of notice (or `all`) comes through one channel."""

    kind: str
    channel: Channel
    pace: Pace


class PreferencesShown(Reply):
    """What a person has set; None: nothing, so that `else` holds."""

    language: Language | None
    quiet: str | None
    """`21:00-07:00`, or `none`."""
    digest_at: int | None
    digest_on: int | None
    days_off: bool | None
    paces: tuple[PacedShown, ...]


class Hours(Reply):
    """What holds; `number` 0: the school has set nothing."""

    quiet: str
    digest_at: int
    digest_on: int
    days_off: bool | None
    number: int


class PreferencesReply(Reply):
    """A person's own preferences (version 0: none were set), and what holds where nothing is set."""

    version: int
    preferences: PreferencesShown
    usual: Hours = Field(alias="else")
    always: tuple[str, ...]
    """Kinds that come by mail whatever is set: the law or safety wants them told."""
    stopped: dict[Channel, str] = Field(default_factory=dict)
    """Channels that the person has left (`ChannelLeftReply`), or that are of no use: the code of why."""


class QuietBounds(Reply):
    """A school's quiet hours lie within the one and cover the other; `none`: there is no such bound."""

    within: str
    at_least: str


class HoursShown(Reply):
    """What holds in the school for who has set nothing, and within which bounds the school may set it."""

    hours: Hours
    bounds: QuietBounds


class HoursSetReply(Reply):
    """Which version holds from now on."""

    number: int


class AddressShown(Reply):
    """An address that the member gave. `target`: of a browser only the server through which it is reached."""

    address: UUID
    version: int
    channel: Channel
    outlet: str | None
    """By name, of channel `other`; None there: the school has taken it away."""
    target: str
    state: Literal["unverified", "verified", "stopped"]
    code: str | None
    """Why it is stopped."""
    added_at: datetime


class AddressesReply(Reply):
    """The member's own addresses, what is stopped, and which channels there are."""

    addresses: tuple[AddressShown, ...]
    stopped: dict[Channel, str]
    """Channels that the member left, or that were left for it, with a code why."""
    record_stopped: bool
    """Nothing arrives at the mail address in the school's own record."""
    outlets: tuple[str, ...]
    push_key: str | None
    """With what a browser subscribes (VAPID, RFC 8292); None: nothing is pushed here."""


class AddressReply(Reply):
    """An address as it stands now."""

    address: UUID
    version: int
    state: Literal["unverified", "verified", "removed"]


class AddressTriedReply(AddressReply):
    """An address as it stands after a code was tried. `tries_left`: it was another code."""

    tries_left: int | None = None


class ChannelLeftReply(Reply):
    """A channel through which nothing more is sent; `code` says who left what.

    `unsubscribed`: mails of what law or safety wants told still come. `unsubscribed_all`: those neither.
    """

    channel: Channel
    state: Literal["stopped"]
    code: str


class ChannelResumedReply(Reply):
    """A channel through which the member is reached again."""

    channel: Channel
    state: Literal["open"]


class OutletShown(Reply):
    """A channel that the school has set up, without what is secret in it."""

    id: UUID
    name: str
    version: int
    scheme: str


class OutletsReply(Reply):
    """The school's own channels, and the schemes of which they may be."""

    outlets: tuple[OutletShown, ...]
    schemes: tuple[str, ...]


class OutletReply(Reply):
    """An outlet that was set or taken away."""

    outlet: UUID
    version: int
    state: Literal["set", "removed"]


class NoticeRuleShown(Reply):
    """Who is told of a kind of event, how soon, and how the school has adjusted that (`number` 0: not at all)."""

    kind: str
    dutch: str
    english: str
    category: Category
    to: str
    """In words, whom it tells of those who may receive its category."""
    bound: Bound
    urgent: bool
    pace: Pace
    remind_days: int | None
    number: int
    told: bool
    left_out: tuple[Role, ...]


class RulesReply(Reply):
    """Every rule of who is told of what."""

    rules: tuple[NoticeRuleShown, ...]


class RuleSetReply(Reply):
    """Which version of the school's own rule holds from now on."""

    kind: str
    number: int


class WaitingShown(Reply):
    """How much waits in one state, for one channel and reason; since when, and when the first of it goes."""

    state: DeliveryState
    channel: Channel
    why: str | None
    number: int
    urgent: int
    since: datetime
    release_at: datetime | None
    next_try_at: datetime | None


class QueueReply(Reply):
    """What waits to be sent, counted."""

    waiting: tuple[WaitingShown, ...]


class WhyFact(Reply):
    """Of one event, whether somebody was told and why. Who keeps records reads of other kinds only that it was."""

    notice: UUID | None
    source: UUID
    """The event's id."""
    kind: str
    occurred_at: datetime
    told: bool
    words: tuple[str, ...]


class WhyReply(Reply):
    """The facts, newest first."""

    facts: tuple[WhyFact, ...]
