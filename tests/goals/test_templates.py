"""Goals start from templates in versions and keep their own words; a goal's history says what changed and why."""

from __future__ import annotations

from uuid import UUID

import pytest

from shared.actor import Actor
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind
from tests.goals.plans import Json, Table
from tests.goals.support import LADDER, Desk, proposal
from tests.goals.test_commands import ANSWERS, MOVES

TEXT: Json = {
    "domain": "self_reliance",
    "title": "Jas aantrekken",
    "wording": "Trekt zelf de jas aan",
    "ladder": ["nooit", "soms", "met hulp", "op verzoek", "uit zichzelf"],
}


@pytest.fixture
async def table(desk: Desk) -> Table:
    return await Table(desk).sit()


async def published(table: Table, **more: object) -> Json:
    return await table.ask(table.lead, "publish-template", about=table.school, **{**TEXT, **more})


async def offered(table: Table, who: Actor | None = None, **more: object) -> list[Json]:
    asked = {"about": table.child, **more}
    found: list[Json] = (await table.ask(who or table.mum, "goal-templates", **asked))["templates"]
    return found


async def history(table: Table, goal: str) -> Json:
    return await table.ask(table.mum, "goal-history", goal=goal)


async def test_a_goal_keeps_the_words_it_started_with_when_its_template_moves_on(table: Table) -> None:
    made = await published(table)
    (one,) = await offered(table)
    start = {"template": made["template"], "number": 1}
    words = {"wording": one["wording"], "ladder": one["ladder"], "starts_from": start}
    goal = await table.ask(table.mum, "propose-goal", **proposal(table.child, table.mum.id, **words))
    newer = {"template": made["template"], "number": 1, "wording": "Doet de jas aan en dicht"}
    assert (await published(table, **newer))["number"] == 2
    (now,) = await offered(table)
    assert (now["number"], now["wording"]) == (2, "Doet de jas aan en dicht")
    kept = (await table.ask(table.mum, "goal", goal=goal["goal"]))["goal"]
    assert (kept["wording"], kept["ladder"]) == (TEXT["wording"], TEXT["ladder"])
    assert (kept["template"], kept["template_number"]) == (made["template"], 1)
    versions = await table.ask(table.mum, "goal-template", about=table.child, template=made["template"])
    assert [version["number"] for version in versions["versions"]] == [1, 2]
    told = [event for event in await table.desk.told() if "goal.proposed" in event["type"]]
    assert told[-1]["data"]["fact"]["template_number"] == 1
    assert "jas" not in str(told).lower()


async def test_what_is_retired_is_offered_no_more_and_another_domain_is_left_out(table: Table) -> None:
    made = await published(table)
    await published(table, domain="motor", title="Fietsen")
    assert len(await offered(table)) == 2
    assert [one["title"] for one in await offered(table, domain="motor")] == ["Fietsen"]
    await published(table, template=made["template"], number=1, state="retired")
    assert [one["title"] for one in await offered(table)] == ["Fietsen"]


async def test_the_foundations_are_published_by_an_operator_alone(table: Table) -> None:
    ours = UUID(int=77)
    body = {"about": table.school, "template": ours, "owner": "foundation", **TEXT}
    for who in (table.lead, table.mum):
        assert (await table.refused(who, "publish-template", **body)).type is ProblemType.FORBIDDEN
    operator = Actor(UUID(int=99), ActorKind.OPERATOR, table.desk.school, "samen", operator="o")
    await table.ask(operator, "publish-template", **body)
    assert [one["owner"] for one in await offered(table)] == ["foundation"]
    taken = await table.refused(table.lead, "publish-template", **{**body, "owner": "school", "number": 1})
    assert (taken.type, taken.more["owner"]) == (ProblemType.CONFLICT, "foundation")
    act = next(e["data"]["act"] for e in await table.desk.told() if "template.published" in e["type"])
    assert (act["kind"], act["basis"], act.get("grant")) == ("operator", "public_task", None)


async def test_templates_are_the_schools_and_only_who_decides_there_publishes(table: Table) -> None:
    body = {"about": table.school, **TEXT}
    assert (await table.refused(table.teacher, "publish-template", **body)).type is ProblemType.FORBIDDEN
    elsewhere = await table.refused(table.teacher, "publish-template", **{**body, "about": table.child})
    assert (elsewhere.type, elsewhere.more["field"]) == (ProblemType.INVALID, "about")
    lost = await table.refused(table.lead, "publish-template", **body, template=UUID(int=5), number=3)
    assert lost.more["field"] == "template"
    taken = await table.refused(table.lead, "publish-template", **body, template=UUID(int=77), number=0)
    assert (taken.type, taken.more["field"]) == (ProblemType.INVALID, "template")
    made = await published(table)
    stale = await table.refused(table.lead, "publish-template", **body, template=made["template"], number=0)
    assert stale.type is ProblemType.STALE_VERSION
    wrong = proposal(table.child, table.mum.id, starts_from={"template": made["template"], "number": 2})
    assert (await table.refused(table.mum, "propose-goal", **wrong)).more["field"] == "starts_from"


