"""What a restored database of the gate must hold at once: which numbers were given, to what, and which logins count."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.db import Connection
from shared.events.base import Event
from shared.events.gate import LoginIssued, PutOut, WithdrawalTold

TAKE_BACK = "SELECT take_back_numbers($1, $2)"
TAKE_BACK_LOGINS = "SELECT take_back_logins($1, $2)"


async def taken_back(conn: Connection, events: Sequence[Event]) -> None:
    """Gives put-outs of the lost tail the numbers that they had: none is used again for another.

    The events themselves come again by their lanes; until then those numbers wait. Logins that were replaced in the
    tail act no more.
    """
    rows, logins = [], []
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


def _row(about: UUID, tool: UUID, epoch: int, seq: int, source: UUID | None, event: Event) -> dict[str, object]:
    category = event.act.category
    return {"about": about, "tool": tool, "epoch": epoch, "seq": seq, "source": source, "category": category}
