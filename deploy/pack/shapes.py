"""Reads lines, and writes what follows from them, by the shapes that most of them share: much faster than one by one.

Lines of a log differ in ids, moments and numbers, and hardly in the rest. Of each shape the first line goes the plain
way (`entry_of`, `row`, `audit_event`) with marks where such values stand; where the marks come out, values are put in.
A line counts as of a shape only if the shape with its values is the line, byte for byte, and each value is plain: no
escape, no control character, nothing that a table would quote. Any other goes the plain way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, cast

import pydantic_core

from deploy.pack.fhir import audit_event
from deploy.pack.layout import entry_of, row
from deploy.pack.tally import Kind, kind_of
from shared.events.words import school_subject

TEXTS = frozenset(
    {
        *("about", "actor", "event", "event_hash", "grant", "occurred_at", "recorded_at", "thing", "trace"),
        *("consent", "organisation", "operator", "on_behalf_of"),
    }
)
NUMBERS = frozenset({"seq", "network_seq", "things", "consent_version", "revision"})
"""What differs from line to line."""
MOST_SHAPES = 4096
MARK = re.compile("\ue000([0-9]+)\ue001")
LONGEST_NUMBER = 15
PLAIN = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_:. "
"""What a value may consist of that stands the same in JSON and in a table."""

Cells = tuple[str, ...]
"""The line's number, then its values: texts, then numbers."""


class Form(NamedTuple):
    """A text with places for values."""

    text: str
    pick: Callable[[Cells], Any]

    def of(self, cells: Cells) -> str:
        """Returns the text with these values."""
        made: str = self.text % self.pick(cells)
        return made


class Shape(NamedTuple):
    """What all lines of a shape have in common. `about` and `seq` are places in the cells; 0: `about` is the school.

    `texts`: of the cells after the line's number so many are texts, the others numbers.
    """

    line: Form
    row: Form
    event: Form
    producer: str
    school: str
    subject: str
    kind: Kind
    occurred_at: int
    actor: int
    about: int
    seq: int
    texts: int


class Read(NamedTuple):
    """A line that was read: its shape and values, or (no shape) its entry."""

    shape: Shape | None
    cells: Cells
    entry: Mapping[str, Any] | None


class _Layout:
    """Where values stand in lines with the same names and kinds of values; `parts` are what lies between quotes."""

    def __init__(self, entry: Mapping[str, Any], *, of_school: bool) -> None:
        texts: list[tuple[str, int]] = []
        numbers: list[tuple[str, int]] = []
        same: list[int] = []
        place = 1
        for name, value in entry.items():
            is_text = type(value) is str
            at, place = (place + 2, place + 4) if is_text else (place + 1, place + 2)
            if is_text and name in TEXTS and not (of_school and name == "about"):
                texts.append((name, at))
            elif type(value) is int and name in NUMBERS:
                numbers.append((name, at))
            else:
                same.append(at)
        self.names = [name for name, _ in texts] + [name for name, _ in numbers]
        self.places = [at for _, at in texts], [at for _, at in numbers]
        self.of_school = of_school
        self.same, self.texts, self.numbers = (_picker(found) for found in (same, *self.places))
        self.commas = b"," * (len(texts) - 1)
        self.shapes: dict[Any, Shape] = {}

    def values(self, parts: Sequence[str]) -> Cells | None:
        """Returns the values, None when one of them is not plain."""
        texts: Cells = self.texts(parts)
        joined = ",".join(texts).encode()
        if joined.translate(None, PLAIN) != self.commas or b",-" in joined or joined.startswith(b"-"):
            return None
        numbers = [token[1:-1] for token in self.numbers(parts)]
        for number in numbers:
            if not number.isdecimal() or (number[0] == "0" and number != "0") or len(number) > LONGEST_NUMBER:
                return None
        return (*texts, *numbers)

    def learn(self, parts: Sequence[str], entry: Mapping[str, Any]) -> None:
        """Makes the shape of a line that was read the plain way."""
        marks = {name: f"\ue000{number}\ue001" for number, name in enumerate(self.names, 1)}
        marked = {name: marks.get(name, value) for name, value in entry.items()}
        text = list(parts)
        for number, at in enumerate((*self.places[0], *self.places[1]), 1):
            mark = f"\ue000{number}\ue001"
            text[at] = mark if number <= len(self.places[0]) else text[at][0] + mark + text[at][-1]
        idx = cast("int", "\ue0000\ue001")
        where = {name: number for number, name in enumerate(self.names, 1)}
        self.shapes[self.same(parts)] = Shape(
            _form('"'.join(text)),
            _form(row(idx, marked).decode()),
            _form(audit_event(idx, marked).decode()),
            entry["producer"],
            entry["school"],
            str(school_subject(entry["school"])),
            kind_of(entry),
            where["occurred_at"],
            where["actor"],
            0 if self.of_school else where["about"],
            where["seq"],
            len(self.places[0]),
        )


def _picker(places: Sequence[int]) -> Callable[[Any], Any]:
    """Returns what picks these from a sequence, always as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return (lambda found: (found[places[0]],)) if places else (lambda _: ())


def _form(marked: str) -> Form:
    found = MARK.split(marked)
    return Form("%s".join(part.replace("%", "%%") for part in found[::2]), _picker([int(one) for one in found[1::2]]))


class Shapes:
    """Reads lines; learns their shapes on the way."""

    def __init__(self) -> None:
        self._layouts: dict[int, list[_Layout]] = {}
        self._known: dict[tuple[Any, ...], _Layout] = {}
        self._count = 0

    def read(self, idx: int, line: bytes) -> Read:
        """Returns a line; raises ValueError when it is not in canonical form."""
        try:
            text = line.decode("ascii")
        except UnicodeDecodeError:
            return Read(None, (), entry_of(line))
        parts = text.split('"')
        for layout in self._layouts.get(len(parts), ()):
            shape = layout.shapes.get(layout.same(parts))
            if shape is None:
                continue
            values = layout.values(parts)
            if values is None:
                break
            cells = (str(idx), *values)
            same = shape.line.text % shape.line.pick(cells) == text
            if same and not (shape.about and cells[shape.about] == shape.subject):
                return Read(shape, cells, None)
        entry = entry_of(line)
        self._learn(text, parts, entry)
        return Read(None, (), entry)

    def _learn(self, text: str, parts: Sequence[str], entry: Mapping[str, Any]) -> None:
        if self._count >= MOST_SHAPES or "\\" in text or not all(entry):
            return
        of_school = entry.get("about") == str(school_subject(str(entry.get("school"))))
        key = (of_school, *((name, type(value)) for name, value in entry.items()))
        layout = self._known.get(key)
        if layout is None:
            layout = self._known[key] = _Layout(entry, of_school=of_school)
            self._layouts.setdefault(len(parts), []).append(layout)
        if layout.values(parts) is None:
            return
        try:
            layout.learn(parts, entry)
        except (KeyError, TypeError, ValueError, AttributeError):
            return  # no line of ours; the plain way says what is wrong with it
        self._count += 1


def lane_of(read: Read) -> tuple[str, int, object]:
    """Returns a line's producer, its number there, and its school; raises KeyError, TypeError, ValueError."""
    shape, cells, entry = read
    if shape is not None:
        return shape.producer, int(cells[shape.seq]), shape.school
    told = entry or {}
    return str(told["producer"]), int(told["seq"]), told["school"]


def entry_in(read: Read, line: bytes) -> Mapping[str, Any]:
    """Returns the entry of a line that was read."""
    if read.entry is not None:
        return read.entry
    found: Mapping[str, Any] = pydantic_core.from_json(line)
    return found