async def test_a_history_says_what_changed_by_whom_and_why_from_the_first_words_on(table: Table) -> None:
    goal = str(await table.desk.goal("accepted", about=table.child))
    why = {"goal": goal, "reason": "fits better"}
    await table.ask(table.teacher, "revise-goal", **why, version=2, wording="new words", ladder=list("abcde"))
    await table.ask(table.teacher, "activate-goal", goal=goal, version=3)
    await table.ask(table.mum, "revise-goal", goal=goal, version=4, reason="longer", target_on="2199-08-01")
    found = await history(table, goal)
    assert found["proposed"]["words"]["ladder"] == LADDER
    assert found["proposed"]["words"]["target_on"] == "2199-07-01"
    told = [(step["goal_version"], step["status"], step["reason"], step["taken_by"]) for step in found["steps"]]
    assert told == [
        (2, "accepted", None, str(table.teacher.id)),
        (3, "accepted", "fits better", str(table.teacher.id)),
        (4, "active", None, str(table.teacher.id)),
        (5, "active", "longer", str(table.mum.id)),
    ]
    fields = [[one["field"] for one in step["changes"] or ()] for step in found["steps"]]
    assert fields == [[], ["wording", "ladder"], [], ["target_on"]]
    assert found["steps"][1]["changes"][1]["after"] == list("abcde")
    events = [event for event in await table.desk.told() if "goal.revised" in event["type"]]
    assert [event["data"]["fact"]["fields"] for event in events] == [["wording", "ladder"], ["target_on"]]
    assert "new words" not in str(events)


async def test_the_second_of_two_who_edit_at_once_hears_what_changed(table: Table) -> None:
    goal = str(await table.desk.goal("proposed", about=table.child))
    await table.ask(table.mum, "revise-goal", goal=goal, version=1, reason="shorter", wording="one", weight=5)
    late = await table.refused(table.teacher, "revise-goal", goal=goal, version=1, reason="mine", wording="two")
    assert late.type is ProblemType.STALE_VERSION
    assert late.more["changes"] == [{"version": 2, "status": "proposed", "fields": ["wording", "weight"]}]


async def test_who_takes_a_step_on_words_that_changed_hears_which(table: Table) -> None:
    goal = str(await table.desk.goal("proposed", about=table.child))
    await table.ask(table.mum, "revise-goal", goal=goal, version=1, reason="shorter", wording="one", weight=5)
    for step in MOVES:
        late = await table.refused(table.teacher, step, goal=goal, version=1, **ANSWERS.get(step, {}))
        assert late.type is ProblemType.STALE_VERSION
        assert late.more["changes"] == [{"version": 2, "status": "proposed", "fields": ["wording", "weight"]}]


async def test_the_ladder_stands_once_scores_are_read_by_it(table: Table) -> None:
    goal = str(await table.desk.goal(about=table.child))
    asked = {"goal": goal, "version": 3, "reason": "easier"}
    fixed = await table.refused(table.teacher, "revise-goal", **asked, ladder=list("abcde"))
    assert (fixed.type, fixed.more["fields"]) == (ProblemType.CONFLICT, ["ladder"])
    await table.ask(table.teacher, "revise-goal", **asked, ladder=LADDER, weight=4)  # the same ladder is no change
    for wrong, field in (({"target_on": "2020-01-01"}, "target_on"), ({"responsible": [UUID(int=1)]}, "responsible")):
        problem = await table.refused(table.teacher, "revise-goal", goal=goal, version=4, reason="x", **wrong)
        assert (problem.type, problem.more["field"]) == (ProblemType.INVALID, field)
    same = await table.refused(table.teacher, "revise-goal", goal=goal, version=4, reason="x", weight=4)
    assert same.more["same"]
    with pytest.raises(ValueError, match="changes nothing"):
        await table.ask(table.teacher, "revise-goal", goal=goal, version=4, reason="x")
    await table.ask(table.teacher, "cancel-goal", goal=goal, version=4, reason="moved")
    over = await table.refused(table.teacher, "revise-goal", goal=goal, version=5, reason="x", weight=1)
    assert over.type is ProblemType.CONFLICT
    assert "revise-goal" not in over.more["allowed"]


async def test_who_may_only_look_changes_nothing_and_a_stranger_reads_no_history(table: Table) -> None:
    goal = str(await table.desk.goal(about=table.child))
    with pytest.raises(Problem) as refused:
        await table.ask(table.stepdad, "revise-goal", goal=goal, version=3, reason="x", weight=1)
    assert refused.value.type is ProblemType.FORBIDDEN
    assert await table.ask(table.stepdad, "goal-history", goal=goal)
    assert (await table.refused(table.desk.stranger, "goal-history", goal=goal)).type is ProblemType.FORBIDDEN


async def test_a_plan_takes_up_new_words_when_it_is_revised_and_asks_anew_about_that_goal_alone(table: Table) -> None:
    goal, other = [await table.goal() for _ in range(2)]
    plan = await table.consulted(goals=(goal, other))
    for who in (table.mum, table.dad):
        await table.agree(who, plan)
    await table.ask(table.teacher, "revise-goal", goal=goal, version=3, reason="clearer", wording="clearer words")
    assert set((await table.shown(plan))["standings"].values()) == {"agreed"}
    text = await table.written(plan)
    await table.ask(table.teacher, "revise-plan", **text)
    found = await table.shown(plan)
    assert {item for item, how in found["standings"].items() if how == "open"} == {str(goal)}
    assert next(one for one in found["text"]["items"] if one["item"] == str(goal))["text"]["wording"] == "clearer words"
