"""Checks a block of a pack's lines by itself: what can be said of it without the lines before it.

Blocks are checked one by one in this process, or side by side in others; what they found is put together in their
order, so that the report is the same.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from deploy.pack.derived import Derived, misquoted
from deploy.pack.layout import EVENTS, FINDINGS, LINES, LOG, PARQUET, TABLE, Json
from deploy.pack.parquet import ParquetRows
from deploy.pack.report import Report
from deploy.pack.shapes import Read, Shapes, entry_in, lane_of
from deploy.pack.source import BadPack, Source
from deploy.pack.tally import Tally
from shared.tlog import tiles
from shared.tlog.merkle import leaf_hash
from shared.tlog.tiles import ENTRIES, HASH_SIZE, WIDTH, Unreadable


@dataclass(frozen=True, slots=True)
class Block:
    """Which lines, from `first` to `end` of the log, are to be checked; `number` counts from 0."""

    number: int
    first: int
    end: int
    school: str
    whole: int
    """How many lines the log has if the pack holds its entries as bundles, else 0."""
    judged: Mapping[int, list[Json]] = field(default_factory=dict)
    """What the judge found wrong with these lines."""
    offset: int = 0
    """Where the first of them begins in the file of lines."""


@dataclass(slots=True)
class Checked:
    """What was found. `texts`: what the files beside the lines must hold, or its length and SHA-256."""

    block: Block
    report: Report = field(default_factory=Report)
    leaves: bytes = b""
    lanes: dict[str, list[int]] = field(default_factory=dict)
    """By producer the first and last of its numbers, and the line that has the first."""
    texts: dict[str, bytes | tuple[int, bytes]] = field(default_factory=dict)
    typed: bool = True
    """Whether the Parquet file's block holds the same, if it is looked at."""
    tally: Tally = field(default_factory=Tally)
    bad: str = ""
    """Why the lines could not be read on."""


def check(source: Source, shapes: Shapes, parquet: ParquetRows | None, block: Block, lines: Iterator[bytes]) -> Checked:
    """Checks the next lines."""
    made: dict[str, list[bytes]] = {TABLE: [], EVENTS: []}
    rows: list[bytes] = []
    derived = Derived(lambda name, content: made[name].append(content), rows.append)
    made[TABLE].clear()  # the header, which stands before all blocks
    found = Checked(block, tally=derived.tally)
    read = _read(found, lines)
    found.leaves = b"".join(map(leaf_hash, read))
    for idx, line in enumerate(read, block.first):
        _line(found, shapes, derived, idx, line)
    if block.whole:
        for at in range(0, len(read), WIDTH):
            _bundle(source, found, block.first + at, read[at : at + WIDTH])
    derived.flush()
    found.texts = {name: b"".join(parts) for name, parts in made.items()}
    found.typed = parquet is None or not read or parquet.same(block.number, b"".join(rows))
    return found


def _read(found: Checked, lines: Iterator[bytes]) -> list[bytes]:
    read: list[bytes] = []
    try:
        for idx in range(found.block.first, found.block.end):
            line = next(lines, None)
            if line is None:
                found.report.add(LINES, "ends before the line", idx)
                break
            read.append(line)
    except BadPack as bad:
        found.bad = str(bad)
    found.report.lines = len(read)
    return read


def _line(found: Checked, shapes: Shapes, derived: Derived, idx: int, line: bytes) -> None:
    report = found.report
    try:
        read = shapes.read(idx, line)
        producer, seq, school = lane_of(read)
    except (ValueError, KeyError, TypeError) as error:
        report.add(LINES, f"the line is no entry: {error}", idx)
        return
    if school != found.block.school:
        report.add(LINES, "the line is of another school", idx)
    seqs = found.lanes.get(producer)
    if seqs is None:
        found.lanes[producer] = [seq, seq, idx]
    else:
        if seq != seqs[1] + 1:
            report.add(LINES, f"{producer} goes from {seqs[1]} to {seq}", idx)
        seqs[1] = seq
    try:
        derived.take(idx, read)
        if idx in found.block.judged:
            _judged(report, idx, found.block.judged[idx], read, line)
    except (KeyError, TypeError) as error:
        report.add(LINES, f"the line is no entry: {error}", idx)


def _judged(report: Report, idx: int, findings: list[Json], read: Read, line: bytes) -> None:
    entry = entry_in(read, line)
    for finding in findings:
        if name := misquoted(finding, entry):
            report.add(FINDINGS, f"a finding says otherwise than the line what its {name} is", idx)


def _bundle(source: Source, found: Checked, first: int, entries: list[bytes]) -> None:
    place = f"{LOG}/{tiles.place(ENTRIES, first, found.block.whole)}"
    bundled = things(source, found.report, ENTRIES, first, found.block.whole)
    if bundled[: len(entries)] != entries:
        for n, (one, line) in enumerate(zip(bundled, entries, strict=False)):
            if one != line:
                found.report.add(place, "the entry is not the line", first + n)


def things(source: Source, report: Report, kind: str, first: int, count: int) -> list[bytes]:
    """Returns the things of the file with thing `first` of `count`; a finding and blanks if it is not whole."""
    place = f"{LOG}/{tiles.place(kind, first, count)}"
    wanted = min(count - first, WIDTH)
    idx = first if kind == tiles.hashes(0) else -1
    try:
        found = list(tiles.unpacked(kind, source.read(place)))
    except (BadPack, Unreadable) as bad:
        report.add(place, str(bad).rpartition(": ")[2], idx)
        found = []
    if len(found) != wanted:
        report.add(place, f"holds {len(found)}, not {wanted}", idx)
    return (found + [bytes(HASH_SIZE)] * wanted)[:wanted]


# In processes of their own ------------------------------------------------------------------------------------------


class Worker:
    """Checks blocks of a pack in a folder; one in each process."""

    current: Worker

    def __init__(self, folder: Path, *, parquet: bool) -> None:
        """Open it."""
        self._source, self._shapes = Source(folder), Shapes()
        self._parquet = ParquetRows(folder / PARQUET) if parquet else None

    def check(self, block: Block) -> Checked:
        """Checks a block, and gives digests of what the files beside the lines must hold."""
        found = check(self._source, self._shapes, self._parquet, block, self._source.lines(LINES, block.offset))
        found.texts = {name: told(text) for name, text in found.texts.items()}
        return found


def told(text: bytes | tuple[int, bytes]) -> tuple[int, bytes]:
    """Returns a text's length and SHA-256."""
    return text if isinstance(text, tuple) else (len(text), sha256(text).digest())


def begin(folder: Path, parquet: bool) -> None:
    """Makes this process a worker: Ctrl-C is its parent's, and it ends with its parent, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.join,), daemon=True).start()
    Worker.current = Worker(folder, parquet=parquet)


def _end_with(joined: Callable[[], Any]) -> None:
    joined()
    os._exit(1)


def run(block: Block) -> Checked:
    """Checks a block in a worker."""
    return Worker.current.check(block)
