"""A cable between a process and the broker, to be cut: still (nothing comes through) or with a reset."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

CHUNK_BYTES = 1 << 16


class Cable:
    """Forwards every connection to one server, as long as it is not cut."""

    def __init__(self, to: str) -> None:
        """Take the server's address, such as nats://127.0.0.1:4222."""
        self._to = urlsplit(to)
        self._whole = asyncio.Event()
        self._whole.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.url = ""

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[None]:
        """Listens on a free port of loopback while the body runs; see `url`."""

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.url = f"{self._to.scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            self._whole.set()
            self._reset()
            if self._serving:
                await asyncio.wait(self._serving, timeout=5)

    def cut(self, *, reset: bool) -> None:
        """Lets nothing through, in either direction. `reset`: connections end and none begins; else all just wait."""
        self._whole.clear()
        if reset:
            self._reset()

    def mend(self) -> None:
        """Lets everything through again, also what was sent meanwhile."""
        self._whole.set()

    def _reset(self) -> None:
        for end in self._ends:
            end.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        with contextlib.suppress(OSError):
            await self._whole.wait()
            there_reader, there = await asyncio.open_connection(self._to.hostname, self._to.port)
            self._ends.add(there)
            await asyncio.gather(self._pump(reader, there), self._pump(there_reader, writer))
            self._ends.discard(there)
        self._ends.discard(writer)
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def cables(to: str, names: Iterable[str]) -> AsyncIterator[dict[str, Cable]]:
    """Yields a cable to the server for each name."""
    made = {name: Cable(to) for name in names}
    async with AsyncExitStack() as stack:
        for cable in made.values():
            await stack.enter_async_context(cable.laid())
        yield made
