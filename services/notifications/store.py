"""SQL of the reactions and of the sender. What members ask goes through the reader functions in migrations/."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from services.notifications.model import ALWAYS, DeliveryState, Notice, delivery_id
from services.notifications.times import Pace, Release
from shared.db import Connection
from shared.events.network import Grant
from shared.events.notifications import Channel
from shared.events.words import Category, Purpose

MANY = 250
"""An event is told to those of so many members at once; to more of them, page by page, afterwards."""
ACCESS = """
SELECT a.id, a.version,
       (SELECT coalesce(jsonb_object_agg(x.key, x.value), '{}')
          FROM (SELECT key, value FROM jsonb_each(a.grants) WHERE key > $3 ORDER BY key LIMIT $4) x) AS grants
  FROM access a WHERE a.school = $1 AND a.id = ANY ($2)
"""
ACCESS_OF = """
SELECT a.id, a.version, (SELECT coalesce(jsonb_object_agg(k, a.grants->k), '{}') FROM unnest($3::text[]) k WHERE a.grants ? k) AS grants
  FROM access a WHERE a.school = $1 AND a.id = ANY ($2)
"""  # noqa: E501
ERASED = "SELECT id FROM erased WHERE school = $1 AND id = ANY ($2)"
ADD_NOTICES = """
WITH added AS (
    INSERT INTO notice (school, id, version, member, about, source, thing, kind, category, purpose, state, occurred_at, queued_at,
                        urgent, told, fold, remind_at)
    SELECT $1, n.id, 1, n.member, n.about, n.source, n.thing, n.kind, n.category, n.purpose, 'unread', n.occurred_at, n.queued_at,
           n.urgent, n.told, n.fold, n.remind_at
      FROM jsonb_populate_recordset(NULL::notice, $2) n
     ORDER BY n.id
    ON CONFLICT ON CONSTRAINT notice_once DO NOTHING
    RETURNING id, member, about
), sent AS (
    INSERT INTO delivery (school, id, version, notice, channel, urgent, state, tries, doubts, next_try_at, due_at, member, about,
                          pace, period, bundle, release_at, why, hours)
    SELECT $1, d.id, 1, d.notice, d.channel, d.urgent, d.state, 0, 0, d.next_try_at, d.due_at, added.member, added.about,
           d.pace, d.period, d.bundle, d.release_at, d.why, d.hours
      FROM jsonb_populate_recordset(NULL::delivery, $3) d JOIN added ON added.id = d.notice
     ORDER BY d.id
)
SELECT id FROM added
"""  # noqa: E501  a column list is read across
FOLD = "SELECT * FROM fold_notices($1, $2, $3, $4) ORDER BY 1, 2"
CAUSES = """
INSERT INTO notice_cause (school, id, version, about, thing, kind, occurred_at, untold)
SELECT $1, c.id, 1, c.about, c.thing, c.kind, c.occurred_at, c.untold
  FROM jsonb_populate_recordset(NULL::notice_cause, $2) c
 ORDER BY c.id
ON CONFLICT (school, id) DO UPDATE SET untold = notice_cause.untold || excluded.untold
"""
ANSWERED = """
UPDATE notice n SET answered = true, remind_at = NULL, version = version + 1
  FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[]) AS a (about, thing, member, kind)
 WHERE n.school = $1 AND n.about = a.about
   AND CASE WHEN a.thing IS NULL THEN n.fold = a.kind ELSE n.thing = a.thing AND n.kind = a.kind END
   AND (a.member IS NULL OR n.member = a.member) AND NOT n.answered
"""
UNTOLD_NOW = """
SELECT d.id, d.notice, d.channel, d.tries, d.version, n.member, n.about, n.kind, n.category, n.purpose
  FROM delivery d JOIN notice n ON n.school = d.school AND n.id = d.notice
 WHERE d.school = $1 AND d.about = ANY ($2) AND d.state IN ('held', 'queued', 'deferred') ORDER BY d.id FOR UPDATE OF d
"""
CANCEL = """
UPDATE delivery SET state = 'cancelled', code = $3, version = version + 1 WHERE school = $1 AND id = ANY ($2)
"""
DUE = """
SELECT d.id, n.member, d.urgent FROM delivery d JOIN notice n ON n.school = d.school AND n.id = d.notice
 WHERE d.school = $1 AND d.channel = $2 AND d.urgent >= $3 AND d.state IN ('queued', 'deferred', 'claimed')
   AND d.next_try_at <= clock_timestamp()
   AND (d.bundle IS NULL OR NOT EXISTS (
        SELECT FROM delivery e WHERE e.school = d.school AND e.bundle = d.bundle AND e.id < d.id
                                 AND e.state IN ('queued', 'deferred', 'claimed')))
 ORDER BY d.urgent DESC, d.next_try_at LIMIT $4
"""
REACHABLE = """
SELECT DISTINCT member, channel FROM address WHERE school = $1 AND member = ANY ($2) AND state = 'verified' AND channel <> 'mail'
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Access:
    """A subject's grants as network last told them here, and how new that is. `last`: more members come after."""

    revision: int
    grants: tuple[Grant, ...]
    last: UUID | None = None


