"""The command line's own parts: the catcher, the mails, the client, the sums of `samen status`."""

import asyncio
import json
import smtplib
import subprocess
import sys
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import pytest
from nats.aio.msg import Msg
from typer.main import get_command_name
from typer.testing import CliRunner

from deploy.catcher import serve
from deploy.embedded.process import free_port, is_port_free, listens, spawn
from deploy.environment import base_environment
from deploy.home import Home, NotRunning
from deploy.samen import network
from deploy.samen.__main__ import app
from deploy.samen.client import Client
from deploy.samen.groups import ENTRIES, load
from deploy.samen.mail import kept
from deploy.samen.schools import refuse_unknown
from deploy.samen.status import lanes, slots
from shared.actor import Verifier, load_trusted
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind
from tests.faults.stage import until
from tests.support.fixtures import LoginFactory
from tests.support.servers import Servers


def _send(port: int, subject: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "samen@example.org", "ouder@example.org", subject
    mail.set_content("Er staat iets voor je klaar.")
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.send_message(mail)


async def test_the_catcher_keeps_every_mail_and_samen_mail_lists_it(tmp_path: Path) -> None:
    port, stop = free_port(), asyncio.Event()
    (tmp_path / "mail").mkdir()
    catching = asyncio.create_task(serve(tmp_path / "mail", port, stop))
    while is_port_free(port):  # noqa: ASYNC110  the server offers nothing to wait on
        await asyncio.sleep(0.01)
    for subject in ("Nieuw bericht", "Nog een bericht"):
        await asyncio.to_thread(_send, port, subject)
    stop.set()
    await catching
    assert [mail["Subject"] for mail in kept(tmp_path / "mail")] == ["Nieuw bericht", "Nog een bericht"]
    shown = CliRunner().invoke(app, ["mail", "--dir", str(tmp_path), "--show", "2"])
    assert "Er staat iets voor je klaar." in shown.output
    assert CliRunner().invoke(app, ["mail", "--dir", str(tmp_path), "--show", "3"]).exit_code == 2


async def test_what_goes_wrong_in_the_catcher_is_a_json_line_without_an_address(tmp_path: Path) -> None:
    port, log, folder = free_port(), tmp_path / "catcher.log", tmp_path / "mail"
    env = base_environment() | {"SAMEN_MAIL_DIR": str(folder), "SAMEN_SMTP_PORT": str(port)}
    with spawn([sys.executable, "-m", "deploy.catcher"], log, env=env) as process:
        try:
            await until(lambda: listens(process.pid, port), 20, "the catcher listens")
            folder.rmdir()
            with pytest.raises(smtplib.SMTPResponseException):
                await asyncio.to_thread(_send, port, "Nieuw bericht")
        finally:
            process.terminate()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert ("ERROR", "catcher", "FileNotFoundError") in [
        (one["level"], one["service"], one.get("error")) for one in lines
    ]
    assert all({"at", "code"} <= one.keys() for one in lines)
    assert "example.org" not in log.read_text()


def test_status_of_nothing_says_how_to_start(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["status", "--dir", str(tmp_path)])
    assert isinstance(result.exception, NotRunning)
    assert "samen up" in str(result.exception)
    assert CliRunner().invoke(app, ["down", "--dir", str(tmp_path)]).exit_code == 0


@pytest.fixture
def home(servers: Servers, tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.keys = servers.keys
    return made


async def test_the_client_carries_a_token_a_key_and_a_deadline(
    servers: Servers, home: Home, nats_login: LoginFactory, school: str
) -> None:
    goals = await nats_login("goals")
    verifier = Verifier(load_trusted(servers.keys.trusted))
    heard: list[Msg] = []

    async def answer(message: Msg) -> None:
        heard.append(message)
        if message.subject.startswith("cmd"):
            await message.respond(b'{"ok": {"id": 1}}')
        else:
            await message.respond(b'{"problem": {"type": "forbidden", "title": "x", "detail": "no", "code": "c"}}')

    await goals.subscribe("cmd.*.goals.>", queue="goals", cb=answer)
    await goals.subscribe("qry.*.goals.>", queue="goals", cb=answer)
    await goals.flush()
    async with Client(home, url=servers.nats_url, operator="test") as client:
        person = client.actor(uuid4(), school)
        assert await client.command(school, "goals", "propose-goal", {"a": 1}, person, key="k1") == {"id": 1}
        with pytest.raises(Problem) as refused:
            await client.query(school, "goals", "child", {}, person)
    assert refused.value.type is ProblemType.FORBIDDEN
    assert refused.value.more == {"code": "c"}
    headers = heard[0].headers or {}
    actor = verifier.verify(headers["Authorization"].removeprefix("Bearer "), school, datetime.now(UTC))
    assert (actor.id, actor.kind, actor.door) == (person.id, ActorKind.PERSON, "samen")
    assert headers["Idempotency-Key"] == "k1"
    assert int(headers["Deadline"]) > datetime.now(UTC).timestamp() * 1000
    assert json.loads(heard[0].data) == {"a": 1}
    assert "test" not in (actor.operator or ""), "the operator is told by a pseudonym"


async def test_a_school_that_is_not_there_is_asked_of_nobody(
    servers: Servers, home: Home, nats_login: LoginFactory, school: str
) -> None:
    asked: list[str] = []

    async def answer(message: Msg) -> None:
        asked.append(message.subject)
        told: object = {"schools": [school]} if message.subject.endswith(".schools") else "done"
        await message.respond(json.dumps({"ok": told}).encode())

    network = await nats_login("network")
    for subject in ("cmd.*.network.>", "qry.*.network.>", "ops.network.>"):
        await network.subscribe(subject, queue="network", cb=answer)
    await network.flush()
    async with Client(home, url=servers.nats_url, operator="test") as client:
        actor = client.actor(uuid4(), "de-wlig")
        for bad in ("", "../x", "de.wilg", "De Wilg", "x" * 10_000):
            with pytest.raises(Problem, match="is no school's slug") as refused:
                await client.query(bad, "network", "find-person", {}, actor)
            assert refused.value.type is ProblemType.INVALID
            assert len(refused.value.detail) < 200
        assert asked == []
        wrong = f"there is no school de-wlig: the schools are {school}"
        with pytest.raises(Problem, match=wrong):
            await client.query("de-wlig", "network", "find-person", {}, actor)
        with pytest.raises(Problem, match=wrong):
            await client.command("de-wlig", "network", "end-membership", {}, actor)
        with pytest.raises(Problem, match=wrong):
            await client.check_school("de-wlig")
        with pytest.raises(Problem, match=wrong):
            await client.operate("network", "recover", {"school": "de-wlig"})
        assert set(asked) == {"ops.network.schools"}
        asked.clear()
        assert await client.query(school, "network", "find-person", {}, client.actor(uuid4(), school)) == "done"
        assert await client.query(school, "network", "find-person", {}, client.actor(uuid4(), school)) == "done"
        assert await client.operate("network", "review", {"school": school}) == "done"
        assert await client.command("de-esch", "network", "open-school", {}, actor) == "done"
    assert asked.count("ops.network.schools") == 1, "what is known is not asked again"


def test_of_many_schools_those_most_like_the_one_that_was_meant_are_named() -> None:
    with pytest.raises(Problem, match=r"no school de-wlig: alike are de-wilg.*samen status") as refused:
        refuse_unknown("de-wlig", ["de-wilg", *(f"school-{number}" for number in range(100))])
    assert "school-7" not in refused.value.detail
    with pytest.raises(Problem, match="samen roster import"):
        refuse_unknown("de-wilg", [])


@pytest.mark.parametrize("absurd", ["999999999999999999999999", "0", "x"])
def test_a_dead_letters_number_that_none_can_have_is_refused_before_anything_is_asked(absurd: str) -> None:
    found = CliRunner().invoke(app, ["dead-letters", "show", "goals", "de-wilg", "network", absurd])
    assert found.exit_code == 2, found.output


async def test_nobody_listening_is_said_at_once(servers: Servers, home: Home, school: str) -> None:
    async with Client(home, url=servers.nats_url, operator="test") as client:
        with pytest.raises(Problem, match="samen status") as problem:
            await client.command(school, "goals", "propose-goal", {}, client.actor(uuid4(), school))
    assert problem.value.type is ProblemType.UNAVAILABLE


async def test_what_the_bus_does_not_carry_is_too_large_and_not_sent(
    servers: Servers, home: Home, nats_login: LoginFactory, school: str
) -> None:
    goals = await nats_login("goals")

    async def answer(message: Msg) -> None:
        await message.respond(b'{"ok": 1}')

    await goals.subscribe("cmd.*.goals.>", queue="goals", cb=answer)
    await goals.flush()
    async with Client(home, url=servers.nats_url, operator="test") as client:
        most, actor = client.nats.max_payload, client.actor(uuid4(), school)
        for size in (most + 1, most - 100):  # the second fits without its headers only: NATS would end the line
            with pytest.raises(Problem, match="in parts") as refused:
                await client.command(school, "goals", "propose-goal", {"a": "x" * size}, actor)
            assert refused.value.type is ProblemType.TOO_LARGE
        assert await client.command(school, "goals", "propose-goal", {"a": "x" * (most - 2000)}, actor) == 1


def test_lag_is_the_head_announced_less_the_cursor_announced() -> None:
    heads = {"network": {"a": [1, 10, "h"], "b": [1, 5, "h"]}, "goals": {"a": [2, 4, "h"]}}
    cursors = {"goals": {"network": {"a": [1, 7, "h"], "b": [1, 5, "h"]}}}
    found = {(x["consumer"], x["producer"], x["school"]): x["lag"] for x in lanes(heads, cursors)}
    assert found["goals", "network", "a"] == 3
    assert found["goals", "network", "b"] == 0
    assert found["audit", "goals", "a"] == 4, "a cursor nobody announced counts from nothing"
    assert ("goals", "goals", "a") not in found


RUN = "import runpy, sys; sys.argv = ['samen', '--help']; runpy.run_module('deploy.samen', run_name='__main__')"
BREAKS_OFF = """
import sys
class Finder:
    def find_spec(self, name, *_):
        if name == LATE:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
"""


def _python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=base_environment(), capture_output=True, text=True, check=False)


def test_help_imports_no_command() -> None:
    code = f"import atexit, sys; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); {RUN}"
    found = _python(code)
    assert found.returncode == 0, found.stderr
    assert all(name in found.stdout for name in ENTRIES)
    loaded = found.stderr.split()
    assert "deploy.samen.groups" in loaded
    assert [one for one in loaded if one.startswith(("deploy.demo", "nats", "asyncpg", "deploy.samen.client"))] == []


@pytest.mark.parametrize("late", ["typer", "deploy.samen.groups", "deploy.samen.client"])
def test_ctrl_c_while_a_command_is_loading_ends_it_without_a_traceback(late: str) -> None:
    found = _python(f"LATE = {late!r}{BREAKS_OFF}{RUN.replace('--help', 'goals')}")
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "")


