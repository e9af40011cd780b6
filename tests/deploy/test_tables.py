"""Tables of the command line: an id can be read and copied, in a narrow window and in a pipe."""

from __future__ import annotations

import io
from uuid import UUID

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from deploy.samen import audit, network
from deploy.samen import goals as goals_of_child
from deploy.samen.__main__ import app
from deploy.samen.tables import print_table

IDS = [str(UUID(int=number, version=4)) for number in range(1, 4)]


def printed(table: Table | str, width: int, *, terminal: bool = True) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    print_table(table, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def goals() -> Table:
    table = Table(title="Goals", caption="[dim]there is more[/]")
    for column in ("goal", "in own words", "domain", "status", "went", "weight", "school", "home", "differs"):
        table.add_column(column)
    for id_ in IDS:
        words = Text("ik wil zelf [fietsen] naar school en naar oma")
        table.add_row(f"{id_} v12", words, "motor", "active", "", "1", "+1", "-1", "home below school")
    return table


@pytest.mark.parametrize("width", [40, 80, 120, 160])
def test_every_id_is_whole_in_a_window_of_any_width(width: int) -> None:
    told = printed(goals(), width)
    assert all(f"{id_} v12" in told for id_ in IDS), told
    assert "fietsen" in told
    assert "Goals" in told
    assert "there is more" in told


def test_a_line_of_the_log_keeps_both_its_ids_and_what_was_done_in_words_not_letters() -> None:
    table = Table(title="Who looked")
    for column in ("nr", "when", "who", "role", "about", "what", "category", "purpose", "basis", "outcome"):
        table.add_column(column, overflow="fold")
    who = f"{IDS[0]} by hand of 12345678"
    row = (who, "guardian", IDS[1], "goals.goals-of-child (3)", "goals", "own_data", "authority", "[red]denied[/]")
    table.add_row("17", "2026-11-01 10:00:00", *row)
    for width in (80, 160, 200):
        told = printed(table, width)
        assert IDS[0] in told
        assert IDS[1] in told
        assert all(word in told for word in ("guardian", "own_data", "authority", "denied")), told
        assert "[red]" not in told


def test_in_a_pipe_each_row_is_one_line() -> None:
    lines = printed(goals(), 80, terminal=False).splitlines()
    for id_ in IDS:
        (line,) = [line for line in lines if id_ in line]
        assert "ik wil zelf [fietsen] naar school en naar oma" in line
        assert "home below school" in line


def test_words_stand_where_there_is_no_table() -> None:
    assert printed("No consents.", 80) == "No consents.\n"


def test_the_lists_of_goals_children_and_looks_print_ids_that_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    goal = {"id": IDS[0], "version": 3, "statement": "zelf fietsen " * 9, "domain": "motor", "status": "active"}
    told = {"goals": [goal | {"achievement": None, "weight": 1}], "scores_shown": True, "next": None}
    monkeypatch.setattr(goals_of_child, "ask_goals", lambda *_: told)
    child = {"id": IDS[1], "sourced_id": "p-00253", "given_name": "Noor " * 20, "family_name": "de Wit"}
    monkeypatch.setattr(network, "ask_network", lambda *_: {"children": [child]})
    line = {"idx": 17, "occurred_at": "2026-11-01T10:00:00Z", "actor": IDS[1], "kind": "person", "about": IDS[2]}
    rest = {"category": "goals", "purpose": "own_data", "outcome": "permitted", "emergency": False}
    looked = line | rest | {"type": "nl.samenkracht.goals.looked.v1", "operator": IDS[0]}
    monkeypatch.setattr(audit, "ask", lambda *_: {"lines": [looked], "next": None})
    who = ("--school", "de-wilg", "--as", IDS[0])
    for asked, shown in (
        (("goals", "list", IDS[0]), (f"{IDS[0]} v3",)),
        (("network", "children"), (IDS[1],)),
        (("audit", "who-looked", IDS[0]), (IDS[1], IDS[2])),
    ):
        found = CliRunner().invoke(app, [*asked, *who], catch_exceptions=False)
        assert all(one in found.output for one in shown), found.output
