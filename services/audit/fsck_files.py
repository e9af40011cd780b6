"""Holds a school's log on disk, as its readers get it, against the lines of the database: every file, to the byte.

Whoever reads the folder sees an old tile that was changed; the service itself reads only the last ones.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from services.audit.files import CHECKPOINT, COSIGNED
from shared.tlog import tiles
from shared.tlog.merkle import TILE_HEIGHT, Tree, extend, leaf_hash, root
from shared.tlog.note import Checkpoint
from shared.tlog.tiles import ENTRIES, EVENTS, WIDTH

Add = Callable[[str, int, str], None]
"""Takes what is wrong: a code, where, and in which file."""


MOST = 100
"""No more files are named: a log that is all wrong is wrong from its first file on."""
LOOKS = 3
"""How often a file is looked for that a longer one took the place of while it was read."""


class FilesCheck:
    """Takes the lines of a log from the first on, and tells of each file that is not made of them."""

    def __init__(self, folder: Path, signed: Callable[[str], Checkpoint | None], add: Add) -> None:
        """Reads how far the files say that they go; `signed` returns what a note of this log signs."""
        self._folder, self._signed, self._add = folder, signed, add
        notes = {name: self._note(name) for name in (COSIGNED, CHECKPOINT)}  # the one that is ahead last
        self._notes = {name: note for name, note in notes.items() if note is not None}
        self._size = self._notes[CHECKPOINT].size if CHECKPOINT in self._notes else 0
        self._waiting: defaultdict[str, list[bytes]] = defaultdict(list)
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._tree = Tree()
        self._wrong = 0
        self.files = 0
        """How many files were compared."""

    def _note(self, name: str) -> Checkpoint | None:
        try:
            found = self._signed((self._folder / name).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            found = None
        if found is None:
            self._add("file_not_signed", 0, name)
        return found

    def take(self, lines: Sequence[tuple[bytes, bytes]]) -> None:
        """Takes the (entry, event) of the next lines; what no file has to hold yet is left for later."""
        lines = lines[: self._size - self._tree.size]
        for end in sorted({note.size for note in self._notes.values()} | {self._tree.size + len(lines)}):
            if self._tree.size < end <= self._tree.size + len(lines):
                count = end - self._tree.size
                self._grow([entry for entry, _ in lines[:count]], [event for _, event in lines[:count]])
                lines = lines[count:]
                for name, note in self._notes.items():
                    if note.size == end and note.root != root(self._tree):
                        self._add("file_of_another_tree", end, name)

    def end(self, signed: int) -> None:
        """Compares the last file of each kind; `signed`: how far the database's own checkpoints go."""
        for kind, left in self._waiting.items():
            if left:
                self._compare(kind, self._numbers[kind], left)
        for name, note in self._notes.items():
            if note.size > self._tree.size:
                self._add("files_ahead_of_log", note.size, name)
        if self._size < signed:
            now = self._note(CHECKPOINT)  # the files get a checkpoint before the database does
            if now is None or now.size < signed:
                self._add("files_behind_log", signed, CHECKPOINT)

    def _grow(self, entries: Sequence[bytes], events: Sequence[bytes]) -> None:
        leaves = [leaf_hash(entry) for entry in entries]
        self._tree, completed = extend(self._tree, leaves)
        grown: list[tuple[str, Sequence[bytes]]] = [(ENTRIES, entries), (EVENTS, events), (tiles.hashes(0), leaves)]
        grown += [(tiles.hashes(new.level // TILE_HEIGHT), new.hashes) for new in completed]
        for kind, things in grown:
            waiting = self._waiting[kind]
            waiting += things
            while len(waiting) >= WIDTH:
                self._compare(kind, self._numbers[kind], waiting[:WIDTH])
                self._numbers[kind] += 1
                del waiting[:WIDTH]

    def _compare(self, kind: str, number: int, things: Sequence[bytes]) -> None:
        self.files += 1
        code, place = self._held(kind, number, things)
        if code and self._wrong < MOST:
            self._wrong += 1
            self._add(code, number * WIDTH, place)

    def _held(self, kind: str, number: int, things: Sequence[bytes]) -> tuple[str, str]:
        """Returns what is wrong with a file, and its path; of a longer one that took its place, as far as both go."""
        place = tiles.path(kind, number, len(things))
        with contextlib.suppress(OverflowError):  # of a line that no log could have held
            known = tiles.joined(kind, things)
            for _ in range(LOOKS):
                if (content := self._content(place)) is not None:
                    return "" if content == known else "file_does_not_fit", place
                for longer in self._longer(kind, number, len(things)):
                    if (content := self._content(longer)) is not None:
                        return "" if content.startswith(known) else "file_does_not_fit", longer
            return "file_missing", place
        return "file_does_not_fit", place

    def _content(self, place: str) -> bytes | None:
        try:
            return (self._folder / place).read_bytes()
        except OSError:
            return None

    def _longer(self, kind: str, number: int, width: int) -> list[str]:
        short = (self._folder / tiles.path(kind, number, 1)).parent
        widths = [int(file.name) for file in short.glob("*") if file.name.isdecimal()]
        return [tiles.path(kind, number, one) for one in (*sorted(widths), WIDTH) if one > width]
