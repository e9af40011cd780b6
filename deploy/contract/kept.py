"""The kept contract: documents of every service, what is in them by name, and each payload as a schema of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CURRENT = Path(__file__).parent / "current"
PUBLISHED = Path(__file__).parent / "published"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, a command or a query of the contract."""

    service: str
    kind: str
    """`event`, `command` or `query`; `request`: what tools ask, in words of their own."""
    name: str
    """Of an event the CloudEvents type, of a request the last token of its subject."""
    address: str
    message: Mapping[str, Any]
    reply: Mapping[str, Any] | None = None
    """The message that answers it, where it is told what stands in that."""

    @property
    def summary(self) -> str:
        return str(self.message.get("summary", ""))


def read(folder: Path = CURRENT) -> dict[str, dict[str, Any]]:
    """Return the kept JSON of each service."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def entries(documents: Mapping[str, Any]) -> Iterator[Entry]:
    """Tell everything that the documents hold, service by service in their order."""
    for service, document in documents.items():
        for name in document["operations"]:
            address = document["channels"][name]["address"] or name
            kind = {"cmd": "command", "qry": "query", "in": "request"}.get(address.partition(".")[0], "event")
            messages = document["components"]["messages"]
            told = document["operations"][name].get("reply", {}).get("messages", [{"$ref": "ok"}])[0]
            reply = told["$ref"].rpartition("/")[2]
            message = messages[name]
            yield Entry(service, kind, message["name"], address, message, messages[reply] if reply != "ok" else None)


def alone(document: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
    """Return an entry's payload as one JSON Schema 2020-12 that needs nothing beside it."""
    return _alone(document, entry.message["payload"], f"urn:samenkracht:{entry.service}:{entry.kind}:{entry.name}")


def reply_alone(document: Mapping[str, Any], entry: Entry) -> dict[str, Any] | None:
    """Return what an entry is answered in the same way; None: nothing is, or it is not told."""
    if entry.reply is None:
        return None
    of = f"urn:samenkracht:{entry.service}:{entry.kind}:{entry.name}:reply"
    return _alone(document, entry.reply["payload"], of)


def _alone(document: Mapping[str, Any], payload: Mapping[str, Any], name_: str) -> dict[str, Any]:
    every = document["components"]["schemas"]
    needed: dict[str, Any] = {}
    waiting = [payload]
    while waiting:
        for name in names_in(waiting.pop()):
            if name not in needed:
                needed[name] = every[name]
                waiting.append(every[name])
    made: dict[str, Any] = {"$schema": DIALECT, "$id": name_} | _moved(payload)
    if needed:
        made["$defs"] = {name: _moved(needed[name]) for name in sorted(needed)}
    return made


def names_in(schema: object) -> Iterator[str]:
    """Tell the names of the schemas that this one points to."""
    if isinstance(schema, dict):
        if str(schema.get("$ref", "")).startswith(REF):
            yield schema["$ref"].removeprefix(REF)
        for one in schema.values():
            yield from names_in(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from names_in(one)


def _moved(schema: Any) -> Any:  # noqa: ANN401  JSON
    if isinstance(schema, list):
        return [_moved(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {key: _moved(one) for key, one in schema.items()}
    if isinstance(moved.get("$ref"), str):
        moved["$ref"] = moved["$ref"].replace(REF, "#/$defs/")
    return moved
