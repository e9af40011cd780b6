"""The contract of a service: an AsyncAPI 3 document of its events, commands and queries, from what serves them.

Payloads are JSON Schema in words that draft 7 (what AsyncAPI 3 takes without asking) and 2020-12 read alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from shared.contract_words import schemas
from shared.errors import TITLES
from shared.events import audit, base, gate, goals, network, notifications
from shared.events.base import Act, Fact
from shared.events.erasure import ChildErased
from shared.operations import Operated
from shared.recovery import JournalRecovered, ReviewDone
from shared.unit import Endpoint

UNPUBLISHED = "unpublished"
LANGUAGE: Mapping[str, ModuleType] = {
    "network": network,
    "goals": goals,
    "notifications": notifications,
    "gate": gate,
    "audit": audit,
}
"""The module that holds a service's own facts."""
EVERYWHERE: tuple[type[Fact], ...] = (base.Viewed, base.Denied, JournalRecovered, ReviewDone, Operated, ChildErased)
"""Facts that every service produces."""

SCHOOL = {"description": "The school's slug: a-z, 0-9 and -, at most 32."}
UUID_ = {"type": "string", "format": "uuid"}
MOMENT = {"type": "string", "format": "date-time"}
HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
ENVELOPE = {
    "title": "Envelope",
    "description": "CloudEvents 1.0 in structured JSON. Read what you know, pass over what you don't: fields and"
    " values of lists are added, never taken away.",
    "type": "object",
    "required": [
        *("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "school", "producer", "data"),
        *("epoch", "seq", "prevhash", "recordedat", "networkepoch", "networkseq"),
    ],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": UUID_,
        "source": {"type": "string", "description": "/<school>/<producer>"},
        "type": {"type": "string"},
        "time": MOMENT | {"description": "When it happened, in the domain's time."},
        "subject": UUID_ | {"description": "The child, or the school itself, whose data it concerns."},
        "datacontenttype": {"type": "string", "const": "application/json"},
        "school": {"type": "string"},
        "producer": {"type": "string"},
        "thing": UUID_ | {"description": "The object that it is about, where there is one."},
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
        "data": {
            "type": "object",
            "required": ["act", "fact"],
            "properties": {"act": {"$ref": "#/components/schemas/Act"}, "fact": {"type": "object"}},
        },
        "epoch": {"type": "integer", "description": "Grows when a journal had to begin anew after a restore."},
        "seq": {
            "type": "integer",
            "description": "Dense in a (school, producer): a number missing is an event missing.",
        },
        "prevhash": HASH | {"description": "SHA-256 of the exact bytes of the event before it; of the first: zeros."},
        "recordedat": MOMENT | {"description": "When the producer's database committed it."},
        "networkepoch": {
            "type": "integer",
            "description": "With networkseq: the place in network's journal it was judged by.",
        },
        "networkseq": {"type": "integer"},
    },
}
PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457. `detail` says what to do next; more members tell where.",
    "type": "object",
    "required": ["problem"],
    "properties": {
        "problem": {
            "type": "object",
            "required": ["type", "title", "detail"],
            "properties": {
                "type": {"type": "string", "enum": [kind.value for kind in TITLES]},
                "title": {"type": "string"},
                "detail": {"type": "string"},
            },
        }
    },
}
ANSWER = {"title": "Answer", "type": "object", "required": ["ok"], "properties": {"ok": {}}}
HEADERS = {
    "Authorization": {"type": "string", "description": "Bearer <token>, which a door minted, at most 5 minutes ago."},
    "Deadline": {
        "type": "string",
        "description": "Unix time in milliseconds past which no work is done; at most 4 s ahead.",
    },
    "traceparent": {"type": "string", "description": "W3C Trace Context."},
}
KEY = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_:-]{1,100}$",
    "description": "New for each request, the same when it is tried again: that gets the same answer, for 24 hours.",
}
FIXED = {
    "Envelope": ENVELOPE,
    "Answer": ANSWER,
    "Problem": PROBLEM,
    "QueryHeaders": {"type": "object", "required": ["Authorization"], "properties": HEADERS},
    "CommandHeaders": {
        "type": "object",
        "required": ["Authorization", "Idempotency-Key"],
        "properties": HEADERS | {"Idempotency-Key": KEY},
    },
}


