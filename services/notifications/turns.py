"""Whose turn it is: what the workers of one school share, how long a school rests, and who goes before whom."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from services.notifications.store import Due
from shared.errors import Problem

FIRST_REST_S = 0.5
LONGEST_REST_S = 60.0
SCAN_EVERY_S = 0.5
LONGEST_YIELD_S = 1.0
FINISH_WITHIN_S = 15.0
SAY_AGAIN_S = 600.0


class Alarm(Protocol):
    """Tells the operators (DESIGN.md "Alarms")."""

    def __call__(self, code: str, text: str, **facts: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Watch:
    """By which clock a sender rests, and how it does."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(slots=True)
class Folded:
    """What meets letter after letter is said once, and once more when it lasts."""

    said: dict[str, tuple[float, int]] = field(default_factory=dict)

    def times(self, what: str, now: float) -> int:
        """Returns for how many times it is to be said, this one included; 0: it was said lately."""
        until, silent = self.said.get(what, (now, 0))
        if now < until:
            self.said[what] = until, silent + 1
            return 0
        self.said[what] = now + SAY_AGAIN_S, 0
        return silent + 1


@dataclass(slots=True)
class Rest:
    """How often in a row a school's sending failed, until when it is left alone, and when something of it went last."""

    failures: int = 0
    until: float = 0.0
    went: float = 0.0


def rest_s(failures: int) -> float:
    """Returns how long to rest after this many failures in a row."""
    # The power is bounded too: after a day of failures it no longer fits a float.
    return min(FIRST_REST_S * 2.0 ** min(failures, 16), LONGEST_REST_S)


def in_turn(schools: Iterable[str], rests: Mapping[str, Rest]) -> list[str]:
    """Returns the schools, who sent longest ago first: else the first would take all that a common limit leaves."""
    return sorted(schools, key=lambda school: rests[school].went)


@dataclass(slots=True)
class Batch:
    """What the workers of one school share: what is left to do, and how it goes."""

    due: deque[Due]
    refused: dict[UUID, int]
    most_refusals: int
    done: int = 0
    in_a_row: int = 0
    spared: int = 0
    """Of what was taken up: what did not leave, so that it counts for no limit."""
    problem: Problem | None = None

    @classmethod
    def of(cls, listed: Sequence[Due], refused: dict[UUID, int], most_refusals: int) -> Batch:
        """Returns a batch of these, in their order but for those that were refused before."""
        return cls(deque(sorted(listed, key=lambda one: refused[one.delivery])), refused, most_refusals)

    def goes_on(self) -> bool:
        """Tells whether there is more, and not everything is being refused."""
        return bool(self.due) and self.in_a_row < self.most_refusals

    def refuse(self, due: Due, problem: Problem) -> None:
        """Counts a refusal: it costs this delivery its place, and the school its turn only when others fare alike."""
        self.refused[due.delivery] += 1
        self.in_a_row += 1
        self.spared += 1
        self.problem = problem


@dataclass(slots=True)
class Woken:
    """Which schools had something committed; every so often all are looked at, whatever was heard."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    schools: set[str] = field(default_factory=set)
    scanned: float = 0.0

    def wake(self, school: str) -> None:
        """Says that something was committed for a school."""
        self.schools.add(school)
        self.event.set()

    def take(self, now: float) -> list[str]:
        """Returns the schools to look at; none: all of them."""
        self.event.clear()
        found, self.schools = sorted(self.schools), set()
        if not found or now - self.scanned >= SCAN_EVERY_S:
            self.scanned = now
            return []
        return found

    async def wait(self, longest_s: float) -> None:
        """Returns once something was committed, or after this long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self.event.wait()


@dataclass(slots=True)
class Yielding:
    """Lets what is urgent go first: as long as some of it is under way, nothing else begins."""

    urgent: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.free.set()

    @contextlib.contextmanager
    def going(self, *, urgent: bool) -> Iterator[None]:
        """Marks that a delivery is under way."""
        if not urgent:
            yield
            return
        self.urgent += 1
        self.free.clear()
        try:
            yield
        finally:
            self.urgent -= 1
            if not self.urgent:
                self.free.set()

    async def turn(self, *, urgent: bool) -> None:
        """Returns when a delivery may begin. Not for ever: a server that is slow with what is urgent stops nobody."""
        if not urgent:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_YIELD_S):
                    await self.free.wait()


async def finish(work: Coroutine[Any, Any, None]) -> None:
    """Awaits `work`; when cancelled, lets it end first: a mail that was accepted must be written down."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=FINISH_WITHIN_S)
        raise
