"""What tools ask, on real servers: every refusal stands beside the same request when it is in order."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import nats.errors
import pytest

from deploy.topology import SERVICES, TOOLS_ASK, service_permissions
from services.gate.allowed import CALLS
from services.gate.arriving import Arrival
from services.gate.calling import LARGEST_BODY, Received
from services.gate.contract import ANSWERS
from services.gate.model import pseudonym
from services.gate.rates import Limits
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind
from shared.nats_jwt import claims_of
from tests.gate.door.support import Office, user
from tests.gate.door.world import Json, World, ask, login_of, problem
from tests.support.tools import Tool, connect_tool, user_credentials, want

CHILD, GOAL, TEACHER = uuid4(), uuid4(), uuid4()


async def reasons(office: Office) -> list[str]:
    """Returns why the gate itself refused, oldest first."""
    return [str(event.act.reason) for event in await office.told() if event.type.endswith("access.denied.v1")]


async def test_a_tool_asks_in_its_own_ids_and_is_answered_in_them(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    child, goal = await world.tell(world.office.tool, CHILD, CHILD, GOAL)
    score = uuid4()
    world.goals.answer = lambda _, body: {"ok": {"scores": [str(score)], "goal": body["goal"], "note": body["note"]}}
    reply = await ask(tool, "goals.score-goal", {"goal": goal, "level": 1, "note": "left at 9"}, Idempotency_Key="k-1")
    (name, body, headers, actor) = world.goals.asked[0]
    assert (name, body) == (
        "cmd score-goal",
        {"goal": str(GOAL), "level": 1, "note": "left at 9", "purpose": "local_tool"},
    )
    assert (actor.id, actor.kind, actor.door, actor.on_behalf_of) == (world.office.tool, ActorKind.TOOL, "gate", None)
    assert headers["Idempotency-Key"] == "k-1"
    assert 0 < int(headers["Deadline"]) / 1000 - time.time() <= 4
    assert reply["ok"]["goal"] == goal
    (told,) = reply["ok"]["scores"]
    assert told not in {str(score), child}
    # What it was just told it can name, and it is kept with the child that it is about.
    world.goals.answer = lambda _, body: {"ok": body}
    assert (await ask(tool, "goals.correct-score", {"score": told}))["ok"]["score"] == told
    assert world.goals.asked[1][1]["score"] == str(score)
    rows = await world.office.rows("SELECT about FROM pseudonym WHERE ours = $1", score)
    assert [row["about"] for row in rows] == [CHILD]


async def test_a_query_needs_no_key_and_every_call_of_the_list_reaches_its_service(world: World) -> None:
    tool = await world.plug_in(
        world.office.tool, categories=["goals", "plan", "conversations", "observations", "care", "expectations"]
    )
    for service, name in CALLS:
        assert (await ask(tool, f"{service}.{name}"))["ok"]["purpose"] == "local_tool"
    assert {name for name, *_ in world.goals.asked} == {f"{call.kind} {name}" for (_, name), call in CALLS.items()}
    assert all("Idempotency-Key" not in headers for name, _, headers, _ in world.goals.asked if name[:3] == "qry")


async def test_what_an_answer_tells_of_a_child_is_known_to_be_there(world: World) -> None:
    """Else nothing would ever be told to be deleted of what a tool only asked for."""
    tool = await world.plug_in(world.office.tool)
    child, goal = await world.tell(world.office.tool, CHILD, CHILD, GOAL)
    await ask(tool, "goals.score-goal", {"goal": goal, "level": 1})
    world.goals.answer = lambda *_: {"problem": {"type": "forbidden", "title": "No", "detail": "no"}}
    await ask(tool, "goals.goals-of-child", {"child": child})
    assert await world.office.rows("SELECT * FROM holding") == []
    world.goals.answer = lambda *_: {"ok": {"goals": []}}
    await ask(tool, "goals.goals-of-child", {"child": child})
    (row,) = await world.office.rows("SELECT tool, about, category FROM holding")
    assert (row["tool"], row["about"], row["category"]) == (world.office.tool, CHILD, "goals")


async def test_what_is_no_purpose_is_the_services_to_refuse_and_alarms_nobody(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    strange: object
    for strange in ([], {}, None, 7, "nothing"):
        assert (await ask(tool, "goals.goal", {"purpose": strange}))["ok"]["purpose"] == strange


UNLISTED = [
    *("goals.propose-goal", "goals.agree-plan", "goals.erasure-preview", "goals.export-child", "goals.remind-plans"),
    *("network.add-member", "network.give-consent", "network.child-network", "network.find-person"),
    *("audit.who-looked", "audit.tail", "notifications.inbox", "nobody.nothing"),
    *("gate.register-tool", "gate.issue-login", "gate.tools", "gate.hold-tool"),
]


async def test_what_is_not_on_the_list_is_not_there(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    for subject in UNLISTED:
        assert problem(await ask(tool, subject)) == ("not_found", None), subject
    assert world.goals.asked == []
    assert "ok" in await ask(tool, "goals.goal")


def test_the_gates_login_may_ask_the_platform_what_tools_may_and_nothing_else() -> None:
    listed = {f"{call.kind}.*.{service}.{name}" for (service, name), call in CALLS.items()}
    assert listed == set(TOOLS_ASK)
    (gate,) = (one for one in SERVICES if one.name == "gate")
    may = {one for one in service_permissions(gate).publish if one.startswith(("cmd.", "qry."))}
    assert may == listed


async def test_two_tools_share_no_id_and_anothers_names_nobody(world: World) -> None:
    """The other's pseudonym, a real id and noise go the same way: as an id that is nowhere, to the service."""
    tool, other = await world.plug_in(world.office.tool), await world.plug_in(world.office.other_tool)
    (mine,) = await world.tell(world.office.tool, CHILD, GOAL)
    (others,) = await world.tell(world.office.other_tool, CHILD, GOAL)
    assert mine != others
    assert (await ask(tool, "goals.goal", {"goal": mine}))["ok"]["goal"] == mine
    assert (await ask(other, "goals.goal", {"goal": others}))["ok"]["goal"] == others
    for wrong in (others, str(GOAL), GOAL.hex, f"urn:uuid:{GOAL}", str(uuid4())):
        await ask(tool, "goals.goal", {"goal": wrong})
        asked_for = UUID(world.goals.asked[-1][1]["goal"])
        assert asked_for not in {GOAL, UUID(mine), UUID(others)}
        await ask(tool, "goals.goal", {"goal": wrong})
        assert UUID(world.goals.asked[-1][1]["goal"]) == asked_for  # a retry is the same request


