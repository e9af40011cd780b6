"""Every way to tamper with a pack or with its log as a whole: `python -m tests.audit.tampering [trials] [seed]`."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from deploy.pack.layout import (
    CHECKPOINTS,
    EVENTS,
    FINDINGS,
    LINES,
    LOG,
    MANIFEST,
    NOTE,
    PAGES,
    PARQUET,
    POLICY,
    TABLE,
    Manifest,
    entry_of,
    row,
)
from deploy.pack.layout import HEADER as CSV_HEADER
from deploy.pack.layout import KEY as PUBLIC
from deploy.pack.parquet import available
from deploy.pack.report import Report
from deploy.pack.source import Source
from deploy.pack.writer import PackWriter
from shared.tlog.merkle import Tree, extend, leaf_hash, root
from shared.tlog.note import COSIGNATURE, Checkpoint, NamedKey, origin
from shared.tlog.proof import GrowthProof
from shared.tlog.trust import pem_of
from shared.tlog.witness import FORKED, ROLLED_BACK, Judge
from tests.audit.packs import NAME, POLICY_TEXT, STEP, STRANGER, WITNESS, checked, entries_of, make, note_of
from tests.audit.support import KEY


@dataclass(frozen=True, slots=True)
class Scene:
    """A pack that may be harmed, another school's, and chance."""

    pack: Path
    other: Path
    entries: list[bytes]
    random: Random

    def lines(self, name: str) -> list[bytes]:
        return (self.pack / name).read_bytes().splitlines(keepends=True)

    def put(self, name: str, lines: list[bytes]) -> None:
        (self.pack / name).write_bytes(b"".join(lines))

    def some_tile(self) -> str:
        names = [
            one.relative_to(self.pack).as_posix() for one in (self.pack / LOG / "tile").rglob("*") if one.is_file()
        ]
        return self.random.choice(sorted(names))


def _parts(at: Scene, name: str) -> list[bytes]:
    """Returns what a file consists of: lines, hashes, or bundled entries."""
    content = (at.pack / name).read_bytes()
    if "/tile/entries/" in name:
        found, place = [], 0
        while place < len(content):
            end = place + 2 + int.from_bytes(content[place : place + 2], "big")
            found.append(content[place:end])
            place = end
        return found
    if "/tile/" in name:
        return [content[place : place + 32] for place in range(0, len(content), 32)]
    return content.splitlines(keepends=True)


def change(at: Scene, name: str) -> None:
    content = bytearray((at.pack / name).read_bytes())
    content[at.random.randrange(len(content))] ^= at.random.randrange(1, 256)
    (at.pack / name).write_bytes(content)


def drop(at: Scene, name: str) -> None:
    parts = _parts(at, name)
    del parts[at.random.randrange(len(parts))]
    at.put(name, parts)


def insert(at: Scene, name: str) -> None:
    parts = _parts(at, name)
    parts.insert(at.random.randrange(len(parts) + 1), at.random.choice(parts))
    at.put(name, parts)


def reorder(at: Scene, name: str) -> None:
    parts = _parts(at, name)
    first, second = at.random.randrange(len(parts)), at.random.randrange(len(parts))
    parts[first], parts[second] = parts[second], parts[first]
    at.put(name, parts)


def truncate(at: Scene, name: str) -> None:
    content = (at.pack / name).read_bytes()
    (at.pack / name).write_bytes(content[: at.random.randrange(len(content))])


def swap(at: Scene, name: str) -> None:
    theirs = at.other / name
    if not theirs.exists():
        change(at, name)
    elif name in {LINES, TABLE} and len(at.lines(name)) > 2 and at.random.random() < 0.5:
        parts, others = _parts(at, name), theirs.read_bytes().splitlines(keepends=True)
        place = at.random.randrange(1, min(len(parts), len(others)))
        parts[place] = others[place]
        at.put(name, parts)
    else:
        shutil.copyfile(theirs, at.pack / name)


