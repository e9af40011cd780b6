"""The forms a pack gives its lines in beside their own: Parquet, FHIR AuditEvents, findings, and a page for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any

import pytest

from deploy.pack.fhir import audit_event
from deploy.pack.layout import EVENTS, FINDINGS, FORMAT, MANIFEST, PAGES, PARQUET, Manifest, entry_of
from deploy.pack.page import page
from deploy.pack.parquet import HOW, available
from deploy.pack.tally import Tally
from deploy.pack.words import FINDINGS as CODES
from deploy.pack.words import LABELS, TEXTS
from deploy.pack.writer import PackWriter
from services.audit.model import line_of
from shared.events.words import Basis, Category, Outcome, Purpose, Role
from shared.tlog.trust import pem_of
from tests.audit.packs import POLICY_TEXT, checked, entries_of, make, note_of
from tests.audit.support import CARER, KEY, Journal, pseudonym
from tests.audit.tampering import Scene, mend

SCHOOL = "de-eik"
NASTY = "<script>alert(1)</script>\"'&"
needs_parquet = pytest.mark.skipif(not available(), reason="pyarrow is not installed")


def found_in(folder: Path) -> set[str]:
    return {one.file for one in checked(folder).findings}


def refit(folder: Path) -> None:
    """Has the manifest fit again, as who tampers can."""
    mend(Scene(folder, folder, [], Random(0)), table=False)


def make_with(folder: Path, *found: dict[str, Any], count: int = 60) -> list[bytes]:
    entries = entries_of(SCHOOL, count)
    note = note_of(SCHOOL, entries)
    with PackWriter(folder, note, 0, count) as writer:
        writer.entries(entries)
        writer.checkpoints([note])
        writer.findings(found)
        writer.finish(pem_of(KEY.public_key()), POLICY_TEXT.encode())
    return entries


def finding(idx: int, **says: object) -> dict[str, Any]:
    return {"idx": idx, "code": "after_end", "part": "", "says": says, "shows": {"valid_until": "2026-03-01"}, "at": 1}


# FHIR -----------------------------------------------------------------------------------------------------------------


def test_a_look_is_a_fhir_audit_event_with_who_what_why_and_on_what_ground() -> None:
    event = Journal(SCHOOL).viewed(
        CARER, basis=Basis.CONSENT, consent=pseudonym(60), consent_version=4, role=Role.CARE_PROFESSIONAL,
        organisation=pseudonym(61), purpose=Purpose.CARE_COORDINATION, emergency=True,
    )  # fmt: skip
    told = json.loads(audit_event(7, entry_of(line_of(event).entry.encode())))
    assert (told["resourceType"], told["id"], told["action"], told["outcome"]) == (
        "AuditEvent", str(event.id), "R", "0",
    )  # fmt: skip
    assert told["type"]["code"] == "rest"
    assert told["recorded"] == event.content["recordedat"]
    assert [one["coding"][0]["code"] for one in told["purposeOfEvent"]] == ["COC", "BTG"]
    who, organisation = told["agent"]
    assert who["who"] == {
        "type": "Practitioner",
        "identifier": {"system": "urn:samenkracht:person", "value": str(CARER)},
    }
    assert (who["requestor"], organisation["requestor"]) == (True, False)
    assert who["role"][0]["coding"][0]["code"] == "care_professional"
    assert f"urn:samenkracht:grant:{pseudonym(90)}" in who["policy"]
    patient, touched, consent = told["entity"]
    assert (patient["what"]["type"], patient["role"]["code"]) == ("Patient", "1")
    assert touched["securityLabel"][0]["coding"][0]["code"] == "goals"
    assert consent["what"]["identifier"]["value"] == str(pseudonym(60))
    assert consent["detail"][0]["valueString"] == "4"


def test_a_refusal_has_an_outcome_and_every_resource_has_what_r4_asks() -> None:
    journal = Journal(SCHOOL)
    refused = json.loads(audit_event(0, entry_of(line_of(journal.denied()).entry.encode())))
    assert (refused["outcome"], refused["outcomeDesc"]) == ("4", "no_grant")
    for idx, entry in enumerate(entries_of(SCHOOL, 50)):
        told = json.loads(audit_event(idx, entry_of(entry)))
        assert {"type", "recorded", "agent", "source"} <= set(told), "1..1 and 1..* in R4"
        assert all("requestor" in agent for agent in told["agent"])
        assert "observer" in told["source"]
        assert not any("name" in one and "query" in one for one in told["entity"])


# Parquet --------------------------------------------------------------------------------------------------------------


@needs_parquet
def test_the_parquet_file_has_the_lines_with_their_types(tmp_path: Path) -> None:
    from pyarrow import parquet

    entries = entries_of(SCHOOL, 300)
    make(tmp_path / "p", SCHOOL, entries, 40, 300)
    rows = parquet.read_table(tmp_path / "p" / PARQUET).to_pylist()
    assert [row["idx"] for row in rows] == list(range(40, 300))
    for row, entry in zip(rows, map(entry_of, entries[40:]), strict=True):
        assert (row["seq"], row["emergency"], row["actor"]) == (entry["seq"], entry["emergency"], entry["actor"])
        assert row["occurred_at"].isoformat() == entry["occurred_at"].replace(".000000Z", "+00:00")
        assert row["basis"] == entry.get("basis")


@needs_parquet
def test_a_row_of_parquet_that_was_changed_dropped_or_added_is_found_even_if_the_manifest_fits(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    make(tmp_path / "good", SCHOOL, entries_of(SCHOOL, 300))
    good = parquet.read_table(tmp_path / "good" / PARQUET)
    place = good.schema.get_field_index("purpose")
    purposes = good.column("purpose").to_pylist()
    changed = good.set_column(place, "purpose", pa.array([*purposes[:77], "transfer", *purposes[78:]]))
    for n, harmed in enumerate((changed, good.slice(0, 299), pa.concat_tables([good, good.slice(0, 1)]))):
        folder = tmp_path / str(n)
        make(folder, SCHOOL, entries_of(SCHOOL, 300))
        parquet.write_table(harmed, folder / PARQUET, write_statistics=False, store_schema=False, row_group_size=300)
        refit(folder)
        assert found_in(folder) == {PARQUET}


@needs_parquet
def test_a_pack_without_parquet_is_whole_and_one_that_cannot_be_read_here_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "with", SCHOOL, entries_of(SCHOOL, 30))
    monkeypatch.setattr("deploy.pack.parquet.find_spec", lambda _: None)
    make(tmp_path / "without", SCHOOL, entries_of(SCHOOL, 30))
    assert not (tmp_path / "without" / PARQUET).exists()
    assert checked(tmp_path / "without").findings == []
    (told,) = checked(tmp_path / "with").findings
    assert (told.file, HOW in told.what) == (PARQUET, True)


# Findings -------------------------------------------------------------------------------------------------------------


def test_findings_are_in_the_pack_and_must_fit_their_lines(tmp_path: Path) -> None:
    entries = make_with(tmp_path / "p", finding(9), finding(3))
    told = [json.loads(line) for line in (tmp_path / "p" / FINDINGS).read_bytes().splitlines()]
    assert [(one["idx"], sorted(one)) for one in told] == [
        (n, ["code", "idx", "part", "says", "shows"]) for n in (3, 9)
    ]
    assert checked(tmp_path / "p").findings == []
    make_with(tmp_path / "true", finding(3, actor=entry_of(entries[3])["actor"]))
    assert checked(tmp_path / "true").findings == []
    make_with(tmp_path / "lie", finding(3, actor="somebody else"))
    assert found_in(tmp_path / "lie") == {FINDINGS}


@pytest.mark.parametrize(
    "harm",
    [
        lambda lines: [lines[1], lines[0]],
        lambda lines: [*lines, lines[1]],
        lambda lines: [b"{}\n", *lines],
        lambda _: [b"null\n"],
        lambda _: [b"[" * 100_000 + b"\n"],
        lambda lines: [lines[0].replace(b'"idx": 3', b'"idx": 3000')],
        lambda lines: [lines[0].replace(b'"idx": 3', b'"idx":3')],
        lambda lines: lines[:1],
    ],
)
def test_findings_that_are_not_laid_out_as_they_must_be_are_found(
    harm: Callable[[list[bytes]], list[bytes]], tmp_path: Path
) -> None:
    make_with(tmp_path / "p", finding(9), finding(3))
    path = tmp_path / "p" / FINDINGS
    path.write_bytes(b"".join(harm(path.read_bytes().splitlines(keepends=True))))
    refit(tmp_path / "p")
    assert found_in(tmp_path / "p"), "it does not fit the lines, or the reports do not fit it"


@pytest.mark.parametrize("name", [EVENTS, *PAGES.values()])
def test_what_follows_from_the_lines_cannot_be_changed_even_if_the_manifest_fits(name: str, tmp_path: Path) -> None:
    make_with(tmp_path / "p", finding(3))
    content = (tmp_path / "p" / name).read_bytes()
    (tmp_path / "p" / name).write_bytes(content.replace(b"goals", b"plans").replace(b"60", b"61"))
    refit(tmp_path / "p")
    assert found_in(tmp_path / "p") == {name}


# The page -------------------------------------------------------------------------------------------------------------


class Read(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Read:
    found = Read()
    found.feed(html)
    return found


def tallied(**more: object) -> Tally:
    tally = Tally()
    for entry in map(entry_of, entries_of(SCHOOL, 200)):
        tally.take(entry | more)
    return tally


@pytest.mark.parametrize("language", PAGES)
def test_the_page_counts_what_the_lines_say_and_loads_nothing(language: str) -> None:
    entries = [entry_of(entry) for entry in entries_of(SCHOOL, 200)]
    refused = sum(entry["outcome"] == "denied" for entry in entries)
    found = read(page(Manifest("samenkracht/wijzer/de-eik", SCHOOL, 200, "ab", 0, 200), tallied(), [], language))
    assert not {"script", "link", "img", "iframe", "object", "form", "a"} & set(found.tags)
    assert "default-src 'none'" in str(found.attributes)
    assert not any(name.startswith("on") or "//" in (value or "") for name, value in found.attributes)
    for number in (200, 200 - refused, refused):
        assert str(number) in found.text
    assert "de-eik" in found.text
    words = ("leraar", "geweigerd") if language == "nl" else ("teacher", "refus")
    assert all(word in found.text for word in words)


def test_nothing_in_a_line_a_finding_or_a_name_becomes_a_tag() -> None:
    nasty = dict.fromkeys(("role", "category", "purpose", "basis", "actor", "occurred_at"), NASTY)
    one = {"idx": 1, "code": NASTY, "part": "", "says": {"actor": NASTY}, "shows": {"valid_until": [NASTY]}}
    tally = tallied(**nasty)
    tally.take(nasty | {"outcome": "denied", "reason": NASTY, "type": "", "emergency": False})
    tally.find([NASTY])
    made = Manifest(NASTY, NASTY, 1, NASTY)
    plain = read(page(made, tallied(), [one | {"code": "x", "says": {}, "shows": {}}], "nl"))
    found = read(page(made, tally, [one], "nl"))
    assert "script" not in found.tags
    assert set(found.tags) <= set(plain.tags) | {"code", "br"}
    assert NASTY in found.text


def test_a_tally_by_week_has_every_week_between() -> None:
    tally = Tally()
    entry = entry_of(entries_of(SCHOOL, 1)[0]) | {"outcome": "permitted", "type": "nl.x.goals.access.viewed.v1"}
    for day in ("2026-03-01", "2026-03-16", "2026-03-22"):
        tally.take(entry | {"occurred_at": f"{day}T09:00:00.000000Z"})
    assert tally.weeks() == ["2026-02-23", "2026-03-02", "2026-03-09", "2026-03-16"]
    assert tally.looks["2026-03-16", str(entry["role"])] == 2


@pytest.mark.parametrize("weeks", [1, 2, 6, 26, 27, 52])
def test_no_date_below_a_chart_runs_out_of_the_picture(weeks: int) -> None:
    tally = Tally()
    entry = entry_of(entries_of(SCHOOL, 1)[0]) | {"outcome": "permitted", "type": "nl.x.goals.access.viewed.v1"}
    for n in range(weeks):
        day = date(2026, 1, 5) + timedelta(weeks=n)
        tally.take(entry | {"occurred_at": f"{day}T09:00:00.000000Z"})
    html = page(Manifest("samenkracht/wijzer/de-eik", SCHOOL, 200, "ab", 0, 200), tally, [], "nl")
    at = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="228">', html)]
    assert at, "no dates"
    assert max(at) <= 760 - 72


def test_every_code_has_a_word_in_both_languages() -> None:
    for words in (Role, Category, Purpose, Basis):
        assert {str(one.value) for one in words} <= set(LABELS), words
    assert Outcome.DENIED
    assert all(all(pair) for pair in (*LABELS.values(), *TEXTS.values()))


def test_the_same_lines_give_the_same_pack_as_long_as_it_is_of_the_same_format(tmp_path: Path) -> None:
    """Red by intent after a change of a form or a word: raise FORMAT, and put the new digest here."""
    made = make(tmp_path / "p", SCHOOL, entries_of(SCHOOL, 300))
    told = {name: facts for name, facts in made.files.items() if name != PARQUET}  # its bytes are its library's
    words = [dict(known) for known in (LABELS, CODES, TEXTS)]
    digest = sha256(json.dumps([told, words], sort_keys=True).encode()).hexdigest()[:16]
    assert (FORMAT, digest) == ("samenkracht-audit-pack/2", "cd668378e62a438b")


def test_a_pack_of_another_format_is_not_called_tampered_with(tmp_path: Path) -> None:
    make(tmp_path / "p", SCHOOL, entries_of(SCHOOL, 20))
    manifest = tmp_path / "p" / MANIFEST
    manifest.write_text(manifest.read_text().replace(FORMAT, "samenkracht-audit-pack/9"))
    (found,) = checked(tmp_path / "p").findings
    assert (found.file, "take the version that wrote it" in found.what) == (MANIFEST, True)
