"""What stands where in a pack, and in which form. Everything in it is signed, or follows from what is signed. Pure.

`log/` is a log of c2sp.org/tlog-tiles that other tools verify as it is. `lines.ndjson` has the entries, one a line,
from `first` of the manifest on; `lines.csv` the same for spreadsheets. `checkpoints.ndjson` has every checkpoint, as
notes. `keys/` says whose signatures they are: compare these with what you got another way. The findings alone are not
signed: they must fit the lines that they are about.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

import pydantic_core

from deploy.pack.source import BadPack
from shared.tlog import tiles
from shared.tlog.merkle import TILE_HEIGHT
from shared.tlog.tiles import ENTRIES, WIDTH

Json = dict[str, Any]
FORMAT = "samenkracht-audit-pack/2"
"""Raise it with any change of what a pack's files hold for the same lines, words of reports and README too: packs are
kept for years, and a later version must not call an older one tampered with.
"""
MANIFEST, LINES, TABLE, CHECKPOINTS = "manifest.json", "lines.ndjson", "lines.csv", "checkpoints.ndjson"
PARQUET, EVENTS, FINDINGS = "lines.parquet", "audit-events.fhir.ndjson", "findings.ndjson"
PAGES = {"nl": "report.nl.html", "en": "report.en.html"}
NOTE, LOG, KEY, POLICY, README = (
    "log/checkpoint",
    "log",
    "keys/audit-log.pub.pem",
    "keys/witnesses.policy",
    "README.txt",
)

COLUMNS = (
    "idx", "occurred_at", "recorded_at", "type", "outcome", "reason", "actor", "kind", "role", "organisation",
    "operator", "on_behalf_of", "door", "action", "category", "about", "thing", "things", "what", "purpose", "basis",
    "grant",
    "consent", "consent_version", "emergency", "revision", "school", "producer", "epoch", "seq", "network_epoch",
    "network_seq", "event", "event_hash", "trace", "v",
)  # fmt: skip
MORE = "more"
"""The last column: what later versions say beside these, as JSON."""
RISKY = r"=+@\t\r\n\uff1d\uff0b\uff0d\uff20-"
FORMULA = re.compile(rf"(?:^|(?<=[;\t\r\n]))(?=[{RISKY}])")
"""A cell that begins so is a formula to spreadsheets (OWASP, CSV injection); an apostrophe before it makes it text.
Where semicolons or tabs part cells, as semicolons do in the Netherlands, one text is several cells.
"""

ABOUT = """\
The audit log of a school, to check without the platform it comes from.

  manifest.json        what is here, with SHA-256 hashes
  lines.ndjson         the lines: RFC 8785 canonical JSON, one a line, in the log's order
  lines.csv            the same for spreadsheets
  lines.parquet        the same with types, for who analyses (only if the platform can write it)
  audit-events.fhir.ndjson  the same as FHIR R4 AuditEvents
  findings.ndjson      what the platform's judge found wrong with these lines
  report.nl.html, report.en.html  all of it in numbers and pictures, for people
  checkpoints.ndjson   the signed checkpoints (C2SP tlog-checkpoint), each with its witnesses' cosignatures
  log/                 the log in C2SP tlog-tiles layout: checkpoint, hash tiles, entry bundles (of a whole log)
  keys/                the log's public key, and whose cosignatures are enough (C2SP tlog-policy)

`samen audit verify <this>` checks all of it offline. Give it the keys that you got another way (--key, --policy), and
with --pinned a checkpoint that you kept from an earlier pack: only so is a pack found that was made anew, by someone
who holds the log's own key, or that ends before lines which you have seen signed. What cannot be seen: that of the
older checkpoints, or of their cosignatures, one was left out; and that of the findings one was: they are what the
platform says of its own lines, and are held against these.
A line is leaf SHA-256(0x00 || line) of an RFC 6962 Merkle tree.
"""


@dataclass(slots=True)
class Manifest:
    """What a pack holds. It follows from the rest of the pack, so that nothing in it can be changed unseen."""

    origin: str = ""
    school: str = ""
    size: int = 0
    root: str = ""
    first: int = 0
    end: int = 0
    producers: dict[str, list[int]] = field(default_factory=dict)
    """By producer, the first and last of its numbers among the lines."""
    files: dict[str, Json] = field(default_factory=dict)
    """By path, {"bytes", "sha256"}."""

    @property
    def text(self) -> str:
        """The manifest as a file."""
        told = {name: getattr(self, name) for name in ("origin", "school", "size", "root", "first", "end")}
        told |= {"format": FORMAT, "producers": self.producers, "files": self.files}
        return json.dumps(told, indent=1, sort_keys=True) + "\n"


DELICATE = re.compile(rf'["\r\n]|[,;\t][{RISKY}]').search
"""Finds whether a line needs quotes, or has a formula in it."""


def csv_line(cells: tuple[str, ...]) -> bytes:
    """Returns a line of RFC 4180."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().encode()


