"""Writes a pack, a page at a time, for its owner's eyes only: memory does not grow with the log."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from deploy.files import new_private
from deploy.pack.derived import Derived, finding_of, findings_text, pages
from deploy.pack.layout import (
    ABOUT,
    CHECKPOINTS,
    EVENTS,
    FINDINGS,
    KEY,
    LINES,
    LOG,
    MANIFEST,
    NOTE,
    PARQUET,
    POLICY,
    README,
    TABLE,
    Manifest,
)
from deploy.pack.parquet import ParquetFile
from deploy.pack.shapes import Shapes, lane_of
from deploy.pack.source import Source
from shared.tlog import tiles
from shared.tlog.merkle import TILE_HEIGHT, Tree, extend, leaf_hash, root
from shared.tlog.note import Checkpoint, split
from shared.tlog.tiles import ENTRIES, WIDTH


class PackWriter:
    """Takes a log from its first leaf to its last, of which lines `first` to `end` with their entries."""

    def __init__(self, folder: Path, note: str, first: int, end: int) -> None:
        """Begin in an empty folder, under a checkpoint's whole note."""
        self._folder = folder
        self._note = note
        self._under = Checkpoint.parse(split(note)[0])
        self._tree = Tree()
        self._edges: defaultdict[str, list[bytes]] = defaultdict(list)
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self.whole = first == 0 and end == self._under.size
        self.made = Manifest(self._under.origin, self._under.origin.rpartition("/")[2], first=first, end=end)
        folder.mkdir(mode=0o700, parents=True)
        self._lines = self._new(LINES)
        self._files = {name: self._new(name) for name in (TABLE, EVENTS)}
        self._parquet = ParquetFile(folder / PARQUET)
        self._derived = Derived(self._write, self._parquet.write)
        self._shapes = Shapes()
        self._found = b""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is open; the pack is whole only if `finish` has returned."""
        self._lines.close()
        self._parquet.close()
        for file in self._files.values():
            file.close()

    @property
    def size(self) -> int:
        """How many leaves it has taken."""
        return self._tree.size

    def hashes(self, leaves: Sequence[bytes]) -> None:
        """Takes the leaf hashes of the next lines, whose entries are not in the pack."""
        self._grow(leaves)

    def entries(self, entries: Iterable[bytes]) -> None:
        """Takes the next lines."""
        found = list(entries)
        for idx, entry in enumerate(found, self.size):
            read = self._shapes.read(idx, entry)
            producer, seq, _ = lane_of(read)
            seqs = self.made.producers.setdefault(producer, [seq] * 2)
            seqs[1] = seq
            self._lines.write(entry + b"\n")
            self._derived.take(idx, read)
        if self.whole:
            self._add(ENTRIES, found)
        self._grow([leaf_hash(entry) for entry in found])

    def checkpoints(self, notes: Iterable[str]) -> None:
        """Writes all checkpoints, the last being the one that the pack is under."""
        with self._new(CHECKPOINTS) as file:
            for note in notes:
                file.write(json.dumps({"note": note}).encode() + b"\n")

    def findings(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Takes what the judge found; what is about lines that are not here is left out."""
        self._found = findings_text([one for one in found if self.made.first <= one["idx"] < self.made.end])

    def finish(self, key: bytes, policy: bytes) -> Manifest:
        """Writes the rest and the manifest, last of all; raises ValueError when the lines are not those signed."""
        self._derived.flush()
        self.__exit__()
        if (self.size, root(self._tree)) != (self._under.size, self._under.root):
            raise ValueError("the lines received are not those that the checkpoint signs")
        for kind, edge in self._edges.items():
            if edge:
                self._put(f"{LOG}/{tiles.path(kind, self._numbers[kind], len(edge))}", b"".join(edge))
        self.made.size, self.made.root = self.size, root(self._tree).hex()
        texts = {NOTE: self._note.encode(), KEY: key, POLICY: policy, README: ABOUT.encode(), FINDINGS: self._found}
        texts |= pages(self.made, self._derived.tally, [finding_of(line) for line in self._found.splitlines()])
        for name, content in texts.items():
            self._put(name, content)
        if (self._folder / PARQUET).exists():  # its library opens it
            (self._folder / PARQUET).chmod(0o600)
        with Source(self._folder) as source:
            self.made.files = {name: source.facts(name) for name in source.names()}
        self._put(MANIFEST, self.made.text.encode())
        return self.made

    def _write(self, name: str, content: bytes) -> None:
        self._files[name].write(content)

    def _grow(self, leaves: Sequence[bytes]) -> None:
        self._tree, completed = extend(self._tree, leaves)
        self._add(tiles.hashes(0), leaves)
        for new in completed:
            self._add(tiles.hashes(new.level // TILE_HEIGHT), new.hashes)

    def _add(self, kind: str, things: Sequence[bytes]) -> None:
        edge = self._edges[kind]
        edge += [tiles.packed(kind, thing) for thing in things]
        while len(edge) >= WIDTH:
            self._put(f"{LOG}/{tiles.path(kind, self._numbers[kind])}", b"".join(edge[:WIDTH]))
            self._numbers[kind] += 1
            del edge[:WIDTH]

    def _new(self, name: str) -> IO[bytes]:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return new_private(path)

    def _put(self, name: str, content: bytes) -> None:
        with self._new(name) as file:
            file.write(content)


def zipped(folder: Path, target: Path) -> None:
    """Makes a zip of a pack's folder, the same bytes for the same pack, and removes the folder."""
    with (
        Source(folder) as source,
        new_private(target) as made,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for name in source.names():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            with source.open(name) as file, out.open(info, "w", force_zip64=True) as into:
                shutil.copyfileobj(file, into)
    shutil.rmtree(folder)
