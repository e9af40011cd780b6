"""The logs as files over HTTP, read as c2sp.org/tlog-tiles says by code that shares nothing with what serves them."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from typer.testing import CliRunner

from deploy.home import Home
from deploy.samen.__main__ import app
from services.audit.serving import Allowance, Reader, Shelf, looking, read_readers
from services.audit.tile_server import TileServer
from shared.errors import Problem
from shared.events.base import Fact
from shared.events.membership import MemberAdded
from shared.events.network import AuthorityRecorded, Decision
from shared.events.words import Basis, Purpose, Role
from shared.tlog.tiles import named, path
from tests.audit.support import AUDITOR, CHILD, LONG_AGO, MOTHER, Journal, Log, act, log_grant

TOKENS = {"monitor": "m" * 40, "auditor": "a" * 40, "other": "o" * 40}
LINES = 600
TAKES_PART = MemberAdded(membership=UUID(int=7), member=AUDITOR, role=Role.GUARDIAN, starts_at=LONG_AGO)
DECIDES = AuthorityRecorded(
    authority=UUID(int=8), holder=AUDITOR, scope=(Decision.PLAN,), source="roster", starts_at=LONG_AGO
)


def reader(name: str, school: str, person: UUID | None = None) -> Reader:
    return Reader(name, sha256(TOKENS[name].encode()).hexdigest(), (school,), person)


@dataclass
class Site:
    """A log that is served."""

    log: Log
    port: int
    shelf: Shelf

    def ask(self, place: str, by: str | None = "auditor", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        given = headers if by is None else {"Authorization": f"Bearer {TOKENS[by]}", **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", place, headers=given)
        told = connection.getresponse()
        found = told.status, told.read(), dict(told.getheaders())
        connection.close()
        return found

    async def get(self, place: str, by: str | None = "auditor", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        return await asyncio.to_thread(self.ask, place, by, **headers)

    async def file(self, place: str, by: str = "auditor") -> bytes:
        status, body, _ = await self.get(f"/{self.log.school}/{place}", by)
        assert status == 200, (place, status)
        return body


@pytest.fixture
async def site(log: Log) -> AsyncIterator[Site]:
    await log.settle()
    for size in (300, LINES - 300):
        await log.log(_JOURNALS.setdefault(log.school, Journal(log.school)).many(size))
        await log.sign()
    async with log.db.school(log.school) as conn:
        await conn.execute("INSERT INTO access_lease SELECT $1, clock_timestamp(), generation_now(), 0, 0", log.school)
    readers = (reader("monitor", log.school), reader("auditor", log.school, AUDITOR), reader("other", "de-andere"))
    at = cast("Any", SimpleNamespace(unit=log.unit, ids=log.ids, loop=asyncio.get_running_loop()))
    shelf = Shelf(log.logs._root, lambda: readers, looking(at))
    server = TileServer("127.0.0.1", 0, shelf.answer)
    yield Site(log, server.port, shelf)
    server.close()


_JOURNALS: dict[str, Journal] = {}


# An independent reading ----------------------------------------------------------------------------------------------


def spelled(number: int, width: int) -> str:
    """The path of a tile as the specification words it: groups of three digits, all but the last behind an x."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    told = "/".join([*(f"x{one}" for one in groups[:-1]), groups[-1]])
    return told if width == 256 else f"{told}.p/{width}"


def tree_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + tree_root(leaves[:half]) + tree_root(leaves[half:])).digest()


def test_paths_are_spelled_as_the_specification_has_them() -> None:
    assert spelled(1_234_067, 256) == "x001/x234/067"
    for number in (0, 5, 999, 1000, 1_234_067):
        for width in (256, 1, 255):
            for kind in ("tile/0", "tile/7", "tile/entries"):
                place = f"{kind}/{spelled(number, width)}"
                assert path(kind, number, width) == place
                wanted = named(place)
                assert wanted is not None
                assert (wanted.kind, wanted.number, wanted.width) == (kind, number, width)


