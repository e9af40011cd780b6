"""Reading OneRoster deliveries: what is wrong is told line by line, and nothing crashes."""

from __future__ import annotations

import contextlib
import csv
import json
import tracemalloc
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.samen.oneroster import Roster, read_roster
from deploy.samen.oneroster_batches import HINTS, batches, schools_of, slug_of
from deploy.samen.oneroster_leaving import Leaving
from deploy.samen.oneroster_records import BadFolder, Record, read_records
from services.network.roster import ImportRoster
from tests.network.deliveries import GOOD, add, deliver, manifest

TODAY = date(2026, 11, 23)


def read(folder: Path) -> Roster:
    scratch = folder / "scratch.db"
    scratch.unlink(missing_ok=True)
    return read_roster(folder, scratch)


def bodies(roster: Roster, slug: str = "linde") -> list[dict[str, Any]]:
    """The school's batches, each of them accepted by network's own model."""
    schools, wrong = schools_of(roster, [])
    assert wrong == []
    found = list(batches(roster, next(one for one in schools if one.slug == slug), TODAY))
    for body in found:
        ImportRoster.model_validate_json(json.dumps(body))
    return found


def refusals(roster: Roster) -> set[tuple[str, str]]:
    return {(one.at, one.code) for one in roster.issues if not one.note}


def test_a_good_delivery_becomes_batches_per_school(tmp_path: Path) -> None:
    roster = read(deliver(tmp_path))
    assert (roster.issues, roster.complete) == ([], True)
    organisations, adults, pupils = bodies(roster)
    assert organisations["organisations"] == [{"at": "orgs.csv:5", "sourced_id": "z1", "name": "Zorg, en meer"}]
    assert {one["sourced_id"]: one["roles"] for one in adults["persons"]} == {
        "g1": [],
        "g2": [],
        "i1": ["internal_coordinator"],
        "l1": [],
        "t1": ["teacher"],
    }
    assert pupils["persons"][0]["born_on"] == "2016-05-05"
    network = pupils["networks"][0]
    assert network["holders"] == ["g1"]
    assert {(one["person"], one["role"]) for one in network["links"]} == {
        ("g1", "guardian"),
        ("g2", "guardian"),
        ("l1", "therapist"),
        ("t1", "teacher"),
        ("i1", "internal_coordinator"),
    }
    iris = next(one for one in network["links"] if one["person"] == "t1")
    assert (iris["starts_on"], iris["ends_on"]) == ("2026-08-01", "2027-08-01")


def test_the_same_guardian_is_a_guardian_in_both_schools(tmp_path: Path) -> None:
    roster = read(deliver(tmp_path))
    adults, pupils = bodies(roster, "de-eik")
    assert [one["sourced_id"] for one in adults["persons"]] == ["g1"]
    assert pupils["networks"][0]["links"] == [{"at": "users.csv:3", "person": "g1", "role": "guardian"}]


