"""Members' own addresses: given, confirmed by a code that was sent there, removed, left alone.

Nothing but a code goes to an address before the code came back. What network has (the school's own record) needs none.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.notifications.address_requests import (
    AddAddress,
    Addresses,
    AskCode,
    ClaimCode,
    RemoveAddress,
    SettleCode,
    VerifyAddress,
)
from services.notifications.channel_settings import channel_settings
from services.notifications.code_count import counted, refuse_more
from services.notifications.keyring import digest_of
from services.notifications.mail import is_address
from services.notifications.model import SERVICE
from services.notifications.own import own_act
from services.notifications.push_keys import push_key
from services.notifications.replies import AddressesReply, AddressReply, AddressTriedReply
from services.notifications.schemes import GIVEN
from services.notifications.subscription import read_subscription
from shared.errors import Problem, ProblemType
from shared.events.base import Act, NewEvent, Viewed
from shared.events.notifications import (
    AddressAdded,
    AddressAsked,
    AddressRemoved,
    AddressVerified,
    Channel,
)
from shared.events.words import Action, Category, school_subject
from shared.unit import Asked, Change, Endpoint, Row, Snapshot, stale

MOST = 10
MOST_CODES = 5
MOST_MISSES = 5
CODE_LASTS = timedelta(hours=24)
CODE_AGAIN = timedelta(minutes=10)


def decide_addresses(asked: Asked[Addresses], seen: Snapshot) -> Change:
    """Shows the member what it gave, and whether anything goes there."""
    act = own_act(asked, Action.VIEW)
    state = seen.state
    result = {
        "addresses": [_shown(one, state["stops"]) for one in state["addresses"]],
        "stopped": {one["channel"]: one["code"] for one in state["stops"] if one["digest"] is None},
        "record_stopped": any(one["channel"] == Channel.MAIL and one["digest"] for one in state["stops"]),
        "outlets": [one["name"] for one in state["outlets"]],
        "push_key": push_key(),
    }
    looked = Viewed(query="addresses", things=len(state["addresses"]))
    event = NewEvent(looked, _about(asked), act, producer=SERVICE)
    return Change(permits=(), events=(event,), result=result)


def _shown(one: Mapping[str, Any], stops: list[dict[str, Any]]) -> dict[str, Any]:
    stopped = [stop["code"] for stop in stops if stop["digest"] and is_stopped(stop, one["target"])]
    push = one["channel"] == Channel.PUSH
    return {
        "address": one["id"],
        "version": one["version"],
        "channel": one["channel"],
        "outlet": one["outlet_name"],
        # A subscription is as good as a key: what tells them apart is enough.
        "target": json.loads(one["target"])["endpoint"].split("/")[2] if push else one["target"],
        "state": "stopped" if stopped else one["state"],
        "code": stopped[0] if stopped else None,
        "added_at": one["added_at"],
    }


def is_stopped(stop: Mapping[str, Any], target: str) -> bool:
    """Tells whether a stop is of this address."""
    return stop["salt"] is not None and hmac.compare_digest(stop["digest"], digest_of(stop["salt"], target))


def decide_add(asked: Asked[AddAddress], seen: Snapshot) -> Change:
    """Keeps the address, unverified, and has a code sent."""
    act, body = own_act(asked, Action.MANAGE), asked.body
    target, outlet = _checked(body, seen)
    refuse_more(seen)
    mine = seen.state["addresses"]
    if any((one["channel"], one["target"]) == (body.channel, target) for one in mine):
        raise Problem(ProblemType.CONFLICT, "you gave this address already: see `samen notifications addresses`")
    if len(mine) >= MOST:
        raise Problem(ProblemType.CONFLICT, f"you have {MOST} addresses: remove one first")
    found = asked.ids.time_ordered(seen.clock)
    values = {
        "member": asked.actor.id,
        "channel": body.channel,
        "outlet": outlet,
        "target": target,
        "state": "unverified",
        "code_misses": 0,
        "codes_sent": 0,
        "code_due_at": seen.clock,
        "added_at": seen.clock,
    }
    event = _event(asked, act, AddressAdded(recipient=asked.actor.id, channel=body.channel), found)
    return _done((event,), Row("address", found, 0, values), found, 1, "unverified")


def _checked(body: AddAddress, seen: Snapshot) -> tuple[str, UUID | None]:
    """Returns the address as it is kept, and its outlet's id; raises Problem when nothing could be sent there."""
    if (body.outlet is not None) != (body.channel is Channel.OTHER):
        raise Problem(ProblemType.INVALID, "an outlet goes with channel `other`, and only with that", field="outlet")
    if body.channel is Channel.MAIL:
        if not is_address(body.target):
            raise Problem(ProblemType.INVALID, "this is not one plain mail address: name@domain", field="target")
        return body.target, None
    if body.channel is Channel.PUSH:
        return read_subscription(body.target, channel_settings().pushes_to).text(), None
    outlets = {one["name"]: UUID(one["id"]) for one in seen.state["outlets"]}
    if body.outlet not in outlets:
        names = ", ".join(outlets) or "none"
        raise Problem(ProblemType.INVALID, f"the school has no such outlet: it has {names}", field="outlet")
    if not GIVEN.fullmatch(body.target):
        raise Problem(
            ProblemType.INVALID, "letters, digits and + @ . _ * - only: a telephone number, a name", field="target"
        )
    return body.target, outlets[body.outlet]


def decide_ask(asked: Asked[AskCode], seen: Snapshot) -> Change:
    """Has another code sent."""
    act = own_act(asked, Action.MANAGE)
    one = _own(asked, seen, asked.body.version)
    if one["state"] == "verified":
        raise Problem(ProblemType.CONFLICT, "this address is verified already")
    if one["codes_sent"] >= MOST_CODES:
        raise Problem(ProblemType.CONFLICT, f"{MOST_CODES} codes were sent: remove the address and give it again")
    refuse_more(seen)
    values = {"code_due_at": seen.clock, "code_misses": 0, "code_hash": None}
    return _changed(asked, act, one, values, None)


