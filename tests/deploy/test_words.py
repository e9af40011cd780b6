"""What people are told names what they can type: commands that are there, in the words of whoever asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from typer.testing import CliRunner

from deploy.samen.__main__ import app
from deploy.samen.asking import more_lines
from deploy.samen.groups import ENTRIES, load
from deploy.samen.oneroster_batches import schools_of
from services.audit.commands import ENDPOINTS as AUDIT
from services.goals.commands import ENDPOINTS as GOALS
from shared.errors import Problem, ProblemType
from shared.rpc import parse

ROOT = Path(__file__).parents[2]
TEXTS = {
    path: path.read_text(encoding="utf-8")
    for folder in ("services", "shared", "deploy/samen", "deploy/demo")
    for path in (ROOT / folder).rglob("*.py")
}
BODIES: dict[str, Any] = {endpoint.name: endpoint.body for endpoint in (*AUDIT, *GOALS)}
WHO = ("--school", "de-wilg", "--as", str(UUID(int=1, version=4)))


def test_every_command_that_a_text_names_is_there() -> None:
    named = {
        (path.name, words)
        for path, text in TEXTS.items()
        for words in re.findall(r"`samen ([a-z][a-z -]*?)(?: --[a-z-]+)*(?: [<{].*?)?`", text)
    }
    assert len(named) > 20
    for name, words in sorted(named):
        first, *rest = words.split()
        assert first in ENTRIES, (name, words)
        group = load(first)
        for one in rest:
            if not hasattr(group, "commands"):
                break
            assert one in group.commands, (name, words)
            group = group.commands[one]


def test_nothing_says_to_look_with_what_is_no_command() -> None:
    told = re.compile(r"(?:look it up|list them) with (?!`samen )\S+")
    assert {path.name: found for path, text in TEXTS.items() if (found := told.findall(text))} == {}


@pytest.mark.parametrize(
    ("query", "body", "what"),
    [
        ("who-looked", b'{"child": "%s", "purpose": "oversight", "since": "1066-10-14T00:00:00Z"}', "lies outside"),
        ("propose-goal", b'{"about": "%s", "purpose": "guidance", "responsible": []}', "The list should have"),
    ],
)
def test_what_is_wrong_in_a_request_is_said_without_a_word_of_python(query: str, body: bytes, what: str) -> None:
    with pytest.raises(Problem) as refused:
        parse(BODIES[query], body % str(UUID(int=1, version=4)).encode())
    told = [one["what"] for one in refused.value.more["errors"]]
    assert any(one.startswith(what) for one in told), told
    assert "Value error" not in str(told)
    assert "Tuple" not in str(told)


def test_what_a_problem_tells_beside_its_sentence_is_lines_for_people() -> None:
    errors = [{"at": "/since", "what": "lies outside"}, {"at": "/until", "what": "is no date"}]
    problem = Problem(ProblemType.INVALID, "/since: lies outside.", errors=errors, version=3, allowed=["care", "goals"])
    assert more_lines(problem) == ["also /until: is no date", "version: 3", "allowed: care, goals"]


@pytest.mark.parametrize("at", ["0001-01-01", "9999-12-31T23:59"])
def test_a_year_that_cannot_be_is_refused_with_what_to_check(at: str) -> None:
    child = str(UUID(int=2, version=4))
    found = CliRunner().invoke(app, ["policy", "explain", child, child, "view", "goals", *WHO, "--at", at])
    assert found.exit_code == 2, found.output
    assert "check the year" in " ".join(found.output.replace("│", " ").split())


class Delivery(NamedTuple):
    db: Any


class Rows:
    def execute(self, _sql: str) -> list[tuple[str, str, str]]:
        return [("o1", "De Wilg", "de-wilg"), ("o2", "De Es", "de-es")]


def test_a_school_that_is_not_in_a_delivery_is_told_with_those_that_are() -> None:
    _, wrong = schools_of(Delivery(Rows()), ["nope"])  # type: ignore[arg-type]
    assert wrong == ["there is no school nope in the delivery: it has de-es, de-wilg"]
