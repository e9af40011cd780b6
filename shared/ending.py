"""How tasks that were begun are ended, surely."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

ASK_AGAIN_S = 0.5


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels tasks and returns when all of them have ended; what they end with is nobody's any more.

    Python 3.11's `asyncio.wait_for`, which drivers use, swallows a cancellation that comes as its awaitable is done: a
    loop then goes on, and who waits for it waits for ever. So whoever has not ended is cancelled again.
    """
    tasks = list(tasks)
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASK_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
