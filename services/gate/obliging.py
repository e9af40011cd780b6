"""What a tool must do and whether it did; and what those who keep a school's records ask of its tools.

A tool confirms a deletion without a grant: that it has none is why. It reaches its own withdrawals only.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.gate.model import SERVICE
from services.gate.replies import DeletionReply, ReplayReply, ToolLagReply
from shared import access
from shared.access import Permit, View
from shared.erasure import act_of_service
from shared.errors import Problem, ProblemType
from shared.events.base import Act, NewEvent, Viewed
from shared.events.gate import DeletionConfirmed, DeletionOverdue, ReplayStarted
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, school_subject
from shared.unit import Asked, Change, Endpoint, Query, Request, Row, Snapshot


class ConfirmDeletion(Request):
    """The asking tool says that it deleted what the withdrawal names."""

    withdrawal: UUID


class TellOverdue(Request):
    """Tells which deletions were not confirmed in time. The gate asks itself."""


class ToolLag(Query):
    """How far each of the school's tools has come, or one. `about` is the school's own subject."""

    about: UUID
    tool: UUID | None = None


class ReplayTool(Request):
    """Has what a tool was put out from this number on go out again, each checked again."""

    about: UUID
    tool: UUID
    from_sequence: Annotated[int, Field(ge=1)]
    purpose: Purpose = Purpose.ADMINISTRATION


def decide_confirm(asked: Asked[ConfirmDeletion], seen: Snapshot) -> Change:
    """Writes down that a tool deleted; once more changes nothing."""
    marker, actor = seen.state["marker"], asked.actor
    if marker is None or actor.kind is not ActorKind.TOOL:
        view = View(school_subject(asked.school), None, (), fresh=True)
        raise access.denial(view, actor, Action.MANAGE, Category.NETWORK, asked.body.purpose, "no_grant")
    reply = {"withdrawal": marker["id"], "state": "confirmed"}
    if marker["confirmed_at"] is not None:
        return Change(permits=(), events=(), reply=reply)
    act = Act(
        actor=actor.id,
        kind=actor.kind,
        door=actor.door,
        on_behalf_of=actor.on_behalf_of,
        purpose=Purpose.LOCAL_TOOL,
        action=Action.MANAGE,
        category=Category.NETWORK,
        basis=Basis.LEGAL_DUTY,
    )
    fact = DeletionConfirmed(tool=actor.id, of=Category(marker["category"]))
    row = Row("marker", UUID(marker["id"]), marker["version"], {"confirmed_at": seen.clock})
    return Change(permits=(), events=(_of(asked, marker, fact, act),), rows=(row,), reply=reply)


def decide_overdue(asked: Asked[TellOverdue], seen: Snapshot) -> Change:
    """Tells, once each, what was not confirmed in time."""
    rows, events = [], []
    for marker in seen.state["markers"]:
        fact = DeletionOverdue(tool=UUID(marker["tool"]), of=Category(marker["category"]), due_at=marker["due_at"])
        events.append(_of(asked, marker, fact, act_of_service(SERVICE, None)))
        rows.append(Row("marker", UUID(marker["id"]), marker["version"], {"overdue_at": seen.clock}))
    return Change(permits=(), events=tuple(events), rows=tuple(rows), reply={"told": len(events)})


def decide_lag(asked: Asked[ToolLag], seen: Snapshot) -> Change:
    """Shows that to who keeps the school's records."""
    permit, tools = _keeper(asked, seen, asked.body.about), seen.state["tools"]
    event = NewEvent(Viewed(query="tool-lag", things=len(tools)), permit.subject, permit.act, producer=SERVICE)
    return Change(permits=(permit,), events=(event,), result={"tools": tools})


def decide_replay(asked: Asked[ReplayTool], seen: Snapshot) -> Change:
    """Sets a tool's place back, for who keeps the school's records."""
    permit = _keeper(asked, seen, asked.body.about)
    return replayed(asked.body, seen, permit.act, (permit,))


def replayed(body: ReplayTool, seen: Snapshot, act: Act, permits: tuple[Permit, ...]) -> Change:
    """Sets a tool's place back; nothing is disclosed here: what goes is checked when it goes."""
    outlet, wanted = seen.state["outlet"], body.from_sequence
    if outlet is None or wanted > outlet["seq"]:
        raise Problem(ProblemType.CONFLICT, "this tool was put out nothing from that number on: see `samen tool lag`")
    # Read where the stream ends before anything goes: what is under way is not to be counted as what is replayed.
    values = {**outlet, "out_seq": min(wanted - 1, outlet["out_seq"]), "aside": True}
    fact = ReplayStarted(tool=body.tool, from_sequence=wanted, reason="asked")
    event = NewEvent(fact, body.about, act, thing=body.tool)
    row = Row("outlet", body.tool, outlet["version"], values)
    reply = {"tool": body.tool, "from_sequence": wanted, "to_sequence": outlet["seq"]}
    return Change(permits=permits, events=(event,), rows=(row,), reply=reply)


def _keeper(asked: Asked[Any], seen: Snapshot, about: UUID) -> Permit:
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, about=about)
    if about != school_subject(asked.school):
        raise Problem(ProblemType.INVALID, "tools are a school's: name the school's own subject", field="about")
    return permit


def _of(asked: Asked[Any], marker: Any, fact: DeletionConfirmed | DeletionOverdue, act: Act) -> NewEvent:  # noqa: ANN401  JSON
    about = school_subject(asked.school) if marker["erased"] else UUID(marker["about"])
    return NewEvent(fact, about, act, thing=UUID(marker["id"]))


CONFIRM = Endpoint("confirm-deletion", ConfirmDeletion, "read_marker", decide_confirm, DeletionReply)
OVERDUE = Endpoint("tell-overdue", TellOverdue, "read_overdue", decide_overdue)
ENDPOINTS: tuple[Endpoint[Any], ...] = (
    CONFIRM,
    Endpoint("tool-lag", ToolLag, "read_tool_lag", decide_lag, ToolLagReply),
    Endpoint("replay-tool", ReplayTool, "read_replay", decide_replay, ReplayReply),
)
