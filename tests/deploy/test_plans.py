"""`samen plan`: every command asks what the service takes, and the tables say what a reader needs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console
from typer.testing import CliRunner

from deploy.samen import plan_tables
from deploy.samen.__main__ import app
from tests.deploy.fakes import BY_NAME, FakeClient, fake_client

PLAN, PERSON, ITEM = (str(UUID(int=number, version=4)) for number in range(1, 4))
WHO = ("--school", "the-oak", "--as", PERSON)
SEEN = (*WHO, "--number", "2")
HASHED = (*SEEN, "--hash", "0" * 64)
COMMANDS = {
    "agree-plan": ("agree", PLAN, *HASHED, "--item", ITEM),
    "disagree-plan": ("disagree", PLAN, *HASHED, "--reason", "te veel"),
    "acknowledge-plan": ("seen", PLAN, *HASHED),
    "take-remedy": ("remedy", PLAN, "mediation", *SEEN, "--disagreement", ITEM, "--note", "goed gesprek"),
    "record-voice": ("voice", PLAN, "drafting", *SEEN, "--channel", "drawing", "--words", "ik", "--influence", "ja"),
    "tell-child-back": ("tell-back", PLAN, *WHO, "--voice", ITEM),
    "finish-action": ("finish", PLAN, ITEM, "partly", *SEEN),
    "evaluate-plan": ("evaluate", PLAN, *SEEN, "--findings", "goed", "--attended", PERSON, "--on", "2026-11-01"),
    "consult-plan": ("step", "consult", PLAN, *SEEN),
    "put-plan-in-force": ("step", "enforce", PLAN, *SEEN),
    "continue-plan": ("step", "continue", PLAN, *SEEN),
    "close-plan": ("close", PLAN, *SEEN, "--reason", "klaar"),
    "plans-of-child": ("list", PERSON, *WHO),
    "plan": ("show", PLAN, *SEEN),
    "plan-changes": ("changes", PLAN, *WHO, "--before", "1", "--after", "2"),
    "agreements": ("verify", PLAN, *WHO),
    "deadlines": ("deadlines", PERSON, *WHO),
}
TEXT: dict[str, Any] = {
    "number": 2,
    "outlook": "naar [de] brugklas",
    "salt": "5a17",
    "hash": "f" * 64,
    "items": [
        {
            "item": ITEM,
            "kind": "action",
            "salt": "aa",
            "text": {"what": "leest [hardop]", "who": [PERSON], "where": ["home"], "until": "2027-01-01", "goals": []},
        }
    ],
}
WHOLE: dict[str, Any] = {
    "plan": {"id": PLAN, "status": "in_force", "number": 2, "force_number": 1, "drafted_at": "2026-11-01T10:00:00Z"},
    "text": TEXT,
    "standings": {ITEM: "refused"},
    "waits_for": [PERSON],
    "rule": {"rule": "all_holders", "policy": 0},
    "allowed": ["revise-plan"],
    "said_shown": True,
    "disagreements": [
        {
            "id": ITEM,
            "holder": PERSON,
            "number": 2,
            "reason": "te [veel]",
            "remedies": [{"remedy": "mediation", "note": None, "taken_at": "2026-11-02T10:00:00Z"}],
        }
    ],
    "voices": [
        {
            "id": ITEM,
            "moment": "drafting",
            "number": 1,
            "channel": "through_parent",
            "words": "ik wil lezen",
            "influence": "er kwam een doel bij",
            "told_back_on": None,
            "not_heard_because": None,
        }
    ],
}
ANSWERS: dict[str, Any] = {
    "plans-of-child": {"plans": [WHOLE["plan"]]},
    "plan": WHOLE,
    "plan-changes": {"plan": PLAN, "before": 1, "after": 2, "changes": []},
    "agreements": {"plan": PLAN, "answers": [], "verified": 0, "broken": 0, "said_shown": False},
    "deadlines": {"deadlines": [{"deadline": "first_plan", "due_on": "2026-12-01", "told": "overdue", "action": None}]},
}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    return fake_client(monkeypatch, ANSWERS, {"plan": PLAN})


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_asks_what_the_service_takes(name: str, client: FakeClient) -> None:
    found = CliRunner().invoke(app, ["plan", *COMMANDS[name]], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert client.asked_as_goals_takes_it(name)


def test_a_text_that_was_printed_can_be_drafted_and_revised(client: FakeClient, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["plan", "text", PLAN, *WHO]).output
    file = tmp_path / "plan.json"
    file.write_text(told)
    assert json.loads(told)["actions"][0]["what"] == "leest [hardop]"
    for name, command in (("revise-plan", ("revise", PLAN, *SEEN)), ("draft-plan", ("draft", PERSON, *WHO))):
        found = CliRunner().invoke(app, ["plan", *command, "--file", str(file)])
        assert found.exit_code == 0, found.output
        assert client.asked[-1].name == name
        assert BY_NAME[name].body.model_validate_json(client.asked[-1].body)
    file.write_text("{")
    assert CliRunner().invoke(app, ["plan", "draft", PERSON, *WHO, "--file", str(file)]).exit_code == 2


def printed(*shown: Any) -> str:  # noqa: ANN401  what rich prints
    console = Console(width=300, record=True, file=io.StringIO())
    for one in shown:
        console.print(one)
    return console.export_text()


def test_a_plan_reads_as_what_it_says_how_it_stands_and_what_can_be_done() -> None:
    told = printed(plan_tables.text_of(WHOLE), "\n".join(plan_tables.said_of(WHOLE)))
    for words in (
        "version 2: in_force, version 1 is in force",
        "leest [hardop]",
        "home, until 2027-01-01",
        "disagreed",
        "outlook: naar [de] brugklas",
        f"waits for: {PERSON}",
        'disagreed with version 2: "te [veel]"',
        "mediation 2026-11-02",
        '"ik wil lezen" (through parent); changed: er kwam een doel bij; not told back yet',
        "from here: revise-plan",
    ):
        assert words in told, words


def test_what_another_parent_said_is_not_shown_as_words() -> None:
    hidden = {**WHOLE["disagreements"][0], "reason": None}
    lines = list(plan_tables.said_of({**WHOLE, "disagreements": [hidden]}))
    assert any(line.startswith(f"{PERSON} disagreed with version 2  (") for line in lines)
    assert "what people said of it is not yours to see" in list(plan_tables.said_of({**WHOLE, "said_shown": False}))


def test_an_answer_is_held_against_the_text_that_is_shown_and_not_only_against_the_services_word() -> None:
    part = {"plan": PLAN, "number": 2, "salt": "5a17", "items": TEXT["items"]}
    answer = {
        "hash": plan_tables._digest(part),
        "item": ITEM,
        "item_hash": plan_tables._digest(TEXT["items"][0]),
        "number": 2,
        "holder": PERSON,
        "agreed": True,
        "answered_at": "2026-11-01",
        "verifies": True,
    }
    found = {"plan": PLAN, "answers": [answer]}
    assert plan_tables.checked(found, {2: TEXT})[1] == 0
    forged = json.loads(json.dumps(TEXT).replace("hardop", "hardoP"))
    table, broken = plan_tables.checked(found, {2: forged})
    assert broken == 1
    assert "NO" in printed(table)
    assert plan_tables.checked(found, {})[1] == 1
    assert plan_tables.checked({**found, "answers": [{**answer, "verifies": False}]}, {2: TEXT})[1] == 1


def test_deadlines_and_changes_read_as_tables() -> None:
    change = {
        "item": ITEM,
        "kind": "action",
        "change": "changed",
        "fields": [
            {"field": "what", "before": "leest", "after": "zingt"},
            {"field": "who", "before": None, "after": [PERSON]},
        ],
    }
    told = printed(
        plan_tables.due(ANSWERS["deadlines"]), plan_tables.changed({**ANSWERS["plan-changes"], "changes": [change]})
    )
    for words in ("first plan", "overdue", "leest", "zingt", PERSON):
        assert words in told
