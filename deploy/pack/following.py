"""Checks what must follow from a pack's lines: table, FHIR, Parquet, reports; and that findings fit their lines."""

from __future__ import annotations

from collections import defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from typing import IO

from deploy.pack.blocks import Checked
from deploy.pack.derived import finding_of, pages
from deploy.pack.layout import EVENTS, FINDINGS, HEADER, PARQUET, TABLE, Json, Manifest
from deploy.pack.parquet import HOW, ParquetRows, available, copied
from deploy.pack.report import Report
from deploy.pack.source import BadPack, Source
from deploy.pack.tally import Tally

PART = 1 << 20
"""How much of a file is read at once to be compared."""
AHEAD = 2
"""How many blocks wait to be compared with Parquet."""


class Following:
    """Takes the blocks that were checked, in order, and compares; what is wrong goes into the report."""

    def __init__(self, source: Source, report: Report, made: Manifest, copy: IO[bytes]) -> None:
        """Read the findings and open the Parquet file (through `copy`, a file of its own)."""
        self._source, self._report, self._made = source, report, made
        self._judged: defaultdict[int, list[Json]] = defaultdict(list)
        self._findings = self._read_findings()  # before anything is open: a file that can't be read ends it
        self._open = ExitStack()
        self._texts: dict[str, IO[bytes] | None] = {name: self._file(name) for name in (TABLE, EVENTS)}
        self._told(TABLE, HEADER)
        self.parquet = self._opened(copy)
        self._beside = self._open.enter_context(ThreadPoolExecutor(1))  # pyarrow works without Python's lock
        self._typed: deque[Future[bool]] = deque()
        self._same, self._blocks = True, 0
        self._tally = Tally()

    def judged(self, first: int, end: int) -> dict[int, list[Json]]:
        """Returns the findings on these lines."""
        return {idx: found for idx, found in self._judged.items() if first <= idx < end}

    def take(self, block: Checked) -> None:
        """Takes the next block."""
        for name, text in block.texts.items():
            self._told(name, text)
        if block.report.lines:
            if self.parquet is not None:
                self._typed.append(self._beside.submit(self.parquet.same, self._blocks, block.texts[TABLE]))
                if len(self._typed) > AHEAD:
                    self._same = self._typed.popleft().result() and self._same
            self._blocks += 1
        self._tally.add(block.tally)

    def compare(self) -> None:
        """Compares the files, after the last line; the manifest's numbers are known by now."""
        if self.parquet is not None:
            if not all([self._same, *(one.result() for one in self._typed)]) or self.parquet.blocks < self._blocks:
                self._report.add(PARQUET, "does not follow from the lines")
            elif self.parquet.blocks > self._blocks:
                self._report.add(PARQUET, "has more rows than there are lines")
        files = self._made.files
        for name, file in self._texts.items():
            if file is None or self._read(file, 1):
                self._report.add(name, "does not follow from the lines")
        for name, content in pages(self._made, self._tally, self._findings).items():
            if files.get(name, {}).get("sha256") != sha256(content).hexdigest():
                self._report.add(name, "does not follow from the lines and findings")

    def close(self) -> None:
        """Lets go of what was opened."""
        self._open.close()

    def _file(self, name: str) -> IO[bytes] | None:
        try:
            return self._open.enter_context(self._source.open(name))
        except BadPack:
            return None

    @staticmethod
    def _read(file: IO[bytes] | None, size: int) -> bytes:
        try:
            return file.read(size) if file is not None else b""
        except Exception:  # noqa: BLE001  a zip that is cut off or harmed: what can't be read does not follow
            return b""

    def _told(self, name: str, text: bytes | bytearray) -> None:
        file = self._texts[name]
        for at in range(0, len(text) if file is not None else 0, PART):
            size = min(PART, len(text) - at)
            part = self._read(file, size)
            if len(part) != size or not text.startswith(part, at):
                self._texts[name] = None
                return

    def _opened(self, copy: IO[bytes]) -> ParquetRows | None:
        if PARQUET not in self._made.files:
            return None
        if not available():
            self._report.add(PARQUET, f"cannot be checked here: {HOW}")
            return None
        try:
            return ParquetRows(copied(self._source, copy))
        except BadPack as bad:
            self._report.add(PARQUET, str(bad).partition(": ")[2])
            return None

    def _read_findings(self) -> list[Json]:
        found: list[Json] = []
        last: tuple[int, str, str] | None = None
        for number, line in enumerate(self._source.lines(FINDINGS), 1):
            try:
                one = finding_of(line)
                place = (one["idx"], one["code"], one["part"])
                if not self._made.first <= one["idx"] < self._made.end:
                    raise ValueError("is about a line that is not here")
                if last is not None and place <= last:
                    raise ValueError("does not stand in order")
            except (ValueError, RecursionError) as bad:
                self._report.add(FINDINGS, f"line {number}: {bad}")
                continue
            last = place
            found.append(one)
            self._judged[one["idx"]].append(one)
        return found
