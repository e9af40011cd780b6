"""What a restored database of the gate must hold at once: numbers given, logins that count, tools that are paused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.gate.model import ToolState
from services.gate.registering import new_secret
from shared.clock import Ids
from shared.db import Connection
from shared.events.base import Event, Fact
from shared.events.gate import (
    LoginIssued,
    PutOut,
    ToolPaused,
    ToolRemoved,
    ToolResumed,
    WebhookKeyTaken,
    WebhookSet,
    WithdrawalTold,
)

TAKE_BACK = "SELECT take_back_numbers($1, $2)"
TAKE_BACK_LOGINS = "SELECT take_back_logins($1, $2)"
TAKE_BACK_STATES = "SELECT take_back_states($1, $2)"
STATES: Mapping[type[Fact], ToolState] = {
    ToolPaused: ToolState.PAUSED,
    ToolResumed: ToolState.ACTIVE,
    ToolRemoved: ToolState.REMOVED,
}


async def taken_back(ids: Ids, conn: Connection, events: Sequence[Event]) -> None:
    """Gives put-outs of the lost tail the numbers that they had: none is used again for another.

    The events themselves come again by their lanes; until then those numbers wait. Logins that were replaced in the
    tail act no more; tools that were paused or removed in it are so again; a webhook that was set in it leads nowhere.
    """
    rows, logins = [], []
    states = [row for event in events if (row := _state(event, ids)) is not None]
    for event in events:
        if event.is_a(PutOut):
            made = event.fact(PutOut)
            rows.append(_row(event.about, made.tool, made.tool_epoch, made.sequence, made.source, event))
        elif event.is_a(WithdrawalTold):
            told = event.fact(WithdrawalTold)
            rows.append(_row(event.about, told.tool, told.tool_epoch, told.sequence, None, event))
        elif event.is_a(LoginIssued):
            issued_at = event.recorded_at.replace(microsecond=0)
            logins.append({"issued_at": issued_at, **event.fact(LoginIssued).model_dump(exclude={"renewed"})})
    if rows:
        await conn.execute(TAKE_BACK, events[0].school, rows)
    if logins:
        await conn.execute(TAKE_BACK_LOGINS, events[0].school, logins)
    if states:
        await conn.execute(TAKE_BACK_STATES, events[0].school, states)


def _state(event: Event, ids: Ids) -> dict[str, object] | None:
    if event.is_a(WebhookSet) or event.is_a(WebhookKeyTaken):
        return {"tool": event.thing, "webhook": True}
    state = next((state for fact, state in STATES.items() if event.is_a(fact)), None)
    if state is None:
        return None
    secret = new_secret(ids) if state is ToolState.REMOVED else None
    return {"tool": event.thing, "state": state, "secret": secret}


def _row(about: UUID, tool: UUID, epoch: int, seq: int, source: UUID | None, event: Event) -> dict[str, object]:
    category = event.act.category
    return {"about": about, "tool": tool, "epoch": epoch, "seq": seq, "source": source, "category": category}
