"""A list of nothing says that there is nothing, as its sisters do: no frame round it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from deploy.samen import child, invitations, network, retention
from deploy.samen.__main__ import app

SOMEBODY = str(UUID(int=1, version=4))
WHO = ("--school", "de-brug", "--as", SOMEBODY)
LISTS: dict[str, tuple[Any, str, Any, tuple[str, ...], str]] = {
    "children": (network, "ask_network", {"children": []}, ("network", "children"), "name another --purpose"),
    "consents": (network, "ask_network", {"consents": []}, ("network", "consents", SOMEBODY), "No consents."),
    "invitations": (
        invitations, "ask_network", {"invitations": []}, ("network", "invitations", SOMEBODY), "No invitations.",
    ),
    "erasures": (child, "do", [], ("child", "erasures"), "No erasures."),
    "holds": (child, "do", {"holds": []}, ("child", "holds", SOMEBODY), "No holds."),
    "due": (retention, "do", [], ("retention", "due"), "No file is due."),
}  # fmt: skip


@pytest.mark.parametrize("what", LISTS)
def test_a_list_of_nothing_says_so(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, asks, answer, command, words = LISTS[what]
    monkeypatch.setattr(module, asks, lambda *_: answer)
    said = CliRunner().invoke(app, [*command, *WHO])
    assert (said.exit_code, words in " ".join(said.output.split())) == (0, True), said.output
    assert "┏" not in said.output


@pytest.mark.parametrize(("state", "waits"), [("asked", True), ("given", False)])
def test_whoever_says_yes_first_hears_that_others_must_too(
    state: str, monkeypatch: pytest.MonkeyPatch, *, waits: bool
) -> None:
    monkeypatch.setattr(network, "do", lambda *_: ({"consent": SOMEBODY, "version": 2, "state": state}, None))
    given = ("network", "give", SOMEBODY, "--recipient", SOMEBODY, "--category", "goals", *WHO)
    said = CliRunner().invoke(app, given)
    assert (said.exit_code, "when the others who decide have said yes too" in said.output) == (0, waits), said.output
