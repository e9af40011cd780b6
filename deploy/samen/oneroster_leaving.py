"""Who and what a delivery ends in one school: the links that stand there, held against those that it wants."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from deploy.samen.oneroster import Roster
from deploy.samen.oneroster_batches import Batch, SchoolOrg, at_school

SHARE, FEW = 10, 5
"""By default at most this percentage of a school's people or links may end in one go, and a few always."""

SCHEMA = """
DROP TABLE IF EXISTS link; DROP TABLE IF EXISTS wanted; DROP TABLE IF EXISTS over; DROP TABLE IF EXISTS stated;
DROP TABLE IF EXISTS ending; DROP TABLE IF EXISTS brought;
CREATE TABLE link (id TEXT PRIMARY KEY, person TEXT, child TEXT, role TEXT, hand INT) WITHOUT ROWID;
CREATE TABLE wanted (person TEXT, child TEXT, role TEXT, PRIMARY KEY (person, child, role)) WITHOUT ROWID;
CREATE TABLE over (person TEXT, child TEXT, PRIMARY KEY (person, child)) WITHOUT ROWID;
CREATE TABLE stated (child TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE ending (id TEXT PRIMARY KEY, person TEXT, child TEXT, role TEXT, hand INT) WITHOUT ROWID;
CREATE INDEX ending_child ON ending (child, role);
CREATE TABLE brought (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""
STANDS = "INSERT OR IGNORE INTO link VALUES (:id, coalesce(:person, ''), coalesce(:child, ''), :role, :hand)"
WANTED = "EXISTS (SELECT 1 FROM wanted w WHERE w.person = l.person AND w.child = l.child AND w.role = l.role)"
ABSENT = f"""
INSERT INTO ending SELECT l.* FROM link l
 WHERE NOT l.hand AND NOT {WANTED}
   AND (l.role <> 'authority' OR EXISTS (SELECT 1 FROM stated s WHERE s.child = l.child))
"""  # noqa: S608  our own words
SAID = f"""
INSERT INTO ending SELECT l.* FROM link l
 WHERE NOT l.hand AND l.role <> 'authority'
   AND (EXISTS (SELECT 1 FROM user u WHERE u.id IN (l.person, l.child) AND u.gone)
        OR NOT {WANTED} AND (
           l.role NOT IN ('guardian', 'therapist', 'care_professional')
           AND EXISTS (SELECT 1 FROM over o WHERE o.person = l.person AND o.child = l.child)
           OR :delta AND (
              EXISTS (SELECT 1 FROM role r WHERE r.user = l.person AND r.role = l.role AND r.gone AND r.org = :org)
              OR EXISTS (
                  SELECT 1 FROM role r WHERE r.user = l.child AND r.role = 'child' AND r.gone AND r.org = :org))))
"""  # noqa: S608  our own words
ROUND_LEAVERS = """
INSERT OR IGNORE INTO ending SELECT l.* FROM link l
 WHERE (l.hand OR l.role = 'authority') AND EXISTS (SELECT 1 FROM ending e WHERE e.child = l.child AND e.role = 'child')
"""
PEOPLE = """
SELECT count(DISTINCT person), count(DISTINCT CASE WHEN NOT EXISTS (
           SELECT 1 FROM link k WHERE k.person = l.person AND NOT k.hand
              AND NOT EXISTS (SELECT 1 FROM ending e WHERE e.id = k.id)) THEN person END) FROM link l WHERE NOT hand