USER = "x1,,,,,,{},{},,,{},,,{},,"
BROKEN = [
    ("users", USER.format("Jan", "", "", ""), "missing_name"),
    ("users", USER.format("Jan", "Y" * 201, "", ""), "too_long"),
    ("users", USER.format("Jan", "Smit", "geen adres", ""), "bad_email"),
    ("users", USER.format("Ja\0n", "Smit", "", ""), "control_character"),
    ("users", USER.format("Ja\x1bn", "Smit", "", ""), "control_character"),
    ("users", USER.format("Jan", "Smit", "", '"' + ",".join(f"a{n}" for n in range(60)) + '"'), "too_many_agents"),
    ("users", "x1,Jan", "ragged_row"),
    ("users", USER.format("Jan", "Smit", "", "") + ",more", "ragged_row"),
    ("users", USER.format('J"an"', "Smit", "", "").replace('J"an"', '"J"an"'), "unclosed_quote"),
    ("users", USER.format('"J"an', "Smit", "", ""), "bad_quotes"),
    ("users", USER.format('"Jan', "Smit", "", ""), "unclosed_quote"),
    ("users", "p1,,,,,,Noor,Dubbel,,,,,,,,", "duplicate_id"),
    ("users", ",,,,,,Noor,Zonder,,,,,,,,", "bad_id"),
    ("users", "x1,wellicht,,,,,Jan,Smit,,,,,,,,", "bad_status"),
    ("users", USER.format("J" * 70_000, "Smit", "", ""), "line_too_long"),
    ("users", "x1,,,,,,Jan,Smit,,,,,,,nergens,", "unknown_org"),
    ("roles", "r9,,,t1,,tovenaar,,,o1", "unknown_role"),
    ("roles", "r9,,,nobody,,teacher,,,o1", "unknown_user"),
    ("roles", "r9,,,t1,,teacher,,,nowhere", "unknown_org"),
    ("roles", "r9,,,t1,,teacher,01-08-2026,,o1", "bad_date"),
    ("roles", "r9,,,t1,,teacher,9999-01-01,,o1", "bad_date"),
    ("roles", "r9,,,t1,,teacher,2026-02-30,,o1", "bad_date"),
    ("roles", "r9,,,t1,,teacher,2026-03-01,2026-03-01,o1", "ends_before_start"),
    ("enrollments", "e9,,,c1,o1,ghost,student,,,", "unknown_user"),
    ("enrollments", "e9,,,,o1,p1,student,,,", "missing_class"),
]


@pytest.mark.parametrize(("file", "line", "code"), BROKEN)
def test_a_broken_line_is_named_and_nobody_is_ended_for_it(tmp_path: Path, file: str, line: str, code: str) -> None:
    good = GOOD[f"{file}.csv"]
    roster = read(deliver(tmp_path, **{file: add(file, line)}))
    assert refusals(roster) == {(f"{file}.csv:{good.count(chr(10)) + 1}", code)}
    assert not roster.complete
    assert code in HINTS


def test_lines_behind_an_unclosed_quote_are_still_read(tmp_path: Path) -> None:
    lines = GOOD["users.csv"].splitlines()
    lines[3:3] = ['x9,,,,,,"Open,Smit,,,,,,,,']
    roster = read(deliver(tmp_path, users="\n".join(lines) + "\n"))
    assert refusals(roster) == {("users.csv:4", "unclosed_quote")}
    assert next(body for body in bodies(roster) if body.get("networks"))["networks"][0]["child"] == "p1"


def test_a_bad_birthday_is_told_and_ends_nobody(tmp_path: Path) -> None:
    roster = read(deliver(tmp_path, demographics=add("demographics", "p2,,,gisteren,", "ghost,,,2016-01-01,")))
    assert refusals(roster) == {("demographics.csv:3", "bad_date"), ("demographics.csv:4", "unknown_user")}
    assert roster.complete


def test_an_agent_without_a_role_at_the_school_is_told(tmp_path: Path) -> None:
    roster = read(deliver(tmp_path, roles=GOOD["roles.csv"].replace("r5,,,g2,primary,relative,,,o1\n", "")))
    bodies(roster)
    assert refusals(roster) == {("users.csv:2", "agent_without_role")}


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: ("\n\n" + text).lstrip("\n").replace("\n", "\n\n").encode(),
    ],
    ids=["bom", "utf-16", "windows-1252", "crlf", "cr", "empty-lines"],
)
def test_files_come_in_many_encodings(tmp_path: Path, encode: Callable[[str], bytes]) -> None:
    users = GOOD["users.csv"].replace("Noor", "Zoë")
    roster = read(deliver(tmp_path, users=encode(users)))
    assert refusals(roster) == set()
    assert bodies(roster)[2]["persons"][0]["given_name"] == "Zoë"


def test_unreadable_letters_are_told_by_line(tmp_path: Path) -> None:
    users = GOOD["users.csv"].encode("utf-16")
    roster = read(deliver(tmp_path, users=users + b"\x00\xd8\x0a\x00"))
    assert {code for _, code in refusals(roster)} <= {"bad_encoding", "ragged_row"}
    assert refusals(roster)


