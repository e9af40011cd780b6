"""Checks a block of a pack's lines by itself: what can be said of it without the lines before it.

Of a block in which all is well its columns are checked (`columns`), which takes a fraction of the time; any other goes
line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any

from deploy.pack.derived import BLOCK, Derived, misquoted
from deploy.pack.layout import EVENTS, FINDINGS, LINES, LOG, TABLE, Json, Manifest, entry_of
from deploy.pack.report import Report
from deploy.pack.shapes import Shapes, entry_in, lane_of
from deploy.pack.source import BadPack, Source
from deploy.pack.tally import Tally
from shared.tlog import tiles
from shared.tlog.merkle import leaf_hashes
from shared.tlog.tiles import ENTRIES, HASH_SIZE, WIDTH, Unreadable

if TYPE_CHECKING:
    from deploy.pack.columns import Columns

Judged = Callable[[int, int], dict[int, list[Json]]]
"""Returns what the judge found wrong with the lines from one to another."""


def columns_of(shapes: Shapes) -> Columns | None:
    """Returns what checks columns; None where numpy is not installed."""
    if find_spec("numpy") is None:
        return None
    from deploy.pack.columns import Columns

    return Columns(shapes)


@dataclass(frozen=True, slots=True)
class Block:
    """Which lines, from `first` to `end` of the log, are to be checked."""

    first: int
    end: int
    school: str
    whole: int
    """How many lines the log has if the pack holds its entries as bundles, else 0."""
    judged: Mapping[int, list[Json]] = field(default_factory=dict)
    """What the judge found wrong with these lines."""


@dataclass(slots=True)
class Checked:
    """What was found. `texts`: what the files beside the lines must hold."""

    block: Block
    report: Report = field(default_factory=Report)
    leaves: bytes = b""
    lanes: dict[str, list[int]] = field(default_factory=dict)
    """By producer the first and last of its numbers, and the line that has the first."""
    texts: dict[str, bytes | bytearray] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    bad: str = ""
    """Why the lines could not be read on."""


def checked(source: Source, made: Manifest, judged: Judged) -> Generator[Checked, None, None]:
    """Yields every block of the lines of a pack, in order, checked; and that nothing follows is checked last."""
    shapes = Shapes()
    columns = columns_of(shapes)
    whole = made.end if made.first == 0 and made.end == made.size else 0
    with closing(source.lines(LINES)) as lines:
        for first in range(made.first, made.end, BLOCK):
            end = min(first + BLOCK, made.end)
            found = check(source, shapes, columns, Block(first, end, made.school, whole, judged(first, end)), lines)
            if end == made.end and not found.bad and next(lines, None) is not None:
                found.report.add(LINES, "has more lines than the manifest says", made.end)
            yield found


def check(source: Source, shapes: Shapes, columns: Columns | None, block: Block, lines: Iterator[bytes]) -> Checked:
    """Checks the next lines: in columns if that can be, else, or if something is wrong, one by one."""
    found = Checked(block)
    read = _read(found, lines)
    found.leaves = b"".join(leaf_hashes(read))
    taken = columns.taken(block.first, read, block.school) if columns is not None and read else None
    if taken is not None:
        found.texts, found.lanes, found.tally = taken.texts, taken.lanes, taken.tally
        for idx in block.judged.keys() & range(block.first, block.first + len(read)):
            line = read[idx - block.first]
            _judged(found.report, idx, block.judged[idx], entry_of(line))
    else:
        _one_by_one(found, shapes, read)
    if block.whole:
        for at in range(0, len(read), WIDTH):
            _bundle(source, found, block.first + at, read[at : at + WIDTH])
    return found


def _one_by_one(found: Checked, shapes: Shapes, read: list[bytes]) -> None:
    made: dict[str, list[bytes]] = {TABLE: [], EVENTS: []}
    derived = Derived(lambda name, content: made[name].append(content), lambda _: None)
    made[TABLE].clear()  # the header, which stands before all blocks
    for idx, line in enumerate(read, found.block.first):
        _line(found, shapes, derived, idx, line)
    derived.flush()
    found.texts, found.tally = {name: b"".join(parts) for name, parts in made.items()}, derived.tally


def _read(found: Checked, lines: Iterator[bytes]) -> list[bytes]:
    read: list[bytes] = []
    try:
        read.extend(islice(lines, found.block.end - found.block.first))
        if found.block.first + len(read) < found.block.end:
            found.report.add(LINES, "ends before the line", found.block.first + len(read))
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
            _judged(report, idx, found.block.judged[idx], entry_in(read, line))
    except (KeyError, TypeError) as error:
        report.add(LINES, f"the line is no entry: {error}", idx)


def _judged(report: Report, idx: int, findings: list[Json], entry: Mapping[str, Any]) -> None:
    for finding in findings:
        if name := misquoted(finding, entry):
            report.add(FINDINGS, f"a finding says otherwise than the line what its {name} is", idx)


def _bundle(source: Source, found: Checked, first: int, entries: list[bytes]) -> None:
    place = f"{LOG}/{tiles.place(ENTRIES, first, found.block.whole)}"
    try:
        if source.read(place) == tiles.joined(ENTRIES, entries):
            return
    except (BadPack, OverflowError):
        pass  # said below
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
