"""The logs on disk, outside the database: written before a checkpoint over them is signed, reloaded by a database that
was put back (decision 0006). `LogFiles` blocks: in a loop its methods are called in a thread.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from shared.tlog import tiles
from shared.tlog.merkle import TILE_HEIGHT, TileNodes, Tree, extend, leaf_hash, root
from shared.tlog.note import BadNote, Checkpoint
from shared.tlog.tiles import ENTRIES, EVENTS, WIDTH, Unreadable

CHECKPOINT = "checkpoint"
COSIGNED = "cosigned"
"""Beside the standard: the newest checkpoint that enough witnesses signed, their signatures included."""
PATIENCE_S, LOOK_AGAIN_S = 2.0, 0.002
"""How long a writer waits for another one: who is paused while it writes is told of, not waited for without end."""


class LogFiles:
    """One school's log in a folder. `tree` is what its checkpoint signs; who writes holds the others off (`hold`)."""

    def __init__(self, folder: Path) -> None:
        """Reads where the log stands; raises Unreadable when its last files do not fit its checkpoint."""
        self._folder = folder
        self._open()

    def _open(self) -> None:
        self._edges: defaultdict[str, list[bytes]] = defaultdict(list)
        """The packed things of each kind's last file that is not full."""
        self.tree = Tree()
        self._grown = self.tree
        checkpoint = self._checkpoint()
        if checkpoint is None:
            return
        size = checkpoint.size
        self._edges |= {kind: self._edge(kind, size) for kind in (ENTRIES, EVENTS)}
        stored: dict[tuple[int, int], bytes] = {}
        level = 0
        while count := size >> level * TILE_HEIGHT:
            kind = tiles.hashes(level)
            self._edges[kind] = self._edge(kind, count)
            first = count - len(self._edges[kind])
            stored |= {(level * TILE_HEIGHT, first + n): hash_ for n, hash_ in enumerate(self._edges[kind])}
            level += 1
        node = TileNodes(stored)
        bits = (bit for bit in reversed(range(size.bit_length())) if size >> bit & 1)
        self.tree = self._grown = Tree(size, tuple(node(bit, (size >> bit) - 1) for bit in bits))
        if root(self.tree) != checkpoint.root:
            msg = f"the hashes in {self._folder.name} have another root than its checkpoint of {size}"
            raise Unreadable(msg)

    def _checkpoint(self) -> Checkpoint | None:
        try:
            text = (self._folder / CHECKPOINT).read_text()
            return Checkpoint.parse(text)
        except FileNotFoundError:
            return None
        except (BadNote, ValueError) as error:
            msg = f"the checkpoint of {self._folder.name} is none: {error}"
            raise Unreadable(msg) from None

    def _edge(self, kind: str, count: int) -> list[bytes]:
        if count % WIDTH == 0:
            return []
        return [tiles.packed(kind, thing) for thing in self._things(kind, count - 1, count)]

    def _things(self, kind: str, index: int, count: int) -> Sequence[bytes]:
        """Returns all things of the file that holds thing `index` of `count`."""
        place = tiles.place(kind, index, count)
        try:
            things = tiles.unpacked(kind, (self._folder / place).read_bytes())
        except FileNotFoundError:
            things = ()
        if len(things) != min(count - index // WIDTH * WIDTH, WIDTH):
            msg = f"{self._folder.name}/{place} is not whole"
            raise Unreadable(msg)
        return things

    def read(self, kind: str, first: int, end: int) -> list[bytes]:
        """Returns the signed entries, events or leaf hashes from `first` (included) to `end` (excluded)."""
        found: list[bytes] = []
        for start in range(first // WIDTH * WIDTH, end, WIDTH):
            things = self._things(kind, start, self.tree.size)
            found += things[max(first - start, 0) : end - start]
        return found

    def hold(self, patience_s: float = PATIENCE_S) -> IO[str]:
        """Holds other writers off, from before the first `write` until what is returned is closed, or the process ends.

        Without it, one that began between another's `keep` and its sweep lost what it was about to sign. Whoever waited
        goes on from where the other came. Raises Unreadable when the other goes on writing.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        held = (self._folder / ".lock").open("w")
        try:
            _lock(held, patience_s, self._folder.name)
            if self._moved() or self._grown is not self.tree:
                self._open()
        except BaseException:
            held.close()
            raise
        return held

    def _moved(self) -> bool:
        known = self._checkpoint()
        return (known.size if known else 0) != self.tree.size

    def write(self, entries: Sequence[bytes], events: Sequence[bytes]) -> Tree:
        """Writes what follows in the log, safely on disk when it returns; returns the tree with it. Under `hold`.

        Nothing of it counts before `keep`: until then it may be written otherwise. After an error open the log anew.
        """
        first = self._grown.size
        leaves = [leaf_hash(entry) for entry in entries]
        grown, completed = extend(self._grown, leaves)
        self._append(ENTRIES, first, entries)
        self._append(EVENTS, first, events)
        self._append(tiles.hashes(0), first, leaves)
        for new in completed:
            self._append(tiles.hashes(new.level // TILE_HEIGHT), new.first, new.hashes)
        self._grown = grown
        return grown

    def keep(self, note: str) -> None:
        """Makes this the log's checkpoint: a signed note over what was written. Under the same `hold`.

        Raises Unreadable when another process kept one meanwhile: open the log anew.
        """
        if self._moved():
            msg = f"{self._folder.name} was written by another process"
            raise Unreadable(msg)
        before = self.tree.size
        self._put(CHECKPOINT, note.encode())
        self.tree = self._grown
        for kind in (ENTRIES, EVENTS):
            self._sweep(kind, self.tree.size, before)
        for level in range(-(-self.tree.size.bit_length() // TILE_HEIGHT)):
            shift = level * TILE_HEIGHT
            self._sweep(tiles.hashes(level), self.tree.size >> shift, before >> shift)

    def endorse(self, note: str) -> None:
        """Shows readers of the folder the newest checkpoint that enough witnesses signed."""
        with (self._folder / ".cosigned.lock").open("w") as lock:
            _lock(lock, PATIENCE_S, self._folder.name)
            self._put(COSIGNED, note.encode())

    def _append(self, kind: str, first: int, things: Sequence[bytes]) -> None:
        edge = self._edges[kind]
        number = first // WIDTH
        for start in range(0, len(things), WIDTH):
            edge += [tiles.packed(kind, thing) for thing in things[start : start + WIDTH]]
            if len(edge) >= WIDTH:
                self._put(tiles.path(kind, number), b"".join(edge[:WIDTH]))
                number += 1
                del edge[:WIDTH]
        if edge:
            self._put(tiles.path(kind, number, len(edge)), b"".join(edge))

    def _put(self, place: str, content: bytes) -> None:
        target = self._folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.new")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _sweep(self, kind: str, count: int, before: int) -> None:
        """Removes the short files for which a full one stands, or a longer one but for the last checkpoint's."""
        for number in {before // WIDTH, count // WIDTH}:
            partial = (self._folder / tiles.path(kind, number, 1)).parent
            full = number < count // WIDTH
            needed = set() if full else {size % WIDTH for size in (before, count) if size // WIDTH == number}
            if not partial.is_dir():
                continue
            for file in partial.iterdir():
                if not file.name.isdecimal() or int(file.name) not in needed:
                    file.unlink()
            if not any(partial.iterdir()):
                partial.rmdir()


def _lock(file: IO[str], patience_s: float, name: str) -> None:
    """Takes a file's lock, which goes when it is closed; raises Unreadable when another keeps it for longer."""
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                msg = f"{name} is being written by another process"
                raise Unreadable(msg) from None
            time.sleep(LOOK_AGAIN_S)
        else:
            return


class Logs:
    """All logs below one folder, a folder a school."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, LogFiles] = {}
        self.turn = asyncio.Lock()
        """Held by whoever writes or reloads."""

    def forget(self, school: str | None = None) -> None:
        """Has a school's log, or all, read from disk again when it is next needed."""
        if school is None:
            self._open.clear()
        else:
            self._open.pop(school, None)

    async def of(self, school: str) -> LogFiles:
        """Returns a school's log; raises Unreadable."""
        if (known := self._open.get(school)) is None:
            known = self._open[school] = await asyncio.to_thread(LogFiles, self._root / school)
        return known

    async def schools(self) -> list[str]:
        """Returns the schools that have a log on disk."""

        def names() -> list[str]:
            return sorted(folder.parent.name for folder in self._root.glob(f"*/{CHECKPOINT}"))

        return await asyncio.to_thread(names)
