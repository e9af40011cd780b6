"""A tool's webhook, as those who keep the school's records set it: where it leads, what signs, what was set aside.

A secret is made by whoever asks, and shown there once: it is in no reply, no event and no answer of ours.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, field_validator

from services.gate import addresses
from services.gate.model import SERVICE, ToolState
from services.gate.registering import OfSchool, conflict, found_tool, managing
from services.gate.replies import ParcelsReply, WebhookReply, WebhookSetReply
from services.gate.signing import PRIVATE, SHARED, Key, shown
from shared.errors import Problem, ProblemType
from shared.events.base import Fact, NewEvent, Viewed
from shared.events.gate import ParcelsRedriven, ToolChannel, WebhookKeyTaken, WebhookScheme, WebhookSet
from shared.unit import Asked, Change, Endpoint, Query, Row, Snapshot, stale

MOST_KEYS = 4
URL_WRONG = {
    "url_unsafe": "is not a plain address: write https://, a name, and a path",
    "address_closed": "is in a private network, to which the platform does not go: write one that is public",
    "https_needed": "must begin with https://: what it is told is about children",
}

Url = Annotated[str, Field(min_length=10, max_length=addresses.LONGEST_URL)]
Number = Annotated[int, Field(ge=0, lt=2**31)]


def _secret(given: str) -> str:
    prefix = next((one for one in (SHARED, PRIVATE) if given.startswith(one)), None)
    if prefix is None:
        msg = "must begin with whsec_ (a shared secret) or whsk_ (an Ed25519 key): `samen tool webhook` makes one"
        raise ValueError(msg)
    try:
        raw = base64.b64decode(given.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not (24 <= len(raw) <= 64 if prefix == SHARED else len(raw) == 32):
        msg = "must hold 24 to 64 random bytes in base64, an Ed25519 key 32"
        raise ValueError(msg)
    return given


class Secret(OfSchool):
    """A request with a new key to sign with. It goes no further than the gate."""

    tool: UUID
    secret: Annotated[str, Field(max_length=200)]

    @field_validator("secret")
    @classmethod
    def _well_made(cls, given: str) -> str:
        return _secret(given)


class SetWebhook(Secret):
    """Has a tool told by POST to this address, signed with this key alone. `version`: the webhook's, 0 for a first."""

    url: Url
    version: Number


class TakeWebhookKey(Secret):
    """Has another key sign too; those before it do so for so many hours yet, or not at all: they leaked."""

    version: Number
    overlap_hours: Annotated[int, Field(ge=0, le=24 * 30)] = 24


class RedriveParcels(OfSchool):
    """Has what was set aside, from this number on, tried again for three days, 200 at a time."""

    tool: UUID
    from_sequence: Annotated[int, Field(ge=1)] = 1


class OneWebhook(Query):
    """A tool's webhook: where it leads, which keys sign, how its receiver fares, and what was set aside."""

    about: UUID
    tool: UUID
    from_sequence: Annotated[int, Field(ge=1)] = 1


def decide_set(asked: Asked[SetWebhook], seen: Snapshot, *, loopback: bool) -> Change:
    """Sets where a tool's webhook leads; all earlier keys end."""
    permit, body = managing(asked, seen), asked.body
    tool, hook = _told_by_webhook(seen), seen.state["webhook"]
    if body.version != (hook["version"] if hook else 0):
        raise stale(body.version, hook["version"] if hook else 0)
    try:
        addresses.judge_named(addresses.parse(body.url, loopback=loopback), loopback=loopback)
    except addresses.Refused as refused:
        raise Problem(ProblemType.INVALID, f"the address {URL_WRONG[str(refused)]}", field="url") from None
    values = {"url": body.url, "keys": [{"secret": body.secret, "until": None}], "set_at": seen.clock}
    events = [_event(WebhookSet(tool=body.tool), permit, tool), _event(_taken(body.secret, seen.clock), permit, tool)]
    row = Row("webhook", body.tool, body.version, values)
    return Change((permit,), tuple(events), (row,), {"tool": tool["id"], "version": body.version + 1})


def decide_take_key(asked: Asked[TakeWebhookKey], seen: Snapshot) -> Change:
    """Takes a new key into use, beside the old ones for a while."""
    permit, body = managing(asked, seen), asked.body
    tool, hook = _told_by_webhook(seen), _set(seen)
    if body.version != hook["version"]:
        raise stale(body.version, hook["version"])
    until = seen.clock + timedelta(hours=body.overlap_hours)
    earlier = [
        {"secret": key.secret, "until": min(until, key.until or until)}
        for key in keys_of(hook["keys"])
        if min(until, key.until or until) > seen.clock
    ]
    if len(earlier) >= MOST_KEYS:
        raise conflict(f"{MOST_KEYS} keys sign already: wait until one has ended, or end them (no overlap)")
    if any(one["secret"] == body.secret for one in hook["keys"]):
        raise conflict("this key signs, or has signed, already: make a new one")
    row = Row("webhook", body.tool, body.version, {"keys": [*earlier, {"secret": body.secret, "until": None}]})
    fact = _taken(body.secret, until)
    return Change((permit,), (_event(fact, permit, tool),), (row,), {"tool": tool["id"], "version": body.version + 1})


