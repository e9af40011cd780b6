"""A stored reply knows the one child that it is about: erasing a child does not read every reply of the school."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from shared.access import Permit
from shared.db import Database
from shared.events.base import Act, NewEvent, Viewed
from shared.events.words import Action, ActorKind, Category, Purpose
from shared.unit import Change
from shared.unit_parts import Entry, Key, commit_parts
from tests.support.fixtures import DatabaseFactory

CHILD, OTHER, SCHOOL = uuid4(), uuid4(), uuid4()
ACT = Act(
    actor=uuid4(),
    kind=ActorKind.PERSON,
    door="test",
    purpose=Purpose.GUIDANCE,
    action=Action.VIEW,
    category=Category.GOALS,
)
FILL = """
INSERT INTO idempotency (school, actor, key, hash, reply, permits, about)
SELECT $1, gen_random_uuid(), n::text, '', jsonb_build_object('goal', gen_random_uuid()), '[]',
       CASE WHEN n % 10 > 0 THEN gen_random_uuid() END FROM generate_series(1, 2000) n
"""


def about(permitted: list[UUID], told: list[UUID]) -> object:
    permits = tuple(Permit(ACT, one, 1, datetime.now(UTC), None) for one in permitted)
    events = tuple(NewEvent(Viewed(query="x", things=1), one, ACT) for one in told)
    entry = Entry(ACT.actor, Change(permits=permits, events=events), Key("k", "h"), [], 0.0)
    return cast("Any", commit_parts([entry], SCHOOL)[2])[0]["about"]


@pytest.mark.parametrize(
    ("permitted", "told", "expected"),
    [
        ([CHILD], [CHILD], CHILD),
        ([CHILD], [], CHILD),
        ([CHILD, OTHER], [CHILD], None),
        ([CHILD], [CHILD, OTHER], None),
        ([SCHOOL, CHILD], [CHILD], None),
        ([SCHOOL], [SCHOOL], None),
        ([], [], None),
    ],
)
def test_a_reply_is_about_a_child_only_if_nothing_in_it_is_about_another(
    permitted: list[UUID], told: list[UUID], expected: UUID | None
) -> None:
    assert about(permitted, told) == expected


async def test_erasing_looks_up_stored_replies_by_index(database: DatabaseFactory, school: str) -> None:
    made = await database("goals")
    db = await Database.connect(made.dsn, 1)
    async with db.school(school) as conn:
        await conn.execute(FILL, school)
        await conn.execute("SET LOCAL enable_seqscan = off")
        conditions = await conn.fetch("SELECT condition FROM erasable WHERE name = 'idempotency'")
        plans = []
        for row in conditions:
            sql = f"EXPLAIN SELECT t.ctid FROM idempotency t WHERE t.school = $1 AND ({row['condition']})"
            plans.append("\n".join(line[0] for line in await conn.fetch(sql, school, CHILD)))
    await db.close()
    assert len(plans) == 2
    for plan in plans:
        assert "Seq Scan" not in plan, plan
        assert "(about IS NULL)" in plan, plan
        assert "Index" in plan.partition("strpos")[0], plan
