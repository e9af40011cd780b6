"""Every command that a page names is there, with the options that it is given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from deploy.samen.groups import ENTRIES, load

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "deploy/*.md", "deploy/decisions/*.md", "tests/examples/*.md")
    for path in ROOT.glob(pattern)
)
NAMED = re.compile(r"`samen ([a-z][^`]*)`|^\s*samen ([a-z][^#\n]*)", re.MULTILINE)


def commands(text: str) -> Iterator[list[str]]:
    """Yields the words of each command that a page names; `a|b` is two."""
    for inline, line in NAMED.findall(text.replace("\\\n", " ")):
        words = (inline or line).replace("\n", " ").split()
        for one in product(*(word.split("|") if re.fullmatch(r"[a-z|-]+", word) else [word] for word in words)):
            yield list(one)


def missing(words: list[str]) -> str | None:
    """Returns what is not there of a command, or None."""
    first, *rest = words
    if first not in ENTRIES:
        return first
    found: Any = load(first)
    while rest and hasattr(found, "commands"):
        if not re.fullmatch(r"[a-z][a-z-]*", rest[0]):
            return None  # `samen tool ...`: all of it is meant
        if rest[0] not in found.commands:
            return rest[0]
        found = found.commands[rest.pop(0)]
    options = {name for one in found.params for name in (*one.opts, *one.secondary_opts)}
    named = [word.partition("=")[0] for word in rest if word.startswith("--")]
    return next((one for one in named if one != "--help" and one not in options), None)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_a_page_says_to_type_can_be_typed(page: Path) -> None:
    wrong = {" ".join(words): what for words in commands((ROOT / page).read_text("utf-8")) if (what := missing(words))}
    assert wrong == {}


def test_what_is_not_there_is_found() -> None:
    assert missing(["tool", "replay", "<tool>", "--from", "<number>"]) == "--from"
    assert missing(["tool", "fly"]) == "fly"
    assert missing(["aviate"]) == "aviate"
    assert missing(["keys", "slots", "10"]) is None
    assert list(commands("`samen tool list|lag`")) == [["tool", "list"], ["tool", "lag"]]
