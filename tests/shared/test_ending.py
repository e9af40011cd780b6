"""Tasks are ended although one of them lets a cancellation pass."""

from __future__ import annotations

import asyncio

import pytest

from shared.ending import end


async def test_who_swallows_a_cancellation_is_ended_all_the_same() -> None:
    async def swallows() -> None:
        for _ in range(2):  # as Python 3.11's wait_for does once, and a loop then goes on
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    async def fails() -> None:
        raise OSError

    async def yields() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(one()) for one in (swallows, fails, yields)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(tasks)
    assert all(task.done() for task in tasks)
    assert [task.cancelled() for task in tasks] == [False, False, True]


async def test_nothing_begun_is_ended_at_once_and_who_waits_can_be_cancelled() -> None:
    await end([])
    stubborn = asyncio.Event()

    async def stays() -> None:
        while not stubborn.is_set():
            try:
                await stubborn.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(stays())
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await end([task])
    stubborn.set()
    await task