def decide_redrive(asked: Asked[RedriveParcels], seen: Snapshot) -> Change:
    """Has what was set aside tried anew."""
    permit, body, tool = managing(asked, seen), asked.body, _told_by_webhook(seen)
    aside = seen.state["aside"]
    anew = {"aside_at": None, "tries": 0, "first_at": seen.clock, "next_at": seen.clock}
    rows = tuple(Row("parcel", UUID(one["id"]), one["version"], anew) for one in aside)
    fact = ParcelsRedriven(tool=body.tool, from_sequence=body.from_sequence, parcels=len(aside))
    events = (_event(fact, permit, tool),) if aside else ()
    return Change((permit,), events, rows, {"tool": tool["id"], "parcels": len(aside)})


def decide_webhook(asked: Asked[OneWebhook], seen: Snapshot) -> Change:
    """Shows it to who keeps the school's records; of a secret only what the receiver may know of it."""
    permit, tool = managing(asked, seen), _told_by_webhook(seen)
    hook = _set(seen)
    keys = [_key_shown(key) for key in keys_of(hook["keys"])]
    result = {
        "tool": tool["id"],
        "version": hook["version"],
        "url": hook["url"],
        "keys": keys,
        "receiver": seen.state["receiver"],
        "waiting": seen.state["waiting"],
        "aside": [{name: one[name] for name in ("seq", "tries", "code", "aside_at")} for one in seen.state["aside"]],
    }
    viewed = Viewed(query="webhook", things=1)
    event = NewEvent(viewed, permit.subject, permit.act, thing=asked.body.tool, producer=SERVICE)
    return Change(permits=(permit,), events=(event,), result=result)


def keys_of(kept: list[Mapping[str, Any]]) -> list[Key]:
    """Returns the keys as the table has them."""
    return [Key(one["secret"], datetime.fromisoformat(one["until"]) if one["until"] else None) for one in kept]


def _key_shown(key: Key) -> dict[str, Any]:
    scheme = _scheme(key.secret)
    public = shown(key.secret) if scheme is WebhookScheme.ED25519 else None
    return {"scheme": scheme, "public": public, "until": key.until}


def _scheme(secret: str) -> WebhookScheme:
    return WebhookScheme.HMAC if secret.startswith(SHARED) else WebhookScheme.ED25519


def _taken(secret: str, until: datetime) -> WebhookKeyTaken:
    return WebhookKeyTaken(tool=UUID(int=0), scheme=_scheme(secret), earlier_until=until)


def _event(fact: Fact, permit: Any, tool: Mapping[str, Any]) -> NewEvent:  # noqa: ANN401  a Permit
    id_ = UUID(tool["id"])
    return NewEvent(fact.model_copy(update={"tool": id_}), permit.subject, permit.act, thing=id_)


def _told_by_webhook(seen: Snapshot) -> Mapping[str, Any]:
    tool = found_tool(seen, None)
    if tool["channel"] != ToolChannel.WEBHOOK:
        raise conflict("this tool is not told by webhook: it was registered to fetch from its stream")
    if tool["state"] == ToolState.REMOVED:
        raise conflict("this tool was removed", state=tool["state"])
    return tool


def _set(seen: Snapshot) -> Mapping[str, Any]:
    hook: Mapping[str, Any] | None = seen.state["webhook"]
    if hook is None:
        raise conflict("this tool has no webhook yet: set one first (`samen tool webhook set`)", code="no_webhook")
    return hook


def endpoints(*, loopback: bool) -> tuple[Endpoint[Any], ...]:
    """Returns what people may ask of webhooks; `loopback`: they may lead to this machine."""
    return (
        Endpoint("set-webhook", SetWebhook, "read_webhook", partial(decide_set, loopback=loopback), WebhookSetReply),
        Endpoint("take-webhook-key", TakeWebhookKey, "read_webhook", decide_take_key, WebhookSetReply),
        Endpoint("redrive-parcels", RedriveParcels, "read_webhook", decide_redrive, ParcelsReply),
        Endpoint("webhook", OneWebhook, "read_webhook", decide_webhook, WebhookReply),
    )
