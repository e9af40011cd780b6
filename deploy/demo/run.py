"""One run of the demo: plays the half-year, waits until all of it has been told, then checks every promise."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from deploy.databases import ServiceDatabase
from deploy.demo import checks, checks_effects, checks_tools, checks_walls
from deploy.demo.books import Books, Heads
from deploy.demo.cast import Cast
from deploy.demo.checks import Check, Found, Scene
from deploy.demo.foundation import make_foundation
from deploy.demo.journey import play
from deploy.demo.ledger import Ledger, read_ledger
from deploy.demo.stage import Show, Stage, Stuck
from deploy.demo.witness import Witness
from deploy.home import Home
from deploy.samen.roster_import import Report
from deploy.topology import NAMES

QUIET_S = 180.0
LOOK_EVERY_S = 0.1
STILL_S = 3.0
"""Longer than any look for what has fallen due, such as reminders (every two seconds)."""
OPEN = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'deferred', 'claimed')"
UNSIGNED = "SELECT h.size - coalesce((SELECT max(c.size) FROM checkpoint c), 0) FROM log_head h"

CHECKS: tuple[Check, ...] = (
    checks.chains,
    checks.answers,
    checks.lines,
    checks.lanes,
    checks_effects.access,
    checks_effects.goals,
    checks_effects.notices,
    checks_effects.reviews,
    checks_effects.deadlines,
    checks_effects.mails,
    checks_tools.tools,
    checks_tools.forgotten,
    checks_tools.pseudonyms,
    checks_walls.withdrawals,
    checks_walls.walls,
    checks_walls.personal,
    checks.verified,
    checks.judged,
    checks.surprises,
)


@dataclass
class Result:
    """What one run did and what the checks found."""

    seed: int
    cast: Cast
    stage: Stage
    imports: list[Report]
    ledger: Ledger
    found: Found
    mails: int
    seconds: float

    @property
    def held(self) -> bool:
        """Tells whether every promise that was checked held."""
        return self.found.held

    def figures(self) -> dict[str, Any]:
        """Returns the figures, as `--json` prints them."""
        counts = self.stage.witness.counts()
        return {
            "seed": self.seed,
            "schools": len(self.cast.keepers),
            "children": len(self.cast.children),
            "people": len(self.cast.foundation.persons),
            "commands": counts["commands"],
            "queries": counts["queries"],
            "refused": sum(counts[kind] for kind in ("invalid", "conflict", "stale_version")),
            "events": self.ledger.event_count,
            "audit_lines": self.ledger.line_count,
            "notifications": len(self.ledger.all("notice.queued")),
            "mails": self.mails,
            "put_out": len(self.ledger.all("put-out.made")),
            "denials": len(self.ledger.all("access.denied")),
            "withdrawals": len(self.ledger.all("consent.withdrawn")),
            "lost": self.found.lost,
            "duplicated": self.found.duplicated,
            "seconds": round(self.seconds, 1),
            "held": self.held,
            "checks": self.found.to_json(),
        }


async def perform(
    home: Home, databases: dict[str, ServiceDatabase], operator: UUID, *, seed: int, children: int, show: Show
) -> Result:
    """Plays and checks on the platform that runs in `home`. Raises Stuck when it does not get done."""
    began = time.monotonic()
    # Two of them, so that the foundation does not depend on what is played.
    made, random = Random(seed), Random(f"{seed}: played")  # noqa: S311  a made-up foundation is no secret
    async with Witness(home, random) as witness, Books(databases) as books:
        stage = Stage(witness, books, random, show)
        foundation = make_foundation(made, stage.today, children)
        played = await play(stage, foundation, home.root / "roster", operator)
        await quiet(stage, list(played.cast.keepers))
        show.scene("holding it all against each other", len(CHECKS) + 1)
        ledger = await read_ledger(books, list(played.cast.keepers))
        show.step()
        scene = Scene(home, books, ledger, stage, played.cast, databases["audit"])
        found = Found()
        for check in CHECKS:
            await check(scene, found)
            show.step()
        mails = await asyncio.to_thread(lambda: len(list(home.mail.glob("*.eml"))))
        return Result(seed, played.cast, stage, played.imports, ledger, found, mails, time.monotonic() - began)


async def quiet(stage: Stage, schools: list[str]) -> None:
    """Waits until every mail went, every consumer stands at its producers' heads and every line is signed.

    All of it at once, and for a while: what falls due is told by rounds of their own, and a journal that grew meanwhile
    makes what was looked at first hold no longer.
    """
    since, before = time.monotonic(), await _heads(stage)
    end = since + QUIET_S
    left = most = await _open(stage, schools)
    stage.show.scene("the last mails go out", most)
    while time.monotonic() < end:
        heads = await _heads(stage)
        if heads != before:
            since, before = time.monotonic(), heads
        still = await _open(stage, schools)
        for _ in range(max(0, left - still)):
            stage.show.step()
        left = still
        if not left and time.monotonic() - since > STILL_S:
            behind = await stage.books.behind(heads) or await _sum(stage, schools, "audit", UNSIGNED)
            if not behind and await _heads(stage) == heads:
                return
        await asyncio.sleep(LOOK_EVERY_S)
    raise Stuck(f"still not quiet after {QUIET_S:g} s: {left} of {most} mails wait; see `samen status`")


async def _heads(stage: Stage) -> dict[str, Heads]:
    return {name: await stage.books.heads(name) for name in NAMES}


async def _open(stage: Stage, schools: list[str]) -> int:
    return await _sum(stage, schools, "notifications", OPEN)


async def _sum(stage: Stage, schools: list[str], service: str, sql: str) -> int:
    return sum([row[0] for school in schools for row in await stage.books.rows(service, school, sql)])
