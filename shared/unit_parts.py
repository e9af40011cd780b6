"""What the command path hands to the database and gets back: a group of reads, a group of Changes, a stored reply."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from shared import access
from shared.access import Permit, View
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.network import Grant
from shared.events.words import Action, Category, Purpose
from shared.unit import Asked, Change, Snapshot

GRANTS = TypeAdapter(tuple[Grant, ...])


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key as the caller gave it, with the hash of the request that it stands for."""

    key: str
    hash: str


@dataclass(frozen=True, slots=True)
class Look:
    """One request's part of a group of snapshots."""

    actor: UUID
    key: str | None
    reader: str
    args: Mapping[str, Any]

    def part(self) -> dict[str, Any]:
        return {"actor": self.actor, "key": self.key, "reader": self.reader, "args": self.args}


@dataclass(frozen=True, slots=True)
class Entry:
    """One Change's part of a group commit."""

    actor: UUID
    change: Change
    key: Key | None
    events: list[dict[str, Any]]
    by: float
    """The loop's time past which it may not be sent."""

    def holds(self) -> frozenset[Hashable]:
        """What no other Change of the same group may touch: its rows and its key."""
        rows: set[Hashable] = {(row.table, row.id) for row in self.change.rows}
        return frozenset(rows | {(self.actor, self.key.key)} if self.key else rows)

    def weight(self) -> int:
        """How many subjects its commit locks."""
        return len(self.change.permits) + len(self.change.locks)


def commit_parts(group: Sequence[Entry], school: UUID) -> tuple[object, ...]:
    """Returns what `commit_changes` takes: locks, checks, keys, rows by table and events, each with its place.

    `school` is the school's own subject.
    """
    checks: list[dict[str, Any]] = []
    keys: list[dict[str, Any]] = []
    rows: dict[str, list[dict[str, Any]]] = {}
    events: list[dict[str, Any]] = []
    for place, one in enumerate(group, 1):
        checks += [
            {
                "place": place,
                "subject": permit.subject,
                "revision": permit.revision,
                "from": permit.valid_from,
                "until": permit.valid_until,
            }
            for permit in one.change.permits
        ]
        if one.key:
            told = {"actor": one.actor, "key": one.key.key, "hash": one.key.hash, "reply": one.change.reply}
            asked = [_question(permit) for permit in one.change.permits]
            keys.append({"place": place, "permits": asked, "about": _about(one.change, school), **told})
        for row in one.change.rows:
            part = {"place": place, "id": row.id, "seen": row.seen, "values": row.values}
            rows.setdefault(row.table, []).append(part)
        events += [{"place": place, **event} for event in one.events]
    return [subject for one in group for subject in one.change.locks], checks, keys, rows, events


def snapshot(raw: Mapping[str, Any], alarm: Callable[..., None]) -> Snapshot:
    """Returns what `read_snapshots` told of one request.

    Grants that cannot be read are an alarm, as good as none, and unverified: network is asked for them again.
    """
    views = {}
    for view in raw["views"] or ():
        subject, fresh = UUID(view["subject"]), view["fresh"] and not raw["rebuilding"]
        try:
            grants = GRANTS.validate_python(view["grants"])
        except ValidationError:
            alarm("grants_unreadable", "a subject's grants cannot be read")
            grants, fresh = (), False
        views[subject] = View(subject, view["revision"], grants, fresh=fresh)
    return Snapshot(
        state=raw["state"],
        views=views,
        now=datetime.fromisoformat(raw["now"]),
        clock=datetime.fromisoformat(raw["clock"]),
        leased=raw["leased"],
    )


def _about(change: Change, school: UUID) -> UUID | None:
    """Returns the one child that all of the Change is about; None: it may name anybody."""
    about = {permit.subject for permit in change.permits} | {event.about for event in change.events}
    return next(iter(about)) if len(about) == 1 and school not in about else None


def _question(permit: Permit) -> dict[str, Any]:
    act = permit.act
    return {"subject": permit.subject, "action": act.action, "category": act.category, "purpose": act.purpose}


def repeated(stored: Mapping[str, Any], key: Key, asked: Asked[Any], seen: Snapshot) -> Change:
    """Returns the Change that answers a repeated request: nothing but its reply, and what the first one needed.

    Raises Denial when that is no longer permitted, Problem when the key stood for another request.
    """
    if stored["hash"] != key.hash:
        raise Problem(
            ProblemType.CONFLICT, "this Idempotency-Key stood for another request: use a new key for a new request"
        )
    permits = []
    for one in stored["permits"]:
        subject = UUID(one["subject"])
        view = seen.views.get(subject) or View(subject, None, (), fresh=seen.leased)
        question = Action(one["action"]), Category(one["category"]), Purpose(one["purpose"])
        permits.append(access.require(view, asked.actor, *question, seen.clock))
    return Change(permits=tuple(permits), events=(), reply=stored["reply"])


KNOWN = """
SELECT EXISTS (SELECT FROM journal_head WHERE school = $1) OR EXISTS (SELECT FROM projection_cursor WHERE school = $1)
    OR EXISTS (SELECT FROM access WHERE school = $1)
"""


class Opened:
    """Which schools a database knows: by its own journal, by what others told of them, or by grants in them."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: set[str] = set()

    async def has(self, school: str) -> bool:
        """Tells whether it knows the school; raises what a lost database raises."""
        if school not in self._known:
            async with self._db.school(school) as conn:
                if not await conn.fetchval(KNOWN, school):
                    return False
            self._known.add(school)
        return True
