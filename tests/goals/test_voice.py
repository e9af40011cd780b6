"""The child is heard at drafting, changing and evaluating, or it is on record why not; evaluations end with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import ProblemType
from tests.goals.plans import Table
from tests.goals.support import Desk, body_of

ILL: dict[str, Any] = {"channel": None, "words": None, "influence": None, "not_heard_because": "was ill"}


@pytest.fixture
async def table(desk: Desk) -> Table:
    return await Table(desk).sit()


async def test_a_plan_comes_into_force_only_when_the_child_was_heard_or_it_says_why_not(table: Table) -> None:
    plan = await table.draft()
    await table.ask(table.coordinator, "consult-plan", plan=plan["plan"], number=1)
    for who in (table.mum, table.dad):
        await table.agree(who, plan)
    refused = await table.refused(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1)
    assert "not heard at drafting" in refused.detail
    assert "record-voice" in refused.more["allowed"]
    await table.heard(plan, "drafting", **ILL)
    assert (await table.ask(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1))["number"] == 1


async def test_a_change_asks_for_the_childs_voice_anew(table: Table) -> None:
    plan = await table.in_force()
    text = await table.written(plan)
    text["actions"][0]["what"] = "sings"
    revised = await table.ask(table.mum, "revise-plan", **text)
    for who in (table.mum, table.dad):
        await table.agree(who, revised)
    refused = await table.refused(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=2)
    assert "not heard at changing" in refused.detail
    await table.heard(revised, "changing")
    assert (await table.ask(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=2))["number"] == 2


async def test_an_evaluation_does_not_end_without_the_childs_voice_told_back(table: Table) -> None:
    plan = await table.in_force()
    body = {"held_on": table.day(0), "findings": "x", "attended": [table.dad.id]}
    asked = {"plan": plan["plan"], "number": 1, **body}
    refused = await table.refused(table.coordinator, "evaluate-plan", **asked)
    assert "told back" in refused.detail  # what it said at drafting
    shown = await table.shown(plan)
    drafted = shown["voices"][0]["id"]
    told = {"plan": plan["plan"], "voice": drafted, "told_on": table.day(0)}
    await table.ask(table.mum, "tell-child-back", **told)
    assert (await table.refused(table.mum, "tell-child-back", **told)).type is ProblemType.CONFLICT
    refused = await table.refused(table.coordinator, "evaluate-plan", **asked)
    assert "not heard at evaluating" in refused.detail
    await table.heard(plan, "evaluating", words="secret-words", told_back_on=table.day(0))
    done = await table.ask(table.coordinator, "evaluate-plan", **asked)
    assert done["status"] == "evaluated"
    shown = await table.shown(plan, table.dad)
    assert shown["evaluations"][0]["voice"] == shown["voices"][1]["id"]
    assert shown["voices"][1]["words"] == "secret-words"
    assert "secret-words" not in json.dumps(await table.shown(plan, table.stepdad))
    assert "secret-words" not in json.dumps(await table.desk.told())


async def test_each_evaluation_hears_the_child_anew(table: Table) -> None:
    plan = await table.in_force()
    await told_back(table, plan)
    await table.evaluated(plan)
    await table.ask(table.coordinator, "continue-plan", plan=plan["plan"], number=1)
    body = {"held_on": table.day(0), "findings": "x", "attended": [table.dad.id]}
    refused = await table.refused(table.coordinator, "evaluate-plan", plan=plan["plan"], number=1, **body)
    assert "not heard at evaluating" in refused.detail
    assert (await table.evaluated(plan))["status"] == "evaluated"
    closed = await table.ask(table.coordinator, "close-plan", plan=plan["plan"], number=1, reason="a new one follows")
    assert closed["status"] == "closed"


async def told_back(table: Table, plan: dict[str, Any]) -> None:
    for voice in (await table.shown(plan))["voices"]:
        told = {"plan": plan["plan"], "voice": voice["id"], "told_on": table.day(0)}
        await table.ask(table.mum, "tell-child-back", **told)


async def test_an_evaluation_without_those_who_agree_to_the_plan_says_why(table: Table) -> None:
    plan = await table.in_force()
    await told_back(table, plan)
    await table.heard(plan, "evaluating", **ILL)
    asked = {"plan": plan["plan"], "number": 1, "held_on": table.day(0), "findings": "x"}
    refused = await table.refused(table.coordinator, "evaluate-plan", **asked, attended=[table.stepdad.id])
    assert refused.more["field"] == "without_holders_because"
    assert await table.ask(table.coordinator, "evaluate-plan", **asked, without_holders_because="invited thrice")


async def test_the_child_is_heard_about_the_step_that_is_taken_now(table: Table) -> None:
    plan = await table.draft()
    body = {"plan": plan["plan"], "number": 1, "not_heard_because": "ill"}
    refused = await table.refused(table.teacher, "record-voice", moment="evaluating", **body)
    assert refused.more["moment"] == "drafting"
    made = await table.ask(
        table.lead, "draft-plan", about=table.school, outlook="x", actions=[table.action(who=[table.lead.id])]
    )
    refused = await table.refused(
        table.lead, "record-voice", plan=made["plan"], number=1, moment="drafting", not_heard_because="none"
    )
    assert refused.type is ProblemType.INVALID


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"channel": "direct"},
        {"channel": "direct", "words": "x"},
        {"channel": "telepathy", "words": "x", "influence": "y"},
        {"channel": "direct", "words": "x", "influence": "y", "not_heard_because": "z"},
        {"told_back_on": "2026-01-01", "not_heard_because": "z"},
        {"channel": "direct", "words": " ", "influence": "y"},
    ],
)
def test_a_record_is_whole(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        body_of("record-voice", {"plan": "0" * 32, "number": 1, "moment": "drafting", **wrong})


async def test_an_action_ends_once(table: Table) -> None:
    plan = await table.in_force()
    (item,) = await table.items(plan)
    body = {"plan": plan["plan"], "number": 1, "action": item["item"], "outcome": "partly", "note": "half"}
    assert (await table.ask(table.mum, "finish-action", **body))["status"] == "in_force"
    refused = await table.refused(table.mum, "finish-action", **body)
    assert "ended already" in refused.detail
    refused = await table.refused(table.mum, "finish-action", **{**body, "action": table.child})
    assert refused.type is ProblemType.INVALID
