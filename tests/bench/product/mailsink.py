"""A mail server in a process of its own: takes every mail, and remembers when it said so to whom it is asked about."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.bench.worker import obey

WATCHED = "urgent"


class Sink:
    """Counts what it accepted, and keeps the moments of those whose recipient begins with WATCHED."""

    def __init__(self) -> None:
        self.count = 0
        self.watched: dict[str, float] = {}

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del server, session
        self.count += 1
        for recipient in envelope.rcpt_tos:
            if recipient.startswith(WATCHED):
                self.watched[recipient] = time.monotonic()
        return "250 OK"


async def main() -> None:
    """Serves on a free port until told to end."""
    sink, loop = Sink(), asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(sink, hostname="sink.example", loop=loop), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]

    async def arrived(_order: dict[str, Any]) -> dict[str, Any]:
        return {"port": port, "count": sink.count, "watched": sink.watched, "at": time.monotonic()}

    await obey({"arrived": arrived})


if __name__ == "__main__":
    uvloop.run(main())
