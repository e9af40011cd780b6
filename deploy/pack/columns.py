"""Checks a block of lines in columns, when all is well with it: many times faster than line by line.

Lines of one shape (`shapes`) whose values have the same lengths differ only in some columns of bytes: laid below one
another they are a table, which is compared with its shape at once, and whose columns are copied into what follows from
the lines. A block in which anything is wrong is not `taken`: it goes line by line, which says what is wrong, and where.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deploy.pack.derived import told
from deploy.pack.layout import EVENTS, TABLE
from deploy.pack.shapes import PLAIN, Cells, Form, Read, Shape, Shapes, lane_of
from deploy.pack.tally import Tally

FEW = 16
"""Fewer lines than this go line by line."""
MOST_TABLES, MOST_KEYS = 4, 4096
"""Among so many tables a line is looked for at most, and for so many keys they are remembered."""
VALUES = b"0123456789abcdef-:.TZhijkmpqwxyz"
"""What ids, moments and numbers consist of, and more: lines that are alike without it are mostly of one shape."""
WORD = 8
DAY = len("2026-03-01")
TENS = 10 ** np.arange(19)

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Truths = NDArray[np.bool_]
Key = tuple[int, int, bytes]
"""A line's length, that of its number, and what is left of it without `VALUES`."""
Group = tuple["Table | None", Places, Bytes]
NONE: Bytes = np.empty((0, 0), np.uint8)
RUN = re.compile(r"([\x80-\xff])\1*")


@dataclass(frozen=True, slots=True)
class Laid:
    """A text of a form with values of these lengths: its bytes, and where which cell stands."""

    text: Bytes
    slots: tuple[tuple[int, int, int], ...]
    """Cell, from, to."""

    @classmethod
    def out(cls, form: Form, widths: Sequence[int]) -> Laid:
        """Lays a form out."""
        text = form.of(tuple(chr(0x80 + cell) * width for cell, width in enumerate(widths)))
        slots = tuple((ord(run[1]) - 0x80, *run.span()) for run in RUN.finditer(text))
        if any(end - start != widths[cell] for cell, start, end in slots):
            raise ValueError("two values stand side by side")
        return cls(np.frombuffer(text.encode("latin-1"), np.uint8), slots)


class Table:
    """Lines of one shape with values of these lengths."""

    def __init__(self, shape: Shape, cells: Cells) -> None:
        """Lay it out as this line is; raises ValueError where that can't be."""
        widths = [len(cell) for cell in cells]
        self.shape = shape
        self.line, self.row, self.event = (Laid.out(form, widths) for form in (shape.line, shape.row, shape.event))
        self.at = {cell: slice(start, end) for cell, start, end in self.line.slots}
        kept = np.full(padded(len(self.line.text)), 0xFF, np.uint8)
        kept[len(self.line.text) :] = 0
        for _, start, end in self.line.slots:
            kept[start:end] = 0
        text = np.zeros_like(kept)
        text[: len(self.line.text)] = self.line.text
        self._kept, self._text = kept.view(np.uint64), text.view(np.uint64) & kept.view(np.uint64)

    def has(self, lines: Bytes) -> Truths:
        """Tells of each of these lines whether the shape with its values is the line, and each value is plain."""
        alike: Truths = np.asarray(((lines.view(np.uint64) & self._kept) == self._text).all(axis=1))
        mine = lines if alike.all() else lines[alike]
        good = self._plain(mine)
        if good is not None:
            alike[alike] = good
        return alike

    def _plain(self, lines: Bytes) -> Truths | None:
        """Tells which of these have plain values (`_Layout.values`); None: all."""
        texts = [at for cell, at in self.at.items() if cell <= self.shape.texts]
        values = np.concatenate([lines[:, at] for at in texts], axis=1) if texts else lines[:, :0]
        good = np.ones(len(lines), np.bool_)
        if values.tobytes().translate(None, PLAIN):
            good &= np.isin(values, np.frombuffer(PLAIN, np.uint8)).all(axis=1)
        for at in texts:
            good &= lines[:, at.start] != ord("-")
        for cell, at in self.at.items():
            if cell > self.shape.texts:
                number = lines[:, at] - ord("0")
                good &= (number < 10).all(axis=1)
                if at.stop - at.start > 1:
                    good &= number[:, 0] != 0
        about, school = self.at.get(self.shape.about), np.frombuffer(self.shape.subject.encode(), np.uint8)
        if about is not None and about.stop - about.start == len(school):
            good &= (lines[:, about] != school).any(axis=1)
        return None if good.all() else good


