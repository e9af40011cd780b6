"""A tool plugged in with `samen`, on the whole platform: from nothing to an answer, and to being cut off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import stat
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import nats.errors
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from deploy.samen.__main__ import app
from deploy.samen.tool import CUT, HELD
from services.gate.model import pseudonym
from shared.nats_jwt import claims_of, credentials
from tests.faults.books import at_rest
from tests.faults.cast import School, goal_for, open_school
from tests.faults.door import Door
from tests.faults.stage import Stage, private_servers, raised, until
from tests.gate.door.world import Json, ask, problem
from tests.support.servers import EmbeddedServers, Servers
from tests.support.tools import Tool, connect_tool

FRAMES = re.compile(r"[│┃┏┓┗┛━─┡┩┠┨└┘╇┳┴┬┼╭╮╰╯]")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    code: int
    out: str

    @property
    def words(self) -> str:
        """All that was printed, on one line, without the frames of tables."""
        return " ".join(FRAMES.sub(" ", self.out).split())


@dataclass(frozen=True)
class Cli:
    """The command `samen` in this process, for the platform of a stage; each acts at a keyboard of their own."""

    stage: Stage
    root: Path

    async def __call__(self, *words: str) -> Said:
        env = {
            "SAMEN_NATS_URL": self.stage.servers.nats_url,
            "SAMEN_KEYS": str(self.stage.servers.keys.root),
            "SAMEN_DIR": str(self.root),
            "COLUMNS": "240",
            "LOGNAME": next((who for option, who in pairwise(words) if option == "--as"), "operator"),
        }
        done = await asyncio.to_thread(CliRunner().invoke, app, list(words), env=env)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Said(done.exit_code, done.output)


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[EmbeddedServers]:
    with private_servers(servers) as made:
        made.keys.prepare_slots(3)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def samen(own: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cli]:
    root = tmp_path_factory.mktemp("tools")
    async with raised(own, root / "run", "tools") as stage:
        yield Cli(stage, root)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(samen: Cli) -> AsyncIterator[Door]:
    async with samen.stage.login("samen") as client:
        yield Door.of(samen.stage, client)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def school(door: Door) -> School:
    async def offered() -> bool:
        found = await door.client.request("ask.slots", b"{}", timeout=5)
        return bool(json.loads(found.data)["free"])

    await until(offered, 20, "the gate knows which slots are free")
    return await open_school(door, "de-brug", 2)


def who(school: School) -> tuple[str, ...]:
    return ("--school", school.slug, "--as", school.admin)


async def id_of(samen: Cli, school: School, name: str) -> str:
    said = await samen("tool", "list", *who(school), "--json", "--all")
    return next(str(one["id"]) for one in json.loads(said.out)["tools"] if one["label"] == name)


async def connect(stage: Stage, creds: Path) -> Tool:
    account = claims_of(creds.read_text().splitlines()[1])["nats"]["issuer_account"]
    return await connect_tool(stage.servers.nats_url, creds, account)


async def test_wrong_input_is_refused_with_what_to_do_and_leaves_no_file(
    samen: Cli, school: School, tmp_path: Path
) -> None:
    creds = tmp_path / "app.creds"
    base = ("tool", "add", "App", "--agreement", "VO-1", "--creds", str(creds))
    kid = ("--child", school.kids[0].child)
    wrong = {
        "there is no school elders": (*base, *kid, "--category", "goals", "--school", "elders", "--as", school.admin),
        "one of the two": (*base, "--category", "goals", *who(school)),
        "consent can't give": (*base, *kid, "--category", "log", *who(school)),
        "no event that goes out": (
            *base, "--category", "goals", "--type", "x.y", "--member", str(uuid4()), *who(school),
        ),
        "not known here as a local tool": (*base, "--category", "goals", "--member", str(uuid4()), *who(school)),
        "may not do this": (
            *base, *kid, "--category", "goals", "--school", school.slug, "--as", school.kids[0].teacher,
        ),
    }  # fmt: skip
    for words, command in wrong.items():
        said = await samen(*command)
        assert (said.code, words in said.words) == (1, True), said
        assert not creds.exists()
    said = await samen(*base, *kid, "--category", "shoes", *who(school))
    assert (said.code, "shoes" in said.words, creds.exists()) == (2, True, False), said
    creds.write_text("mine")
    said = await samen(*base, *kid, "--category", "goals", *who(school))
    assert (said.code, "not written over" in said.words, creds.read_text()) == (1, True, "mine")
    for verb in ("show", "pause", "resume", "remove"):
        sure = ("--yes",) if verb == "remove" else ()
        said = await samen("tool", verb, str(uuid4()), *who(school), *sure)
        assert (said.code, "no such tool is registered here" in said.words) == (1, True), said


async def consented(door: Door, school: School, tool: str, kid: int = 0) -> None:
    """Has both parents consent that the tool gets goals and scores of a child."""
    child = school.kids[kid]
    body: dict[str, Any] = {
        "child": child.child,
        "recipient": tool,
        "recipient_kind": "member",
        "for_purpose": "local_tool",
        "categories": ["goals", "observations"],
        "notice_version": 1,
    }
    for parent in (child.mum, child.dad):
        await door.must(school.slug, "network.give-consent", door.person(parent, school.slug), **body)


async def active_goal(door: Door, school: School, kid: int = 0) -> str:
    child = school.kids[kid]
    made = await door.must(
        school.slug, "goals.propose-goal", door.person(child.teacher, school.slug), **goal_for(child)
    )
    for who_, step, version in ((child.mum, "accept", 1), (child.teacher, "activate", 2)):
        actor = door.person(who_, school.slug)
        await door.must(school.slug, f"goals.{step}-goal", actor, goal=made["goal"], version=version)
    return str(made["goal"])


async def told(stage: Stage, tool: str, about: str, *ours: str) -> list[str]:
    """Makes it so that a tool was told of these ids, as a put-out does; returns what it knows them as."""
    async with stage.admin("gate") as conn:
        (row,) = await conn.fetch("SELECT school, secret FROM tool WHERE id = $1", UUID(tool))
        school, secret = row["school"], row["secret"]
        made = [pseudonym(secret, UUID(one)) for one in ours]
        await conn.executemany(
            "INSERT INTO pseudonym VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            [(school, UUID(tool), theirs, UUID(about), UUID(one)) for theirs, one in zip(made, ours, strict=True)],
        )
    return [str(one) for one in made]


async def heard_of(tool: Tool, type_: str) -> tuple[str, str]:
    """Fetches what was put out to a tool until one event of this type is there; returns its child and its thing."""
    js = tool.client.jetstream(domain="gate")
    mine = await js.pull_subscribe_bind("me", stream="OUT")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(TimeoutError, nats.errors.Error):
            for message in await mine.fetch(20, timeout=1):
                await message.ack()
                event = json.loads(message.data)
                if event["type"] == type_:
                    return event["subject"], event["thing"]
    raise AssertionError(f"no {type_} was put out")


async def test_a_tool_is_plugged_in_asks_is_logged_and_is_cut_off(
    samen: Cli, door: Door, school: School, tmp_path: Path
) -> None:
    stage, kid, creds = samen.stage, school.kids[0], tmp_path / "lees.creds"
    said = await samen(
        "tool", "add", "Leesapp", "--child", kid.child, "--agreement", "VO-2026-14", "--category", "goals",
        "--category", "observations", "--creds", str(creds), *who(school),
    )  # fmt: skip
    assert said.code == 0, said
    assert len(said.out.strip().splitlines()) <= 10
    assert "in.gate.renew" in said.words
    assert stat.S_IMODE(creds.stat().st_mode) == 0o600
    tool_id = await id_of(samen, school, "Leesapp")
    await consented(door, school, tool_id)
    tool = await connect(stage, creds)
    goal = await active_goal(door, school)

    # What it is told of, it is told under ids of its own, and can name from then on.
    child, named = await heard_of(tool, "nl.samenkracht.goals.goal.activated.v1")
    assert [child, named] == await told(stage, tool_id, kid.child, kid.child, goal)

    # It sees the goal, with no id of ours, and scores it; a retry is one score.
    async def seen() -> Json | None:
        reply = await ask(tool, "goals.goals-of-child", {"about": child})
        return reply if "ok" in reply else None

    await until(seen, 20, "the tool's consent holds")
    found = await seen()
    assert found is not None
    assert [one["id"] for one in found["ok"]["goals"]] == [named]
    assert goal not in json.dumps(found)
    score = {"goal": named, "level": 1, "setting": "school", "observed_on": "2026-11-01"}
    first = await ask(tool, "goals.score-goal", score, Idempotency_Key="once")
    assert "ok" in first, first
    assert await ask(tool, "goals.score-goal", score, Idempotency_Key="once") == first

    async with stage.admin("goals") as conn:
        assert await conn.fetchval("SELECT count(*) FROM score WHERE scored_by = $1", UUID(tool_id)) == 1

    # Another child, and an id it was never told, are refused in the same words.
    (other,) = await told(stage, tool_id, school.kids[1].child, school.kids[1].child)
    refusals = [await ask(tool, "goals.goals-of-child", {"about": one}) for one in (other, str(uuid4()), kid.child)]
    assert refusals[0] == refusals[1] == refusals[2]
    assert problem(refusals[0]) == ("forbidden", None)

    # The log names the tool, to the parents and to the auditor.
    mum = ("--school", school.slug, "--as", kid.mum)

    async def logged() -> bool:
        said = await samen("audit", "who-saw", kid.child, *mum, "--purpose", "own_data", "--json")
        return tool_id in said.out

    await until(logged, 20, "the log says that the tool looked")
    by_tool = await samen("audit", "by-actor", tool_id, "--school", school.slug, "--as", school.auditor, "--json")
    assert (by_tool.code, '"tool"' in by_tool.out, kid.child in by_tool.out) == (0, True, True), by_tool

    # So it does for whom the tool acts, when it proves that; and what it says without proof is refused.
    behalf = f"Bearer {door.token(door.person(kid.teacher, school.slug))}"
    assert "ok" in await ask(tool, "goals.goal", {"goal": named}, On_Behalf_Of=behalf)
    assert problem(await ask(tool, "goals.goal", {"goal": named}, On_Behalf_Of="Bearer x")) == (
        "forbidden",
        "behalf_not_proven",
    )

    async def told_for_whom() -> bool:
        said = await samen("audit", "by-actor", tool_id, "--school", school.slug, "--as", school.auditor, "--json")
        lines = json.loads(said.out)["lines"]
        for_teacher = [one for one in lines if one.get("on_behalf_of") == kid.teacher]
        return bool(for_teacher) and any(one.get("reason") == "behalf_not_proven" for one in lines)

    await until(told_for_whom, 20, "the log says for whom the tool asked")

    # The gate is killed in between: a retry with the same key gives the same answer.
    await stage.kill("gate")
    with pytest.raises((nats.errors.Error, TimeoutError)):
        await ask(tool, "goals.score-goal", score, Idempotency_Key="once", timeout=0.5)
    stage.start("gate")
    await stage.ready()
    assert await ask(tool, "goals.score-goal", score, Idempotency_Key="once") == first

    # Paused it reaches nobody, resumed it does; a new login replaces the old one; removed it is cut.
    paused = await samen("tool", "pause", tool_id, *who(school))
    assert (paused.code, "Nothing of it comes through" in paused.words) == (0, True), paused
    with pytest.raises(nats.errors.NoRespondersError):
        await ask(tool, "goals.goals-of-child", {"about": child})
    resumed = await samen("tool", "resume", tool_id, *who(school))
    assert (resumed.code, "let in again" in resumed.words) == (0, True), resumed
    assert "ok" in await ask(tool, "goals.goals-of-child", {"about": child})
    renewed = (await ask(tool, "gate.renew"))["ok"]
    seed = creds.read_text().split("-----\n")[3].splitlines()[0].encode()
    creds.write_text(credentials(renewed["jwt"], seed))
    again = await connect(stage, creds)
    assert "ok" in await ask(again, "goals.goals-of-child", {"about": child})
    started = time.monotonic()
    removed = await samen("tool", "remove", tool_id, *who(school), "--yes")
    assert (removed.code, "connections are cut" in removed.words) == (0, True), removed
    assert time.monotonic() - started < 10
    for one in (tool, again):
        assert not one.client.is_connected
    assert "removed" in (await samen("tool", "show", tool_id, *who(school))).words
    listed = await samen("tool", "list", *who(school))
    assert tool_id not in listed.out


async def test_network_and_gate_agree_on_the_tools_of_a_school(samen: Cli, school: School) -> None:
    """The tables for people: list, lag and show name the same tool."""
    creds = samen.root / "plan.creds"
    said = await samen(
        "tool", "add", "Planbord", "--child", school.kids[1].child, "--agreement", "VO-2", "--category", "plan",
        "--until", "2199-08-01", "--creds", str(creds), *who(school),
    )  # fmt: skip
    assert said.code == 0, said
    tool_id = await id_of(samen, school, "Planbord")
    for words in (("list",), ("lag",), ("show", tool_id)):
        shown = await samen("tool", *words, *who(school))
        assert (shown.code, tool_id in shown.words, "Planbord" in shown.words) == (0, True, True), shown
    newer = samen.root / "newer.creds"
    old = await connect(samen.stage, creds)
    said = await samen("tool", "login", tool_id, "--creds", str(newer), *who(school))
    assert (said.code, newer.exists(), CUT in said.words) == (0, True, True), said
    assert not old.client.is_connected, "cut before the command says so"
    with pytest.raises(nats.errors.Error):
        await connect(samen.stage, creds)
    new = await connect(samen.stage, newer)
    assert "ok" in await ask(new, "gate.renew")
    await new.client.close()


@pytest.mark.usefixtures("school")  # it waits until the gate knows which slots are free
async def test_a_school_is_opened_with_slots_and_all_its_tools_are_paused_and_cut_off_at_once(
    samen: Cli, door: Door
) -> None:
    prepared, keys = len(samen.stage.servers.keys.slots.names()), samen.stage.servers.keys
    keeper = ("--administrator", "Kees de Boer <kees@example.org>")
    opened = await samen("school", "add", "de-kade", "--name", "De Kade", *keeper, "--slots", "2")
    assert (opened.code, "2 slots are prepared" in opened.words) == (0, True), opened
    assert len(re.findall(r"keeps its records: [0-9a-f-]{36}", opened.words)) == 1
    assert len(keys.slots.names()) == prepared + 2
    again = await samen("school", "add", "de-kade", "--name", "De Kade", "--slots", "1")
    assert (again.code, "is open already" in again.words) == (0, True), again
    school = await open_school(door, "de-wal", 2)
    tools = []
    for name, kid in (("Een", 0), ("Twee", 1)):
        creds = samen.root / f"{name}.creds"
        said = await samen(
            "tool", "add", name, "--child", school.kids[kid].child, "--agreement", "VO-3", "--category", "goals",
            "--creds", str(creds), *who(school),
        )  # fmt: skip
        assert said.code == 0, said
        tools.append(await connect(samen.stage, creds))
    mine = ("--as", school.admin)

    paused = await samen("school", "pause", "de-wal", *mine)
    assert (paused.code, paused.words.count("reaches nothing (1 connected)")) == (0, 2), paused
    for tool in tools:
        with pytest.raises(nats.errors.NoRespondersError):
            await ask(tool, "gate.renew")
    resumed = await samen("school", "resume", "de-wal", *mine)
    assert (resumed.code, resumed.words.count("let in (1 connected)")) == (0, 2), resumed
    for tool in tools:
        assert "ok" in await ask(tool, "gate.renew")
    refused = await samen("school", "pause", "de-wal", "--as", school.kids[0].teacher)
    assert (refused.code, "may not do this" in refused.words) == (1, True), refused
    assert "ok" in await ask(tools[0], "gate.renew")

    removed = await samen("school", "remove", "de-wal", *mine, "--yes")
    assert (removed.code, removed.words.count("cut: no connection is left")) == (0, 2), removed
    assert "Nothing of the school's was deleted" in removed.words
    for tool in tools:
        await until(partial(getattr, tool.client, "is_closed"), 20, "the tool to see that it was cut")
    nothing = await samen("school", "pause", "de-kade", "--as", school.admin)
    assert nothing.code == 1, "who keeps another school's records can't"
    once_more = await samen("school", "remove", "de-wal", *mine, "--yes")
    assert (once_more.code, once_more.words.count("cut: no connection is left")) == (0, 2), once_more


async def test_a_flooder_is_paused_by_the_gate_itself_until_it_is_resumed(samen: Cli, school: School) -> None:
    tool_id = await id_of(samen, school, "Planbord")
    creds = samen.root / "flood.creds"
    assert (await samen("tool", "login", tool_id, "--creds", str(creds), *who(school))).code == 0
    tool = await connect(samen.stage, creds)
    assert "ok" in await ask(tool, "gate.head")
    for _ in range(30):
        for _ in range(100):
            await tool.client.publish("in.gate.head", b"{}", reply=tool.client.new_inbox())
        await tool.client.flush()

    async def paused() -> bool:
        shown = await samen("tool", "show", tool_id, *who(school), "--json")
        return bool(json.loads(shown.out)["state"] == "paused")

    await until(paused, 20, "the flooder is paused")
    assert '"tool_flooding"' in samen.stage.processes["gate"].log.read_text()

    async def cut() -> bool:
        try:
            await ask(tool, "gate.head", timeout=1)
        except nats.errors.NoRespondersError:
            return True
        return False

    await until(cut, 20, "nothing of it comes through")
    newer = samen.root / "calm.creds"
    said = await samen("tool", "login", tool_id, "--creds", str(newer), *who(school))
    assert (said.code, HELD in said.words, tool.client.is_connected) == (0, True, True), said
    resumed = await samen("tool", "resume", tool_id, *who(school))
    assert (resumed.code, "let in again" in resumed.words) == (0, True), resumed
    await until(partial(getattr, tool.client, "is_closed"), 20, "who has the former login is cut")
    tool = await connect(samen.stage, newer)

    async def served() -> bool:
        return "ok" in await ask(tool, "gate.head")

    await until(served, 5, "it is served again")
    await tool.client.close()


async def test_the_log_finds_nothing_wrong_in_all_of_this(samen: Cli, school: School) -> None:
    """Who registered, renewed, paused and asked did so on a basis that the judge knows."""

    auditor = ("--school", school.slug, "--as", school.auditor)
    await at_rest(samen.stage, 30)
    size = json.loads((await samen("audit", "findings", *auditor, "--json")).out)["size"]
    found: Json = {}

    async def judged() -> bool:
        found.update(json.loads((await samen("audit", "findings", *auditor, "--json")).out))
        return bool(found["judged"] >= size > 100)

    await until(judged, 30, "every line is judged")
    assert found["findings"] == []
