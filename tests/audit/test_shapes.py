"""Lines that are read by their shape give the same as those read one by one, and no other line passes for one."""

from __future__ import annotations

from random import Random
from typing import Any

import pydantic_core
import pytest

from deploy.pack.derived import Derived
from deploy.pack.fhir import audit_event
from deploy.pack.layout import HEADER, entry_of, row
from deploy.pack.shapes import Read, Shapes, entry_in, lane_of
from deploy.pack.tally import Tally
from services.audit.model import line_of
from shared.events.words import school_subject
from tests.audit.packs import entries_of
from tests.audit.support import Journal

SCHOOL = "de-eik"
ODD: tuple[Any, ...] = (
    *("=1+1", "-2", "+3", "@x", "a,b", 'a "b"', "a\\b", "a\nb", "a\tb", "\u00e9", "\ue000", "\ue0001\ue001", "%s", "%"),
    *("", " ", "00", "0", 0, -1, 7, 2**53 - 1, 10**15, 10**16, True, False, "true", "\x7f"),
)


def canonical(entry: dict[str, Any]) -> bytes:
    return pydantic_core.to_json(dict(sorted(entry.items())))


def derived(reads: list[Read]) -> tuple[dict[str, bytes], Tally]:
    out: dict[str, bytes] = {}
    made = Derived(lambda name, more: out.update({name: out.get(name, b"") + more}), lambda _: None)
    for idx, read in enumerate(reads):
        made.take(idx, read)
    made.flush()
    return out, made.tally


def plainly(lines: list[bytes]) -> list[Read]:
    return [Read(None, (), entry_of(line)) for line in lines]


def same(lines: list[bytes]) -> list[Read]:
    """Reads lines by their shapes, and holds all that follows against the plain way."""
    shapes = Shapes()
    reads = [shapes.read(idx, line) for idx, line in enumerate(lines)]
    fast, fast_tally = derived(reads)
    slow, slow_tally = derived(plainly(lines))
    assert fast == slow
    for name in (
        "lines",
        "first_at",
        "last_at",
        "people",
        "children",
        "looks",
        "refused",
        "why_refused",
        "emergencies",
    ):
        assert getattr(fast_tally, name) == getattr(slow_tally, name), name
    assert [fast_tally.by(what) for what in ("category", "basis")] == [slow_tally.by(w) for w in ("category", "basis")]
    for idx, (line, read) in enumerate(zip(lines, reads, strict=True)):
        entry = entry_of(line)
        assert entry_in(read, line) == entry
        assert lane_of(read) == (entry["producer"], entry["seq"], entry["school"])
        if read.shape is not None:
            assert derived([read])[1] == derived(plainly([line]))[1]
            assert read.shape.row.of(read.cells).encode() == row(idx, entry)
            assert read.shape.event.of(read.cells).encode() == audit_event(idx, entry)
    return reads


def test_what_follows_is_the_same_and_nearly_all_lines_are_of_a_shape() -> None:
    lines = entries_of(SCHOOL, 3000)
    reads = same(lines)
    assert sum(read.shape is not None for read in reads) > 2900
    assert derived(reads)[0]["lines.csv"].startswith(HEADER)


def test_lines_about_the_school_and_of_all_kinds_of_acts_are_told_as_they_are() -> None:
    journal = Journal(SCHOOL)
    for number in range(60):
        about = school_subject(SCHOOL) if number % 3 else None
        more: dict[str, Any] = {"operator": f"op-{number}"} if number % 5 == 0 else {}
        more |= {"consent_version": number, "emergency": number % 7 == 0}
        journal.viewed(about=about, **more) if about else journal.viewed(**more)
    reads = same([line_of(event).entry.encode() for event in journal.events])
    assert any(read.shape is not None and not read.shape.about for read in reads), "control: of the school"


@pytest.mark.parametrize(
    "name", ["actor", "about", "thing", "what", "operator", "things", "seq", "occurred_at", "role", "later"]
)
def test_no_value_makes_a_difference(name: str) -> None:
    """Each odd value among plain lines of the same names, before and after a shape of them is known."""
    random = Random(name)
    lines = []
    for line in entries_of(SCHOOL, 40):
        entry = entry_of(line)
        if name in {"later", "operator", "thing"}:
            entry[name] = "x1"
        lines.append(canonical(entry))
        for odd in random.sample(ODD, 12):
            kinds: dict[str, tuple[type, ...]] = {"seq": (int,), "things": (int,), "occurred_at": (str,)}
            if type(odd) in kinds.get(name, (str, int, bool)):
                lines.append(canonical(entry | {name: odd}))
    same(lines)


def test_no_line_passes_for_one_of_a_shape_that_is_not_in_canonical_form() -> None:
    shapes = Shapes()
    lines = entries_of(SCHOOL, 200)
    for idx, line in enumerate(lines):
        shapes.read(idx, line)
    good = lines[150]
    assert shapes.read(0, good).shape is not None
    seq = b'"seq":%d' % entry_of(good)["seq"]
    for old, new in (
        (seq, seq.replace(b":", b":0")), (seq, seq + b".0"), (seq, b'"seq":'), (seq, seq.replace(b":", b": ")),
        (seq, seq.replace(b":", b":-")), (seq, b'"seq":1e2'), (seq + b",", seq + b" ,"), (b'"v":1', b'"v":1,"v":1'),
        (b"{", b"{ "), (b"}", b"}}"), (b"}", b""), (b'"epoch":1', b'"epoch":null'), (b'"epoch":1', b'"epoch":[1]'),
        (b'"emergency":false', b'"emergency":False'), (b'"portal"', b'"por\\u0074al"'), (b'"portal"', b'"por\ttal"'),
        (b'"about":"0', b'"about":"\x000'), (b'"about":"0', b'"about":"\\"0'), (b'"portal"', b'"portal\xff"'),
        (b'","', b'\\","'),
    ):  # fmt: skip
        harmed = good.replace(old, new, 1)
        assert harmed != good, old
        try:
            wanted: object = entry_of(harmed)
        except ValueError:
            wanted = ValueError
        try:
            read = shapes.read(0, harmed)
        except ValueError:
            assert wanted is ValueError, new
        else:
            assert wanted is not ValueError, new
            assert entry_in(read, harmed) == wanted
