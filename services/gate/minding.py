"""What the gate does about tools of its own accord: one that floods is paused, one whose registration ended removed."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from services.gate.model import SERVICE, ToolState
from services.gate.registering import OfSchool, conflict, found_tool, moved, new_secret
from shared import access
from shared.access import View
from shared.actor import Actor, service_id
from shared.events.base import Act
from shared.events.gate import ToolPaused, ToolRemoved
from shared.events.words import Action, ActorKind, Basis, Category, school_subject
from shared.unit import Asked, Change, Endpoint, Snapshot

FLOOD, ENDED, UNTAKEN = "flood", "registration_ended", "receiver_gone"


class MindTool(OfSchool):
    """Does what is to be done about this tool. For the gate itself."""

    tool: UUID


def mind_tool(school: str, tool: UUID) -> tuple[Actor, MindTool]:
    """Returns who asks it, and what."""
    actor = Actor(service_id(SERVICE), ActorKind.SERVICE, school, SERVICE)
    return actor, MindTool(about=school_subject(school), tool=tool)


def decide_hold(asked: Asked[MindTool], seen: Snapshot, reason: str = FLOOD) -> Change:
    """Pauses a tool that sends much more than it may and heeds nothing, or takes what it is sent no more."""
    act, tool = _own_act(asked), found_tool(seen, None)
    if tool["state"] != ToolState.ACTIVE:
        raise conflict("this tool is not active", state=tool["state"])
    return moved(tool, ToolState.PAUSED, ToolPaused(tool=asked.body.tool, reason=reason), (asked.body.about, act))


def decide_end(asked: Asked[MindTool], seen: Snapshot) -> Change:
    """Removes a tool whose registration has ended."""
    act, tool = _own_act(asked), found_tool(seen, None)
    ends_at = datetime.fromisoformat(tool["ends_at"]) if tool["ends_at"] else None
    if tool["state"] == ToolState.REMOVED or ends_at is None or ends_at > seen.now:
        raise conflict("this tool's registration has not ended, or it is removed already", state=tool["state"])
    fact = ToolRemoved(tool=asked.body.tool, reason=ENDED)
    return moved(tool, ToolState.REMOVED, fact, (asked.body.about, act), secret=new_secret(asked.ids))


def _own_act(asked: Asked[Any]) -> Act:
    """Returns the act of the gate itself, or raises Denial for anyone else."""
    actor = asked.actor
    if actor.kind is not ActorKind.SERVICE or actor.id != service_id(SERVICE):
        view = View(school_subject(asked.school), None, (), fresh=True)
        raise access.denial(view, actor, Action.MANAGE, Category.NETWORK, asked.body.purpose, "no_grant")
    return Act(
        actor=actor.id,
        kind=actor.kind,
        door=actor.door,
        purpose=asked.body.purpose,
        action=Action.MANAGE,
        category=Category.NETWORK,
        basis=Basis.PUBLIC_TASK,
    )


HOLD: Endpoint[MindTool] = Endpoint("hold-tool", MindTool, "read_tool", decide_hold)
GONE: Endpoint[MindTool] = Endpoint("hold-untaken", MindTool, "read_tool", partial(decide_hold, reason=UNTAKEN))
END: Endpoint[MindTool] = Endpoint("end-tool", MindTool, "read_tool", decide_end)
