"""Claiming a delivery and settling it: endpoints that only the sender runs, in process, never on the bus.

A claim asks again, for the recipient, whether it may be told; the answer counts as re-checked in the claiming
transaction. What is sent on it leaves at once or not at all (sender.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.notifications.commands import may_receive
from services.notifications.model import ALWAYS, GIVE_UP_AFTER, OPEN, DeliveryState, next_try
from shared.access import Denial
from shared.errors import Problem, ProblemType
from shared.events.base import Act, NewEvent
from shared.events.notifications import (
    Channel,
    NoticeCancelled,
    NoticeClaimed,
    NoticeDeferred,
    NoticeFailed,
    NoticeSent,
)
from shared.text import Code
from shared.unit import Asked, Change, Endpoint, Request, Row, Snapshot

Told = NoticeCancelled | NoticeClaimed | NoticeDeferred | NoticeFailed | NoticeSent


class ClaimDelivery(Request):
    """Takes a delivery to send it now. The actor is the recipient.

    After `lasts_s` a claim that nobody settled may be claimed again: longer than any one sending may take.
    """

    delivery: UUID
    lasts_s: Annotated[float, Field(gt=0)]


class Outcome(StrEnum):
    """What became of a claim."""

    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SettleDelivery(Request):
    """Writes down what became of the claim that was try number `tries`; `code` says why it was not sent."""

    delivery: UUID
    tries: int
    outcome: Outcome
    code: Code | None = None
    doubtful: bool = False
    """It may have arrived all the same: the connection was lost when the channel had got all of it."""


def decide_claim(asked: Asked[ClaimDelivery], seen: Snapshot) -> Change:
    """Claims a due delivery for a recipient who may be told; cancels it where the recipient may not."""
    notice, delivery = _found(seen)
    state, due_at = DeliveryState(delivery["state"]), datetime.fromisoformat(delivery["next_try_at"])
    if state not in OPEN or due_at > seen.clock:
        raise Problem(ProblemType.CONFLICT, f"this delivery is {state}: only a due one can be claimed", state=state)
    tries = delivery["tries"] + 1
    try:
        permit = may_receive(asked, seen, notice)
    except Denial as denial:
        if not denial.verifiable:
            raise
        values = {"state": DeliveryState.CANCELLED, "tries": tries, "code": denial.act.reason}
        cancelled = NoticeCancelled(**_common(notice, delivery, tries), code=denial.act.reason or "denied")
        return _change(notice, delivery, cancelled, denial.act, values)
    if (code := _stopped(seen)) is not None:
        values = {"state": DeliveryState.CANCELLED, "tries": tries, "code": code}
        cancelled = NoticeCancelled(**_common(notice, delivery, tries), code=code)
        return _change(notice, delivery, cancelled, permit.act, values)
    if seen.clock - datetime.fromisoformat(notice["queued_at"]) > GIVE_UP_AFTER:
        values = {"state": DeliveryState.FAILED, "tries": tries, "code": "too_late"}
        failed = NoticeFailed(**_common(notice, delivery, tries), code="too_late")
        return _change(notice, delivery, failed, permit.act, values)
    values = {
        "state": DeliveryState.CLAIMED,
        "tries": tries,
        "next_try_at": seen.clock + timedelta(seconds=asked.body.lasts_s),
        "act": permit.act.model_dump(mode="json", exclude_none=True),
        "code": None,
        # Whoever claimed it before died or lost the database: it may have been sent.
        "doubts": delivery["doubts"] + (state is DeliveryState.CLAIMED),
    }
    change = _change(notice, delivery, NoticeClaimed(**_common(notice, delivery, tries)), permit.act, values)
    return Change(permits=(permit,), events=change.events, rows=change.rows, reply={**change.reply, **_where(seen)})


def _stopped(seen: Snapshot) -> str | None:
    """Returns why nothing goes to the member through this channel at all; None: something may."""
    whole = [stop["code"] for stop in seen.state["stops"] if stop["digest"] is None]
    if whole:
        return str(whole[0])
    channel = Channel(seen.state["delivery"]["channel"])
    return None if channel in ALWAYS or seen.state["addresses"] else "no_address"


def _where(seen: Snapshot) -> dict[str, Any]:
    """What the sender needs beside the claim. It stays in the process: a claim has no key, so no reply is stored."""
    notice = seen.state["notice"]
    return {
        "kind": notice["kind"],
        "thing": notice["thing"],
        "addresses": seen.state["addresses"],
        "stops": seen.state["stops"],
    }


def decide_settle(asked: Asked[SettleDelivery], seen: Snapshot) -> Change:
    """Writes the outcome down, with the basis that the claim was made on. No permit: it tells what has happened.

    "Sent" is written even where another has claimed since: what left has left, and each time has its line.
    """
    notice, delivery = _found(seen)
    body = asked.body
    act, common = Act.model_validate(delivery["act"]), _common(notice, delivery, body.tries)
    if body.outcome is Outcome.SENT:
        sent = NoticeSent(**common, doubts=delivery["doubts"])
        change = _change(notice, delivery, sent, act, {"state": DeliveryState.SENT, "code": None})
        already = delivery["state"] == DeliveryState.SENT
        return Change(permits=(), events=change.events, rows=() if already else change.rows, reply=change.reply)
    if delivery["state"] != DeliveryState.CLAIMED or delivery["tries"] != body.tries:
        raise Problem(
            ProblemType.CONFLICT,
            f"this delivery is {delivery['state']} at try {delivery['tries']}: only its present claim can be settled",
        )
    code = body.code or "unknown"
    given_up = seen.clock - datetime.fromisoformat(notice["queued_at"]) > GIVE_UP_AFTER
    if body.outcome is Outcome.DEFERRED and not given_up:
        again = next_try(UUID(delivery["id"]), body.tries, seen.clock)
        deferred = NoticeDeferred(**common, code=code, next_try_at=again)
        values = {
            "state": DeliveryState.DEFERRED,
            "next_try_at": again,
            "code": code,
            "doubts": delivery["doubts"] + body.doubtful,
        }
        return _change(notice, delivery, deferred, act, values)
    if body.outcome is Outcome.CANCELLED:
        values = {"state": DeliveryState.CANCELLED, "code": code}
        return _change(notice, delivery, NoticeCancelled(**common, code=code), act, values)
    values = {"state": DeliveryState.FAILED, "code": code}
    return _change(notice, delivery, NoticeFailed(**common, code=code), act, values)


def _found(seen: Snapshot) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if "delivery" not in seen.state:
        raise Problem(ProblemType.CONFLICT, "this delivery is not there any more: read what is due again")
    return seen.state["notice"], seen.state["delivery"]


def _common(notice: Mapping[str, Any], delivery: Mapping[str, Any], tries: int) -> dict[str, Any]:
    return {
        "recipient": UUID(notice["member"]),
        "kind": notice["kind"],
        "channel": Channel(delivery["channel"]),
        "tries": tries,
    }


def _change(
    notice: Mapping[str, Any], delivery: Mapping[str, Any], fact: Told, act: Act, values: Mapping[str, Any]
) -> Change:
    row = Row("delivery", UUID(delivery["id"]), delivery["version"], values)
    event = NewEvent(fact, UUID(notice["about"]), act, thing=UUID(notice["id"]))
    reply = {"state": values["state"], "tries": fact.tries, "notice": notice["id"], "about": notice["about"]}
    return Change(permits=(), events=(event,), rows=(row,), reply=reply)


CLAIM = Endpoint("claim-delivery", ClaimDelivery, "read_delivery", decide_claim)
SETTLE = Endpoint("settle-delivery", SettleDelivery, "read_delivery", decide_settle)
