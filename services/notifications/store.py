"""SQL of the reactions and of the sender. What members ask goes through the reader functions in migrations/."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.notifications.model import ALWAYS, Notice, delivery_id
from shared.db import Connection
from shared.events.network import Grant
from shared.events.notifications import Channel

ACCESS = """
SELECT id, version, grants FROM access WHERE school = $1 AND id = ANY ($2)
"""
ERASED = "SELECT id FROM erased WHERE school = $1 AND id = ANY ($2)"
ADD_NOTICES = """
WITH added AS (
    INSERT INTO notice (school, id, version, member, about, source, thing, kind, category, purpose, state, occurred_at, queued_at)
    SELECT $1, n.id, 1, n.member, n.about, n.source, n.thing, n.kind, n.category, n.purpose, 'unread', n.occurred_at, n.queued_at
      FROM jsonb_populate_recordset(NULL::notice, $2) n
     ORDER BY n.id
    ON CONFLICT ON CONSTRAINT notice_once DO NOTHING
    RETURNING id, queued_at
), sent AS (
    INSERT INTO delivery (school, id, version, notice, channel, urgent, state, tries, doubts, next_try_at)
    SELECT $1, d.id, 1, d.notice, d.channel, d.urgent, 'queued', 0, 0, added.queued_at
      FROM jsonb_populate_recordset(NULL::delivery, $3) d JOIN added ON added.id = d.notice
     ORDER BY d.id
)
SELECT id FROM added
"""  # noqa: E501  a column list is read across
DUE = """
SELECT d.id, n.member, d.urgent FROM delivery d JOIN notice n ON n.school = d.school AND n.id = d.notice
 WHERE d.school = $1 AND d.channel = $2 AND d.urgent >= $3 AND d.state IN ('queued', 'deferred', 'claimed')
   AND d.next_try_at <= clock_timestamp()
 ORDER BY d.urgent DESC, d.next_try_at LIMIT $4
"""
REACHABLE = """
SELECT DISTINCT member, channel FROM address WHERE school = $1 AND member = ANY ($2) AND state = 'verified' AND channel <> 'mail'
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Access:
    """A subject's grants as network last told them here, and how new that is."""

    revision: int
    grants: tuple[Grant, ...]


NO_ACCESS = Access(0, ())


async def get_access(conn: Connection, school: str, subjects: Collection[UUID]) -> dict[UUID, Access]:
    """Returns the projected access to each subject; nothing for a subject that network has told nothing of."""
    return {
        row["id"]: Access(
            row["version"],
            tuple(Grant.model_validate(grant) for grants in row["grants"].values() for grant in grants),
        )
        for row in await conn.fetch(ACCESS, school, list(subjects))
    }


async def list_erased(conn: Connection, school: str, subjects: Collection[UUID]) -> set[UUID]:
    """Returns which of these are children that were erased."""
    return {row["id"] for row in await conn.fetch(ERASED, school, list(subjects))}


async def list_channels(conn: Connection, school: str, members: Collection[UUID]) -> dict[UUID, tuple[Channel, ...]]:
    """Returns through what each member can be reached: mail always (network has the address), else what it verified."""
    rows = await conn.fetch(REACHABLE, school, list(members))
    own = {(row["member"], Channel(row["channel"])) for row in rows}
    return {
        member: tuple(channel for channel in Channel if channel in ALWAYS or (member, channel) in own)
        for member in members
    }


async def add_notices(
    conn: Connection, school: str, notices: Sequence[Notice], channels: Mapping[UUID, tuple[Channel, ...]]
) -> set[UUID]:
    """Adds the notices that are not there yet, each with a delivery through each of its member's channels.

    Returns the ids of those it added.
    """
    if not notices:
        return set()
    deliveries = [
        {"id": delivery_id(notice.id, channel), "notice": notice.id, "channel": channel, "urgent": notice.urgent}
        for notice in notices
        for channel in channels[notice.member]
    ]
    return {row["id"] for row in await conn.fetch(ADD_NOTICES, school, notices, deliveries)}


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come, and whose it is."""

    delivery: UUID
    member: UUID
    urgent: bool


async def list_due(
    conn: Connection, school: str, limit: int, channel: Channel = Channel.MAIL, *, urgent: bool = False
) -> list[Due]:
    """Returns deliveries to claim now: the urgent ones first (or only these), then the longest waiting."""
    rows = await conn.fetch(DUE, school, channel, urgent, limit)
    return [Due(row["id"], row["member"], row["urgent"]) for row in rows]
