"""What goes to a tool by webhook, decided: endpoints that only the courier runs, in process, never on the bus.

A number is a parcel from its claim until its receiver confirms it. Each attempt claims anew: the tool's grants are
checked again and the disclosure has its line. Of one child one parcel is on its way; a withdrawal waits for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

from services.gate.claiming import NOTHING, Batch, ended
from services.gate.model import NOWHERE, SERVICE, At, Message, Outlet, Said, ToolState
from services.gate.patience import next_try
from shared.erasure import act_of_service
from shared.events.base import NewEvent
from shared.events.gate import ParcelSetAside, ToolChannel, WithdrawalTold
from shared.events.words import Category, Purpose, school_subject
from shared.unit import Asked, Change, Endpoint, Request, Row, Snapshot

UNDER_WAY = timedelta(seconds=60)
"""So long what was claimed is on its way; who was not heard of again by then has lost it, and it is claimed anew."""

OPENED_AT_ONCE = 200
"""As `read_parcels` has it."""


class ClaimParcels(Request):
    """Takes what goes next, at most one of a child."""

    tool: UUID
    limit: int


class TellWithdrawals(Request):
    """Takes from a tool what it may not have any more, and makes parcels of the words that tell it so."""

    tool: UUID
    due_in_s: float


class Result(BaseModel):
    """How an attempt went: `code` is None for what was confirmed; `again` has it claimed anew, as if not tried."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    seq: int
    code: str | None
    asked_s: float | None = None
    chance: float = 0.5
    again: bool = False


class Settle(Request):
    """Writes down how attempts went."""

    tool: UUID
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """What is to be sent, to where, signed with what, in whose words."""

    url: str
    keys: list[Mapping[str, Any]]
    secret: str
    messages: list[Message]


def parcel_id(tool: UUID, seq: int) -> UUID:
    """Returns the id of a number's row."""
    return uuid5(tool, f"parcel:{seq}")


def decide_claim(asked: Asked[ClaimParcels], seen: Snapshot) -> Change:
    """Numbers the first in a child's queue, and lets out again what is due, if the tool may receive it now."""
    tool, hook = seen.state["tool"], seen.state["webhook"]
    if not _by_webhook(tool) or hook is None or tool["state"] != ToolState.ACTIVE or ended(tool, seen):
        raise NOTHING
    outlet = _outlet(seen)
    if seen.state["open"] or outlet.at.out_seq < outlet.seq:
        return _opened(asked, seen, outlet)
    said = {item["source"]: Said.of(item["event"]) for item in seen.state["items"] if item["event"] is not None}
    batch = Batch(asked, seen, Purpose(tool["purpose"]), seen.state["epoch"], outlet.seq, said)
    known = {item["seq"]: item for item in seen.state["items"] if item["seq"] is not None}
    for item in seen.state["items"]:
        batch.take(item)
    if not batch.messages and not batch.dropped:
        raise NOTHING
    numbers = Outlet(seen.state["epoch"], batch.seq, outlet.at.model_copy(update={"out_seq": batch.seq}))
    values = {**numbers.values(), **batch.parts(), "first": outlet.seq + 1, "tool_version": tool["version"]}
    rows = [Row("outlet", asked.body.tool, outlet.at.version, values)]
    for message in batch.messages:
        item = known.get(message.seq)
        until = {"next_at": seen.clock + UNDER_WAY}
        if item is None:
            rows.append(_parcel(asked.body.tool, message.seq, seen, until["next_at"]))
        else:
            rows.append(Row("parcel", UUID(item["id"]), item["version"], until))
    return Change(
        permits=tuple({permit: None for permit in batch.permits.values() if permit is not None}),
        events=tuple(batch.events),
        rows=tuple(rows),
        reply={"claimed": Claimed(hook["url"], hook["keys"], tool["secret"], batch.messages)},
    )


def _opened(asked: Asked[ClaimParcels], seen: Snapshot, outlet: Outlet) -> Change:
    """Makes parcels of numbers that were given elsewhere: asked for again, or by a database that was put back."""
    found: list[int] = seen.state["open"]
    upto = min(outlet.seq, outlet.at.out_seq + OPENED_AT_ONCE)
    at = outlet.at.model_copy(update={"out_seq": upto, "aside": False})
    rows = [_parcel(asked.body.tool, seq, seen, seen.clock) for seq in found]
    rows.append(Row("outlet", asked.body.tool, outlet.at.version, Outlet(outlet.epoch, outlet.seq, at).values()))
    return Change(permits=(), events=(), rows=tuple(rows), reply={"claimed": None})


