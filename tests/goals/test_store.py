from __future__ import annotations

import json
from uuid import UUID

import asyncpg
import pytest

from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.words import Action, Category, Role
from tests.goals.plans import Table
from tests.goals.support import Desk, grant, proposal
from tests.support.fixtures import DatabaseFactory

MANY = """
WITH copied AS (
    INSERT INTO goal SELECT n.*
      FROM (SELECT gen_random_uuid() AS id, gen_random_uuid() AS about FROM generate_series(1, 6000)) new,
           (SELECT g AS whole FROM goal g LIMIT 1) one,
           jsonb_populate_record(one.whole, jsonb_build_object('id', new.id, 'about', new.about)) n
    RETURNING school, id)
INSERT INTO score SELECT n.* FROM copied, (SELECT s AS whole FROM score s LIMIT 1) one,
       jsonb_populate_record(one.whole, jsonb_build_object('id', copied.id, 'goal', copied.id)) n
"""


async def problem_of(desk: Desk, name: str, who: Actor, **body: object) -> Problem:
    with pytest.raises(Problem) as refused:
        await desk.ask(name, who, **body)
    return refused.value


async def test_a_goal_goes_from_proposal_to_completion_and_every_step_is_told(desk: Desk) -> None:
    goal = await desk.goal()
    await desk.ask("hold-goal", desk.teacher, goal=goal, version=3, reason="moving house")
    await desk.ask("resume-goal", desk.teacher, goal=goal, version=4)
    await desk.ask("assess-goal", desk.mother, goal=goal, version=5, achievement="improving")
    done = await desk.ask("complete-goal", desk.teacher, goal=goal, version=6, achievement="achieved", reason="yes!")
    assert done == {"goal": str(goal), "version": 7, "status": "completed"}
    found = await desk.ask("goal", desk.mother, goal=goal)
    assert found["goal"]["achievement"] == "achieved"
    assert [(step["goal_version"], step["status"], step["reason"]) for step in found["steps"]] == [
        (2, "accepted", None),
        (3, "active", None),
        (4, "on_hold", "moving house"),
        (5, "active", None),
        (6, "active", None),
        (7, "completed", "yes!"),
    ]
    assert await desk.names() == [
        "goal.proposed",
        "goal.accepted",
        "goal.activated",
        "goal.held",
        "goal.resumed",
        "achievement.recorded",
        "goal.completed",
        "access.viewed",
        "access.viewed",
    ]


async def test_a_page_shows_latest_levels_divergence_and_t(desk: Desk) -> None:
    coat, table, quiet = await desk.goal(weight=3), await desk.goal(weight=1), await desk.goal(weight=1)
    await desk.score(coat, desk.mother, -1)
    await desk.score(coat, desk.teacher, 1)
    await desk.score(coat, desk.teacher, 0, day="2026-02-01")
    await desk.score(table, desk.mother, 2)
    page = await desk.ask("goals-of-child", desk.teacher, about=desk.child)
    assert [UUID(goal["id"]) for goal in page["goals"]] == [quiet, table, coat]
    last = page["goals"][2]
    assert {setting: mark["level"] for setting, mark in last["latest"].items()} == {"home": -1, "school": 1}
    assert last["diverging"] == [{"lower": "home", "lower_level": -1, "higher": "school", "higher_level": 1}]
    t = page["t_score"]
    assert t["settings"]["home"] == {"value": 47.0889, "scored": 2, "missing": [str(quiet)]}
    assert t["settings"]["school"] == {
        "value": 60.0,
        "scored": 1,
        "missing": [str(table), str(quiet)],
    }
    assert t["together"]["missing"] == [str(quiet)]
    assert t["change"] == pytest.approx(t["together"]["value"] - t["baseline"]["value"], abs=1e-3)
    assert [event["data"]["fact"] for event in await desk.told()][-2:] == [
        {"query": "goals-of-child", "things": 3},
        {"query": "goals-of-child", "things": 3},
    ]
    assert [event["data"]["act"]["category"] for event in await desk.told()][-2:] == ["goals", "observations"]


async def test_weights_of_zero_are_said_and_do_not_break_the_page(desk: Desk) -> None:
    await desk.score(await desk.goal(weight=0), desk.mother, 1)
    page = await desk.ask("goals-of-child", desk.teacher, about=desk.child)
    assert page["t_score"]["together"] == {"value": None, "scored": 1, "missing": [], "problem": "no_weight"}


async def test_who_sees_goals_only_gets_no_scores(desk: Desk) -> None:
    goal = await desk.goal()
    await desk.score(goal, desk.mother, -1, note="secret-note")
    page = await desk.ask("goals-of-child", desk.viewer, about=desk.child)
    one = await desk.ask("goal", desk.viewer, goal=goal)
    for answer in (page, one):
        assert answer["scores_shown"] is False
        assert not {"latest", "diverging", "t_score", "scores", "secret-note"} & _words(answer)
    viewed = [event["data"]["act"]["category"] for event in (await desk.told())[-2:]]
    assert viewed == ["goals", "goals"]