async def test_a_reader_who_shares_no_code_finds_the_log_that_was_signed(site: Site) -> None:
    origin, size_text, root_text = (await site.file("checkpoint", "monitor")).decode().split("\n")[:3]
    size = int(size_text)
    assert (origin, size) == (f"samenkracht/wijzer/{site.log.school}", LINES)
    levels: list[list[bytes]] = []
    count, level = size, 0
    while count:
        hashes: list[bytes] = []
        for number in range(-(-count // 256)):
            width = min(256, count - number * 256)
            tile = await site.file(f"tile/{level}/{spelled(number, width)}", "monitor")
            assert len(tile) == 32 * width
            hashes += [tile[at : at + 32] for at in range(0, len(tile), 32)]
        levels.append(hashes)
        count, level = count >> 8, level + 1
    assert tree_root(levels[0]) == base64.b64decode(root_text)
    assert levels[1] == [tree_root(levels[0][at : at + 256]) for at in (0, 256)]
    entries: list[bytes] = []
    for number in range(-(-size // 256)):
        bundle = await site.file(f"tile/entries/{spelled(number, min(256, size - number * 256))}")
        while bundle:
            end = 2 + int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2:end])
            bundle = bundle[end:]
    assert [sha256(b"\x00" + one).digest() for one in entries] == levels[0]


async def test_a_part_of_a_tile_stays_to_be_had_when_the_log_has_grown(site: Site) -> None:
    whole = await site.file("tile/0/001", "monitor")
    for width in (1, 44, 200, 255):
        assert await site.file(f"tile/0/001.p/{width}", "monitor") == whole[: 32 * width]
    assert len(await site.file("tile/0/002.p/88", "monitor")) == 88 * 32
    assert len(await site.file("tile/0/002.p/7", "monitor")) == 7 * 32


# Who reads what ------------------------------------------------------------------------------------------------------


async def test_entries_are_a_look_of_the_person_that_the_token_stands_for(site: Site) -> None:
    assert (await site.get(f"/{site.log.school}/tile/entries/000", "monitor"))[0] == 404
    assert [one for one in await site.log.journaled() if one.content["data"]["act"]["door"] == "tiles"] == []
    await site.file("tile/entries/001")
    (seen,) = await site.log.journaled()
    told = seen.content["data"]
    assert (told["act"]["actor"], told["act"]["action"], told["act"]["door"]) == (str(AUDITOR), "export", "tiles")
    assert told["fact"] == {"query": "tile-entries", "things": 256}
    await site.log.give(site.log.subject)  # the grant ends
    assert (await site.get(f"/{site.log.school}/tile/entries/000"))[0] == 404
    assert (await site.log.journaled())[-1].content["data"]["act"]["outcome"] == "denied"
    assert (await site.get(f"/{site.log.school}/tile/0/000"))[0] == 200, "control: hashes need no grant"


@pytest.mark.parametrize("fact", [TAKES_PART, DECIDES])
async def test_who_has_a_child_here_reads_no_entries_and_exports_nothing(site: Site, fact: Fact) -> None:
    log = site.log
    await log.log([Journal(log.school, "network").add(fact, act(), CHILD)])
    await log.sign()
    assert (await site.get(f"/{log.school}/tile/entries/000"))[0] == 404
    for query, body in (("export", {}), ("export-lines", {"first": 0, "end": 5})):
        with pytest.raises(Problem, match="another auditor"):
            await log.ask(query, AUDITOR, **body)
    other = UUID(int=77, version=4)
    audits = [log_grant(one, Role.AUDITOR, Purpose.OVERSIGHT, Basis.LEGAL_DUTY) for one in (AUDITOR, other)]
    await log.give(log.subject, *audits)
    assert len((await log.ask("export-lines", other, first=0, end=5))["lines"]) == 5, "whole for others"


NOWHERE = (
        "checkpoint/", "Checkpoint", "tile", "tile/0", "tile/0/0", "tile/0/0000", "tile/00/000", "tile/0/x000/000",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/007", "tile/8/000", "tile/64/000", "tile/-1/000",
        "tile/0/003", "tile/0/002", "tile/0/002.p/89", "tile/1/000", "tile/1/000.p/3", "tile/data/000",
        "events/000", ".lock", "tile/0/../../checkpoint", "..%2fcheckpoint", "tile/0/%30%30%30", "tile/0/000?x=1",
        "tile/entries/003", "tile/0/\N{ARABIC-INDIC DIGIT ZERO}00".encode("latin-1", "ignore").decode(),
    )  # fmt: skip


async def test_no_other_path_is_served(site: Site) -> None:
    told = {place: (await site.get(f"/{site.log.school}/{place}"))[0] for place in NOWHERE}
    assert told == dict.fromkeys(NOWHERE, 404)


async def test_what_is_written_beyond_the_checkpoint_is_not_served_yet(site: Site) -> None:
    files = await site.log.logs.of(site.log.school)
    await asyncio.to_thread(files.write, [b"{}"] * 200, [b"{}"] * 200)
    assert (await asyncio.to_thread(site.shelf.root.joinpath(site.log.school, "tile/0/002").exists)) is True
    for place in ("tile/0/002", "tile/0/002.p/89", "tile/entries/002"):
        assert (await site.get(f"/{site.log.school}/{place}"))[0] == 404
    assert len(await site.file("tile/0/002.p/88", "monitor")) == 88 * 32


async def test_others_and_strangers_learn_nothing_not_even_that_a_school_is_there(site: Site) -> None:
    known, unknown = f"/{site.log.school}/checkpoint", "/de-nergens/checkpoint"
    for place in (known, unknown):
        status, body, headers = await site.get(place, "other")
        assert (status, body, headers["Cache-Control"]) == (404, b"", "no-store")
        for given in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic %%%"},
            {"Authorization": "Bearer "},
        ):
            status, body, headers = await site.get(place, None, **given)
            assert (status, body) == (401, b"")
            assert "WWW-Authenticate" in headers
    password = base64.b64encode(f"anyone:{TOKENS['monitor']}".encode()).decode()
    assert (await site.get(known, None, Authorization=f"Basic {password}"))[0] == 200
    assert (await site.get(known, None, Authorization=f"Digest {TOKENS['monitor']}"))[0] == 401


async def test_how_long_an_answer_may_be_kept(site: Site) -> None:
    told = {
        place: (await site.get(f"/{site.log.school}/{place}"))[2]["Cache-Control"]
        for place in ("checkpoint", "tile/0/000", "tile/entries/000")
    }
    assert told["checkpoint"] == "no-cache"
    assert "immutable" in told["tile/0/000"]
    assert told["tile/entries/000"] == "no-store"


async def test_nobody_reads_faster_than_allowed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.shelf, "now", lambda: 5.0)
    monkeypatch.setattr(site.shelf, "_allowed", {"monitor": Allowance(1.0, 5.0), "": Allowance(1.0, 5.0)})
    place = f"/{site.log.school}/checkpoint"
    assert [(await site.get(place, "monitor"))[0] for _ in range(2)] == [200, 429]
    assert [(await site.get(place, None))[0] for _ in range(2)] == [401, 429]
    assert (await site.get(place))[0] == 200, "others go on"
    monkeypatch.setattr(site.shelf, "now", lambda: 5.1)
    assert (await site.get(place, "monitor"))[0] == 200


