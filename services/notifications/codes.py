"""Sends the codes by which addresses are confirmed: made as they leave, kept as a hash."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from services.notifications import address_store
from services.notifications.address_requests import ClaimCode, SettleCode
from services.notifications.addressing import CLAIM_CODE, SETTLE_CODE
from services.notifications.channel import Channel, ChannelDown, Letter, NotSent, Target
from services.notifications.keyring import digest_of
from services.notifications.model import SERVICE
from services.notifications.reaching import Reach
from services.notifications.turns import Alarm, Woken, rest_s
from shared.actor import Actor
from shared.clock import Clock, Ids
from shared.db import LOST, Database
from shared.errors import Problem
from shared.events import notifications as told
from shared.events.words import ActorKind
from shared.unit import Asked
from shared.unit_run import Unit

log = logging.getLogger(__name__)

POLL_S = 0.5
LONGEST_REST_S = 5.0
"""Short: somebody waits for a code, and what is down may be another channel."""
CODES = 10**8

Confirm = Callable[[str, UUID, UUID, str], str | None]
"""Returns the link that confirms a member's address with a code; None: there is no door for it."""


def _rests(error: Exception) -> bool:
    log.warning("codes rest", extra={"code": "sending_rests", "kind": type(error).__name__})
    return False


@dataclass(frozen=True, slots=True)
class CodeSender:
    """Sends the codes that are due, through the channel that each address is of."""

    db: Database
    unit: Unit
    ids: Ids
    clock: Clock
    reach: Reach
    channels: Mapping[told.Channel, Callable[[], Channel]]
    confirm: Confirm
    alarm: Alarm
    release_within_s: float
    woken: Woken

    async def run(self) -> None:
        """Sends until cancelled."""
        failures = 0
        while True:
            try:
                schools = self.woken.take(asyncio.get_running_loop().time()) or await self.db.schools()
                went = [await self._send_one(school) for school in schools]
            except (*LOST, asyncpg.PostgresError) as error:
                went = [_rests(error)]
            failures = 0 if all(went) else failures + 1
            await (asyncio.sleep(min(rest_s(failures), LONGEST_REST_S)) if failures else self.woken.wait(POLL_S))

    async def _send_one(self, school: str) -> bool:
        """Sends a school's codes; tells whether that went well. One school's trouble keeps no other back."""
        try:
            await self.send_due(school)
        except (Problem, ChannelDown, *LOST, asyncpg.PostgresError) as error:
            return _rests(error)
        return True

    async def send_due(self, school: str) -> None:
        """Sends a school's codes that are due. Raises ChannelDown; those that could not go are due again later.

        A channel that is down keeps back its own codes, and not those of the others.
        """
        async with self.db.school(school) as conn:
            due = await address_store.list_codes_due(conn, school)
        down: dict[told.Channel, ChannelDown] = {}
        for one in due:
            if one.channel not in self.channels or one.channel in down:
                continue
            channel = self.channels[one.channel]()
            try:
                await channel.ready()
                await self._send(channel, school, one)
            except ChannelDown as error:
                down[one.channel] = error
            finally:
                await channel.close()
        for found in down.values():
            raise found

    async def _send(self, channel: Channel, school: str, one: address_store.CodeDue) -> None:
        before = asyncio.get_running_loop().time() + self.release_within_s
        code = f"{self.ids.pseudonym().int % CODES:08d}"
        salt = self.ids.pseudonym().hex
        body = ClaimCode(address=one.address, salt=salt, hash=digest_of(salt, code))
        member = Actor(one.member, ActorKind.PERSON, school, SERVICE)
        try:
            claimed = await self.unit.run(CLAIM_CODE, Asked(member, school, body, self.ids))
        except Problem as problem:
            log.warning("code not claimed", extra={"code": "code_not_claimed", "kind": problem.type.value})
            return
        try:
            await channel.send(*self._letter(school, one, code, claimed), self.clock.now(), before)
        except NotSent as refusal:
            if not refusal.for_good:
                return  # another code, in a while
        settle = SettleCode(address=one.address)
        await self.unit.run(SETTLE_CODE, Asked(member, school, settle, self.ids))

    def _letter(
        self, school: str, one: address_store.CodeDue, code: str, claimed: Mapping[str, Any]
    ) -> tuple[Letter, Target]:
        link = self.confirm(school, one.member, one.address, code)
        found = self.ids.pseudonym()
        letter = Letter(found, found, urgent=True, code=code, link=link)
        return letter, Target(self.reach.text(school, one.channel, claimed), one.address)
