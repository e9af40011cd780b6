"""Checks a school's whole log against itself and says everything that is wrong with it.

Nothing that the service keeps as computed is believed: leaves, tree and roots are computed anew from the entries,
entries from the events, and every signature is verified. What is read is bound to the checkpoints, so a log that passes
is the one that was signed. The files that readers get are held against the same lines (`fsck_files`).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg

from services.audit.fsck_files import FilesCheck
from services.audit.model import line_of
from shared.errors import Permanent
from shared.events.base import GENESIS, Event
from shared.tlog.merkle import TILE_HEIGHT, Tree, extend, leaf_hash, root
from shared.tlog.note import BadNote, Checkpoint, verify

PAGE = 2000
MOST_FINDINGS = 1000
STORED_LEVELS = range(TILE_HEIGHT, 64, TILE_HEIGHT)

LINES = """
SELECT idx, producer, epoch, seq, type, occurred_at, recorded_at, about, actor, category, outcome, look, leaf_hash,
       entry, event
  FROM line WHERE school = $1 AND idx >= $2 ORDER BY idx LIMIT $3
"""
HEAD = "SELECT size, root, frontier FROM log_head WHERE school = $1"
CHECKPOINTS = "SELECT size, root, note FROM checkpoint WHERE school = $1 AND size > $2 ORDER BY size LIMIT $3"
NODES = "SELECT level, idx, hash FROM log_node WHERE school = $1 AND level = $2 AND idx >= $3 ORDER BY idx LIMIT $4"
COLUMNS = ("producer", "epoch", "seq", "type", "occurred_at", "recorded_at", "category", "outcome", "look", "leaf_hash")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a stable code, where (an idx, a size or a seq), in whose lane, or in which file."""

    code: str
    at: int
    producer: str = ""
    file: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON-able values; the file only where there is one."""
        told = {"code": self.code, "at": self.at, "producer": self.producer}
        return told | ({"file": self.file} if self.file else {})


@dataclass(slots=True)
class Lane:
    """How far a producer's events have been followed."""

    epoch: int = 0
    seq: int = 0
    hash: str = GENESIS


