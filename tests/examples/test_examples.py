"""The examples do what their page says: from credentials to the first event, on the whole platform."""

from __future__ import annotations

import asyncio
import csv
import re
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.embedded.process import free_port
from tests.faults.cast import School, goal_for, open_school
from tests.faults.door import Door
from tests.faults.stage import private_servers, raised, until
from tests.gate.door.test_whole import Cli, consented, id_of, who
from tests.support.servers import EmbeddedServers, Servers

HERE = Path(__file__).parent
PROPOSED = "nl.samenkracht.goals.goal.proposed.v1"
LONGEST = 25
INSTALL = "go install github.com/nats-io/natscli/nats@v0.5.0"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Town:
    """A platform with a school, and the command line."""

    samen: Cli
    door: Door
    school: School
    folder: Path

    @property
    def server(self) -> str:
        """Where tools connect."""
        return self.samen.stage.servers.nats_url

    async def tool(self, name: str, *more: str) -> str:
        """Plugs a tool in as a page says, and has both parents consent; returns its id."""
        kid = self.school.kids[0]
        given = ("--child", kid.child, "--agreement", "VO-1", "--category", "goals", "--category", "observations")
        said = await self.samen("tool", "add", name, *given, *more, *who(self.school))
        assert said.code == 0, said
        made = await id_of(self.samen, self.school, name)
        await consented(self.door, self.school, made)
        return made

    async def nats_tool(self, name: str) -> str:
        """Plugs in a tool that fetches; returns the path of its credentials."""
        creds = str(self.folder / f"{name}.creds")
        await self.tool(name, "--creds", creds)
        return creds

    async def propose(self) -> None:
        """Has something happen that the tools may have."""
        kid = self.school.kids[0]
        teacher = self.door.person(kid.teacher, self.school.slug)
        await self.door.must(self.school.slug, "goals.propose-goal", teacher, **goal_for(kid))


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[EmbeddedServers]:
    with private_servers(servers) as made:
        made.keys.prepare_slots(4)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(own: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    folder = tmp_path_factory.mktemp("examples")
    env = {"SAMEN_GATE_WEBHOOK_LOOPBACK": "true"}
    async with raised(own, folder / "run", "examples", **env) as stage, stage.login("samen") as client:
        door = Door.of(stage, client)

        async def offered() -> bool:
            return b'"free":0' not in (await client.request("ask.slots", b"{}", timeout=5)).data

        await until(offered, 20, "the gate knows which slots are free")
        yield Town(Cli(stage, folder), door, await open_school(door, "de-brug", 1), folder)


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[Process]:
    program = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL)
    try:
        yield program
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()


async def line_with(program: Process, wanted: str) -> str:
    """Returns the first line that says so."""
    assert program.stdout is not None
    async with asyncio.timeout(LONGEST):
        while line := (await program.stdout.readline()).decode():
            if wanted in line:
                return line
    pytest.fail(f"it ended without {wanted}")


async def test_a_python_tool_gets_its_first_event(town: Town) -> None:
    creds = await town.nats_tool("python")
    async with running(sys.executable, str(HERE / "python_tool.py"), creds, town.server) as program:
        await town.propose()
        epoch, sequence, _, subject = (await line_with(program, PROPOSED)).split()
    assert (epoch, int(sequence) > 0) == ("1", True)
    assert subject != town.school.kids[0].child


async def test_a_table_for_a_spreadsheet_is_kept(town: Town) -> None:
    creds, table = await town.nats_tool("csv"), town.folder / "goals.csv"
    await town.propose()
    for _ in range(5):
        async with running(sys.executable, str(HERE / "csv_puller.py"), creds, town.server, str(table)) as program:
            await asyncio.wait_for(program.wait(), LONGEST)
        rows = list(csv.reader(table.read_text().splitlines())) if table.exists() else []
        if any(row[3] == PROPOSED for row in rows):
            break
    assert any(row[3] == PROPOSED for row in rows)
    assert [int(row[1]) for row in rows] == list(range(1, len(rows) + 1))
    tool, newer = await id_of(town.samen, town.school, "csv"), str(town.folder / "newer.creds")
    said = await town.samen("tool", "login", tool, "--creds", newer, *who(town.school))
    assert said.code == 0, said
    async with running(sys.executable, str(HERE / "csv_puller.py"), creds, town.server, str(table)) as program:
        assert await asyncio.wait_for(program.wait(), LONGEST), "replaced credentials end it: it doesn't try for ever"


async def test_a_webhook_receiver_gets_its_first_event_and_refuses_a_forged_one(town: Town) -> None:
    tool, port = await town.tool("hook", "--channel", "webhook"), free_port()
    url = f"http://127.0.0.1:{port}/hook"
    said = await town.samen("tool", "webhook", "set", tool, url, *who(town.school))
    assert said.code == 0, said
    again = await town.samen("tool", "webhook", "set", tool, url, *who(town.school))
    assert (again.code, "version 2" in again.out) == (0, True), again
    secret = again.out.strip().splitlines()[-1]
    async with running(sys.executable, str(HERE / "webhook_receiver.py"), str(port), secret) as program:
        await town.propose()
        await line_with(program, PROPOSED)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        forged = ("POST / HTTP/1.1", "Content-Length: 2", "webhook-id: x", "webhook-timestamp: 1")
        writer.write("\r\n".join((*forged, "webhook-signature: v1,x", "", "{}")).encode())
        assert b" 400 " in await reader.readline()
        writer.close()
    shown = await town.samen("tool", "webhook", "show", tool, *who(town.school))
    assert url in shown.words
    assert secret not in shown.out
    rotated = await town.samen("tool", "webhook", "rotate", tool, "--scheme", "ed25519", *who(town.school))
    assert (rotated.code, "whpk_" in rotated.out) == (0, True)
    redriven = await town.samen("tool", "webhook", "redrive", tool, *who(town.school))
    assert "Nothing was set aside" in redriven.words


async def test_a_node_tool_gets_its_first_event(town: Town) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("NO NODE HERE: the Node example was not run")
    folder = town.folder / "node"
    shutil.copytree(HERE / "node", folder)
    async with running(npm, "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund") as installing:
        if await asyncio.wait_for(installing.wait(), 100):
            pytest.skip("THE NPM PACKAGES CAN'T BE HAD HERE: the Node example was not run")
    creds = await town.nats_tool("node")
    async with running(node, str(folder / "tool.mjs"), creds, town.server) as program:
        await town.propose()
        await line_with(program, PROPOSED)


async def test_the_nats_command_line_tool_gets_the_next_event_and_acknowledges_it(town: Town) -> None:
    if shutil.which("nats") is None:
        pytest.skip(f"NO `nats` COMMAND LINE TOOL ON PATH: its example was not run. With Go: {INSTALL}")
    page = (HERE / "nats-cli.md").read_text()
    assert INSTALL in page
    creds = await town.nats_tool("cli")
    await town.propose()
    async with running("sh", str(HERE / "nats_cli.sh"), creds, town.server) as program:
        await line_with(program, "nl.samenkracht")
    said = {"tool.creds": creds, "nats://<host>:4222": town.server}
    for wanted, told in (("consumer next", "Acknowledged message"), ("in.gate.head", '"ok":')):
        found = re.search(rf"nats --creds [^`\n]*{wanted}[^`\n]*", page)
        assert found, wanted
        command = found[0]
        for words, meant in said.items():
            command = command.replace(words, meant)
        async with running("sh", "-c", command) as program:
            await line_with(program, told)
