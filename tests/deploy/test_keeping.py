"""`samen network` for those who keep the records: each command asks what network takes, or says what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pydantic_core
import pytest
from typer.testing import CliRunner

from deploy.samen import circle, network
from deploy.samen.__main__ import app
from services.network.commands import ENDPOINTS
from shared.actor import Actor
from shared.events.words import ActorKind

BY_NAME = {one.name: one for one in ENDPOINTS}
CHILD, PERSON, THING = (str(UUID(int=number, version=4)) for number in (1, 2, 3))
WHO = ("--school", "linde", "--as", PERSON)
COMMANDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "add-member": (
        (CHILD, "teacher", "--person", THING, "--from", "2027-01-01", "--until", "2027-07-01", "--mandate", "reading"),
        {"role": "teacher", "person": THING, "starts_on": "2027-01-01", "ends_on": "2027-07-01"},
    ),
    "end-membership": ((CHILD, THING, "--version", "3", "--reason", "moved"), {"version": 3, "ends_on": None}),
    "add-organisation": (("Zorg Samen", "--sourced-id", "z1"), {"name": "Zorg Samen", "sourced_id": "z1"}),
    "record-authority": (
        (CHILD, THING, "--source", "court", "--scope", "sharing", "--role", "mentor"),
        {"scope": ["sharing"], "source": "court", "role": "mentor"},
    ),
    "end-authority": ((CHILD, THING, "--until", "2027-01-01"), {"version": 1, "ends_on": "2027-01-01"}),
}


class FakeClient:
    """Takes what is asked, and answers as network would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def actor(self, person: UUID, school: str) -> Actor:
        return Actor(person, ActorKind.PERSON, school, "samen")

    async def command(  # as the client's own
        self, _school: str, _service: str, name: str, body: dict[str, Any], _actor: Actor
    ) -> dict[str, Any]:
        BY_NAME[name].body.model_validate_json(pydantic_core.to_json(body))
        self.asked.append((name, body))
        ids = dict.fromkeys(("membership", "person", "organisation", "authority"), THING)
        return {**ids, "version": 2, "withdrawal": THING} if name.startswith("end") else {**ids, "version": 1}

    async def effective(self, _school: str, _withdrawal: str) -> dict[str, Any]:
        return {"how": "confirmed", "at": "2027-01-01T00:00:00Z"}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    made = FakeClient()

    def do(_directory: object, work: Callable[[FakeClient], Any]) -> Any:  # noqa: ANN401  as the real one
        return asyncio.run(work(made))

    monkeypatch.setattr(circle, "do", do)
    return made


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_asks_what_the_service_takes(name: str, client: FakeClient) -> None:
    words, wanted = COMMANDS[name]
    told = CliRunner().invoke(app, ["network", name, *words, *WHO], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    ((asked, body),) = client.asked
    assert (asked, {key: body[key] for key in wanted}) == (name, wanted)
    assert (THING in told.output) != name.startswith("end")
    assert ("In force everywhere" in told.output) == name.startswith("end")


def test_someone_new_is_named_whole_and_nobody_twice(client: FakeClient) -> None:
    new = ("--given-name", "Pien", "--family-name", "Puzzel")
    wrong = {
        "--person with the id": (),
        "not both": (*new, "--person", THING),
        "both --given-name and --family-name": new[:2],
        "are of someone new": ("--person", THING, "--email", "pien@example.org"),
        "--mandate": (*new, "--mandate-until", "2027-01-01"),
    }
    for hint, words in wrong.items():
        told = CliRunner().invoke(app, ["network", "add-member", CHILD, "psychologist", *words, *WHO])
        assert (told.exit_code, hint in " ".join(told.output.split())) == (1, True), told.output
    tool = CliRunner().invoke(app, ["network", "add-member", CHILD, "local_tool", *WHO])
    assert "samen network add-tool" in tool.output
    for words in ((CHILD, "wizard"), (CHILD, "teacher", "--until", "1-7-2027")):  # choices and forms are named
        told = CliRunner().invoke(app, ["network", "add-member", *words, *new, *WHO])
        assert (told.exit_code, "school_leader" in told.output or "%Y-%m-%d" in told.output) == (2, True)
    assert client.asked == []
    more = ("--email", "pien@example.org", "--sourced-id", "p9")
    told = CliRunner().invoke(app, ["network", "add-member", CHILD, "psychologist", *new, *more, *WHO])
    assert told.exit_code == 0, told.output
    assert client.asked[0][1]["new_person"] == {
        "given_name": "Pien",
        "family_name": "Puzzel",
        "email": "pien@example.org",
        "phone": None,
        "sourced_id": "p9",
    }


def test_who_looks_with_ids_finds_what_ends_an_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    membership = {"membership": CHILD, "version": 1, "person": PERSON, "given_name": "Ans", "family_name": "Bos"}
    rest = {"role": "guardian", "organisation_name": None, "status": "active", "ends_at": None}
    held = {"authority": THING, "version": 4, "holder": PERSON, "scope": ["plan"], "status": "active"}
    found = {"given_name": "Kim", "family_name": "Bos", "members": [membership | rest], "authorities": [held]}
    monkeypatch.setattr(network, "ask_network", lambda *_: json.loads(json.dumps(found)))
    monkeypatch.setenv("COLUMNS", "260")
    shown = CliRunner().invoke(app, ["network", "show", CHILD, "--ids", *WHO]).output
    assert f"{THING} v4" in shown
