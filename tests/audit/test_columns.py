"""Blocks that are checked in columns give what they give line by line, and a block with anything wrong is not taken."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.pack.blocks import Block, Checked, check
from deploy.pack.fhir import audit_event
from deploy.pack.layout import entry_of, row
from deploy.pack.shapes import Read, Shapes
from deploy.pack.source import Source
from services.audit.model import line_of
from shared.events.words import school_subject
from tests.audit.packs import entries_of
from tests.audit.support import CHILD, STRANGER, Journal
from tests.audit.test_shapes import ODD, SCHOOL, canonical

columns = pytest.importorskip("deploy.pack.columns", reason="numpy is not installed", exc_type=ImportError)
np = pytest.importorskip("numpy")


def mixed() -> list[bytes]:
    """Returns lines of which some are about the school itself, by everyone and on everything."""
    journal = Journal(SCHOOL, "gate")
    for n in range(40):
        about = school_subject(SCHOOL) if n % 3 else CHILD
        journal.viewed(about=about, operator=f"op-{n % 9}", consent_version=n, emergency=n % 7 == 0)
    return [*entries_of(SCHOOL, 160), *(line_of(event).entry.encode() for event in journal.events)]


LINES = mixed()


def checked(lines: list[bytes], first: int, *, in_columns: bool, judged: dict[int, Any] | None = None) -> Checked:
    shapes = Shapes()
    block = Block(first, first + len(lines), SCHOOL, 0, judged or {})
    return check(Source(Path()), shapes, columns.Columns(shapes) if in_columns else None, block, iter(lines))


def taken(lines: list[bytes], first: int = 0) -> bool:
    """Holds a block in columns against the same block line by line; tells whether it was taken in columns."""
    assert checked(lines, first, in_columns=True) == checked(lines, first, in_columns=False)
    return columns.Columns(Shapes()).taken(first, lines, SCHOOL) is not None


@pytest.mark.parametrize("first", [0, 95, 996, 9_999_900])
def test_what_follows_from_a_block_is_the_same_wherever_it_stands(first: int) -> None:
    assert taken(LINES, first)


def test_nearly_all_lines_of_a_block_are_taken_in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, single = entries_of(SCHOOL, 3000), Counter[str]()
    kept = columns._Made.add_one

    def counted(made: object, at: int, read: Read) -> None:
        single["lines"] += 1
        kept(made, at, read)

    monkeypatch.setattr(columns._Made, "add_one", counted)
    assert columns.Columns(Shapes()).taken(0, lines, SCHOOL) is not None
    assert single["lines"] < 300, "as few as their tables' first lines, and what is left over"


def test_a_line_about_the_school_is_not_told_as_one_about_a_child() -> None:
    journal = Journal(SCHOOL)
    for n in range(60):
        journal.at += timedelta(days=1 if n % 2 else -1)  # and days come by turns
        journal.viewed(about=CHILD if n < 30 or n % 2 else school_subject(SCHOOL))
    assert taken([line_of(event).entry.encode() for event in journal.events])


def test_lines_of_another_school_are_not_taken_though_their_table_is_known() -> None:
    lines = [line_of(event).entry.encode() for event in Journal(SCHOOL).many(40)][10:]
    known = columns.Columns(Shapes())
    assert all(known.taken(0, lines, SCHOOL) is not None for _ in range(2))
    assert known.taken(0, lines, "de-es") is None


CUTS: tuple[tuple[bytes, bytes], ...] = (
    *((b'"v":1', b'"v":' + other) for other in (b'1,"v":1', b"1.0", b"-0", b"NaN", b"1e0", b"9" * 400, b"true")),
    *((b'"portal"', b'"%b"' % other) for other in (b"\\ud800", b"\xed\xa0\x80", b"\xff", b"\xc3\xa9", b"")),
    (b'"portal"', b'"por\\u0074al"'), (b"{", b"{ "), (b"}", b"}}"), (b"{", b""), (b'"about":"0', b'"about":"\x000'),
    *((b'"seq":', b'"seq":' + other) for other in (b"0", b" ", b"-", b"1", b'"')), (b'"goals"', b'"network"'),
    (b'"school":"de-eik"', b'"school":"de-es"'), (b'"actor"', b'"about"'), (b'"about"', b'"zbout"'),
)  # fmt: skip
NAMES = (
    "actor",
    "about",
    "occurred_at",
    "recorded_at",
    "event",
    "event_hash",
    "seq",
    "revision",
    "role",
    "what",
    "later",
    "reason",
)


def odd(line: bytes, name: str, value: object) -> bytes:
    """Returns the canonical line that says this."""
    entry = entry_of(line)
    return canonical(entry | {name: value}) if name != "seq" or type(value) is int else line


harmed = st.one_of(
    st.tuples(st.just("cut"), st.sampled_from(CUTS)),
    st.tuples(st.just("odd"), st.tuples(st.sampled_from(NAMES), st.sampled_from(ODD))),
    st.tuples(st.just("byte"), st.tuples(st.integers(0, 500), st.integers(0, 255))),
    st.tuples(st.just("drop"), st.none()),
    st.tuples(st.just("twice"), st.none()),
)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 150), st.lists(st.tuples(st.integers(0, 39), harmed), max_size=3), st.integers(0, 120))
def test_whatever_is_done_to_some_lines_both_ways_say_the_same(start: int, done: list[Any], first: int) -> None:
    lines = LINES[start : start + 40]
    for at, (how, what) in done:
        line = lines[at % len(lines)]
        if how == "cut":
            line = line.replace(*what, 1)
        elif how == "odd":
            line = line if b'"zbout"' in line else _odd(line, *what)
        elif how == "byte":
            line = line[: what[0]] + bytes([what[1]]) + line[what[0] + 1 :]
        lines[at % len(lines)] = line
        if how in {"drop", "twice"}:
            lines[at % len(lines) : at % len(lines) + 1] = [] if how == "drop" and len(lines) > 9 else [line, line]
    taken(lines, first)


def _odd(line: bytes, name: str, value: object) -> bytes:
    try:
        return odd(line, name, value)
    except ValueError:  # harmed already
        return line


def test_no_changed_byte_makes_a_line_pass_for_one_of_a_table() -> None:
    """Every byte of a line is made every other that matters: what is still taken for a line of the shape is one."""
    shapes = Shapes()
    lines = [line for line in entries_of(SCHOOL, 200) if b'"denied"' not in line]
    read = [shapes.read(7, line) for line in lines][-1]
    assert read.shape is not None
    table, good = columns.Table(read.shape, read.cells), lines[-1]
    others = [
        good[:at] + bytes([byte]) + good[at + 1 :] for at in range(len(good)) for byte in b'\x00 "\\,-09zA{\n=\x7f\xc3'
    ]
    has = table.has(columns.stacked(others, len(good)))
    passed = {other for other, one in zip(others, has.tolist(), strict=True) if one}
    assert {good} < passed < set(others)
    for other in passed:
        entry, again = entry_of(other), shapes.read(7, other)
        assert again.shape is read.shape
        assert read.shape.row.of(again.cells).encode() == row(7, entry)
        assert read.shape.event.of(again.cells).encode() == audit_event(7, entry)
    for other in Random(7).sample(sorted(set(others) - passed), 200):
        assert not any(_plainly(shapes, other, read.shape)), other


def _plainly(shapes: Shapes, line: bytes, shape: object) -> list[bool]:
    try:
        return [shapes.read(7, line).shape is shape]
    except ValueError:
        return []


def test_a_finding_of_the_judge_is_held_against_its_line_in_columns_too() -> None:
    says = [{"idx": 5, "code": "after_end", "part": "", "says": {"actor": str(STRANGER) + "0"}, "shows": {}}]
    one, other = (checked(LINES, 0, in_columns=on, judged={5: says}) for on in (True, False))
    assert one == other
    assert len(one.report.findings) == 1
