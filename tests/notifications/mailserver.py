"""A mail server in the test's own loop that misbehaves as told."""

from __future__ import annotations

import asyncio
import email
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session

OK = "250 OK"


class Server:
    """Keeps what it accepted, and answers as its fields say.

    `rcpt` and `data` answer one command each (by default OK); `drop_after_data`: takes the next mail and hangs up
    without a word; `hold`: unset, it lets every mail wait before it answers; `hold_go_ahead`: the same before the mail.
    """

    def __init__(self) -> None:
        self.port = 0
        self.accepted: list[tuple[str, EmailMessage]] = []
        self.raw: list[bytes] = []
        self.rcpt: Callable[[str], str] = lambda _: OK
        self.data: Callable[[], str] = lambda: OK
        self.drop_after_data = 0
        self.mail_from: Callable[[str], None] = lambda _: None
        self.drop_mail_from = 0
        self.delay_s = 0.0
        self.arrived = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()
        self.hold_go_ahead = asyncio.Event()
        self.hold_go_ahead.set()

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        del server, session, rcpt_options
        answer = self.rcpt(address)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, mail_options: list[str]
    ) -> str:
        del session, mail_options
        if self.drop_mail_from:
            self.drop_mail_from -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        self.mail_from(address)
        envelope.mail_from = address
        return OK

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del session
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        answer = self.data()
        if answer == OK:
            content = envelope.original_content or b""
            message = email.message_from_bytes(content, policy=default)
            assert isinstance(message, EmailMessage)
            self.raw.append(content)
            self.accepted.append((",".join(envelope.rcpt_tos), message))
        self.arrived.set()
        await self.hold.wait()
        if self.drop_after_data:
            self.drop_after_data -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return answer

    @property
    def ids(self) -> list[str]:
        """The Message-IDs of what was accepted, in order."""
        return [message["Message-ID"] for _, message in self.accepted]


class _Patient(SMTP):
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        await self.event_handler.hold_go_ahead.wait()
        await super().smtp_DATA(arg)


@asynccontextmanager
async def serving(server: Server, port: int = 0) -> AsyncIterator[Server]:
    """Serves on loopback, on a free port unless one is given."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: _Patient(server, hostname="mail.example", loop=loop), "127.0.0.1", port
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.hold.set()
        server.hold_go_ahead.set()
        listening.close()
        await listening.wait_closed()


@asynccontextmanager
async def greeting(words: bytes) -> AsyncIterator[int]:
    """Serves a door that only says `words` and closes; yields its port."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(greet, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await listening.wait_closed()
