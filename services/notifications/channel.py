"""What the sender sends, through what, and what can go wrong with it: not now, never, and the whole channel down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


class ChannelDown(Exception):
    """The server can't be reached or greets with a refusal: nothing to do with any one letter."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotSent(Exception):
    """A letter was not accepted, as `code` says.

    `for_good`: trying again can't help. `gone`: nothing will ever arrive at this address, stop it. `doubtful`: the
    other side had all of it, and whether it was accepted can't be known. `rest_s`: how long the other side asked for.
    `ours`: it is we who are refused, whoever it goes to: the operators must mend something, and it is tried again.
    """

    def __init__(
        self,
        code: str,
        *,
        for_good: bool = False,
        gone: bool = False,
        doubtful: bool = False,
        rest_s: float = 0.0,
        ours: bool = False,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.for_good = for_good
        self.gone = gone
        self.doubtful = doubtful
        self.rest_s = rest_s
        self.ours = ours


@dataclass(frozen=True, slots=True)
class Letter:
    """One thing to send. It says that there is something new, never what or about whom.

    `id` is the same however often it is sent, so that a repeat can be known; `notice` is (one of) what it tells of;
    `number`: how many; `more`: there are others that have no room in it. `fixed`: the law or safety wants all of it
    told, so it is no mail that one unsubscribes from. `language` None: both. `code`: it is the letter that asks whoever
    reads it to confirm the address (with `link`, where that can be done by a press). `leave`: the link that ends these
    mails. `entries`: calendar entries, as goals gives them.
    """

    id: UUID
    notice: UUID
    number: int = 1
    language: str | None = None
    urgent: bool = False
    reminder: bool = False
    more: bool = False
    fixed: bool = False
    code: str | None = None
    link: str | None = None
    leave: str | None = None
    entries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """Where a letter goes: `text` as the channel understands it."""

    text: str
    id: UUID | None = None
    """Of the member's own address; None: the school's record."""


class Channel(Protocol):
    """What the sender sends through."""

    async def ready(self) -> None:
        """Connects where there is no connection; raises ChannelDown."""

    async def send(self, letter: Letter, to: Target, now: datetime, before: float) -> None:
        """Returns once the other side has accepted the letter; raises NotSent.

        Nothing leaves after `before`, a reading of the event loop's clock.
        """

    async def close(self) -> None:
        """Ends the connection; never raises."""


def left(before: float) -> float:
    """Returns how many seconds a letter has until it may not leave any more; raises NotSent when that has passed."""
    remaining = before - asyncio.get_running_loop().time()
    if remaining <= 0:
        raise NotSent("claim_too_old")
    return remaining
