"""`samen notifications` without a platform: words are previewed, wishes read as said, tables say it plainly."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deploy.samen import notifications
from deploy.samen.notifications import _paces, _preferences, app, day

RUNNER = CliRunner()


@pytest.mark.parametrize(("language", "said"), [("nl", "toestemming"), ("en", "consent")])
def test_a_kind_of_notice_is_previewed_in_its_words_and_in_what_leaves(language: str, said: str) -> None:
    shown = RUNNER.invoke(app, ["preview", "consent_asked", "--language", language, "--number", "3"])
    assert shown.exit_code == 0
    inbox, *outside = shown.output.splitlines()
    assert said in inbox
    assert not any(said in line for line in outside)
    assert any("3" in line for line in outside)


def test_a_kind_that_is_not_there_is_refused_with_those_that_are() -> None:
    shown = RUNNER.invoke(app, ["preview", "nothing"])
    assert shown.exit_code == 2
    assert "consent_asked" in shown.output


def test_paces_are_read_as_they_are_said_and_keep_what_was_set() -> None:
    now = [{"kind": "all", "channel": "mail", "pace": "daily"}, {"kind": "remarked", "channel": "mail", "pace": "off"}]
    told = _paces(now, ["all:mail=weekly", "goal_revised:push=now"])
    assert told == [
        {"kind": "all", "channel": "mail", "pace": "weekly"},
        {"kind": "remarked", "channel": "mail", "pace": "off"},
        {"kind": "goal_revised", "channel": "push", "pace": "now"},
    ]
    for wrong in ("all", "all:mail", "all:fax=now", "all:mail=never", ":mail=now"):
        with pytest.raises(typer.BadParameter, match="kind:channel=pace"):
            _paces([], [wrong])
    assert day("sun") == 7
    with pytest.raises(typer.BadParameter, match="mon, tue"):
        day("sunday")


def test_preferences_say_what_holds_where_nothing_is_set() -> None:
    nothing: dict[str, Any] = dict.fromkeys(("language", "quiet", "digest_at", "digest_on", "days_off")) | {"paces": []}
    usual = {"quiet": "21:00-07:00", "digest_at": 7, "digest_on": 1}
    held: dict[str, Any] = {"else": usual, "always": ["consent_asked"], "stopped": {}}
    lines = list(_preferences(held | {"version": 0, "preferences": nothing}))
    assert "quiet hours: 21:00-07:00" in lines
    assert "digests: at 7:00, weekly ones on mon" in lines
    mine = nothing | {"digest_at": 0, "digest_on": 7, "days_off": True, "quiet": "none"}
    lines = list(_preferences(held | {"version": 3, "preferences": mine}))
    assert "digests: at 0:00, weekly ones on sun" in lines
    assert "quiet hours: none" in lines


@pytest.mark.parametrize(
    ("code", "what", "always"), [("unsubscribed", "Nothing ordinary", True), ("unsubscribed_all", "Nothing", False)]
)
def test_preferences_say_first_what_was_left(code: str, what: str, always: bool) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("language", "quiet", "digest_at", "digest_on", "days_off")) | {"paces": []}
    usual = {"quiet": "21:00-07:00", "digest_at": 7, "digest_on": 1}
    found = {
        "version": 0,
        "preferences": nothing,
        "else": usual,
        "always": ["consent_asked"],
        "stopped": {"mail": code},
    }
    lines = list(_preferences(found))
    assert f"{what} goes through mail: {code}. `samen notifications resume` opens it." in lines
    assert any("by mail whatever is off" in line for line in lines) is always


def test_rules_and_queue_are_tables_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = {
        "kind": "goal_revised",
        "to": "everyone who may hear of it, but who did it",
        "category": "goals",
        "bound": "free",
        "urgent": False,
        "pace": "weekly",
        "remind_days": None,
        "number": 2,
        "told": True,
        "left_out": ["therapist"],
    }
    monkeypatch.setattr(notifications, "ask", lambda *_: {"rules": [rule]})
    who = ["--school", "de-eik", "--as", "00000000-0000-4000-8000-000000000001"]
    shown = RUNNER.invoke(app, ["rules", *who]).output
    assert "weekly" in shown
    assert "not as therapist" in " ".join(shown.split())
    waiting = {"state": "held", "channel": "mail", "why": "digest", "number": 4, "urgent": 0, "since": None}
    row = waiting | {"release_at": "2026-11-30T06:00:00+00:00", "next_try_at": None}
    monkeypatch.setattr(notifications, "ask", lambda *_: {"waiting": [row]})
    assert "2026-11-30 07:00" in RUNNER.invoke(app, ["queue", *who]).output
