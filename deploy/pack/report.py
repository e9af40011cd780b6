"""What a check of a pack found."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 1000
NOT_LOGGED = "the line is not the one that was logged"
"""Of all that is wrong with a line this is said first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: in which file, at which line of the log (or -1), and what."""

    file: str
    idx: int
    what: str


@dataclass(slots=True)
class Report:
    """What was checked, and what is wrong with it."""

    origin: str = ""
    size: int = 0
    lines: int = 0
    checkpoints: int = 0
    root: str = ""
    cosigned: dict[str, int] = field(default_factory=dict)
    producers: dict[str, list[int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, file: str, what: str, idx: int = -1) -> None:
        """Keeps a finding; a pack that is all wrong must not fill the memory."""
        if len(self.findings) < MOST:
            self.findings.append(Finding(file, idx, what))

    @property
    def first_bad_line(self) -> Finding | None:
        """The first line of the log that is not what was signed."""
        bad = (one for one in self.findings if one.idx >= 0)
        return min(bad, key=lambda one: (one.idx, one.what != NOT_LOGGED), default=None)
