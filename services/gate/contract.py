"""The contract with tools: what each event is to them. `python -m services.gate.contract`.

Apart from the services' own: ids are the tool's, the actor is not told, and only what `outgoing` names goes out.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

from services.gate.allowed import CALLS, GATE
from services.gate.outgoing import FACTS
from shared.contract import MOMENT, UNPUBLISHED, UUID_
from shared.contract_words import schemas
from shared.events.base import Fact
from shared.events.gate import PutOutVoided, WithdrawalTold
from shared.events.words import Category, Role

OF_THE_GATE = ("renew", "head", "replay", "confirm-deletion")
WORDS = """What a school's own tools are told. Events are fetched from stream OUT (consumer `me`) or come by webhook.
A tool may ask on `in.<service>.<name>`, with the bodies that stand in the services' documents and ids of its own:
{calls}."""
NUMBER = {"type": "integer"}
ENVELOPE = {
    "title": "ToolEvent",
    "description": "CloudEvents 1.0 in structured JSON. Every id is one that this tool alone knows.",
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


def document() -> dict[str, Any]:
    """Returns the AsyncAPI document. Nothing connects."""
    refs, found = schemas(FACTS)
    told = {fact: refs[fact] for fact in FACTS} | {fact: _ref(own["title"]) for fact, own in OWN.items()}
    names = {fact: fact.type().split(".", 2)[2].rsplit(".", 1)[0] for fact in told}
    calls = [f"in.{service}.{name}" for service, name in CALLS] + [f"in.{GATE}.{name}" for name in OF_THE_GATE]
    fixed = {one["title"]: one for one in (ENVELOPE, *OWN.values())}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:samenkracht:tools",
        "info": {
            "title": "Samenkracht tools",
            "version": UNPUBLISHED,
            "description": WORDS.format(calls=", ".join(sorted(calls))),
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {"address": None, "messages": {name: {"$ref": f"#/components/messages/{name}"}}}
            for name in sorted(names.values())
        },
        "operations": {name: _sent(name) for name in sorted(names.values())},
        "components": {
            "messages": {
                name: _message(fact, told[fact]) for fact, name in sorted(names.items(), key=lambda one: one[1])
            },
            "schemas": dict(sorted((found | fixed).items())),
        },
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _sent(name: str) -> dict[str, Any]:
    channel = f"#/channels/{name}"
    return {"action": "send", "channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/{name}"}]}


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
