"""Puts sending together: a sender for each channel, one for mail that can't wait, codes, the door, what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from services.notifications import address_store
from services.notifications.address_requests import LeaveChannel, VerifyAddress
from services.notifications.addressing import VERIFY
from services.notifications.bounces import Bounces
from services.notifications.channel import Channel
from services.notifications.channel_settings import ChannelSettings, channel_settings, keyring
from services.notifications.codes import CodeSender
from services.notifications.door import Door, confirming_link, leaving_link
from services.notifications.leaving import LEAVE
from services.notifications.mail import MailSettings
from services.notifications.model import SERVICE
from services.notifications.other import OtherChannel
from services.notifications.pace import Limits, Pace
from services.notifications.push import PushChannel, PushSettings
from services.notifications.push_keys import load_vapid
from services.notifications.reaching import Reach, no_leave
from services.notifications.sender import Sender
from services.notifications.smtp import MailChannel
from services.notifications.turns import Woken, Yielding
from shared.actor import Actor
from shared.errors import Problem, ProblemType, Transient
from shared.events import notifications as told
from shared.events.words import ActorKind, Purpose, school_subject
from shared.service import Site
from shared.unit import Asked, Endpoint, Request

URGENT_WORKERS = 2
OTHER_WORKERS = 2
OTHER_PATIENCE_S = 20.0


async def send_all(at: Site) -> None:
    """Sends what is queued, through every channel, until cancelled."""
    house = SendingHouse(at, MailSettings(), channel_settings())
    at.relay.also.append(house.wake)
    try:
        await asyncio.gather(*(one() for one in house.works()))
    finally:
        at.relay.also.remove(house.wake)


@dataclass(frozen=True, slots=True)
class SendingHouse:
    """What the senders of one process share."""

    at: Site
    mail: MailSettings
    more: ChannelSettings
    woken: list[Woken] = field(default_factory=list)

    @property
    def patience_s(self) -> float:
        """How long the most patient channel waits for the other side's word: before that no claim may lapse."""
        return max(self.mail.patience_s, OTHER_PATIENCE_S)

    def works(self) -> list[Callable[[], Awaitable[None]]]:
        """Returns what must run."""
        channels, yielding = self._channels(), Yielding()
        limits = Limits(self.mail.per_minute, self.mail.per_minute_school)
        mail = partial(self._sender, channels, told.Channel.MAIL, limits, yielding)
        senders = [mail(urgent=True, workers=URGENT_WORKERS), mail()]
        if told.Channel.PUSH in channels:
            limits = Limits(self.more.push_per_minute, self.more.push_per_minute_school)
            senders.append(self._sender(channels, told.Channel.PUSH, limits, Yielding()))
        if told.Channel.OTHER in channels:
            limits = Limits(self.more.other_per_minute, self.more.other_per_minute_school)
            other = self._sender(channels, told.Channel.OTHER, limits, Yielding(), workers=OTHER_WORKERS)
            senders.append(other)
        codes = CodeSender(
            self.at.db,
            self.at.unit,
            self.at.ids,
            self.at.clock,
            self._reach(),
            channels,
            self._confirm,
            self.at.alarm,
            self.at.settings.release_within_s,
            self._new_woken(),
        )
        works: list[Callable[[], Awaitable[None]]] = [*(sender.run for sender in senders), codes.run]
        bounces = Bounces(self.at.db, self.at.unit, self.at.ids, keyring(), self.at.alarm)
        if self.more.bounce_mailbox is not None:
            works.append(partial(bounces.read, self.more.bounce_mailbox))
        if self.more.door_port is not None:
            works.append(partial(self._open_door, bounces, self.more.door_port))
        return works

    def _channels(self) -> Mapping[told.Channel, Callable[[], Channel]]:
        settings, keys = self.at.settings, keyring()
        mark = keys.return_path if keys is not None else None
        found: dict[told.Channel, Callable[[], Channel]] = {
            told.Channel.MAIL: lambda: MailChannel(settings.smtp_host, settings.smtp_port, self.mail, mark)
        }
        if self.more.vapid_key is not None:
            contact = self.more.push_contact or f"mailto:{self.mail.sender}"
            push = PushSettings(load_vapid(self.more.vapid_key), contact, self.mail.link, self.more.pushes_to)
            found[told.Channel.PUSH] = lambda: PushChannel(push)
        if keys is not None and self.more.other_schemes:
            schemes, link = self.more.other_schemes, self.mail.link
            found[told.Channel.OTHER] = lambda: OtherChannel(schemes, link, OTHER_PATIENCE_S)
        return found

    def _new_woken(self) -> Woken:
        self.woken.append(Woken())
        return self.woken[-1]

    def wake(self, school: str) -> None:
        """Has every sender look at a school at once."""
        for one in self.woken:
            one.wake(school)

    def _sender(
        self,
        channels: Mapping[told.Channel, Callable[[], Channel]],
        kind: told.Channel,
        limits: Limits,
        yielding: Yielding,
        **more: object,
    ) -> Sender:
        at = self.at
        return Sender(
            db=at.db,
            unit=at.unit,
            ids=at.ids,
            clock=at.clock,
            reach=self._reach(),
            channel=channels[kind],
            alarm=at.alarm,
            release_within_s=at.settings.release_within_s,
            patience_s=self.patience_s,
            kind=kind,
            keep=True,
            pace=Pace(at.db, kind, limits),
            woken=self._new_woken(),
            yielding=yielding,
            **more,  # type: ignore[arg-type]  # fields of Sender
        )

    def _reach(self) -> Reach:
        leave = no_leave if self.more.door_url is None else self._leave
        return Reach(self._contact, self._entry, leave, keyring())

    def _leave(self, school: str, member: UUID, notice: UUID) -> str | None:
        keys, url = keyring(), self.more.door_url
        return None if keys is None or url is None else leaving_link(keys, url, school, member, notice)

    def _confirm(self, school: str, member: UUID, address: UUID, code: str) -> str | None:
        keys, url = keyring(), self.more.door_url
        return None if keys is None or url is None else confirming_link(keys, url, school, member, address, code)

    async def _contact(self, school: str, member: UUID, about: UUID) -> str | None:
        body = {"member": member, "about": about, "purpose": Purpose.ADMINISTRATION}
        answer = await self.at.bus.call(school, "network", "contact-point", body)
        email = answer["email"]
        return None if email is None else str(email)

    async def _entry(self, school: str, member: UUID, talk: UUID, purpose: Purpose, language: str | None) -> str | None:
        body = {"conversation": talk, "member": member, "language": language or "nl", "purpose": purpose}
        try:
            answer = await self.at.bus.call(school, "goals", "calendar-entry", body)
        except Problem as problem:
            if problem.type is ProblemType.UNAVAILABLE:
                raise Transient("goals can't tell now") from None
            return None  # never on the list: the mail goes without
        return str(answer["ics"])

    async def _open_door(self, bounces: Bounces, port: int) -> None:
        keys, token = keyring(), self.more.bounce_token
        if keys is None:
            return
        door = Door(
            keys, self._press_leave, self._press_verify, bounces.take, token.get_secret_value() if token else None
        )
        try:
            opened = await door.open(self.more.door_host, port)
            if self.more.door_port_file is not None:
                await asyncio.to_thread(self.more.door_port_file.write_text, str(opened))
            await asyncio.Event().wait()
        finally:
            await door.close()

    async def _press_leave(self, school: str, member: UUID, everything: bool) -> None:
        async with self.at.db.school(school) as conn:
            known = await address_store.was_told(conn, school, member)
        if known:  # a link outlives who was erased: nothing is sent to them, and nothing is kept of them again
            about = school_subject(school) if everything else None
            body = LeaveChannel(channel=told.Channel.MAIL, everything=everything, about=about)
            await self._press(LEAVE, school, member, body)

    async def _press_verify(self, school: str, member: UUID, address: UUID, code: str) -> bool:
        reply = await self._press(VERIFY, school, member, VerifyAddress(address=address, code=code))
        return reply["state"] == "verified"

    async def _press(self, endpoint: Endpoint[Request], school: str, member: UUID, body: Request) -> dict[str, object]:
        actor = Actor(member, ActorKind.PERSON, school, SERVICE)
        found: dict[str, object] = await self.at.unit.run(endpoint, Asked(actor, school, body, self.at.ids))
        return found
