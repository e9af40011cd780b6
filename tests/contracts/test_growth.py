"""A contract only grows: each rule, broken by hand, is told; what only adds is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from deploy.contract.__main__ import check, complete, publish, text, version
from deploy.contract.kept import CURRENT, PUBLISHED, read
from deploy.contract.shape import differences, shape

GOALS = {key: value for key, value in read(PUBLISHED)["goals"].items() if key != "version"}
EVENT = "evt.{school}.goals.goal.proposed"
COMMAND = "cmd.{school}.goals.propose-goal"
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> list[str]:
    new: dict[str, Any] = deepcopy(GOALS)
    change(new)
    return differences(GOALS, new)


def event(shape_: dict[str, Any]) -> dict[str, Any]:
    return dict[str, Any](shape_["schemas"]["GoalProposed"])


def command(shape_: dict[str, Any]) -> dict[str, Any]:
    return dict[str, Any](shape_["schemas"]["ProposeGoal"])


def test_the_examples_stand_for_what_is_there() -> None:
    assert {EVENT, COMMAND} <= GOALS["operations"].keys()
    assert changed(lambda _: None) == []


BREAKS: dict[str, tuple[Change, str]] = {
    "an event is gone": (lambda s: s["operations"].pop(EVENT), f"{EVENT}: is gone"),
    "a command is gone": (lambda s: s["operations"].pop(COMMAND), f"{COMMAND}: is gone"),
    "an event has another type": (
        lambda s: s["operations"][EVENT].update(type="nl.samenkracht.goals.goal.proposed.v2"),
        f"{EVENT}: type was",
    ),
    "a field of an event is gone": (
        lambda s: (event(s)["properties"].pop("weight"), event(s)["required"].remove("weight")),
        "/data/fact/weight: is gone",
    ),
    "a field of an event is of another type": (
        lambda s: event(s)["properties"].update(weight={"type": "string"}),
        "/data/fact/weight: was integer, is string",
    ),
    "a field of an event may be null now": (
        lambda s: event(s)["properties"].update(weight={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        "/data/fact/weight: may now be null too",
    ),
    "a field of an event may be absent now": (
        lambda s: event(s)["required"].remove("weight"),
        "/data/fact/weight: may be absent now",
    ),
    "an event that was published lacks a new field": (
        lambda s: (event(s)["properties"].update(new={"type": "integer"}), event(s)["required"].append("new")),
        "/data/fact/new: is required now",
    ),
    "a field of the envelope is gone": (
        lambda s: s["schemas"]["Envelope"]["properties"].pop("prevhash"),
        "/prevhash: is gone",
    ),
    "a list lost a value": (lambda s: s["schemas"]["Domain"]["enum"].remove("motor"), "lost the value motor"),
    "a list took the place of any value": (
        lambda s: command(s)["properties"]["statement"].update(enum=["a"]),
        "/statement: takes a list of values only",
    ),
    "a field of a command is gone": (lambda s: command(s)["properties"].pop("weight"), "/weight: is gone"),
    "a field of a command is of another type": (
        lambda s: command(s)["properties"].update(statement={"type": "integer"}),
        "/statement: was string, is integer",
    ),
    "a command needs a new field": (
        lambda s: (command(s)["properties"].update(new={"type": "integer"}), command(s)["required"].append("new")),
        "/new: is required now",
    ),
    "a command needs what could be left out": (
        lambda s: command(s)["required"].append("weight"),
        "/weight: is required now",
    ),
    "a command means something else by what is left out": (
        lambda s: command(s)["properties"]["weight"].update(default=5),
        "/weight: without it 1 was meant, now 5",
    ),
    "a command takes less text": (
        lambda s: command(s)["properties"]["statement"].update(maxLength=999),
        "/statement: maxLength was 1000, is 999",
    ),
    "a command takes fewer numbers": (
        lambda s: command(s)["properties"]["baseline"].update(minimum=0),
        "/baseline: minimum was -2, is 0",
    ),
    "a command wants another form": (
        lambda s: command(s)["properties"]["statement"].update(pattern="^a"),
        "/statement: pattern was None",
    ),
    "a command takes no null any more": (
        lambda s: command(s)["properties"].update(starts_from={"$ref": "#/components/schemas/FromTemplate"}),
        "/starts_from:",
    ),
    "something inside a choice changed": (
        lambda s: s["schemas"]["FromTemplate"]["properties"].clear(),
        "is gone",
    ),
    "a header is needed": (
        lambda s: s["schemas"]["CommandHeaders"]["required"].append("Deadline"),
        "/Deadline: is required now",
    ),
    "a word that nobody can compare": (
        lambda s: command(s)["properties"]["statement"].update(contentEncoding="base64"),
        "nobody can tell whether contentEncoding still fits",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_others_is_told(name: str) -> None:
    change, told = BREAKS[name]
    found = changed(change)
    assert [line for line in found if told in line], found


GROWS: dict[str, Change] = {
    "a new event": lambda s: s["operations"].update({"evt.{school}.goals.x": s["operations"][EVENT]}),
    "an optional field in an event": lambda s: event(s)["properties"].update(new={"type": "integer", "default": 0}),
    "an optional field in a command": lambda s: command(s)["properties"].update(new={"type": "integer"}),
    "a value in a list": lambda s: s["schemas"]["Domain"]["enum"].append("music"),
    "a command needs less": lambda s: command(s)["required"].remove("statement"),
    "a command takes more": lambda s: command(s)["properties"]["statement"].update(maxLength=2000),
    "a command takes null too": lambda s: command(s)["properties"].update(
        baseline={"anyOf": [command(s)["properties"]["baseline"], {"type": "null"}]}
    ),
    "a schema has another name": lambda s: (
        s["schemas"].update(Sphere=s["schemas"]["Domain"]),
        event(s)["properties"].update(domain={"$ref": "#/components/schemas/Sphere"}),
    ),
}


@pytest.mark.parametrize("name", GROWS)
def test_what_only_adds_is_not_told(name: str) -> None:
    assert changed(GROWS[name]) == []


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
LIST: dict[str, Any] = {"type": "array"}
ALPHA: dict[str, Any] = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
BETA: dict[str, Any] = {"type": "object", "properties": {"b": TEXT}, "required": ["b"]}
RARE: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("send", LIST | {"items": TEXT}, LIST | {"items": NUMBER}, "/*: was string, is integer"),
    ("send", LIST | {"items": TEXT}, LIST, "items was"),
    ("receive", LIST, LIST | {"items": TEXT}, "items was"),
    ("receive", LIST | {"items": TEXT}, LIST, ""),
    ("send", TEXT | {"enum": ["a"]}, TEXT, "was a list of values"),
    ("receive", TEXT | {"enum": ["a"]}, TEXT, ""),
    ("receive", {"type": "object"}, {"type": "object", "additionalProperties": False}, "takes no other fields"),
    ("receive", {"type": "object", "additionalProperties": False}, {"type": "object"}, ""),
    (
        "receive",
        {"anyOf": [ALPHA, BETA]},
        {"anyOf": [ALPHA, BETA | {"required": ["a", "b"]}]},
        "may no longer be object",
    ),
    ("receive", {"anyOf": [ALPHA, BETA]}, {"anyOf": [BETA, ALPHA, TEXT]}, ""),
    ("send", {"anyOf": [ALPHA, BETA]}, {"anyOf": [BETA, ALPHA, TEXT]}, "may now be string too"),
]


@pytest.mark.parametrize(("action", "old", "new", "told"), RARE)
def test_rules_that_no_message_of_today_needs(action: str, old: dict[str, Any], new: dict[str, Any], told: str) -> None:
    was, now = (
        {"operations": {"x": {"action": action, "type": "x", "payload": payload}}, "schemas": {}}
        for payload in (old, new)
    )
    found = differences(was, now)
    assert any(told in line for line in found) if told else found == [], found


HAD: dict[str, Any] = {
    "type": "object",
    "properties": {"ok": ALPHA | {"properties": {"a": TEXT, "b": NUMBER}, "required": ["a", "b"]}},
}
HEADED = ("CommandHeaders", "QueryHeaders")
REPLIES: list[tuple[str, dict[str, Any], str, str]] = [
    ("a field is gone", {"properties": {"a": TEXT}, "required": ["a"]}, "/ok/b: is gone", "/ok/b: is gone"),
    (
        "a field is of another type",
        {"properties": {"a": TEXT, "b": TEXT}},
        "/ok/b: was integer, is string",
        "/ok/b: was integer, is string",
    ),
    ("a field may be absent", {"required": ["a"]}, "/ok/b: may be absent now", "/ok/b: may be absent now"),
    ("a field came", {"properties": {"a": TEXT, "b": NUMBER, "c": TEXT}}, "", ""),
    (
        "a field came that is always there: not in what a command answered yesterday",
        {"properties": {"a": TEXT, "b": NUMBER, "c": TEXT}, "required": ["a", "b", "c"]},
        "/ok/c: is required now",
        "",
    ),
]


@pytest.mark.parametrize(("_name", "change", "command_told", "query_told"), REPLIES, ids=[one[0] for one in REPLIES])
def test_a_reply_only_ever_gains_fields(_name: str, change: dict[str, Any], command_told: str, query_told: str) -> None:
    now = {**HAD, "properties": {"ok": HAD["properties"]["ok"] | change}}
    for headers, told in zip(HEADED, (command_told, query_told), strict=True):
        asked = {
            "action": "receive",
            "type": "x",
            "payload": {},
            "headers": {"$ref": f"#/components/schemas/{headers}"},
        }
        old, new = (
            dict[str, Any](operations={"x": asked | {"reply": {"ok": reply}}}, schemas={key: {} for key in HEADED})
            for reply in (HAD, now)
        )
        found = differences(old, new)
        assert any(told in line for line in found) if told else found == [], found
        gone = deepcopy(old)
        del gone["operations"]["x"]["reply"]
        assert any("reply ok" in line for line in differences(old, gone))
        assert differences(gone, old) == []


def test_a_version_is_the_published_one_until_something_is_added_and_publishing_makes_it_binding(
    tmp_path: Path,
) -> None:
    document: dict[str, Any] = read(CURRENT)["goals"]
    publish({"goals": document}, tmp_path)
    published = read(tmp_path)["goals"]
    assert version(document, published) == published["version"]
    document["components"]["schemas"]["Domain"]["enum"].append("music")
    assert version(document, {**published, "version": "1.7.0"}) == "1.8.0-unpublished"
    document["info"]["version"] = "1.8.0-unpublished"
    publish({"goals": document}, tmp_path)
    assert json.loads((tmp_path / "goals.json").read_text())["version"] == "1.8.0"
    document["components"]["schemas"]["Domain"]["enum"].remove("music")
    assert any("lost the value music" in line for line in differences(read(tmp_path)["goals"], shape(document)))


def test_a_kept_file_that_the_code_does_not_say_is_told(tmp_path: Path) -> None:
    documents = complete(read(CURRENT), read(PUBLISHED))
    for service, document in documents.items():
        (tmp_path / f"{service}.json").write_text(text(document))
    assert check(documents, read(PUBLISHED), tmp_path) == []
    (tmp_path / "goals.json").write_text(text({"asyncapi": "3.0.0"}))
    (tmp_path / "audit.json").unlink()
    assert [line.partition(":")[0] for line in check(documents, read(PUBLISHED), tmp_path)] == ["audit", "goals"]
    del documents["network"]
    assert check(documents, read(PUBLISHED), tmp_path)[0] == "network: the whole service is gone"
