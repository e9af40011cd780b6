"""SQL of what a school and its people have set, and of the days off: what reactions and releases go by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

from services.notifications.preferences import Preferences, read_preferences
from services.notifications.rule import Adjusted, read_adjusted
from services.notifications.times import DaysOff, Usual, read_days_off, read_usual
from shared.db import Connection

RULES = "SELECT DISTINCT ON (kind) kind, number, settings FROM notice_rule WHERE school = $1 ORDER BY kind, number DESC"
WANTS = "SELECT id, settings FROM preference WHERE school = $1 AND id = ANY ($2)"
HOURS = "SELECT number, settings FROM school_hours WHERE school = $1 ORDER BY number DESC LIMIT 1"
OFF = "SELECT years FROM days_off WHERE school = $1"
NOW = "SELECT clock_timestamp() + shift FROM time_shift"
SET_OFF = """
INSERT INTO days_off AS o (school, id, version, years) VALUES ($1, $2, 1, jsonb_build_object($3::text, $4::jsonb))
ON CONFLICT (school, id) DO UPDATE SET version = o.version + 1, years = o.years || excluded.years
"""


async def get_rules(conn: Connection, school: str) -> dict[str, Adjusted]:
    """Returns how the school has adjusted rules, by kind."""
    return {row["kind"]: read_adjusted(row["number"], row["settings"]) for row in await conn.fetch(RULES, school)}


async def get_wants(conn: Connection, school: str, members: Collection[UUID]) -> dict[UUID, Preferences]:
    """Returns the preferences of those members who have any."""
    return {row["id"]: read_preferences(row["settings"]) for row in await conn.fetch(WANTS, school, list(members))}


async def get_usual(conn: Connection, school: str) -> Usual:
    """Returns what holds in the school for who has set nothing."""
    row = await conn.fetchrow(HOURS, school)
    return read_usual(None if row is None else dict(row))


async def get_days_off(conn: Connection, school: str) -> DaysOff:
    """Returns the days on which nobody is at school."""
    return read_days_off(await conn.fetchval(OFF, school))


async def set_days_off(conn: Connection, school: str, subject: UUID, year: int, days: Sequence[Sequence[date]]) -> None:
    """Keeps the days off of a school year, whole."""
    await conn.execute(SET_OFF, school, subject, str(year), days)


async def domain_now(conn: Connection) -> datetime:
    """Returns the present moment of domain time."""
    now: datetime = await conn.fetchval(NOW)
    return now
