"""Holds what was answered, journaled, logged and done against each other: each promise that can be checked, is."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from deploy.databases import ServiceDatabase
from deploy.demo.books import LANES, Books
from deploy.demo.cast import Cast
from deploy.demo.ledger import Ledger, Told
from deploy.demo.stage import Stage
from deploy.demo.witness import OK, STRAY, Deed
from deploy.environment import base_environment
from deploy.home import Home
from shared.errors import ProblemType

SHOWN = 20
JUDGED_WITHIN_S = 120
NOT_DONE = {kind.value for kind in ProblemType} - {ProblemType.FORBIDDEN.value, ProblemType.UNAVAILABLE.value}
LETTERS = "SELECT producer, seq, state, code FROM dead_letter"


@dataclass
class Scene:
    """Everything that a check may look at."""

    home: Home
    books: Books
    ledger: Ledger
    stage: Stage
    cast: Cast
    database: ServiceDatabase
    """Audit's, for the verifier."""


@dataclass
class Found:
    """What checks found: per check what was wrong (empty: it held), and how many were lost or came twice."""

    checks: dict[str, list[str]] = field(default_factory=dict)
    lost: int = 0
    duplicated: int = 0

    def add(self, check: str, wrong: list[str], *, lost: int = 0, duplicated: int = 0) -> None:
        """Adds a check's result."""
        self.checks.setdefault(check, []).extend(wrong)
        self.lost += lost
        self.duplicated += duplicated

    @property
    def held(self) -> bool:
        """Tells whether every check held."""
        return not any(self.checks.values()) and not self.lost and not self.duplicated

    def to_json(self) -> dict[str, Any]:
        """Returns `ok` or the first things that were wrong, by check."""
        return {name: wrong[:SHOWN] or "ok" for name, wrong in self.checks.items()}


Check = Callable[[Scene, Found], Awaitable[None]]


async def chains(at: Scene, found: Found) -> None:
    """Journals are dense and each event carries its predecessor's hash; the log's leaves give its root."""
    found.add("journals are dense and chained", at.ledger.chain)
    found.add("audit log is dense and under its root", at.ledger.log)


async def answers(at: Scene, found: Found) -> None:
    """Each answer has its events: done once, looked with a line, refused with a line, not done without any."""
    events: dict[str, list[Told]] = defaultdict(list)
    for lane in at.ledger.events.values():
        for event in lane:
            if event.trace:
                events[event.trace].append(event)
    commands: dict[str, list[Deed]] = defaultdict(list)
    for deed in at.stage.witness.deeds:
        if deed.is_query:
            _look(deed, events.get(deed.trace, []), found)
        else:
            commands[deed.key].append(deed)
        _refusal(deed, events.get(deed.trace, []), found)
    _strays(at, found)
    lost, twice = [], []
    for deeds in commands.values():
        did = [deed for deed in deeds if any(e.name != "access.denied" for e in events.get(deed.trace, ()))]
        if len(did) > 1:
            twice.append(f"{did[0].name} in {did[0].school} was done {len(did)} times")
        if not did and any(deed.outcome == OK for deed in deeds):
            lost.append(f"{deeds[0].name} in {deeds[0].school} was answered ok and is in no journal")
    found.add("commands answered ok are journaled once", lost + twice, lost=len(lost), duplicated=len(twice))


def _strays(at: Scene, found: Found) -> None:
    came = sum(deed.outcome == STRAY for deed in at.stage.witness.deeds)
    told = sum(event.act.get("reason") == "other_school" for event in at.ledger.all("access.denied"))
    wrong = [f"{came} came with another school's token, {told} have a line"] if came != told else []
    found.add("each denial has one line", wrong)


def _look(deed: Deed, events: list[Told], found: Found) -> None:
    wrong = []
    if deed.outcome == OK and not any(event.name == "access.viewed" for event in events):
        wrong.append(f"{deed.name} in {deed.school} was answered without a line ({deed.trace})")
    if any(event.name not in ("access.viewed", "access.denied") for event in events):
        wrong.append(f"the query {deed.name} changed something ({deed.trace})")
    found.add("no look without a line", wrong, lost=len(wrong))


