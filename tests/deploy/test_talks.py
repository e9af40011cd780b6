"""`samen talk`: every command asks what the service takes, and the lines say what a reader needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from deploy.samen.__main__ import app
from tests.deploy.fakes import FakeClient, fake_client

TALK, PERSON, CHILD = (str(UUID(int=number, version=4)) for number in range(1, 4))
WHO = ("--school", "the-oak", "--as", PERSON)
SEEN = (*WHO, "--sequence", "1")
AT = ("--at", "2027-01-15T15:30")
SHARES = [part for share in (40, 60, 75, 90) for part in ("--from", str(share))]
COMMANDS = {
    "plan-conversation": ("plan", CHILD, *WHO, *AT, "--why", "lezen", "--with", PERSON, "--point", "slapen"),
    "move-conversation": ("move", TALK, *SEEN, *AT, "--place", "thuis"),
    "cancel-conversation": ("cancel", TALK, *SEEN, "--reason", "ziek"),
    "withdraw-invitation": ("uninvite", TALK, *SEEN, "--member", PERSON),
    "answer-invitation": ("answer", TALK, "accepted", *WHO),
    "add-point": ("point", TALK, "slapen", *WHO, "--goal", PERSON),
    "hold-conversation": ("hold", TALK, *SEEN, "--attended", PERSON),
    "record-conversation": ("record", CHILD, *WHO, *AT, "--why", "bij de poort", "--attended", PERSON, "--goal", TALK),
    "record-outcome": ("outcome", TALK, "goal", "zelf lezen", *WHO, "--who", PERSON, "--by", "2027-03-01"),
    "settle-outcome": ("settle", TALK, *WHO, "--became", PERSON),
    "say-heard": ("heard", TALK, "partly", *WHO),
    "conversations": ("list", CHILD, *WHO, "--before", TALK),
    "conversation": ("show", TALK, *WHO),
    "conversation-invite": ("ics", TALK, *WHO, "--language", "en"),
    "heard-summary": ("heard-summary", *WHO),
    "measure-by-heard": ("heard-measure", PERSON, *WHO, "--role", "guardian", *SHARES),
    "score-from-heard": ("heard-score", PERSON, *WHO),
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
    "conversations": {
        "conversations": [TOLD],
        "next": None,
        "suggested": [
            {
                "goal": PERSON,
                "statement": "ik wil [lezen]",
                "since": "2027-01-02T10:00:00+00:00",
                "diverging": [{"lower": "home", "lower_level": -2, "higher": "school", "higher_level": 1}],
                "planned": [],
            }
        ],
    },
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
        "measures": [
            {
                "goal": PERSON,
                "role": "guardian",
                "thresholds": [40, 60, 75, 90],
                "level": 2,
                "until": "2027-01",
                "scored_until": None,
            }
        ],
        "smallest_group": 10,
    },
    "guidance": {"guidance": GUIDANCE},
}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    return fake_client(monkeypatch, ANSWERS, {"conversation": TALK})


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_asks_what_the_service_takes(name: str, client: FakeClient) -> None:
    found = CliRunner().invoke(app, ["talk", *COMMANDS[name]], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    if name == "move-conversation":  # looks where it is, to leave the place as it is
        assert client.asked.pop(0).name == "conversation"
    assert client.asked_as_goals_takes_it(name)


@pytest.mark.parametrize(
    "name", ["move-conversation", "cancel-conversation", "withdraw-invitation", "hold-conversation"]
)
def test_a_conversation_is_taken_as_it_stands_where_no_sequence_is_given(name: str, client: FakeClient) -> None:
    words = [one for one in COMMANDS[name] if one not in {"--sequence", "1", "--place", "thuis"}]
    assert CliRunner().invoke(app, ["talk", *words], catch_exceptions=False).exit_code == 0
    look, _ = client.asked.pop(0), client.asked_as_goals_takes_it(name)
    assert look.name == "conversation"
    assert b'"sequence":1' in client.asked[0].body
    assert (b'"place":"lokaal"' in client.asked[0].body) == (name == "move-conversation")


def test_times_are_those_of_clocks_in_the_netherlands(client: FakeClient) -> None:
    CliRunner().invoke(app, ["talk", *COMMANDS["plan-conversation"]], catch_exceptions=False)
    assert b'"starts_at":"2027-01-15T15:30:00+01:00"' in client.asked[0].body
    assert "2027-07-15 15:30" in CliRunner().invoke(app, ["talk", *COMMANDS["conversation"]]).output


def test_what_there_is_to_talk_about_is_listed_with_how_to_plan_it(client: FakeClient) -> None:
    told = CliRunner().invoke(app, ["talk", *COMMANDS["conversations"]]).output
    for words in ("talk about: ik wil [lezen]", "home -2, school +1", f"samen talk plan --goal {PERSON}"):
        assert words in told
    assert client.asked_as_goals_takes_it("conversations")


def test_a_conversation_reads_as_its_agenda_its_outcomes_and_what_is_asked(client: FakeClient, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["talk", *COMMANDS["conversation"]]).output
    for words in ("lezen [thuis]", "graag", "slapen", "not settled yet", "were you heard?", "Luister [eerst]."):
        assert words in told
    counts = CliRunner().invoke(app, ["talk", *COMMANDS["heard-summary"]]).output
    assert "too small" in counts
    assert f"goal {PERSON} is measured by guardian" in counts
    assert "up to and with 2027-01: +2, `samen talk heard-score" in counts
    assert "2027-01" in counts
    file = tmp_path / "talk.ics"
    assert CliRunner().invoke(app, ["talk", *COMMANDS["conversation-invite"], "--out", str(file)]).exit_code == 0
    assert file.read_bytes() == b"BEGIN:VCALENDAR\r\n"
    file.write_bytes(b"mine")
    again = CliRunner().invoke(app, ["talk", *COMMANDS["conversation-invite"], "--out", str(file)])
    assert isinstance(again.exception, FileExistsError)  # which `samen` tells in a sentence: test_failing
    assert file.read_bytes() == b"mine"
    assert len(client.asked) == 3
