"""What `samen tool` shows of a tool: the day that was named, whether its login is good, what to do next."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from deploy.samen.tool_plug import Plug, Plugged, needs
from deploy.samen.tool_words import first_day_without, login_words

TOOL, CHILD, KEEPER = (UUID(int=n, version=4) for n in range(3))


@pytest.mark.parametrize(
    ("ends_at", "day"),
    [
        ("2028-07-31T22:00:00+00:00", "2028-08-01"),
        ("2028-01-31T23:00:00+00:00", "2028-02-01"),
        ("2028-02-01T00:00:00+01:00", "2028-02-01"),
        (None, None),
    ],
)
def test_the_first_day_without_a_tool_is_the_one_that_was_named(ends_at: str | None, day: str | None) -> None:
    assert first_day_without({"ends_at": ends_at}) == day


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "good until 2026-11-29T20:10:51 UTC"),
        ({"login": None}, "none yet: `samen tool login`"),
        ({"state": "removed"}, "none is good any more"),
        ({"channel": "webhook", "login": None}, "it needs none: `samen tool webhook show`"),
    ],
)
def test_a_login_is_called_good_only_while_it_is(more: dict[str, object], words: str) -> None:
    tool = {"channel": "nats", "state": "active", "login": {"expires_at": "2026-11-29T20:10:51.5Z"}}
    assert login_words(tool | more) == words


@pytest.mark.parametrize("path", [Path("app.creds"), None])
def test_whoever_plugged_a_tool_in_reads_the_whole_command_that_asks_for_it(path: Path | None) -> None:
    body = {"label": "Leesapp [x]", "for_purpose": "local_tool", "categories": ["goals", "plan"]}
    plugged = Plugged(TOOL, "A" if path else None, "2026-11-29T20:10:51Z" if path else None, "nats://x", ready=True)
    lines = needs(plugged, Plug("de-brug", KEEPER, CHILD, None, body, path))
    if path is None:
        assert f"samen tool webhook set {TOOL} https://... --school de-brug --as {KEEPER}" in lines[1]
    last = lines[-1]
    assert "--category plan --school de-brug --as <coordinator>" in last
    assert f"samen network ask {CHILD} --recipient {TOOL} --for local_tool --category goals --category plan" in last
    known = needs(plugged, Plug("de-brug", KEEPER, None, TOOL, body, path))[-1]
    assert "samen network ask <child>" in known
