"""What the machine refuses is told in one sentence, with the place and what to do; no traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.samen import circle, network, plan_export, proofs, roster
from deploy.samen.__main__ import app, main
from deploy.samen.failing import in_a_sentence, sentence
from tests.audit.packs import TRUST

ID = "00000000-0000-4000-8000-000000000001"
WHO = ("--school", "de-eik", "--as", ID)
BINARY = b"\xff\xfe\x00 no text"


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked of a service is answered."""
    monkeypatch.setattr(network, "ask_network", lambda *_, **__: {})
    monkeypatch.setattr(network, "draw", lambda *_: "<svg/>")
    older = dict.fromkeys(("older_scores", "older_goals", "older_plans"), 0)
    found = {"bundle": {"entry": []}, "answers": [], "scores_shown": True, "said_shown": True, **older}
    found |= {"plan": {"about": ID}, "verified": 0, "broken": 0}
    monkeypatch.setattr(plan_export, "ask_goals", lambda *_: found)
    monkeypatch.setattr(plan_export, "ask_network", lambda *_, **__: {})
    monkeypatch.setattr(plan_export, "page_of", lambda *_: "<p>")
    monkeypatch.setattr(circle, "command", lambda *_: pytest.fail("it was sent"))
    monkeypatch.setattr(proofs, "trust_of", lambda *_: TRUST)
    monkeypatch.setattr(proofs, "do", lambda *_: {"proof": "a proof"})


def test_the_command_line_tells_it_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "below"
    monkeypatch.setattr("sys.argv", ["samen", "up", "--dir", str(below)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert (ended.value.code, str(below) in said, "Traceback" in said) == (1, True, False), said


def told(capsys: pytest.CaptureFixture[str], *command: object) -> str:
    """Run the command line; return what it says on its way out with 1."""
    with pytest.raises(SystemExit) as ended, in_a_sentence():
        app(list(map(str, command)))
    said = capsys.readouterr().err.strip()
    assert (ended.value.code, "Traceback" in said) == (1, False), said
    return said


@pytest.mark.parametrize("place", ["folder", "file/below", "/proc/x"])
@pytest.mark.parametrize(
    "command",
    [
        ("network", "show", ID, *WHO, "--svg"),
        ("goals", "export", ID, *WHO, "--out"),
        ("plan", "document", ID, *WHO, "--out"),
    ],
)
@pytest.mark.usefixtures("answering")
def test_a_place_that_can_not_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    out = tmp_path / place
    said = told(capsys, *command, out)
    assert said.startswith((f"{out} ", f"{out.parent} "))
    assert len(said.splitlines()) == 1
    assert ":" in said


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize("command", [("goals", "export", ID, *WHO, "--out"), ("network", "show", ID, *WHO, "--svg")])
def test_a_missing_folder_is_made_and_a_file_that_is_there_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    out = tmp_path / "new" / "file"
    done = CliRunner().invoke(app, [*command, str(out)])
    assert done.exit_code == 0, done.output
    assert not out.stat().st_mode & 0o077, "for its owner only"
    out.write_text("kept")
    assert told(capsys, *command, out) == f"{out} is there already: name a new one"
    assert out.read_text() == "kept"


@pytest.mark.usefixtures("answering")
def test_what_can_not_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "binary").write_bytes(BINARY)
    missing, binary = tmp_path / "missing", tmp_path / "binary"
    assert (
        told(capsys, "audit", "growth", missing, *WHO)
        == f"{missing} is not there, or its folder is not: check the path"
    )
    no_text = f"{binary} is no text in UTF-8: save it as UTF-8, or name another file"
    assert told(capsys, "audit", "growth", binary, *WHO) == no_text
    assert told(capsys, "network", "publish-notice", 9, binary, *WHO) == no_text


def test_a_place_for_a_platform_or_a_witness_that_takes_nothing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "below"
    assert str(below) in told(capsys, "up", "--dir", below)


def test_a_delivery_that_may_not_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(*_: object) -> Any:  # noqa: ANN401  it never returns
        raise PermissionError(13, "Permission denied", "users.csv")

    class Here:
        async def __aenter__(self) -> None: ...

        async def __aexit__(self, *_: object) -> None: ...

    monkeypatch.setattr(roster, "Client", lambda _: Here())
    monkeypatch.setattr(roster, "import_folder", unreadable)
    said = told(capsys, "roster", "import", tmp_path)
    assert said.splitlines()[-1].startswith("users.csv is not yours to read or write: ")


def test_a_conversation_past_the_end_of_time_is_a_wrong_answer(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("talk", "plan", ID, *WHO, "--at", "9999-12-31T23:59", "--why", "x", "--with", ID)
    with pytest.raises(SystemExit) as ended:
        app(list(command))
    said = capsys.readouterr().err
    assert (ended.value.code, "check the year" in said) == (2, True), said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileExistsError("x is there already: name a new one"), "x is there already: name a new one"),
        (FileNotFoundError(2, "No such file", "a", None, "b"), "b is not there, or its folder is not: check the path"),
        (OSError(28, "No space left on device", b"/a"), "/a can't be written, for the disk is full"),
        (OSError(5, "Input/output error", "/a"), "/a can't be used (Input/output error): name another one"),
        (ConnectionRefusedError(111, "Connect call failed"), "Connect call failed: see `samen status`"),
        (TimeoutError(), "no answer in time: see `samen status`"),
        (OverflowError("date value out of range"), "a date or number is beyond"),
        (UnicodeDecodeError("utf-8", BINARY, 0, 1, "invalid start byte"), "a file is no text in UTF-8"),
    ],
)
def test_every_failure_of_the_machine_has_a_sentence(error: OSError, said: str) -> None:
    assert sentence(error).startswith(said)
