"""Checks what must follow from a pack's lines: table, FHIR, Parquet, reports; and that findings fit their lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from hashlib import sha256
from typing import IO, Any

from deploy.pack.derived import Derived, finding_of, misquoted
from deploy.pack.layout import EVENTS, FINDINGS, PARQUET, TABLE, Json, Manifest
from deploy.pack.parquet import HOW, ParquetRows, available
from deploy.pack.report import Report
from deploy.pack.source import BadPack, Source


class Following:
    """Takes the entries that were checked, in order, and then compares; what is wrong goes into the report."""

    def __init__(self, source: Source, report: Report, made: Manifest, copy: IO[bytes]) -> None:
        """Read the findings and open the Parquet file (through `copy`, a file of its own)."""
        self._source, self._report, self._made = source, report, made
        self._digests = {name: (sha256(), [0]) for name in (TABLE, EVENTS)}
        self._derived = Derived(self._told, self._rows)
        self._parquet = self._opened(copy)
        self._judged: defaultdict[int, list[Json]] = defaultdict(list)
        self._findings = self._read_findings()

    def take(self, idx: int, entry: Mapping[str, Any]) -> None:
        """Takes the next line; raises KeyError, TypeError when it is none."""
        self._derived.take(idx, entry)
        for finding in self._judged.get(idx, ()):
            if name := misquoted(finding, entry):
                self._report.add(FINDINGS, f"a finding says otherwise than the line what its {name} is", idx)

    def compare(self) -> None:
        """Compares the files, after the last line; the manifest's numbers are known by now."""
        self._derived.flush()
        if self._parquet is not None and not self._parquet.ended():
            self._report.add(PARQUET, "has more rows than there are lines")
        files = self._made.files
        for name, (digest, size) in self._digests.items():
            if files.get(name) != {"bytes": size[0], "sha256": digest.hexdigest()}:
                self._report.add(name, "does not follow from the lines")
        for name, content in self._derived.pages(self._made, self._findings).items():
            if files.get(name, {}).get("sha256") != sha256(content).hexdigest():
                self._report.add(name, "does not follow from the lines and findings")

    def _told(self, name: str, content: bytes) -> None:
        digest, size = self._digests[name]
        digest.update(content)
        size[0] += len(content)

    def _rows(self, rows: bytes) -> None:
        if self._parquet is not None and not self._parquet.same(rows):
            self._report.add(PARQUET, "does not follow from the lines")
            self._parquet = None

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
