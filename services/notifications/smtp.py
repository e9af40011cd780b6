"""One SMTP connection and what can go wrong on it, sorted into: not now, never, and server unreachable."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol
from uuid import UUID

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from services.notifications.mail import MailSettings, compose, is_address

CONNECT_WITHIN_S = 10.0
QUIT_WITHIN_S = 2.0
START_INPUT, ACCEPTED, CLOSING = 354, 250, 421
LEADING_DOT = re.compile(rb"(?m)^\.")

# Their texts repeat addresses: codes only leave this module.
TROUBLE = (SMTPException, OSError, TimeoutError, ValueError)


class ChannelDown(Exception):
    """The server can't be reached or greets with a refusal: nothing to do with any one mail."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotSent(Exception):
    """A mail was not accepted. `for_good`: trying again can't help."""

    def __init__(self, code: str, *, for_good: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.for_good = for_good


class Channel(Protocol):
    """What the sender sends through."""

    async def ready(self) -> None:
        """Connects where there is no connection; raises ChannelDown."""

    async def send(self, notice: UUID, address: str, now: datetime, before: float) -> None:
        """Returns once the server has accepted the notice's mail; raises NotSent.

        Nothing leaves after `before`, a reading of the event loop's clock.
        """

    async def close(self) -> None:
        """Ends the connection; never raises."""


class MailChannel:
    """A connection to the mail server, made again when it is lost."""

    def __init__(self, host: str, port: int, settings: MailSettings) -> None:
        self._settings = settings
        self._smtp = aiosmtplib.SMTP(
            hostname=host,
            port=port,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            local_hostname=settings.domain,
            timeout=CONNECT_WITHIN_S,
            start_tls={"opportunistic": None, "required": True, "never": False}[settings.tls],
        )

    async def ready(self) -> None:
        """Connects where there is no connection; raises ChannelDown."""
        if self._smtp.is_connected:
            return
        self._smtp.close()
        try:
            await self._smtp.connect()
        except ssl.SSLError:
            raise ChannelDown("certificate") from None
        except SMTPResponseException as error:
            raise ChannelDown(f"greeted_{error.code}") from None
        except TROUBLE as error:
            raise ChannelDown(type(error).__name__) from None

    async def send(self, notice: UUID, address: str, now: datetime, before: float) -> None:
        """Returns once the server has accepted the notice's mail; raises NotSent."""
        if not is_address(address):
            raise NotSent("bad_address", for_good=True)
        mail = compose(notice, address, now, self._settings)
        try:
            await self._step("mail", self._smtp.mail(self._settings.sender, timeout=_left(before)))
            await self._step("rcpt", self._smtp.rcpt(address, timeout=_left(before)))
            start = await self._smtp.execute_command(b"DATA", timeout=_left(before))
            if start.code != START_INPUT:
                raise _refused("data", start.code)
            _left(before)
            await self._body(mail)
        except NotSent as refusal:
            await self._reset(lost=refusal.code in {"claim_too_old", f"data_{CLOSING}"})
            raise
        except TROUBLE as error:
            # Lost after the body: whether it was accepted can't be known, so it goes again under the same Message-ID.
            self._smtp.close()
            raise NotSent("connection_lost" if isinstance(error, OSError) else "smtp_error") from None

    async def _step(self, name: str, command: Awaitable[object]) -> None:
        try:
            await command
        except SMTPResponseException as error:
            if error.code == CLOSING:
                self._smtp.close()
            # A refused sender is our own mistake: no recipient's mail may be lost by it.
            raise _refused(name, error.code, for_good_from=500 if name == "rcpt" else 1000) from None

    async def _body(self, mail: bytes) -> None:
        protocol = self._smtp.protocol
        if protocol is None:
            raise NotSent("connection_lost")
        # In two steps, so that a server that is slow to say "go ahead" can't make the body leave late.
        protocol.write(LEADING_DOT.sub(b"..", mail) + b".\r\n")
        answer = await protocol.read_response(timeout=self._settings.patience_s)
        if answer.code != ACCEPTED:
            raise _refused("data", answer.code)

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


def _left(before: float) -> float:
    left = before - asyncio.get_running_loop().time()
    if left <= 0:
        raise NotSent("claim_too_old")
    return left


def _refused(step: str, code: int, for_good_from: int = 500) -> NotSent:
    return NotSent(f"{step}_{code}", for_good=code >= for_good_from)
