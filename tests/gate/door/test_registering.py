"""A tool's registration: who may, what must be in order, and that a slot serves one tool only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from pydantic import ValidationError

from services.gate.minding import END, HOLD, mind_tool
from services.gate.slots import wanted_state
from shared.actor import Actor
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.gate import LoginIssued, ToolPaused, ToolRegistered, ToolRemoved
from shared.events.words import ActorKind, Basis
from shared.unit import Asked, Endpoint
from tests.gate.door.support import Office, PaperSlots, account, user


async def refused(office: Office, name: str, actor: Actor, **body: object) -> Problem:
    with pytest.raises(Problem) as found:
        await office.ask(name, actor, **body)
    return found.value


async def test_a_keeper_of_records_registers_a_tool_and_the_log_says_so(office: Office) -> None:
    made = await office.register(ends_on="2199-01-01", types=["nl.samenkracht.goals.score.recorded.v1"])
    assert made == {"tool": str(office.tool), "version": 1, "state": "active", "account": account(0)}
    (event,) = await office.told()
    fact = event.fact(ToolRegistered)
    assert (event.about, event.thing, event.act.actor) == (office.subject, office.tool, office.keeper.id)
    assert (fact.tool, fact.purpose, list(fact.categories)) == (office.tool, "local_tool", ["goals", "observations"])
    assert b"Leesapp" not in event.raw
    assert b"VO-2026-14" not in event.raw
    (row,) = await office.rows("SELECT secret, label, ends_at FROM tool")
    assert (len(row["secret"]), row["label"]) == (64, "Leesapp")
    assert row["ends_at"] == datetime(2198, 12, 31, 23, tzinfo=UTC)


async def test_nobody_else_manages_tools_and_every_refusal_is_a_line(office: Office) -> None:
    await office.register()
    calls: dict[str, dict[str, object]] = {
        "register-tool": {
            "tool": office.other_tool,
            "label": "x",
            "for_purpose": "local_tool",
            "categories": ["goals"],
            "agreement": "y",
        },
        "pause-tool": {"version": 1},
        "resume-tool": {"version": 1},
        "remove-tool": {"version": 1},
        "issue-login": {"user_key": user(1)},
    }
    for name, body in calls.items():
        for actor in (office.teacher, office.stranger, office.as_tool(), office.gate):
            assert (await refused(office, name, actor, **body)).type is ProblemType.FORBIDDEN
    assert await office.names() == ["tool.registered", *["access.denied"] * 4 * len(calls)]
    # The control: the keeper may, all of it.
    await office.ask("pause-tool", office.keeper, version=1)


async def test_only_what_network_took_in_as_a_tool_is_registered(office: Office) -> None:
    """Else a tool could be given a person's id, and with it the person's grants."""
    for stranger in (uuid4(), office.teacher.id):
        problem = await refused(
            office, "register-tool", office.keeper, tool=stranger, label="x", for_purpose="local_tool",
            categories=["goals"], agreement="y",
        )  # fmt: skip
        assert (problem.type, problem.more["code"]) == (ProblemType.CONFLICT, "not_a_tool")
    assert (await office.register())["tool"] == str(office.tool)


@pytest.mark.parametrize(
    "wrong",
    [
        {"for_purpose": "oversight"},
        {"for_purpose": "because"},
        {"categories": []},
        {"categories": ["log"]},
        {"categories": ["goals", "network"]},
        {"types": ["nl.samenkracht.goals.goal.eaten.v1"]},
        {"types": ["nl.samenkracht.network.access.changed.v1"]},
        {"agreement": " "},
        {"channel": "pigeon"},
        {"secret": "mine"},
    ],
    ids=str,
)
async def test_what_is_not_in_order_is_invalid(office: Office, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        await office.register(**wrong)


async def test_a_registration_that_is_over_before_it_begins_is_refused(office: Office) -> None:
    with pytest.raises(Problem, match="over already"):
        await office.register(ends_on="2020-01-01")


async def test_about_must_be_the_school_itself(office: Office) -> None:
    child = uuid4()
    async with office.db.school(office.school) as conn:
        await conn.execute(
            "INSERT INTO access SELECT school, $2, version, grants, epoch, seq FROM access WHERE id = $1",
            office.subject,
            child,
        )
    await office.register()
    for name, body in (("pause-tool", {"version": 1}), ("tools", {}), ("tool", {})):
        problem = await refused(office, name, office.keeper, about=child, **body)
        assert (problem.type, problem.more["field"]) == (ProblemType.INVALID, "about")


async def test_a_slot_serves_one_tool_ever_also_across_schools_and_races(gate_db: Database) -> None:
    slots = PaperSlots([account(n) for n in range(5)])
    offices = [Office(gate_db, f"race-{n}", slots) for n in range(3)]
    for one in offices:
        await one.settle()
    made = await asyncio.gather(*(one.register() for one in offices), *(
        one.register(tool=one.other_tool) for one in offices[:2]
    ))  # fmt: skip
    assert len({one["account"] for one in made}) == 5
    with pytest.raises(Problem) as none_left:
        await offices[2].register(tool=offices[2].other_tool)
    assert (none_left.value.type, none_left.value.more["code"]) == (ProblemType.CONFLICT, "no_slot")
    # A removed tool's slot is not handed out again.
    await offices[0].ask("remove-tool", offices[0].keeper, version=1)
    with pytest.raises(Problem, match="no slot is free"):
        await offices[2].register(tool=offices[2].other_tool)
    # A tool without NATS needs none.
    hooked = await offices[2].register(tool=offices[2].other_tool, channel="webhook")
    assert hooked["account"] is None


async def test_before_it_is_heard_which_slots_are_free_nobody_is_told_that_none_is(office: Office) -> None:
    accounts, office.slots.accounts, office.slots.known = office.slots.accounts, [], False
    with pytest.raises(Problem, match="not known yet") as refused_:
        await office.register()
    assert refused_.value.type is ProblemType.UNAVAILABLE
    office.slots.accounts, office.slots.known = accounts, True
    assert (await office.register())["account"] == account(0)


async def test_a_tool_never_changes_its_slot_and_nobody_gives_one_back(office: Office) -> None:
    await office.register()
    for sql in (
        f"UPDATE tool SET account = '{account(3)}'",
        "UPDATE tool SET account = NULL",
        "DELETE FROM slot_taken",
        "UPDATE slot_taken SET account = ''",
    ):
        with pytest.raises((asyncpg.DataError, asyncpg.InsufficientPrivilegeError)):
            await office.rows(sql)


async def test_a_tool_is_paused_resumed_and_removed_once_each(office: Office) -> None:
    await office.register()
    keeper = office.keeper
    assert (await refused(office, "resume-tool", keeper, version=1)).more["state"] == "active"
    assert (await refused(office, "pause-tool", keeper, version=7)).type is ProblemType.STALE_VERSION
    assert (await office.ask("pause-tool", keeper, version=1, reason="exam_week"))["state"] == "paused"
    assert (await refused(office, "pause-tool", keeper, version=2)).more["state"] == "paused"
    assert (await office.ask("resume-tool", keeper, version=2))["state"] == "active"
    (before,) = await office.rows("SELECT secret FROM tool")
    assert (await office.ask("remove-tool", keeper, version=3))["state"] == "removed"
    (after,) = await office.rows("SELECT secret FROM tool")
    assert before != after  # what it knew ids as can't be made again
    for name in ("pause-tool", "resume-tool", "remove-tool"):
        assert (await refused(office, name, keeper, version=4)).more["state"] == "removed"
    with pytest.raises(Problem, match="was removed"):
        await office.register()
    assert await office.names() == ["tool.registered", "tool.paused", "tool.resumed", "tool.removed"]
    assert (await office.told())[1].fact(ToolPaused).reason == "exam_week"
    missing = await refused(office, "pause-tool", keeper, tool=office.other_tool, version=1)
    assert (missing.type, missing.more["field"]) == (ProblemType.INVALID, "tool")


async def test_a_retry_with_its_key_gives_the_same_and_hands_out_nothing_more(office: Office) -> None:
    first = await office.register(office.keeper, "k1")
    assert await office.register(office.keeper, "k1") == first
    assert await office.names() == ["tool.registered"]
    login = await office.ask("issue-login", office.keeper, "k2", user_key=user(1))
    assert await office.ask("issue-login", office.keeper, "k2", user_key=user(1)) == login
    assert await office.names() == ["tool.registered", "login.issued"]


async def test_no_answer_and_no_event_holds_a_secret(office: Office) -> None:
    answers: list[object] = [await office.register()]
    (row,) = await office.rows("SELECT secret FROM tool")
    answers.append(await office.ask("issue-login", office.keeper, user_key=user(1)))
    answers += [await office.ask("tools", office.teacher), await office.ask("tool", office.keeper)]
    assert row["secret"] not in str(answers)
    assert "secret" not in str(answers)
    assert all(row["secret"].encode() not in event.raw for event in await office.told())


async def test_who_takes_part_in_the_school_sees_its_tools_and_a_stranger_none(office: Office) -> None:
    await office.register()
    await office.register(tool=office.other_tool)
    await office.ask("remove-tool", office.keeper, tool=office.other_tool, version=1)
    (shown,) = (await office.ask("tools", office.teacher))["tools"]
    assert (shown["id"], shown["label"], shown["seq"], shown["acked"]) == (str(office.tool), "Leesapp", 0, 0)
    assert len((await office.ask("tools", office.teacher, removed=True))["tools"]) == 2
    one = await office.ask("tool", office.teacher)
    assert (one["account"], one["login"], one["agreement"]) == (account(0), None, "VO-2026-14")
    for name in ("tools", "tool"):
        assert (await refused(office, name, office.stranger)).type is ProblemType.FORBIDDEN
    assert (await office.names())[3:] == ["access.viewed"] * 3 + ["access.denied"] * 2


async def test_a_tool_of_another_school_is_not_there(gate_db: Database, office: Office) -> None:
    await office.register()
    other = Office(gate_db, f"{office.school[:20]}-2")
    await other.settle()
    assert (await other.ask("tools", other.keeper))["tools"] == []
    problem = await refused(other, "pause-tool", other.keeper, tool=office.tool, version=1)
    assert (problem.type, problem.more["field"]) == (ProblemType.INVALID, "tool")
    assert (await refused(other, "pause-tool", office.keeper, version=1)).type is ProblemType.FORBIDDEN


# Logins ---------------------------------------------------------------------------------------------------------------


async def test_a_login_is_signed_by_the_tools_own_slot_for_an_hour_at_most(office: Office) -> None:
    await office.register()
    made = await office.ask("issue-login", office.keeper, user_key=user(1))
    ((slot, login, issued, expires),) = office.slots.signed
    assert (slot, login, made["login"]) == (account(0), user(1), user(1))
    assert expires - issued in {3599, 3600}
    assert made["expires_at"] == datetime.fromtimestamp(expires, UTC).isoformat()
    fact = (await office.told())[-1].fact(LoginIssued)
    assert (fact.login, fact.renewed) == (user(1), False)


async def test_a_login_never_outlives_the_registration(office: Office) -> None:
    await office.register(ends_on="2199-01-01")
    async with office.db.school(office.school) as conn:
        await conn.execute("UPDATE tool SET ends_at = clock_timestamp() + interval '10 minutes'")
    await office.ask("issue-login", office.keeper, user_key=user(1))
    _, _, issued, expires = office.slots.signed[0]
    assert 590 <= expires - issued <= 600
    async with office.db.school(office.school) as conn:
        await conn.execute("UPDATE tool SET ends_at = clock_timestamp() - interval '1 second'")
    problem = await refused(office, "issue-login", office.keeper, user_key=user(1))
    assert problem.more["state"] == "removed"


async def test_the_tool_renews_its_own_login_and_no_other_does(office: Office) -> None:
    await office.register()
    await office.ask("issue-login", office.keeper, user_key=user(1))
    again = await office.ask("renew", office.as_tool(), login=user(1))
    assert again["jwt"] == f"jwt:{':'.join(map(str, office.slots.signed[0]))}"  # so soon it is the same
    assert await office.names() == ["tool.registered", "login.issued"]
    async with office.db.school(office.school) as conn:
        await conn.execute("UPDATE tool_login SET issued_at = issued_at - interval '40 minutes'")
    await office.ask("renew", office.as_tool(), login=user(1))
    renewed = (await office.told())[-1]
    assert (renewed.fact(LoginIssued).renewed, renewed.act.basis, renewed.act.actor) == (
        True,
        Basis.OWN_DATA,
        office.tool,
    )
    assert (await refused(office, "renew", office.as_tool(), login=user(2))).type is ProblemType.FORBIDDEN
    await office.ask("issue-login", office.keeper, user_key=user(2))
    assert (await refused(office, "renew", office.as_tool(), login=user(1))).type is ProblemType.FORBIDDEN
    assert (await office.ask("renew", office.as_tool(), login=user(2)))["login"] == user(2)


async def test_each_login_is_signed_by_the_next_key_and_by_none_that_lets_in_a_former_one(office: Office) -> None:
    """A slot is live by one key: what the others signed is cut. One that signed less than an hour ago is not free."""
    await office.register()
    made = [await office.ask("issue-login", office.keeper, user_key=user(n)) for n in range(office.slots.has)]
    assert [one["key"] for one in made] == office.slots.by == [0, 1, 2]
    assert [event.fact(LoginIssued).key for event in (await office.told())[1:]] == [0, 1, 2]
    await office.change_login("issued_at = issued_at - interval '1 minute'")
    await office.ask("renew", office.as_tool(), login=user(2))
    assert office.slots.by == [0, 1, 2, 2], "renewed by the same key"
    problem = await refused(office, "issue-login", office.keeper, user_key=user(3))
    assert (problem.type, problem.more["until"]) == (ProblemType.CONFLICT, made[0]["expires_at"])
    await office.change_login("ends[1] = clock_timestamp()")
    assert (await office.ask("issue-login", office.keeper, user_key=user(3)))["key"] == 0


async def test_a_slot_of_one_key_gives_no_login_while_it_could_not_cut_the_former_one(office: Office) -> None:
    """As an older release signed them, and kept their logins without saying by which key."""
    office.slots.has = 1
    await office.register()
    await office.ask("issue-login", office.keeper, user_key=user(1))
    await office.change_login("ends = '{}'")
    assert (await refused(office, "issue-login", office.keeper, user_key=user(2))).more["code"] == "no_key"
    await office.change_login("expires_at = clock_timestamp()")
    assert (await office.ask("issue-login", office.keeper, user_key=user(2)))["key"] == 0


@pytest.mark.parametrize("how", ["pause-tool", "remove-tool"])
async def test_who_is_paused_or_removed_renews_no_login(office: Office, how: str) -> None:
    await office.register()
    await office.ask("issue-login", office.keeper, user_key=user(1))
    await office.ask(how, office.keeper, version=1)
    assert (await refused(office, "renew", office.as_tool(), login=user(1))).type is ProblemType.FORBIDDEN
    assert len(office.slots.signed) == 1
    assert (await office.told())[-1].act.reason == "tool_not_active"


async def test_a_paused_tools_login_is_replaced_before_it_goes_on_and_a_removed_one_gets_none(office: Office) -> None:
    await office.register()
    await office.ask("issue-login", office.keeper, user_key=user(1))
    await office.ask("pause-tool", office.keeper, version=1)
    assert (await office.ask("issue-login", office.keeper, user_key=user(2)))["key"] == 1
    assert wanted_state("paused", 1) == "paused", "it lets nobody further"
    await office.ask("resume-tool", office.keeper, version=2)
    (row,) = await office.rows("SELECT login, key FROM tool_login")
    assert (row["login"], wanted_state("active", row["key"])) == (user(2), "live-1"), "who had the former one is cut"
    assert (await refused(office, "renew", office.as_tool(), login=user(1))).type is ProblemType.FORBIDDEN
    await office.ask("remove-tool", office.keeper, version=3)
    assert (await refused(office, "issue-login", office.keeper, user_key=user(3))).more["state"] == "removed"


async def test_a_slot_whose_key_is_not_here_is_told(office: Office) -> None:
    await office.register()
    office.slots.accounts.clear()
    problem = await refused(office, "issue-login", office.keeper, user_key=user(1))
    assert problem.type is ProblemType.UNAVAILABLE
    assert "operator" in problem.detail


async def test_a_webhook_tool_needs_no_login(office: Office) -> None:
    await office.register(channel="webhook")
    assert (await refused(office, "issue-login", office.keeper, user_key=user(1))).more["channel"] == "webhook"


@pytest.mark.parametrize("key", ["", "U", user(1)[:-1], "A" + user(1)[1:], user(1) + "A", user(1).lower()])
async def test_what_is_no_user_key_is_invalid(office: Office, key: str) -> None:
    await office.register()
    with pytest.raises(ValidationError):
        await office.ask("issue-login", office.keeper, user_key=key)


# What the gate does of its own accord ---------------------------------------------------------------------------------


async def mind(office: Office, endpoint: Endpoint[Any], actor: Actor | None = None) -> Any:  # noqa: ANN401  JSON
    own, body = mind_tool(office.school, office.tool)
    return await office.unit.run(endpoint, Asked(actor or own, office.school, body, office.ids))


async def test_the_gate_pauses_a_flooder_and_removes_what_has_ended_and_nobody_else_may_so(office: Office) -> None:
    await office.register(ends_on="2199-01-01")
    for actor in (office.keeper, office.as_tool(), Actor(office.gate.id, ActorKind.PERSON, office.school, "samen")):
        for endpoint in (HOLD, END):
            with pytest.raises(Problem) as found:
                await mind(office, endpoint, actor)
            assert found.value.type is ProblemType.FORBIDDEN
    assert (await mind(office, HOLD))["state"] == "paused"
    with pytest.raises(Problem, match="not active"):
        await mind(office, HOLD)
    with pytest.raises(Problem, match="has not ended"):
        await mind(office, END)
    async with office.db.school(office.school) as conn:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await conn.execute("UPDATE tool SET ends_at = $1", past)
    assert (await mind(office, END))["state"] == "removed"
    held, ended = (await office.told())[-2:]
    assert (held.fact(ToolPaused).reason, held.act.basis) == ("flood", Basis.PUBLIC_TASK)
    assert (ended.fact(ToolRemoved).reason, ended.act.actor) == ("registration_ended", office.gate.id)
