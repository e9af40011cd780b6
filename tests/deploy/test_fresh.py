"""What is written where nothing was: whole, of one run, never over what another run or person put there."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.fresh import beside, into_place, write_new
from deploy.samen import child_file, export
from deploy.samen.__main__ import app
from tests.audit.packs import TRUST, checked, entries_of, make

SCHOOL = "de-eik"
WHO = ("--school", SCHOOL, "--as", "00000000-0000-4000-8000-000000000001")
CHILD = "00000000-0000-4000-8000-000000000002"


class Overlapping:
    """Stands for the platform: while it answers the first asking, a second run of the same command begins and ends."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command, self._asked = command, 0
        self.second: Any = None

    def begun(self) -> None:
        """Is called in the midst of each run."""
        self._asked += 1
        if self._asked == 1:
            self.second = CliRunner().invoke(app, self._command)


@pytest.mark.parametrize("name", ["pack", "pack.zip"])
def test_of_two_exports_of_a_log_that_overlap_one_is_whole_and_one_says_no(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    command = ("audit", "export", *WHO, "--out", str(out))
    overlapping, entries = Overlapping(command), entries_of(SCHOOL, 30)

    async def write(_: object, folder: Path, *__: object) -> Any:  # noqa: ANN401  a manifest
        overlapping.begun()
        return make(folder, SCHOOL, entries)

    def do(_: object, work: Any) -> Any:  # noqa: ANN401  what commands ask
        with pytest.raises(StopIteration) as ended:
            work(Unasked()).send(None)
        return ended.value.value

    monkeypatch.setattr(export.Exporter, "run", write)
    monkeypatch.setattr(export, "do", do)
    monkeypatch.setattr(export, "trust_of", lambda *_: TRUST)
    first = CliRunner().invoke(app, command)
    assert overlapping.second.exit_code == 0, overlapping.second.output
    assert (first.exit_code, "is there already: name a new one" in first.output) == (1, True), first.output
    assert not checked(out).findings
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert not stat.S_IMODE(out.stat().st_mode) & 0o077


class Unasked:
    """A client that nobody asks."""

    def actor(self, *_: object) -> None:
        """Return nobody."""


def test_of_two_exports_of_a_child_that_overlap_one_is_whole_and_one_says_no(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "kim"
    command = ("child", "export", CHILD, *WHO, "--out", str(out))
    overlapping = Overlapping(command)

    def do(*_: object) -> dict[str, Any]:
        overlapping.begun()
        return {"not_for_this_reader": []}

    monkeypatch.setattr(child_file, "do", do)
    monkeypatch.setattr(child_file, "page", lambda *_: "page")
    first = CliRunner().invoke(app, command)
    assert overlapping.second.exit_code == 0, overlapping.second.output
    assert (first.exit_code, "is there already: name a new one" in first.output) == (1, True), first.output
    assert len(list(out.iterdir())) == 3


def test_a_place_that_takes_nothing_is_told_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def asked(*_: object) -> None:
        pytest.fail("it asked for a copy that it can't write")

    monkeypatch.setattr(child_file, "do", asked)
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/kim")):
        done = CliRunner().invoke(app, ("child", "export", CHILD, *WHO, "--out", str(out)))
        assert (done.exit_code, "nothing was written" in done.output) == (1, True), done.output
        assert ".part" not in done.output


def test_two_that_overlap_touch_nothing_of_each_other_and_one_wins(tmp_path: Path) -> None:
    out = tmp_path / "pack"
    with beside(out) as first, beside(out) as second:
        for part, word in ((first, "one"), (second, "two")):
            (part / "made").mkdir()
            (part / "made" / "word").write_text(word)
        into_place(first / "made", out)
        with pytest.raises(FileExistsError, match="is there already: name a new one"):
            into_place(second / "made", out)
    assert (out / "word").read_text() == "one"
    assert [one.name for one in tmp_path.iterdir()] == ["pack"], "nothing half-written is left"


@pytest.mark.parametrize("there", ["file", "folder", "link"])
def test_what_is_there_is_refused_whatever_it_is(tmp_path: Path, there: str) -> None:
    out = tmp_path / "out"
    if there == "file":
        out.write_text("theirs")
    elif there == "folder":
        out.mkdir()
    else:
        out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError, match="is there already"):
        write_new(out, "ours")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
    assert there != "file" or out.read_text() == "theirs"


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    write_new(tmp_path / "new" / "proof", "text")
    assert stat.S_IMODE((tmp_path / "new" / "proof").stat().st_mode) == 0o600