def padded(size: int) -> int:
    """Returns how long a line is that is filled up to whole words."""
    return -(-size // WORD) * WORD


def stacked(lines: Sequence[bytes], size: int) -> Bytes:
    """Returns lines of one size below one another, each filled up."""
    fill = bytes(padded(size) - size)
    return np.frombuffer(fill.join(lines) + fill, np.uint8).reshape(len(lines), padded(size))


@dataclass(slots=True)
class Taken:
    """What follows from the block's lines."""

    texts: dict[str, bytes | bytearray]
    """By file what must stand there."""
    tally: Tally
    lanes: dict[str, list[int]]
    """By producer the first and last of its numbers, and the line that has the first."""


class Columns:
    """Takes blocks; learns tables on the way."""

    def __init__(self, shapes: Shapes) -> None:
        """Learn shapes with these."""
        self._shapes = shapes
        self._tables: dict[Key, list[Table]] = {}

    def taken(self, first: int, lines: Sequence[bytes], school: str) -> Taken | None:
        """Returns what follows from the lines of which the first is line `first` of the log; None: go line by line."""
        made = _Made(first, len(lines), school)
        if len(self._tables) > MOST_KEYS:
            self._tables.clear()
        try:
            for table, places, content in self._groups(first, lines):
                if table is not None:
                    made.add(table, places, content)
                else:
                    for at in places.tolist():
                        made.add_one(at, self._shapes.read(first + at, lines[at]))
            return made.taken()
        except (ValueError, KeyError, TypeError, OverflowError):
            return None

    def _groups(self, first: int, lines: Sequence[bytes]) -> Iterator[Group]:
        """Yields every line's place once: those of a table together, with their bytes, and those of none."""
        alike: defaultdict[Key, list[int]] = defaultdict(list)
        digits = 1 + np.searchsorted(TENS[1:], np.arange(first, first + len(lines)), side="right")
        left = b"\n".join(lines).translate(None, VALUES).split(b"\n")
        for at, key in enumerate(zip(map(len, lines), digits.tolist(), left, strict=True)):
            alike[key].append(at)
        for key, found in alike.items():
            places = np.array(found)
            if len(found) < FEW:
                yield None, places, NONE
            else:
                yield from self._bucket(key, first, places, lines)

    def _bucket(self, key: Key, first: int, places: Places, lines: Sequence[bytes]) -> Iterator[Group]:
        content = stacked([lines[at] for at in places.tolist()], key[0])
        tables = self._tables.setdefault(key, [])
        tried = 0
        while len(places) >= FEW and tried < MOST_TABLES:
            if tried == len(tables):
                read = self._shapes.read(first + int(places[0]), lines[places[0]])
                if read.shape is not None:
                    tables.append(Table(read.shape, read.cells))
            if tried == len(tables):  # no shape, or not yet
                yield None, places[:1], NONE
                places, content = places[1:], content[1:]
                continue
            has = tables[tried].has(content)
            if has.all():
                yield tables[tried], places, content
                return
            if has.any():
                yield tables[tried], places[has], content[has]
                places, content = places[~has], content[~has]
            tried += 1
        yield None, places, NONE


class _Made:
    """Puts together what follows, in the lines' order."""

    def __init__(self, first: int, count: int, school: str) -> None:
        self._first, self._school = first, school
        self._table, self._events = _Text(count), _Text(count)
        self._seqs: defaultdict[str, list[Places]] = defaultdict(list)
        """By producer the places of lines, and beside each its number."""
        self._single: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._tally = Tally()

    def add(self, table: Table, places: Places, content: Bytes) -> None:
        shape = table.shape
        if shape.school != self._school:
            raise ValueError("of another school")
        cells = {cell: content[:, at] for cell, at in table.at.items()}
        cells[0] = _digits(places + self._first)
        self._table.add(table.row, places, cells)
        self._events.add(table.event, places, cells)
        self._seqs[shape.producer].append(np.stack((places, _number(cells[shape.seq])), axis=1))
        ats = _texts(cells.get(shape.occurred_at), len(places))
        looks = shape.kind is not None and shape.kind[0] == "look"
        people = _texts(cells.get(shape.actor), len(places)) if looks else ()
        children = _texts(cells.get(shape.about), len(places)) if looks and shape.about else ()
        days = _days(cells.get(shape.occurred_at), ats)
        self._tally.count_alike(shape.kind, ats, days, people, children)

    def add_one(self, at: int, read: Read) -> None:
        producer, seq, school = lane_of(read)
        if school != self._school:
            raise ValueError("of another school")
        row, event = told(self._first + at, read, self._tally)
        self._table.add_one(row.encode(), at)
        self._events.add_one(event.encode(), at)
        self._single[producer].append((at, seq))

    def taken(self) -> Taken:
        lanes: dict[str, list[int]] = {}
        for producer, single in self._single.items():
            self._seqs[producer].append(np.array(single, np.int64))
        for producer, parts in self._seqs.items():
            pairs = np.concatenate(parts)
            pairs = pairs[np.argsort(pairs[:, 0])]
            if (np.diff(pairs[:, 1]) != 1).any():
                raise ValueError("not dense")
            lanes[producer] = [int(pairs[0, 1]), int(pairs[-1, 1]), self._first + int(pairs[0, 0])]
        lanes = dict(sorted(lanes.items(), key=lambda lane: lane[1][2]))
        return Taken({TABLE: self._table.made(), EVENTS: self._events.made()}, self._tally, lanes)


class _Text:
    """A file's next part, of which the pieces come in any order."""

    def __init__(self, count: int) -> None:
        self._sizes = np.zeros(count, np.int64)
        self._parts: list[tuple[Places, Bytes]] = []
        self._single: list[tuple[int, bytes]] = []

    def add(self, laid: Laid, places: Places, cells: Mapping[int, Bytes]) -> None:
        size = len(laid.text)
        part = np.empty((len(places), size), np.uint8)
        part[:] = laid.text
        for cell, start, end in laid.slots:
            part[:, start:end] = cells[cell]
        self._sizes[places] = size
        self._parts.append((places, part))

    def add_one(self, text: bytes, at: int) -> None:
        self._sizes[at] = len(text)
        self._single.append((at, text))

    def made(self) -> bytearray:
        ends = np.cumsum(self._sizes)
        starts = ends - self._sizes
        made = bytearray(int(ends[-1]))
        content = np.frombuffer(made, np.uint8)
        for places, part in self._parts:
            windows = np.lib.stride_tricks.sliding_window_view(content, part.shape[1], writeable=True)
            windows[starts[places]] = part
        for at, text in self._single:
            content[starts[at] : ends[at]] = np.frombuffer(text, np.uint8)
        return made


def _digits(numbers: Places) -> Bytes:
    return (numbers[:, None] // TENS[len(str(numbers[0])) - 1 :: -1] % 10 + ord("0")).astype(np.uint8)


def _number(digits: Bytes) -> Places:
    found: Places = (digits.astype(np.int64) - ord("0")) @ TENS[digits.shape[1] - 1 :: -1]
    return found


def _texts(column: Bytes | None, count: int) -> list[str]:
    if column is None:
        return [""] * count
    width, text = column.shape[1], column.tobytes().decode("ascii")
    return [text[at : at + width] for at in range(0, len(text), width)]


def _days(column: Bytes | None, ats: Sequence[str]) -> Mapping[str, int]:
    """Returns how many of these moments are of which day: runs of the same one are counted at once."""
    days = np.zeros((len(ats), 0), np.uint8) if column is None else column[:, :DAY]
    begin = [0, *(np.flatnonzero((days[1:] != days[:-1]).any(axis=1)) + 1).tolist(), len(ats)]
    counted: Counter[str] = Counter()
    for at, until in pairwise(begin):
        counted[ats[at][:DAY]] += until - at
    return counted
