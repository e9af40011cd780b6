"""One run: people at work, a nemesis with a plan, and the books held against each other when peace has come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.books import Books, read_books, read_positions, read_settled, unapplied
from tests.faults.cast import open_school
from tests.faults.checker import check
from tests.faults.door import Door
from tests.faults.load import RESTS_S, Load
from tests.faults.nemesis import Blow, plan, strike
from tests.faults.stage import Stage, until

SCHOOLS = ("faults-a", "faults-b")
KIDS = 4
STANDS_STILL_S = 40.0
"""Longer than any pause that a lane or a mail takes before it tries again."""
CALM_S = 40.0


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    findings: list[str]
    books: Books
    since: Books
    load: Load
    blows: list[Blow] = field(default_factory=list)
    settled_s: float = 0.0

    def figures(self) -> dict[str, int | float]:
        """Returns what a reader wants to see."""
        deeds = Counter(blow.deed for blow in self.blows)
        kinds = Counter(one.kind for one in self.load.said)
        return {
            "kills": sum(blow.kills for blow in self.blows),
            "of the broker": deeds["kill broker"] + deeds["wipe broker"],
            "wipes of its store": deeds["wipe broker"],
            "pauses": deeds["pause"],
            "commands answered ok": kinds["ok"],
            "commands given up on": kinds["silence"] + kinds["unavailable"],
            "answers": self.load.answers.total(),
            "events": sum(len(entries) for entries in self.books.journals.values()),
            "audit lines": sum(len(entries) for entries in self.books.lines.values()),
            "notices": len(self.books.notices),
            "settled after (s)": round(self.settled_s, 1),
            "wrong": len(self.findings),
        }


async def play(stage: Stage, seed: int, kills: int, tell: Callable[[str], None], rests_s: float = RESTS_S) -> Outcome:
    """Plays a run on a stage that nobody used yet, with people who rest so long between two things that they do."""
    async with stage.login("samen") as client:
        door = Door.of(stage, client)
        schools = tuple([await open_school(door, slug, KIDS) for slug in SCHOOLS])
        since = await read_books(stage)
        load = Load(door, schools, seed, rests_s)
        blows = plan(seed, kills)
        working = asyncio.create_task(load.run())

        def done() -> int:
            return sum(1 for one in load.said if one.kind == "ok")

        def told(killed: int, blow: Blow) -> None:
            tell(f"{killed:3}/{kills}  {blow!s:22} {done():5} commands done")

        try:
            await until(done, CALM_S, "a first command is done")
            await strike(stage, blows, told, done)
            await stage.ready()
            before = done()
            await until(lambda: done() > before, CALM_S, "people get on with their work after it all")
        finally:
            load.stopping = True
            await working
        outcome = await settle(stage, load, since)
        outcome.blows = blows
        return outcome


async def settle(stage: Stage, load: Load, since: Books) -> Outcome:
    """Waits for rest while anything moves: a backlog of mails takes its time, a lane that stands still may not."""
    loop = asyncio.get_running_loop()
    started = moved = loop.time()
    books, moves = None, ""
    while books is None and loop.time() - moved < STANDS_STILL_S:
        await asyncio.sleep(0.2)
        books = await read_settled(stage)
        now = books or await read_positions(stage)
        if moves != repr((now.heads, now.cursors)):
            moves, moved = repr((now.heads, now.cursors)), loop.time()
    rests = books is not None
    books = books or await read_books(stage)
    findings = [*load.troubles, *check(books, load.said, since, load.calm_kids())]
    if not any(one.kind == "ok" for one in load.said):
        findings.append("nothing at all was answered ok: a run without load proves nothing")
    if not rests:
        findings.append(f"nothing moves any more, and it is not at rest: {unapplied(books)[:5]}")
    return Outcome(findings, books, since, load, settled_s=loop.time() - started)
