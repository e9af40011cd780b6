"""Claiming a delivery and settling it: endpoints that only the sender runs, in process, never on the bus.

A claim asks again, for the recipient, whether it may be told, and whether and when it wants to be; the answer counts as
re-checked in the claiming transaction. What is sent on it leaves at once or not at all (sender.py). Deliveries of one
bundle (a digest) are claimed together and leave as one message; each keeps its own permit, row and line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field

from services.notifications.commands import may_receive
from services.notifications.invite import INVITING
from services.notifications.model import (
    ALWAYS,
    GIVE_UP_AFTER,
    LONGEST_DELAY,
    OPEN,
    UNSUBSCRIBED,
    DeliveryState,
    NoticeState,
    bundle_id,
    next_try,
)
from services.notifications.parts import Became, Part, change_of, lead_of, parts_of
from services.notifications.preferences import always_comes, read_preferences
from services.notifications.rule import HOME_ROLES
from services.notifications.rules import is_fixed
from services.notifications.times import Pace, Release, plan_release, read_days_off, read_usual
from shared.access import Denial
from shared.errors import Problem, ProblemType
from shared.events.base import Act
from shared.events.notifications import (
    Channel,
    NoticeCancelled,
    NoticeClaimed,
    NoticeDeferred,
    NoticeFailed,
    NoticeSent,
)
from shared.text import Code
from shared.unit import Asked, Change, Endpoint, Request, Snapshot


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
    parts: tuple[UUID, ...] = ()
    """All that this claim took, as its reply named them; none: it took this one only."""
    tries: int
    outcome: Outcome
    code: Code | None = None
    doubtful: bool = False
    """It may have arrived all the same: the connection was lost when the channel had got all of it."""
    rest_s: Annotated[float, Field(ge=0)] = 0.0
    """Not sooner than after this: the other side asked for it (RFC 9110, Retry-After)."""


def decide_claim(asked: Asked[ClaimDelivery], seen: Snapshot) -> Change:
    """Claims a due delivery, and what goes with it, for a recipient who may be told and wants it now.

    What the recipient may not be told, or does not want, is cancelled; what comes in quiet hours is held.
    """
    lead = lead_of(seen)
    if not _is_due(lead, seen):
        raise Problem(
            ProblemType.CONFLICT, f"this delivery is {lead.state}: only a due one can be claimed", state=lead.state
        )
    parts = [part for part in parts_of(seen) if _is_due(part, seen)]
    tries = max(part.delivery["tries"] for part in parts) + 1
    return _whole(seen, [_weighed(asked, seen, part, tries, _stopped(seen, part)) for part in parts])


def _is_due(part: Part, seen: Snapshot) -> bool:
    return part.state in OPEN and datetime.fromisoformat(part.delivery["next_try_at"]) <= seen.clock


def _weighed(asked: Asked[ClaimDelivery], seen: Snapshot, part: Part, tries: int, stopped: str | None) -> Became:
    try:
        permit = may_receive(asked, seen, part.notice)
    except Denial as denial:
        if not denial.verifiable:
            raise
        return _cancelled(part, tries, denial.act.reason or "denied", denial.act)
    if stopped is not None:
        return _cancelled(part, tries, stopped, permit.act)
    if (dealt := _dealt_with(part)) is not None:
        return _cancelled(part, tries, dealt, permit.act)
    wished = _wished(seen, part)
    if wished is None:
        return _cancelled(part, tries, "not_wanted", permit.act)
    if wished.why is not None:
        return _held(part, wished, permit.act, seen)
    if seen.clock - part.free_at > GIVE_UP_AFTER:
        values = {"state": DeliveryState.FAILED, "tries": tries, "code": "too_late"}
        return Became(part, part.told(NoticeFailed, tries, code="too_late"), permit.act, values)
    values = {
        "state": DeliveryState.CLAIMED,
        "tries": tries,
        "next_try_at": seen.clock + timedelta(seconds=asked.body.lasts_s),
        "act": permit.act.model_dump(mode="json", exclude_none=True),
        "code": None,
        # Whoever claimed it before died or lost the database: it may have been sent.
        "doubts": part.delivery["doubts"] + (part.state is DeliveryState.CLAIMED),
    }
    return Became(part, part.told(NoticeClaimed, tries), permit.act, values, permit)


def _dealt_with(part: Part) -> str | None:
    """Returns why nobody waits for it any more: it was answered, or read. An invitation is for a calendar too."""
    if part.delivery.get("round"):
        return "answered" if part.notice["answered"] or part.notice["state"] == NoticeState.DONE else None
    return "seen" if part.notice["state"] != NoticeState.UNREAD and part.notice["kind"] not in INVITING else None


def _wished(seen: Snapshot, part: Part) -> Release | None:
    """Returns when the recipient wants it, as it stands now; None: not at all. Urgent: at once, whatever they want."""
    if part.delivery["urgent"]:
        return Release(seen.now)
    wants = read_preferences(seen.state.get("preference"))
    channel, kind = Channel(part.delivery["channel"]), part.notice["kind"]
    pace = wants.pace(kind, channel) or Pace(part.delivery.get("pace", Pace.NOW))
    if pace is Pace.OFF:
        return None
    # What is on its way already, in a digest or as a reminder, is not put in another digest.
    if part.delivery["tries"] or part.delivery.get("bundle") or part.delivery.get("round"):
        pace = Pace.NOW
    works_here = part.notice.get("told", {}).get("role") not in HOME_ROLES
    off = read_days_off(seen.state.get("days_off"))
    return plan_release(seen.now, pace, wants.times(read_usual(seen.state.get("hours")), works_here=works_here), off)


def _cancelled(part: Part, tries: int, code: str, act: Act) -> Became:
    values = {"state": DeliveryState.CANCELLED, "tries": tries, "code": code}
    return Became(part, part.told(NoticeCancelled, tries, code=code), act, values)


def _held(part: Part, until: Release, act: Act, seen: Snapshot) -> Became:
    """Puts it back until the recipient's hours; what goes as one message stays together, but is no new digest.

    The time that it is held does not count as trying: after the holidays it is not too late.
    """
    values: dict[str, Any] = {"state": DeliveryState.HELD, "release_at": until.at, "why": until.why}
    values["due_at"] = part.free_at + (until.at - seen.now)
    values["hours"] = read_usual(seen.state.get("hours")).number
    if until.period is not None:
        pace = Pace.WEEKLY if "W" in until.period else Pace.DAILY
        member, channel = UUID(part.notice["member"]), Channel(part.delivery["channel"])
        bundle = bundle_id(member, channel, pace, until.period)
        values |= {"period": until.period, "pace": pace, "bundle": bundle}
    else:
        values |= {"period": None, "pace": Pace.NOW}
    fact = part.told(NoticeDeferred, part.delivery["tries"], code=until.why, next_try_at=until.at)
    return Became(part, fact, act, values)


def _whole(seen: Snapshot, became: Sequence[Became]) -> Change:
    """Returns all parts' Change; its reply tells of what was claimed, else of the first."""
    claimed = [one for one in became if one.permit is not None]
    if not claimed:
        return change_of(became, became)
    change = change_of(claimed, [_apart(one) for one in became])
    return replace(
        change,
        permits=tuple(dict.fromkeys(one.permit for one in claimed if one.permit is not None)),
        reply={**change.reply, **_where(seen), **_message(seen, claimed)},
    )