@pytest.mark.parametrize("name", ENTRIES)
def test_a_command_says_of_itself_what_the_list_of_commands_says(name: str) -> None:
    assert load(name).help == ENTRIES[name].help
    shown = CliRunner().invoke(app, [name, "--help"], terminal_width=200)
    assert shown.exit_code == 0, shown.output
    assert ENTRIES[name].help.split(": ")[0][:50] in shown.output


def test_a_command_that_is_not_there_is_said_with_the_one_that_was_meant() -> None:
    found = CliRunner().invoke(app, ["gaols", "list"])
    assert found.exit_code == 2
    assert "goals" in found.output


def test_no_command_hides_another_of_the_same_name() -> None:
    load("network")
    names = [
        str(one.name or get_command_name(one.callback.__name__))
        for one in network.app.registered_commands
        if one.callback
    ]
    assert len(names) > 20
    assert sorted(set(names)) == sorted(names)


def test_status_counts_slots_and_says_what_is_not_made_and_when_few_are_free() -> None:
    told = {"slots": {"A": "live", "B": "live", "C": "unknown"}, "connections": {"B": 2}, "free": 2}
    table = slots({"slots": told})
    assert [list(column.cells) for column in table.columns] == [
        ["live", "[red]not made[/]", "free"],
        ["2", "1", "[red]2[/]"],
        ["2", "0", ""],
    ]
    assert slots({"slots": {}}).row_count == 0
    for free in (None, 0):
        assert slots({"slots": {"slots": {}, "connections": {}, "free": free}}).row_count == 0
