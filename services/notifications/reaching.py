"""Where a claimed delivery goes: the member's own verified addresses, or else the school's record that network has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from services.notifications.addressing import is_stopped
from services.notifications.channel import Letter, NotSent, Target
from services.notifications.keyring import BadSeal, Keyring
from services.notifications.outlets import OUTLET
from services.notifications.schemes import filled
from services.notifications.subscription import Subscription, read_subscription
from shared.errors import Problem, ProblemType, Transient
from shared.events.notifications import Channel
from shared.events.words import Purpose

Contact = Callable[[str, UUID, UUID], Awaitable[str | None]]
"""Asks network where, in a school, a member is reached about a subject; None: nowhere. Raises Problem or Transient."""
Entry = Callable[[str, UUID, UUID, Purpose, str | None], Awaitable[str | None]]
"""Asks goals for a conversation's calendar entry, for a member who may be told of it for this purpose; None: there is
none for it. For another purpose goals would give what takes the entry out of the calendar."""
Leave = Callable[[str, UUID, UUID], str | None]
"""Returns the link by which a member of a school leaves, in a notice's mail."""

ADDRESS_STOPPED = "address_stopped"
MOST_ENTRIES = 10


class Nowhere(Exception):
    """There is nowhere to send to: `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def no_entry(_school: str, _member: UUID, _talk: UUID, _purpose: Purpose, _language: str | None) -> str | None:
    """Returns no calendar entry."""
    return None


def no_leave(_school: str, _member: UUID, _notice: UUID) -> str | None:
    """Returns no link."""
    return None


@dataclass(frozen=True, slots=True)
class Reach:
    """Finds where a delivery goes, and what the letter brings along."""

    contact: Contact
    entry: Entry = no_entry
    leave: Leave = no_leave
    keys: Keyring | None = None

    async def letter(self, school: str, member: UUID, kind: Channel, claimed: Mapping[str, Any]) -> Letter:
        """Returns the letter of a claim. Raises NotSent when what belongs into it can't be had now."""
        letter = Letter(
            UUID(claimed["message"]),
            UUID(claimed["notice"]),
            claimed["number"],
            claimed["language"],
            claimed["urgent"],
            claimed["reminder"],
            claimed["more"],
            claimed["fixed"],
        )
        if kind is not Channel.MAIL:
            return letter
        try:
            found = await asyncio.gather(
                *(
                    self.entry(school, member, UUID(talk), Purpose(purpose), claimed["language"])
                    for talk, purpose in list(claimed["talks"].items())[:MOST_ENTRIES]
                )
            )
        except Transient:
            raise NotSent("entry_unanswered") from None
        entries = tuple(one for one in found if one is not None)
        return replace(letter, leave=self.leave(school, member, letter.id), entries=entries)

    async def targets(self, school: str, member: UUID, kind: Channel, claimed: Mapping[str, Any]) -> list[Target]:
        """Returns where to send: each of a member's browsers, or one address. Raises Nowhere, NotSent."""
        stops = [one for one in claimed["stops"] if one["digest"]]
        own = [one for one in claimed["addresses"] if not any(is_stopped(stop, one["target"]) for stop in stops)]
        if kind is Channel.MAIL and not own:
            return [await self._record(school, member, UUID(claimed["about"]), stops)]
        if not own:
            raise Nowhere(ADDRESS_STOPPED if claimed["addresses"] else "no_address")
        if kind is Channel.PUSH:
            return [Target(one["target"], UUID(one["id"])) for one in own]
        return [Target(self.text(school, kind, own[0]), UUID(own[0]["id"]))]

    async def _record(self, school: str, member: UUID, about: UUID, stops: list[dict[str, Any]]) -> Target:
        try:
            address = await self.contact(school, member, about)
        except Problem as problem:
            raise NotSent(f"contact_{problem.type}") from None
        except Transient:
            raise NotSent("contact_unanswered") from None
        if address is None:
            raise Nowhere("no_address")
        if any(is_stopped(stop, address) for stop in stops):
            raise Nowhere(ADDRESS_STOPPED)
        return Target(address)

    def text(self, school: str, kind: Channel, one: Mapping[str, Any]) -> str:
        """Returns a member's own address as its channel understands it. Raises NotSent."""
        if kind is not Channel.OTHER:
            return str(one["target"])
        try:
            if self.keys is None or one["sealed"] is None:
                raise BadSeal(OUTLET)
            return filled(self.keys.open(OUTLET, one["sealed"], school), one["target"])
        except BadSeal:
            raise NotSent("outlet_unreadable") from None


def circuit_of(kind: Channel, target: Target) -> str:
    """Returns what fails together with this address: its mail domain, push service or outlet's service."""
    if kind is Channel.MAIL:
        return f"mail/{target.text.rpartition('@')[2].lower()}"
    if kind is Channel.OTHER:
        return f"other/{target.text.partition('://')[0]}"
    try:
        found: Subscription = read_subscription(target.text, lambda _: True)
    except Problem as problem:
        if problem.type is not ProblemType.INVALID:
            raise
        return "push/unreadable"
    return f"push/{found.host}"
