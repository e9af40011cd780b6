"""What is answered about the log, as others read it: lines, proofs, packs and findings."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.events.words import Action, ActorKind, Basis, Category, Outcome, Purpose, Role
from shared.unit import Reply


class LineShown(Reply):
    """A line of the log: who did or saw what, why and on what basis (NEN 7513, ISO 27789); what is unknown is left out.

    `idx` is where it stands, counted from 0; the rest is its entry, of which the log's hash is made.
    """

    idx: int
    v: int
    """The version of how entries are made."""
    event: UUID
    event_hash: str
    """SHA-256 of the event's exact bytes, in hex."""
    type: str
    producer: str
    school: str
    epoch: int
    seq: int
    network_epoch: int
    network_seq: int
    occurred_at: datetime
    recorded_at: datetime
    about: UUID
    thing: UUID | None = None
    things: int | None = None
    """How many were shown."""
    what: str | None = None
    """By which question."""
    actor: UUID
    kind: ActorKind
    door: str
    operator: str | None = None
    on_behalf_of: UUID | None = None
    role: Role | None = None
    organisation: UUID | None = None
    purpose: Purpose
    action: Action
    category: Category
    outcome: Outcome
    reason: str | None = None
    """A code: why it was refused."""
    basis: Basis | None = None
    grant: UUID | None = None
    consent: UUID | None = None
    consent_version: int | None = None
    revision: int | None = None
    """Of the set of grants that it rests on."""
    emergency: bool
    trace: str | None = None
    """W3C Trace Context's trace id."""


class TailReply(Reply):
    """The last lines, newest first."""

    lines: tuple[LineShown, ...]


class LinesReply(TailReply):
    """A page of lines, newest first; `next` is what the next page is asked before."""

    next: int | None


class CheckpointReply(Reply):
    """The newest signed checkpoint (c2sp.org/tlog-checkpoint)."""

    note: str
    consistency: tuple[str, ...] | None = None
    """Hashes in hex (RFC 6962): the log of the size that was asked is this one's beginning."""


class ProofReply(Reply):
    """That a line is in the log: its entry as it is hashed, the path of hashes in hex, and a checkpoint over both."""

    idx: int
    entry: str
    path: tuple[str, ...]
    note: str


class LineProofReply(Reply):
    """The same as a file that anyone can check offline (c2sp.org/tlog-proof)."""

    idx: int
    proof: str


class GrowthReply(Reply):
    """That the log only grew, as a file that anyone can check offline."""

    proof: str


class ExportReply(Reply):
    """The checkpoint that a pack is under, the log's size there, and where its lines begin and end (not included)."""

    size: int
    note: str
    first: int
    end: int


class ExportLinesReply(Reply):
    """Entries as they are hashed: canonical JSON (RFC 8785)."""

    lines: tuple[str, ...]


class ExportHashesReply(Reply):
    """Leaf hashes, joined, in base64."""

    hashes: str


class ExportCheckpointsReply(Reply):
    """Checkpoints with their cosignatures, smallest first; `last` is the size after which the next page begins."""

    notes: tuple[str, ...]
    last: int | None


class FindingShown(Reply):
    """A line that was not allowed, or not on the basis that it claims. `code` is stable."""

    idx: int
    code: str
    part: str
    """Of which grant of a set it is found; empty: of the line itself."""
    says: dict[str, Any]
    """The line's side."""
    shows: dict[str, Any]
    """What the log shows beside it."""


class FindingKept(FindingShown):
    """A finding and when it was made."""

    found_at: datetime


class FindingsReply(Reply):
    """Findings, newest line first; `judged` of the `size` lines have been judged. `next`: as of lines."""

    findings: tuple[FindingKept, ...]
    judged: int
    size: int
    next: int | None


class JudgedReply(Reply):
    """What was found in so many lines now; `waiting` can't be judged yet. `next` is where the next page begins."""

    judged: int
    waiting: int
    findings: tuple[FindingShown, ...]
    next: int | None
