"""The log on disk: laid out as the standard says, there before anything is signed, and true to its checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from services.audit.files import LogFiles
from services.audit.model import line_of
from shared.errors import Transient
from shared.tlog import tiles
from shared.tlog.merkle import Tree, leaf_hash, root
from shared.tlog.note import Checkpoint, origin, sign, verifier_key, verify
from shared.tlog.tiles import ENTRIES, EVENTS, Unreadable
from tests.audit.support import KEY, Journal, Log

NAME = "samenkracht/wijzer/one"


def things(count: int, first: int = 0) -> tuple[list[bytes], list[bytes]]:
    """Returns entries and events, none of one length."""
    numbers = range(first, first + count)
    return [b"entry %d" % n * (n % 3 + 1) for n in numbers], [b"event %d" % n * (n % 5 + 1) for n in numbers]


def grow(files: LogFiles, count: int) -> Tree:
    """Writes and signs `count` more."""
    with files.hold():
        tree = files.write(*things(count, files.tree.size))
        files.keep(sign(Checkpoint(NAME, tree.size, root(tree)), KEY))
    return tree


class Reader:
    """Reads a log's folder by the words of c2sp.org/tlog-tiles and RFC 6962 alone: no code of the log's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin, size, *_ = (folder / "checkpoint").read_text().split("\n")
        self.size = int(size)

    def file(self, kind: str, number: int, count: int) -> bytes:
        width = min(count - number * 256, 256)
        name = f"{number % 1000:03d}"
        rest = number // 1000
        while rest:
            name, rest = f"x{rest % 1000:03d}/{name}", rest // 1000
        return (self.folder / "tile" / kind / (name if width == 256 else f"{name}.p/{width}")).read_bytes()

    def all(self, kind: str, count: int) -> bytes:
        return b"".join(self.file(kind, number, count) for number in range(-(-count // 256)))

    def entries(self) -> list[bytes]:
        found, content = [], self.all("entries", self.size)
        while content:
            length = int.from_bytes(content[:2], "big")
            found.append(content[2 : 2 + length])
            content = content[2 + length :]
        return found

    def hashes(self, level: int) -> list[bytes]:
        content = self.all(str(level), self.size >> 8 * level)
        return [content[at : at + 32] for at in range(0, len(content), 32)]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


@pytest.mark.parametrize("sizes", [(1,), (255, 1), (256,), (257, 300, 2), (1000, 65_000, 800)])
def test_another_reader_finds_what_was_signed(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    files = LogFiles(tmp_path)
    for count in sizes:
        grow(files, count)
    reader = Reader(tmp_path)
    entries = reader.entries()
    assert entries == things(sum(sizes))[0]
    assert reader.hashes(0) == [sha256(b"\x00" + entry).digest() for entry in entries]
    signed = verify((tmp_path / "checkpoint").read_text(), verifier_key(NAME, KEY.public_key()))
    assert (signed.size, signed.root) == (sum(sizes), mth(reader.hashes(0)))
    for level in (1, 2):
        below = reader.hashes(level - 1)
        assert reader.hashes(level) == [mth(below[at : at + 256]) for at in range(0, len(below) // 256 * 256, 256)]


def test_a_log_opened_anew_goes_on_where_it_stood(tmp_path: Path) -> None:
    random = Random(5)
    whole = LogFiles(tmp_path / "whole")
    for count in [random.randint(1, 400) for _ in range(12)]:
        grow(LogFiles(tmp_path / "anew"), count)
        grow(whole, count)
    anew = LogFiles(tmp_path / "anew")
    assert anew.tree == whole.tree
    entries, events = things(anew.tree.size)
    for first, end in ((0, anew.tree.size), (255, 257), (300, 301), (anew.tree.size - 1, anew.tree.size)):
        assert anew.read(ENTRIES, first, end) == entries[first:end]
        assert anew.read(EVENTS, first, end) == events[first:end]
        assert anew.read(tiles.hashes(0), first, end) == [leaf_hash(entry) for entry in entries[first:end]]


def test_what_was_written_and_not_signed_does_not_count(tmp_path: Path) -> None:
    grow(LogFiles(tmp_path), 200)
    LogFiles(tmp_path).write([b"never signed"] * 100, [b"never signed"] * 100)
    files = LogFiles(tmp_path)
    assert files.tree.size == 200
    grow(files, 60)
    assert LogFiles(tmp_path).read(ENTRIES, 0, 260) == things(260)[0]


def test_short_files_go_when_longer_ones_stand_for_them(tmp_path: Path) -> None:
    files = LogFiles(tmp_path)
    for count in (240, *[3] * 50):
        grow(files, count)
    short = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("**/*.p/*")}
    kept = {f"{kind}/001.p/{width}" for kind in (EVENTS, "tile/0", ENTRIES) for width in (131, 134)}
    assert short == kept | {"tile/1/000.p/1"}


def test_who_wrote_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    sleeper, late = LogFiles(tmp_path), LogFiles(tmp_path)
    grow(LogFiles(tmp_path), 20)
    assert grow(sleeper, 5).size == 25
    tree = late.write(*things(10))
    with pytest.raises(Unreadable, match="another process"):
        late.keep(sign(Checkpoint(NAME, tree.size, root(tree)), KEY))
    assert LogFiles(tmp_path).read(ENTRIES, 0, 25) == things(25)[0]


def test_one_writes_from_its_first_file_to_its_checkpoint_and_who_ends_lets_go(tmp_path: Path) -> None:
    first, second = LogFiles(tmp_path), LogFiles(tmp_path)
    with first.hold():
        first.write(*things(10))
        with pytest.raises(Unreadable, match="is being written"):
            second.hold(0)
    assert grow(second, 20).size == 20


def test_what_another_is_about_to_sign_is_not_swept_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process opens the log between a checkpoint and the sweep that follows it, and writes on from there."""
    one, put = LogFiles(tmp_path), LogFiles._put
    written: list[tuple[LogFiles, Tree]] = []

    def meanwhile(files: LogFiles, place: str, content: bytes) -> None:
        put(files, place, content)
        if files is one and place == "checkpoint":
            other = LogFiles(tmp_path)
            with suppress(Unreadable), other.hold(0):
                written.append((other, other.write(*things(3, 10))))

    monkeypatch.setattr(LogFiles, "_put", meanwhile)
    grow(one, 10)
    for other, tree in written:
        other.keep(sign(Checkpoint(NAME, tree.size, root(tree)), KEY))
    assert LogFiles(tmp_path).read(ENTRIES, 0, 10) == things(10)[0]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("place", "harm"),
    [
        ("tile/0/001.p/44", Path.unlink),
        ("tile/0/001.p/44", _flip),
        ("tile/1/000.p/1", _flip),
        ("tile/entries/001.p/44", _cut),
        ("events/001.p/44", Path.unlink),
        ("checkpoint", lambda path: path.write_text("nothing")),
    ],
)
def test_harmed_files_are_not_believed(tmp_path: Path, place: str, harm: Callable[[Path], object]) -> None:
    grow(LogFiles(tmp_path), 300)
    LogFiles(tmp_path)
    harm(tmp_path / place)
    with pytest.raises(Unreadable):
        LogFiles(tmp_path)


@pytest.mark.parametrize(
    ("number", "width", "expected"),
    [
        (0, 256, "tile/0/000"),
        (999, 256, "tile/0/999"),
        (1234067, 256, "tile/0/x001/x234/067"),
        (1000, 8, "tile/0/x001/000.p/8"),
    ],
)
def test_paths_are_the_standards(number: int, width: int, expected: str) -> None:
    assert tiles.path(tiles.hashes(0), number, width) == expected


# With the database ------------------------------------------------------------------------------------------------


async def test_nothing_is_signed_that_is_not_on_disk(log: Log, tmp_path: Path) -> None:
    await log.log(Journal(log.school).many(30))
    (tmp_path / "log").write_text("a file where the folder should be")
    assert await log.sign() == 0
    assert log.alarms == ["log_files"]
    assert await log.rows("SELECT 1 FROM checkpoint") == []
    (tmp_path / "log").unlink()
    assert await log.sign() == 1
    folder = tmp_path / "log" / log.school
    assert Reader(folder).entries() == [
        row["entry"].encode() for row in await log.rows("SELECT entry FROM line ORDER BY idx")
    ]
    assert (await log.rows("SELECT note FROM checkpoint"))[0]["note"] == (folder / "checkpoint").read_text()
    assert Reader(folder).origin == origin("wijzer", log.school)


async def test_signed_lines_are_written_again_only_as_they_stand(log: Log, tmp_path: Path, school: str) -> None:
    """A database that was put back: the lines come again in the order in which they were signed, and in no other."""
    goals, network = Journal(school), Journal(school, "network")
    await log.log(goals.many(2))
    signed = [*goals.events, *network.many(2), *goals.many(3)]
    files = LogFiles(tmp_path / "log" / school)
    entries = [line_of(event).entry.encode() for event in signed]
    with files.hold():
        tree = files.write(entries, [event.raw for event in signed])
        files.keep(sign(Checkpoint(origin("wijzer", school), tree.size, root(tree)), KEY))
    log.logs.forget()
    with pytest.raises(Transient, match="log_behind_its_files"):
        await log.log(goals.events[2:])
    assert await log.sign() == 0
    await log.log(network.events)
    await log.log([*goals.events[2:], *goals.many(1)])
    assert await log.sign() == 1
    assert log.alarms == []
    assert Reader(tmp_path / "log" / school).entries()[:7] == entries


async def test_a_database_with_other_lines_than_its_files_is_not_signed(log: Log, tmp_path: Path, school: str) -> None:
    await log.log(Journal(school).many(5))
    await log.sign()
    (tmp_path / "log" / school).rename(tmp_path / "gone")
    grow(LogFiles(tmp_path / "log" / school), 3)
    await log.log(Journal(school, "network").many(2))
    log.logs.forget()
    assert await log.sign() == 0
    assert log.alarms == ["log_parted"]