HEADER = csv_line((*COLUMNS, MORE))


def row(idx: int, entry: Mapping[str, Any]) -> bytes:
    """Returns the table's line of an entry."""
    columns = _columns(tuple(entry))
    if columns is not None:
        texts = [value if type(value) is str else _told(value) for value in entry.values()]
        line = f"{idx},{','.join(columns((*texts, '')))},\r\n"
        if not DELICATE(line, 0, len(line) - 2) and line.count(",") == len(COLUMNS):
            return line.encode()
    more = {name: value for name, value in entry.items() if name not in COLUMNS}
    known = (harmless(entry[name]) if name in entry else "" for name in COLUMNS[1:])
    return csv_line((str(idx), *known, json.dumps(more, sort_keys=True).replace(";", "\\u003b") if more else ""))


@lru_cache(maxsize=4096)
def _columns(names: tuple[str, ...]) -> Callable[[Sequence[str]], tuple[str, ...]] | None:
    """Returns what picks the columns from the values of these names and an empty one; None: there are others."""
    if not set(names) <= set(COLUMNS):
        return None
    places = {name: place for place, name in enumerate(names)}
    picked: Callable[[Sequence[str]], tuple[str, ...]] = itemgetter(
        *(places.get(name, len(names)) for name in COLUMNS[1:])
    )
    return picked


def _told(value: object) -> str:
    return "true" if value is True else "false" if value is False else str(value)


def harmless(value: object) -> str:
    """Returns a cell that no spreadsheet takes for a formula."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return FORMULA.sub("'", str(value))


FLAT = frozenset({str, int, bool})


@lru_cache(maxsize=4096)
def _ordered(names: tuple[str, ...]) -> tuple[str, ...]:
    # RFC 8785 sorts by UTF-16 code units.
    return tuple(sorted(names, key=lambda name: name.encode("utf-16-be")))


def entry_of(line: bytes) -> Json:
    """Returns the entry of a line; raises ValueError when the line is not its RFC 8785 canonical form.

    Entries are flat, of texts, whole numbers below 2^53 and truths: for these the compact form with sorted names is it.
    """
    entry = pydantic_core.from_json(line)
    if not isinstance(entry, dict) or not FLAT.issuperset(map(type, entry.values())):
        raise ValueError("not a flat object")
    names = tuple(entry)
    if _ordered(names) != names or pydantic_core.to_json(entry) != line:
        raise ValueError("not in canonical form")
    return entry


def range_of(told: Json, size: int) -> tuple[int, int]:
    """Returns which lines a manifest says are here, of a log of that size; raises BadPack."""
    first, end = told.get("first"), told.get("end")
    if type(first) is not int or type(end) is not int or not 0 <= first < end <= size:
        raise BadPack(f"{MANIFEST}: its lines are none of the log's")
    return first, end


def files_of(made: Manifest) -> Iterator[str]:
    """Yields the paths of all files of a pack but the manifest's."""
    yield from (LINES, TABLE, EVENTS, CHECKPOINTS, FINDINGS, *PAGES.values(), NOTE, KEY, POLICY, README)
    if PARQUET in made.files:
        yield PARQUET
    kinds = [(ENTRIES, made.size)] if (made.first, made.end) == (0, made.size) else []
    level = 0
    while count := made.size >> level * TILE_HEIGHT:
        kinds.append((tiles.hashes(level), count))
        level += 1
    for kind, count in kinds:
        for first in range(0, count, WIDTH):
            yield f"{LOG}/{tiles.place(kind, first, count)}"
