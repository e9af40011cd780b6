"""Proofs that are files of their own, checked offline by anyone: of a line, and that the log only grew.

They are made under the newest checkpoint that enough witnesses signed, or the newest at all when none holds the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from services.audit.pages import may_look, shown
from services.audit.replies import GrowthReply, LineProofReply
from shared.errors import Problem, ProblemType
from shared.events.words import school_subject
from shared.tlog.merkle import TileNodes, consistency_proof, inclusion_proof
from shared.tlog.proof import GrowthProof, LineProof
from shared.tlog.tiles import HASH_SIZE
from shared.unit import Asked, Change, Endpoint, Query, Snapshot

Index = Annotated[int, Field(ge=0, le=2**53 - 1)]
Size = Annotated[int, Field(ge=1, le=2**53 - 1)]


class TlogProof(Query):
    """The proof of one line as a file: of the line with this number, or of the line about this event."""

    idx: Index | None = None
    event: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.idx is None) == (self.event is None):
            raise ValueError("name either the line's number or its event")
        return self


class Growth(Query):
    """The proof, as a file, that the log of `since` lines is the beginning of the signed one."""

    since: Size


def signed(seen: Snapshot) -> Mapping[str, Any]:
    """Returns the checkpoint that the reader found, or raises Problem."""
    newest: Mapping[str, Any] | None = seen.state["checkpoint"]
    if newest is None:
        raise Problem(ProblemType.UNAVAILABLE, "nothing of this log is signed yet: ask again in a second")
    return newest


def nodes(seen: Snapshot) -> TileNodes:
    """Returns the nodes that the reader found, a tile at a time (0011_tiles_of_proofs.sql)."""
    stored: dict[tuple[int, int], bytes] = {}
    for level, first, joined in seen.state["nodes"]:
        hashes = bytes.fromhex(joined)
        for n in range(len(hashes) // HASH_SIZE):
            stored[level, first + n] = hashes[n * HASH_SIZE : (n + 1) * HASH_SIZE]
    return TileNodes(stored)


def decide_tlog_proof(asked: Asked[TlogProof], seen: Snapshot) -> Change:
    """Gives a line's proof."""
    school, idx, entry = school_subject(asked.school), seen.state["idx"], seen.state["entry"]
    about = UUID(seen.state["about"]) if seen.state["about"] else school
    permit = may_look(asked, seen, about, school)
    over = signed(seen)
    if entry is None or idx >= over["size"]:
        raise Problem(
            ProblemType.CONFLICT,
            f"no such line among the {over['size']} that are signed: choose one of them, or ask again in a second",
            size=over["size"],
        )
    path = inclusion_proof(idx, over["size"], nodes(seen))
    proof = LineProof(idx, entry.encode(), tuple(path), over["note"])
    return shown(permit, "tlog-proof", about, {"idx": idx, "proof": proof.text}, things=1)


def decide_growth(asked: Asked[Growth], seen: Snapshot) -> Change:
    """Proves that the log only grew."""
    school, since = school_subject(asked.school), asked.body.since
    permit = may_look(asked, seen, school)
    over = signed(seen)
    if since > over["size"]:
        raise Problem(
            ProblemType.CONFLICT,
            "the signed log is smaller than that: if you hold a checkpoint of that size, keep it and raise alarm",
            size=over["size"],
        )
    path = consistency_proof(since, over["size"], nodes(seen))
    proof = GrowthProof(since, tuple(path), over["note"])
    return shown(permit, "growth", school, {"proof": proof.text}, things=1)


PROVING: tuple[Endpoint[Any], ...] = (
    Endpoint("tlog-proof", TlogProof, "read_line_proof", decide_tlog_proof, LineProofReply),
    Endpoint("growth", Growth, "read_growth", decide_growth, GrowthReply),
)
