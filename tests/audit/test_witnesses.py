"""Witnesses: one in the platform, a process on the real bus, and one that anyone runs, on a folder or through it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from deploy.home import Home
from deploy.keys import LOG_KEY
from deploy.samen.__main__ import app
from deploy.samen.client import Client
from deploy.samen.proofs import checked
from deploy.samen.witness import _tell, ask_platform, look_into, open_witness
from services.audit.files import LogFiles
from shared.tlog.cosignature import cosigned, witness_key
from shared.tlog.folder import UnreadableLog, nodes_in
from shared.tlog.merkle import inclusion_proof, root
from shared.tlog.note import Checkpoint, sign
from shared.tlog.policy import Policy
from shared.tlog.proof import LineProof
from shared.tlog.trust import Trust, read_log_key, read_policy
from shared.tlog.witness import FORGOT, FORKED, ROLLED_BACK
from tests.audit.support import KEY, Journal, Log
from tests.audit.test_service import publish
from tests.support.fixtures import LoginFactory, ServiceFactory
from tests.support.servers import Servers

NAME = "samenkracht/wijzer/one"
COUNCIL = "council.example/log"


def grow(folder: Path, count: int, what: str = "line") -> LogFiles:
    files = LogFiles(folder)
    first = files.tree.size
    entries = [f"{what} {n}".encode() for n in range(first, first + count)]
    with files.hold():
        tree = files.write(entries, entries)
        files.keep(sign(Checkpoint(NAME, tree.size, root(tree)), KEY))
    return files


def public(tmp_path: Path, key: Ed25519PrivateKey = KEY) -> Path:
    path = tmp_path / "audit-log.pub.pem"
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return path


def run_witness(tmp_path: Path) -> tuple[int, str]:
    given = ["--state", str(tmp_path / "w"), "--name", COUNCIL, "--key", str(public(tmp_path))]
    done = CliRunner().invoke(app, ["witness", *given, "--from", str(tmp_path / "log")])
    return done.exit_code, done.output


def test_anyone_can_witness_a_folder_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    for count in (3, 300, 1):
        grow(tmp_path / "log", count)
        code, said = run_witness(tmp_path)
        assert code == 0, said
    policy = next(line for line in said.splitlines() if line.startswith("for the policy: "))
    keys = Policy.parse(policy.removeprefix("for the policy: ") + "\nquorum none\n").keys
    (note,) = (tmp_path / "w" / "cosigned").iterdir()
    assert list(cosigned(note.read_text(), keys)) == [key.signer for key in keys]


@pytest.mark.parametrize(("lines", "alarm"), [(50, ROLLED_BACK), (60, FORKED), (90, FORKED)])
def test_a_folder_with_another_log_is_refused_with_alarm(tmp_path: Path, lines: int, alarm: str) -> None:
    grow(tmp_path / "log", 60)
    assert run_witness(tmp_path)[0] == 0
    (tmp_path / "log").rename(tmp_path / "before")
    grow(tmp_path / "log", lines, what="other")
    code, said = run_witness(tmp_path)
    assert (code, f"ALARM {alarm}" in said) == (1, True), said
    (tmp_path / "log").rename(tmp_path / "forked")
    (tmp_path / "before").rename(tmp_path / "log")
    grow(tmp_path / "log", 1)
    assert run_witness(tmp_path)[0] == 0, "the log that it knows goes on"


def test_a_witness_whose_folder_was_put_back_is_told_by_its_own_signature(tmp_path: Path) -> None:
    who = open_witness(tmp_path / "w", COUNCIL, KEY.public_key())
    files = grow(tmp_path / "log", 20)
    files.endorse((tmp_path / "log" / "checkpoint").read_text() + look_into(who, tmp_path / "log", 5)["line"])
    for seen in (tmp_path / "w" / "seen").iterdir():
        seen.unlink()
    grow(tmp_path / "log", 20)
    found = look_into(who, tmp_path / "log", 6)
    assert (found["status"], found["alarms"]) == (200, [FORGOT])


@pytest.mark.parametrize(
    "harmed", ["", "{", "[]", '{"size": 4}', '{"size": 4, "root": "zz"}', '{"size": "x", "root": ""}']
)
def test_a_witness_that_cannot_read_what_it_remembers_signs_nothing_and_says_what_to_do(
    harmed: str, tmp_path: Path
) -> None:
    grow(tmp_path / "log", 4)
    assert run_witness(tmp_path)[0] == 0, "control"
    (memory,) = (tmp_path / "w" / "seen").glob("*.json")
    memory.write_text(harmed)
    code, told = run_witness(tmp_path)
    assert (code, "put it back" in " ".join(told.split()), "signed wijzer" in told) == (1, True, False), told
    assert memory.read_text() == harmed


def test_nothing_is_signed_that_is_not_remembered_on_disk(tmp_path: Path) -> None:
    grow(tmp_path / "log", 20)
    who = open_witness(tmp_path / "w", COUNCIL, KEY.public_key())
    (tmp_path / "w" / "seen").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="seen"):
        look_into(who, tmp_path / "log", 5)
    assert not (tmp_path / "w" / "cosigned").exists()


def test_a_folder_without_its_tiles_is_told(tmp_path: Path) -> None:
    grow(tmp_path / "log", 20)
    assert run_witness(tmp_path)[0] == 0
    grow(tmp_path / "log", 20)
    (tmp_path / "log" / "tile" / "0" / "000.p" / "40").unlink()
    code, said = run_witness(tmp_path)
    assert (code, "a tile is missing" in said) == (1, True)
    with pytest.raises(UnreadableLog):
        nodes_in(tmp_path / "log", [3], 40)


def test_a_folder_that_holds_no_log_is_told_with_what_to_name(tmp_path: Path) -> None:
    code, said = run_witness(tmp_path)
    assert (code, "the folder of one school's log" in said, "Errno" in said) == (1, True, False), said


def test_a_proof_as_a_file_is_checked_without_a_platform(tmp_path: Path) -> None:
    grow(tmp_path / "log", 300)
    note = (tmp_path / "log" / "checkpoint").read_text()
    path = inclusion_proof(7, 300, nodes_in(tmp_path / "log", [7], 300))
    file = tmp_path / "7.tlog-proof"
    file.write_text(LineProof(7, b"line 7", tuple(path), note).text)
    given = ["audit", "verify-proof", str(file), "--key", str(public(tmp_path))]
    done = CliRunner().invoke(app, [*given, "--json"])
    assert done.exit_code == 0, done.output
    shown = json.loads(done.output)
    assert (shown["idx"], shown["entry"], shown["size"], shown["origin"]) == (7, "line 7", 300, NAME)
    assert CliRunner().invoke(app, [*given, "--origin", "samenkracht/wijzer/two"]).exit_code == 1
    house = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
    policy = tmp_path / "policy"
    policy.write_text(f"witness house {witness_key('house', house.public_key())}\nquorum house\n")
    done = CliRunner().invoke(app, [*given, "--policy", str(policy)])
    assert (done.exit_code, "too few witnesses" in done.output) == (1, True)
    file.write_text(LineProof(7, b"line 8", tuple(path), note).text)
    done = CliRunner().invoke(app, given)
    assert (done.exit_code, "not at that place" in done.output) == (1, True)
    assert CliRunner().invoke(app, ["audit", "verify-proof", str(tmp_path / "none"), *given[3:]]).exit_code == 1


async def endorsed(log: Log, size: int) -> str:
    """Waits until enough witnesses signed that many lines and returns the whole note."""
    async with asyncio.timeout(20):
        while True:
            sql = "SELECT full_note(school, size) AS note FROM endorsement WHERE size = $1"
            if notes := await log.rows(sql, size):
                return str(notes[0]["note"])
            await asyncio.sleep(0.02)


async def test_the_witness_in_another_service_signs_remembers_and_is_joined_by_one_outside(
    log: Log, nats_login: LoginFactory, run_service: ServiceFactory, infra: Servers, tmp_path: Path
) -> None:
    house = read_policy(infra.keys.witness_policy)
    who = open_witness(tmp_path / "w", COUNCIL, read_log_key(infra.keys.log_public))
    both = tmp_path / "policy"
    line = f"witness council {witness_key(COUNCIL, who.key.public_key())}\n"
    both.write_text(infra.keys.witness_policy.read_text().replace("group enough 1 ", line + "group enough 2 council "))
    trust = Trust(read_log_key(infra.keys.log_public), read_policy(both))

    notifications = await run_service("notifications", SAMEN_WITNESSES="[]")
    audit = await run_service("audit", SAMEN_WITNESSES="[]")
    goals = await nats_login("goals")
    journal = Journal(log.school)
    await publish(goals, journal, 20)
    note = await endorsed(log, 20)
    assert len(cosigned(note, house.keys)) == 1

    # Killed and started again it goes on from where it was; meanwhile nobody signed.
    notifications.kill()
    audit.kill()
    journal.many(5)
    notifications.start()
    await notifications.ready()
    second = await run_service("audit", SAMEN_WITNESSES="[]", SAMEN_WITNESS_POLICY=str(both))
    del second
    home = Home(tmp_path / "home")
    home.keys.root = infra.keys.root
    async with Client(home, url=infra.nats_url, operator="test") as client:
        found: dict[str, Any] | None = await ask_platform(who, client, log.school, 1_773_133_200)
        assert found is not None
        assert (found["size"], found["status"], found["taken"]) == (20, 200, True)
        overview = json.loads((await client.nats.request("ask.witnesses", b"{}", timeout=20)).data)[log.school]
        assert set(overview["witnesses"].values()) == {20}
        assert overview["within_s"] == 10
    full = (await log.rows("SELECT full_note(school, size) AS note FROM checkpoint WHERE size = 20"))[0]["note"]
    assert set(trust.checked(full)[1]) == {who.own.signer, *(key.signer for key in house.keys)}
    assert checked(f"old 0\n\n{full}", trust)["size"] == 20
    assert LOG_KEY not in {path.stem for path in (tmp_path / "w").iterdir()}


@pytest.mark.parametrize("taken", [True, False])
def test_a_signature_that_the_platform_did_not_take_is_no_success(taken: bool) -> None:
    found = {
        "origin": "samen.example/de-eik",
        "size": 3,
        "status": 200,
        "alarms": [],
        "line": "— w c2ln",
        "taken": taken,
    }
    assert _tell(found) is taken
