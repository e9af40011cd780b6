"""Dialogues about expectations as a person reads them on the command line."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from deploy.samen.__main__ import app
from deploy.samen.dialogues import DOES, mine, whole
from deploy.samen.expectations import _addressed
from shared.events.dialogue import DialogueState

DIALOGUE: dict[str, Any] = {
    "dialogue": "d1",
    "version": 3,
    "reads": "whole",
    "state": "open",
    "turn_of": "asking",
    "your_turn": True,
    "gone": ["asked"],
    "promise": False,
    "author": "p1",
    "author_name": "Ans [b]Bos",
    "for_school": False,
    "words": "bel mij [altijd]",
    "why": "dan weet ik het",
    "talk_on": "2026-12-01",
    "by_on": None,
    "review_on": None,
    "voiced_at": "2026-11-24T10:00:00+00:00",
    "member": None,
    "member_name": None,
    "turns": [
        {
            "number": 1,
            "person": "p2",
            "person_name": "Juf Iris",
            "kind": "proposed",
            "words": "ik app",
            "by_on": "2026-12-09",
            "review_on": None,
            "outcome": None,
            "at": "2026-11-25T10:00:00+00:00",
        }
    ],
    "commitments": [],
    "companions": [{"member": "p3", "member_name": None, "by": ["asking"], "joined": False}],
}


def test_a_dialogue_reads_as_who_said_what_and_who_answers_now() -> None:
    assert list(whole(DIALOGUE)) == [
        '[bold]Ans \\[b]Bos expects of the school[/]: "bel mij \\[altijd]"  (2026-11-24)',
        '  why: "dan weet ik het"',
        "  talk about it 2026-12-01",
        '  1. Juf Iris proposes: "ik app"  (2026-11-25, by 2026-12-09)',
        "  p3 is asked in by Ans \\[b]Bos",
        "  nobody of the school takes part any more: begin a new one with who does",
        "  [bold]Your side answers.[/]  dialogue d1 version 3",
    ]


def test_what_others_opened_says_nothing_of_how_it_stands() -> None:
    opened = {name: value for name, value in DIALOGUE.items() if name not in {"state", "turn_of", "version"}}
    lines = list(whole(opened | {"reads": "opened"}))
    assert lines[-1].endswith("between the two sides)")


def test_every_kind_of_turn_and_every_state_has_words() -> None:
    for kind in DOES:
        turn = DIALOGUE["turns"][0] | {"kind": kind, "outcome": "no_longer_needed"}
        assert "(no longer needed)" in list(whole(DIALOGUE | {"turns": [turn]}))[3]
    for state in DialogueState:
        assert "dialogue d1" in list(whole(DIALOGUE | {"state": state.value}))[-1]


def test_my_list_says_what_to_do() -> None:
    item = DIALOGUE | {
        "about": "c1",
        "about_name": "Kim",
        "todo": "answer",
        "carried_by_me": True,
        "proposed_words": "ik app",
        "proposed_by": "p2",
        "proposed_by_name": "Juf Iris",
        "reminded": "due",
    }
    assert "Answer it." in list(mine(item))[-1]
    assert "review due" in list(mine(item | {"todo": "review", "state": "agreed"}))[-1]
    assert "You gave your word." in list(mine(item | {"todo": None, "state": "agreed"}))[-1]
    assert "Waits for the other side." in list(mine(item | {"todo": None}))[-1]


def test_whom_it_is_addressed_to_is_members_and_settings() -> None:
    member = uuid4()
    assert _addressed([str(member), "home"]) == {"members": [str(member)], "settings": ["home"]}
    with pytest.raises(typer.BadParameter, match="network show --ids"):
        _addressed(["juf"])


def test_the_commands_are_there() -> None:
    for name in ("expect", "answer", "commit", "review", "take-back", "remark", "bring-in", "expectations"):
        assert CliRunner().invoke(app, ["network", name, "--help"]).exit_code == 0