def test_unknown_columns_are_noted_and_ignored(tmp_path: Path) -> None:
    text = "".join(f"{line},{'kleur' if n == 0 else 'blauw'}\n" for n, line in enumerate(GOOD["orgs.csv"].splitlines()))
    roster = read(deliver(tmp_path, orgs=text))
    assert [(one.code, one.note) for one in roster.issues] == [("unknown_columns", True)]
    assert roster.complete


@pytest.mark.parametrize(
    ("users", "code"),
    [
        ("", "no_header"),
        ("sourcedId,givenName\np1,Noor\n", "missing_column"),
        ("sourcedId,sourcedId,givenName,familyName\n", "duplicate_column"),
        ('sourcedId,"givenName,familyName\n', "bad_quotes"),
    ],
)
def test_a_file_without_a_right_header_is_refused_whole(tmp_path: Path, users: str, code: str) -> None:
    roster = read(deliver(tmp_path, users=users))
    assert ("users.csv:1", code) in refusals(roster)
    assert not roster.complete


def test_a_folder_that_lacks_files_says_which(tmp_path: Path) -> None:
    with pytest.raises(BadFolder, match=r"roles\.csv"):
        read(deliver(tmp_path, roles=None))
    roster = read(deliver(tmp_path / "b", enrollments=None))
    assert not roster.complete


def test_a_manifest_says_what_absence_means(tmp_path: Path) -> None:
    names = ("orgs", "users", "roles", "enrollments", "demographics")
    whole = read(deliver(tmp_path))
    assert (whole.complete, whole.delta, whole.issues) == (True, False, [])
    unsaid = read(deliver(tmp_path / "unsaid", manifest=None))
    (tmp_path / "unsaid/manifest.csv").unlink(missing_ok=True)
    assert unsaid.complete
    assert [(one.at, one.code, one.note) for one in unsaid.issues] == [("manifest.csv:1", "manifest_absent", True)]
    partly = read(deliver(tmp_path / "partly", enrollments=None))
    assert (partly.complete, partly.delta) == (False, False)
    for name in ("users", "roles", "enrollments"):
        changes = read(deliver(tmp_path / name, manifest=manifest(*names, **{name: "delta"})))
        assert (changes.complete, changes.delta) == (False, True)
        assert (f"{name}.csv:1", "file_delta") in {(one.at, one.code) for one in changes.issues}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"manifest\.csv:1: no_header"),
        ("name,value\n", r"manifest\.csv:1: missing_column"),
        ("propertyName,value\nfile.users,bulk,more\n", r"manifest\.csv:2: ragged_row"),
        ('propertyName,value\nfile.orgs,bulk\nfile.users,"bulk\n', r"manifest\.csv:3: unclosed_quote"),
        (manifest("orgs", users="all"), r"manifest\.csv:5: users\.csv must be bulk, delta or absent"),
        (manifest("orgs") + "file.orgs,delta\n", r"manifest\.csv:10: it speaks of orgs\.csv a second time"),
        ("propertyName,value\nfile.orgs,bulk\n", r"manifest\.csv:1: there is no line for users\.csv"),
        (manifest("orgs", "users"), r"manifest\.csv:6: it says that roles\.csv is absent, but it is there"),
        (
            manifest(*("orgs", "users", "roles", "enrollments", "demographics")),
            r"7: it says that enrollments\.csv is bulk",
        ),
    ],
)
def test_a_broken_manifest_is_refused_by_line(tmp_path: Path, text: str, says: str) -> None:
    lacks = {"enrollments": None} if "enrollments" in says else {}
    with pytest.raises(BadFolder, match=says):
        read(deliver(tmp_path, manifest=text, **lacks))


