"""The lock that makes one replica the active one: its holder keeps it only as long as it does something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import pytest

from shared.db import LOST
from shared.session import Session
from tests.support.fixtures import DatabaseFactory

LARGE = "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"
"""More than the buffers between two processes hold."""


@asynccontextmanager
async def freezing(dsn: str, frozen: asyncio.Event) -> AsyncIterator[str]:
    """Yields an address of the same database whose reader reads nothing any more once `frozen` is set.

    That is what the server sees of a paused process: its kernel keeps the connection, and takes nothing.
    """
    parts = urlsplit(dsn)
    tasks, ends = set[asyncio.Task[None]](), list[asyncio.StreamWriter]()

    async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, may_freeze: bool) -> None:
        while not (may_freeze and frozen.is_set()) and (data := await source.read(4096)):
            sink.write(data)
            await sink.drain()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, to = await asyncio.open_connection(parts.hostname, parts.port)
        ends.extend((writer, to))
        tasks.add(asyncio.create_task(forward(reader, to, may_freeze=False)))
        tasks.add(asyncio.create_task(forward(back, writer, may_freeze=True)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            end.transport.abort()
            with suppress(OSError):
                await end.wait_closed()


async def test_a_holder_that_is_paused_with_an_answer_half_read_loses_the_lock_too(database: DatabaseFactory) -> None:
    """Such a session is not idle: the server waits for its socket."""
    dsn, frozen = (await database("goals")).dsn, asyncio.Event()
    async with freezing(dsn, frozen) as through:
        holder, other = Session(through, "lock"), Session(dsn, "lock")
        assert await holder.take_lock()
        assert not await other.take_lock()
        frozen.set()
        reading = asyncio.create_task(holder.fetch(LARGE))
        async with asyncio.timeout(20):
            await other.wait_for_lock()
    with pytest.raises(LOST):
        await reading
    await other.close()
