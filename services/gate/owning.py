"""What a tool asks of the gate about itself: where its numbers are, and to have some again. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from services.gate.logins import own_act, refused
from services.gate.obliging import ReplayTool, replayed
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind, Purpose
from shared.unit import Asked, Change, Endpoint, Query, Row, Snapshot

A_DAY = timedelta(days=1)


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


def decide_own_replay(asked: Asked[ReplayTool], seen: Snapshot, most: int) -> Change:
    """Sets the asking tool's place back. One at a time, and `most` numbers a day: each that goes again is a line."""
    if asked.actor.kind is not ActorKind.TOOL or asked.actor.id != asked.body.tool:
        raise refused(asked, "no_grant")
    outlet = seen.state["outlet"]
    if outlet is not None and outlet["out_seq"] < outlet["seq"]:
        detail = "what was put out to you is still on its way: wait until you have it, then ask again"
        raise Problem(ProblemType.CONFLICT, detail, out_sequence=outlet["out_seq"], sequence=outlet["seq"])
    change = replayed(asked.body, seen, own_act(asked.actor), ())
    return replace(change, rows=(*change.rows, _counted(asked.body, seen, most)))


def _counted(body: ReplayTool, seen: Snapshot, most: int) -> Row:
    """Returns the row that counts these numbers too, or raises Problem when they are too many for today."""
    known, last = seen.state["asked"], seen.state["outlet"]["seq"]
    since = datetime.fromisoformat(known["since"]) if known else seen.clock
    numbers, since = (known["numbers"], since) if known and seen.clock < since + A_DAY else (0, seen.clock)
    more, left = last - body.from_sequence + 1, most - numbers
    if more > left:
        raise _enough(left, last, since + A_DAY)
    return Row("own_replay", body.tool, known["version"] if known else 0, {"numbers": numbers + more, "since": since})


def _enough(left: int, last: int, again_at: datetime) -> Problem:
    school = "or ask the school for it (`samen tool replay`)"
    if left > 0:
        detail = f"only {left} more numbers go out to you again before {again_at:%Y-%m-%d %H:%M} UTC: ask from "
        detail += f"{last - left + 1} on, {school}"
    else:
        detail = f"no more numbers go out to you again before {again_at:%Y-%m-%d %H:%M} UTC: ask then, {school}"
    more: dict[str, Any] = {"left": max(0, left), "again_at": again_at.isoformat()}
    return Problem(ProblemType.RATE_LIMITED, detail, **more)


HEAD: Endpoint[OwnHead] = Endpoint("head", OwnHead, "read_tool", decide_head)


def replay(most: int) -> Endpoint[ReplayTool]:
    """Returns what a tool asks to have its own again, `most` numbers a day."""
    return Endpoint("replay", ReplayTool, "read_replay", partial(decide_own_replay, most=most))
