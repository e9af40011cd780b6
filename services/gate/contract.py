"""The contract with tools: what each event is to them, and what they may ask. `python -m services.gate.contract`.

Apart from the services' own: ids are the tool's, the actor is not told, and only what `outgoing` names goes out. The
bodies of what other services answer are theirs: deploy/contract puts them in.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

from pydantic import BaseModel

from services.gate.allowed import CALLS, GATE
from services.gate.calling import FILLED, ON_BEHALF_OF
from services.gate.commands import LOGIN_LIVES, NoSlots, asked_by_tools
from services.gate.logins import Desk
from services.gate.outgoing import FACTS
from shared.contract import ANSWER, HEADERS, KEY, MOMENT, PROBLEM, UNPUBLISHED, UUID_
from shared.contract_words import schemas
from shared.events.base import Fact
from shared.events.gate import PutOutVoided, WithdrawalTold
from shared.events.words import Category, Role

WORDS = """What a school's own tools are told, and what they may ask. Events are fetched from stream OUT (consumer `me`)
or come by webhook. A tool asks on `in.<service>.<name>`, in ids of its own; another names nothing."""
OWN_CALLS = asked_by_tools(Desk(NoSlots(), LOGIN_LIVES), 0)
"""What the gate answers itself."""
NUMBER = {"type": "integer"}
ENVELOPE = {
    "title": "ToolEvent",
    "description": "CloudEvents 1.0 in structured JSON. Every id, and every hash, is one that this tool alone knows: "
    "equal for equal. Moments are to the second; the order is `sequence`'s.",
    "type": "object",
    "required": [
        *("specversion", "id", "source", "type", "time", "datacontenttype", "school"),
        *("epoch", "sequence", "data"),
    ],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": UUID_ | {"description": "The same however often the event comes."},
        "source": {"type": "string", "description": "/<school>/<producer>"},
        "type": {"type": "string"},
        "time": MOMENT,
        "subject": UUID_ | {"description": "The child."},
        "datacontenttype": {"type": "string", "const": "application/json"},
        "school": {"type": "string"},
        "thing": UUID_ | {"description": "The object that it is about, where there is one."},
        "role": {"type": "string", "enum": [role.value for role in Role], "description": "Of who did it."},
        "category": {"type": "string", "enum": [category.value for category in Category]},
        "epoch": NUMBER | {"description": "Grows when the school's side had to begin anew after a restore."},
        "sequence": NUMBER | {"description": "Dense: a number missing is an event missing."},
        "data": {"type": "object"},
    },
}
WITHDRAWN = {
    "title": "Withdrawn",
    "description": "Delete what you have of this child in this category, and confirm it.",
    "type": "object",
    "required": ["withdrawal", "category", "taken_out"],
    "properties": {
        "withdrawal": UUID_ | {"description": "What `confirm-deletion` names."},
        "category": {"type": "string", "enum": [category.value for category in Category]},
        "taken_out": {"type": "array", "items": NUMBER, "description": "Numbers that can't be had any more."},
    },
}
VOIDED = {"title": "Voided", "description": "The number holds nothing any more.", "type": "object"}
OWN: dict[type[Fact], dict[str, Any]] = {WithdrawalTold: WITHDRAWN, PutOutVoided: VOIDED}


LOGIN = {"tool": UUID_, "login": {"type": "string"}, "jwt": {"type": "string"}, "expires_at": MOMENT}
ANSWERS: dict[str, dict[str, Any]] = {
    "renew": LOGIN,
    "head": {"epoch": NUMBER, "sequence": NUMBER, "acknowledged": NUMBER},
    "replay": {"tool": UUID_, "from_sequence": NUMBER, "to_sequence": NUMBER},
    "confirm-deletion": {"withdrawal": UUID_, "state": {"type": "string", "enum": ["confirmed"]}},
}
"""What each of the gate's own calls is answered; the whole of it stands in `ok`."""
IN_WORDS = {
    "renew": "A new login for the same key, before the old one expires: put its `jwt` into the credentials file.",
    "head": "Your epoch, your last number, and up to which you have acknowledged.",
    "replay": "Has what you were put out from this number on go out again, each checked again; one replay at a time.",
    "confirm-deletion": "You deleted what the withdrawal names.",
}
ASKED = {
    "Deadline": HEADERS["Deadline"],
    "traceparent": HEADERS["traceparent"],
    ON_BEHALF_OF: {
        "type": "string",
        "description": "Bearer <token>, which a door gave the person who is acted for.",
    },
}
FIXED: dict[str, dict[str, Any]] = {
    "Answer": ANSWER,
    "Problem": PROBLEM,
    "QueryHeaders": {"type": "object", "properties": ASKED},
    "OwnHeaders": {"type": "object", "properties": ASKED | {"Idempotency-Key": KEY}},
    "CommandHeaders": {
        "type": "object",
        "required": ["Idempotency-Key"],
        "properties": ASKED | {"Idempotency-Key": KEY},
    },
}


