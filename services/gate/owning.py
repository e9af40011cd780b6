"""What a tool asks of the gate about itself: where its numbers are, and to have some again. Pure."""

from __future__ import annotations

from uuid import UUID

from services.gate.logins import own_act, refused
from services.gate.obliging import ReplayTool, replayed
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind, Purpose
from shared.unit import Asked, Change, Endpoint, Query, Snapshot


class OwnHead(Query):
    """The last number that the asking tool was given. `about` and `tool` the door fills in."""

    purpose: Purpose = Purpose.LOCAL_TOOL
    about: UUID
    tool: UUID


def decide_head(asked: Asked[OwnHead], seen: Snapshot) -> Change:
    """Tells a tool its own epoch and last number: of nobody, so that it is no look."""
    if asked.actor.kind is not ActorKind.TOOL or asked.actor.id != asked.body.tool:
        raise refused(asked, "no_grant")
    outlet = seen.state["outlet"] or {"epoch": 0, "seq": 0, "acked": 0}
    result = {"epoch": outlet["epoch"], "sequence": outlet["seq"], "acknowledged": outlet["acked"]}
    return Change(permits=(), events=(), result=result)


def decide_own_replay(asked: Asked[ReplayTool], seen: Snapshot) -> Change:
    """Sets the asking tool's place back. One at a time: each number that goes again is a line of its own."""
    if asked.actor.kind is not ActorKind.TOOL or asked.actor.id != asked.body.tool:
        raise refused(asked, "no_grant")
    outlet = seen.state["outlet"]
    if outlet is not None and outlet["out_seq"] < outlet["seq"]:
        detail = "what was put out to you is still on its way: wait until you have it, then ask again"
        raise Problem(ProblemType.CONFLICT, detail, out_sequence=outlet["out_seq"], sequence=outlet["seq"])
    return replayed(asked.body, seen, own_act(asked.actor), ())


HEAD: Endpoint[OwnHead] = Endpoint("head", OwnHead, "read_tool", decide_head)
REPLAY: Endpoint[ReplayTool] = Endpoint("replay", ReplayTool, "read_replay", decide_own_replay)
