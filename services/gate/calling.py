"""One request of a tool: is it the tool, is it allowed, in which ids; then the service's answer, in the tool's own ids.

The tool is read from the database for each request. What a service answers is what it would answer anybody: grants are
its affair, and so is the line in the log, which names the tool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import pydantic_core

from services.gate.allowed import CALLS, GATE, Call
from services.gate.arriving import Arrival
from services.gate.asking import Platform
from services.gate.logins import refused
from services.gate.model import SERVICE
from services.gate.registry import Known
from services.gate.translating import about_of, inward, named, outward
from shared.actor import Actor, BadToken, Verifier
from shared.clock import Clock, Ids
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.words import ActorKind, Purpose, school_subject
from shared.rpc import KEY, parse
from shared.unit import Asked, Change, Endpoint, Request, Snapshot
from shared.unit_parts import Key
from shared.unit_run import Unit, problem

LARGEST_BODY = 64 * 1024
ON_BEHALF_OF = "On-Behalf-Of"
"""A door's own token for the person, as `Bearer <token>`: what a tool shows to act for somebody."""
UNLISTED = "tool-request"
"""What a denial's line calls a request that is on no list: its name is the tool's own word, and goes nowhere."""
NO_SUCH = "a tool can ask no such thing: `samen contract list --service tools` has all that it can"
PURPOSES = frozenset(Purpose)
FILLED = ("about", "tool", "login")
"""What of a request to the gate itself the door knows better than the tool, and fills in."""


class Refusal(Request):
    """A request that the gate itself refuses, for this reason (a code)."""

    reason: str


def _refuse(asked: Asked[Refusal], seen: Snapshot) -> Change:
    del seen
    raise refused(asked, asked.body.reason)


@dataclass(frozen=True, slots=True)
class Received:
    """What a tool sent, and how long it may take: `within_s` seconds from `at`, by the loop's clock."""

    data: bytes
    headers: Mapping[str, str]
    traceparent: str | None
    within_s: float
    at: float

    @property
    def by(self) -> float:
        """The loop's time past which no work is done."""
        return self.at + self.within_s


@dataclass(frozen=True, slots=True)
class Caller:
    """The tool as it is now, and what it was told of the ids that its body names."""

    tool: Known
    actor: Actor
    row: Mapping[str, Any]
    ids: frozenset[UUID]
    told: tuple[tuple[UUID, UUID, UUID], ...]

    @property
    def secret(self) -> str:
        return str(self.row["secret"])

    def inward(self, body: Any) -> Any:  # noqa: ANN401  JSON
        """Returns the body in our ids."""
        return inward(body, {given: ours for given, ours, _ in self.told}, self.secret)