def document() -> dict[str, Any]:
    """Returns the AsyncAPI document. Nothing connects."""
    refs, found = schemas(FACTS)
    told = {fact: refs[fact] for fact in FACTS} | {fact: _ref(own["title"]) for fact, own in OWN.items()}
    names = {fact: fact.type().split(".", 2)[2].rsplit(".", 1)[0] for fact in told}
    asked = _asked()
    fixed = {one["title"]: one for one in (ENVELOPE, *OWN.values())} | FIXED | _answered()
    messages = {name: _message(fact, told[fact]) for fact, name in sorted(names.items(), key=lambda one: one[1])}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:samenkracht:tools",
        "info": {"title": "Samenkracht tools", "version": UNPUBLISHED, "description": WORDS},
        "defaultContentType": "application/json",
        "channels": {
            name: {"address": None, "messages": {name: {"$ref": f"#/components/messages/{name}"}}}
            for name in sorted(names.values())
        }
        | {
            name: {"address": name, "messages": {name: {"$ref": f"#/components/messages/{name}"}}}
            for name in sorted(asked)
        }
        | {"answers": _answers()},
        "operations": {name: _operation("send", name) for name in sorted(names.values())}
        | {name: _operation("receive", name) | _reply(name) for name in sorted(asked)},
        "components": {
            "messages": messages | asked | _replies(),
            "schemas": dict(sorted((found | fixed).items())),
        },
    }


def _asked() -> dict[str, dict[str, Any]]:
    """Returns what tools ask, by subject. What other services answer has no body yet: it is theirs to tell."""
    asked: dict[str, dict[str, Any]] = {}
    for (service, name), call in CALLS.items():
        headers = "QueryHeaders" if call.kind == "qry" else "CommandHeaders"
        asked[f"in.{service}.{name}"] = _request(name, headers, {})
    for name, endpoint in OWN_CALLS.items():
        made = _request(name, "OwnHeaders", _own_body(endpoint.body))
        asked[f"in.{GATE}.{name}"] = made | {"summary": IN_WORDS[name]}
    return dict(sorted(asked.items()))


def _request(name: str, headers: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "title": name, "headers": _ref(headers), "payload": payload}


def _own_body(body: type[BaseModel]) -> dict[str, Any]:
    """Returns a body without what the door fills in, and without a purpose: it has but one."""
    refs, found = schemas([body])
    whole = found[refs[body]["$ref"].rpartition("/")[2]]
    properties = {name: one for name, one in whole["properties"].items() if name not in {*FILLED, "purpose"}}
    required = [name for name in whole.get("required", ()) if name in properties]
    made = {"type": "object", "properties": properties, "additionalProperties": False}
    return made | ({"required": required} if required else {})


def _answered() -> dict[str, dict[str, Any]]:
    """Returns the schemas of the gate's own answers."""
    return {
        f"Answer-{name}": {
            "type": "object",
            "required": ["ok"],
            "properties": {"ok": {"type": "object", "required": [*fields], "properties": fields}},
        }
        for name, fields in ANSWERS.items()
    }


def _replies() -> dict[str, dict[str, Any]]:
    own = {f"ok-{name}": {"name": f"ok-{name}", "payload": _ref(f"Answer-{name}")} for name in ANSWERS}
    return own | {
        "ok": {"name": "ok", "payload": _ref("Answer")},
        "problem": {"name": "problem", "payload": _ref("Problem")},
    }


def _answers() -> dict[str, Any]:
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in _replies()}
    return {"address": None, "description": "The reply subject of the request.", "messages": messages}


def _reply(address: str) -> dict[str, Any]:
    _, service, name = address.split(".")
    told = (f"ok-{name}" if service == GATE else "ok", "problem")
    channel = "#/channels/answers"
    messages = [{"$ref": f"{channel}/messages/{one}"} for one in told]
    return {"reply": {"channel": {"$ref": channel}, "messages": messages}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(action: str, name: str) -> dict[str, Any]:
    channel = f"#/channels/{name}"
    return {"action": action, "channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/{name}"}]}


def _message(fact: type[Fact], data: dict[str, str]) -> dict[str, Any]:
    words = inspect.cleandoc(OWN[fact]["description"] if fact in OWN else fact.__doc__ or "").partition("\n\n")[0]
    own = {"type": {"const": fact.type()}, "data": data}
    return {
        "name": fact.type(),
        "title": fact.__name__,
        **({"summary": words.replace("\n", " ")} if words else {}),
        "contentType": "application/cloudevents+json",
        "payload": {"allOf": [_ref("ToolEvent"), {"type": "object", "properties": own}]},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), ensure_ascii=False) + "\n")
