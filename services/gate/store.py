"""SQL of the gate's reactions. What is asked goes through the reader functions in migrations/."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from shared.db import Connection

NOTE_TOOLS = "INSERT INTO tool_member (school, id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING"
SCHOOL_HAS_TOOLS = "SELECT EXISTS (SELECT FROM tool WHERE school = $1)"


async def has_tools(conn: Connection, school: str) -> bool:
    """Tells whether the school has tools at all."""
    return bool(await conn.fetchval(SCHOOL_HAS_TOOLS, school))


async def note_tools(conn: Connection, school: str, members: Collection[UUID]) -> None:
    """Keeps that these ids are local tools' of the school."""
    await conn.execute(NOTE_TOOLS, school, sorted(members))
