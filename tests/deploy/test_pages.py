"""Pages for people: a word stays whole, and what no column can hold breaks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from deploy.childfile import words as file_words
from deploy.pack import words as pack_words
from deploy.pack.page import LONG, STYLE, breakable

ID = "00000000-0000-4000-8000-000000000001"


def test_pages_break_long_ids_and_no_word() -> None:
    cells = next(rule for rule in re.findall(r"[^}]*\{[^}]*\}", STYLE.replace("\n", "")) if rule.startswith("th,td"))
    assert "overflow-wrap" not in cells
    assert breakable("orthopedagoog & hulpverlener") == "orthopedagoog &amp; hulpverlener"
    assert breakable(f"id <{ID}> x") == f'id <span class="long">&lt;{ID}&gt;</span> x'
    assert ".long{overflow-wrap:anywhere}" in STYLE
    for one in _texts(vars(pack_words).values(), vars(file_words).values()):
        assert not LONG.search(one), one


def _texts(*values: Iterable[object]) -> Iterable[str]:
    for group in values:
        for table in group:
            if isinstance(table, dict) and all(isinstance(one, tuple) for one in table.values()):
                yield from (text for pair in table.values() for text in pair)