NO_ACCESS = Access(0, ())


async def get_access(
    conn: Connection, school: str, subjects: Collection[UUID], after: UUID | None = None
) -> dict[UUID, Access]:
    """Returns the projected access to each subject, of `MANY` members after `after`; nothing for an unknown subject."""
    rows = await conn.fetch(ACCESS, school, list(subjects), str(after or ""), MANY)
    return {row["id"]: _access(row) for row in rows}


async def get_access_of(
    conn: Connection, school: str, subjects: Collection[UUID], members: Collection[UUID]
) -> dict[UUID, Access]:
    """Returns the projected access of these members to each subject."""
    rows = await conn.fetch(ACCESS_OF, school, list(subjects), [str(member) for member in members])
    return {row["id"]: _access(row) for row in rows}


def _access(row: Record) -> Access:
    grants = tuple(Grant.model_validate(grant) for of_member in row["grants"].values() for grant in of_member)
    return Access(row["version"], grants, UUID(max(row["grants"])) if len(row["grants"]) >= MANY else None)


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


@dataclass(frozen=True, slots=True)
class Planned:
    """A notice's delivery through one channel: when it goes, and in which message."""

    notice: UUID
    channel: Channel
    urgent: bool
    due_at: datetime
    pace: Pace
    until: Release
    bundle: UUID | None = None
    hours: int = 0
    """The version of the school's hours that it was weighed by; 0: the foundation's."""

    def row(self) -> dict[str, object]:
        """Returns the row of table delivery."""
        held = self.until.why is not None
        return {
            "id": delivery_id(self.notice, self.channel),
            "notice": self.notice,
            "channel": self.channel,
            "urgent": self.urgent,
            "state": DeliveryState.HELD if held else DeliveryState.QUEUED,
            "next_try_at": self.due_at,
            "due_at": None if held else self.due_at,
            "pace": self.pace,
            "period": self.until.period,
            "bundle": self.bundle,
            "release_at": self.until.at if held else None,
            "why": self.until.why,
            "hours": self.hours if held else None,
        }


async def add_notices(
    conn: Connection, school: str, notices: Sequence[Notice], planned: Sequence[Planned]
) -> set[UUID]:
    """Adds the notices that are not there yet, each with its deliveries; returns the ids of those it added."""
    if not notices:
        return set()
    rows = [
        {
            "id": one.id,
            "member": one.member,
            "about": one.about,
            "source": one.source,
            "thing": one.thing,
            "kind": one.kind,
            "category": one.category,
            "purpose": one.purpose,
            "occurred_at": one.occurred_at,
            "queued_at": one.queued_at,
            "urgent": one.urgent,
            "told": one.told,
            "fold": one.fold,
            "remind_at": one.remind_at,
        }
        for one in notices
    ]
    return {row["id"] for row in await conn.fetch(ADD_NOTICES, school, rows, [one.row() for one in planned])}


@dataclass(frozen=True, slots=True)
class Stopped:
    """A delivery that does not leave any more."""

    notice: UUID
    member: UUID
    about: UUID
    kind: str
    channel: Channel
    tries: int


async def fold_notices(conn: Connection, school: str, newest: Sequence[Notice]) -> list[Stopped]:
    """Folds what is older and unread into these, each the newest of its member and fold; returns what is stopped."""
    if not newest:
        return []
    columns = [one.id for one in newest], [one.member for one in newest], [one.fold for one in newest]
    return [
        Stopped(row["notice"], row["member"], row["about"], row["kind"], Channel(row["channel"]), row["tries"])
        for row in await conn.fetch(FOLD, school, *columns)
    ]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that has not left, with what its recipient must be allowed."""

    id: UUID
    stopped: Stopped
    category: Category
    purpose: Purpose


async def list_waiting(conn: Connection, school: str, subjects: Collection[UUID]) -> list[Waiting]:
    """Returns, locked, the deliveries about these subjects that have not left and are not under way."""
    return [
        Waiting(
            row["id"],
            Stopped(row["notice"], row["member"], row["about"], row["kind"], Channel(row["channel"]), row["tries"]),
            Category(row["category"]),
            Purpose(row["purpose"]),
        )
        for row in await conn.fetch(UNTOLD_NOW, school, list(subjects))
    ]


async def cancel(conn: Connection, school: str, deliveries: Sequence[UUID], code: str) -> None:
    """Cancels these deliveries."""
    await conn.execute(CANCEL, school, deliveries, code)


async def add_causes(conn: Connection, school: str, causes: Sequence[Mapping[str, object]]) -> None:
    """Notes whom events were not told to."""
    if causes:
        await conn.execute(CAUSES, school, causes)


async def answer_notices(
    conn: Connection, school: str, answered: Sequence[tuple[UUID, UUID | None, UUID | None, str]]
) -> None:
    """Notes what was dealt with: (subject, thing, member or everyone's, kind); without a thing, the name of a fold."""
    if answered:
        await conn.execute(ANSWERED, school, *(list(column) for column in zip(*answered, strict=True)))


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
