"""The documents that tell others what happens and how to ask: whole, valid, and what is really served."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from deploy.contract.__main__ import SAMPLES, TOOLS, as_told, check, complete
from deploy.contract.kept import CURRENT, DIALECT, PUBLISHED, alone, entries, read, reply_alone
from deploy.samen.__main__ import app
from deploy.topology import NAMES
from services.gate.allowed import CALLS
from services.gate.contract import OWN_CALLS
from services.gate.contract import document as told_to_tools
from services.gate.leaving import Speech
from services.gate.model import Message, Said
from services.gate.outgoing import OUTGOING
from shared.contract import document
from shared.events.words import Category
from shared.unit import Endpoint

SERVED: Mapping[str, tuple[Endpoint[Any], ...]] = {
    service: importlib.import_module(f"services.{service}.commands").ENDPOINTS for service in NAMES
}
DOCUMENTS = read()
ENTRIES = list(entries(DOCUMENTS))
SCHEMA = json.loads((Path(__file__).parent / "asyncapi-3.schema.json").read_text())


def test_what_is_kept_is_what_the_code_says_and_only_grew_since_it_was_published() -> None:
    published = read(PUBLISHED)
    documents = {service: document(service, SERVED[service]) for service in NAMES} | {TOOLS: told_to_tools()}
    said = complete(documents, published)
    assert check(said, published, CURRENT) == []


@pytest.mark.parametrize("service", SERVED)
def test_every_request_that_is_served_is_told_with_its_kind(service: str) -> None:
    told = {one.address for one in ENTRIES if one.service == service and one.kind != "event"}
    assert told == {f"{'qry' if one.is_query else 'cmd'}.{{school}}.{service}.{one.name}" for one in SERVED[service]}


@pytest.mark.parametrize("service", DOCUMENTS)
def test_a_document_is_asyncapi_3_and_points_to_nothing_that_is_not_there(service: str) -> None:
    Draft202012Validator(SCHEMA).validate(DOCUMENTS[service])
    for ref in references(DOCUMENTS[service]):
        found: Any = DOCUMENTS[service]
        for step in ref.removeprefix("#/").split("/"):
            found = found[step]


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


@pytest.mark.parametrize("service", DOCUMENTS)
def test_a_payload_is_a_schema_of_its_own_and_its_examples_fit_it(service: str) -> None:
    for one in (one for one in ENTRIES if one.service == service):
        schema = alone(DOCUMENTS[service], one)
        assert schema["$schema"] == DIALECT
        assert {ref.removeprefix("#/$defs/") for ref in references(schema)} == schema.get("$defs", {}).keys()
        examples = one.message.get("examples", ())
        own = service == TOOLS and ".gate." in one.name
        assert len(examples) == (1 if one.kind == "event" and not own else 0), one.name
        checked = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        for example in examples:
            checked.validate(example["payload"])


@pytest.mark.parametrize("service", DOCUMENTS)
def test_a_reply_that_is_told_is_a_schema_of_its_own_and_its_examples_fit_it(service: str) -> None:
    for one in (one for one in ENTRIES if one.service == service and one.reply is not None):
        schema = reply_alone(DOCUMENTS[service], one)
        assert one.reply is not None
        assert schema is not None
        assert {ref.removeprefix("#/$defs/") for ref in references(schema)} == schema.get("$defs", {}).keys()
        own = service == TOOLS and one.address.startswith("in.gate.")
        examples = one.reply.get("examples", ())
        assert len(examples) == (0 if own else 1), one.name
        for example in examples:
            Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
                example["payload"]
            )


@pytest.mark.parametrize("service", SERVED)
def test_what_is_answered_is_told(service: str) -> None:
    assert [one.name for one in SERVED[service] if one.reply is None] == []


def test_a_replys_name_means_one_thing_in_all_services() -> None:
    told = {one.reply for endpoints in SERVED.values() for one in endpoints if one.reply is not None}
    assert len({one.__name__ for one in told}) == len(told)


def test_what_goes_out_to_tools_fits_what_they_are_told_of_it() -> None:
    told = [one for one in ENTRIES if one.service == TOOLS and one.kind == "event"]
    schemas = {one.name: alone(DOCUMENTS[TOOLS], one) for one in told}
    speech, child, at = Speech("olm", "A", "0f" * 32), UUID(int=3), datetime(2026, 3, 29, tzinfo=UTC)
    assert {name for name in schemas if ".gate." not in name} == OUTGOING.keys()
    item = {"epoch": 1, "seq": 7, "about": str(child), "category": "goals", "withdrawal": str(UUID(int=9))}
    messages = [Message.void(1, 7), Message.withdrawal_of({**item, "taken_out": [3, 4]})]
    for name in OUTGOING:
        text = (SAMPLES / f"{name}.json").read_text()
        messages.append(Message.put_out(1, 7, Said.of(text), child, Category.GOALS))
        assert json.loads(speech.say(messages[-1], at).data).keys() == as_told(json.loads(text)).keys()
    for message in messages:
        said = json.loads(speech.say(message, at).data)
        schema = schemas[said["type"]]
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(said)


def test_what_tools_may_ask_is_told_with_its_body_and_its_answer() -> None:
    asked = {one.address: alone(DOCUMENTS[TOOLS], one) for one in ENTRIES if one.kind == "request"}
    own = {f"in.gate.{name}" for name in OWN_CALLS}
    assert asked.keys() == {f"in.{service}.{name}" for service, name in CALLS} | own
    score = {"goal": str(UUID(int=3)), "level": 1, "observed_on": "2026-03-29", "setting": "school"}
    fits = {
        "in.goals.score-goal": (score, score | {"level": 3}),
        "in.goals.goal": ({"goal": str(UUID(int=3))}, {}),
        "in.gate.renew": ({}, {"login": "U"}),
        "in.gate.head": ({}, {"tool": str(UUID(int=3))}),
        "in.gate.replay": ({"from_sequence": 1}, {"from_sequence": 0}),
        "in.gate.confirm-deletion": ({"withdrawal": str(UUID(int=3))}, {}),
    }
    for address, (right, wrong) in fits.items():
        checked = Draft202012Validator(asked[address])
        assert (checked.is_valid(right), checked.is_valid(wrong)) == (True, False), address
    served = {one.name: one.body for one in SERVED["goals"]}
    answered = {one.address: one.reply for one in ENTRIES if one.service == TOOLS and one.kind == "request"}
    assert all(one is not None for one in answered.values())
    for service, name in CALLS:  # what is lent is what is served
        assert set(_body(asked[f"in.{service}.{name}"])["properties"]) == served[name].model_fields.keys()


def _body(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return found


@pytest.mark.parametrize("service", DOCUMENTS)
def test_every_schema_is_one_of_2020_12(service: str) -> None:
    for schema in DOCUMENTS[service]["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_fields_are_told_in_the_words_below_them() -> None:
    schemas = DOCUMENTS["goals"]["components"]["schemas"]
    told = schemas["GoalProposed"]["properties"]["template_number"]["description"]
    assert told == "The version of a template that it started from."
    assert schemas["GoalProposed"]["description"].startswith("Someone proposed a goal")


def test_samen_contract_lists_shows_and_writes_everything(tmp_path: Path) -> None:
    run = CliRunner().invoke
    listed = json.loads(run(app, ["contract", "list", "--json"]).output)
    assert {(one["service"], one["name"]) for one in listed} == {(one.service, one.name) for one in ENTRIES}
    assert "cmd.{school}.goals.propose-goal" in run(app, ["contract", "list", "--service", "goals"]).output
    shown = json.loads(run(app, ["contract", "show", "goal.proposed", "--json"]).output)
    assert shown["examples"][0]["type"] == shown["name"] == "nl.samenkracht.goals.goal.proposed.v1"
    asked = json.loads(run(app, ["contract", "show", "propose-goal", "--json"]).output)
    assert asked["reply_schema"]["properties"]["ok"]["$ref"].endswith("/GoalReply")
    assert asked["reply_examples"][0]["ok"]["status"] == "proposed"
    assert "Answered, for example" in run(app, ["contract", "show", "propose-goal"]).output
    to_tools = run(app, ["contract", "show", "goal.proposed", "--service", "tools"])
    assert (to_tools.exit_code, "event of tools" in to_tools.output) == (0, True)
    assert run(app, ["contract", "show", "no-such-thing"]).exit_code == 2
    assert run(app, ["contract", "show", "access.viewed"]).exit_code == 2
    assert "looked" in run(app, ["contract", "show", "access.viewed", "--service", "goals"]).output
    assert run(app, ["contract", "write", str(tmp_path / "new")]).exit_code == 0
    files = {path.relative_to(tmp_path / "new") for path in (tmp_path / "new").rglob("*.json")}
    assert len(files) == len(DOCUMENTS) + len(ENTRIES) + sum(one.reply is not None for one in ENTRIES)
    assert Path("schemas/goals/query/goal.reply.json") in files
    assert Path("schemas/goals/command/propose-goal.json") in files