@dataclass(slots=True)
class Report:
    """What was checked and what was found; a log without findings is whole."""

    school: str
    lines: int = 0
    checkpoints: int = 0
    signed: int = 0
    """How many lines the newest good checkpoint covers."""
    root: str = ""
    files: int = 0
    """How many files were held against the lines; 0: it was not said where they are."""
    producers: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, code: str, at: int, producer: str = "", file: str = "") -> None:
        """Keeps a finding; a log that is all wrong must not fill the memory."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(code, at, producer, file))

    def to_json(self) -> dict[str, Any]:
        """Returns the report as JSON-able values."""
        found = [finding.to_json() for finding in self.findings]
        return {
            "school": self.school,
            "lines": self.lines,
            "checkpoints": self.checkpoints,
            "signed": self.signed,
            "root": self.root,
            "files": self.files,
            "producers": self.producers,
            "findings": found,
            "ok": not found,
        }


async def check(
    conn: asyncpg.Connection[asyncpg.Record],
    school: str,
    verifier: str,
    heads: Mapping[str, int] | None = None,
    *,
    still: Sequence[str] = (),
    past: Sequence[str] = (),
    folder: Path | None = None,
) -> Report:
    """Reads the school's log from the start, a page a transaction, and reports.

    `verifier` is the log's public key (note.verifier_key); `heads` how far each producer says that it has come: the log
    must reach that far. `still`: older keys that sign beside it for now; `past`: those that may have signed all but the
    newest checkpoint. `folder`: where the school's log is on disk; its files must be made of these lines.
    """
    checker = _Checker(conn, school, (verifier, *still), past)
    if folder is not None:
        checker.files = FilesCheck(
            folder,
            lambda note: checker.signed(note, (verifier, *still, *past)),
            lambda code, at, file: checker.report.add(code, at, file=file),
        )
    return await checker.run(heads or {})


class _Checker:
    def __init__(
        self, conn: asyncpg.Connection[asyncpg.Record], school: str, verifiers: Sequence[str], past: Sequence[str]
    ) -> None:
        self._conn = conn
        self._school = school
        self._verifiers, self._past = verifiers, past
        self._by_past = 0
        self._tree = Tree()
        self._lanes: dict[str, Lane] = {}
        self.report = Report(school)
        self.files: FilesCheck | None = None
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._next = 0

    async def run(self, heads: Mapping[str, int]) -> Report:
        """Checks everything; each check adds what it finds to the report."""
        report = self.report
        head = await self._page(HEAD)
        await self._replay(head[0]["size"] if head else 0)
        report.lines, report.root = self._tree.size, root(self._tree).hex()
        report.producers = {producer: lane.seq for producer, lane in sorted(self._lanes.items())}
        for row in head:
            kept = (row["size"], row["root"], tuple(row["frontier"]))
            if kept != (self._tree.size, root(self._tree), self._tree.frontier):
                report.add("head_does_not_fit", row["size"])
        if self._by_past:
            report.add("signed_by_a_retired_key", self._by_past)
        await self._check_nodes()
        await self._check_end()
        if self.files is not None:
            self.files.end(report.signed)
            report.files = self.files.files
        for producer, seq in heads.items():
            if self._lanes.get(producer, Lane()).seq < seq:
                report.add("producer_ahead_of_log", seq, producer)
        return report

    async def _replay(self, size: int) -> None:
        """Grows a tree of its own from the lines and holds each checkpoint against it where it has that size."""
        checkpoints = self._checkpoints(size)
        due = await anext(checkpoints, None)
        async for rows in self._lines(size):
            leaves = [self._leaf(row) for row in rows]
            if self.files is not None:
                self.files.take([(row["entry"].encode(), row["event"].encode()) for row in rows])
            while due is not None and due["size"] <= self._tree.size + len(leaves):
                part = due["size"] - self._tree.size
                self._grow(leaves[:part])
                leaves = leaves[part:]
                self._checkpoint(due)
                due = await anext(checkpoints, None)
            self._grow(leaves)
        while due is not None:
            self.report.add("checkpoint_beyond_log", due["size"])
            due = await anext(checkpoints, None)

    async def _page(self, sql: str, *args: object) -> Sequence[asyncpg.Record]:
        async with self._conn.transaction():
            await self._conn.execute("SELECT set_config('app.school', $1, true)", self._school)
            return await self._conn.fetch(sql, self._school, *args)

    async def _lines(self, size: int) -> AsyncIterator[Sequence[asyncpg.Record]]:
        """Yields the lines below `size`, which was read first: what is added meanwhile is left for the next check."""
        start = 0
        while start < size:
            rows = [row for row in await self._page(LINES, start, PAGE) if row["idx"] < size]
            if not rows:
                return
            yield rows
            start = rows[-1]["idx"] + 1

    async def _checkpoints(self, size: int) -> AsyncIterator[asyncpg.Record]:
        last = 0
        while rows := await self._page(CHECKPOINTS, last, PAGE):
            for row in rows:
                # One signed since the head was read is left for the next check.
                if row["size"] <= size or not await self._reached(row["size"]):
                    yield row
            last = rows[-1]["size"]

    async def _reached(self, size: int) -> bool:
        """Tells whether the log has grown that far by now."""
        head = await self._page(HEAD)
        return bool(head) and size <= head[0]["size"]

    def _grow(self, leaves: Sequence[bytes]) -> None:
        self._tree, completed = extend(self._tree, leaves)
        for new in completed:
            self._nodes.update({(new.level, new.first + n): hash_ for n, hash_ in enumerate(new.hashes)})

    def _leaf(self, row: asyncpg.Record) -> bytes:
        """Checks one line in itself and in its lane; returns its leaf hash, computed from its entry."""
        report, idx = self.report, row["idx"]
        if idx != self._next:
            report.add("idx_not_dense", idx)
        self._next = idx + 1
        try:
            event = Event.parse(row["event"].encode())
            made = line_of(event)
        except (ValueError, Permanent):
            report.add("event_unreadable", idx)
            return leaf_hash(row["entry"].encode())
        self._follow(idx, event)
        if made.entry != row["entry"]:
            report.add("entry_is_not_of_its_event", idx)
        if event.school != self._school:
            report.add("line_of_another_school", idx)
        kept = [row[name] for name in COLUMNS] + [str(row["about"]), str(row["actor"])]
        if kept != [getattr(made, name) for name in COLUMNS] + [made.about, made.actor]:
            report.add("columns_do_not_fit_entry", idx)
        return leaf_hash(row["entry"].encode())

    def _follow(self, idx: int, event: Event) -> None:
        lane = self._lanes.setdefault(event.producer, Lane())
        if event.seq != lane.seq + 1:
            self.report.add("seq_not_dense", idx, event.producer)
        elif event.prev_hash != lane.hash:
            self.report.add("chain_broken", idx, event.producer)
        if event.epoch < lane.epoch:
            self.report.add("epoch_went_back", idx, event.producer)
        lane.epoch, lane.seq, lane.hash = event.epoch, event.seq, sha256(event.raw).hexdigest()

    def _checkpoint(self, row: asyncpg.Record) -> None:
        report, size = self.report, row["size"]
        report.checkpoints += 1
        signed = self.signed(row["note"], self._verifiers)
        self._by_past = 0 if signed else size
        signed = signed or self.signed(row["note"], self._past)
        if signed is None:
            report.add("checkpoint_not_signed", size)
            self._by_past = 0
            return
        if (signed.size, signed.root) != (size, row["root"]):
            report.add("checkpoint_is_not_its_note", size)
        elif signed.root != root(self._tree):
            report.add("checkpoint_of_another_tree", size)
        else:
            report.signed = size

    @staticmethod
    def signed(note: str, verifiers: Sequence[str]) -> Checkpoint | None:
        """Returns what a note signs by one of these keys; None: nothing."""
        for verifier in verifiers:
            with contextlib.suppress(BadNote):
                return verify(note, verifier)
        return None

    async def _check_nodes(self) -> None:
        for level in STORED_LEVELS:
            start = 0
            while rows := await self._page(NODES, level, start, PAGE):
                for row in rows:
                    name = (level, row["idx"])
                    known = self._nodes.pop(name, None)
                    if known != row["hash"] and (row["idx"] + 1) << level <= self._tree.size:
                        self.report.add("node_does_not_fit", row["idx"])
                start = rows[-1]["idx"] + 1
        for _, idx in sorted(self._nodes):
            self.report.add("node_missing", idx)

    async def _check_end(self) -> None:
        """A log may not have lines beyond its head."""
        rows = await self._page(LINES, self._next, 1)
        if rows and not await self._reached(rows[0]["idx"] + 1):
            self.report.add("line_beyond_head", rows[0]["idx"])
