"""Takes a OneRoster delivery in, school by school: what is added and changed first, what ends last and not too much."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import count, islice
from pathlib import Path
from typing import Any
from uuid import UUID

from deploy.samen.client import Client
from deploy.samen.oneroster import Roster, read_roster
from deploy.samen.oneroster_batches import HINTS, Batch, SchoolOrg, batches, schools_of
from deploy.samen.oneroster_leaving import Leaving, Size
from deploy.samen.oneroster_records import BadFolder, Issue
from deploy.samen.schools import NO_SUCH_SCHOOL
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind

COUNTS = ("added", "changed", "ended", "unchanged")
TRIES = 6
ENDS = 100
"""Ends of one command: as many children can be touched."""
KEPT = 1000
"""So many issues are kept in memory; the report file has all."""


@dataclass
class SchoolReport:
    """What an import did in one school. `opened`: the school was new; `failed`: why it stopped, if it did.

    `withdrawal`: the last one that it caused; `effect`: how and when all that ended was in force everywhere.
    """

    slug: str
    name: str
    opened: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    failed: str | None = None
    withdrawal: str | None = None
    effect: dict[str, Any] | None = None


@dataclass
class Report:
    """What an import did (`dry`: would do), and what was wrong in the files: the first issues and how many there are.

    `complete`: absence counted as having left; `delta`: the delivery held changes only; `refused`: so many lines.
    """

    schools: list[SchoolReport]
    issues: list[Issue]
    issue_count: int
    complete: bool
    delta: bool
    dry: bool
    refused: int = 0

    @property
    def ok(self) -> bool:
        """Tells whether every school was taken in; refused rows don't count against it."""
        return all(one.failed is None for one in self.schools)

    def to_json(self) -> dict[str, Any]:
        """Returns the report as one JSON object."""
        return {
            "dry_run": self.dry,
            "complete": self.complete,
            "refused": self.refused,
            "schools": [
                {
                    "school": one.slug,
                    "opened": one.opened,
                    **{name: one.counts[name] for name in COUNTS},
                    "refused": one.counts["refused"],
                    "failed": one.failed,
                    "effective": one.effect,
                }
                for one in self.schools
            ],
            "issue_count": self.issue_count,
            "issues": [
                {"at": one.at, "code": one.code, "note": one.note, "do": HINTS.get(one.code, "")} for one in self.issues
            ],
        }


@dataclass(frozen=True, slots=True)
class How:
    """How to import: `dry` changes nothing, `allow_ending` so many people or links may end in a school in any case.

    `tell` hears how far it is; `lines` gets the report line by line (oneroster_lines.COLUMNS) at the end.
    """

    dry: bool = False
    allow_ending: int = 0
    tell: Callable[[str], None] = lambda _: None
    lines: Callable[[Iterable[tuple[object, ...]]], None] = lambda _: None


async def import_folder(
    client: Client, operator: UUID, folder: Path, wanted: list[str], today: date, how: How | None = None
) -> Report:
    """Takes a delivery in, school by school; opens the schools that are new. Raises BadFolder."""
    how = how or How()
    with tempfile.TemporaryDirectory(prefix="samen-roster-") as scratch:
        roster = read_roster(folder, Path(scratch) / "roster.db")
        try:
            if unread := roster.lines.unread():
                raise BadFolder(f"{unread.at}: {unread.code}: {HINTS[unread.code]}; nothing was imported")
            schools, wrong = schools_of(roster, wanted)
            if wrong or not schools:
                raise BadFolder("; ".join(wrong) or "orgs.csv names no org of type school: add one")
            reports = [await _School(client, operator, roster, one, today, how).run() for one in schools]
            how.lines(roster.lines.report())
            issues, number, refused = roster.lines.issues(KEPT), roster.lines.count(), roster.lines.refused()
        finally:
            roster.db.close()
    return Report(reports, issues, number, roster.complete, roster.delta, how.dry, refused)