def _apart(one: Became) -> Became:
    """What stays behind when a message leaves is in a later one of its own: else it would count as told by this one."""
    values, bundle = one.values or {}, one.part.delivery.get("bundle")
    if bundle is None or values.get("state") not in {DeliveryState.HELD, DeliveryState.FAILED}:
        return one
    left = uuid5(UUID(bundle), values["release_at"].isoformat()) if "release_at" in values else None
    return replace(one, values={**values, "bundle": left})


def _message(seen: Snapshot, claimed: Sequence[Became]) -> dict[str, Any]:
    """What the message says: how many notices it brings; `message` is its id, the same however often it is sent."""
    first = claimed[0].part.delivery
    notice, round_ = UUID(claimed[0].part.notice["id"]), first.get("round") or 0
    return {
        "delivery": first["id"],
        "parts": [one.part.delivery["id"] for one in claimed],
        "message": first.get("bundle") or str(uuid5(notice, f"reminder-{round_}") if round_ else notice),
        "number": len(claimed),
        "language": read_preferences(seen.state.get("preference")).language,
        "urgent": any(one.part.delivery["urgent"] for one in claimed),
        "reminder": round_ > 0,
        "more": bool(seen.state.get("more")),
        "fixed": all(is_fixed(one.part.notice["kind"]) for one in claimed),
        "talks": _talks([one.part.notice for one in claimed]),
    }


