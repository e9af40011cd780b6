"""Checks what must follow from a pack's lines: table, FHIR, Parquet, reports; and that findings fit their lines."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from typing import IO

from deploy.pack.derived import Derived, finding_of, misquoted
from deploy.pack.layout import EVENTS, FINDINGS, PARQUET, TABLE, Json, Manifest
from deploy.pack.parquet import HOW, ParquetRows, available
from deploy.pack.report import Report
from deploy.pack.shapes import Read, entry_in
from deploy.pack.source import BadPack, Source

WAITING = 4
"""How many blocks of rows are kept for the comparison at most."""


class Following:
    """Takes the entries that were checked, in order, and then compares; what is wrong goes into the report."""

    def __init__(self, source: Source, report: Report, made: Manifest, copy: IO[bytes]) -> None:
        """Read the findings and open the Parquet file (through `copy`, a file of its own)."""
        self._source, self._report, self._made = source, report, made
        self._open = ExitStack()
        self._texts: dict[str, IO[bytes] | None] = {name: self._file(name) for name in (TABLE, EVENTS)}
        self._beside = ThreadPoolExecutor(1)
        """Compares Parquet meanwhile, in order: its library works without Python's lock."""
        self._blocks: list[Future[bool]] = []
        self._derived = Derived(self._told, self._rows)
        self._parquet = self._opened(copy)
        self._judged: defaultdict[int, list[Json]] = defaultdict(list)
        self._findings = self._read_findings()

    def take(self, idx: int, read: Read, line: bytes) -> None:
        """Takes the next line; raises KeyError, TypeError when it is none."""
        self._derived.take(idx, read)
        if idx in self._judged:
            entry = entry_in(read, line)
            for finding in self._judged[idx]:
                if name := misquoted(finding, entry):
                    self._report.add(FINDINGS, f"a finding says otherwise than the line what its {name} is", idx)

    def compare(self) -> None:
        """Compares the files, after the last line; the manifest's numbers are known by now."""
        self._derived.flush()
        if self._parquet is not None:
            if not all(block.result() for block in self._blocks):
                self._report.add(PARQUET, "does not follow from the lines")
            elif not self._parquet.ended():
                self._report.add(PARQUET, "has more rows than there are lines")
        files = self._made.files
        for name, file in self._texts.items():
            if file is None or self._read(file, 1):
                self._report.add(name, "does not follow from the lines")
        for name, content in self._derived.pages(self._made, self._findings).items():
            if files.get(name, {}).get("sha256") != sha256(content).hexdigest():
                self._report.add(name, "does not follow from the lines and findings")

    def close(self) -> None:
        """Lets go of what was opened."""
        self._beside.shutdown(cancel_futures=True)
        self._open.close()

    def _file(self, name: str) -> IO[bytes] | None:
        try:
            return self._open.enter_context(self._source.open(name))
        except BadPack:
            return None

    @staticmethod
    def _read(file: IO[bytes], size: int) -> bytes:
        try:
            return file.read(size)
        except Exception:  # noqa: BLE001  a zip that is cut off or harmed: what can't be read does not follow
            return b""

    def _told(self, name: str, content: bytes) -> None:
        file = self._texts[name]
        if file is not None and self._read(file, len(content)) != content:
            self._texts[name] = None

    def _rows(self, rows: bytes) -> None:
        if self._parquet is not None:
            self._blocks.append(self._beside.submit(self._parquet.same, rows))
            if len(self._blocks) > WAITING:
                self._blocks[-WAITING].result()

    def _opened(self, copy: IO[bytes]) -> ParquetRows | None:
        if PARQUET not in self._made.files:
            return None
        if not available():
            self._report.add(PARQUET, f"cannot be checked here: {HOW}")
            return None
        try:
            return ParquetRows(self._source, copy)
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
