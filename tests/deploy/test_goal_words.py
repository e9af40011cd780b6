"""`samen goals history|revise|templates`: every command asks what the service takes, and the lines say what changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from deploy.samen.__main__ import app
from shared.events.words import ActorKind
from tests.deploy.fakes import BY_NAME, FakeClient, fake_client

GOAL, PERSON, CHILD = (str(UUID(int=number, version=4)) for number in range(1, 4))
WHO = ("--school", "the-oak", "--as", PERSON)
WORDS = {"domain": "motor", "title": "fietsen", "wording": "fietst [zelf]", "ladder": ["a", "b", "c", "d", "e"]}
HISTORY: dict[str, Any] = {
    "goal": GOAL,
    "proposed": {
        "by": PERSON,
        "at": "2026-11-01T10:00:00Z",
        "template": CHILD,
        "template_number": 2,
        "words": {"wording": "fietst", "ladder": ["a", "b"]},
    },
    "steps": [
        {
            "goal_version": 2,
            "status": "proposed",
            "achievement": None,
            "reason": "te [moeilijk]",
            "changes": [{"field": "wording", "before": "fietst", "after": "fietst met hulp"}],
            "taken_by": PERSON,
            "taken_at": "2026-11-02T10:00:00Z",
        }
    ],
}
ANSWERS: dict[str, Any] = {
    "goal-history": HISTORY,
    "goal-templates": {"templates": [{**WORDS, "template": GOAL, "number": 1, "owner": "school"}]},
    "goal-template": {
        "template": {"owner": "foundation", "state": "offered"},
        "versions": [{**WORDS, "number": 1, "written_at": "2026-11-01T10:00:00Z"}],
    },
}
ANSWERS["school-years"] = {
    "version": 2,
    "years": {
        "2027": {
            "starts_on": "2026-08-24",
            "ends_on": "2027-07-09",
            "holidays": [{"name": "[herfst]", "first_on": "2026-10-17", "last_on": "2026-10-25"}],
            "set_by": PERSON,
            "set_at": "2026-08-01T10:00:00Z",
        }
    },
}
NEW = ("--statement", "ik wil fietsen", "--setting", "home", "--target", "2027-01-01", "--responsible", PERSON)
COMMANDS = {
    "goal-history": (("history", GOAL, *WHO), 1),
    "revise-goal": (("revise", GOAL, *WHO, "--version", "2", "--reason", "korter", "--weight", "2"), 1),
    "goal-templates": (("templates", "list", *WHO, "--domain", "motor"), 1),
    "goal-template": (("templates", "show", GOAL, *WHO), 1),
    "propose-goal": (("templates", "propose", GOAL, CHILD, *WHO, *NEW), 2),
}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    return fake_client(monkeypatch, ANSWERS, {"template": GOAL, "number": 1})


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_asks_what_the_service_takes(name: str, client: FakeClient) -> None:
    arguments, requests = COMMANDS[name]
    found = CliRunner().invoke(app, ["goals", *arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert len(client.asked) == requests
    assert client.asked[-1].name == name
    for _, asked, body, _ in client.asked:
        assert BY_NAME[asked].body.model_validate_json(body)


def test_a_calendar_is_set_and_shown(client: FakeClient) -> None:
    shown = CliRunner().invoke(app, ["calendar", "show", *WHO], catch_exceptions=False).output
    for words in ("version 2", "2026-08-24 to 2027-07-09", "[herfst]"):
        assert words in shown
    days = ("--first", "2026-08-24", "--last", "2027-07-09", "--version", "2")
    setting = ["calendar", "set", *WHO, *days, "--holiday", "herfst=2026-10-17/2026-10-25"]
    assert CliRunner().invoke(app, setting, catch_exceptions=False).exit_code == 0
    for _, asked, body, _ in client.asked:
        assert BY_NAME[asked].body.model_validate_json(body)
    assert CliRunner().invoke(app, [*setting[:-1], "herfst"]).exit_code == 2


def test_an_export_and_a_document_are_files_and_say_what_is_not_in_them(client: FakeClient, tmp_path: Path) -> None:
    bundle = {"resourceType": "Bundle", "entry": [1, 2]}
    older = {"older_goals": 3, "older_scores": None, "older_plans": 0}
    ANSWERS["export-child"] = {"bundle": bundle, "scores_shown": False, "said_shown": False, **older}
    action = {"what": "leest", "who": [PERSON], "where": ["home"], "until": "2026-12-01", "goals": []}
    item = {"item": GOAL, "kind": "action", "text": action}
    text = {"number": 1, "outlook": "verder", "items": [item], "hash": "f" * 64}
    mum = {"person": PERSON, "given_name": "Ans", "family_name": "<Jansen>", "organisation": None}
    ANSWERS["child-network"] = {"child": CHILD, "given_name": "Kim", "family_name": None, "members": [mum]}
    plan = {"status": "in_force", "about": CHILD}
    counts = {"answers": [], "verified": 4, "broken": 0, "said_shown": False}
    ANSWERS["export-plan"] = {
        "plan": plan,
        "text": text,
        **counts,
        "ends": [],
        "evaluations": [],
        "scores_shown": False,
    }
    out, page = tmp_path / "child.json", tmp_path / "plan.html"
    told = CliRunner().invoke(app, ["goals", "export", CHILD, *WHO, "--out", str(out)], catch_exceptions=False).output
    assert json.loads(out.read_text()) == bundle
    assert "not yours to export" in told
    assert "only your own" in told
    assert "3 older goals are not in it" in told
    asked = ["plan", "document", GOAL, *WHO, "--out", str(page), "--scores"]
    assert "scores are not yours" in CliRunner().invoke(app, asked, catch_exceptions=False).output
    assert "<h1>Plan, versie 1</h1>" in page.read_text()
    assert "wie: Ans &lt;Jansen&gt;; waar: thuis; tot en met <time>1 dec 2026</time>" in page.read_text()
    assert "Alleen uw eigen antwoorden staan hier. In totaal kloppen er 4" in page.read_text()
    assert not (out.stat().st_mode | page.stat().st_mode) & 0o077, "for their owner only"
    before = len(client.asked)
    for path, again in ((page, asked), (out, ["goals", "export", CHILD, *WHO, "--out", str(out)])):
        path.write_text("kept")
        refused = CliRunner().invoke(app, again)
        assert isinstance(refused.exception, FileExistsError)
        assert (refused.exit_code, path.read_text()) == (1, "kept")
    assert len(client.asked) == before, "nothing leaves, and no line says that it did"
    assert {name for _, name, *_ in client.asked} == {"export-child", "export-plan", "child-network"}
    for _, name, body, _ in client.asked:
        if name in BY_NAME:
            assert BY_NAME[name].body.model_validate_json(body)


def test_a_history_reads_as_what_changed_and_why(client: FakeClient) -> None:
    told = CliRunner().invoke(app, ["goals", *COMMANDS["goal-history"][0]]).output
    for words in (
        f"from template {CHILD} version 2",
        "reworded",
        "te [moeilijk]",
        "fietst -> fietst met hulp",
        "a | b",
    ):
        assert words in told
    assert client.asked


def test_the_foundations_template_goes_to_every_school_named_with_one_id(client: FakeClient, tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    file.write_text(json.dumps(WORDS))
    publish = ["goals", "templates", "publish", "--file", str(file), "--school", "the-oak"]
    more = [*publish, "--school", "the-elm", "--foundation"]
    assert CliRunner().invoke(app, more, catch_exceptions=False).exit_code == 0
    bodies = [json.loads(body) for _, _, body, _ in client.asked]
    assert all(BY_NAME["publish-template"].body.model_validate_json(body) for _, _, body, _ in client.asked)
    assert [school for school, *_ in client.asked] == ["the-oak", "the-elm"]
    assert len({body["template"] for body in bodies}) == 1
    assert len({body["about"] for body in bodies}) == 2
    assert {actor.kind for *_, actor in client.asked} == {ActorKind.OPERATOR}
    assert CliRunner().invoke(app, publish).exit_code == 2
    assert CliRunner().invoke(app, [*publish, "--as", PERSON], catch_exceptions=False).exit_code == 0
    file.write_text("{}")
    assert CliRunner().invoke(app, [*publish, "--as", PERSON]).exit_code == 2
