"""The picture of a network: nothing on top of anything, nothing told by colour, and the same in text."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.samen.ecogram import CENTRE, CHARACTER, NODE, WIDEST, draw, members_of, place_members
from deploy.samen.ecogram_words import ROLES, STRENGTHS, as_text

SVG = "{http://www.w3.org/2000/svg}"
HOME, CARE = {"guardian"}, {"therapist", "care_professional"}
Box = tuple[float, float, float, float]


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own


def setting(role: str) -> str:
    return "home" if role in HOME else "care" if role in CARE else "school"


def network(count: int, name: str = "Wilhelmina van der Meer-Haverkamp-Jansen", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A network of so many, with the longest labels that there are."""
    roles = list(ROLES)
    members = [
        {
            "membership": f"m{number}",
            "person": f"p{number}",
            "given_name": name,
            "family_name": str(number),
            "role": roles[number % len(roles)],
            "setting": setting(roles[number % len(roles)]),
            "organisation_name": "Zorggroep Samen Sterk Noord-Holland",
            "status": "suspended",
            "mandate": None,
            "until": "2026-12-31T23:00:00+00:00",
        }
        for number in range(count)
    ]
    strengths = list(STRENGTHS)
    ties = [
        {"from": f"p{number}", "to": to, "strength": strengths[number % 5], "version": 1, "stated_at": ""}
        for number in range(count)
        for to in ("kim", f"p{(number * 3 + 1) % count}")
        if to != f"p{number}"
    ]
    return {"child": "kim", "given_name": "Kim", "family_name": "Jansen", "members": members, "ties": ties, **more}


def texts(svg: ET.Element) -> list[tuple[str, Box]]:
    """Returns every text with the box that it takes at most."""
    found = []
    for one in svg.iter(f"{SVG}text"):
        words, size = one.text or "", float(one.get("font-size", "13"))
        x, y, wide = float(one.get("x", "0")), float(one.get("y", "0")), len(words) * CHARACTER * size / 13
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[one.get("text-anchor", "start")]
        found.append((words, (left, y - size * 0.8, left + wide, y + size * 0.22)))
    return found


def meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 13, 20, 40])
@pytest.mark.parametrize("language", ["nl", "en"])
def test_no_text_lies_on_another_or_outside_the_picture(count: int, language: str) -> None:
    svg = parse(draw(network(count), language))
    found = texts(svg)
    assert len(found) >= 5 * count
    wide, high = float(svg.get("width", "0")), float(svg.get("height", "0"))
    for words, box in found:
        assert 0 <= box[0] < box[2] <= wide, words
        assert 0 <= box[1] < box[3] <= high, words
    for (words, box), (others, other) in combinations(found, 2):
        assert not meet(box, other), f"{words} | {others}"


@pytest.mark.parametrize("count", [1, 3, 8, 20, 40])
def test_members_stand_on_a_circle_apart_from_each_other_and_the_child(count: int) -> None:
    places = place_members(members_of(network(count), "nl"))
    assert len(places) == count
    radii = {round((place.x**2 + place.y**2) ** 0.5, 6) for place in places}
    assert len(radii) == 1
    assert radii.pop() > CENTRE + 10 * NODE
    for one, other in combinations(places, 2):
        assert abs(one.y - other.y) >= 4 * NODE or one.side != other.side
        assert (one.x - other.x) ** 2 + (one.y - other.y) ** 2 > (3 * NODE) ** 2
    home = {place.side for place in places if place.member.setting == "home"}
    assert home <= {-1}


def test_one_person_with_two_roles_is_one_sign_with_both() -> None:
    data = network(3)
    data["members"][1]["person"] = "p0"
    members = members_of(data, "en")
    assert len(members) == 2
    assert "guardian, teacher" in {line for one in members for line in one.lines}


def test_nothing_is_told_by_colour_and_every_strength_has_its_own_form() -> None:
    svg = draw(network(20))
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) <= {"black", "white", "none", "#777"}
    forms = {}
    for strength in STRENGTHS:
        data = network(1)
        data["ties"] = [{"from": "p0", "to": "kim", "strength": strength}]
        spoke = parse(draw(data)).find(f"{SVG}polyline")
        assert spoke is not None
        zigzag = len((spoke.get("points") or "").split()) > 2
        forms[strength] = (spoke.get("stroke-width"), spoke.get("stroke-dasharray"), zigzag)
    assert len(set(forms.values())) == len(STRENGTHS)


def test_the_text_alternative_says_all_that_the_picture_shows() -> None:
    data = network(8, name="Ans")
    for language, place in (("nl", 0), ("en", 1)):
        svg = parse(draw(data, language))
        told = as_text(data, language)
        assert svg.findtext(f"{SVG}desc") == told
        assert (svg.findtext(f"{SVG}title") or "").endswith("Kim Jansen")
        for one in data["members"]:
            assert f"Ans {one['family_name']}: {ROLES[one['role']][place]}" in told
        assert told.count("\n- ") == len(data["members"]) + len(data["ties"])
        assert "2027-01-01" in told, "the first Dutch day on which it is over"


def test_an_empty_network_says_so() -> None:
    assert "nog niemand" in as_text(network(0))
    assert parse(draw(network(0))).findtext(f"{SVG}title")


NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=200)
"""What shared.text lets through."""
NOT_IN_XML = str.maketrans("", "", "\ufffe\uffff")


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, st.integers(0, 9))
def test_any_name_makes_a_sound_picture_and_is_whole_in_the_text(name: str, child: str, count: int) -> None:
    data = network(count, name=name, given_name=child)
    svg = parse(draw(data))
    desc = svg.findtext(f"{SVG}desc") or ""
    assert child.translate(NOT_IN_XML) in desc
    assert desc.count(f"{name} ".translate(NOT_IN_XML)) >= count
    assert max((len(words) for words, _ in texts(svg)), default=0) <= max(WIDEST, 60)