async def test_a_problem_comes_back_as_it_is_with_its_ids_mapped(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    (goal,) = await world.tell(world.office.tool, CHILD, GOAL)
    refusal = {"type": "conflict", "title": "Not possible", "detail": "no", "membership": str(TEACHER), "version": 3}
    world.goals.answer = lambda *_: {"problem": refusal}
    reply = await ask(tool, "goals.score-goal", {"goal": goal})
    (row,) = await world.office.rows("SELECT secret FROM tool")
    assert reply == {"problem": refusal | {"membership": str(pseudonym(row["secret"], TEACHER))}}


async def test_purpose_and_category_are_those_of_the_registration(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    assert (await ask(tool, "goals.goal", {"purpose": "local_tool"}))["ok"]["purpose"] == "local_tool"
    assert problem(await ask(tool, "goals.goal", {"purpose": "guidance"})) == ("forbidden", "beyond_registration")
    assert problem(await ask(tool, "goals.plan")) == ("forbidden", "beyond_registration")
    assert len(world.goals.asked) == 1
    assert await reasons(world.office) == ["beyond_registration"] * 2
    await ask(tool, "goals.goal", {"purpose": "because"})  # no purpose at all: the service says so
    assert world.goals.asked[-1][1]["purpose"] == "because"


async def test_malformed_oversized_and_late_requests_are_refused_where_they_arrive(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    for wrong in (b"", b"{", b"\xff\xfe{}", b"{'a': 1}", b"[" * 5000, b'{"a": NaN}', b"{}{}"):
        assert problem(await ask(tool, "goals.goal", wrong)) == ("invalid", None)
    past = str(int(time.time() * 1000) - 1)
    assert problem(await ask(tool, "goals.goal", {}, Deadline=past)) == ("unavailable", None)
    assert world.goals.asked == []
    large = json.dumps({"note": "x" * 60_000}).encode()
    assert "ok" in await ask(tool, "goals.goal", large)
    with pytest.raises((nats.errors.Error, TimeoutError, OSError)):  # the server itself, by the account's limit
        await ask(tool, "goals.goal", json.dumps({"note": "x" * 70_000}).encode(), timeout=0.5)


async def test_a_command_without_a_sound_key_goes_without_one(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    for key in ("", "x" * 101, "a b", "a/b"):
        await ask(tool, "goals.score-goal", {}, Idempotency_Key=key)
        assert "Idempotency-Key" not in world.goals.asked[-1][2]
    await ask(tool, "goals.score-goal", {}, Idempotency_Key="sound")
    assert world.goals.asked[-1][2]["Idempotency-Key"] == "sound"


async def test_a_retry_with_its_key_is_the_same_request_to_the_service(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    (goal,) = await world.tell(world.office.tool, CHILD, GOAL)
    body = {"goal": goal, "other": str(uuid4()), "level": 1}
    made = uuid4()
    world.goals.answer = lambda *_: {"ok": {"scores": [str(made)]}}
    first = await ask(tool, "goals.score-goal", body, Idempotency_Key="again")
    assert await ask(tool, "goals.score-goal", body, Idempotency_Key="again") == first
    asked = [(name, body, headers["Idempotency-Key"]) for name, body, headers, _ in world.goals.asked]
    assert asked[0] == asked[1]


async def test_forged_headers_and_chosen_replies_get_nowhere(world: World) -> None:
    tool, other = await world.plug_in(world.office.tool), await world.plug_in(world.office.other_tool)
    forged = json.dumps({"acc": other.account, "user": "U" + "A" * 55})
    await ask(tool, "goals.goal", {}, Nats_Request_Info=forged, Authorization="Bearer x", traceparent="no")
    assert world.goals.asked[-1][3].id == world.office.tool
    assert world.goals.asked[-1][2].get("traceparent") is None
    before = len(world.goals.asked)
    for reply in ("in.goals.goal", "$JS.API.STREAM.LIST", "out.x", f"in.{other.account}.goals.goal"):
        await tool.client.publish("in.goals.goal", b"{}", reply=reply)
    await tool.client.publish("in.goals.goal", b"{}")  # nobody waits
    await tool.client.publish(f"in.{other.account}.goals.goal", b"{}")
    await tool.client.flush()
    await ask(other, "goals.goal", {})
    assert {one[3].id for one in world.goals.asked[before:]} <= {world.office.tool, world.office.other_tool}
    names = [one[3].id for one in world.goals.asked[before:]]
    assert names.count(world.office.other_tool) == 1  # its own request: nobody asked in its name


async def raw(tool: Tool, subject: str, headers: list[str], data: bytes = b"{}") -> Json:
    """Asks with header lines as they are: a library would not write one twice."""
    listening = await tool.client.subscribe(tool.client.new_inbox())
    head = "".join(f"{line}\r\n" for line in ["NATS/1.0", *headers, ""]).encode()
    sizes = f"{len(head)} {len(head) + len(data)}"
    await tool.client._send_command(f"HPUB {subject} {listening.subject} {sizes}\r\n".encode() + head + data + b"\r\n")
    await tool.client.flush()
    found: Json = json.loads((await listening.next_msg(10)).data)
    await listening.unsubscribe()
    return found


async def test_a_header_forged_once_or_more_is_still_the_servers_word(world: World) -> None:
    """The server puts its own in the place of one: whatever else of that name came along must not count."""
    tool, other = await world.plug_in(world.office.tool), await world.plug_in(world.office.other_tool)
    assert problem(await raw(tool, "in.goals.goal", ["Deadline: 1"])) == ("unavailable", None)  # they arrive
    info = json.dumps({"acc": other.account, "user": "U" + "A" * 55})
    for lines in ([f"Nats-Request-Info: {info}"] * n for n in (1, 2, 3)):
        for headers in (lines, [*lines, "X: 1"], ["X: 1", *lines], [*lines, f"nats-request-info: {info}"]):
            assert "ok" in await raw(tool, "in.goals.goal", headers)
            assert world.goals.asked[-1][3].id == world.office.tool


async def test_a_tools_trace_goes_on_and_the_gate_decides_whether_it_is_kept(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    trace = f"00-{'ab' * 16}-{'cd' * 8}-01"
    world.door.traced = 0.0
    await ask(tool, "goals.goal", {}, traceparent=trace)
    assert world.goals.asked[-1][2]["traceparent"] == trace[:-1] + "0"


async def test_acting_for_a_person_takes_a_doors_token_for_that_person(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    person = uuid4()
    assert "ok" in await ask(tool, "goals.goal", {}, On_Behalf_Of=f"Bearer {world.behalf(person)}")
    actor = world.goals.asked[-1][3]
    assert (actor.id, actor.kind, actor.on_behalf_of) == (world.office.tool, ActorKind.TOOL, person)
    await ask(tool, "goals.goal", {})
    assert world.goals.asked[-1][3].on_behalf_of is None
    lies = [
        "Bearer x.y.z",
        world.behalf(person, school="elsewhere"),
        world.behalf(person, kind=ActorKind.OPERATOR),
        world.behalf(person, key="goals"),
        world.behalf(person, key="gate", kind=ActorKind.TOOL),
        world.behalf(person, on_behalf_of=uuid4()),
        "",
    ]
    for lie in lies:
        assert problem(await ask(tool, "goals.goal", {}, On_Behalf_Of=lie)) == ("forbidden", "behalf_not_proven")
    assert len(world.goals.asked) == 2
    assert await reasons(world.office) == ["behalf_not_proven"] * len(lies)


@pytest.mark.parametrize("how", ["pause-tool", "remove-tool", "end"])
async def test_a_tool_that_is_not_active_is_refused_before_its_slot_is_cut(world: World, how: str) -> None:
    """What its slot does is the provisioner's; here the imports still stand, and the gate refuses by itself."""
    tool, other = await world.plug_in(world.office.tool), await world.plug_in(world.office.other_tool)
    assert "ok" in await ask(tool, "goals.goal")
    if how == "end":
        async with world.office.db.school(world.office.school) as conn:
            past = datetime.now(UTC) - timedelta(seconds=1)
            await conn.execute("UPDATE tool SET ends_at = $1 WHERE id = $2", past, world.office.tool)
    else:
        await world.office.ask(how, world.office.keeper, version=1)
    for name in ("goals.goal", "gate.renew"):
        assert problem(await ask(tool, name)) == ("forbidden", "tool_not_active")
    assert "ok" in await ask(other, "goals.goal")
    assert await reasons(world.office) == ["tool_not_active"] * 2


async def test_a_paused_slot_is_heard_no_more_and_comes_back(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    world.slots[tool.account] = "paused"
    await want(world.gate, world.slots)
    with pytest.raises(nats.errors.NoRespondersError):
        await ask(tool, "goals.goal")
    world.slots[tool.account] = "live"
    await want(world.gate, world.slots)
    assert "ok" in await ask(tool, "goals.goal")


async def test_a_replaced_login_asks_and_renews_no_more(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    assert "ok" in await ask(tool, "goals.goal")
    creds = user_credentials(world.servers.keys, tool.account, world.folder)
    await world.office.ask("issue-login", world.office.keeper, user_key=login_of(creds))
    newer = await connect_tool(world.servers.nats_url, creds, tool.account)
    world.clients.append(newer.client)
    for name in ("goals.goal", "gate.renew"):
        assert problem(await ask(tool, name)) == ("forbidden", "login_replaced")
    assert "ok" in await ask(newer, "goals.goal")
    assert await reasons(world.office) == ["login_replaced"] * 2


async def test_a_tool_renews_its_login_and_nobody_elses(world: World) -> None:
    tool, other = await world.plug_in(world.office.tool), await world.plug_in(world.office.other_tool)
    for one in (tool, other):
        renewed = (await ask(one, "gate.renew"))["ok"]
        assert renewed.keys() == ANSWERS["renew"].keys()
        claims = claims_of(renewed["jwt"])
        assert (claims["nats"]["issuer_account"], claims["sub"]) == (one.account, renewed["login"])
        assert 3500 < claims["exp"] - time.time() <= 3600
    logins = [claims_of((await ask(one, "gate.renew"))["ok"]["jwt"])["sub"] for one in (tool, other)]
    assert len(set(logins)) == 2
    assert problem(await ask(tool, "gate.renew", {"login": logins[1]})) == ("invalid", None)


async def test_the_gates_own_answer_names_a_tool_by_no_id_of_ours(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    assert str(world.office.tool) not in json.dumps(await ask(tool, "gate.renew"))


async def test_a_service_that_is_away_or_slow_is_unavailable(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    world.goals.slow_s = 0.4
    soon = str(int(time.time() * 1000) + 200)
    assert problem(await ask(tool, "goals.goal", {}, Deadline=soon)) == ("unavailable", None)
    world.goals.slow_s = 0.0
    assert "ok" in await ask(tool, "goals.goal", {})


# Limits ---------------------------------------------------------------------------------------------------------------


class TestLimited:
    """With a bucket of ten."""

    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(per_s=5, burst=10, under_way=100, flood=300)

    async def test_beyond_its_rate_a_tool_is_told_when_to_come_again_and_others_are_served(self, world: World) -> None:
        tool, other = await world.plug_in(world.office.tool), await world.plug_in(world.office.other_tool)
        replies: list[Any] = [await ask(tool, "goals.goal") for _ in range(14)]
        limited = [one["problem"] for one in replies if "problem" in one]
        assert {one["type"] for one in limited} == {"rate_limited"}
        assert 2 <= len(limited) <= 4
        assert all(0 < one["retry_after_s"] <= 0.5 for one in limited)
        assert "ok" in await ask(other, "goals.goal")
        await asyncio.sleep(limited[-1]["retry_after_s"] + 0.05)
        assert "ok" in await ask(tool, "goals.goal")

    async def test_a_flooder_is_cut_off_once_and_others_are_answered_throughout(self, world: World) -> None:
        tool, other = await world.plug_in(world.office.tool), await world.plug_in(world.office.other_tool)

        async def flood() -> None:
            for _ in range(40):
                for _ in range(100):
                    await tool.client.publish("in.goals.goal", b"{}" * 500, reply=f"{tool.client.new_inbox()}")
                await tool.client.flush()

        flooding = asyncio.create_task(flood())
        answered = [await ask(other, "goals.goal") for _ in range(8)]
        await flooding
        assert all("ok" in one for one in answered)
        assert [one.id for one in world.cut] == [world.office.tool]
        with pytest.raises(nats.errors.NoRespondersError):
            await ask(tool, "goals.goal", timeout=2)
        assert sum(one[3].id == world.office.tool for one in world.goals.asked) <= 40


async def test_a_tool_that_came_a_moment_ago_is_found(world: World) -> None:
    tool = await world.plug_in(world.office.tool)
    world.door.registry.tools = {}
    assert "ok" in await ask(tool, "goals.goal")


async def test_an_account_that_is_no_tools_is_forbidden_everything(world: World) -> None:
    account = world.office.slots.accounts[1]
    world.slots[account] = "live"
    await want(world.gate, world.slots)
    creds = user_credentials(world.servers.keys, account, world.folder)
    nobody = await connect_tool(world.servers.nats_url, creds, account)
    world.clients.append(nobody.client)
    for name in ("goals.goal", "gate.renew"):
        assert problem(await ask(nobody, name)) == ("forbidden", None)
    assert world.goals.asked == []


async def test_the_gate_bounds_a_body_by_itself_too(world: World) -> None:
    """The account's limit stops it before; the gate does not rely on that."""
    tool = await world.plug_in(world.office.tool)
    known = world.door.registry.tools[tool.account]
    asked = Arrival(tool.account, user(1), "goals", "goal")
    with pytest.raises(Problem) as refused:
        await world.door.calls.answer(known, asked, Received(b" " * (LARGEST_BODY + 1), {}, None, 4.0, 0.0))
    assert refused.value.type is ProblemType.TOO_LARGE