def _words(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_words, value.values()))
    if isinstance(value, list):
        return set[str]().union(*map(_words, value))
    return {str(value)}


async def test_pages_follow_each_other_without_gap_or_repeat(desk: Desk) -> None:
    made = [await desk.goal("proposed") for _ in range(45)]
    seen: list[str] = []
    after: str | None = None
    for size in (20, 20, 5):
        page = await desk.ask("goals-of-child", desk.mother, about=desk.child, after=after)
        assert len(page["goals"]) == size
        seen += [goal["id"] for goal in page["goals"]]
        after = page["next"]
    assert after is None
    assert seen == [str(goal) for goal in reversed(made)]


async def test_statuses_choose_and_errors_show_only_when_asked_for(desk: Desk) -> None:
    kept, wrong = await desk.goal("proposed"), await desk.goal("proposed")
    await desk.ask("mark-goal-in-error", desk.teacher, goal=wrong, version=1, reason="other child")

    async def ids(*statuses: str) -> list[UUID]:
        page = await desk.ask("goals-of-child", desk.mother, about=desk.child, statuses=statuses)
        return [UUID(goal["id"]) for goal in page["goals"]]

    assert await ids() == [kept]
    assert await ids("entered_in_error") == [wrong]
    assert await ids("active", "on_hold") == []


async def test_a_corrected_score_stays_readable_and_counts_no_more(desk: Desk) -> None:
    goal = await desk.goal()
    await desk.score(goal, desk.mother, 1, day="2026-02-01")
    wrong = await desk.score(goal, desk.mother, -2, day="2026-03-01")
    await desk.ask("correct-score", desk.mother, score=wrong, version=1, reason="that was another goal")
    found = await desk.ask("goal", desk.teacher, goal=goal)
    assert found["latest"]["home"]["level"] == 1
    old, marked = found["scores"]
    assert (old["in_error_at"], marked["level"], marked["in_error_reason"]) == (None, -2, "that was another goal")
    again = await problem_of(desk, "correct-score", desk.mother, score=wrong, version=2, reason="again")
    assert again.type is ProblemType.CONFLICT


async def test_a_score_put_in_the_place_of_a_wrong_one_names_it(desk: Desk) -> None:
    goal = await desk.goal()
    await desk.score(goal, desk.teacher, 0)
    wrong = await desk.score(goal, desk.mother, 1)
    made = await desk.ask("correct-score", desk.mother, score=wrong, version=1, reason="typing", level=-2)
    found = await desk.ask("goal", desk.teacher, goal=goal)
    assert found["latest"]["home"]["score"] == made["scores"][0]
    assert [score["replaces"] for score in found["scores"] if score["id"] == made["scores"][0]] == [str(wrong)]
    assert (await desk.names())[-6:] == [
        "score.corrected",
        "score.recorded",
        "divergence.seen",
        "conversation.suggested",
        "access.viewed",
        "access.viewed",
    ]


async def test_another_ones_score_is_corrected_by_who_may_decide_only(desk: Desk) -> None:
    goal = await desk.goal()
    score = await desk.score(goal, desk.mother, 1)
    refused = await problem_of(desk, "correct-score", desk.carer, score=score, version=1, reason="no")
    assert refused.type is ProblemType.FORBIDDEN
    refused = await problem_of(desk, "correct-score", desk.teacher, score=score, version=1, reason="no", level=0)
    assert refused.more["settings"] == ["school"]
    await desk.ask("correct-score", desk.teacher, score=score, version=1, reason="of another child")
    found = await desk.ask("goal", desk.mother, goal=goal)
    assert found["latest"] == {}


async def test_a_batch_is_taken_whole(desk: Desk) -> None:
    first, second = await desk.goal(), await desk.goal()
    scores = [
        {"goal": first, "level": 1, "observed_on": "2026-03-01"},
        {"goal": second, "level": -1, "observed_on": "2026-03-01", "note": "with help"},
        {"goal": first, "level": 2, "observed_on": "2026-02-01"},
    ]
    made = await desk.ask("score-goals", desk.teacher, about=desk.child, setting="school", scores=scores)
    assert len(made["scores"]) == 3
    assert (await desk.names())[-3:] == ["score.recorded"] * 3
    rows = await desk.rows("SELECT latest->'school'->>'level' AS level FROM progress ORDER BY id")
    assert rows == [{"level": "1"}, {"level": "-1"}]


