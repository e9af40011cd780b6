"""What is worked on leaves as FHIR R4 and as a document: whole, sound, only to who may export it, and with a line."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from fhirclient.models.fhirabstractbase import FHIRValidationError

from deploy.samen.plan_page import page_of
from deploy.samen.plan_words import PLACES, STATUSES, WORDS
from services.goals.fhir import PLANS, ROUND_A_CHILD, bundle
from services.network.policy import ROLES_OF_CHILD
from shared.errors import ProblemType
from shared.events.network import Grant
from shared.events.plans import PlanStatus
from shared.events.words import Action, Basis, Category, Role, Setting
from tests.goals.fhir_r4 import sound
from tests.goals.plans import CONTENT, TAKES_PART, Json, Table, as_owner, grant
from tests.goals.support import NOW, Desk, proposal
from tests.support.fixtures import DatabaseFactory

ALL = (*TAKES_PART, Action.EXPORT)


@pytest.fixture
async def table(desk: Desk) -> Table:
    table = await Table(desk).sit()
    mum = grant(table.mum.id, Role.GUARDIAN, Basis.AUTHORITY, ALL)
    dad = grant(table.dad.id, Role.GUARDIAN, Basis.AUTHORITY, ALL, (Category.GOALS, Category.PLAN))
    rest = [one for one in table.usual if one.member not in {table.mum.id, table.dad.id}]
    await desk.give(table.child, mum, dad, *rest)
    return table


async def worked_on(table: Table) -> Json:
    """Returns a plan in force, with a goal that two settings scored, one of them wrongly."""
    goal = await table.goal()
    wrong = await table.desk.score(goal, table.teacher, 2, note="<b>saw</b> it once")
    await table.ask(table.teacher, "correct-score", score=wrong, version=1, reason="mistaken", level=0)
    await table.desk.score(goal, table.mum, 1)
    await table.ask(table.teacher, "assess-goal", goal=goal, version=3, achievement="improving")
    plan = await table.consulted(
        table.action(goals=[goal]), table.action("rests", where=["home", "school"]), goals=(goal,)
    )
    for who in (table.mum, table.dad):
        await table.agree(who, plan)
    return await table.ask(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1)


def kinds(found: Json) -> dict[str, list[Json]]:
    made: dict[str, list[Json]] = {}
    for entry in found["bundle"]["entry"]:
        made.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return made


async def test_a_bundle_is_sound_and_holds_all_that_is_worked_on(table: Table) -> None:
    plan = await worked_on(table)
    found = await table.ask(table.mum, "export-child", about=table.child)
    sound(found["bundle"])
    made = kinds(found)
    assert {kind: len(ones) for kind, ones in made.items()} == {
        "CareTeam": 1,
        "Goal": 1,
        "Observation": 3,
        "CarePlan": 1,
    }
    (goal,), (care,) = made["Goal"], made["CarePlan"]
    assert (goal["lifecycleStatus"], goal["target"][0]["detailInteger"]) == ("active", 0)
    assert goal["achievementStatus"]["coding"][0]["code"] == "improving"
    assert sorted((one["status"], one["valueInteger"]) for one in made["Observation"]) == [
        ("entered-in-error", 2),
        ("final", 0),
        ("final", 1),
    ]
    assert {one["focus"][0]["reference"] for one in made["Observation"]} == {f"urn:uuid:{goal['id']}"}
    assert (care["id"], care["status"]) == (plan["plan"], "active")
    assert len(care["activity"]) == 2
    assert {one["detail"]["status"] for one in care["activity"]} == {"in-progress"}
    assert len(care["extension"]) == 6  # two parents, a goal and two actions
    fulls = {entry["fullUrl"] for entry in found["bundle"]["entry"]}
    links = {one["reference"] for one in (*care["goal"], *care["careTeam"])}
    assert links <= fulls


async def test_a_plan_that_never_was_in_force_is_no_completed_one_and_nobody_says_what_became_of_what(
    table: Table,
) -> None:
    async def exported() -> tuple[str, set[str]]:
        found = await table.ask(table.mum, "export-child", about=table.child)
        sound(found["bundle"])
        care = kinds(found)["CarePlan"][-1]
        return care["status"], {one["detail"]["status"] for one in care["activity"]}

    draft = await table.consulted(table.action())
    await table.ask(table.coordinator, "close-plan", plan=draft["plan"], number=1, reason="another way")
    assert await exported() == ("revoked", {"not-started"})
    state = {"status": "closed", "force_number": 1, "answers": [], "ends": [], "drafted_at": NOW.isoformat()}
    item = {
        "item": str(UUID(int=4)),
        "kind": "action",
        "text": {"what": "x", "until": "2026-01-01", "who": [], "goals": []},
    }
    plan = state | {"id": str(UUID(int=3)), "text": {"number": 1, "outlook": "onwards", "items": [item]}}
    empty: dict[str, Any] = {"grants": [], "goals": [], "scores": []}
    found = bundle(UUID(int=1), empty | {"plans": [plan]}, NOW, NOW, scores=True)["entry"][-1]["resource"]
    assert (found["status"], found["activity"][0]["detail"]["status"]) == ("completed", "unknown")


async def test_it_is_an_export_in_the_journal_before_it_leaves(table: Table) -> None:
    await worked_on(table)
    await table.ask(table.mum, "export-child", about=table.child)
    lines = [event["data"] for event in await table.desk.told() if "access.viewed" in event["type"]][-4:]
    assert [line["act"]["category"] for line in lines] == ["goals", "plan", "observations", "conversations"]
    assert [line["act"]["action"] for line in lines] == ["export"] * 3 + ["view"]
    assert {line["fact"]["query"] for line in lines} == {"export-child"}


async def test_scores_are_left_out_for_who_may_not_export_them_and_nothing_leaves_without_the_right(
    table: Table,
) -> None:
    plan = await worked_on(table)
    theirs = await table.ask(table.dad, "export-child", about=table.child)
    assert not theirs["scores_shown"]
    assert "Observation" not in kinds(theirs)
    holders = {
        one["extension"][0]["valueReference"]["identifier"]["value"]
        for one in kinds(theirs)["CarePlan"][0]["extension"]
    }
    assert (holders, theirs["said_shown"]) == ({str(table.dad.id)}, False)
    document = await table.ask(table.dad, "export-plan", plan=plan["plan"])
    assert {one["holder"] for one in document["answers"]} == {str(table.dad.id)}
    assert (document["verified"], document["broken"], document["evaluations"]) == (6, 0, [])
    for who in (table.teacher, table.stepdad, table.desk.stranger):
        for name, asked in (("export-child", {"about": table.child}), ("export-plan", {"plan": plan["plan"]})):
            assert (await table.refused(who, name, **asked)).type is ProblemType.FORBIDDEN


async def test_a_local_tool_that_takes_part_is_named_where_r4_lets_it_be(table: Table) -> None:
    tool = grant(table.carer.id, Role.LOCAL_TOOL, Basis.CONSENT, (Action.VIEW, Action.PROPOSE, Action.SCORE))
    others = [one for one in table.usual if one.member not in {table.mum.id, table.carer.id}]
    mum = grant(table.mum.id, Role.GUARDIAN, Basis.AUTHORITY, ALL)
    await table.desk.give(table.child, mum, tool, *others)
    goal = UUID((await table.ask(table.carer, "propose-goal", **proposal(table.child, table.mum.id)))["goal"])
    for version, step in ((1, "accept-goal"), (2, "activate-goal")):
        await table.ask(table.teacher, step, goal=goal, version=version)
    score = {"goal": goal, "level": 1, "setting": "school", "observed_on": "2026-03-01"}
    await table.ask(table.carer, "score-goal", **score)
    await table.draft(table.action(who=[table.carer.id]), goals=(goal,))
    found = await table.ask(table.mum, "export-child", about=table.child)
    sound(found["bundle"])
    made = kinds(found)
    device = {"type": "Device", "identifier": {"system": "urn:samenkracht:device", "value": str(table.carer.id)}}
    assert made["Observation"][0]["device"] == device
    assert made["Goal"][0]["extension"][0]["valueReference"] == device
    assert device in [one.get("extension", [{}])[0].get("valueReference") for one in made["CareTeam"][0]["participant"]]
    assert made["CarePlan"][0]["activity"][0]["detail"]["performer"] == [device]


async def test_what_is_not_r4_is_found(table: Table) -> None:
    await worked_on(table)
    found = (await table.ask(table.mum, "export-child", about=table.child))["bundle"]
    resources = {entry["resource"]["resourceType"]: entry["resource"] for entry in found["entry"]}

    def planted(kind: str, **more: object) -> Json:
        made: Json = copy.deepcopy(found)
        one = next(one["resource"] for one in made["entry"] if one["resource"]["resourceType"] == kind)
        one.update(more)
        return made

    team = {"type": "Device", "identifier": {"value": "x"}}
    for kind, more in (
        ("Goal", {"lifecycleStatus": "on_hold"}),
        ("Goal", {"addresses": []}),
        ("Observation", {"performer": [team]}),
        ("Observation", {"valueInteger": "1"}),
        ("CarePlan", {"careTeam": [{"type": "CareTeam", "reference": "urn:uuid:nowhere"}]}),
        ("CarePlan", {"created": "today"}),
        ("CareTeam", {"partipant": []}),
        ("CareTeam", {"extension": [{"url": "urn:x"}]}),
    ):
        assert kind in resources
        with pytest.raises((FHIRValidationError, AssertionError)):
            sound(planted(kind, **more))


async def test_a_child_about_whom_nothing_was_written_has_a_sound_bundle_too(table: Table) -> None:
    found = await table.ask(table.mum, "export-child", about=table.child)
    sound(found["bundle"])
    assert kinds(found).keys() == {"CareTeam"}


class _Tags(HTMLParser):
    """Checks that what is opened is closed, and collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  as it is called
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_a_document_shows_the_text_and_who_agreed_to_it_and_that_it_verifies(
    table: Table, database: DatabaseFactory
) -> None:
    plan = await worked_on(table)
    found = await table.ask(table.mum, "export-plan", plan=plan["plan"])
    assert [one["verifies"] for one in found["answers"]] == [True] * 6
    page = page_of(found, "nl")
    read = _Tags()
    read.feed(page)
    assert read.open == []
    for words in (
        "Plan, versie 1",
        "Puts on the coat",
        "reads aloud",
        "+2",
        str(table.dad.id),
        "eens",
        found["text"]["hash"],
    ):
        assert words in read.text
    assert "klopt niet" not in page
    dsn = (await database("goals")).owner_dsn
    changed = "UPDATE plan_text SET outlook = outlook, salt = repeat('0', 32) WHERE plan = $1"
    await as_owner(dsn, table.desk.school, changed, UUID(plan["plan"]))
    broken = await table.ask(table.mum, "export-plan", plan=plan["plan"])
    assert not any(one["verifies"] for one in broken["answers"])
    assert "klopt niet" in page_of(broken, "nl")