def decide_verify(asked: Asked[VerifyAddress], seen: Snapshot) -> Change:
    """Confirms it, or counts a miss: after five a new code is needed."""
    act = own_act(asked, Action.MANAGE)
    one = _own(asked, seen)
    if one["state"] == "verified":
        return Change(permits=(), events=(), reply=_reply(one["id"], one["version"], "verified"))
    until = one["code_until"] and datetime.fromisoformat(one["code_until"])
    if one["code_hash"] is None or until <= seen.clock or one["code_misses"] >= MOST_MISSES:
        raise Problem(ProblemType.CONFLICT, "there is no code to compare with now: ask for a new one")
    if not hmac.compare_digest(one["code_hash"], digest_of(one["code_salt"], asked.body.code)):
        change = _changed(asked, act, one, {"code_misses": one["code_misses"] + 1}, None)
        left = MOST_MISSES - one["code_misses"] - 1
        return Change(permits=(), events=(), rows=change.rows, reply={**change.reply, "tries_left": left})
    values = {"state": "verified", "code_hash": None, "code_salt": None, "code_due_at": None}
    return _changed(asked, act, one, values, AddressVerified)


def decide_remove(asked: Asked[RemoveAddress], seen: Snapshot) -> Change:
    """Takes it away."""
    act = own_act(asked, Action.MANAGE)
    one = _own(asked, seen, asked.body.version)
    event = _event(asked, act, AddressRemoved(recipient=asked.actor.id, channel=one["channel"]), UUID(one["id"]))
    row = Row("address", UUID(one["id"]), one["version"], None)
    return _done((event,), row, UUID(one["id"]), one["version"] + 1, "removed")


def decide_claim_code(asked: Asked[ClaimCode], seen: Snapshot) -> Change:
    """Takes a code that is due: from now on this one counts. Its line is written before it leaves."""
    act = own_act(asked, Action.MANAGE)
    one = _own(asked, seen)
    due = one["code_due_at"] and datetime.fromisoformat(one["code_due_at"])
    if one["state"] == "verified" or due is None or due > seen.clock:
        raise Problem(ProblemType.CONFLICT, "no code is due for this address")
    sent = one["codes_sent"] + 1
    values = {
        "code_salt": asked.body.salt,
        "code_hash": asked.body.hash,
        "code_until": seen.clock + CODE_LASTS,
        "codes_sent": sent,
        "code_due_at": seen.clock + CODE_AGAIN if sent < MOST_CODES else None,
    }
    change = _changed(asked, act, one, values, AddressAsked)
    where = {"channel": one["channel"], "target": one["target"], "sealed": one["sealed"]}
    rows = (*change.rows, counted(asked.actor.id, seen))
    return Change(permits=(), events=change.events, rows=rows, reply={**change.reply, **where})


def decide_settle_code(asked: Asked[SettleCode], seen: Snapshot) -> Change:
    """Has no other code sent by itself."""
    act = own_act(asked, Action.MANAGE)
    return _changed(asked, act, _own(asked, seen), {"code_due_at": None}, None)


def _own(asked: Asked[Any], seen: Snapshot, version: int | None = None) -> Mapping[str, Any]:
    for one in seen.state["addresses"]:
        if one["id"] == str(asked.body.address):
            if version is not None and version != one["version"]:
                raise stale(version, one["version"])
            found: Mapping[str, Any] = one
            return found
    # Nothing there: refused in the words of something forbidden.
    seen.require(asked, Action.MANAGE, Category.CONTACT)
    raise Problem(ProblemType.FORBIDDEN, "this address is not there: see `samen notifications addresses`")


def _changed(
    asked: Asked[Any],
    act: Act,
    one: Mapping[str, Any],
    values: Mapping[str, Any],
    fact: type[AddressAsked | AddressVerified] | None,
) -> Change:
    found = UUID(one["id"])
    told = () if fact is None else (_event(asked, act, fact(recipient=asked.actor.id, channel=one["channel"]), found),)
    state = values.get("state", one["state"])
    return _done(told, Row("address", found, one["version"], values), found, one["version"] + 1, state)


def _done(events: tuple[NewEvent, ...], row: Row, address: UUID, version: int, state: str) -> Change:
    return Change(permits=(), events=events, rows=(row,), reply=_reply(str(address), version, state))


def _reply(address: str, version: int, state: str) -> dict[str, Any]:
    return {"address": address, "version": version, "state": state}


def _event(asked: Asked[Any], act: Act, fact: Any, thing: UUID) -> NewEvent:  # noqa: ANN401  any of the facts above
    return NewEvent(fact, _about(asked), act, thing=thing)


def _about(asked: Asked[Any]) -> UUID:
    return school_subject(asked.school)


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("addresses", Addresses, "read_addresses", decide_addresses, AddressesReply),
    Endpoint("add-address", AddAddress, "read_addresses", decide_add, AddressReply),
    Endpoint("ask-code", AskCode, "read_addresses", decide_ask, AddressReply),
    Endpoint("verify-address", VerifyAddress, "read_addresses", decide_verify, AddressTriedReply),
    Endpoint("remove-address", RemoveAddress, "read_addresses", decide_remove, AddressReply),
)
VERIFY = ENDPOINTS[3]
CLAIM_CODE = Endpoint("claim-code", ClaimCode, "read_addresses", decide_claim_code)
SETTLE_CODE = Endpoint("settle-code", SettleCode, "read_addresses", decide_settle_code)