async def test_a_batch_with_a_wrong_score_writes_nothing_and_says_which(desk: Desk) -> None:
    good, idle = await desk.goal(), await desk.goal("accepted")
    foreign = await desk.goal(about=desk.other_child)
    before = len(await desk.names())
    places = [good, idle, foreign, UUID(int=5)]
    scores = [{"goal": goal, "level": 1, "observed_on": "2026-03-01"} for goal in places]
    refused = await problem_of(desk, "score-goals", desk.teacher, about=desk.child, setting="school", scores=scores)
    troubles = refused.more["troubles"]
    assert [(trouble["place"], trouble["type"]) for trouble in troubles] == [
        (1, "conflict"),
        (2, "invalid"),
        (3, "invalid"),
    ]
    assert troubles[1]["detail"] == troubles[2]["detail"]
    assert len(await desk.names()) == before
    assert await desk.rows("SELECT id FROM score") == []


async def test_responsible_members_must_be_in_the_network(desk: Desk) -> None:
    body = proposal(desk.child, desk.stranger.id)
    refused = await problem_of(desk, "propose-goal", desk.mother, **body)
    assert refused.more == {"field": "responsible", "members": [str(desk.stranger.id)]}


async def test_a_retry_gets_the_same_answer_and_makes_one_goal(desk: Desk) -> None:
    body = proposal(desk.child, desk.mother.id)
    first = await desk.ask("propose-goal", desk.mother, "key-1", **body)
    assert await desk.ask("propose-goal", desk.mother, "key-1", **body) == first
    assert await desk.names() == ["goal.proposed"]
    moved = await desk.ask("accept-goal", desk.teacher, "key-2", goal=first["goal"], version=1)
    assert await desk.ask("accept-goal", desk.teacher, "key-2", goal=first["goal"], version=1) == moved


async def fill(owner_dsn: str, school: str) -> None:
    """Copies the first goal and score to thousands of children, as the owner: a login's transactions end after 2 s."""
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(f"SET app.school = '{school}'")
    await owner.execute(MANY)
    await owner.execute("ANALYZE goal, score")
    await owner.close()


async def test_a_page_reads_no_more_when_the_school_is_large(desk: Desk, database: DatabaseFactory) -> None:
    goal = await desk.goal()
    await desk.score(goal, desk.mother, 1)
    await desk.goal(about=desk.other_child)
    await fill((await database("goals")).owner_dsn, desk.school)
    readers: dict[str, dict[str, object]] = {
        "read_goals": {"about": desk.child, "statuses": []},
        "read_goal": {"goal": goal},
        "read_child_page": {"about": desk.child},
    }
    for reader, args in readers.items():
        async with desk.db.school(desk.school) as conn:
            asked = {**args, "school": desk.school}
            await conn.fetchval(f"SELECT {reader}($1)", asked)  # plans and catalogue are read once a session
            plan = await conn.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT {reader}($1)", asked)
        (top,) = json.loads(plan)
        blocks = top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"]
        assert 0 < blocks < 60, reader


async def test_a_school_works_on_its_own_approach_with_the_same_goals(desk: Desk) -> None:
    await desk.give(desk.other_child, grant(desk.mother.id, Role.EXPERT_TEAM, (Action.PROPOSE,), (Category.GOALS,)))
    made = await desk.ask(
        "propose-goal", desk.mother, **proposal(desk.other_child, desk.mother.id, domain="partnership")
    )
    assert made["status"] == "proposed"


async def test_a_childs_page_is_its_goals_scores_and_plan_in_one_look(desk: Desk) -> None:
    table = await Table(desk).sit()
    goal = await table.goal()
    wrong = await desk.score(goal, table.teacher, 2)
    await table.ask(table.teacher, "correct-score", score=wrong, version=1, reason="slip")
    await desk.score(goal, table.mum, 0)
    plan = await table.draft(goals=(goal,))
    found = await table.ask(table.mum, "child-page", about=table.child)
    assert [one["id"] for one in found["goals"]] == [str(goal)]
    drawn = [{"setting": "home", "level": 0, "observed_on": "2026-03-01"}]
    assert found["scores"] == [{"goal": str(goal), "scores": drawn}]
    assert (found["plan"]["id"], found["text"]["number"]) == (plan["plan"], 1)
    same = await table.ask(table.mum, "goals-of-child", about=table.child)
    assert {name: found[name] for name in same} == same
    looks = [one["data"] for one in await desk.told() if one["data"]["fact"].get("query") == "child-page"]
    assert [(one["act"]["category"], one["fact"]["things"]) for one in looks] == [
        ("goals", 1),
        ("observations", 1),
        ("plan", 1),
    ]
    theirs = await table.ask(table.stepdad, "child-page", about=table.child)
    assert (theirs["scores"], theirs["scores_shown"], theirs["plan"]["id"]) == ([], False, plan["plan"])
    await desk.give(table.child, grant(table.stepdad.id, Role.SUPPORT_COMMITTEE, (Action.VIEW,), (Category.GOALS,)))
    theirs = await table.ask(table.stepdad, "child-page", about=table.child)
    assert (theirs["plan"], theirs["text"], theirs["plan_shown"]) == (None, None, False)
    empty = await table.ask(desk.mother, "child-page", about=desk.other_child)
    assert (empty["goals"], empty["scores"], empty["plan_shown"]) == ([], [], False)
