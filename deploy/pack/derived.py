"""What follows from a pack's lines, made in one pass by who writes a pack and by who checks one."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from deploy.pack.fhir import audit_event
from deploy.pack.layout import EVENTS, HEADER, PAGES, TABLE, Json, Manifest, row
from deploy.pack.page import page
from deploy.pack.shapes import Read
from deploy.pack.tally import Tally

BLOCK = 8192
"""How many rows a block of the Parquet file has."""
FINDING = ("idx", "code", "part", "says", "shows")


class Derived:
    """Takes the entries in order and gives out, in blocks, what the files beside the lines hold."""

    def __init__(self, out: Callable[[str, bytes], None], rows: Callable[[bytes], None]) -> None:
        """`out` takes (file, next bytes); `rows` the table's rows without header, a block at a time."""
        self._out, self._rows = out, rows
        self._table: list[str] = []
        self._events: list[str] = []
        self.tally = Tally()
        out(TABLE, HEADER)

    def take(self, idx: int, line: Read) -> None:
        """Takes the next line; raises KeyError, TypeError when it is none."""
        row_, event = told(idx, line, self.tally)
        self._table.append(row_)
        self._events.append(event)
        if len(self._table) == BLOCK:
            self.flush()

    def flush(self) -> None:
        """Gives out what waits: after the last line."""
        if self._table:
            table = "".join(self._table).encode()
            self._out(TABLE, table)
            self._out(EVENTS, "".join(self._events).encode())
            self._rows(table)
            self._table.clear()
            self._events.clear()


def told(idx: int, line: Read, tally: Tally) -> tuple[str, str]:
    """Counts a line and returns its row and its event; raises KeyError, TypeError when it is none."""
    shape, cells, entry = line
    if shape is not None:
        about = cells[shape.about] if shape.about else None
        tally.count(cells[shape.occurred_at], shape.kind, cells[shape.actor], about)
        return shape.row.of(cells), shape.event.of(cells)
    known = entry or {}
    event = audit_event(idx, known)
    tally.take(known)
    return row(idx, known).decode(), event.decode()


def pages(made: Manifest, tally: Tally, findings: Collection[Json]) -> dict[str, bytes]:
    """Returns the reports, by file; `made` knows origin, size, root, first and end."""
    tally.find(str(one["code"]) for one in findings)
    return {name: page(made, tally, findings, language).encode() for language, name in PAGES.items()}


def findings_text(findings: Sequence[Mapping[str, Any]]) -> bytes:
    """Returns the file of findings: in the log's order, one a line."""
    told = [{name: one[name] for name in FINDING} for one in findings]
    told.sort(key=lambda one: (one["idx"], one["code"], one["part"]))
    return b"".join(json.dumps(one, sort_keys=True).encode() + b"\n" for one in told)


def finding_of(line: bytes) -> Json:
    """Returns a finding; raises ValueError when the line is not laid out as it must be."""
    one = json.loads(line)
    if not isinstance(one, dict) or sorted(one) != sorted(FINDING) or json.dumps(one, sort_keys=True).encode() != line:
        raise ValueError("not laid out as it must be")
    if type(one["idx"]) is not int or not all(isinstance(one[name], str) for name in ("code", "part")):
        raise ValueError("does not say which line, or what")
    if not all(isinstance(one[name], dict) for name in ("says", "shows")):
        raise ValueError("does not show both sides")
    return one


def misquoted(finding: Json, entry: Mapping[str, Any]) -> str:
    """Returns what a finding repeats of its line otherwise than the line says it; "": nothing."""
    if finding["part"] or finding["code"].startswith("emergency_not"):  # about a grant, or an emergency: other words
        return ""
    return next((name for name, value in finding["says"].items() if name in entry and entry[name] != value), "")
