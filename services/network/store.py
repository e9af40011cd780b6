"""SQL of network's own background work. The command path reads through the functions in migrations/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.network.policy import POLICY_VERSION
from shared.db import Connection

WAITING = """
SELECT s.rules < $2 OR s.rules = $2 AND (cardinality(list_waiting($1, 1)) > 0 OR cardinality(list_started($1)) > 0)
  FROM school_profile s WHERE s.school = $1
"""
PENDING = "SELECT school, id FROM list_pending()"
LAST_CHANGE = """
SELECT seq FROM journal WHERE school = $1 AND type = 'nl.samenkracht.network.access.changed.v1'
 ORDER BY seq DESC LIMIT 1
"""
FINISH = """
UPDATE withdrawal SET version = version + 1, how = $3, effective_at = clock_timestamp(), unconfirmed = $4, tools = $5
 WHERE school = $1 AND id = $2 AND how IS NULL RETURNING subject, thing, act, effective_at
"""
WAITS_FOR_CHILDREN = "SELECT waits_for_children($1, $2)"
WITHDRAWAL = "SELECT how, effective_at, unconfirmed, tools FROM withdrawal WHERE school = $1 AND id = $2"


async def is_waiting(conn: Connection, school: str) -> bool:
    """Tells whether a child waits for new grants, a policy whose day has come to be told, or all for this code's rules.

    What waits for newer rules than this code has is left to who has them.
    """
    return bool(await conn.fetchval(WAITING, school, POLICY_VERSION))


async def last_change(conn: Connection, school: str) -> int:
    """Returns the number of the school's last change of access, 0 when there was none."""
    return int(await conn.fetchval(LAST_CHANGE, school) or 0)


async def waits_for_children(conn: Connection, school: str, id_: UUID) -> bool:
    """Tells whether a withdrawal about the whole school is still to reach some of its children's grants."""
    return bool(await conn.fetchval(WAITS_FOR_CHILDREN, school, id_))


async def finish_withdrawal(
    conn: Connection, school: str, id_: UUID, how: str, unconfirmed: Sequence[str] = (), tools: Sequence[UUID] = ()
) -> asyncpg.Record | None:
    """Makes a withdrawal effective, once; returns what its event needs, None when another was first."""
    return await conn.fetchrow(FINISH, school, id_, how, list(unconfirmed), list(tools))


async def get_withdrawal(conn: Connection, school: str, id_: UUID) -> dict[str, Any]:
    """Returns how and at what moment a withdrawal became effective: None while it is pending, or unknown.

    Where the clock decided, also which services had not confirmed it, and which tools the gate had not reached.
    """
    row = await conn.fetchrow(WITHDRAWAL, school, id_)
    told = {"how": row["how"], "at": row["effective_at"]} if row else {"how": None, "at": None}
    return told | {name: row[name] for name in ("unconfirmed", "tools") if row and row[name]}
