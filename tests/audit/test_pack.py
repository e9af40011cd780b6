"""The auditor's pack: exported from a real database page by page, checked without it. tampering.py harms it."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from rich.progress import Progress
from typer.testing import CliRunner

from deploy.pack.derived import BLOCK
from deploy.pack.layout import CHECKPOINTS, COLUMNS, LINES, NOTE, POLICY, README, TABLE, entry_of, harmless, row
from deploy.pack.report import NOT_LOGGED, Finding
from deploy.pack.source import BadPack, Source
from deploy.pack.verifier import verify
from deploy.pack.writer import PackWriter, zipped
from deploy.samen.__main__ import app
from deploy.samen.export import Exporter
from shared.errors import Problem
from shared.events.words import Basis, Purpose, Role
from shared.tlog.cosignature import cosign
from shared.tlog.note import Checkpoint, split
from shared.tlog.policy import Policy
from shared.tlog.trust import Trust, pem_of
from tests.audit.packs import (
    POLICY_TEXT,
    STRANGER,
    TRUST,
    checked,
    entries_of,
    make,
    note_of,
)
from tests.audit.support import AUDITOR, KEY, MOTHER, Journal, Log, log_grant
from tests.audit.tampering import Lab, Scene, mend

SCHOOL = "de-eik"


@pytest.mark.parametrize(
    ("size", "first", "end"), [(1, 0, 1), (256, 0, 256), (700, 0, 700), (700, 300, 301), (700, 0, 256), (700, 256, 700)]
)
def test_an_untouched_pack_passes_and_says_what_was_checked(tmp_path: Path, size: int, first: int, end: int) -> None:
    entries = entries_of(SCHOOL, size)
    make(tmp_path / "p", SCHOOL, entries, first, end)
    older = note_of(SCHOOL, entries[: max(1, size // 2)])
    told: list[tuple[int, int]] = []
    with Source(tmp_path / "p") as source:
        report = verify(source, TRUST, pinned=older, progress=lambda done, of: told.append((done, of)))
    assert report.findings == []
    assert (report.size, report.lines, report.origin) == (size, end - first, "samenkracht/wijzer/de-eik")
    assert report.checkpoints == (size - 1) // 100 + 1
    assert told[-1] == (size, size)
    if (first, end) == (0, size):
        last = {str(one["producer"]): one["seq"] for one in map(entry_of, entries)}
        assert report.producers == {producer: [1, seq] for producer, seq in last.items()}


def test_a_pack_is_the_same_as_a_zip_and_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make(tmp_path / name, SCHOOL, entries_of(SCHOOL, 300))
        zipped(tmp_path / name, tmp_path / f"{name}.zip")
        assert not (tmp_path / name).exists()
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert checked(tmp_path / "a.zip").findings == []
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(BadPack):
        checked(tmp_path / "a.zip")


def test_a_pack_is_for_who_exports_it_only(tmp_path: Path) -> None:
    for name in ("p", "q"):
        make(tmp_path / name, SCHOOL, entries_of(SCHOOL, 20))
    zipped(tmp_path / "q", tmp_path / "q.zip")
    files = [one for one in (tmp_path / "p").rglob("*") if one.is_file()]
    assert len(files) > 10
    for path in (tmp_path / "p", tmp_path / "q.zip", *files):
        assert not path.stat().st_mode & 0o077, path


def test_the_first_bad_line_is_named(tmp_path: Path) -> None:
    make(tmp_path / "p", SCHOOL, entries_of(SCHOOL, 700))
    lines = (tmp_path / "p" / LINES).read_bytes().splitlines(keepends=True)
    for idx in (611, 123, 400):
        lines[idx] = lines[idx].replace(b"guidance", b"transfer")
        assert b"transfer" in lines[idx]
    (tmp_path / "p" / LINES).write_bytes(b"".join(lines))
    first = checked(tmp_path / "p").first_bad_line
    assert first is not None
    assert (first.idx, first.file, first.what) == (123, LINES, "the line is not the one that was logged")


def test_what_is_checked_in_columns_is_what_is_checked_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks that follow on one another wrongly, lines that are changed in each of them, and a file that goes on."""
    entries = entries_of(SCHOOL, BLOCK + 600)
    del entries[BLOCK]  # what is missing between two blocks
    note = note_of(SCHOOL, entries)
    with PackWriter(tmp_path / "p", note, 0, len(entries)) as writer:
        writer.entries(entries)
        writer.checkpoints([note])
        writer.finish(pem_of(KEY.public_key()), POLICY_TEXT.encode())

    def said(*, in_columns: bool) -> tuple[list[Finding], Finding | None, int, dict[str, list[int]]]:
        with Source(tmp_path / "p") as source, monkeypatch.context() as patched:
            told: list[int] = []
            if not in_columns:
                patched.setattr("deploy.pack.blocks.columns_of", lambda _: None)
            report = verify(source, TRUST, progress=lambda done, _of: told.append(done))
        assert told == sorted(told)
        return report.findings, report.first_bad_line, report.lines, report.producers

    alone = said(in_columns=False)
    assert [(one.idx, "goes from" in one.what) for one in alone[0]] == [(alone[0][0].idx, True)]
    assert alone[0][0].idx >= BLOCK
    assert said(in_columns=True) == alone
    lines = (tmp_path / "p" / LINES).read_bytes().splitlines(keepends=True)
    for idx in (BLOCK + 400, 5):
        lines[idx] = lines[idx].replace(b"guidance", b"transfer")
    (tmp_path / "p" / LINES).write_bytes(b"".join([*lines, lines[0]]))
    harmed = said(in_columns=False)
    assert harmed[1] == Finding(LINES, 5, NOT_LOGGED)
    assert {one.idx for one in harmed[0]} >= {5, BLOCK + 400, len(entries)}
    assert said(in_columns=True) == harmed
    (tmp_path / "p" / LINES).write_bytes(b"".join([*lines[:500], *lines[501:]]))
    assert said(in_columns=False)[1] == Finding(LINES, 5, NOT_LOGGED), "though all that follows is wrong too"