@dataclass(frozen=True, slots=True)
class Calls:
    """Everything that answering takes. `own` are the endpoints behind `in.gate.<name>`."""

    db: Database
    unit: Unit
    ids: Ids
    clock: Clock
    verifier: Verifier
    platform: Platform
    own: Mapping[str, Endpoint[Any]]

    async def answer(self, tool: Known, asked: Arrival, sent: Received) -> bytes:
        """Returns the reply as it goes out: `{"ok": ...}` or `{"problem": ...}`.

        Raises Problem as long as it is not known whose ids to speak in.
        """
        if len(sent.data) > LARGEST_BODY:
            raise Problem(ProblemType.TOO_LARGE, f"the body is larger than {LARGEST_BODY} bytes: send it in parts")
        body = _json(sent.data)
        caller = await self._caller(tool, asked, body, sent)
        try:
            if asked.service == GATE:
                text = await self._own(caller, asked, body, sent)
            else:
                text = await self._forward(caller, asked, body, sent)
        except Problem as refusal:
            text = pydantic_core.to_json({"problem": refusal.to_json()}).decode()
        told, which = outward(text, caller.secret, tool.school)
        abouts = about_of(caller.ids, caller.told)
        category = _told_of(asked, text)
        if abouts and (which or category is not None):
            args = sorted(abouts), list(which), list(which.values()), category
            await self.db.function("keep_told", tool.school, tool.id, *args)
        return told.encode()

    async def _caller(self, tool: Known, asked: Arrival, body: object, sent: Received) -> Caller:
        """Returns who asks, or raises Problem: a tool that is not active, a login that was replaced, a person whom the
        tool does not prove to act for.
        """
        ids = named(body)
        row = await self.db.function("tool_at_door", tool.school, tool.id, list(ids))
        actor = Actor(tool.id, ActorKind.TOOL, tool.school, SERVICE)
        if row is None or row["account"] != asked.account:
            raise problem("forbidden")
        if not row["active"]:
            raise await self._deny(actor, asked, "tool_not_active", sent)
        if row["login"] != asked.user:
            raise await self._deny(actor, asked, "login_replaced", sent)
        told = tuple((UUID(a), UUID(b), UUID(c)) for a, b, c in row["known"])
        try:
            person = self._person(sent.headers, tool.school)
        except BadToken:
            raise await self._deny(actor, asked, "behalf_not_proven", sent) from None
        actor = Actor(tool.id, ActorKind.TOOL, tool.school, SERVICE, on_behalf_of=person)
        return Caller(tool, actor, row, frozenset(ids), told)

    def _person(self, headers: Mapping[str, str], school: str) -> UUID | None:
        """Returns whom the tool acts for, by a token that a door gave that person; raises BadToken."""
        token = headers.get(ON_BEHALF_OF)
        if token is None:
            return None
        person = self.verifier.verify(token.removeprefix("Bearer "), school, self.clock.now())
        if person.kind is not ActorKind.PERSON or person.on_behalf_of is not None:
            raise BadToken("no_person")
        return person.id

    async def _forward(self, caller: Caller, asked: Arrival, body: object, sent: Received) -> str:
        call = CALLS.get((asked.service, asked.name))
        if call is None:
            raise Problem(ProblemType.NOT_FOUND, NO_SUCH)
        ours = caller.inward(body)
        if not _registered(caller, call, ours):
            raise await self._deny(caller.actor, asked, "beyond_registration", sent)
        headers = {"traceparent": sent.traceparent} if sent.traceparent else {}
        key = sent.headers.get("Idempotency-Key", "")
        if call.kind == "cmd" and KEY.fullmatch(key):  # without a sound one the service says what is wrong
            headers["Idempotency-Key"] = key
        subject = f"{call.kind}.{caller.tool.school}.{asked.service}.{asked.name}"
        left_s = sent.by - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise problem("overdue")
        data = pydantic_core.to_json(ours)
        return (await self.platform.ask(subject, data, caller.actor, headers, left_s)).decode()

    async def _own(self, caller: Caller, asked: Arrival, body: object, sent: Received) -> str:
        endpoint = self.own.get(asked.name)
        if endpoint is None:
            raise Problem(ProblemType.NOT_FOUND, NO_SUCH)
        ours = caller.inward(body)
        if isinstance(ours, dict):
            ours = _filled(endpoint, ours, caller, asked)
        data = pydantic_core.to_json(ours)
        read = parse(endpoint.body, data)
        name, key = sent.headers.get("Idempotency-Key", ""), None
        if not endpoint.is_query and KEY.fullmatch(name):
            key = Key(name, sha256(endpoint.name.encode() + b"\n" + data).hexdigest())
        made = Asked(caller.actor, caller.tool.school, read, self.ids)
        result = await self.unit.run(endpoint, made, key, sent.traceparent, sent.by)
        return pydantic_core.to_json({"ok": result}).decode()

    async def _deny(self, actor: Actor, asked: Arrival, reason: str, sent: Received) -> Problem:
        """Journals that the gate itself refused, and returns what the tool is told: its own affair, so it says why."""
        known = (asked.service, asked.name) in CALLS or (asked.service == GATE and asked.name in self.own)
        endpoint = Endpoint(asked.name if known else UNLISTED, Refusal, "", _refuse)
        made = Asked(actor, actor.school, Refusal(reason=reason), self.ids)
        try:
            await self.unit.run(endpoint, made, None, sent.traceparent, sent.by)
        except Problem as refusal:
            refusal.more["code"] = reason
            return refusal
        raise AssertionError(reason)


def _filled(endpoint: Endpoint[Any], body: dict[str, Any], caller: Caller, asked: Arrival) -> dict[str, Any]:
    """Returns the body with what the door knows better than the tool: which tool, of which school, by which login."""
    known = dict(zip(FILLED, (school_subject(caller.tool.school), caller.tool.id, asked.user), strict=True))
    fields = known.keys() & endpoint.body.model_fields.keys()
    if said := fields & body.keys():
        detail = f"/{min(said)}: Extra inputs are not permitted. Correct it and send it again."
        raise Problem(ProblemType.INVALID, detail)
    return body | {name: known[name] for name in fields}


def _told_of(asked: Arrival, answer: str) -> str | None:
    """Returns in which category an answer tells of a child: it must be deleted when that is withdrawn."""
    call = CALLS.get((asked.service, asked.name))
    return call.category.value if call is not None and call.kind == "qry" and answer.startswith('{"ok"') else None


def _json(data: bytes) -> Any:  # noqa: ANN401  JSON
    try:
        return pydantic_core.from_json(data, allow_inf_nan=False)
    except ValueError:
        detail = "/: not JSON. Correct it and send it again."
        raise Problem(ProblemType.INVALID, detail, errors=[{"at": "/", "what": "not JSON"}]) from None


def _registered(caller: Caller, call: Call, body: object) -> bool:
    """Tells whether the tool is registered for what it asks, and states its purpose for it where it states none."""
    if call.category.value not in caller.row["categories"]:
        return False
    if isinstance(body, dict):
        given = body.setdefault("purpose", caller.row["purpose"])
        # What is no purpose at all goes on: the service says what is wrong with it.
        return given == caller.row["purpose"] or not isinstance(given, str) or given not in PURPOSES
    return True
