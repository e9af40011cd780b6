"""What a person asks wrongly is refused with what to do, never answered as if it were right."""

from __future__ import annotations

import asyncio
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from deploy.samen import audit_questions, inbox, proofs, restriction, roster
from deploy.samen.__main__ import app
from deploy.samen.audit_questions import CODES
from deploy.samen.demo import WORDS, Watched
from deploy.samen.oneroster_records import Issue
from deploy.samen.roster_import import Report, SchoolReport
from shared.tlog.trust import pem_of
from tests.audit.packs import POLICY_TEXT, TRUST, entries_of, make
from tests.audit.support import KEY

ID = "00000000-0000-4000-8000-000000000001"
WHO = ("--school", "de-eik", "--as", ID)


def said(*command: object) -> tuple[int, str]:
    """Run a command; return its exit status and what it said, in one line and without the frame of typer's errors."""
    done = CliRunner().invoke(app, list(map(str, command)), env={"COLUMNS": "300"})
    return done.exit_code, " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.output).split())


@pytest.mark.parametrize("option", ["--key", "--policy", "--pinned"])
def test_what_is_for_a_pack_is_refused_without_one(tmp_path: Path, option: str) -> None:
    code, told = said("audit", "verify", option, tmp_path / "x", "--dir", tmp_path)
    assert (code, "name the pack too" in told, option in told) == (2, True, True), told


def test_a_pack_of_one_school_says_nothing_of_another(tmp_path: Path) -> None:
    make(tmp_path / "p", "de-eik", entries_of("de-eik", 30))
    (tmp_path / "key").write_bytes(pem_of(KEY.public_key()))
    (tmp_path / "policy").write_text(POLICY_TEXT)
    given = ("audit", "verify", tmp_path / "p", "--key", tmp_path / "key", "--policy", tmp_path / "policy")
    assert said(*given, "--school", "de-eik")[0] == 0
    code, told = said(*given, "--pinned", tmp_path / "none")
    assert (code, f"nothing was checked: {tmp_path}/none is not there" in told) == (1, True), told
    code, told = said(*given, "--school", "de-es")
    assert (code, "a pack of de-eik, not of de-es" in told, "holds" in told) == (1, True, False), told


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb"])
def test_a_witness_needs_a_name_that_a_key_can_have(tmp_path: Path, name: str) -> None:
    (tmp_path / "key").write_bytes(pem_of(KEY.public_key()))
    code, told = said("witness", "--state", tmp_path / "w", "--name", name, "--key", tmp_path / "key")
    assert (code, "council.example.org/log" in told) == (1, True), told
    assert not (tmp_path / "w").exists()


def test_a_witness_keeps_its_name_and_says_which_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(pem_of(KEY.public_key()))
    given = ("witness", "--state", tmp_path / "w", "--from", tmp_path / "log", "--key")
    assert "for the policy: witness council" in said(*given, tmp_path / "key", "--name", "council")[1]
    code, told = said(*given, tmp_path / "key", "--name", "other")
    assert (code, "of the witness council: take that name" in told, "policy" in told) == (1, True, False), told
    code, told = said(*given, tmp_path / "none", "--name", "council")
    assert (code, f"{tmp_path}/none" in told, "Errno" in told) == (1, True, False), told
    (tmp_path / "file").touch()
    code, told = said("witness", "--state", tmp_path / "file", "--name", "council", "--key", tmp_path / "key")
    assert (code, f"{tmp_path}/file" in told) == (1, True), told


def test_every_code_that_the_judge_finds_can_be_asked_for_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for path in Path("services/audit").glob("*.py"):
        found |= set(re.findall(r'(?:\bfinding\(\s*|Finding\(\w+, )"([a-z_]+)"', path.read_text()))
    assert found, "the judge's code is written otherwise now"
    assert found <= CODES
    monkeypatch.setattr(audit_questions, "ask", lambda *_: pytest.fail("it was asked"))
    code, told = said("audit", "findings", *WHO, "--code", "nope")
    assert (code, "after_end, after_withdrawal" in told) == (2, True), told


@pytest.mark.parametrize(
    "command",
    [
        ("network", "ask", ID, "--recipient", ID),
        ("tool", "add", "Toets", "--agreement", "A-1", "--child", ID),
        ("audit", "who-saw", ID),
    ],
)
def test_a_category_that_there_is_not_is_told_once_with_those_there_are(command: tuple[str, ...]) -> None:
    code, told = said(*command, *WHO, "--category", "goalz", "--category", "grades")
    assert (code, told.count("'goals'"), "also" in told) == (2, 1, False), told


def test_a_period_that_ends_before_it_begins_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_questions, "ask", lambda *_: pytest.fail("it was asked"))
    for until in ("2020-01-01", "2030-01-01"):
        code, told = said("audit", "judge", *WHO, "--from", "2030-01-01", "--to", until)
        assert (code, "--to is the later one" in told) == (2, True), told
        code, told = said("audit", "denials", *WHO, "--since", "2030-01-01", "--until", until)
        assert (code, "--until is the later one" in told) == (2, True), told


