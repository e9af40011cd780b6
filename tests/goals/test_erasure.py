"""A child erased from goals: its rows go in the transaction of the event, and nothing brings them back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.goals.reactions import LANES
from shared.actor import service_id
from shared.errors import Problem
from shared.events.base import GENESIS, Act, Event, Fact, NewEvent, stamp
from shared.events.erasure import ChildErased
from shared.events.network import AccessChanged, Grant
from shared.events.words import Action, ActorKind, Category, Purpose, Role
from tests.goals.plans import Table
from tests.goals.support import NOW, Desk, grant, proposal

ERASURE = UUID(int=9)
ADMIN = UUID(int=10, version=4)


def told(desk: Desk, about: UUID, fact: Fact) -> Event:
    act = Act(
        actor=service_id("network"),
        kind=ActorKind.SERVICE,
        door="network",
        on_behalf_of=ADMIN,
        purpose=Purpose.ADMINISTRATION,
        action=Action.MANAGE,
        category=Category.NETWORK,
    )
    body = NewEvent(fact, about, act, producer="network").body(desk.school, desk.ids.time_ordered(NOW), NOW)
    numbers = f',"epoch":1,"seq":1,"prevhash":"{GENESIS}","recordedat":"{stamp(NOW)}"}}'
    return Event.parse((body[:-1] + numbers).encode())


def gone(desk: Desk, child: UUID) -> list[Event]:
    """What network tells of an erased child, as the last two events about it."""
    return [
        told(desk, child, AccessChanged(revision=9, grants=())),
        told(desk, child, ChildErased(erasure=ERASURE, rows={"person": 1}, things=1)),
    ]


async def apply(desk: Desk, *events: Event) -> list[NewEvent]:
    (lane,) = LANES
    async with desk.db.school(desk.school) as conn:
        return list(await lane.react(conn, events))


async def counts(desk: Desk, child: UUID) -> dict[str, int]:
    (row,) = await desk.rows("SELECT erasable_counts('child', $1, $2) AS n", desk.school, child)
    return dict(row["n"])


async def worked_on(desk: Desk, child: UUID) -> UUID:
    """A goal with steps and scores, one of them corrected, and a stored reply that names the goal alone."""
    goal = await desk.goal(about=child)
    wrong = await desk.score(goal, desk.teacher, 1, key=f"k{child}")
    await desk.score(goal, desk.mother, -1, note="she likes it")
    await desk.ask("correct-score", desk.teacher, score=wrong, version=1, reason="slip", level=0)
    return goal


async def test_a_childs_goals_steps_scores_and_stored_replies_go_and_anothers_stay(desk: Desk) -> None:
    await worked_on(desk, desk.child)
    await worked_on(desk, desk.other_child)
    before, other = await counts(desk, desk.child), await counts(desk, desk.other_child)
    assert set(before) == {"goal", "goal_step", "progress", "score", "talk_suggestion", "idempotency"}
    (confirmed,) = await apply(desk, *gone(desk, desk.child))
    assert await counts(desk, desk.child) == {}
    assert await counts(desk, desk.other_child) == other
    fact = confirmed.fact
    assert isinstance(fact, ChildErased)
    assert fact.rows == before
    assert (fact.erasure, confirmed.about, confirmed.producer) == (ERASURE, desk.child, "goals")
    assert (confirmed.act.actor, confirmed.act.on_behalf_of) == (service_id("goals"), ADMIN)


async def test_a_childs_conversations_go_with_all_that_was_said_in_them_by_index(desk: Desk) -> None:
    table = await Table(desk).sit()
    start = datetime.now(UTC) + timedelta(hours=1)
    times = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=1)).isoformat()}
    body = {"about": desk.child, "why": "reading", "invited": [table.mum.id], "points": ["sleep"], **times}
    made = await desk.ask("plan-conversation", desk.teacher, **body)
    await desk.ask("answer-invitation", table.mum, conversation=made["conversation"], answer="accepted")
    said = """
    INSERT INTO conversation_heard SELECT $1, gen_random_uuid(), 1, about, id, invited_by, 'teacher', 'yes', NULL, now()
      FROM conversation
    """
    async with desk.db.school(desk.school) as conn:
        await conn.execute(said, desk.school)
    tables = ("conversation", "conversation_point", "conversation_reply", "conversation_heard")
    assert await counts(desk, desk.child) == dict.fromkeys(tables, 1)
    (confirmed,) = await apply(desk, *gone(desk, desk.child))
    assert isinstance(confirmed.fact, ChildErased)
    assert confirmed.fact.rows == dict.fromkeys(tables, 1)
    assert await counts(desk, desk.child) == {}
    found = await desk.rows("SELECT tablename, indexdef FROM pg_indexes WHERE tablename LIKE 'conversation%'")
    by = {(one["tablename"], column) for one in found for column in COLUMNS if f"(school, {column}" in one["indexdef"]}
    assert by >= {(one, "about") for one in (*tables, "conversation_outcome")}
    assert by >= {("conversation", "plan"), ("conversation", "goal")}


COLUMNS = ("about", "plan", "goal")


async def test_the_same_event_again_finds_nothing_and_confirms_once_more(desk: Desk) -> None:
    await worked_on(desk, desk.child)
    await apply(desk, *gone(desk, desk.child))
    (again,) = await apply(desk, *gone(desk, desk.child))
    assert isinstance(again.fact, ChildErased)
    assert again.fact.things == 0


async def test_grants_that_an_old_event_brings_back_count_for_nothing(desk: Desk) -> None:
    await apply(desk, *gone(desk, desk.child))
    back: tuple[Grant, ...] = (grant(desk.mother.id, Role.GUARDIAN),)
    await apply(desk, told(desk, desk.child, AccessChanged(revision=10, grants=back)))
    with pytest.raises(Problem, match="forbidden"):
        await desk.ask("propose-goal", desk.mother, **proposal(desk.child, desk.mother.id))
    with pytest.raises(Problem, match="forbidden"):
        await desk.ask("goals-of-child", desk.mother, about=desk.child)


async def test_a_change_that_was_decided_before_cannot_be_committed_after(desk: Desk) -> None:
    """The mark alone refuses it: here the grants are left as they were."""
    goal = await desk.goal("proposed")
    async with desk.db.school(desk.school) as conn:
        await conn.execute("INSERT INTO erased VALUES ($1, $2, 1, clock_timestamp())", desk.school, desk.child)
    with pytest.raises(Problem, match="forbidden"):
        await desk.ask("accept-goal", desk.teacher, goal=goal, version=1)


async def test_twenty_thousand_scores_go_within_a_transaction(desk: Desk) -> None:
    goal = await desk.goal()
    many = """
    INSERT INTO score (school, id, version, goal, setting, level, observed_on, scored_by, role, recorded_at)
    SELECT $1, gen_random_uuid(), 1, $2, 'home', 0, '2026-01-01', $3, 'guardian', clock_timestamp()
      FROM generate_series(1, 5000)
    """
    for _ in range(4):
        async with desk.db.school(desk.school) as conn:
            await conn.execute(many, desk.school, goal, desk.mother.id)
    (confirmed,) = await apply(desk, *gone(desk, desk.child))
    assert isinstance(confirmed.fact, ChildErased)
    assert confirmed.fact.rows["score"] == 20_000