def remove(at: Scene, name: str) -> None:
    (at.pack / name).unlink()


FILE_KINDS: tuple[Callable[[Scene, str], None], ...] = (change, drop, insert, reorder, truncate, swap, remove)
FILES = (
    *(LINES, LINES, LINES, "tile", "tile", "tile", NOTE, CHECKPOINTS, TABLE, EVENTS, *PAGES.values()),
    *(PUBLIC, POLICY, MANIFEST, "README.txt", FINDINGS, *((PARQUET,) if available() else ())),
)


def findings(entries: list[bytes], size: int) -> list[dict[str, Any]]:
    """Returns what a judge could have found wrong with every thirtieth line."""
    return [
        {
            "idx": idx,
            "code": "after_end",
            "part": "",
            "says": {"actor": entry_of(entries[idx])["actor"]},
            "shows": {"valid_until": f"2026-03-{idx % 28 + 1:02}"},
        }
        for idx in range(0, size, 30)
    ]


def resign(at: Scene) -> None:
    """Signs the checkpoint, or one over a changed log, with another key than the log's, or without the witness."""
    entries = list(at.entries)
    if at.random.random() < 0.7:
        place = at.random.randrange(len(entries))
        entries[place] = entries[place].replace(b"guidance", b"transfer")
    school = at.pack.name
    log_key, by = at.random.choice(
        [(STRANGER, WITNESS), (KEY, STRANGER), (KEY, None), (STRANGER, STRANGER), (STRANGER, None)]
    )
    if entries == at.entries and (log_key, by) == (KEY, WITNESS):
        raise AssertionError("that would be the pack itself")
    note = note_of(school, entries, log_key, by)
    rebuild(at, entries, note)


def rebuild(at: Scene, entries: list[bytes], note: str) -> None:
    """Makes the whole pack anew from other lines: whoever tampers has all our code, and not our keys."""
    shutil.rmtree(at.pack)
    with PackWriter(at.pack, note, 0, len(entries)) as writer:
        writer.entries(entries)
        writer.checkpoints([note])
        writer.finish(pem_of(KEY.public_key()), POLICY_TEXT.encode())


def mend(at: Scene, *, table: bool = True) -> None:
    """Has everything that needs no key fit again: the table, and the manifest with its hashes."""
    manifest = at.pack / MANIFEST
    try:
        told = json.loads(manifest.read_bytes())
        made = Manifest(**{name: told[name] for name in Manifest.__dataclass_fields__})
    except (ValueError, KeyError, OSError):
        return
    rows = [CSV_HEADER]
    if table and (at.pack / LINES).exists():
        for idx, line in enumerate(at.lines(LINES), made.first):
            try:
                rows.append(row(idx, entry_of(line.removesuffix(b"\n"))))
            except ValueError:
                break
        else:
            at.put(TABLE, rows)
    with Source(at.pack) as source:
        made.files = {name: source.facts(name) for name in source.names() if name != MANIFEST}
    manifest.write_text(made.text)


def fingerprint(folder: Path) -> dict[str, object]:
    with Source(folder) as source:
        return {name: source.facts(name) for name in source.names()}


@dataclass(frozen=True, slots=True)
class Trial:
    """What was done, and whether it was found."""

    what: str
    found: bool
    report: Report | None = None


