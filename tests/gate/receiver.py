"""A tool's own server on loopback, as it is when all is well, and in every way that it can behave badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trustme

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Got:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def sequence(self) -> int:
        return int(json.loads(self.body)["sequence"])


@dataclass
class Receiver:
    """Keeps what comes; `answer` says what is sent back: bytes, or None to cut the connection without a word."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    answer: Callable[[Got], bytes | None] = lambda _: OK
    hold: asyncio.Event | None = None
    """While it is not set, nothing is answered."""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while (got := await _request(reader)) is not None:
                self.got.append(got)
                if self.hold is not None:
                    await self.hold.wait()
                answer = self.answer(got)
                if answer is None:
                    writer.transport.abort()
                    return
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def cut(self) -> None:
        """Cuts every connection, as a killed process does."""
        for writer in self._writers:
            writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Got | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Got(first.split()[1], headers, await reader.readexactly(int(headers["content-length"])))


@asynccontextmanager
async def receiving(receiver: Receiver, context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Serves it on loopback; on the port that it had before, if it had one."""
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", receiver.port, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        receiver.cut()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 1)


class Certificates:
    """An authority of our own: whom the gate trusts in a test, and a server's side by it."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.client = ssl.create_default_context()
        self.authority.configure_trust(self.client)

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(*names).configure_cert(context)
        return context
