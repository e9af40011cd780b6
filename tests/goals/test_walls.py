"""What one may not see looks like what does not exist, and words stay where they were written."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from deploy.databases import Roles
from shared.db import Database
from shared.errors import Problem
from shared.events.words import Role
from tests.goals.support import Desk, grant, person, proposal
from tests.support.fixtures import DatabaseFactory

CANARY = "canary-Zwaluw-4711"


async def refusal(desk: Desk, name: str, **body: object) -> dict[str, Any]:
    with pytest.raises(Problem) as refused:
        await desk.ask(name, desk.stranger, **body)
    return refused.value.to_json()


def questions(child: UUID, goal: UUID, score: UUID, member: UUID) -> dict[str, dict[str, object]]:
    step = {"goal": goal, "version": 3}
    seen = {"goal": goal, "level": 1, "observed_on": "2026-03-01"}
    return {
        "propose-goal": proposal(child, member),
        "accept-goal": step,
        "reject-goal": {**step, "reason": "x"},
        "activate-goal": step,
        "hold-goal": {**step, "reason": "x"},
        "resume-goal": step,
        "complete-goal": {**step, "achievement": "achieved"},
        "cancel-goal": {**step, "reason": "x"},
        "mark-goal-in-error": {**step, "reason": "x"},
        "assess-goal": {**step, "achievement": "achieved"},
        "score-goal": {**seen, "setting": "school"},
        "score-goals": {"about": child, "setting": "school", "scores": [seen]},
        "correct-score": {"score": score, "version": 1, "reason": "x"},
        "goals-of-child": {"about": child},
        "goal": {"goal": goal},
    }


async def test_everything_forbidden_looks_like_what_does_not_exist_and_is_journaled(desk: Desk) -> None:
    goal = await desk.goal()
    score = await desk.score(goal, desk.mother, 1)
    real = questions(desk.child, goal, score, desk.mother.id)
    nowhere = questions(uuid4(), uuid4(), uuid4(), desk.mother.id)
    before = len(await desk.names())
    for name, body in real.items():
        answer = await refusal(desk, name, **body)
        assert answer == await refusal(desk, name, **nowhere[name])
        assert answer["type"] == "forbidden"
    told = (await desk.told())[before:]
    assert [event["data"]["fact"]["what"] for event in told] == [name for name in real for _ in range(2)]
    assert {event["data"]["act"]["outcome"] for event in told} == {"denied"}


async def test_another_schools_goal_does_not_exist_even_for_who_works_in_both(desk: Desk, goals_db: Database) -> None:
    goal = await desk.goal()
    score = await desk.score(goal, desk.mother, 1)
    elsewhere = Desk(goals_db, f"x{desk.school[1:]}")
    elsewhere.teacher = person(11, elsewhere.school)
    await elsewhere.give(uuid4(), grant(elsewhere.teacher.id, Role.TEACHER))
    for name, body in questions(desk.child, goal, score, elsewhere.teacher.id).items():
        with pytest.raises(Problem, match="forbidden"):
            await elsewhere.ask(name, elsewhere.teacher, **body)
    assert await elsewhere.rows("SELECT id FROM goal UNION ALL SELECT id FROM score") == []
    assert len(await desk.rows("SELECT id FROM goal UNION ALL SELECT id FROM score")) == 2
    assert len(await elsewhere.told()) == 15


async def test_a_grant_that_ends_now_permits_nothing_more(desk: Desk) -> None:
    goal = await desk.goal("proposed")
    await desk.give(desk.child, grant(desk.mother.id, Role.GUARDIAN))
    with pytest.raises(Problem, match="forbidden"):
        await desk.ask("accept-goal", desk.teacher, goal=goal, version=1)
    assert await desk.ask("accept-goal", desk.mother, goal=goal, version=1)


async def test_no_written_word_leaves_in_events_or_stored_replies(desk: Desk) -> None:
    ladder = [f"{CANARY} {level}" for level in range(5)]
    goal = await desk.goal(statement=CANARY, wording=CANARY, ladder=ladder)
    score = await desk.score(goal, desk.mother, 1, note=CANARY, key="k1")
    await desk.ask("correct-score", desk.mother, "k2", score=score, version=1, reason=CANARY, level=0, note=CANARY)
    await desk.ask("hold-goal", desk.teacher, "k3", goal=goal, version=3, reason=CANARY)
    await desk.ask("cancel-goal", desk.teacher, "k4", goal=goal, version=4, reason=CANARY)
    shown = await desk.ask("goal", desk.mother, goal=goal)
    assert json.dumps(shown).count(CANARY) == 12
    replies = await desk.rows("SELECT reply FROM idempotency")
    assert len(replies) == 4
    for leaf in (await desk.told(), replies):
        assert CANARY not in json.dumps(leaf)


async def test_a_look_that_cannot_be_journaled_shows_nothing(desk: Desk, database: DatabaseFactory) -> None:
    goal = await desk.goal()
    assert await desk.ask("goal", desk.mother, goal=goal)
    owner = await asyncpg.connect((await database("goals")).owner_dsn)
    await owner.execute(f"REVOKE INSERT ON journal FROM {Roles.of('goals').login}")
    for name, body in (("goal", {"goal": goal}), ("goals-of-child", {"about": desk.child})):
        with pytest.raises(Problem):
            await desk.ask(name, desk.mother, **body)
    await owner.execute(f"GRANT INSERT ON journal TO {Roles.of('goals').login}")
    await owner.close()
    assert await desk.ask("goal", desk.mother, goal=goal)
