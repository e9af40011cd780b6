"""A pack made to harm whoever checks it: what is no plain file in it is refused, and the check always ends in words."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from deploy.pack import verifier
from deploy.pack.layout import EVENTS, LINES, MANIFEST
from deploy.pack.source import BadPack
from deploy.pack.writer import zipped
from deploy.samen.__main__ import app
from tests.audit.packs import checked, entries_of, make

SCHOOL = "de-eik"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "p", SCHOOL, entries_of(SCHOOL, 300))
    return tmp_path / "p"


@pytest.fixture
def packed(folder: Path) -> Path:
    zipped(folder, folder.with_suffix(".zip"))
    return folder.with_suffix(".zip")


@pytest.mark.parametrize("name", [LINES, MANIFEST, "log/checkpoint", "log"])
def test_a_link_is_no_file_of_a_pack_even_to_the_same_bytes(folder: Path, tmp_path: Path, name: str) -> None:
    assert checked(folder).findings == [], "control"
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert {one.file for one in checked(folder).findings} >= {name}


@pytest.mark.timeout(20)
def test_a_pipe_in_a_pack_is_refused_and_not_waited_for(folder: Path) -> None:
    (folder / EVENTS).unlink()
    os.mkfifo(folder / EVENTS)
    assert [(one.file, one.what) for one in checked(folder).findings] == [(EVENTS, "is a link or a pipe, no file")]


def test_two_names_for_the_same_bytes_of_a_zip_are_refused(packed: Path) -> None:
    """So are made the zips that unpack to terabytes."""
    content = packed.read_bytes()
    with zipfile.ZipFile(packed) as known:
        first, second = sorted(known.infolist(), key=lambda one: one.header_offset)[:2]
    before = struct.pack("<I", second.header_offset) + second.filename.encode()
    assert content.count(before) == 1, "control: it stands in the directory"
    packed.write_bytes(content.replace(before, struct.pack("<I", first.header_offset) + second.filename.encode()))
    with pytest.raises(BadPack, match="share bytes"):
        checked(packed)


@pytest.mark.parametrize("how", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_that_is_packed_otherwise_is_refused(folder: Path, tmp_path: Path, how: int) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w", how) as out:
        for one in sorted(folder.rglob("*")):
            out.write(one, one.relative_to(folder).as_posix())
    with pytest.raises(BadPack, match="packed in another way"):
        checked(tmp_path / "p.zip")


def test_nothing_hides_in_what_calls_itself_a_folder_of_a_zip(packed: Path) -> None:
    with zipfile.ZipFile(packed, "a") as more:
        more.writestr("log/", b"")
    assert checked(packed).findings == [], "control: folders may be named"
    with zipfile.ZipFile(packed, "a") as more:
        more.writestr("keys/", b"not nothing")
    assert {one.file for one in checked(packed).findings} >= {"keys/"}


def test_a_harmed_zip_ends_in_words_whatever_was_harmed(packed: Path, tmp_path: Path) -> None:
    """Also where the zip's own tables were: a check that ends in a traceback tells an auditor nothing."""
    whole, random = packed.read_bytes(), Random(5)
    table = whole.rindex(b"PK\x05\x06") - 1500
    for trial in range(150):
        content = bytearray(whole)
        at = random.randrange(table if trial % 2 else 0, len(content))
        content[at] ^= 1 << random.randrange(8)
        if trial % 10 == 9:
            del content[random.randrange(len(content)) :]
        (tmp_path / "harmed.zip").write_bytes(content)
        try:
            checked(tmp_path / "harmed.zip")
        except BadPack:
            continue


def test_the_command_names_what_is_no_file(folder: Path, tmp_path: Path) -> None:
    (folder / LINES).rename(tmp_path / "elsewhere")
    (folder / LINES).symlink_to(tmp_path / "elsewhere")
    done = CliRunner().invoke(app, ["audit", "verify", str(folder), "--dir", str(tmp_path / "no")])
    assert (done.exit_code, "is a link or a pipe, no file" in done.output) == (1, True), done.output


def test_a_manifest_may_grow_with_the_files_that_it_lists_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of a log of 14 million lines is over 16 MB, what any other small file may be."""
    monkeypatch.setattr(verifier, "MANIFEST_MOST", 64)
    make(tmp_path / "p", SCHOOL, entries_of(SCHOOL, 20))
    assert checked(tmp_path / "p").findings == []
    with (tmp_path / "p" / MANIFEST).open("a") as file:
        file.write("\n" * 100_000)
    assert [(one.file, one.what) for one in checked(tmp_path / "p").findings] == [(MANIFEST, "is too large")]
