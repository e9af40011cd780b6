"""What a restored database of the gate must hold at once: which numbers were given, and to what."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.db import Connection
from shared.events.base import Event
from shared.events.gate import PutOut, WithdrawalTold

TAKE_BACK = "SELECT take_back_numbers($1, $2)"


async def taken_back(conn: Connection, events: Sequence[Event]) -> None:
    """Gives put-outs of the lost tail the numbers that they had: none is used again for another.

    The events themselves come again by their lanes; until then those numbers wait.
    """
    rows = []
    for event in events:
        if event.is_a(PutOut):
            made = event.fact(PutOut)
            rows.append(_row(event.about, made.tool, made.tool_epoch, made.sequence, made.source, event))
        elif event.is_a(WithdrawalTold):
            told = event.fact(WithdrawalTold)
            rows.append(_row(event.about, told.tool, told.tool_epoch, told.sequence, None, event))
    if rows:
        await conn.execute(TAKE_BACK, events[0].school, rows)


def _row(about: UUID, tool: UUID, epoch: int, seq: int, source: UUID | None, event: Event) -> dict[str, object]:
    category = event.act.category
    return {"about": about, "tool": tool, "epoch": epoch, "seq": seq, "source": source, "category": category}
