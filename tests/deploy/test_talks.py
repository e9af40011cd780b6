"""`samen talk`: every command asks what the service takes, and the lines say what a reader needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pydantic_core
import pytest
from typer.testing import CliRunner

from deploy.samen import plans
from deploy.samen.__main__ import app
from services.goals.commands import ENDPOINTS
from shared.actor import Actor
from shared.events.words import ActorKind

TALK, PERSON, CHILD = (str(UUID(int=number, version=4)) for number in range(1, 4))
BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
WHO = ("--school", "the-oak", "--as", PERSON)
SEEN = (*WHO, "--sequence", "1")
AT = ("--at", "2027-01-15T15:30")
COMMANDS = {
    "plan-conversation": ("plan", CHILD, *WHO, *AT, "--why", "lezen", "--with", PERSON, "--point", "slapen"),
    "move-conversation": ("move", TALK, *SEEN, *AT, "--place", "thuis"),
    "cancel-conversation": ("cancel", TALK, *SEEN, "--reason", "ziek"),
    "withdraw-invitation": ("uninvite", TALK, *SEEN, "--member", PERSON),
    "answer-invitation": ("answer", TALK, "accepted", *WHO),
    "add-point": ("point", TALK, "slapen", *WHO),
    "hold-conversation": ("hold", TALK, *SEEN, "--attended", PERSON),
    "record-outcome": ("outcome", TALK, "goal", "zelf lezen", *WHO, "--who", PERSON, "--by", "2027-03-01"),
    "settle-outcome": ("settle", TALK, *WHO, "--became", PERSON),
    "say-heard": ("heard", TALK, "partly", *WHO),
    "conversations": ("list", CHILD, *WHO, "--before", TALK),
    "conversation": ("show", TALK, *WHO),
    "conversation-invite": ("ics", TALK, *WHO, "--language", "en"),
    "heard-summary": ("heard-summary", *WHO),
    "guidance": ("guidance", CHILD, *WHO),
    "write-guidance": ("write-guidance", "talking", *WHO, "--prompt", "luister", "--example", "vertel"),
}
TOLD: dict[str, Any] = {
    "id": TALK,
    "kind": "meeting",
    "status": "held",
    "sequence": 1,
    "starts_at": "2027-07-15T13:30:00+00:00",
    "why": "lezen [thuis]",
    "place": "lokaal",
    "invited": [PERSON],
    "attended": [PERSON],
    "notes": None,
}
GUIDANCE = [{"step": "talking", "number": 2, "prompts": ["Luister [eerst]."], "examples": ["Vertel."]}]
ANSWERS: dict[str, Any] = {
    "conversations": {"conversations": [TOLD], "next": None},
    "conversation": {
        "conversation": TOLD,
        "replies": [{"member": PERSON, "answer": "accepted", "note": "graag"}],
        "points": [{"id": TALK, "words": "slapen", "added_by": PERSON}],
        "outcomes": [
            {"id": TALK, "version": 1, "kind": "goal", "words": "lezen", "became": None, "dropped_because": None}
        ],
        "asks_me": True,
        "guidance": GUIDANCE,
    },
    "conversation-invite": {"ics": "BEGIN:VCALENDAR\r\n"},
    "heard-summary": {
        "roles": {"guardian": {"yes": 9, "partly": 1, "no": 0}},
        "until": {"guardian": "2027-01"},
        "too_few": True,
        "smallest_group": 10,
    },
    "guidance": {"guidance": GUIDANCE},
}


class FakeClient:
    """Takes what is asked and gives what is laid ready."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    def actor(self, person: UUID, school: str) -> Actor:
        return Actor(person, ActorKind.PERSON, school, "samen")

    async def query(self, _school: str, _service: str, name: str, body: dict[str, Any], _actor: Actor) -> Any:  # noqa: ANN401
        self.asked.append((name, pydantic_core.to_json(body)))
        return ANSWERS[name]

    async def command(  # as the client's own
        self, _school: str, _service: str, name: str, body: dict[str, Any], _actor: Actor, *, key: str | None
    ) -> dict[str, Any]:
        self.asked.append((name, pydantic_core.to_json(body)))
        return {"conversation": TALK, "key": key or ""}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    made = FakeClient()

    def do(_directory: object, work: Callable[[FakeClient], Awaitable[Any]]) -> Any:  # noqa: ANN401  as the real one
        async def run() -> Any:  # noqa: ANN401  JSON
            return await work(made)

        return asyncio.run(run())

    monkeypatch.setattr(plans, "do", do)
    return made


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_asks_what_the_service_takes(name: str, client: FakeClient) -> None:
    found = CliRunner().invoke(app, ["talk", *COMMANDS[name]], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    ((asked, body),) = client.asked
    assert asked == name
    assert BY_NAME[name].body.model_validate_json(body)


def test_times_are_those_of_clocks_in_the_netherlands(client: FakeClient) -> None:
    CliRunner().invoke(app, ["talk", *COMMANDS["plan-conversation"]], catch_exceptions=False)
    assert b'"starts_at":"2027-01-15T15:30:00+01:00"' in client.asked[0][1]
    assert "2027-07-15 15:30" in CliRunner().invoke(app, ["talk", *COMMANDS["conversation"]]).output


def test_a_conversation_reads_as_its_agenda_its_outcomes_and_what_is_asked(client: FakeClient, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["talk", *COMMANDS["conversation"]]).output
    for words in ("lezen [thuis]", "graag", "slapen", "not settled yet", "were you heard?", "Luister [eerst]."):
        assert words in told
    counts = CliRunner().invoke(app, ["talk", *COMMANDS["heard-summary"]]).output
    assert "too small" in counts
    assert "2027-01" in counts
    file = tmp_path / "talk.ics"
    assert CliRunner().invoke(app, ["talk", *COMMANDS["conversation-invite"], "--out", str(file)]).exit_code == 0
    assert file.read_bytes() == b"BEGIN:VCALENDAR\r\n"
    assert len(client.asked) == 3
