"""The part of JSON Schema (2020-12) that our schemas use. An unknown keyword is an error: nothing is passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}
SILENT = {"$schema", "$defs", "title", "required", "properties", "additionalProperties"}


def errors(schema: dict[str, Any], value: object, root: dict[str, Any] | None = None, at: str = "") -> Iterator[str]:
    """Yields what is wrong with `value`, with where it is."""
    root = root or schema
    if "$ref" in schema:
        yield from errors(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, root, at)
        return
    for keyword, wanted in schema.items():
        if keyword not in SILENT and not _holds(keyword, wanted, value, schema):
            yield f"{at}: {keyword} {wanted} does not hold for {value!r}"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{at}/{name} is missing" for name in schema.get("required", ()) if name not in value)
        if schema.get("additionalProperties") is False:
            yield from (f"{at}/{name} is unknown" for name in value if name not in known)
        for name in value.keys() & known.keys():
            yield from errors(known[name], value[name], root, f"{at}/{name}")
    if isinstance(value, list) and "items" in schema:
        for place, one in enumerate(value):
            yield from errors(schema["items"], one, root, f"{at}/{place}")


def _holds(keyword: str, wanted: Any, value: Any, schema: dict[str, Any]) -> bool:  # noqa: ANN401  JSON
    match keyword:
        case "type":
            return isinstance(value, TYPES[wanted]) and not (wanted == "integer" and isinstance(value, bool))
        case "enum":
            return value in wanted
        case "pattern":
            return isinstance(value, str) and re.search(wanted, value) is not None
        case "minimum":
            return isinstance(value, int) and value >= int(wanted)
        case "minItems":
            return isinstance(value, list) and len(value) >= int(wanted)
        case "items":
            return bool(schema["type"] == "array")
    msg = f"this validator does not know {keyword}"
    raise ValueError(msg)