async def test_a_document_draws_how_each_goal_went_for_who_may_export_scores(table: Table) -> None:
    plan = await worked_on(table)
    assert (await table.ask(table.mum, "export-plan", plan=plan["plan"]))["ladders"] == {}
    found = await table.ask(table.mum, "export-plan", plan=plan["plan"], scores=True)
    lines = [one["data"]["act"]["category"] for one in (await table.desk.told())[-3:]]
    assert (found["scores_shown"], lines) == (True, ["plan", "conversations", "observations"])
    ((goal, ladder),) = found["ladders"].items()
    assert (ladder["baseline"], ladder["older"], [one["level"] for one in ladder["scores"]]) == (-1, 0, [2, 0, 1])
    page = page_of(found, "nl")
    read = _Tags()
    read.feed(page)
    assert read.open == []
    assert page.count("<svg") == 1
    assert 'aria-labelledby="goal-1-title goal-1-desc"' in page
    assert "Fout ingevulde scores, die niet meetellen: 1." in read.text
    theirs = await table.ask(table.dad, "export-plan", plan=plan["plan"], scores=True)
    assert (theirs["scores_shown"], theirs["ladders"]) == (False, {})
    assert "<svg" not in page_of(theirs, "nl")
    draft = await table.draft()
    assert (await table.ask(table.mum, "export-plan", plan=draft["plan"], scores=True))["ladders"] == {}
    assert goal