def test_mails_of_a_folder_that_no_platform_had_are_not_no_mails(tmp_path: Path) -> None:
    code, told = said("mail", "--dir", tmp_path / "none")
    assert (code, f"{tmp_path}/none" in told, "--dir" in told) == (1, True, True), told
    (tmp_path / "mail").mkdir()
    for last in (0, -5):
        assert said("mail", "--dir", tmp_path, "--last", last)[0] == 2
    assert said("mail", "--dir", tmp_path)[0] == 0


class Here:
    """Stands for the platform."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(("refused", "failed", "expected"), [(0, None, 0), (2, None, 3), (2, "no answer", 1)])
def test_a_delivery_with_refused_rows_is_not_a_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int, failed: str | None, expected: int
) -> None:
    issues = [Issue(f"users.csv:{n}", "no_role") for n in range(refused)]
    report = Report([SchoolReport("de-eik", "De Eik", failed=failed)], issues, len(issues), True, False, False, refused)

    async def imported(*_: object) -> Report:
        await asyncio.sleep(0)
        return report

    monkeypatch.setattr(roster, "Client", lambda _: Here())
    monkeypatch.setattr(roster, "import_folder", imported)
    code, told = said("roster", "import", tmp_path)
    assert (code, "2 rows were refused" in told) == (expected, expected == 3), told


def test_a_proof_is_written_over_nothing_and_then_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def do(*given: object) -> dict[str, str]:
        asked.append(given)
        return {"proof": "a proof"}

    monkeypatch.setattr(proofs, "do", do)
    monkeypatch.setattr(proofs, "trust_of", lambda *_: TRUST)
    out = tmp_path / "proof"
    said("audit", "prove", 1, *WHO, "--out", out)
    assert (out.read_text(), out.stat().st_mode & 0o077) == ("a proof", 0)
    out.write_text("theirs")
    done = CliRunner().invoke(app, ["audit", "prove", "1", *WHO, "--out", str(out)])
    assert isinstance(done.exception, FileExistsError)
    assert (out.read_text(), len(asked)) == ("theirs", 1)


def test_a_bar_goes_no_further_than_its_end() -> None:
    with Progress(console=Console(quiet=True)) as progress:
        watched = Watched(progress)
        watched.scene("the last mails go out", 2)
        for _ in range(5):
            watched.step()
        assert [(task.completed, task.total) for task in progress.tasks] == [(5, 5)]


def test_what_a_demo_has_done_scrolls_away_however_low_the_window_is() -> None:
    told = Console(width=100, height=10, record=True, force_terminal=True, file=StringIO())
    with Progress(WORDS, console=told, expand=True) as progress:
        watched = Watched(progress)
        for n in range(30):
            watched.scene(f"scene {n}", 1)
            watched.step()
            assert len(progress.tasks) == 1
        watched.end()
        assert not progress.tasks
    lines = [line.strip() for line in told.export_text().splitlines()]
    assert all(f"scene {n}" in lines for n in range(30))


def test_a_restriction_is_listed_by_the_days_that_were_named(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"id": ID, "version": 1, "child": ID, "ground": "supervision", "state": "asked", "in_force": False}
    one |= {"ends_at": "2027-07-30T22:00:00Z", "told": True, "categories": []}
    one |= {"lines_from": "2027-01-31T23:00:00Z", "lines_until": "2027-05-31T22:00:00Z"}
    monkeypatch.setattr(restriction, "do", lambda *_: {"restrictions": [one], "next": None})
    code, told = said("audit", "restriction", "list", *WHO)
    assert (code, "2027-07-31" in told, "from 2027-02-01 to 2027-06-01" in " ".join(told.split())) == (0, True, True)


def test_a_period_in_which_nothing_was_recorded_is_not_one_in_which_nothing_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = {"judged": 0, "waiting": 0, "findings": [], "next": None}
    monkeypatch.setattr(audit_questions, "ask", lambda *_: empty)
    period = ("--from", "2030-01-01", "--to", "2030-02-01")
    code, told = said("audit", "judge", *WHO, *period)
    assert (code, "Nothing was judged" in told, "Nothing was found" in told) == (0, True, False), told
    monkeypatch.setattr(audit_questions, "ask", lambda *_: empty | {"judged": 3})
    assert "Nothing was found" in said("audit", "judge", *WHO, *period)[1]


def test_an_inbox_tells_the_year() -> None:
    notice: dict[str, Any] = {"occurred_at": "2026-01-02T10:00:00Z", "urgent": False, "state": "unread"}
    notice |= {"dutch": "hier", "english": "here", "notice": ID, "about": ID}
    console = Console(width=200, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as shown:
        console.print(inbox._table({"notices": [notice]}))
    assert "02 Jan 2026 11:00" in shown.get()
