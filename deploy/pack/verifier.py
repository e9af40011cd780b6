"""Checks a pack offline: nothing in it is believed but what the keys signed, and all else must follow from that."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from heapq import merge

from deploy.pack.blocks import Checked, checked, things
from deploy.pack.following import Following
from deploy.pack.layout import (
    ABOUT,
    CHECKPOINTS,
    FORMAT,
    KEY,
    LINES,
    LOG,
    MANIFEST,
    NOTE,
    POLICY,
    README,
    Json,
    Manifest,
    files_of,
    range_of,
)
from deploy.pack.report import NOT_LOGGED, Finding, Report
from deploy.pack.signatures import signers
from deploy.pack.source import BadPack, Source
from shared.tlog import tiles
from shared.tlog.merkle import TILE_HEIGHT, Tree, extend, root
from shared.tlog.note import BadNote, Checkpoint
from shared.tlog.policy import Policy
from shared.tlog.tiles import HASH_SIZE, WIDTH
from shared.tlog.trust import LogKeys, Trust, log_keys_text

HASHERS = 2
MANIFEST_MOST, MANIFEST_A_FILE = 1 << 24, 1 << 8
"""How large a manifest may be: the first, or the second for each file that is there. A log has one for 128 lines."""
Progress = Callable[[int, int], None]


def verify(
    source: Source,
    trust: Trust,
    *,
    pinned: str | None = None,
    origin: str | None = None,
    progress: Progress | None = None,
    claimed: Policy | None = None,
) -> Report:
    """Returns what is wrong with a pack. `trust` comes from elsewhere; `pinned` is a checkpoint kept from before.

    `progress` is told (lines checked, of how many). `claimed` is the pack's own policy, for whoever has none from
    elsewhere: what is in the pack is compared with it, and nothing is believed for it.
    """
    checker = _Checker(source, trust, claimed, progress or (lambda _done, _of: None))
    try:
        checker.run(pinned, origin)
    except BadPack as bad:
        name, _, what = str(bad).partition(": ")
        checker.report.add(name, what or "cannot be read")
    return checker.report


class _Checker:
    def __init__(self, source: Source, trust: Trust, claimed: Policy | None, progress: Progress) -> None:
        self._source, self._trust, self._claimed, self._progress = source, trust, claimed, progress
        self.report = Report()
        self._tree = Tree()
        self._made = Manifest()
        self._ends = -1
        """Where the lines end, once they have."""
        self._leaves = b""
        """Leaf hashes of lines that were read and not yet compared."""
        self._held: list[Finding] = []
        """What is wrong with lines whose leaf hashes are not yet compared: that is said first, while there is room."""
        self._bad = ""
        self._waiting: dict[int, list[bytes]] = {}
        self._names = source.names()

    def run(self, pinned: str | None, origin: str | None) -> None:
        told = self._manifest()
        with ThreadPoolExecutor(HASHERS) as pool, ExitStack() as opened:  # SHA-256 works without Python's lock
            hashed = self._begin(told, pool)
            try:
                following = self._logged(told, pinned, origin, opened)
            finally:
                self._files(told, hashed)
            if following is not None:
                following.compare()
                self._compare()

    def _logged(self, told: Json, pinned: str | None, origin: str | None, opened: ExitStack) -> Following | None:
        """Checks all that is signed; None: nothing is."""
        under = self._under(origin)
        if under is None:
            return None
        self._made.origin, self._made.school = under.origin, under.origin.rpartition("/")[2]
        self._made.size, self._made.root = under.size, under.root.hex()
        self._made.first, self._made.end = range_of(told, under.size)
        self._keys()
        kept = self._pinned(pinned, under)
        copy = opened.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  with all that is opened
        following = Following(self._source, self.report, self._made, copy)
        opened.callback(following.close)
        self._walk(under, kept, following)
        self.report.size, self.report.root = under.size, under.root.hex()
        return following

    # What is there -----------------------------------------------------------------------------------------------

    def _manifest(self) -> Json:
        try:
            told = json.loads(self._manifest_text())
        except ValueError:
            raise BadPack(f"{MANIFEST}: not JSON") from None
        if not isinstance(told, dict) or not isinstance(told.get("files"), dict):
            raise BadPack(f"{MANIFEST}: not a manifest")
        if told.get("format") != FORMAT:
            raise BadPack(f"{MANIFEST}: it is not {FORMAT}, which this version checks: take the version that wrote it")
        return told

    def _manifest_text(self) -> bytes:
        return self._source.read(MANIFEST, max(MANIFEST_MOST, MANIFEST_A_FILE * len(self._names)))

    def _begin(self, told: Json, pool: ThreadPoolExecutor) -> dict[str, Future[Json]]:
        """Has every file hashed while the lines are looked at."""
        for name, count in Counter(self._names).items():
            if count > 1:
                self.report.add(name, "is there twice")
        present = set(self._names) - {MANIFEST}
        for name in sorted(told["files"].keys() - present):
            self.report.add(name, "is missing")
        self._made.files = {name: {} for name in sorted(present)}
        return {name: pool.submit(self._source.facts, name) for name in sorted(present)}

    def _files(self, told: Json, hashed: Mapping[str, Future[Json]]) -> None:
        for name, future in hashed.items():
            self._made.files[name] = facts = future.result()
            if name not in told["files"]:
                self.report.add(name, "is not in the manifest")
            elif told["files"][name] != facts:
                self.report.add(name, "has another hash than the manifest says")
        if README in hashed and self._source.read(README) != ABOUT.encode():
            self.report.add(README, "is not the text that belongs here")

    def _under(self, origin: str | None) -> Checkpoint | None:
        try:
            note = self._source.read(NOTE).decode()
            checkpoint = self._trust.checked(note, origin)[0]
            self.report.cosigned = signers(note, self._trust, self._claimed)
        except (BadNote, UnicodeDecodeError) as bad:
            self.report.add(NOTE, str(bad))
            return None
        self.report.origin = checkpoint.origin
        return checkpoint

    def _keys(self) -> None:
        """The keys in the pack are there to be compared; what is believed is what the caller brought."""
        if self._source.read(KEY) != log_keys_text(LogKeys(self._trust.log, self._trust.retired)):
            self.report.add(KEY, "is not the key that you gave")
        if self._source.read(POLICY) != (self._claimed or self._trust.policy).text.encode():
            self.report.add(POLICY, "is not the policy that you gave")

    def _checkpoints(self, under: Checkpoint) -> Generator[Checkpoint, None, None]:
        """Yields the checkpoints that are good in themselves, in the order of their sizes."""
        before, last = 0, ""
        for number, line in enumerate(self._source.lines(CHECKPOINTS), 1):
            try:
                last = json.loads(line)["note"]
                if json.dumps({"note": last}).encode() != line:
                    raise BadNote("not laid out as it must be")
                found = self._trust.of_log(last, under.origin, contained=True)
                signers(last, self._trust, self._claimed)
                if not before < found.size <= under.size:
                    raise BadNote(f"{found.size} lines do not follow {before}")
            except (BadNote, ValueError, KeyError, TypeError, AttributeError) as bad:
                self.report.add(CHECKPOINTS, f"line {number}: {bad}")
                continue
            before = found.size
            self.report.checkpoints += 1
            yield found
        if last != self._source.read(NOTE).decode():
            self.report.add(CHECKPOINTS, "does not end with the checkpoint that the pack is under")

    def _pinned(self, pinned: str | None, under: Checkpoint) -> Checkpoint | None:
        if pinned is None:
            return None
        try:
            kept = self._trust.of_log(pinned, under.origin, contained=True)
        except BadNote as bad:
            self.report.add(NOTE, f"your own checkpoint is of another log: {bad}")
            return None
        if kept.size > under.size:
            self.report.add(NOTE, f"you have seen {kept.size} lines signed, this pack ends at {under.size}")
            return None
        return kept

    # The lines ---------------------------------------------------------------------------------------------------

    def _walk(self, under: Checkpoint, pinned: Checkpoint | None, following: Following) -> None:
        size = under.size
        signed, blocks = self._checkpoints(under), checked(self._source, self._made, following.judged)
        with closing(signed), closing(blocks):
            marks = merge(signed, [pinned] if pinned and pinned.size else [], key=lambda one: one.size)
            due = next(marks, None)
            for first in range(0, size, WIDTH):
                end = min(first + WIDTH, size)
                leaves = things(self._source, self.report, tiles.hashes(0), first, size)
                self._page(blocks, first, end, leaves, following)
                at = first
                while due is not None and due.size <= end:
                    self._grow(leaves[at - first : due.size - first])
                    at = due.size
                    if root(self._tree) != due.root:
                        self.report.add(CHECKPOINTS, f"the log of {due.size} lines had another root when it was signed")
                    due = next(marks, None)
                self._grow(leaves[at - first :])
                self._progress(end, size)
        self._tell(size + 1)
        self._levels(size)

    def _page(self, blocks: Iterator[Checked], first: int, end: int, leaves: list[bytes], following: Following) -> None:
        low, high = max(first, self._made.first), min(end, self._made.end)
        while self._ends < 0 and len(self._leaves) < (high - low) * HASH_SIZE:
            self._take(next(blocks), following)
        wanted = b"".join(leaves[low - first : high - first])
        found, self._leaves = self._leaves[: len(wanted)], self._leaves[len(wanted) :]
        if found != wanted[: len(found)]:
            for at in range(0, len(found), HASH_SIZE):
                if found[at : at + HASH_SIZE] != wanted[at : at + HASH_SIZE]:
                    self.report.add(LINES, NOT_LOGGED, low + at // HASH_SIZE)
        self._tell(end)
        if self._bad and high > self._ends:
            self._tell(self._made.size + 1)
            raise BadPack(self._bad)

    def _tell(self, end: int) -> None:
        for finding in self._held:
            if finding.idx < end:
                self.report.add(finding.file, finding.what, finding.idx)
        self._held = [finding for finding in self._held if finding.idx >= end]

    def _take(self, one: Checked, following: Following) -> None:
        """Takes a block in its place: what is wrong in it, and how it follows on the one before."""
        seqs, held = self._made.producers, Report()
        for producer, (low, high, idx) in one.lanes.items():
            if producer not in seqs:
                seqs[producer] = [low, low - 1]
                if self._made.first == 0 and low != 1:
                    held.add(LINES, f"{producer} begins at {low}, not at 1", idx)
            if low != seqs[producer][1] + 1:
                held.add(LINES, f"{producer} goes from {seqs[producer][1]} to {low}", idx)
            seqs[producer][1] = high
        self._held += [*held.findings, *one.report.findings]
        self.report.lines += one.report.lines
        self._leaves += one.leaves
        following.take(one)
        if one.bad or one.report.lines < one.block.end - one.block.first:
            self._bad, self._ends = one.bad, one.block.first + one.report.lines

    # The tiles ---------------------------------------------------------------------------------------------------

    def _grow(self, leaves: list[bytes]) -> None:
        self._tree, completed = extend(self._tree, leaves)
        for new in completed:
            level = new.level // TILE_HEIGHT
            self._waiting.setdefault(level, []).extend(new.hashes)
            while len(self._waiting[level]) >= WIDTH:
                self._level(
                    level, self._waiting[level][:WIDTH], new.first + len(new.hashes) - len(self._waiting[level])
                )
                del self._waiting[level][:WIDTH]

    def _levels(self, size: int) -> None:
        """The last files of the levels above the leaves."""
        for level, left in self._waiting.items():
            if left:
                self._level(level, left, (size >> level * TILE_HEIGHT) - len(left))

    def _level(self, level: int, hashes: list[bytes], first: int) -> None:
        kind = tiles.hashes(level)
        if things(self._source, self.report, kind, first, first + len(hashes)) != hashes:
            place = f"{LOG}/{tiles.place(kind, first, first + len(hashes))}"
            self.report.add(place, "does not follow from the tiles below")

    # What follows from the rest -----------------------------------------------------------------------------------

    def _compare(self) -> None:
        report, made = self.report, self._made
        report.producers = made.producers
        wanted = {MANIFEST, *files_of(made)}
        for name in sorted({MANIFEST, *made.files} ^ wanted):
            report.add(name, "is missing" if name in wanted else "does not belong to the pack")
        if self._manifest_text() != made.text.encode():
            report.add(MANIFEST, "does not follow from the rest of the pack")