def test_what_was_signed_as_it_is_must_also_be_in_order(tmp_path: Path) -> None:
    """A log that is signed and whole, and yet lacks a producer's event, or holds a line in another form or school."""
    entries = entries_of(SCHOOL, 90)
    harmed = {
        "goes from": [*entries[:40], *entries[41:]],
        "begins at": entries[5:],
        "canonical": [*entries[:40], entries[40].replace(b'":', b'": ', 1), *entries[41:]],
        "another school": [*entries[:40], entries[40].replace(b'"de-eik"', b'"de-es"'), *entries[41:]],
    }
    for what, told in harmed.items():
        folder = tmp_path / what.replace(" ", "-")
        if what == "canonical":
            with pytest.raises(ValueError, match="canonical"):
                make(folder, SCHOOL, told)
            continue
        make(folder, SCHOOL, told)
        assert what in " ".join(one.what for one in checked(folder).findings)


def test_keys_of_others_prove_nothing(tmp_path: Path) -> None:
    make(tmp_path / "p", SCHOOL, entries_of(SCHOOL, 20))
    for trust in (Trust(STRANGER.public_key(), TRUST.policy), Trust(TRUST.log, Policy())):
        with Source(tmp_path / "p") as source:
            assert verify(source, trust).findings
    with Source(tmp_path / "p") as source:
        assert verify(source, TRUST, origin="samenkracht/wijzer/de-es").findings


def test_a_pack_that_ends_before_what_one_has_seen_is_found(tmp_path: Path) -> None:
    entries = entries_of(SCHOOL, 120)
    make(tmp_path / "p", SCHOOL, entries[:100])
    assert checked(tmp_path / "p").findings == []
    assert checked(tmp_path / "p", note_of(SCHOOL, entries)).findings
    assert checked(tmp_path / "p", note_of(SCHOOL, entries[:50])).findings == []
    assert checked(tmp_path / "p", note_of(SCHOOL, entries_of("other", 50))).findings


def test_tampering_is_found_whatever_it_is(tmp_path: Path) -> None:
    """A hundred seeds; the whole thousand: `python -m tests.audit.tampering 1000`."""
    lab = Lab(tmp_path / "lab")
    missed = []
    for seed in range(100):
        (tmp_path / str(seed)).mkdir()
        done = lab.trial(seed, tmp_path / str(seed))
        if not done.found:
            missed.append((seed, done.what))
    assert missed == []


