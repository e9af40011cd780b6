"""SQL about addresses: which wait for a code, and which notice a letter that came back was of."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from shared.db import Connection
from shared.events.notifications import Channel

CODES_DUE = """
SELECT id, member, channel FROM address
 WHERE school = $1 AND state = 'unverified' AND code_due_at <= clock_timestamp() ORDER BY code_due_at LIMIT 100
"""
TOLD = "SELECT EXISTS (SELECT FROM notice WHERE school = $1 AND member = $2)"
OF_LETTER = """
SELECT id FROM notice WHERE school = $1 AND id = $2
UNION ALL SELECT notice FROM delivery WHERE school = $1 AND bundle = $2
 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class CodeDue:
    """An address that waits for its code."""

    address: UUID
    member: UUID
    channel: Channel


async def list_codes_due(conn: Connection, school: str) -> list[CodeDue]:
    """Returns the addresses that a code is to be sent to now."""
    return [CodeDue(row["id"], row["member"], Channel(row["channel"])) for row in await conn.fetch(CODES_DUE, school)]


async def was_told(conn: Connection, school: str, member: UUID) -> bool:
    """Tells whether there is a notice of this member; of who was erased there is none."""
    return bool(await conn.fetchval(TOLD, school, member))


async def find_notice(conn: Connection, school: str, letter: UUID) -> UUID | None:
    """Returns (one of) the notices that a letter told of, if it is this school's."""
    found: UUID | None = await conn.fetchval(OF_LETTER, school, letter)
    return found
