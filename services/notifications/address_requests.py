"""What members ask about their own addresses, and what the sender asks in their name: the bodies of the requests."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.events.notifications import Channel
from shared.text import Code, Line
from shared.unit import Query, Request


class Addresses(Query):
    """The asking member's own addresses, what is stopped, and which channels there are."""


class AddAddress(Request):
    """Gives an address of one's own for a channel. A code is sent there; nothing else before it came back.

    `target`: a mail address; a browser's push subscription (`PushSubscription.toJSON()`); what an outlet needs to reach
    one person, such as a telephone number.
    """

    channel: Channel
    target: Annotated[str, Field(min_length=1, max_length=2048)]
    outlet: Code | None = None


class AddressRequest(Request):
    """Names one's own address as it was seen."""

    address: UUID
    version: Annotated[int, Field(ge=1)]


class AskCode(AddressRequest):
    """Has a new code sent."""


class RemoveAddress(AddressRequest):
    """Takes an address away."""


class VerifyAddress(Request):
    """Confirms an address with the code that was sent there."""

    address: UUID
    code: Annotated[str, Field(pattern=r"^[0-9]{8}$")]


class LeaveChannel(Request):
    """Has nothing more sent through a channel. Everything stays in the inbox.

    What the law or safety wants told still comes by mail, but with `everything`: then who keeps the school's records is
    told that no mail reaches the member. With that, `about` is the school's own subject.
    """

    channel: Channel
    everything: bool = False
    about: UUID | None = None


class ResumeChannel(Request):
    """Wants to be reached through a channel again, also where letters came back."""

    channel: Channel


class ClaimCode(Request):
    """The sender's: takes a code that is due, to send it now. The actor is the member."""

    address: UUID
    salt: Line
    hash: Line


class SettleCode(Request):
    """The sender's: the code has left (or never will); not asked for again."""

    address: UUID
