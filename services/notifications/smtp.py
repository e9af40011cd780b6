"""One SMTP connection and what can go wrong on it, sorted into: not now, never, and server unreachable."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from services.notifications.channel import ChannelDown, Letter, NotSent, Target, left
from services.notifications.mail import MailSettings, compose, is_address

CONNECT_WITHIN_S = 10.0
QUIT_WITHIN_S = 2.0
START_INPUT, ACCEPTED, CLOSING, PERMANENT = 354, 250, 421, 500
ENHANCED = re.compile(r"5\.\d{1,3}\.\d{1,3}")
GONE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""RFC 3463 and 7505: no such mailbox or domain, moved, no mail there, or closed. A full one may empty."""
OURS = re.compile(r"5\.7\.\d{1,3}|.*\b(?:relay|authenticat)", re.ASCII | re.IGNORECASE | re.DOTALL)
"""What refuses us, not the address: a policy (RFC 3463, 5.7: relaying, no login, a block list, SPF), or such words."""
STALE = frozenset({"connection_stale", f"mail_{CLOSING}"})
LOST_BY = frozenset({"claim_too_old", "connection_lost", "connection_stale", "smtp_error", f"data_{CLOSING}"})
LEADING_DOT = re.compile(rb"(?m)^\.")

# Their texts repeat addresses: codes only leave this module.
TROUBLE = (SMTPException, OSError, TimeoutError, ValueError)


class MailChannel:
    """A connection to the mail server, made again when it is lost."""

    def __init__(
        self, host: str, port: int, settings: MailSettings, mark: Callable[[str, UUID], str] | None = None
    ) -> None:
        """`mark` makes the address that a letter comes back to, of the mailbox for those and the letter's id."""
        self._settings = settings
        self._mark = mark
        self._used = False
        self._smtp = aiosmtplib.SMTP(
            hostname=host,
            port=port,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            local_hostname=settings.domain,
            timeout=CONNECT_WITHIN_S,
            # A password is never said in the open because somebody on the way left STARTTLS out.
            start_tls={"opportunistic": True if settings.username else None, "required": True, "never": False}[
                settings.tls
            ],
        )

    async def ready(self) -> None:
        """Connects where there is no connection; raises ChannelDown."""
        if self._smtp.is_connected:
            return
        self._smtp.close()
        self._used = False
        try:
            await self._smtp.connect()
        except ssl.SSLError:
            raise ChannelDown("certificate") from None
        except SMTPResponseException as error:
            raise ChannelDown(f"greeted_{error.code}") from None
        except TROUBLE as error:
            raise ChannelDown(type(error).__name__) from None

    async def send(self, letter: Letter, to: Target, now: datetime, before: float) -> None:
        """Returns once the server has accepted the letter's mail; raises NotSent."""
        if not is_address(to.text):
            raise NotSent("bad_address", for_good=True, gone=True)
        mail = compose(letter, to.text, now, self._settings)
        envelope = self._return_path(letter)
        used = self._used
        try:
            try:
                await self._offer(envelope, to.text, before)
            except NotSent as refusal:
                # A connection that waited for work may have been closed meanwhile: nothing was said on it yet.
                if not used or refusal.code not in STALE:
                    raise
                await self._again(before)
                await self._offer(envelope, to.text, before)
            await self._body(mail)
        except NotSent as refusal:
            await self._reset(lost=refusal.code in LOST_BY)
            raise
        self._used = True

    async def _again(self, before: float) -> None:
        self._smtp.close()
        try:
            async with asyncio.timeout(left(before)):
                await self.ready()
        except (ChannelDown, TimeoutError):
            raise NotSent("connection_lost") from None

    async def _offer(self, envelope: str, address: str, before: float) -> None:
        """Says from whom and to whom, and gets the word to go ahead in time."""
        step = "mail"
        try:
            await self._step("mail", self._smtp.mail(envelope, timeout=left(before)))
            step = "rcpt"
            await self._step("rcpt", self._smtp.rcpt(address, timeout=left(before)))
            start = await self._smtp.execute_command(b"DATA", timeout=left(before))
        except TROUBLE as error:
            self._smtp.close()
            lost = isinstance(error, OSError)
            raise NotSent(
                ("connection_stale" if step == "mail" else "connection_lost") if lost else "smtp_error"
            ) from None
        if start.code != START_INPUT:
            raise _refused("data", start.code, start.message)
        left(before)

    async def _step(self, name: str, command: Awaitable[object]) -> None:
        try:
            await command
        except SMTPResponseException as error:
            if error.code == CLOSING:
                self._smtp.close()
            raise _refused(name, error.code, error.message) from None

    async def _body(self, mail: bytes) -> None:
        protocol = self._smtp.protocol
        if protocol is None:
            raise NotSent("connection_lost")
        # In two steps, so that a server that is slow to say "go ahead" can't make the body leave late.
        try:
            protocol.write(LEADING_DOT.sub(b"..", mail) + b".\r\n")
            answer = await protocol.read_response(timeout=self._settings.patience_s)
        except TROUBLE as error:
            # Whether it was accepted can't be known, so it goes again under the same Message-ID.
            self._smtp.close()
            raise NotSent("connection_lost" if isinstance(error, OSError) else "smtp_error", doubtful=True) from None
        if answer.code != ACCEPTED:
            raise _refused("data", answer.code, answer.message)

    def _return_path(self, letter: Letter) -> str:
        bounces = self._settings.bounces
        return self._settings.sender if bounces is None or self._mark is None else self._mark(bounces, letter.notice)

    async def _reset(self, *, lost: bool) -> None:
        if lost or not self._smtp.is_connected:
            self._smtp.close()
            return
        try:
            await self._smtp.rset(timeout=QUIT_WITHIN_S)
        except TROUBLE:
            self._smtp.close()

    async def close(self) -> None:
        """Ends the connection; never raises."""
        if self._smtp.is_connected:
            with contextlib.suppress(*TROUBLE):
                await self._smtp.quit(timeout=QUIT_WITHIN_S)
        self._smtp.close()


def is_gone(text: str) -> bool:
    """Tells whether a refusal's enhanced code (RFC 3463) says that there is no such mailbox, or none any more."""
    found = ENHANCED.match(text)
    return found is not None and found[0] in GONE


def _refused(step: str, code: int, text: str) -> NotSent:
    """Returns what a refusal means. One of us, as a refused sender always is, loses no recipient's mail."""
    good = code >= PERMANENT
    gone = good and step == "rcpt" and is_gone(text)
    ours = good and not gone and (step == "mail" or OURS.match(text) is not None)
    return NotSent(f"{step}_{code}", for_good=good and not ours, gone=gone, ours=ours)