def _talks(notices: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Returns the conversations whose calendar entries go along, each with the purpose that its notice was made for."""
    inviting = sorted(
        (one for one in notices if one["kind"] in INVITING and one["thing"]), key=lambda one: one["thing"]
    )
    return {one["thing"]: one["purpose"] for one in inviting}


def _stopped(seen: Snapshot, part: Part) -> str | None:
    """Returns why this does not go to the member through this channel, whatever it wants of the kind; None: it may.

    A digest is one message a period: what it had no room for does not follow it.
    """
    if seen.state.get("went"):
        return "digest_full"
    channel = Channel(seen.state["delivery"]["channel"])
    whole = [stop["code"] for stop in seen.state["stops"] if stop["digest"] is None]
    if whole and not (whole[0] == UNSUBSCRIBED and always_comes(part.notice["kind"], channel)):
        return str(whole[0])
    return None if channel in ALWAYS or seen.state["addresses"] else "no_address"


def _where(seen: Snapshot) -> dict[str, Any]:
    """What the sender needs beside the claim. It stays in the process: a claim has no key, so no reply is stored."""
    return {"addresses": seen.state["addresses"], "stops": seen.state["stops"]}


def decide_settle(asked: Asked[SettleDelivery], seen: Snapshot) -> Change:
    """Writes the outcome down, with the basis that the claim was made on. No permit: it tells what has happened.

    "Sent" is written even where another has claimed since: what left has left, and each time has its line.
    """
    lead, body = lead_of(seen), asked.body
    if body.outcome is Outcome.SENT:
        # What the claim did not take has not left: it was withdrawn from the digest before, or is in another mail.
        took = {str(one) for one in body.parts}
        left = [part for part in parts_of(seen) if part.delivery["id"] in took] or [lead]
        sent = [_sent(part, body.tries) for part in left]
        return change_of(sent, sent)
    if not _of_claim(lead, body.tries):
        raise Problem(
            ProblemType.CONFLICT,
            f"this delivery is {lead.state} at try {lead.delivery['tries']}: only its present claim can be settled",
        )
    settled = [_not_sent(part, body, seen.clock) for part in parts_of(seen) if _of_claim(part, body.tries)]
    return change_of(settled, settled)


def _of_claim(part: Part, tries: int) -> bool:
    return part.state is DeliveryState.CLAIMED and part.delivery["tries"] == tries


def _sent(part: Part, tries: int) -> Became:
    fact = part.told(NoticeSent, tries, doubts=part.delivery["doubts"])
    values = {"state": DeliveryState.SENT, "code": None}
    act = Act.model_validate(part.delivery["act"])
    return Became(part, fact, act, None if part.state is DeliveryState.SENT else values)


def _not_sent(part: Part, body: SettleDelivery, clock: datetime) -> Became:
    act, code = Act.model_validate(part.delivery["act"]), body.code or "unknown"
    if body.outcome is Outcome.DEFERRED and clock - part.free_at <= GIVE_UP_AFTER:
        rest = min(timedelta(seconds=body.rest_s), LONGEST_DELAY)
        again = max(next_try(UUID(part.delivery.get("bundle") or part.delivery["id"]), body.tries, clock), clock + rest)
        doubts = part.delivery["doubts"] + body.doubtful
        values = {"state": DeliveryState.DEFERRED, "next_try_at": again, "code": code, "doubts": doubts}
        return Became(part, part.told(NoticeDeferred, body.tries, code=code, next_try_at=again), act, values)
    if body.outcome is Outcome.CANCELLED:
        values = {"state": DeliveryState.CANCELLED, "code": code}
        return Became(part, part.told(NoticeCancelled, body.tries, code=code), act, values)
    values = {"state": DeliveryState.FAILED, "code": code}
    return Became(part, part.told(NoticeFailed, body.tries, code=code), act, values)


CLAIM = Endpoint("claim-delivery", ClaimDelivery, "read_delivery", decide_claim)
SETTLE = Endpoint("settle-delivery", SettleDelivery, "read_delivery", decide_settle)
