"""SQL of the gate's reactions. What is asked goes through the reader functions in migrations/."""

from __future__ import annotations

from shared.db import Connection

SCHOOL_HAS_TOOLS = "SELECT EXISTS (SELECT FROM tool WHERE school = $1)"


async def has_tools(conn: Connection, school: str) -> bool:
    """Tells whether the school has tools at all."""
    return bool(await conn.fetchval(SCHOOL_HAS_TOOLS, school))
