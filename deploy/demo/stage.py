"""Where the journey is played: acts for people, many at once but never too many, and notes what went otherwise."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from deploy.demo.books import Books
from deploy.demo.witness import Witness
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind

AT_ONCE = 64
TRIES = 8
SETTLE_S = 30.0
LOOK_EVERY_S = 0.02
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


class Stuck(RuntimeError):
    """The platform did not get done what it was waited for; the message says what."""


@dataclass(frozen=True, slots=True)
class Who:
    """A person within one school."""

    school: str
    id: UUID


class Show(Protocol):
    """Whoever watches is told which scene is played, and each step in it."""

    def scene(self, text: str, steps: int | None = None) -> None:
        """A scene begins; `steps` None: nobody knows how many."""

    def step(self) -> None:
        """One step of the scene is done."""


class Stage:
    """Acts for people through a door, and keeps to a bounded number of requests at once."""

    def __init__(self, witness: Witness, books: Books, random: Random, show: Show) -> None:
        self.witness, self.books, self.random, self.show = witness, books, random, show
        self.surprises: list[str] = []
        self.told: Counter[str] = Counter()
        self.shift = timedelta()
        self._gate = asyncio.Semaphore(AT_ONCE)

    @property
    def today(self) -> date:
        """The day it is on stage."""
        return (datetime.now(UTC) + self.shift).astimezone(AMSTERDAM).date()

    async def do(self, who: Who, service: str, name: str, /, **body: Any) -> Any:  # noqa: ANN401  JSON
        """Gives a command and returns its reply; tries again with the same key while the service is not available."""
        key = f"{self.witness.next_key()}"
        actor = self.witness.actor(who.id, who.school)
        return await self._patiently(
            lambda: self.witness.command(who.school, service, name, body, actor, key=key), name
        )

    async def ask(self, who: Who, service: str, name: str, /, **body: Any) -> Any:  # noqa: ANN401  JSON
        """Asks a query and returns its result; tries again while the service is not available."""
        body.setdefault("purpose", "guidance")
        actor = self.witness.actor(who.id, who.school)
        return await self._patiently(lambda: self.witness.query(who.school, service, name, body, actor), name)

    async def operate(self, school: str, operator: UUID, name: str, /, **body: Any) -> Any:  # noqa: ANN401  JSON
        """Gives network a command as the operator."""
        actor = self.witness.actor(operator, school, ActorKind.OPERATOR)
        key = self.witness.next_key()
        return await self._patiently(lambda: self.witness.command(school, "network", name, body, actor, key=key), name)

    async def _patiently(self, call: Callable[[], Awaitable[Any]], name: str) -> Any:  # noqa: ANN401  JSON
        for attempt in range(1, TRIES + 1):
            async with self._gate:
                try:
                    return await call()
                except Problem as problem:
                    if problem.type is not ProblemType.UNAVAILABLE or attempt == TRIES:
                        raise
                    self.told[f"retried {name}"] += 1
            await asyncio.sleep(0.05 * 2**attempt)
        raise AssertionError  # the last try returns or raises

    async def refused(self, acting: Awaitable[Any], story: str, kind: ProblemType = ProblemType.FORBIDDEN) -> str:
        """Awaits something that must be refused with `kind`; anything else is a surprise. Returns what was said."""
        try:
            await acting
        except Problem as problem:
            if problem.type is kind:
                self.told[story] += 1
                return problem.detail
            self.surprises.append(f"{story}: {problem.type}, not {kind}: {problem.detail}")
            return problem.detail
        self.surprises.append(f"{story}: it went through")
        return ""

    async def went(self, acting: Awaitable[Any], story: str) -> Any:  # noqa: ANN401  JSON
        """Awaits something that must succeed; a refusal is a surprise. Returns its result, or None."""
        try:
            found = await acting
        except Problem as problem:
            self.surprises.append(f"{story}: {problem}")
            return None
        self.told[story] += 1
        return found

    async def race(self, actings: Iterable[Awaitable[Any]], story: str) -> Any:  # noqa: ANN401  JSON
        """Lets several do the same at once: one must succeed, the others must be told that they were too late."""
        ended = await asyncio.gather(*actings, return_exceptions=True)
        won = [one for one in ended if not isinstance(one, BaseException)]
        late = {ProblemType.STALE_VERSION, ProblemType.CONFLICT}
        lost = [one for one in ended if isinstance(one, Problem) and one.type in late]
        if len(won) != 1 or len(won) + len(lost) != len(ended):
            self.surprises.append(f"{story}: {ended}")
            return None
        self.told[story] += 1
        return won[0]

    async def all(self, what: str, jobs: Iterable[Awaitable[Any]]) -> list[Any]:
        """Plays a scene: all these at once, as far as the gate lets them."""
        waiting = list(jobs)
        self.show.scene(what, len(waiting))

        async def play(job: Awaitable[Any]) -> Any:  # noqa: ANN401  JSON
            try:
                return await job
            finally:
                self.show.step()

        return list(await asyncio.gather(*map(play, waiting)))

    async def settle(self, *producers: str) -> None:
        """Waits until every consumer has applied what these producers' journals hold now."""
        heads = {name: await self.books.heads(name) for name in producers}
        end = asyncio.get_running_loop().time() + SETTLE_S
        while behind := await self.books.behind(heads):
            if asyncio.get_running_loop().time() > end:
                raise Stuck(f"not applied after {SETTLE_S:g} s: {', '.join(behind)}; see `samen status`")
            await asyncio.sleep(LOOK_EVERY_S)

    async def move_on(self, days: int) -> None:
        """Lets so many days pass since the journey began, everywhere at once."""
        self.shift = timedelta(days=days)
        await self.books.move_time(self.shift)