def _refusal(deed: Deed, events: list[Told], found: Found) -> None:
    names = [event.name for event in events]
    wrong = []
    if deed.outcome == ProblemType.FORBIDDEN and names != ["access.denied"]:
        wrong.append(f"{deed.name} in {deed.school} was denied and left {names or 'no line'}")
    found.add("each denial has one line", wrong)
    undone = [f"{deed.name} was answered {deed.outcome} and left {names}"] if deed.outcome in NOT_DONE and names else []
    found.add("what was not done left nothing", undone)


async def lines(at: Scene, found: Found) -> None:
    """Each event has one audit line with its very bytes, and no line is without an event."""
    lost, twice, foreign = [], [], []
    for lane, events in at.ledger.events.items():
        logged = at.ledger.lines.get(lane, Counter())
        known = {(event.seq, event.hash) for event in events}
        lost += [f"{event.place} has no line" for event in events if (event.seq, event.hash) not in logged]
        twice += [f"{lane[0]}/{lane[1]}#{seq} has {n} lines" for (seq, _), n in logged.items() if n > 1]
        foreign += [f"a line of {lane[0]}/{lane[1]}#{seq} has no such event" for seq, _ in logged.keys() - known]
    found.add("each event has one audit line", lost + twice + foreign, lost=len(lost), duplicated=len(twice + foreign))


async def lanes(at: Scene, found: Found) -> None:
    """Every consumer stands at its producers' heads, and nothing was set aside."""
    wrong = []
    for consumer, producers in LANES.items():
        cursors = await at.books.cursors(consumer)
        for (producer, school), head in at.ledger.heads.items():
            if producer in producers and cursors.get((producer, school)) != head:
                wrong.append(
                    f"{consumer} stands at {cursors.get((producer, school))} of {producer}/{school}, not {head}"
                )
        for school in at.cast.keepers:
            letters = await at.books.rows(consumer, school, LETTERS)
            wrong += [f"{consumer} set {one['producer']}/{school}#{one['seq']} aside: {one['code']}" for one in letters]
    found.add("lanes are in order and at their heads", wrong)


async def verified(at: Scene, found: Found) -> None:
    """The service's own verifier, run as an auditor would, finds nothing wrong with the logs and their signatures."""
    heads: dict[str, dict[str, int]] = defaultdict(dict)
    for (producer, school), (_, seq, _) in at.ledger.heads.items():
        heads[school][producer] = seq
    env = base_environment() | {
        "SAMEN_DATABASE_URL": at.database.dsn,
        "SAMEN_LOG_PUBLIC_KEY": str(at.home.keys.log_public),
        "SAMEN_LOG_DIR": str(at.home.log),
    }
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "services.audit.verify", "log")
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=env)
    out, errors = await process.communicate(json.dumps(heads).encode())
    wrong = []
    reports = [json.loads(line) for line in out.splitlines()]
    for report in reports:
        findings = Counter(one["code"] for one in report["findings"])
        wrong += [f"{report['school']}: {code} ({n})" for code, n in findings.items()]
        if not report["checkpoints"] or report["signed"] < report["lines"]:
            wrong.append(f"{report['school']}: signed are {report['signed']} of {report['lines']} lines")
    if len(reports) != len(heads):
        wrong.append(f"the verifier ended with {process.returncode}: {errors.decode()[-300:].strip() or os.EX_OK}")
    found.add("audit log verifies, signatures too", wrong)


async def judged(at: Scene, found: Found) -> None:
    """The judge has come to the end of every log, and found nothing in an honest half-year."""
    wrong = []
    for school in at.cast.keepers:
        size = (await at.books.rows("audit", school, "SELECT size FROM log_head"))[0]["size"]
        come = 0
        for _ in range(JUDGED_WITHIN_S):
            come = sum(row["idx"] for row in await at.books.rows("audit", school, "SELECT idx FROM judge_position"))
            if come >= size:
                break
            await asyncio.sleep(1)
        else:
            wrong.append(f"{school}: judged are {come} of {size} lines")
        first: dict[str, int] = {}
        for row in await at.books.rows("audit", school, "SELECT idx, code FROM finding ORDER BY idx DESC"):
            first[row["code"]] = row["idx"]
        wrong += [f"{school}: {code}, first at line {idx}" for code, idx in first.items()]
    found.add("the judge found nothing", wrong)


async def surprises(at: Scene, found: Found) -> None:
    """Everything on stage went as it must."""
    found.add("everyone was answered as they must be", at.stage.surprises)