def test_enrollments_of_a_delta_are_refused_for_they_say_too_little(tmp_path: Path) -> None:
    names = ("orgs", "users", "roles", "enrollments", "demographics")
    roster = read(deliver(tmp_path, manifest=manifest(*names, enrollments="delta")))
    assert refusals(roster) == {(f"enrollments.csv:{n}", "enrollment_in_delta") for n in (2, 3, 4)}


def test_who_is_marked_as_deleted_is_in_no_network_whoever_names_them(tmp_path: Path) -> None:
    users = GOOD["users.csv"].replace("g2,,,", "g2,tobedeleted,,").replace("t1,,,", "t1,tobedeleted,,")
    roster = read(deliver(tmp_path, users=users))
    links = next(body for body in bodies(roster) if body.get("networks"))["networks"][0]["links"]
    assert {one["person"] for one in links if one.get("ends_on") != TODAY.isoformat()} == {"g1", "l1", "i1"}
    assert roster.issues == []


def test_slugs_come_from_the_option_the_identifier_or_the_name(tmp_path: Path) -> None:
    roster = read(deliver(tmp_path))
    assert [one.slug for one in schools_of(roster, [])[0]] == ["linde", "de-eik"]
    assert [one.slug for one in schools_of(roster, ["eik=o2"])[0]] == ["eik"]
    assert [one.org for one in schools_of(roster, ["de-eik"])[0]] == ["o2"]
    assert schools_of(roster, ["x=nope"])[1]
    assert schools_of(roster, ["nope"])[1]
    assert schools_of(roster, ["Bad Slug=o1"])[1]
    assert slug_of("École Zoë & Zn.") == "ecole-zoe-zn"


def test_memory_does_not_grow_with_the_delivery(tmp_path: Path) -> None:
    size = 4_000
    deliver(tmp_path)
    with (tmp_path / "users.csv").open("a") as users, (tmp_path / "roles.csv").open("a") as roles:
        for n in range(size):
            users.write(f"u{n},,,,,,Naam{n},Achter{n},,,,,,,,\n")
            roles.write(f"q{n},,,u{n},,guardian,,,o1\n")
    tracemalloc.start()
    roster = read(tmp_path)
    schools, _ = schools_of(roster, [])
    leaving, found, rows = Leaving(roster, schools[0], TODAY), 0, 0
    for body in batches(roster, schools[0], TODAY):
        found += len(leaving.want(body).get("persons", ()))
    stands = ({"id": f"m{n}", "person": f"u{n}", "child": None, "role": "teacher", "hand": False} for n in range(size))
    leaving.stands(stands)
    assert leaving.settle().links_ending == size
    for _ in leaving.ending():
        rows += 1
    for _ in roster.lines.report():
        rows += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found, rows) == (size + 6, 3 * size + 23)
    # SQLite's own page cache is bounded by its setting and not counted here.
    assert peak < 1_500_000


CELLS = st.text(alphabet=st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', ",", "\n", '""', "\0", "x" * 300]
)
LINES = st.lists(CELLS, max_size=18).map(",".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.binary(max_size=300) | st.lists(LINES, max_size=6).map(lambda lines: "\n".join(lines).encode()))
def test_no_bytes_whatever_break_the_reader(tmp_path: Path, tail: bytes) -> None:
    users = GOOD["users.csv"].encode()
    roster = read(deliver(tmp_path, users=users + tail))
    with contextlib.closing(roster.db):
        for issue in roster.issues:
            assert issue.code in HINTS
        for one in schools_of(roster, [])[0]:
            for body in batches(roster, one, TODAY):
                ImportRoster.model_validate_json(json.dumps(body))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    st.lists(
        st.lists(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=9), min_size=3, max_size=3),
        max_size=5,
    )
)
def test_well_written_records_come_back_as_they_were(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "orgs.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["sourcedId", "name", "type"], *rows])
    found = [one for one in read_records(path, ("sourcedId", "name", "type"), ()) if isinstance(one, Record)]
    assert [list(one.values.values()) for one in found] == [[cell.strip() for cell in row] for row in rows]
