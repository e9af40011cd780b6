"""Records of a CSV file that someone else made: whatever is wrong with a line is told with its number, never raised.

Memory stays bounded: a physical line has at most `LINE_SIZE` characters and a record at most `RECORD_LINES` lines.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LINE_SIZE = 65_536
RECORD_LINES = 20
SCAN_SIZE = 1 << 20


class BadFolder(Exception):
    """The folder is no OneRoster delivery; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Something wrong in a file. `at` is `file:line`; a note refuses nothing."""

    at: str
    code: str
    note: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its place and its values by lower-case column name, stripped; absent columns are empty."""

    at: str
    values: dict[str, str]

    def get(self, *names: str) -> str:
        """Returns the first of these columns that holds something, else the empty string."""
        return next((value for name in names if (value := self.values.get(name.lower(), ""))), "")


def encoding_of(path: Path) -> str:
    """Returns how the file's bytes are to be read: by its mark, as UTF-8 if they are, else as Windows-1252."""
    with path.open("rb") as file:
        start = file.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := file.read(SCAN_SIZE):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


class _Lines:
    """Physical lines with their numbers; lines can be put back. A line that is too long comes as None."""

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file
        self._back: deque[tuple[int, str | None]] = deque()
        self._number = 0

    def next(self) -> tuple[int, str | None] | None:
        """Returns the next line and its number, or None at the end."""
        if self._back:
            return self._back.popleft()
        line = self._file.readline(LINE_SIZE)
        if not line:
            return None
        self._number += 1
        if len(line) == LINE_SIZE and not line.endswith("\n"):
            while (rest := self._file.readline(LINE_SIZE)) and not rest.endswith("\n"):
                pass
            return self._number, None
        return self._number, line

    def put_back(self, lines: list[tuple[int, str | None]]) -> None:
        self._back.extendleft(reversed(lines))


def read_records(path: Path, required: tuple[str, ...], known: tuple[str, ...]) -> Iterator[Record | Issue]:
    """Yields every record of the file, and an Issue for each line that is none.

    `required` columns must be in the header, or the file is refused; columns outside `known` are noted and ignored.
    """
    encoding = encoding_of(path)
    if encoding == "cp1252":
        yield Issue(f"{path.name}:1", "read_as_windows_1252", note=True)
    with path.open(encoding=encoding, errors="replace", newline=None) as file:
        lines = _Lines(file)
        header = _header(path.name, lines, required)
        if isinstance(header, Issue):
            yield header
            return
        names = {name.lower() for name in (*required, *known)}
        if any(name not in names and not name.startswith("metadata.") for name in header):
            yield Issue(f"{path.name}:1", "unknown_columns", note=True)
        while (first := lines.next()) is not None:
            found = _record(path.name, first, lines, header)
            if found is not None:
                yield found


def _header(name: str, lines: _Lines, required: tuple[str, ...]) -> list[str] | Issue:
    first = lines.next()
    if first is None or first[1] is None:
        return Issue(f"{name}:1", "no_header")
    fields = _split(first[1])
    if fields is None:
        return Issue(f"{name}:1", "bad_quotes")
    header = [field.strip().lower() for field in fields]
    if len(set(header)) != len(header):
        return Issue(f"{name}:1", "duplicate_column")
    if not {column.lower() for column in required} <= set(header):
        return Issue(f"{name}:1", "missing_column")
    return header


def _record(name: str, first: tuple[int, str | None], lines: _Lines, header: list[str]) -> Record | Issue | None:
    number, text = first
    at = f"{name}:{number}"
    if text is None:
        return Issue(at, "line_too_long")
    if not text.strip():
        return None
    more: list[tuple[int, str | None]] = []
    whole = text
    while whole.count('"') % 2:
        follows = lines.next() if len(more) < RECORD_LINES else None
        if follows is None or follows[1] is None:
            # The quote is never closed: only this line is lost, the ones after it are read as they are.
            lines.put_back([*more, follows] if follows else more)
            return Issue(at, "unclosed_quote")
        more.append(follows)
        whole += follows[1]
    fields = _split(whole)
    code = "bad_quotes" if fields is None else "ragged_row" if len(fields) != len(header) else _unreadable(fields)
    if fields is None or code is not None:
        lines.put_back(more)
        return Issue(at, code or "bad_quotes")
    return Record(at, dict(zip(header, (field.strip() for field in fields), strict=True)))


def _split(text: str) -> list[str] | None:
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _unreadable(fields: list[str]) -> str | None:
    for field in fields:
        if "\ufffd" in field:
            return "bad_encoding"
        if not field.isprintable() and any(
            not character.isprintable() and (ord(character) < 0xA0 or 0xD800 <= ord(character) <= 0xDFFF)
            for character in field.strip()
        ):
            return "control_character"
    return None