def decide_withdrawals(asked: Asked[TellWithdrawals], seen: Snapshot) -> Change:
    """Has withdrawals hold: nothing of them is left to send, and words that say so are on their way."""
    tool, markers = seen.state["tool"], seen.state["markers"]
    if not _by_webhook(tool) or not markers:
        raise NOTHING
    outlet, due_at = _outlet(seen), seen.clock + timedelta(seconds=asked.body.due_in_s)
    gone = tool["state"] == ToolState.REMOVED
    seq, rows, events = outlet.seq, list[Row](), list[NewEvent]()
    for marker in markers:
        values: dict[str, Any] = {"told_at": seen.clock, "due_at": due_at, "taken_out": marker["undelivered"]}
        if not gone and marker["seq"] is None:
            seq += 1
            values |= {"epoch": seen.state["epoch"], "seq": seq}
            rows.append(_parcel(asked.body.tool, seq, seen, seen.clock))
        rows.append(Row("marker", UUID(marker["id"]), marker["version"], values))
        fact = WithdrawalTold(
            tool=asked.body.tool,
            tool_epoch=seen.state["epoch"],
            sequence=values.get("seq") or marker["seq"] or 0,
            of=Category(marker["category"]),
            taken_out=len(marker["undelivered"]),
            due_at=due_at,
        )
        about = school_subject(asked.school) if marker["erased"] else UUID(marker["about"])
        events.append(NewEvent(fact, about, act_of_service(SERVICE, None), thing=UUID(marker["id"])))
    whole = outlet.at.out_seq == outlet.seq
    at = outlet.at.model_copy(update={"out_seq": seq if whole else outlet.at.out_seq})
    rows.append(Row("outlet", asked.body.tool, outlet.at.version, Outlet(seen.state["epoch"], seq, at).values()))
    return Change(permits=(), events=tuple(events), rows=tuple(rows), reply={"told": len(markers)})


def decide_settle(asked: Asked[Settle], seen: Snapshot) -> Change:
    """Ends parcels that were confirmed, and says of the others when they go again, or that they are set aside."""
    results = {one.seq: one for one in asked.body.results}
    rows, events, left, aside = list[Row](), list[NewEvent](), [seen.state["next"]], 0
    outlet = _outlet(seen)
    for parcel in seen.state["parcels"]:
        result = results[parcel["seq"]]
        id_, version = UUID(parcel["id"]), parcel["version"]
        if result.code is None:
            rows.append(Row("parcel", id_, version, None))
            continue
        left.append(parcel["seq"])
        values = _tried(parcel, result, seen.clock)
        rows.append(Row("parcel", id_, version, values))
        if "aside_at" in values:
            aside += 1
            fact = ParcelSetAside(
                tool=asked.body.tool, tool_epoch=outlet.epoch, sequence=parcel["seq"], reason=result.code
            )
            events.append(NewEvent(fact, school_subject(asked.school), act_of_service(SERVICE, None)))
    acked = min((seq for seq in left if seq is not None), default=outlet.seq + 1) - 1
    if acked > outlet.at.acked:
        at = outlet.at.model_copy(update={"acked": acked})
        rows.append(Row("outlet", asked.body.tool, outlet.at.version, Outlet(outlet.epoch, outlet.seq, at).values()))
    return Change(permits=(), events=tuple(events), rows=tuple(rows), reply={"aside": aside})


def _tried(parcel: Mapping[str, Any], result: Result, now: datetime) -> dict[str, Any]:
    if result.again:
        return {"next_at": now, "code": result.code}
    tries, first = parcel["tries"] + 1, datetime.fromisoformat(parcel["first_at"])
    asked = None if result.asked_s is None else timedelta(seconds=result.asked_s)
    then = next_try(tries, first, now, result.chance, asked)
    values: dict[str, Any] = {"tries": tries, "code": result.code}
    return values | ({"aside_at": now} if then is None else {"next_at": then})


def _parcel(tool: UUID, seq: int, seen: Snapshot, next_at: datetime) -> Row:
    values = {"tool": tool, "seq": seq, "tries": 0, "first_at": seen.clock, "next_at": next_at}
    return Row("parcel", parcel_id(tool, seq), 0, values)


def _by_webhook(tool: Mapping[str, Any] | None) -> bool:
    return tool is not None and tool["channel"] == ToolChannel.WEBHOOK


def _outlet(seen: Snapshot) -> Outlet:
    row = seen.state["outlet"]
    if row is None:
        return Outlet(seen.state.get("epoch", 1), 0, NOWHERE)
    return Outlet(row["epoch"], row["seq"], At(**{name: row[name] for name in At.model_fields}))


CLAIM = Endpoint("claim-parcels", ClaimParcels, "read_parcels", decide_claim)
WITHDRAWALS = Endpoint("tell-withdrawals", TellWithdrawals, "read_untold_parcels", decide_withdrawals)
SETTLE = Endpoint("settle-parcels", Settle, "read_settling", decide_settle)
