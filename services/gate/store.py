"""SQL of the gate's reactions and of the putter. What is asked goes through the reader functions in migrations/."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from services.gate.model import At, Tool, ToolState, pseudonym
from shared.db import Connection, Database
from shared.events.base import Event
from shared.events.gate import ToolChannel
from shared.events.words import Category, Purpose

NOTE_TOOLS = "INSERT INTO tool_member (school, id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING"
TOOLS = """
SELECT id, version, account, purpose, categories, types, channel, state, secret FROM tool
 WHERE school = $1 AND state <> 'removed' ORDER BY id
"""
GRANTS = """
SELECT a.id, a.version, (SELECT jsonb_object_agg(t, a.grants->t) FROM unnest($3::text[]) t WHERE a.grants ? t) AS grants
  FROM access a WHERE a.school = $1 AND a.id = ANY ($2)
"""
ERASED = "SELECT id FROM erased WHERE school = $1 AND id = ANY ($2)"
HEAR = """
INSERT INTO heard (school, id, about, event)
SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[]) ON CONFLICT DO NOTHING
"""
QUEUE = """
INSERT INTO put_out (school, tool, source, about, category)
SELECT $1, q.tool, q.source, q.about, q.category
  FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[]) WITH ORDINALITY q (tool, source, about, category, n)
 ORDER BY q.n ON CONFLICT DO NOTHING
"""
ADD_PSEUDONYMS = """
INSERT INTO pseudonym (school, tool, theirs, about, ours)
SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[]) AS x (tool, theirs, about, ours)
 ORDER BY x.tool, x.theirs, x.about ON CONFLICT DO NOTHING
"""
WAITING = "SELECT * FROM waiting_tools($1)"
PLACE = """
SELECT t.account, t.secret, t.channel, t.state, o.version, o.epoch, o.seq, o.out_seq, o.acked, o.stream_made,
       o.stream_last, o.stream_since, o.aside,
       coalesce((SELECT j.epoch FROM journal_head j WHERE j.school = t.school), 1) AS journal_epoch,
       ARRAY(SELECT m.id FROM marker m WHERE m.school = t.school AND m.tool = t.id AND m.told_at IS NULL) AS untold
  FROM tool t LEFT JOIN outlet o ON o.school = t.school AND o.id = t.id
 WHERE t.school = $1 AND t.id = $2
"""
HELD = """
SELECT tool, about, category FROM put_out
 WHERE school = $1 AND about = ANY ($2) AND tool = ANY ($3) AND NOT void
 UNION
SELECT tool, about, category FROM holding WHERE school = $1 AND about = ANY ($2) AND tool = ANY ($3)
"""
CANCEL = "DELETE FROM put_out WHERE school = $1 AND about = $2 AND tool = $3 AND category = $4 AND seq IS NULL"
VOID = """
UPDATE put_out SET void = true
 WHERE school = $1 AND about = $2 AND tool = $3 AND category = $4 AND seq IS NOT NULL AND NOT void RETURNING seq
"""
LET_GO = "DELETE FROM holding WHERE school = $1 AND about = $2 AND tool = $3 AND category = $4 RETURNING about"
ADD_MARKER = """
INSERT INTO marker (school, id, version, tool, about, category, network_epoch, network_seq, network_hash, at)
VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
"""
LAPSED = "SELECT list_lapsed($1, 200) AS id"
POINT_MARKERS = "UPDATE marker SET about = $4, erased = true WHERE school = $1 AND tool = $2 AND about = $3"
HEAD = "SELECT epoch, seq FROM outlet WHERE school = $1 AND id = $2"
LISTED_HELD = "SELECT * FROM list_held()"


Name: TypeAlias = tuple[UUID, str, UUID, str]
"""What a tool knows an id as: (tool, theirs, the child it stood with, ours)."""


async def note_tools(conn: Connection, school: str, members: Collection[UUID]) -> None:
    """Keeps that these ids are local tools' of the school."""
    await conn.execute(NOTE_TOOLS, school, sorted(members))


@dataclass(frozen=True, slots=True)
class Before:
    """Network's position that a withdrawal comes after, and the moment from which it holds."""

    epoch: int
    seq: int
    hash: str
    at: datetime


async def list_tools(conn: Connection, school: str) -> list[Tool]:
    """Returns the school's tools that are not removed."""
    return [
        Tool(
            id=row["id"],
            version=row["version"],
            account=row["account"],
            purpose=Purpose(row["purpose"]),
            categories=frozenset(map(Category, row["categories"])),
            types=frozenset(row["types"]),
            channel=ToolChannel(row["channel"]),
            state=ToolState(row["state"]),
            secret=row["secret"],
        )
        for row in await conn.fetch(TOOLS, school)
    ]


