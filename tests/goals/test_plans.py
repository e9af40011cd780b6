"""Plans on a real database: drafted, changed, agreed to item by item, in force; and what verifies years later."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from typing import Any

import pytest
import rfc8785

from services.goals.reactions import on_network
from shared.errors import Problem, ProblemType
from shared.events.base import Event
from shared.events.network import Decision, DisputeNoted, DisputeSettled, PolicyRule, PolicySet
from shared.events.words import Basis, Role
from tests.goals.plans import LONG_AGO, Table, as_owner, grant
from tests.goals.support import Desk
from tests.goals.test_races import two_desks
from tests.goals.test_reactions import event_of
from tests.support.fixtures import DatabaseFactory


@pytest.fixture
async def table(desk: Desk) -> Table:
    return await Table(desk).sit()


async def test_a_plan_is_drafted_talked_over_agreed_to_by_both_and_in_force(table: Table) -> None:
    goal = await table.goal()
    plan = await table.consulted(table.action(goals=[goal]), goals=(goal,))
    once = await table.agree(table.mum, plan)
    assert once["status"] == "in_consultation"
    both = await table.agree(table.dad, plan)
    assert both["status"] == "agreed"
    done = await table.ask(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1)
    assert done["status"] == "in_force"
    (listed,) = (await table.ask(table.mum, "plans-of-child", about=table.child))["plans"]
    assert (listed["id"], listed["status"], listed["force_number"]) == (plan["plan"], "in_force", 1)
    names = [name for name in await table.desk.names() if name.startswith(("plan.", "agreement."))]
    assert names == [
        "plan.drafted",
        "plan.consulted",
        "agreement.given",
        "agreement.given",
        "plan.agreed",
        "plan.enforced",
    ]


async def test_one_holder_alone_does_not_bring_it_into_force_and_the_refusal_says_who_is_missing(table: Table) -> None:
    plan = await table.consulted()
    await table.agree(table.mum, plan)
    refused = await table.refused(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1)
    assert refused.type is ProblemType.CONFLICT
    assert refused.more["members"] == [str(table.dad.id)]
    assert "agree-plan" in refused.more["allowed"]


async def test_under_one_unless_objection_one_suffices_and_an_objection_stops_it(table: Table) -> None:
    await table.policy("one_unless_objection")
    plan = await table.consulted()
    assert (await table.agree(table.mum, plan))["status"] == "agreed"
    assert (await table.disagree(table.dad, plan))["status"] == "in_consultation"
    refused = await table.refused(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1)
    assert refused.type is ProblemType.CONFLICT
    assert (await table.agree(table.dad, plan))["status"] == "agreed"
    await table.ask(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1)
    (fact,) = [e["data"]["fact"] for e in await table.desk.told() if "plan.enforced" in e["type"]]
    assert (fact["rule"], fact["policy"]) == ("one_unless_objection", 1)


async def test_the_policy_and_disputes_about_plans_come_from_network(table: Table) -> None:
    set_ = PolicySet(
        policy=table.school, decision=Decision.PLAN, number=3, rule=PolicyRule.ONE_UNLESS_OBJECTION, starts_at=LONG_AGO
    )
    sharing = set_.model_copy(update={"policy": table.child, "decision": Decision.SHARING, "number": 9})
    noted = DisputeNoted(
        dispute=table.mum.id, decision=Decision.PLAN, between=(table.mum.id, table.dad.id), starts_at=LONG_AGO
    )
    settled = DisputeSettled(dispute=table.mum.id, decision=Decision.PLAN, ends_at=LONG_AGO)
    plan = await table.consulted()

    async def rule_after(*events: Event) -> dict[str, Any]:
        async with table.desk.db.school(table.desk.school) as conn:
            await on_network(conn, events)
            await on_network(conn, events)  # delivered twice
        found: dict[str, Any] = (await table.shown(plan))["rule"]
        return found

    about = table.school
    assert await rule_after(event_of(table.desk, sharing, about, 1)) == {"rule": "all_holders", "policy": 0}
    assert await rule_after(event_of(table.desk, set_, about, 2)) == {"rule": "one_unless_objection", "policy": 3}
    assert (await rule_after(event_of(table.desk, noted, table.child, 3)))["rule"] == "all_holders"
    assert (await rule_after(event_of(table.desk, settled, table.child, 4)))["rule"] == "one_unless_objection"


async def test_a_plan_is_agreed_to_in_part_and_what_nobody_wants_can_be_left_out(table: Table) -> None:
    plan = await table.consulted(table.action("reads aloud"), table.action("goes to bed at eight"))
    first, second = [one["item"] for one in await table.items(plan)]
    await table.agree(table.mum, plan)
    assert (await table.agree(table.dad, plan, first))["status"] == "agreed_in_part"
    await table.disagree(table.dad, plan, second)
    text = await table.written(plan)
    text["actions"] = [one for one in text["actions"] if one["action"] == first]
    revised = await table.ask(table.teacher, "revise-plan", **text)
    assert revised["status"] == "agreed"
    assert (await table.ask(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=2))[
        "status"
    ] == "in_force"


async def test_a_change_reopens_only_what_it_touches(table: Table) -> None:
    plan = await table.consulted(table.action("reads aloud"), table.action("goes to bed at eight"))
    for who in (table.mum, table.dad):
        await table.agree(who, plan)
    text = await table.written(plan)
    text["actions"][1]["what"] = "goes to bed at nine"
    revised = await table.ask(table.teacher, "revise-plan", **text)
    shown = await table.shown(revised)
    assert list(shown["standings"].values()) == ["agreed", "open"]
    assert set(shown["waits_for"]) == {str(table.mum.id), str(table.dad.id)}
    (fact,) = [e["data"]["fact"] for e in await table.desk.told() if "plan.revised" in e["type"]]
    assert fact["changed"] == [text["actions"][1]["action"]]
    assert set(fact["concerns"]) == {str(table.mum.id), str(table.dad.id)}
    for who in (table.mum, table.dad):
        await table.agree(who, revised, text["actions"][1]["action"])
    assert (await table.shown(revised))["plan"]["status"] == "agreed"


async def test_a_change_of_a_plan_in_force_waits_for_agreement_while_the_plan_stays_in_force(table: Table) -> None:
    plan = await table.in_force()
    text = await table.written(plan)
    old = text["actions"][0]["what"]
    text["actions"][0]["what"] = "reads aloud twice a week"
    revised = await table.ask(table.mum, "revise-plan", **text)
    assert revised["status"] == "in_force"
    refused = await table.refused(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=2)
    assert refused.more["members"] == sorted([str(table.mum.id), str(table.dad.id)])
    await table.disagree(table.dad, revised)
    text["actions"][0]["what"] = old
    taken_back = await table.ask(table.mum, "revise-plan", **{**text, "number": 2})
    await table.heard(taken_back, "changing")
    done = await table.ask(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=taken_back["number"])
    assert done["number"] == 3
    refused = await table.refused(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=3)
    assert "in force already" in refused.detail
    refused = await table.refused(table.mum, "agree-plan", plan=plan["plan"], number=3, hash=done["hash"])
    assert refused.type is ProblemType.CONFLICT


async def test_a_disagreement_has_a_reason_and_steps_and_ends_in_a_yes(table: Table) -> None:
    plan = await table.consulted()
    no = await table.disagree(table.dad, plan, reason="secret-reason")
    assert no["next"] == ["conversation", "mediation", "disputes_committee"]
    for remedy in no["next"]:
        body = {"disagreement": no["disagreement"], "remedy": remedy, "note": f"note-{remedy}"}
        await table.ask(table.coordinator, "take-remedy", plan=plan["plan"], number=1, **body)
    mine, theirs, schools = [await table.shown(plan, who) for who in (table.dad, table.mum, table.teacher)]
    for whole in (mine, schools):
        (one,) = whole["disagreements"]
        assert one["reason"] == "secret-reason"
        assert [each["note"] for each in one["remedies"]] == [f"note-{remedy}" for remedy in no["next"]]
    assert theirs["disagreements"][0]["holder"] == str(table.dad.id)
    assert "secret" not in json.dumps(theirs)
    assert "note-" not in json.dumps(theirs)
    assert (await table.agree(table.dad, plan))["status"] == "in_consultation"
    assert (await table.agree(table.mum, plan))["status"] == "agreed"


async def test_why_somebody_disagrees_is_not_for_another_guardian_whatever_else_that_one_is(table: Table) -> None:
    plan = await table.consulted()
    await table.disagree(table.dad, plan, reason="secret-reason")
    staff_too = [grant(one.id, Role.COORDINATOR, Basis.PUBLIC_TASK) for one in (table.mum, table.stepdad)]
    await table.desk.give(table.child, *staff_too, *table.usual)
    for who in (table.mum, table.stepdad):
        assert "secret-reason" not in json.dumps(await table.shown(plan, who))
    assert "secret-reason" in json.dumps(await table.shown(plan, table.coordinator))


async def test_seen_is_no_agreement_and_is_said_once(table: Table) -> None:
    plan = await table.consulted()
    known = {name: plan[name] for name in ("plan", "number", "hash")}
    for who in (table.mum, table.dad, table.stepdad):
        assert (await table.ask(who, "acknowledge-plan", **known))["status"] == "in_consultation"
    shown = await table.shown(plan)
    assert len(shown["seen_by"]) == 3
    assert set(shown["standings"].values()) == {"open"}
    assert (await table.refused(table.mum, "acknowledge-plan", **known)).type is ProblemType.CONFLICT


@pytest.mark.parametrize("who", ["teacher", "stepdad", "carer", "coordinator"])
async def test_who_holds_no_authority_does_not_agree(table: Table, who: str) -> None:
    plan = await table.consulted()
    known = {name: plan[name] for name in ("plan", "number", "hash")}
    assert (await table.refused(getattr(table, who), "agree-plan", **known)).type is ProblemType.FORBIDDEN


@pytest.mark.parametrize("name", ["consult-plan", "put-plan-in-force", "close-plan"])
async def test_a_parent_does_not_take_the_steps_that_are_the_schools(table: Table, name: str) -> None:
    plan = await table.draft()
    body = {"plan": plan["plan"], "number": 1} | ({"reason": "x"} if name == "close-plan" else {})
    assert (await table.refused(table.mum, name, **body)).type is ProblemType.FORBIDDEN


async def test_the_young_person_from_16_must_agree_too(table: Table) -> None:
    await table.desk.give(table.child, *table.usual, grant(table.young.id, Role.CHILD, Basis.OWN_DATA))
    plan = await table.consulted()
    for who in (table.mum, table.dad):
        assert (await table.agree(who, plan))["status"] == "in_consultation"
    assert (await table.agree(table.young, plan))["status"] == "agreed"
    capacities = [e["data"]["fact"]["capacity"] for e in await table.desk.told() if "agreement.given" in e["type"]]
    assert capacities == ["parental_authority", "parental_authority", "own_data"]


async def test_who_gets_authority_before_it_comes_into_force_is_asked_too_and_who_lost_it_counts_no_more(
    table: Table,
) -> None:
    plan = await table.consulted()
    for who in (table.mum, table.dad):
        await table.agree(who, plan)
    await table.desk.give(table.child, *table.usual, grant(table.stepdad.id, Role.GUARDIAN, Basis.AUTHORITY))
    refused = await table.refused(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1)
    assert refused.more["members"] == [str(table.stepdad.id)]
    await table.disagree(table.stepdad, plan)
    await table.desk.give(table.child, *table.usual)
    assert (await table.ask(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1))["number"] == 1


async def test_without_anybody_who_may_agree_a_plan_does_not_come_into_force(table: Table) -> None:
    await table.desk.give(table.child, *table.usual[3:])
    plan = await table.consulted(table.action(who=[table.teacher.id]))
    refused = await table.refused(table.coordinator, "put-plan-in-force", plan=plan["plan"], number=1)
    assert "authority" in refused.detail


async def test_a_schools_own_approach_needs_no_holders(table: Table) -> None:
    body = {
        "about": table.school,
        "outlook": "partners",
        "actions": [table.action(who=[table.lead.id], where=["school"])],
    }
    made = await table.ask(table.lead, "draft-plan", **body)
    await table.ask(table.lead, "consult-plan", plan=made["plan"], number=1)
    assert (await table.ask(table.lead, "put-plan-in-force", plan=made["plan"], number=1))["status"] == "in_force"


async def test_only_one_plan_of_a_child_is_in_force(table: Table) -> None:
    first = await table.in_force()
    second = await table.consulted()
    for who in (table.mum, table.dad):
        await table.agree(who, second)
    refused = await table.refused(table.coordinator, "put-plan-in-force", plan=second["plan"], number=1)
    assert refused.type is ProblemType.CONFLICT
    assert refused.more["other"] == first["plan"]


async def test_of_two_who_change_the_same_plan_one_learns_what_changed(table: Table) -> None:
    plan = await table.draft(table.action("reads aloud"), table.action("goes to bed at eight"))
    text = await table.written(plan)
    one, other = two_desks(table.desk)
    mine, theirs = json.loads(json.dumps(text)), json.loads(json.dumps(text))
    mine["actions"][0]["what"] = "reads aloud in bed"
    theirs["actions"][1]["what"] = "goes to bed at nine"
    outcomes = await asyncio.gather(
        one.ask("revise-plan", table.mum, **mine),
        other.ask("revise-plan", table.teacher, **theirs),
        return_exceptions=True,
    )
    (lost,) = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    assert lost.type is ProblemType.STALE_VERSION
    winner = mine if isinstance(outcomes[0], dict) else theirs
    item = winner["actions"][0 if winner is mine else 1]["action"]
    assert lost.more["changes"] == [{"item": item, "kind": "action", "change": "changed", "fields": ["what"]}]
    assert (await table.written(plan))["actions"] == winner["actions"]


async def test_two_who_agree_at_once_are_both_counted(table: Table) -> None:
    plan = await table.consulted()
    known = {name: plan[name] for name in ("plan", "number", "hash")}
    one, other = two_desks(table.desk)
    await asyncio.gather(one.ask("agree-plan", table.mum, **known), other.ask("agree-plan", table.dad, **known))
    assert (await table.shown(plan))["plan"]["status"] == "agreed"


async def test_differences_are_data_field_by_field(table: Table) -> None:
    plan = await table.draft(table.action("reads aloud"), table.action("goes to bed at eight"))
    text = await table.written(plan)
    gone = text["actions"].pop()
    text["actions"][0]["until"] = table.day(90)
    text["actions"].append(table.action("cycles to school"))
    text["outlook"] = "work"
    await table.ask(table.teacher, "revise-plan", **text)
    found = await table.ask(table.mum, "plan-changes", plan=plan["plan"], before=1, after=2)
    assert [(one["kind"], one["change"], [f["field"] for f in one["fields"]]) for one in found["changes"]] == [
        ("outlook", "changed", ["outlook"]),
        ("action", "changed", ["until"]),
        ("action", "added", ["goals", "until", "what", "where", "who"]),
        ("action", "removed", ["goals", "until", "what", "where", "who"]),
    ]
    assert found["changes"][3]["item"] == gone["action"]
    back = await table.ask(table.mum, "plan-changes", plan=plan["plan"], before=2, after=1)
    assert [one["change"] for one in back["changes"]] == ["changed", "changed", "added", "removed"]
    missing = await table.refused(table.mum, "plan-changes", plan=plan["plan"], before=1, after=7)
    assert missing.more["field"] == "after"


async def test_an_agreement_verifies_against_the_exact_text_and_one_character_breaks_it(
    table: Table, database: DatabaseFactory
) -> None:
    plan = await table.consulted(table.action("reads aloud"), table.action("goes to bed at eight"))
    for who in (table.mum, table.dad):
        await table.agree(who, plan)
    text = await table.written(plan)
    text["actions"][0]["what"] = "sings"
    await table.ask(table.teacher, "revise-plan", **text)  # later versions take nothing from it
    good = await table.ask(table.dad, "agreements", plan=plan["plan"])
    assert (len(good["answers"]), good["broken"]) == (4, 0)

    # By other means than the service's: from what it shows, with the library and the RFC.
    shown = (await table.shown(plan, number=1))["text"]
    part = {name: shown[name] for name in ("number", "salt", "items")} | {"plan": plan["plan"]}
    assert sha256(rfc8785.dumps(part)).hexdigest() == good["answers"][0]["hash"] == plan["hash"]
    told = [e["data"]["fact"]["hash"] for e in await table.desk.told() if "agreement.given" in e["type"]]
    assert set(told) == {plan["hash"]}

    dsn = (await database("goals")).owner_dsn
    change = "UPDATE plan_text SET items = replace(items::text, $1, $2)::jsonb WHERE number = 1"
    await as_owner(dsn, table.desk.school, change, "at eight", "at eighT")
    broken = await table.ask(table.dad, "agreements", plan=plan["plan"])
    assert broken["broken"] == 4
    await as_owner(dsn, table.desk.school, change, "at eighT", "at eight")
    await as_owner(
        dsn, table.desk.school, "UPDATE plan_answer SET item_hash = repeat('0', 64) WHERE holder = $1", table.mum.id
    )
    assert (await table.ask(table.dad, "agreements", plan=plan["plan"]))["broken"] == 2


async def test_a_parent_without_authority_learns_that_agreements_hold_and_not_who_agreed(table: Table) -> None:
    plan = await table.consulted()
    await table.agree(table.mum, plan)
    await table.disagree(table.dad, plan)
    theirs = await table.ask(table.stepdad, "agreements", plan=plan["plan"])
    assert (theirs["answers"], theirs["said_shown"], theirs["broken"]) == ([], False, 0)
    assert theirs["verified"] == len((await table.ask(table.mum, "agreements", plan=plan["plan"]))["answers"])


async def test_a_holder_agrees_to_the_text_that_was_read_and_to_no_other(table: Table) -> None:
    plan = await table.consulted()
    wrong = {**plan, "hash": "0" * 64}
    refused = await table.refused(table.mum, "agree-plan", **{k: wrong[k] for k in ("plan", "number", "hash")})
    assert refused.more["hash"] == plan["hash"]
    text = await table.written(plan)
    text["actions"][0]["what"] = "something else"
    await table.ask(table.teacher, "revise-plan", **text)
    late = await table.refused(table.mum, "agree-plan", **{k: plan[k] for k in ("plan", "number", "hash")})
    assert late.type is ProblemType.STALE_VERSION
    assert late.more["changes"][0]["fields"] == ["what"]


async def test_no_word_of_a_plan_leaves_in_events_or_stored_replies(table: Table) -> None:
    word = "canary-Zwaluw-4712"
    made = await table.ask(
        table.teacher, "draft-plan", "k1", about=table.child, outlook=word, actions=[table.action(word)]
    )
    await table.ask(table.coordinator, "consult-plan", "k2", plan=made["plan"], number=1)
    known = {name: made[name] for name in ("plan", "number", "hash")}
    no = await table.ask(table.dad, "disagree-plan", "k3", **known, reason=word)
    body = {"disagreement": no["disagreement"], "remedy": "mediation", "note": word}
    await table.ask(table.coordinator, "take-remedy", "k4", plan=made["plan"], number=1, **body)
    text = await table.written(made)
    text["actions"][0]["what"] = f"{word} more"
    await table.ask(table.teacher, "revise-plan", "k5", **text, why=word)
    await table.ask(table.coordinator, "close-plan", "k6", plan=made["plan"], number=2, reason=word)
    shown = json.dumps(await table.shown(made))
    assert shown.count(word) == 6
    replies = await table.desk.rows("SELECT reply FROM idempotency")
    assert len(replies) == 6
    for leaf in (await table.desk.told(), replies):
        assert word not in json.dumps(leaf)