async def test_what_people_wrote_is_text_on_the_page(table: Table) -> None:
    plan = await table.draft(table.action("<script>alert(1)</script> & more"))
    page = page_of(await table.ask(table.mum, "export-plan", plan=plan["plan"]), "en")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert "Nobody has answered yet." in page


def test_every_status_of_a_plan_has_one_of_fhir_and_both_languages_the_same_words() -> None:
    assert PLANS.keys() == set(PlanStatus)
    assert WORDS["nl"].keys() == WORDS["en"].keys()
    assert set(STATUSES) == set(PlanStatus)
    assert set(PLACES) == set(Setting)


def test_a_member_who_is_gone_is_still_named_as_somebody() -> None:
    state: dict[str, Any] = {"grants": [], "goals": [], "scores": [], "plans": []}
    assert bundle(UUID(int=1), state, NOW, NOW, scores=True)["entry"][0]["resource"]["resourceType"] == "CareTeam"
    assert CONTENT


async def test_a_care_team_is_who_takes_part_now(table: Table) -> None:
    def one(number: int, role: Role, **more: object) -> Grant:
        made = grant(UUID(int=number, version=4), role, Basis.PUBLIC_TASK)
        return made.model_copy(update=more)

    others = (
        one(51, Role.AUDITOR),
        one(52, Role.SCHOOL_ADMINISTRATOR),
        one(53, Role.THERAPIST, emergency=True),
        one(54, Role.TEACHER, valid_until=datetime(2021, 1, 1, tzinfo=UTC)),
        one(55, Role.TEACHER, valid_from=datetime(2199, 1, 1, tzinfo=UTC)),
    )
    mum = grant(table.mum.id, Role.GUARDIAN, Basis.AUTHORITY, ALL)
    await table.desk.give(table.child, mum, *others)
    (team,) = kinds(await table.ask(table.mum, "export-child", about=table.child))["CareTeam"]
    assert [one["member"]["identifier"]["value"] for one in team["participant"]] == [str(table.mum.id)]
    assert ROUND_A_CHILD == ROLES_OF_CHILD


async def test_what_is_left_out_is_counted_and_nothing_points_to_it(table: Table) -> None:
    plan = await worked_on(table)
    many = """
    INSERT INTO goal SELECT (jsonb_populate_record(g, jsonb_build_object('id', x.newer))).*
      FROM goal g,
           (SELECT 'ff' || substr(gen_random_uuid()::text, 3) AS newer FROM generate_series(1, 200)) x
    """
    async with table.desk.db.school(table.desk.school) as conn:
        await conn.execute(many)
    found = await table.ask(table.mum, "export-child", about=table.child)
    sound(found["bundle"])
    assert (found["older_goals"], found["older_scores"], found["older_plans"]) == (1, 3, 0)
    made = kinds(found)
    assert (len(made["Goal"]), "Observation" in made) == (200, False)
    (care,) = made["CarePlan"]
    assert care["id"] == plan["plan"]
    assert "urn:uuid" not in json.dumps([care.get("goal", []), [one["detail"].get("goal") for one in care["activity"]]])
