"""Reads OneRoster 1.2 CSV into a scratch database on disk, so that 100,000 users fit in bounded memory.

Source: 1EdTech OneRoster 1.2, CSV binding. Read are manifest, orgs, users, roles, enrollments and demographics. Two
things go beyond it, as its extension rules allow: roles `ext:<role>`, and in users the column
`metadata.authoritySourcedIds`, which names the guardians with parental authority over a pupil. Of a delta only what it
holds itself can be used: the rows that it does not repeat are nowhere kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.samen.oneroster_lines import Lines
from deploy.samen.oneroster_manifest import MANIFEST, Mode, read_manifest
from deploy.samen.oneroster_records import BadFolder, Issue, Record, read_records
from deploy.samen.oneroster_tables import ID_SIZE, TABLES, BadRow, Table, id_of

SCHEMA = """
CREATE TABLE org (id TEXT PRIMARY KEY, at TEXT, gone INT, name TEXT, type TEXT, identifier TEXT) WITHOUT ROWID;
CREATE TABLE user (id TEXT PRIMARY KEY, at TEXT, gone INT, given TEXT, family TEXT, email TEXT, phone TEXT,
                   org TEXT, agents TEXT, holders TEXT) WITHOUT ROWID;
CREATE TABLE role (id TEXT PRIMARY KEY, at TEXT, gone INT, user TEXT, role TEXT, org TEXT, begins TEXT, ends TEXT)
    WITHOUT ROWID;
CREATE INDEX role_org ON role (org, user);
CREATE INDEX role_user ON role (user);
CREATE TABLE enrollment (id TEXT PRIMARY KEY, at TEXT, gone INT, class TEXT, org TEXT, user TEXT, role TEXT,
                         begins TEXT, ends TEXT) WITHOUT ROWID;
CREATE INDEX enrollment_user ON enrollment (user);
CREATE INDEX enrollment_class ON enrollment (class, role);
CREATE TABLE birth (id TEXT PRIMARY KEY, at TEXT, day TEXT) WITHOUT ROWID;
"""


@dataclass
class Roster:
    """A delivery that was read: the scratch database, and what was wrong with it line by line.

    `complete`: users, roles and enrollments were delivered in bulk and none of their rows was refused, so that what is
    absent has really left. `delta`: one of them was not, and only what is marked as deleted has left.
    """

    db: sqlite3.Connection
    lines: Lines
    complete: bool = True
    delta: bool = False

    @property
    def issues(self) -> list[Issue]:
        """All that is wrong so far."""
        return self.lines.issues()


def read_roster(folder: Path, scratch: Path) -> Roster:
    """Reads the delivery in `folder`; the scratch database is made at `scratch`. Raises BadFolder."""
    missing = [table.file for table in TABLES if table.must_be and not (folder / table.file).is_file()]
    if missing:
        msg = f"{folder} has no {', '.join(missing)}: give the folder that holds the OneRoster 1.2 CSV files"
        raise BadFolder(msg)
    modes, told = read_manifest(folder, [table.file for table in TABLES])
    db = sqlite3.connect(scratch)
    db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384;" + SCHEMA)
    roster = Roster(db, Lines(db))
    if not told:
        roster.lines.tell(Issue(f"{MANIFEST}:1", "manifest_absent", note=True))
    for table in TABLES:
        mode = modes[table.file]
        if table.tells_who_left and mode is not Mode.BULK:
            roster.complete = False
            roster.delta = roster.delta or mode is Mode.DELTA
            roster.lines.tell(Issue(f"{table.file}:1", f"file_{mode}", note=True))
        if mode is not Mode.ABSENT:
            _load(roster, table, folder / table.file, mode)
    for issue in _dangling(roster):
        roster.lines.tell(issue)
    db.commit()
    return roster


def _load(roster: Roster, table: Table, path: Path, mode: Mode) -> None:
    for found in read_records(path, table.required, table.known):
        issue = found if isinstance(found, Issue) else _insert(roster, table, found, mode)
        if issue is not None:
            roster.lines.tell(issue)
            if table.tells_who_left and not issue.note:
                roster.complete = False


def _insert(roster: Roster, table: Table, record: Record, mode: Mode) -> Issue | None:
    roster.lines.add(record.at, record.get("sourcedId")[:ID_SIZE] or None)
    if table.table == "enrollment" and mode is Mode.DELTA:
        return Issue(record.at, "enrollment_in_delta")
    try:
        values = (id_of(record.get("sourcedId")), record.at, *table.columns(record))
        places = ", ".join("?" * len(values))
        roster.db.execute(f"INSERT INTO {table.table} VALUES ({places})", values)  # noqa: S608  our own table names
    except BadRow as bad:
        return Issue(record.at, str(bad))
    except sqlite3.IntegrityError:
        return Issue(record.at, "duplicate_id")
    if table.table == "role" and not values[4]:
        return Issue(record.at, "role_not_used", note=True)
    return None


NO_USER = "NOT EXISTS (SELECT 1 FROM user u WHERE u.id = r.user)"
DANGLING = (
    (f"SELECT at FROM role r WHERE {NO_USER} AND NOT :delta", "unknown_user"),  # noqa: S608  our own words
    (f"SELECT at FROM role r WHERE {NO_USER} AND NOT r.gone AND :delta", "not_in_delta"),  # noqa: S608  our own words
    ("SELECT at FROM role r WHERE NOT EXISTS (SELECT 1 FROM org o WHERE o.id = r.org)", "unknown_org"),
    ("SELECT at FROM enrollment e WHERE NOT EXISTS (SELECT 1 FROM user u WHERE u.id = e.user)", "unknown_user"),
    ("SELECT at FROM enrollment e WHERE NOT EXISTS (SELECT 1 FROM org o WHERE o.id = e.org)", "unknown_org"),
    ("SELECT at FROM birth b WHERE NOT EXISTS (SELECT 1 FROM user u WHERE u.id = b.id)", "unknown_user"),
    (
        "SELECT at FROM user u WHERE org IS NOT NULL AND NOT EXISTS (SELECT 1 FROM org o WHERE o.id = u.org)",
        "unknown_org",
    ),
    (
        "SELECT at FROM user u WHERE :delta AND NOT gone AND NOT EXISTS (SELECT 1 FROM role r WHERE r.user = u.id)",
        "not_in_delta",
    ),
)


def _dangling(roster: Roster) -> Iterator[Issue]:
    """Yields a line for every reference to something that the delivery lacks; nothing is ended on its strength."""
    for query, code in DANGLING:
        for (at,) in roster.db.execute(query, {"delta": roster.delta}).fetchall():
            roster.complete = roster.complete and at.startswith("demographics.csv")
            yield Issue(at, code)
