"""What is written down: everything that a check needs from the databases, read past the walls."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.faults.stage import SERVICES, Record, Stage, until

Lane = tuple[str, str]
"""A school and a producer."""
Position = tuple[int, int, str]
"""Epoch, seq, hash."""


@dataclass(slots=True)
class Entry:
    """One row of a journal, or one line of the audit log (whose `hash` is not stored, and None)."""

    seq: int
    epoch: int
    hash: str | None
    text: str

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def name(self) -> str:
        """The event's name without its producer, such as `goal.proposed`."""
        return ".".join(self.content["type"].split(".")[3:-1])

    @property
    def fact(self) -> dict[str, Any]:
        found: dict[str, Any] = self.content["data"]["fact"]
        return found


@dataclass(slots=True)
class Books:
    """All of it. Keys begin with the school."""

    journals: dict[Lane, list[Entry]] = field(default_factory=dict)
    heads: dict[Lane, Position] = field(default_factory=dict)
    lines: dict[Lane, list[Entry]] = field(default_factory=dict)
    places: dict[str, list[int]] = field(default_factory=dict)
    """The audit lines' own numbers, in order, by school."""
    cursors: dict[tuple[str, str, str], Position] = field(default_factory=dict)
    """By school, producer and consumer."""
    keys: dict[tuple[str, str, str, str], Any] = field(default_factory=dict)
    """Stored replies by school, service, actor and idempotency key."""
    letters: list[str] = field(default_factory=list)
    access: dict[str, dict[tuple[str, str], tuple[int, Any]]] = field(default_factory=dict)
    """By service: (school, subject) to revision and grants."""
    goals: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    scores: list[tuple[str, str]] = field(default_factory=list)
    notices: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    """School, id, member, source event, state."""
    members: dict[tuple[str, str], bool] = field(default_factory=dict)
    """School and membership to whether it has ended."""

    def events(self, producer: str, *names: str) -> list[tuple[str, Entry]]:
        """Returns every journaled event of those names, with its school."""
        return [
            (school, entry)
            for (school, of), entries in self.journals.items()
            if of == producer
            for entry in entries
            if entry.name in names
        ]


async def read_books(stage: Stage) -> Books:
    """Reads all databases."""
    books = Books()
    for service in SERVICES:
        async with stage.admin(service) as conn:
            for r in await conn.fetch("SELECT school, seq, epoch, hash, event FROM journal ORDER BY school, seq"):
                lane = books.journals.setdefault((r["school"], service), [])
                lane.append(Entry(r["seq"], r["epoch"], r["hash"], r["event"]))
            await _read_positions(conn, service, books)
            for r in await conn.fetch("SELECT school, actor::text, key, reply FROM idempotency"):
                books.keys[r["school"], service, r["actor"], r["key"]] = r["reply"]
            for r in await conn.fetch("SELECT school, producer, seq, state, code FROM dead_letter"):
                books.letters.append(f"{service}: {dict(r)}")
            rows = await conn.fetch("SELECT school, id::text, version, grants FROM access")
            books.access[service] = {(r["school"], r["id"]): (r["version"], r["grants"]) for r in rows}
    await _read_own(stage, books)
    return books


async def _read_positions(conn: asyncpg.Connection[Record], service: str, books: Books) -> None:
    for r in await conn.fetch("SELECT * FROM journal_head"):
        books.heads[r["school"], service] = (r["epoch"], r["seq"], r["hash"])
    for r in await conn.fetch("SELECT * FROM projection_cursor"):
        books.cursors[r["school"], r["producer"], service] = (r["epoch"], r["seq"], r["hash"])


async def _read_own(stage: Stage, books: Books) -> None:
    async with stage.admin("audit") as conn:
        for r in await conn.fetch("SELECT school, producer, idx, seq, epoch, event FROM line ORDER BY school, idx"):
            books.places.setdefault(r["school"], []).append(r["idx"])
            lane = books.lines.setdefault((r["school"], r["producer"]), [])
            lane.append(Entry(r["seq"], r["epoch"], None, r["event"]))
    async with stage.admin("goals") as conn:
        rows = await conn.fetch("SELECT school, id::text, version, status FROM goal")
        books.goals = {(r["school"], r["id"]): (r["version"], r["status"]) for r in rows}
        books.scores = [tuple(r) for r in await conn.fetch("SELECT school, id::text FROM score")]
    async with stage.admin("notifications") as conn:
        rows = await conn.fetch("SELECT school, id::text, member::text, source::text, state FROM notice")
        books.notices = [tuple(r) for r in rows]
    async with stage.admin("network") as conn:
        rows = await conn.fetch("SELECT school, id::text, ends_at IS NOT NULL AS ended FROM membership")
        books.members = {(r["school"], r["id"]): r["ended"] for r in rows}


async def read_settled(stage: Stage) -> Books | None:
    """Returns the books if every consumer has applied every event and nothing was appended while they were read.

    Heads only grow: where they are the same before and after, everything in between was read at one state.
    """
    before = await read_positions(stage)
    if unapplied(before):
        return None
    books = await read_books(stage)
    if before.heads != books.heads or unapplied(books) or books.heads != (await read_positions(stage)).heads:
        return None
    return books


async def read_positions(stage: Stage) -> Books:
    """Reads heads and cursors only: what whoever waits may ask often."""
    books = Books()
    for service in SERVICES:
        async with stage.admin(service) as conn:
            await _read_positions(conn, service, books)
    return books


async def at_rest(stage: Stage, within_s: float = 60) -> Books:
    """Returns the books when everything is applied everywhere."""
    found: list[Books] = []

    async def settled() -> bool:
        books = await read_settled(stage)
        if books is not None:
            found.append(books)
        return books is not None

    try:
        await until(settled, within_s, "every event applied everywhere")
    except AssertionError as error:
        raise AssertionError(f"{error}: {unapplied(await read_books(stage))}") from None
    return found[0]


def unapplied(books: Books) -> list[str]:
    """Returns the lanes whose cursor is not at the head."""
    from deploy.topology import SERVICES as PLACES

    return [
        f"{place.name} has applied {producer} of {school} up to {at}, it ends at {head}"
        for place in PLACES
        for (school, producer), head in books.heads.items()
        if producer in place.consumes and (at := books.cursors.get((school, producer, place.name))) != head
    ]
