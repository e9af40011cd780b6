"""What the putter keeps of each tool, what wakes it, and what it needs of the tools' streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from services.gate.leaving import Leaving, Speech
from services.gate.model import At
from services.gate.streams import Standing

Key = tuple[str, UUID]


class ToolStreams(Protocol):
    """What is written to the tools' streams, and read of them: `Streams`, or what stands in for it."""

    async def standing(self, account: str) -> Standing | None: ...
    async def number_at(self, account: str, place: int) -> int | None: ...
    async def standings(self) -> dict[str, Standing]: ...
    async def acknowledged(self, account: str) -> int | None: ...
    async def publish(self, messages: list[Leaving], expected: int) -> int: ...


class Alarm(Protocol):
    """Tells the operators (DESIGN.md "Alarms")."""

    def __call__(self, code: str, text: str, **facts: object) -> None: ...


class Wakes:
    """Tells the putter that a school has something for its tools; a wake before anybody waits is kept."""

    def __init__(self) -> None:
        self._schools: set[str] = set()
        self._woken = asyncio.Event()

    def wake(self, school: str) -> None:
        """Has a school looked at now."""
        self._schools.add(school)
        self._woken.set()

    def beside(self, other: Wakes) -> Callable[[str], None]:
        """Returns what wakes both."""

        def wake(school: str) -> None:
            self.wake(school)
            other.wake(school)

        return wake

    async def schools(self, within_s: float) -> set[str]:
        """Returns the schools that were woken; none when the time is over."""
        try:
            async with asyncio.timeout(within_s):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()
        found, self._schools = self._schools, set()
        return found


@dataclass(slots=True)
class Place:
    """What this process knows of one tool: where its stream stands, how it is spoken to, and how it fares."""

    at: At | None = None
    speech: Speech | None = None
    seq: int = 0
    failures: int = 0
    until: float = 0.0
    untold: bool = True
    """It may be that the tool is to be told of a withdrawal: those go first."""
    again: bool = False
    """Something came while its worker was at work."""
    worker: asyncio.Task[None] | None = None
    noted: int = 0