class Lab:
    """Packs to tamper with: of two schools, of several sizes, whole and of a period."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = {school: entries_of(school, 700) for school in ("de-eik", "de-es")}
        self.shapes = ((1, 0, 1), (255, 0, 255), (257, 0, 257), (640, 0, 640), (640, 150, 420))
        for size, first, end in self.shapes:
            for school, entries in self.logs.items():
                make(
                    folder / f"{size}-{first}" / school,
                    school,
                    entries[:size],
                    first,
                    end,
                    found=findings(entries, size),
                )

    def trial(self, seed: int, folder: Path) -> Trial:
        """Tampers once, as the seed says, with a copy below `folder`, and has it looked for."""
        random = Random(seed)
        size, first, _ = random.choice(self.shapes)
        school, other = random.sample(sorted(self.logs), 2)
        base = self.folder / f"{size}-{first}"
        pack = folder / school
        if seed % 5 == 0:
            return self._whole(random, pack, school, size)
        before = fingerprint(base / school)
        for _ in range(100):
            shutil.rmtree(pack, ignore_errors=True)
            shutil.copytree(base / school, pack)
            scene = Scene(pack, base / other, self.logs[school][:size], random)
            name, kind, careful = random.choice(FILES), random.choice(FILE_KINDS), random.random() < 0.5
            name = scene.some_tile() if name == "tile" else name
            if kind is drop and careful and name == CHECKPOINTS and size > STEP:
                continue  # that an older checkpoint was left out shows nowhere, and shows no line
            if kind is remove and careful and name == PARQUET:
                continue  # a pack may have none: its lines are all there without
            kind(scene, name)
            if careful:
                mend(scene, table=name != TABLE)
            if fingerprint(pack) != before:
                break
        report = checked(pack)
        return Trial(f"{kind.__name__} {name} {'carefully' if careful else ''}", bool(report.findings), report)

    def _whole(self, random: Random, pack: Path, school: str, size: int) -> Trial:
        """Tampers with a log as a whole: signed anew, or put back to an older state of itself, or another one."""
        entries = self.logs[school][:size]
        kind = random.choice(("re-sign", "roll back", "fork"))
        if kind == "re-sign":
            make(pack, school, entries)
            resign(Scene(pack, pack, entries, random))
            return Trial(kind, bool((report := checked(pack)).findings), report)
        pinned = note_of(school, entries)
        if kind == "roll back":
            older = entries[: random.randrange(1, size)] if size > 1 else []
            if not older:
                return self._whole(random, pack, school, 257)
            told = older
        else:  # by whoever holds the log's key, and had a witness that forgot
            place = random.randrange(size)
            told = [*entries[:place], *(one.replace(b"view", b"edit") for one in entries[place:])]
        make(pack, school, told)
        report = checked(pack, pinned)
        return Trial(kind, bool(report.findings) and self._witness(school, entries, told), report)

    @staticmethod
    def _witness(school: str, entries: list[bytes], told: list[bytes]) -> bool:
        """Tells whether a witness that remembers the log refuses what is told of it now."""
        named = NamedKey(NAME, COSIGNATURE, WITNESS.public_key().public_bytes_raw())
        name = origin("wijzer", school)
        seen = Checkpoint(name, len(entries), root(extend(Tree(), [leaf_hash(one) for one in entries])[0]))
        request = GrowthProof(min(len(entries), len(told)), (), note_of(school, told)).text
        verdict = Judge(named, KEY.public_key()).judge(seen, request, name)
        return verdict.sign is None and bool({FORKED, ROLLED_BACK} & set(verdict.alarms))


def run(trials: int, first: int = 0) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Returns how often each kind was tried, and the seeds of those that were missed."""
    tried: Counter[str] = Counter()
    missed: list[tuple[int, str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        lab = Lab(Path(scratch) / "lab")
        for seed in range(first, first + trials):
            folder = Path(scratch) / "trial"
            folder.mkdir()
            done = lab.trial(seed, folder)
            tried[done.what.split()[0] if done.what not in {"roll back", "re-sign", "fork"} else done.what] += 1
            if not done.found:
                missed.append((seed, done.what))
            shutil.rmtree(folder)
        packs = [lab.folder / f"{size}-{start}" / school for size, start, _ in lab.shapes for school in lab.logs]
        missed += [(-1, f"untouched, and does not pass: {pack}") for pack in packs if checked(pack).findings]
    return tried, missed


if __name__ == "__main__":
    counts, left = run(*(int(word) for word in sys.argv[1:] or ("1000",)))
    print(dict(counts), f"missed: {left}")
    sys.exit(bool(left))