def facts_of(service: str) -> dict[str, type[Fact]]:
    """Returns every fact that a service produces, by CloudEvents type."""
    everywhere = {fact.type(service): fact for fact in EVERYWHERE}
    own: dict[str, type[Fact]] = LANGUAGE[service].FACTS
    return dict(sorted((everywhere | own).items()))


def document(service: str, endpoints: Iterable[Endpoint[Any]]) -> dict[str, Any]:
    """Returns the AsyncAPI document of a service. Nothing connects."""
    facts = facts_of(service)
    asked = sorted(endpoints, key=lambda one: one.name)
    bodies: list[type[BaseModel]] = [one.body for one in asked]
    replies = sorted({one.reply for one in asked if one.reply}, key=lambda one: one.__name__)
    refs, found = schemas([Act, *facts.values(), *bodies, *replies])
    told = _told() | {one.__name__: _reply(one, refs[one]) for one in replies}
    parts = [_event(fact, service, refs[fact]) for fact in facts.values()]
    parts += [_request(one, service, refs[one.body]) for one in asked]
    words = inspect.getdoc(LANGUAGE[service]) or ""
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:samenkracht:{service}",
        "info": {"title": f"Samenkracht {service}", "version": UNPUBLISHED, "description": words},
        "defaultContentType": "application/json",
        "channels": {name: channel for name, channel, _, _ in parts} | {"answers": _answers(told)},
        "operations": {name: operation for name, _, operation, _ in parts},
        "components": {
            "parameters": {"school": SCHOOL},
            "messages": {name: message for name, _, _, message in parts} | told,
            "schemas": dict(sorted((found | FIXED).items())),
        },
    }


Part = tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]


def _event(fact: type[Fact], service: str, ref: dict[str, str]) -> Part:
    name = fact.NAME
    own = {"type": {"const": fact.type(service)}, "producer": {"const": service}}
    data = {"properties": {"fact": ref}}
    message = {
        "name": fact.type(service),
        "title": fact.__name__,
        **_summary(fact),
        "contentType": "application/cloudevents+json",
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/Envelope"},
                {"type": "object", "properties": {**own, "data": data}},
            ]
        },
    }
    return name, _channel(f"evt.{{school}}.{service}.{name}", name), _operation("send", name), message


def _request(endpoint: Endpoint[Any], service: str, ref: dict[str, str]) -> Part:
    name = endpoint.name
    kind, headers = ("qry", "QueryHeaders") if endpoint.is_query else ("cmd", "CommandHeaders")
    told = endpoint.reply.__name__ if endpoint.reply else "ok"
    reply = {
        "channel": {"$ref": "#/channels/answers"},
        "messages": [{"$ref": f"#/channels/answers/messages/{one}"} for one in (told, "problem")],
    }
    message = {
        "name": name,
        "title": endpoint.body.__name__,
        **_summary(endpoint.body),
        "headers": {"$ref": f"#/components/schemas/{headers}"},
        "payload": ref,
    }
    operation = _operation("receive", name) | {"reply": reply}
    return name, _channel(f"{kind}.{{school}}.{service}.{name}", name), operation, message


def _reply(reply: type[BaseModel], ref: dict[str, str]) -> dict[str, Any]:
    payload = {"type": "object", "required": ["ok"], "properties": {"ok": ref}}
    return {"name": reply.__name__, "title": reply.__name__, **_summary(reply), "payload": payload}


def _summary(model: type[BaseModel]) -> dict[str, str]:
    words = inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return {"summary": words} if words else {}


def _channel(address: str, name: str) -> dict[str, Any]:
    return {
        "address": address,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": {"school": {"$ref": "#/components/parameters/school"}},
    }


def _operation(action: str, name: str) -> dict[str, Any]:
    channel = {"$ref": f"#/channels/{name}"}
    return {"action": action, "channel": channel, "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}]}


def _answers(told: Iterable[str]) -> dict[str, Any]:
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in told}
    return {"address": None, "description": "The reply subject of the request.", "messages": messages}


def _told() -> dict[str, Any]:
    return {
        "ok": {"name": "ok", "payload": {"$ref": "#/components/schemas/Answer"}},
        "problem": {"name": "problem", "payload": {"$ref": "#/components/schemas/Problem"}},
    }
