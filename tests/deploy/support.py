"""What the tests of deploy share."""

import asyncio
import time
from collections.abc import Callable

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError


def eventually(check: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait for what other processes do; nothing tells when they did it."""
    end = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


async def patient_request(client: Client, subject: str, data: bytes, headers: dict[str, str] | None = None) -> Msg:
    """Request again while the server says that nobody listens: whoever answers may have only just been started."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await client.request(subject, data, timeout=10, headers=headers)
            except NoRespondersError:
                await asyncio.sleep(0.02)
