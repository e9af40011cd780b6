"""A small mail server that delivers nothing: it keeps every mail as a file, for the demo and for tests."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.telemetry import log_to_stderr


class Keeper:
    """Writes each mail to `folder` as `<nanoseconds>-<number>.eml`, whole or not at all."""

    def __init__(self, folder: Path) -> None:
        """Take the folder mails go to."""
        self._folder = folder
        self._count = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        """Keep one mail; the answer says it is accepted."""
        del server, session
        self._count += 1
        name = f"{time.time_ns()}-{self._count:06d}.eml"
        content = envelope.original_content or b""
        await asyncio.to_thread(self._write, name, content)
        return "250 kept"

    def _write(self, name: str, content: bytes) -> None:
        part = self._folder / f".{name}"
        part.write_bytes(content)
        part.replace(self._folder / name)


async def serve(folder: Path, port: int, stop: asyncio.Event) -> None:
    """Catch mails on loopback until `stop` is set."""
    keeper, loop = Keeper(folder), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(keeper, hostname="samen.invalid", loop=loop), "127.0.0.1", port)
    async with server:
        await stop.wait()


async def _resident() -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await serve(Path(os.environ["SAMEN_MAIL_DIR"]), int(os.environ["SAMEN_SMTP_PORT"]), stop)


if __name__ == "__main__":
    Path(os.environ["SAMEN_MAIL_DIR"]).mkdir(parents=True, exist_ok=True)
    log_to_stderr("catcher", "INFO")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # it names addresses, which no log may hold
    asyncio.run(_resident())