# The command ---------------------------------------------------------------------------------------------------------


def test_a_token_is_printed_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.keys.ensure()

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["audit", "readers", *arguments, "--dir", str(tmp_path)])
        return done.exit_code, " ".join(done.output.split())

    rc, told = run("add", "monitor", "--school", "de-eik", "--school", "de-es")
    token = told.partition("as a password: ")[2].split()[0]
    assert (rc, len(token)) == (0, 43)
    assert token not in home.keys.tile_readers.read_text()
    assert run("add", "inspectie", "--school", "de-eik", "--as", str(MOTHER))[0] == 0
    first, second = read_readers(home.keys.tile_readers)
    assert (first.name, first.schools, first.person) == ("monitor", ("de-eik", "de-es"), None)
    assert first.token_sha256 == sha256(token.encode()).hexdigest()
    assert second.person == MOTHER
    assert "hashes only" in run("list")[1]
    assert "token_sha256" not in json.loads(run("list", "--json")[1])[0]
    for wrong in (
        ("add", "monitor", "--school", "de-eik"),
        ("add", "Jan de Vries", "--school", "x"),
        ("remove", "nobody"),
    ):
        assert run(*wrong)[0] != 0
    assert run("remove", "monitor")[0] == 0
    assert [one.name for one in read_readers(home.keys.tile_readers)] == ["inspectie"]
    assert read_readers(tmp_path / "none") == ()
