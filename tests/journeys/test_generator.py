"""The made-up foundation: the same for the same seed, with every kind of family, and nobody in it by a real name."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from random import Random

import pytest

from deploy.demo.foundation import Family, make_foundation, team_of
from deploy.demo.names import MARK
from deploy.demo.oneroster import FILES, write_oneroster
from deploy.samen.oneroster import read_roster
from deploy.samen.oneroster_batches import batches, schools_of

TODAY = date(2026, 9, 1)


def test_the_same_seed_makes_the_same_foundation() -> None:
    one, same, other = (make_foundation(Random(seed), TODAY, 30) for seed in (5, 5, 6))
    assert one == same
    assert one != other


@pytest.mark.parametrize("children", [8, 12, 200])
def test_every_school_has_every_kind_of_family(children: int) -> None:
    foundation = make_foundation(Random(1), TODAY, children)
    assert len(foundation.pupils) == children
    for school in foundation.schools:
        kinds = {pupil.family for pupil in foundation.pupils_of(school.slug)}
        assert {Family.DIVORCED, Family.ONE_WITHOUT_AUTHORITY} <= kinds
        for pupil in foundation.pupils_of(school.slug):
            assert set(pupil.holders) <= set(pupil.guardians)
            assert pupil.family is not Family.DIVORCED or pupil.carers


def test_fewer_than_eight_children_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        make_foundation(Random(1), TODAY, 7)


def test_a_parent_and_a_professional_are_at_both_schools() -> None:
    foundation = make_foundation(Random(2), TODAY, 40)
    both = [one for one in foundation.persons.values() if len(one.roles) == 2]
    assert sorted(role.value for one in both for role in set(one.roles.values())) == ["guardian", "therapist"]


def test_nobody_turns_sixteen_on_the_way() -> None:
    for pupil in make_foundation(Random(3), TODAY, 300).pupils:
        age = (TODAY - pupil.born_on).days / 365.25
        assert age < 15.1 or 16.4 < age < 17


def test_every_name_carries_the_mark_that_leaks_are_found_by() -> None:
    for person in make_foundation(Random(4), TODAY, 200).persons.values():
        assert MARK in person.given
        assert MARK in person.family
        assert MARK in person.email


def test_the_roster_importer_reads_the_delivery_without_a_word(tmp_path: Path) -> None:
    foundation = make_foundation(Random(1), TODAY, 24)
    write_oneroster(foundation, tmp_path, TODAY)
    assert {path.stem for path in tmp_path.glob("*.csv")} == {*FILES, "manifest"}
    roster = read_roster(tmp_path, tmp_path / "scratch.db")
    schools, wrong = schools_of(roster, [])
    assert (roster.issues, wrong, roster.complete) == ([], [], True)
    networks = {
        network["child"]: network
        for school in schools
        for batch in batches(roster, school, TODAY)
        for network in batch.get("networks", ())
    }
    assert roster.issues == []
    roster.db.close()
    for pupil in foundation.pupils:
        school = next(one for one in foundation.schools if one.slug == pupil.school)
        linked = {link["person"] for link in networks[pupil.person.id]["links"]}
        assert linked == {*pupil.guardians, *pupil.carers, *team_of(school, pupil.group)}
        assert set(networks[pupil.person.id]["holders"]) == set(pupil.holders)


def test_every_row_of_the_delivery_has_as_many_fields_as_its_header(tmp_path: Path) -> None:
    write_oneroster(make_foundation(Random(1), TODAY, 24), tmp_path, TODAY)
    for path in tmp_path.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file))
        assert rows
        assert {len(row) for row in rows} == {len(header)}, path.name
