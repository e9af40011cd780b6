"""`samen` as an operator types it, on a platform that runs: what it prints and how it ends."""

from __future__ import annotations

import asyncio
import csv
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.faults.books import at_rest
from tests.faults.cast import goal_for, open_school
from tests.faults.door import Door
from tests.faults.stage import SERVICES, Stage, private_servers, raised, until
from tests.network.deliveries import GOOD, add, deliver
from tests.support.servers import EmbeddedServers, Servers

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """All that was printed, on one line, without the frames of tables."""
        return " ".join(re.sub(r"[│┃┏┓┗┛━─┡┩┠┨└┘╇┳┴┬┼╭╮╰╯]", " ", self.out + self.err).split())


@dataclass(frozen=True)
class Cli:
    """The command `samen`, for the platform of a stage; each acts at a keyboard of their own."""

    stage: Stage
    root: Path

    async def __call__(self, *words: str) -> Said:
        env = os.environ | {
            "SAMEN_NATS_URL": self.stage.servers.nats_url,
            "SAMEN_KEYS": str(self.stage.servers.keys.root),
            "SAMEN_DIR": str(self.root),
            "COLUMNS": "240",
            "LOGNAME": next((who for option, who in pairwise(words) if option == "--as"), "operator"),
        }
        command = [sys.executable, "-m", "deploy.samen", *words]
        done = await asyncio.to_thread(
            subprocess.run, command, env=env, capture_output=True, text=True, check=False, timeout=60
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[EmbeddedServers]:
    with private_servers(servers) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def samen(own: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cli]:
    root = tmp_path_factory.mktemp("cli")
    async with raised(own, root / "run", "cli") as stage:
        yield Cli(stage, root)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(samen: Cli) -> AsyncIterator[Door]:
    async with samen.stage.login("samen") as client:
        yield Door.of(samen.stage, client)


def figures(said: Said, slug: str) -> tuple[int, ...]:
    """Returns added, changed, ended, unchanged and refused from the printed table."""
    found = re.search(rf"{slug} \(De Linde\) (\d+) (\d+) (\d+) (\d+) (\d+)", said.words)
    assert found, said.words
    return tuple(int(number) for number in found.groups())


async def test_a_delivery_goes_in_after_a_dry_run_and_the_same_again_changes_nothing(
    samen: Cli, tmp_path: Path
) -> None:
    take = ("roster", "import", str(deliver(tmp_path / "in")), "--school", "twice=o1")
    dry = await samen(*take, "--dry-run")
    assert (dry.code, "nothing was changed" in dry.words) == (0, True)
    first = await samen(*take)
    assert (first.code, "opened" in first.words) == (0, True)
    added, *rest = figures(first, "twice")
    assert added > 0
    assert rest == [0, 0, 0, 0]
    assert figures(dry, "twice") == figures(first, "twice")
    again = await samen(*take)
    assert (again.code, "opened" in again.words) == (0, False)
    assert figures(again, "twice") == (0, 0, 0, added, 0)


async def test_a_changed_delivery_is_told_line_by_line_without_names(samen: Cli, tmp_path: Path) -> None:
    take = ("roster", "import", str(deliver(tmp_path / "in")), "--school", "lines=o1")
    assert (await samen(*take)).code == 0
    users = "".join(f"{line}\n" for line in GOOD["users.csv"].splitlines() if not line.startswith("g2,"))
    users = users.replace("Juf,Iris", "Juf,Roos").replace('"g1,g2,l1"', '"g1,l1"') + "x1,,,,,,Geen,,,,,,,,,\n"
    report = tmp_path / "report.csv"
    roles = GOOD["roles.csv"].replace("r5,,,g2,primary,relative,,,o1\n", "")
    deliver(tmp_path / "in", users=users, roles=roles)
    incomplete = await samen(*take, "--report", str(report))
    assert "users.csv:8 missing_name fill in the name" in incomplete.words
    assert "nobody's absence was taken as having left" in incomplete.words
    assert (incomplete.code, figures(incomplete, "lines")[1:3]) == (3, (1, 0))
    rows = list(csv.DictReader(report.read_text().splitlines()))
    told = {(row["file"], row["line"]): (row["sourced_id"], row["what"], row["codes"]) for row in rows}
    assert told["users.csv", "8"] == ("x1", "refused", "missing_name")
    assert told["users.csv", "5"] == ("t1", "changed", "")
    assert told["users.csv", "2"] == ("p1", "unchanged", "")
    assert (report.stat().st_mode & 0o077, "Roos" in report.read_text()) == (0, False)
    over = await samen(*take, "--report", str(report))
    assert (over.code, "name another file for the report" in over.words) == (1, True)
    deliver(tmp_path / "in", users=users.replace("x1,,,,,,Geen,,,,,,,,,\n", ""), roles=roles)
    mended = await samen(*take, "--verbose")
    assert (mended.code, figures(mended, "lines")[:3]) == (0, (0, 0, 1))
    assert ",,g2,ended,left_roster,lines,p1,guardian" in mended.out


async def test_half_a_delivery_is_refused_until_it_is_allowed(samen: Cli, tmp_path: Path) -> None:
    many = [f"k{n}" for n in range(20)]
    files = {
        "users": add("users", *(f"{one},,,,,,Kind,K,,,,,,,o1," for one in many)),
        "roles": add("roles", *(f"r{one},,,{one},,student,,,o1" for one in many)),
    }
    take = ("roster", "import", str(deliver(tmp_path / "in", **files)), "--school", "half=o1")
    assert (await samen(*take)).code == 0
    deliver(tmp_path / "in")
    refused = await samen(*take)
    assert refused.code == 1
    assert "half: this would end 20 of 26 people and 20 of 29 links, more than 10 %" in refused.words
    assert "nothing was changed" in refused.words
    assert figures(await samen(*take, "--dry-run"), "half")[2] == 20
    allowed = await samen(*take, "--allow-ending", "20")
    assert (allowed.code, figures(allowed, "half")[2]) == (0, 20)


async def test_a_delivery_with_half_the_pupils_refused_takes_in_the_others_and_ends_nobody(
    samen: Cli, tmp_path: Path
) -> None:
    many = [f"k{n}" for n in range(20)]
    roles = add("roles", *(f"r{one},,,{one},,student,,,o1" for one in many))
    good = add("users", *(f"{one},,,,,,Kind,K,,,,,,,o1," for one in many))
    bad = add("users", *(f"{one},,,,,,Kind,{'' if n % 2 else 'K'},,,,,,,o1," for n, one in enumerate(many)))
    take = ("roster", "import", str(deliver(tmp_path / "in", users=bad, roles=roles)), "--school", "some=o1")
    some = await samen(*take)
    assert (some.code, some.words.count("missing_name"), some.words.count("unknown_user")) == (3, 10, 10)
    deliver(tmp_path / "in", users=good, roles=roles)
    assert figures(await samen(*take), "some")[:3] == (20, 0, 0)  # ten pupils, each with a place at school
    deliver(tmp_path / "in", users=bad, roles=roles)
    assert figures(await samen(*take), "some")[:3] == (0, 0, 0)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"users": "sourcedId,givenName\np1,Noor\n"}, "users.csv:1: missing_column: add the columns"),
        ({"roles": b"\x00\x01\x02"}, "roles.csv:1: missing_column"),
        ({"users": ""}, "users.csv:1: no_header: begin the file with the column names"),
        ({"manifest": "propertyName,value\nfile.users,some\n"}, "manifest.csv:2: users.csv must be bulk, delta or"),
        ({"orgs": GOOD["orgs.csv"].splitlines()[0] + "\n"}, "there is no school with sourcedId o1 in orgs.csv"),
        ({"roles": None}, "has no roles.csv: give the folder that holds the OneRoster 1.2 CSV files"),
    ],
)
async def test_files_that_are_no_delivery_are_refused_with_what_to_do(
    samen: Cli, tmp_path: Path, files: dict[str, str | bytes | None], says: str
) -> None:
    said = await samen("roster", "import", str(deliver(tmp_path / "in", **files)), "--school", "broken=o1")
    assert (said.code, says in said.words) == (1, True), said.words