def stranger_signs(pack: Path) -> None:
    first, *rest = (pack / CHECKPOINTS).read_text().splitlines()
    note = json.loads(first)["note"]
    note += cosign(split(note)[0], "stranger", STRANGER, 5).line
    (pack / CHECKPOINTS).write_text("".join(f"{line}\n" for line in [json.dumps({"note": note}), *rest]))


def _notes(pack: Path, change: Callable[[str], str]) -> None:
    """Changes the note that the pack is under, where it stands alone and among the checkpoints."""
    *older, last = (pack / CHECKPOINTS).read_text().splitlines()
    note = change(json.loads(last)["note"])
    (pack / CHECKPOINTS).write_text("".join(f"{line}\n" for line in [*older, json.dumps({"note": note})]))
    (pack / NOTE).write_text(note)


def stranger_signs_first(pack: Path) -> None:
    _notes(pack, lambda note: note.replace("\n\n", f"\n\n{cosign(split(note)[0], 'stranger', STRANGER, 5).line}"))


def log_signs_twice(pack: Path) -> None:
    _notes(pack, lambda note: note + split(note)[1][0].line)


def witness_signs_twice(pack: Path) -> None:
    _notes(pack, lambda note: note.replace("\n\n", f"\n\n{split(note)[1][-1].line}"))


def drop_last_checkpoint(pack: Path) -> None:
    lines = (pack / CHECKPOINTS).read_text().splitlines(keepends=True)
    (pack / CHECKPOINTS).write_text("".join(lines[:-1]))


def change_cell(pack: Path) -> None:
    (pack / TABLE).write_bytes((pack / TABLE).read_bytes().replace(b"guidance", b"transfer", 1))


def change_level(pack: Path) -> None:
    (pack / "log/tile/1/000.p/2").write_bytes(bytes(64))


def add_line(pack: Path) -> None:
    lines = (pack / LINES).read_bytes()
    (pack / LINES).write_bytes(lines + lines.splitlines(keepends=True)[0])


def add_file(pack: Path) -> None:
    (pack / "log" / "note.txt").write_text("by the way")


def say_otherwise(pack: Path) -> None:
    (pack / README).write_text("All is well.")


def another_policy(pack: Path) -> None:
    (pack / POLICY).write_text("quorum none\n")


CAREFUL: tuple[tuple[Callable[[Path], None], str], ...] = (
    (stranger_signs, "not in the policy"),
    (stranger_signs_first, "not in the policy"),
    (log_signs_twice, "by a key twice"),
    (witness_signs_twice, "by a key twice"),
    (drop_last_checkpoint, "does not end with"),
    (change_cell, "does not follow from the lines"),
    (change_level, "does not follow from the tiles"),
    (add_line, "more lines than"),
    (add_file, "does not belong"),
    (say_otherwise, "not the text"),
    (another_policy, "not the policy"),
)


@pytest.mark.parametrize(("harm", "what"), CAREFUL)
def test_a_manifest_that_was_made_anew_hides_nothing(tmp_path: Path, harm: Callable[[Path], None], what: str) -> None:
    entries = entries_of(SCHOOL, 640)
    make(tmp_path / "p", SCHOOL, entries)
    harm(tmp_path / "p")
    mend(Scene(tmp_path / "p", tmp_path / "p", entries, Random(0)), table=False)
    told = [one.what for one in checked(tmp_path / "p").findings]
    assert any(what in one for one in told), told
    assert not any("another hash" in one for one in told)