"""
LINKS = "SELECT (SELECT count(*) FROM link WHERE NOT hand), (SELECT count(*) FROM ending WHERE NOT hand)"


@dataclass(frozen=True, slots=True)
class Size:
    """How many of a school's people and links from the roster a delivery would end."""

    people: int
    people_ending: int
    links: int
    links_ending: int

    def beyond(self, allowed: int) -> str | None:
        """Returns why this is too much to end in one go, or None; `allowed` may end in any case."""
        most = max(self.people_ending, self.links_ending)
        pairs = ((self.people_ending, self.people), (self.links_ending, self.links))
        if most <= allowed or not any(ending > FEW and ending * 100 > SHARE * there for ending, there in pairs):
            return None
        return (
            f"this would end {self.people_ending} of {self.people} people and {self.links_ending} of {self.links}"
            f" links, more than {SHARE} %: nothing was changed. Are the files whole? If they are, and it is meant:"
            f" --allow-ending {most}"
        )


class Leaving:
    """What one school has and what the delivery wants there, on disk."""

    def __init__(self, roster: Roster, school: SchoolOrg, today: date) -> None:
        self._roster, self._school, self._today = roster, school, today
        self._db: sqlite3.Connection = roster.db
        self._db.executescript(SCHEMA)
        self._db.execute("CREATE INDEX link_person ON link (person)")

    def stands(self, links: Iterable[dict[str, Any]]) -> None:
        """Notes links that stand in the school."""
        self._db.executemany(STANDS, links)

    def want(self, batch: Batch) -> Batch:
        """Notes what a batch wants; returns it without the links that are over, which end with the rest."""
        for person in batch.get("persons", ()):
            roles = [*person.get("roles", ()), *(["child"] if person.get("pupil") else [])]
            child = person["sourced_id"] if person.get("pupil") else ""
            self._want((person["sourced_id"], child if role == "child" else "", role) for role in roles)
            self._db.execute("INSERT OR IGNORE INTO brought VALUES (?)", (person["sourced_id"],))
        networks = [self._network(network) for network in batch.get("networks", ())]
        return {**batch, "networks": networks} if networks else batch

    def _network(self, network: dict[str, Any]) -> dict[str, Any]:
        child, today = network["child"], self._today.isoformat()
        over = [one for one in network["links"] if one.get("ends_on") and one["ends_on"] <= today]
        links = [one for one in network["links"] if one not in over]
        self._db.executemany("INSERT OR IGNORE INTO over VALUES (?, ?)", ((one["person"], child) for one in over))
        self._want((one["person"], child, one["role"]) for one in links)
        self._want((holder, child, "authority") for holder in network["holders"])
        if network["holders"]:
            self._db.execute("INSERT OR IGNORE INTO stated VALUES (?)", (child,))
        return {**network, "links": links}

    def _want(self, links: Iterable[tuple[str, str, str]]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO wanted VALUES (?, ?, ?)", links)

    def brings(self, sourced_ids: Iterable[str]) -> list[str]:
        """Returns which of these people the delivery brings to this school."""
        asked = sorted(set(sourced_ids))
        return [one for one in asked if self._db.execute("SELECT 1 FROM brought WHERE id = ?", (one,)).fetchone()]

    def settle(self) -> Size:
        """Decides what ends, once everything that stands and that is wanted is noted; returns how much that is.

        A complete delivery ends what it does not want; another only what it says is deleted or over. What was added by
        hand ends with a pupil who left, and else never; authority ends with that pupil too.
        """
        where = {**at_school(self._school, self._today), "delta": self._roster.delta}
        self._db.execute(ABSENT if self._roster.complete else SAID, where)
        self._db.execute(ROUND_LEAVERS)
        return Size(*self._db.execute(PEOPLE).fetchone(), *self._db.execute(LINKS).fetchone())

    def ending(self) -> Iterator[tuple[str, str, str, str, int]]:
        """Yields (id, person, child, role, by hand) of the links that end; those of one child together."""
        yield from self._db.execute("SELECT * FROM ending ORDER BY child, id")

    def brought(self) -> tuple[int, int]:
        """Returns how many people and links the delivery brings."""
        row = self._db.execute("SELECT (SELECT count(*) FROM brought), (SELECT count(*) FROM wanted)").fetchone()
        return int(row[0]), int(row[1])