async def test_a_wrong_folder_and_wrong_options_are_refused_with_what_to_do(samen: Cli, tmp_path: Path) -> None:
    folder = str(deliver(tmp_path / "in"))
    nowhere, unknown, report, both = await asyncio.gather(
        samen("roster", "import", str(tmp_path / "nowhere")),
        samen("roster", "import", folder, "--school", "x=o9"),
        samen("roster", "import", folder, "--report", str(tmp_path / "in/users.csv/report.csv")),
        samen("roster", "import", folder, "--verbose", "--json"),
    )
    assert (nowhere.code, "give the folder that holds the OneRoster" in nowhere.words) == (1, True)
    assert (unknown.code, "there is no school with sourcedId o9 in orgs.csv" in unknown.words) == (1, True)
    assert (report.code, "name another file for the report" in report.words) == (1, True)
    assert (both.code, "choose one" in both.words) == (2, True)


async def test_a_dead_letter_is_listed_shown_and_retried(samen: Cli, door: Door) -> None:
    """A child's grants in notifications are made unreadable, so that what goals tells of the child is parked."""
    assert "No dead letters" in (await samen("dead-letters", "list")).words
    school = await open_school(door, "letters", 1)
    kid = school.kids[0]
    await at_rest(samen.stage)  # later grants would mend what is made unreadable here; so would a mail that is sent
    async with samen.stage.admin("notifications") as conn:

        async def mailed() -> bool:
            return not await conn.fetchval(
                "SELECT count(*) FROM delivery WHERE state IN ('queued', 'deferred', 'claimed')"
            )

        await until(mailed, 30, "every mail")
        kept = await conn.fetchval("SELECT grants FROM access WHERE id = $1", kid.child)
        await conn.execute("UPDATE access SET grants = $2 WHERE id = $1", kid.child, {kid.dad: [{"id": "none"}]})
        await door.must("letters", "goals.propose-goal", door.person(kid.teacher, "letters"), **goal_for(kid))

        async def parked() -> int | None:
            seq: int | None = await conn.fetchval("SELECT seq FROM dead_letter WHERE state = 'parked'")
            return seq

        await until(parked, 30, "the parked event")
        seq = str(await parked())
        listed = await samen("dead-letters", "list")
        assert listed.code == 0
        assert f"notifications goals letters {seq} parked" in listed.words
        assert "samen dead-letters retry <consumer> <school> <producer> --about <about>" in listed.words
        assert "Dead letters" in (await samen("status")).words

        lane = ("notifications", "letters", "goals")
        shown = await samen("dead-letters", "show", *lane, seq)
        assert (shown.code, '"nl.samenkracht.goals.goal.proposed.v1"' in shown.out) == (0, True)
        assert "read together" not in shown.out
        missing = await samen("dead-letters", "show", *lane, "9999")
        assert (missing.code, "list them with `samen dead-letters list`" in missing.words) == (1, True)

        retry = ("dead-letters", "retry", *lane, "--about", kid.child)
        assert "0 applied" in (await samen(*retry)).words
        await conn.execute("UPDATE access SET grants = $2 WHERE id = $1", kid.child, kept)
        mended = await samen(*retry)
        assert (mended.code, "1 applied" in mended.words) == (0, True)
    assert "No dead letters" in (await samen("dead-letters", "list")).words
    lane_retry = await samen("dead-letters", "retry", *lane)
    assert (lane_retry.code, "samen status" in lane_retry.words) == (0, True)


async def test_grants_are_replayed_and_counted_by_school(samen: Cli, door: Door) -> None:
    await open_school(door, "replayed", 2)
    said = await samen("replay", "goals")
    assert said.code == 0
    assert "replayed: 3 subjects" in said.words  # two children and the school itself


@pytest.mark.parametrize("service", SERVICES)
async def test_nothing_to_recover_or_review_is_said(samen: Cli, service: str) -> None:
    whole = await samen("recover", service)
    assert (whole.code, f"The journal of {service} is whole: nothing to recover." in whole.words) == (0, True)
    closed = await samen("review", service, "twice", str(uuid4()))
    assert (closed.code, "not under review" in closed.words) == (1, True)


async def test_status_shows_every_service_and_lane(samen: Cli) -> None:
    said = await samen("status")
    assert said.code == 0
    for service in SERVICES:
        assert re.search(rf"\b{service} yes\b", said.words), said.words
    assert re.search(r"\baudit network \S+ \d+ \d+ \d+ 0\b", said.words), said.words


async def test_what_is_no_command_or_service_is_refused_with_the_choices(samen: Cli) -> None:
    said = await samen("recover", "portal")
    assert (said.code, "notifications" in said.words) == (2, True)
    assert (await samen("roster", "export")).code == 2