class _School:
    """One school being taken in."""

    def __init__(
        self, client: Client, operator: UUID, roster: Roster, school: SchoolOrg, today: date, how: How
    ) -> None:
        self._client, self._roster, self._school, self._how = client, roster, school, how
        self._today = today
        self._actor = client.actor(operator, school.slug, ActorKind.OPERATOR)
        self._leaving = Leaving(roster, school, today)
        self._run, self._numbers = secrets.token_hex(8), count()
        self.report = SchoolReport(school.slug, school.name)

    async def run(self) -> SchoolReport:
        """Takes the school in, unless too much would end; returns what was done."""
        try:
            size = await self._compare()
            self.report.failed = size.beyond(self._how.allow_ending)
            if self.report.failed is None or self._how.dry:
                await self._take_all()
            if self.report.withdrawal is not None:
                self.report.effect = await self._client.effective(self._school.slug, self.report.withdrawal)
        except Problem as problem:
            self.report.failed = problem.detail
        return self.report

    async def _compare(self) -> Size:
        """Opens the school if it is new, and holds what stands there against what the delivery wants."""
        if not self._how.dry:
            await self._open()
        after: str | None = None
        while True:
            links = await self._links(after)
            if not links:
                break
            self._leaving.stands(links)
            after = links[-1]["id"]
        for batch in batches(self._roster, self._school, self._today):
            self._leaving.want(batch)
        return self._leaving.settle()

    async def _open(self) -> None:
        try:
            await self._command("open-school", {"name": self._school.name, "sourced_id": self._school.org})
            self.report.opened = True
        except Problem as problem:
            if problem.more.get("code") != "already_open":
                raise

    async def _links(self, after: str | None) -> list[dict[str, Any]]:
        try:
            reply = await self._query("roster-links", {"after": after})
        except Problem as problem:
            if not self._how.dry or problem.more.get("code") not in {"not_open", NO_SUCH_SCHOOL}:
                raise
            self.report.opened = True
            return []
        links: list[dict[str, Any]] = reply["links"]
        return links

    async def _take_all(self) -> None:
        counts = self.report.counts
        organisations: set[str] = set()
        for batch in batches(self._roster, self._school, self._today):
            organisations.update(one["sourced_id"] for one in batch.get("organisations", ()))
            await self._take(self._leaving.want(batch), organisations)
            self._how.tell(f"{self._school.slug}: {counts['added']} added, {counts['unchanged']} unchanged")
        ending = self._leaving.ending()
        while some := list(islice(ending, ENDS)):
            ids = [id_ for id_, *_, hand in some if not hand]
            counts["ended"] += len(some) if self._how.dry else (await self._ended({"ends": ids}))["ended"]
            self._roster.lines.end(((person, child, role) for _, person, child, role, _ in some), self._school.slug)

    async def _take(self, batch: Batch, organisations: set[str]) -> None:
        lines, counts = self._roster.lines, self.report.counts
        lines.mark(_places(batch), "unchanged")
        if self._how.dry and self.report.opened:
            counts["added"] += _rows(batch)
            lines.mark(_places(batch), "added")
            return
        reply = await (self._preview(batch, organisations) if self._how.dry else self._ended(batch))
        counts.update({name: reply[name] for name in COUNTS})
        counts["refused"] += len(reply["refused"])
        for what, places in reply["lines"].items():
            lines.mark(places, what)
        for one in reply["refused"]:
            lines.tell(Issue(one["at"], one["code"]))

    async def _ended(self, batch: Batch) -> dict[str, Any]:
        """Has a batch taken in; remembers the last withdrawal: what ended before it is in force no later."""
        reply = await self._command("import-roster", batch)
        self.report.withdrawal = next(reversed(reply.get("withdrawals", ())), self.report.withdrawal)
        return reply

    async def _preview(self, batch: Batch, organisations: set[str]) -> dict[str, Any]:
        networks = batch.get("networks", ())
        named = {link["person"] for one in networks for link in one["links"]}
        named |= {holder for one in networks for holder in one["holders"]}
        expected = {
            "expected_persons": self._leaving.brings(named - {one["sourced_id"] for one in batch.get("persons", ())}),
            "expected_organisations": sorted(
                {one["organisation"] for one in batch.get("persons", ()) if one.get("organisation") in organisations}
            ),
        }
        return await self._query("preview-roster", batch | expected)

    async def _command(self, name: str, body: Batch) -> dict[str, Any]:
        """Gives a command; one that can't be done now is tried again with the same key, so it counts once."""
        key = f"{self._run}-{next(self._numbers)}"
        return await _patiently(
            lambda: self._client.command(self._school.slug, "network", name, body, self._actor, key=key)
        )

    async def _query(self, name: str, body: Batch) -> dict[str, Any]:
        body = {"purpose": "administration", **body}
        return await _patiently(lambda: self._client.query(self._school.slug, "network", name, body, self._actor))


async def _patiently(ask: Callable[[], Any]) -> dict[str, Any]:
    for attempt in range(1, TRIES):
        try:
            reply: dict[str, Any] = await ask()
        except Problem as problem:
            if problem.type is not ProblemType.UNAVAILABLE:
                raise
            await asyncio.sleep(0.2 * 2**attempt)
        else:
            return reply
    last: dict[str, Any] = await ask()
    return last


def _places(batch: Batch) -> Iterator[str]:
    """Yields the place of each row of a batch."""
    for rows in ("organisations", "persons", "networks"):
        for one in batch.get(rows, ()):
            yield one["at"]
            yield from one.get("roles_at", ())
            yield from (link["at"] for link in one.get("links", ()))


def _rows(batch: Batch) -> int:
    """Returns how much a batch adds to an empty school, each link counted as network counts it."""
    persons, networks = batch.get("persons", ()), batch.get("networks", ())
    return (
        len(batch.get("organisations", ()))
        + sum(1 + len(one.get("roles", ())) + bool(one.get("pupil")) for one in persons)
        + sum(len(one["links"]) + len(one["holders"]) for one in networks)
    )