def test_what_the_manifest_says_follows_from_the_pack(tmp_path: Path) -> None:
    make(tmp_path / "p", SCHOOL, entries_of(SCHOOL, 20))
    told = json.loads((tmp_path / "p" / "manifest.json").read_text())
    told["producers"]["goals"][1] += 1
    (tmp_path / "p" / "manifest.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    assert [one.what for one in checked(tmp_path / "p").findings] == ["does not follow from the rest of the pack"]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    entry = dict.fromkeys(COLUMNS[1:], text) | {"later": text}
    (cells,) = csv.reader(io.StringIO(row(7, entry).decode(), newline=""))
    assert cells[0] == "7"
    assert all(cell[0] in "'{" for cell in cells[1:])
    for name in COLUMNS[1:]:  # one among plain ones
        (cells,) = csv.reader(io.StringIO(row(7, {"type": "x", "seq": 3, name: text}).decode(), newline=""))
        cell = dict(zip(COLUMNS, cells, strict=False))[name]
        assert (cell[0], cell.replace("'", "")) == ("'", text)
    (cells,) = csv.reader(
        io.StringIO(row(-7, {"what": "a,b", "type": 'a "b"', "emergency": True}).decode(), newline="")
    )
    assert {"-7", "a,b", 'a "b"', "true"} <= set(cells)
    assert len(cells) == len(COLUMNS) + 1
    assert harmless(True) == "true"
    assert harmless("plain") == "plain"


@pytest.mark.parametrize("text", ["a;=1+1", "x;+cmd", "x;;@SUM(A1)", "a\t-2", "a\n=1", "\uff1d1+1", "a;\uff0b1", ";=1"])
def test_no_cell_is_a_formula_where_a_semicolon_or_a_tab_parts_cells_either(text: str) -> None:
    """Dutch spreadsheets part cells by semicolons: a text with one in it is two cells to them."""
    for entry in ({"what": text}, {"later": text}):
        line = row(7, {"type": "x", "seq": 3, **entry}).decode()
        parts = [part.lstrip('"') for part in re.split(r"[;\t\r\n,]", line)]
        assert not [part for part in parts if part.startswith(("=", "+", "-", "@", "\uff1d", "\uff0b"))], line
    assert harmless("b; c") == "b; c"


# From the log itself ------------------------------------------------------------------------------------------------


class Asker:
    """A client of the platform that asks the log in process."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def actor(self, person: UUID, school: str) -> UUID:
        del school
        return person

    async def query(self, school: str, service: str, name: str, body: dict[str, Any], who: UUID) -> Any:  # noqa: ANN401
        assert (school, service) == (self.log.school, "audit")
        answer = await self.log.ask(name, who, **{key: value for key, value in body.items() if key != "purpose"})
        return json.loads(json.dumps(answer))


async def exported(log: Log, folder: Path, who: UUID = AUDITOR, **period: str) -> None:
    exporter = Exporter(Asker(log), log.school, who, Purpose.OVERSIGHT)  # type: ignore[arg-type]
    with Progress(disable=True) as told:
        trust = Trust(KEY.public_key(), Policy())
        await exporter.run(folder, trust, period.get("since"), period.get("until"), told)


def found(folder: Path) -> list[str]:
    with Source(folder) as source:
        return [
            f"{one.file} {one.idx} {one.what}" for one in verify(source, Trust(KEY.public_key(), Policy())).findings
        ]


async def a_log(log: Log) -> Journal:
    await log.settle()
    goals, network = Journal(log.school), Journal(log.school, "network")
    random = Random(4)
    for _ in range(4):
        for journal in (goals, network):
            await log.log(journal.many(random.randint(200, 400)))
            await log.sign()
    return goals


async def test_a_log_is_exported_and_every_page_is_a_line(log: Log, tmp_path: Path) -> None:
    await a_log(log)
    await exported(log, tmp_path / "p")
    assert found(tmp_path / "p") == []
    kept = [row["entry"].encode() for row in await log.rows("SELECT entry FROM line ORDER BY idx")]
    assert (tmp_path / "p" / LINES).read_bytes().splitlines() == kept
    notes = [json.loads(one)["note"] for one in (tmp_path / "p" / CHECKPOINTS).read_text().splitlines()]
    assert len(notes) == 8
    assert Checkpoint.parse(split(notes[-1])[0]).size == len(kept)
    looks = [one.content["data"]["fact"] for one in await log.journaled()]
    assert [look["query"] for look in looks[:2]] == ["export", "export-lines"]
    assert sum(look["things"] for look in looks if look["query"] == "export-lines") == len(kept)
    table = list(csv.DictReader(io.StringIO((tmp_path / "p" / TABLE).read_text(), newline="")))
    assert [int(line["seq"]) for line in table] == [json.loads(entry)["seq"] for entry in kept]


async def test_a_period_is_exported_and_proven_under_the_whole_log(log: Log, tmp_path: Path) -> None:
    goals = await a_log(log)
    since, until = (goals.events[place].content["recordedat"] for place in (300, 320))
    await exported(log, tmp_path / "p", since=since, until=until)
    assert found(tmp_path / "p") == []
    lines = [json.loads(one) for one in (tmp_path / "p" / LINES).read_bytes().splitlines()]
    assert {one["seq"] for one in lines if one["producer"] == "goals"} >= set(range(301, 321))
    assert len(lines) < sum(1 for _ in goals.events) * 2
    with pytest.raises(Problem, match="no signed line"):
        await exported(log, tmp_path / "q", since="2019-01-01T00:00:00Z", until="2019-02-01T00:00:00Z")


async def test_only_who_may_export_gets_a_page(log: Log) -> None:
    await a_log(log)
    viewer = log_grant(MOTHER, Role.GUARDIAN, Purpose.OVERSIGHT, Basis.LEGAL_DUTY)
    await log.give(log.subject, viewer)
    bodies: dict[str, dict[str, Any]] = {
        "export": {},
        "export-lines": {"first": 0, "end": 5},
        "export-hashes": {"first": 0, "end": 5},
        "export-checkpoints": {"after": 0, "until": 5},
    }
    for name, body in bodies.items():
        with pytest.raises(Problem, match="forbidden"):
            await log.ask(name, MOTHER, **body, purpose="oversight")


def test_a_pack_is_checked_by_the_command_without_a_platform(tmp_path: Path) -> None:
    entries = entries_of(SCHOOL, 300)
    make(tmp_path / "p", SCHOOL, entries)
    (tmp_path / "log.pem").write_bytes(pem_of(KEY.public_key()))
    (tmp_path / "policy").write_text(POLICY_TEXT)
    (tmp_path / "newer").write_text(note_of(SCHOOL, [*entries, b"{}"]))
    here = ["--dir", str(tmp_path / "nothing")]
    given = [
        "audit",
        "verify",
        str(tmp_path / "p"),
        "--key",
        str(tmp_path / "log.pem"),
        "--policy",
        str(tmp_path / "policy"),
    ]
    done = CliRunner().invoke(app, [*given, "--json", *here])
    assert (done.exit_code, json.loads(done.stdout)["ok"]) == (0, True), done.output
    own = CliRunner().invoke(app, ["audit", "verify", str(tmp_path / "p"), *here])
    assert own.exit_code == 0
    mine = CliRunner().invoke(app, [*given[:-2], *here])
    assert (mine.exit_code, "cosigned by" in mine.output, "--policy" in mine.output) == (0, False, True), mine.output
    one_policy = CliRunner().invoke(app, [*given[:3], *given[-2:], *here])
    assert (one_policy.exit_code, "cosigned by samenkracht" in one_policy.output) == (0, True), one_policy.output
    assert "The keys are the pack's own" in own.output.replace("\n", " ")
    assert CliRunner().invoke(app, [*given, "--pinned", str(tmp_path / "newer"), *here]).exit_code == 1
    (tmp_path / "p" / POLICY).write_text("quorum none\n")
    assert CliRunner().invoke(app, [*given, *here]).exit_code == 1
    (tmp_path / "p" / "keys" / "audit-log.pub.pem").unlink()
    done = CliRunner().invoke(app, ["audit", "verify", str(tmp_path / "none"), *here])
    assert (done.exit_code, "nothing was checked" in done.output) == (1, True)


def test_a_zip_that_is_locked_is_no_pack_and_says_so(tmp_path: Path) -> None:
    make(tmp_path / "p", SCHOOL, entries_of(SCHOOL, 20))
    zipped(tmp_path / "p", tmp_path / "p.zip")
    content = bytearray((tmp_path / "p.zip").read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            content[at + flags] |= 1  # encrypted
    (tmp_path / "p.zip").write_bytes(content)
    done = CliRunner().invoke(app, ["audit", "verify", str(tmp_path / "p.zip"), "--dir", str(tmp_path / "no")])
    assert (done.exit_code, "nothing was checked" in done.output) == (1, True), done.output


def test_a_zip_with_a_file_twice_is_found(tmp_path: Path) -> None:
    make(tmp_path / "p", SCHOOL, entries_of(SCHOOL, 20))
    zipped(tmp_path / "p", tmp_path / "p.zip")
    with zipfile.ZipFile(tmp_path / "p.zip", "a") as more, pytest.warns(UserWarning, match="Duplicate"):
        more.writestr(LINES, zipfile.ZipFile(tmp_path / "p.zip").read(LINES))
    assert "is there twice" in {one.what for one in checked(tmp_path / "p.zip").findings}
