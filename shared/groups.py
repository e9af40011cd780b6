"""Work for one school that arrives while other work for it is under way goes together, in the next round trip."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

HEAVIEST = 500
"""Subjects in one transaction, at most: each is a lock."""
SCHOOLS_AT_ONCE = 6
"""Schools whose groups are under way: the others wait before theirs is made up, so that theirs holds more.

Nobody waits at a light load; at a heavy one the slowest answers come sooner than with a transaction a school."""

I = TypeVar("I")  # noqa: E741  an item
O = TypeVar("O")  # noqa: E741  its outcome


class Overdue(Exception):
    """The item was not begun: whoever waits for it has been answered already."""


@dataclass(slots=True)
class _Waiting(Generic[I, O]):
    item: I
    holds: frozenset[Hashable]
    weight: int
    by: float
    done: asyncio.Future[O]


@dataclass(slots=True)
class _Queue(Generic[I, O]):
    waiting: deque[_Waiting[I, O]] = field(default_factory=deque)
    draining: asyncio.Task[None] | None = None


class Groups(Generic[I, O]):
    """Has `run(school, items)` do items in groups of at most `size`, one group of a school at a time, and groups of
    `SCHOOLS_AT_ONCE` schools; the next school has its turn after each run.

    A group of several weighs at most `HEAVIEST`.
    Items of one group share nothing of what they hold. A group that fails with one of `singly` is tried item by item,
    so that one bad item does not fail its neighbours; what an item raises alone is raised to whoever submitted it.
    """

    def __init__(
        self,
        run: Callable[[str, Sequence[I]], Awaitable[Sequence[O]]],
        size: int,
        singly: tuple[type[Exception], ...],
    ) -> None:
        self._run = run
        self._size = size
        self._singly = singly
        self._queues: dict[str, _Queue[I, O]] = {}
        self._turns = asyncio.Semaphore(SCHOOLS_AT_ONCE)

    async def submit(
        self, school: str, item: I, holds: frozenset[Hashable] = frozenset(), weight: int = 0, by: float = math.inf
    ) -> O:
        """Returns the item's outcome, or raises what it raised; Overdue when it was not begun `by` the loop's time."""
        queue = self._queues.setdefault(school, _Queue())
        future: asyncio.Future[O] = asyncio.get_running_loop().create_future()
        queue.waiting.append(_Waiting(item, holds, weight, by, future))
        if queue.draining is None:
            queue.draining = asyncio.create_task(self._drain(school, queue))
        return await future

    async def _drain(self, school: str, queue: _Queue[I, O]) -> None:
        try:
            while queue.waiting:
                async with self._turns:
                    again = await self._group(school, _take(queue.waiting, self._size))
                for one in again:
                    async with self._turns:
                        await self._group(school, [one])
        finally:
            queue.draining = None

    async def _group(self, school: str, group: list[_Waiting[I, O]]) -> list[_Waiting[I, O]]:
        """Does what of a group is still in time; returns the items that must be tried one by one."""
        group = _in_time(group, asyncio.get_running_loop().time())
        if not group:
            return []
        try:
            outcomes = await self._run(school, [one.item for one in group])
        except Exception as error:  # noqa: BLE001  raised to whoever waits
            if len(group) > 1 and isinstance(error, self._singly):
                return group
            for one in group:
                if not one.done.done():
                    one.done.set_exception(error)
            return []
        for one, outcome in zip(group, outcomes, strict=True):
            if not one.done.done():
                one.done.set_result(outcome)
        return []


def _in_time(group: list[_Waiting[I, O]], now: float) -> list[_Waiting[I, O]]:
    for one in group:
        if now >= one.by and not one.done.done():
            one.done.set_exception(Overdue())
    return [one for one in group if now < one.by]


def _take(waiting: deque[_Waiting[I, O]], size: int) -> list[_Waiting[I, O]]:
    """Takes the next items that share nothing; what clashes or is too much keeps its place for the next group."""
    group: list[_Waiting[I, O]] = []
    later: list[_Waiting[I, O]] = []
    held: set[Hashable] = set()
    room = HEAVIEST
    while waiting and len(group) < size:
        one = waiting.popleft()
        held_back = not held.isdisjoint(one.holds) or (group and one.weight > room)
        held |= one.holds
        if held_back:
            later.append(one)
        else:
            group.append(one)
            room -= one.weight
    waiting.extendleft(reversed(later))
    return group
