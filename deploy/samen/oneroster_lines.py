"""What became of each line of a delivery, kept on disk beside the rows, so that a report needs no memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from deploy.samen.oneroster_records import Issue

SCHEMA = """
CREATE TABLE line (at TEXT PRIMARY KEY, file TEXT, number INT, id TEXT, what INT) WITHOUT ROWID;
CREATE TABLE issue (at TEXT, code TEXT, note INT, PRIMARY KEY (at, code)) WITHOUT ROWID;
CREATE TABLE ended (person TEXT, child TEXT, role TEXT, school TEXT);
"""
WHATS = ("unused", "unchanged", "changed", "added", "ended")
"""What can become of a line, the later one outweighing the earlier: a line can say something of several children."""
COLUMNS = ("file", "line", "sourced_id", "what", "codes", "school", "child", "role")

ADD = "INSERT INTO line VALUES (?, ?, ?, ?, 0) ON CONFLICT (at) DO UPDATE SET id = coalesce(line.id, excluded.id)"
MARK = "UPDATE line SET what = max(what, ?) WHERE at = ?"
TELL = "INSERT OR IGNORE INTO issue VALUES (?, ?, ?)"
ISSUES = """
SELECT i.at, i.code, i.note FROM issue i JOIN line l ON l.at = i.at ORDER BY i.note, l.file, l.number, i.code LIMIT ?
"""
UNREAD = "SELECT i.at, i.code FROM issue i JOIN line l ON l.at = i.at WHERE l.number = 1 AND NOT i.note LIMIT 1"
FOLLOW = """
INSERT INTO line (at, what)
SELECT t.at, u.what FROM {table} t JOIN user p ON p.id = t.{key} JOIN line u ON u.at = p.at WHERE true
    ON CONFLICT (at) DO UPDATE SET what = CASE line.what WHEN 0 THEN excluded.what ELSE line.what END
"""
GONE = """
UPDATE line SET what = 4 WHERE at IN (SELECT u.at FROM user u WHERE u.gone AND EXISTS (
    SELECT 1 FROM ended e WHERE u.id IN (e.person, e.child)))
"""
LINES = """
SELECT l.file, l.number, l.id,
       CASE WHEN EXISTS (SELECT 1 FROM issue i WHERE i.at = l.at AND NOT i.note) THEN 'refused' ELSE l.what END,
       (SELECT group_concat(i.code, ' ') FROM issue i WHERE i.at = l.at)
  FROM line l ORDER BY l.file, l.number
"""


class Lines:
    """The lines of one delivery and what was said of them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(SCHEMA)

    def add(self, at: str, sourced_id: str | None = None) -> None:
        """Notes that the line is there."""
        name, _, number = at.partition(":")
        self._db.execute(ADD, (at, name, int(number), sourced_id))

    def tell(self, issue: Issue) -> None:
        """Notes what is wrong with a line."""
        self.add(issue.at)
        self._db.execute(TELL, (issue.at, issue.code, issue.note))

    def mark(self, places: Iterable[str], what: str) -> None:
        """Notes what became of lines."""
        self._db.executemany(MARK, ((WHATS.index(what), at) for at in places))

    def end(self, links: Iterable[tuple[str, str, str]], school: str) -> None:
        """Notes links (person, child, role) that ended."""
        self._db.executemany("INSERT INTO ended VALUES (?, ?, ?, ?)", ((*link, school) for link in links))

    def issues(self, most: int = -1) -> list[Issue]:
        """Returns what is wrong, refusals first, in the order of the files; `most` bounds it."""
        return [Issue(at, code, bool(note)) for at, code, note in self._db.execute(ISSUES, (most,))]

    def unread(self) -> Issue | None:
        """Returns what is wrong with a file's first line, if anything: the whole file was refused for it."""
        row = self._db.execute(UNREAD).fetchone()
        return Issue(*row) if row else None

    def count(self) -> int:
        """Returns how many issues there are."""
        return int(self._db.execute("SELECT count(*) FROM issue").fetchone()[0])

    def refused(self) -> int:
        """Returns how many lines were refused."""
        return int(self._db.execute("SELECT count(DISTINCT at) FROM issue WHERE NOT note").fetchone()[0])

    def report(self) -> Iterator[tuple[object, ...]]:
        """Yields a row of COLUMNS for each line, then one for each link that ended: ids and codes, no names.

        A line that only says more of someone (a role, a birthday, a class) has that person's outcome.
        """
        for table, key in (("role", "user"), ("enrollment", "user"), ("birth", "id")):
            self._db.execute(FOLLOW.format(table=table, key=key))
        self._db.execute(GONE)
        for name, number, id_, what, codes in self._db.execute(LINES):
            yield name, number, id_, what if isinstance(what, str) else WHATS[what], codes, None, None, None
        for person, child, role, school in self._db.execute("SELECT * FROM ended"):
            yield None, None, person, "ended", "left_roster", school, child or None, role
