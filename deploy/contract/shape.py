"""The shape of a contract: what binds in an AsyncAPI document, and what of it changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

WORDS = frozenset({"title", "description", "summary", "examples", "$comment"})
NAMED = ("properties", "patternProperties", "$defs")
AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
EXACT = ("format", "pattern", "uniqueItems")
KNOWN = {*AT_MOST, *AT_LEAST, *EXACT, "type", "enum", "anyOf", "oneOf", "items", "properties", "required"}
KNOWN |= {"additionalProperties", "propertyNames", "allOf", "$ref", "default"}


def shape(document: Json) -> dict[str, Any]:
    """Return what binds: each address with its direction and payload, and the schemas."""
    messages, channels = document["components"]["messages"], document["channels"]
    binds = {}
    for name, operation in document["operations"].items():
        message = messages[name]
        told = {"action": operation["action"], "type": message["name"], "payload": bare(message["payload"])}
        if "headers" in message:
            told["headers"] = bare(message["headers"])
        if "reply" in operation:
            given = [messages[one["$ref"].rpartition("/")[2]] for one in operation["reply"]["messages"]]
            told["reply"] = {"problem" if one["name"] == "problem" else "ok": bare(one["payload"]) for one in given}
        binds[channels[name]["address"] or name] = told
    kept = {name: bare(schema) for name, schema in document["components"]["schemas"].items()}
    return {"operations": binds, "schemas": kept}


def bare(schema: Any) -> Any:  # noqa: ANN401  JSON
    """Return a schema without words. A property that is called `title` stays."""
    if isinstance(schema, list):
        return [bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in NAMED:
            kept[key] = {name: bare(one) for name, one in value.items()}
        elif key == "const":
            kept["enum"] = [value]  # a list of one: it may grow
        elif key not in WORDS:
            kept[key] = value if key in {"default", "enum"} else bare(value)
    return kept


@dataclass(frozen=True, slots=True)
class Compared:
    """Two shapes of one service, and whether what is compared comes in (a command) or goes out (an event, a reply).

    `kept`: what was said before is said again, so that what is new may lack in it; of what a query answers nothing is.
    """

    old: Json
    new: Json
    comes_in: bool
    kept: bool = True

    def schemas(self, old: Any, new: Any, at: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Iterator[str]:  # noqa: ANN401  JSON
        """Tell what another program, built on the old schema, would trip over in the new one."""
        if old is True or old == {}:
            return
        if (pair := (old.get("$ref", ""), new.get("$ref", ""))) in seen:
            return
        if any(pair):
            seen |= {pair}
        old, new = self._whole(old, self.old), self._whole(new, self.new)
        if unknown := (old.keys() | new.keys()) - KNOWN:
            words = ", ".join(sorted(unknown))
            yield f"{at}: nobody can tell whether {words} still fits: teach deploy/contract/shape.py"
        if "default" in old and _differs(old, new, "default"):
            yield f"{at}: without it {old['default']!r} was meant, now {new.get('default')!r}"
        choices = _choices(old), _choices(new)
        if len(choices[0]) > 1 or len(choices[1]) > 1:
            yield from self._alternatives(*choices, at, seen)
            return
        if old.get("type") != new.get("type"):
            yield f"{at}: was {old.get('type')}, is {new.get('type')}"
            return
        yield from self._values(old, new, at)
        yield from self._fields(old, new, at, seen)
        for key in ("items", "propertyNames", "additionalProperties"):
            yield from self._inner(old, new, key, at, seen)

    def _whole(self, schema: Json, shape_: Json) -> Json:
        """Return a schema with what it points to; the parts of an `allOf` in one."""
        whole: dict[str, Any] = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
        parts = list(schema.get("allOf", ()))
        if "$ref" in schema:
            parts.insert(0, shape_["schemas"][schema["$ref"].rpartition("/")[2]])
        for part in parts:
            whole = _merged(self._whole(part, shape_), whole)
        return whole

    def _alternatives(
        self, old: list[Json], new: list[Json], at: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[str]:
        """Tell of each old choice that no new one takes; of an event, of each new choice that no old one had."""
        for one in old:
            named = [other for other in new if _kind(other) == _kind(one)]
            if len(named) == 1:
                yield from self.schemas(one, named[0], at, seen)
            elif all(list(self.schemas(one, other, at, seen)) for other in named or new):
                yield f"{at}: may no longer be {_kind(one)}, or not in the same way"
        if not self.comes_in:
            for one in new:
                if all(list(self.schemas(other, one, at, seen)) for other in old):
                    yield f"{at}: may now be {_kind(one)} too, which no reader expects"

    def _values(self, old: Json, new: Json, at: str) -> Iterator[str]:
        gone = [value for value in old.get("enum", ()) if "enum" in new and value not in new["enum"]]
        if gone:
            yield f"{at}: lost the value {', '.join(map(str, gone))}"
        if "enum" in new and "enum" not in old:
            yield f"{at}: takes a list of values only"
        if "enum" in old and "enum" not in new and not self.comes_in:
            yield f"{at}: was a list of values"
        yield from (
            f"{at}: {key} was {old.get(key)!r}, is {new.get(key)!r}" for key in EXACT if _differs(old, new, key)
        )
        if not self.comes_in:
            return
        for keys, worse in ((AT_MOST, -1), (AT_LEAST, 1)):
            for key in keys:
                if key in new and (key not in old or (new[key] - old[key]) * worse > 0):
                    yield f"{at}: {key} was {old.get(key)}, is {new[key]}"

    def _fields(self, old: Json, new: Json, at: str, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name in after:
                yield from self.schemas(schema, after[name], f"{at}/{name}", seen)
            else:
                yield f"{at}/{name}: is gone"
        had, has = set(old.get("required", ())), set(new.get("required", ()))
        if self.kept:
            yield from (f"{at}/{name}: is required now" for name in sorted(has - had))
        if not self.comes_in:
            yield from (f"{at}/{name}: may be absent now" for name in sorted((had - has) & after.keys()))

    def _inner(self, old: Json, new: Json, key: str, at: str, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        before, after = old.get(key, True), new.get(key, True)
        if before is False or before == after:
            return
        if after is False:
            yield f"{at}: takes no other fields any more"
        elif isinstance(before, dict) and isinstance(after, dict):
            yield from self.schemas(before, after, f"{at}/*", seen)
        elif isinstance(after, dict) or not self.comes_in:
            yield f"{at}: {key} was {before}, is {after}"


def differences(old: Json, new: Json) -> list[str]:
    """Return what in `new` breaks what was built on `old`, a line each; nothing: it only grew."""
    broken = []
    for address, was in old["operations"].items():
        now = new["operations"].get(address)
        if now is None:
            broken.append(f"{address}: is gone")
            continue
        broken += [
            f"{address}: {key} was {was[key]}, is {now[key]}" for key in ("action", "type") if was[key] != now[key]
        ]
        compared = Compared(old, new, was["action"] == "receive")
        for part in ("payload", "headers"):
            if part in was or part in now:
                broken += compared.schemas(was.get(part, {}), now.get(part, {}), f"{address} {part}")
        broken += _replies(old, new, was, now, address)
    return broken


def _replies(old: Json, new: Json, was: Json, now: Json, address: str) -> Iterator[str]:
    """Tell what a reader of replies would trip over. A command's are kept for a day, for whoever asks it again."""
    asks = was.get("headers", {}).get("$ref", "").endswith("/QueryHeaders")
    compared = Compared(old, new, comes_in=False, kept=not asks)
    for part, reply in was.get("reply", {}).items():
        yield from compared.schemas(reply, now.get("reply", {}).get(part, {}), f"{address} reply {part}")


def _merged(under: Json, over: Json) -> dict[str, Any]:
    """Return what holds when both do, as far as our documents say a thing twice: objects with fields."""
    made = {**under, **over}
    if "properties" in under and "properties" in over:
        first, second = under["properties"], over["properties"]
        both = {name: _merged(first[name], second[name]) for name in first.keys() & second.keys()}
        made["properties"] = {**first, **second, **both}
    if "required" in under and "required" in over:
        made["required"] = [*under["required"], *over["required"]]
    return made


def _choices(schema: Json) -> list[Json]:
    """Return what a value may be, one by one."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return list(schema[key])
    return [schema]


def _kind(schema: Json) -> str:
    return str(schema.get("$ref", "").rpartition("/")[2] or schema.get("type") or "that")


def _differs(old: Json, new: Json, key: str) -> bool:
    return (key in old or key in new) and (key in old, old.get(key)) != (key in new, new.get(key))
