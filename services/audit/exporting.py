"""The auditor's pack, page by page: lines, leaf hashes and checkpoints. Each page is checked and journaled as a look.

The first page pins the size; what is logged meanwhile, the look itself among it, is not part of the pack. It takes the
right to export the school's log.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any

from pydantic import Field

from services.audit.pages import Moment, shown
from services.audit.proving import signed
from services.audit.replies import ExportCheckpointsReply, ExportHashesReply, ExportLinesReply, ExportReply
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.words import Action, Category, school_subject
from shared.unit import Asked, Change, Endpoint, Query, Snapshot

Index = Annotated[int, Field(ge=0, le=2**53 - 1)]


class Export(Query):
    """Begins a pack: of the whole log, or of the lines from the first to the last that was recorded in a period."""

    since: Moment | None = None
    until: Moment | None = None


class ExportLines(Query):
    """A page of entries from `first` on, below `end`."""

    first: Index
    end: Index


class ExportHashes(Query):
    """A page of leaf hashes from `first` on, below `end`: for lines outside the period, which the proof needs."""

    first: Index
    end: Index


class ExportCheckpoints(Query):
    """A page of checkpoints larger than `after`, up to `until`, each with its cosignatures."""

    after: Index
    until: Index


def may_export(asked: Asked[Any], seen: Snapshot) -> Permit:
    """Returns a permit to export the school's log, or raises Denial.

    Nobody exports a log that has a child of their own in it (Problem): what may be held back from a family cannot be
    left out of it, and everybody's family is told the same.
    """
    permit = seen.require(asked, Action.EXPORT, Category.LOG, about=school_subject(asked.school))
    if seen.state.get("family"):
        raise Problem(ProblemType.FORBIDDEN, "a child of your own is in this log: have another auditor export it")
    return permit


def decide_export(asked: Asked[Export], seen: Snapshot) -> Change:
    """Gives the checkpoint that the pack is under, and where its lines begin and end."""
    permit = may_export(asked, seen)
    over = signed(seen)
    first, end = seen.state["first"], seen.state["end"]
    if first is None:
        raise Problem(ProblemType.CONFLICT, "no signed line was recorded in that period: choose another")
    result = {"size": over["size"], "note": over["note"], "first": first, "end": end}
    return shown(permit, "export", school_subject(asked.school), result, things=1)


def decide_lines(asked: Asked[ExportLines], seen: Snapshot) -> Change:
    """Gives entries, as they are hashed."""
    permit = may_export(asked, seen)
    return shown(permit, "export-lines", school_subject(asked.school), {"lines": seen.state["lines"]})


def decide_hashes(asked: Asked[ExportHashes], seen: Snapshot) -> Change:
    """Gives leaf hashes, joined, in base64."""
    permit = may_export(asked, seen)
    joined = bytes.fromhex(seen.state["hashes"])
    result = {"hashes": b64encode(joined).decode()}
    return shown(permit, "export-hashes", school_subject(asked.school), result, things=len(joined) // 32)


def decide_checkpoints(asked: Asked[ExportCheckpoints], seen: Snapshot) -> Change:
    """Gives checkpoints."""
    permit = may_export(asked, seen)
    found = seen.state["checkpoints"]
    result = {"notes": [one["note"] for one in found], "last": found[-1]["size"] if found else None}
    return shown(permit, "export-checkpoints", school_subject(asked.school), result, things=len(found))


EXPORTING: tuple[Endpoint[Any], ...] = (
    Endpoint("export", Export, "read_export", decide_export, ExportReply),
    Endpoint("export-lines", ExportLines, "read_export_lines", decide_lines, ExportLinesReply),
    Endpoint("export-hashes", ExportHashes, "read_export_hashes", decide_hashes, ExportHashesReply),
    Endpoint(
        "export-checkpoints", ExportCheckpoints, "read_export_checkpoints", decide_checkpoints, ExportCheckpointsReply
    ),
)