async def get_grants(
    conn: Connection, school: str, subjects: Collection[UUID], members: Collection[UUID]
) -> dict[UUID, tuple[int, Mapping[str, Any]]]:
    """Returns of each subject that is known the revision, and these members' grants as they are stored."""
    rows = await conn.fetch(GRANTS, school, list(subjects), [str(one) for one in members])
    return {row["id"]: (row["version"], row["grants"] or {}) for row in rows}


async def list_erased(conn: Connection, school: str, subjects: Collection[UUID]) -> set[UUID]:
    """Returns which of these are children that were erased."""
    return {row["id"] for row in await conn.fetch(ERASED, school, list(subjects))}


async def add_pseudonyms(conn: Connection, school: str, rows: Collection[Name]) -> None:
    """Keeps what tools know ids as."""
    if rows:
        await conn.execute(ADD_PSEUDONYMS, school, *(list(column) for column in zip(*rows, strict=True)))


async def queue(
    conn: Connection, school: str, events: Sequence[Event], put_outs: Sequence[tuple[UUID, UUID, UUID, Category]]
) -> None:
    """Queues events for tools, in this order: (tool, source, child, category); what was queued before stays."""
    texts = [event.raw.decode() for event in events]
    await conn.execute(HEAR, school, [event.id for event in events], [event.about for event in events], texts)
    await conn.execute(QUEUE, school, *(list(column) for column in zip(*put_outs, strict=True)))


async def list_waiting(db: Database, school: str) -> dict[UUID, bool]:
    """Returns the tools for which something waits, and whether that is a withdrawal."""
    return {row["id"]: row["untold"] for row in await db.rows(WAITING, school)}


async def get_place(conn: Connection, school: str, tool: UUID) -> asyncpg.Record | None:
    """Returns a tool with its outlet, which may not be there yet."""
    return await conn.fetchrow(PLACE, school, tool)


def at_of(row: Mapping[str, Any]) -> At:
    """Returns where a tool stood by its row."""
    return At(**{name: row[name] for name in At.model_fields})


async def list_held(
    conn: Connection, school: str, subjects: Collection[UUID], tools: Collection[UUID]
) -> list[tuple[UUID, UUID, Category]]:
    """Returns what tools have, or would be put out, of these children: (tool, child, category)."""
    rows = await conn.fetch(HELD, school, list(subjects), list(tools))
    return [(row["tool"], row["about"], Category(row["category"])) for row in rows]


async def take_out(conn: Connection, school: str, about: UUID, tool: UUID, category: Category) -> bool:
    """Takes a child's events in a category from a tool: what is queued goes, what has a number holds nothing any more.

    Tells whether the tool may have any: one had a number, or it was told of the child earlier, or when it asked.
    """
    await conn.execute(CANCEL, school, about, tool, category)
    numbered = await conn.fetch(VOID, school, about, tool, category)
    return bool(await conn.fetch(LET_GO, school, about, tool, category)) or bool(numbered)


async def add_marker(  # the row's own columns
    conn: Connection, school: str, id_: UUID, tool: Tool, about: UUID, category: Category, before: Before
) -> None:
    """Writes a withdrawal down that the tool must be told; `before` is network's position that it comes after."""
    await conn.execute(
        ADD_MARKER, school, id_, tool.id, about, category, before.epoch, before.seq, before.hash, before.at
    )
    # Known by its own name, not the child's: it stays when the child goes.
    await add_pseudonyms(conn, school, [(tool.id, str(pseudonym(tool.secret, id_)), id_, str(id_))])


async def list_lapsed(conn: Connection, school: str) -> list[UUID]:
    """Returns children of whom a tool has something that its grants do not give it (any more)."""
    return [row["id"] for row in await conn.fetch(LAPSED, school)]


async def point_markers(conn: Connection, school: str, tool: UUID, about: UUID, theirs: UUID) -> None:
    """Has withdrawals name an erased child as the tool knows it: who that was, nobody can tell any more."""
    await conn.execute(POINT_MARKERS, school, tool, about, theirs)


async def get_head(conn: Connection, school: str, tool: UUID) -> dict[str, int]:
    """Returns a tool's last number: {epoch, sequence}. It tells of no child, and so has no line."""
    row = await conn.fetchrow(HEAD, school, tool)
    return {"epoch": row["epoch"] if row else 1, "sequence": row["seq"] if row else 0}
