"""What auditors, guardians and young people ask of the log. Every look at it is journaled, and so becomes a line.

A question about one child is allowed by a grant on that child's log or on the school's, any other by the latter only.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.audit.exporting import EXPORTING
from services.audit.model import SERVICE
from services.audit.pages import Index, Page, lines_of, may_look, page_of, shown
from services.audit.proving import PROVING, nodes, signed
from services.audit.questions import QUESTIONS
from services.audit.replies import CheckpointReply, LinesReply, ProofReply, TailReply
from services.audit.restricting import RESTRICTING
from shared.erasure import preview
from shared.errors import Problem, ProblemType
from shared.events.words import Outcome, Role, school_subject
from shared.tlog.merkle import consistency_proof, inclusion_proof
from shared.unit import Asked, Change, Endpoint, Query, Snapshot


class WhoLooked(Page):
    """Who looked at this child's data or was sent some, when, why and on what basis; also who was refused."""

    child: UUID
    who: UUID | None = None
    role: Role | None = None
    organisation: UUID | None = None
    outcome: Outcome | None = None


class ByActor(Page):
    """Everything that this person, tool or service did, saw and was refused."""

    who: UUID
    outcome: Outcome | None = None


class Denials(Page):
    """Everything that was refused."""

    who: UUID | None = None


class Tail(Query):
    """The last lines of the log."""

    last: Annotated[int, Field(ge=1, le=200)] = 20


class NewestCheckpoint(Query):
    """The newest signed checkpoint; with `since`, the proof that the log of that size is its beginning."""

    since: Annotated[int, Field(ge=1, le=2**53 - 1)] | None = None


class Proof(Query):
    """What proves that a line is in the log: its entry, its path, and a checkpoint over both."""

    idx: Index


def decide_who_looked(asked: Asked[WhoLooked], seen: Snapshot) -> Change:
    """Shows who looked at a child."""
    child = asked.body.child
    permit = may_look(asked, seen, child, school_subject(asked.school))
    return shown(permit, "who-looked", child, page_of(asked.body, seen.state["lines"]))


def decide_by_actor(asked: Asked[ByActor], seen: Snapshot) -> Change:
    """Shows what someone did and saw."""
    school = school_subject(asked.school)
    permit = may_look(asked, seen, school)
    return shown(permit, "by-actor", school, page_of(asked.body, seen.state["lines"]), thing=asked.body.who)


def decide_denials(asked: Asked[Denials], seen: Snapshot) -> Change:
    """Shows what was refused."""
    school = school_subject(asked.school)
    return shown(may_look(asked, seen, school), "denials", school, page_of(asked.body, seen.state["lines"]))


def decide_tail(asked: Asked[Tail], seen: Snapshot) -> Change:
    """Shows the log's end."""
    school = school_subject(asked.school)
    permit = may_look(asked, seen, school)
    return shown(permit, "tail", school, {"lines": lines_of(seen.state["lines"])})


def decide_checkpoint(asked: Asked[NewestCheckpoint], seen: Snapshot) -> Change:
    """Shows the newest checkpoint and, if asked, that it continues an older one."""
    school = school_subject(asked.school)
    permit = may_look(asked, seen, school)
    newest = signed(seen)
    result: dict[str, Any] = {"note": newest["note"]}
    since = asked.body.since
    if since is not None:
        if since > newest["size"]:
            raise Problem(
                ProblemType.CONFLICT,
                "the signed log is smaller than that: if you hold a checkpoint of that size, keep it and raise alarm",
                size=newest["size"],
            )
        result["consistency"] = [h.hex() for h in consistency_proof(since, newest["size"], nodes(seen))]
    return shown(permit, "checkpoint", school, result, things=1)


def decide_proof(asked: Asked[Proof], seen: Snapshot) -> Change:
    """Shows a line with its proof."""
    school = school_subject(asked.school)
    about = UUID(seen.state["about"]) if seen.state["about"] else school
    permit = may_look(asked, seen, about, school)
    newest, idx = signed(seen), asked.body.idx
    if seen.state["entry"] is None or idx >= newest["size"]:
        raise Problem(
            ProblemType.CONFLICT,
            f"the signed log has {newest['size']} lines, numbered from 0: choose one of them, or ask again in a second",
            size=newest["size"],
        )
    path = inclusion_proof(idx, newest["size"], nodes(seen))
    result = {"idx": idx, "entry": seen.state["entry"], "path": [h.hex() for h in path], "note": newest["note"]}
    return shown(permit, "proof", about, result, things=1)


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("who-looked", WhoLooked, "read_who_looked", decide_who_looked, LinesReply),
    Endpoint("by-actor", ByActor, "read_by_actor", decide_by_actor, LinesReply),
    Endpoint("denials", Denials, "read_denials", decide_denials, LinesReply),
    Endpoint("tail", Tail, "read_tail", decide_tail, TailReply),
    Endpoint("checkpoint", NewestCheckpoint, "read_checkpoint", decide_checkpoint, CheckpointReply),
    Endpoint("proof", Proof, "read_proof", decide_proof, ProofReply),
    preview(SERVICE),
    *PROVING,
    *EXPORTING,
    *QUESTIONS,
    *RESTRICTING,
)
