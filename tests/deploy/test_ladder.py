"""A ladder's picture: each level named, nothing on anything else, nothing told by colour alone, and all in text too."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deploy.samen.__main__ import app
from deploy.samen.ladder_data import LONGEST, Ladder, Score, spans_apart, ticks
from deploy.samen.ladder_svg import CHARACTER, LOOKS, Frame, draw
from deploy.samen.ladder_words import as_text
from tests.deploy.fakes import FakeClient, fake_client

SVG = "{http://www.w3.org/2000/svg}"
DAY = date(2026, 1, 12)
LEVELS = ["nooit", "met hulp een zin", "elke dag een bladzijde met hulp", "een bladzijde zelf", "een hoofdstuk zelf"]
LONG = " ".join(["overgangssituatiebegeleidingsafspraken van school en thuis"] * 9)[:498]
Box = tuple[float, float, float, float]
GOAL: dict[str, Any] = {"statement": "Ik wil lezen", "ladder": LEVELS, "baseline": -1, "target_on": "2026-06-30"}


def raw(setting: str, level: int, days: int, in_error_at: str | None = None) -> dict[str, Any]:
    on = (DAY + timedelta(days=days)).isoformat()
    return {"setting": setting, "level": level, "observed_on": on, "in_error_at": in_error_at}


def many(count: int, *settings: str) -> list[dict[str, Any]]:
    random = Random(count)
    return [raw(random.choice(settings), random.randint(-2, 2), number * 2) for number in range(count)]


CASES: dict[str, Ladder] = {
    "none": Ladder.of(GOAL, []),
    "one": Ladder.of(GOAL, [raw("home", -1, 0)]),
    "200": Ladder.of(GOAL, many(200, *LOOKS), older=31),
    "200 of one": Ladder.of(GOAL, many(200, "school")),
    "all on one level": Ladder.of(GOAL, [raw(setting, 0, number) for number in range(9) for setting in LOOKS]),
    "one day": Ladder.of({**GOAL, "target_on": "2026-01-12"}, [raw(setting, 1, 0) for setting in LOOKS]),
    "long": Ladder.of(
        {**GOAL, "statement": LONG * 2, "ladder": [LONG] * 5, "target_on": "2199-07-01"}, many(30, "care")
    ),
    "past": Ladder.of({**GOAL, "target_on": "2020-01-01", "baseline": 2}, many(9, "child"), older=1),
}


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own


def texts(svg: ET.Element) -> list[tuple[str, Box]]:
    """Returns every text with the box that it takes at most."""
    found = []
    for one in svg.iter(f"{SVG}text"):
        words, size = one.text or "", float(one.get("font-size", "12"))
        x, y, wide = float(one.get("x", "0")), float(one.get("y", "0")), len(words) * CHARACTER * size / 12
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[one.get("text-anchor", "start")]
        found.append((words, (left, y - size * 0.78, left + wide, y + size * 0.2)))
    return found


def meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("language", ["nl", "en"])
def test_no_text_lies_on_another_or_outside_the_picture(name: str, language: str) -> None:
    svg = parse(draw(CASES[name], language))
    wide, high = float(svg.get("width", "0")), float(svg.get("height", "0"))
    found = texts(svg)
    for words, box in found:
        assert 0 <= box[0] < box[2] <= wide + 8, words  # the axis' last day may stand out of the bands
        assert 0 <= box[1] < box[3] <= high, words
    for (words, box), (others, other) in combinations(found, 2):
        assert not meet(box, other), f"{words} | {others}"


@pytest.mark.parametrize("name", CASES)
def test_each_level_is_named_on_the_axis_by_its_own_words_and_in_its_own_band(name: str) -> None:
    ladder = CASES[name]
    found = dict(texts(parse(draw(ladder))))
    tops = [found[number][1] for number in ("+2", "+1", "0", "\N{MINUS SIGN}1", "\N{MINUS SIGN}2")]
    assert tops == sorted(tops)
    for words in ladder.levels:
        assert any(words.startswith(each.rstrip("…")) or each in words for each in found), words


@pytest.mark.parametrize("name", [name for name in CASES if name not in {"none", "long"}])
def test_signs_of_different_settings_never_lie_on_each_other(name: str) -> None:
    ladder = CASES[name]
    frame = Frame.of(ladder, {level: [""] for level in range(-2, 3)})
    lanes = {(one.setting, one.level): frame.y(one.level, LOOKS[one.setting][2]) for one in ladder.scores}
    for one, other in combinations(lanes.values(), 2):
        assert abs(one - other) > 13
    for (_, level), y in lanes.items():
        assert frame.tops[level] + 6 < y < frame.tops[level] + frame.heights[level] - 6


def test_settings_differ_by_sign_and_by_line_and_every_colour_is_dark_on_white() -> None:
    svg = draw(CASES["all on one level"])
    assert len({dashes for _, dashes, _ in LOOKS.values()}) == len(LOOKS)
    shapes = {kind: len(parse(svg).findall(f"{SVG}{kind}")) for kind in ("circle", "polygon")}
    assert shapes == {"circle": 9 + 1, "polygon": 2 * (9 + 1)}
    colours = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]+)"', svg)) - {"#f2f2f2"}
    assert colours >= {colour for colour, _, _ in LOOKS.values()}
    for colour in colours:
        assert contrast(colour, "#f2f2f2") >= 4.5, colour


def contrast(one: str, other: str) -> float:
    """Returns the contrast of two colours (WCAG 2.2, 1.4.3)."""

    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_text_alternative_is_whole_and_names_all_that_is_drawn() -> None:
    scores = [raw("home", -2, 0), raw("school", 1, 5), raw("home", 2, 7, "2026-02-01"), raw("home", 0, 9)]
    ladder = Ladder.of({**GOAL, "ladder": [LONG, *LEVELS[1:]]}, scores, older=3)
    svg = parse(draw(ladder, "nl", "second"))
    assert svg.get("aria-labelledby") == "second-title second-desc"
    assert svg.findtext(f"{SVG}title") == "Doel: Ik wil lezen"
    told = svg.findtext(f"{SVG}desc") or ""
    assert told == as_text(ladder, "nl")
    for words in (
        LONG,
        "17 jan 2026, school: +1",
        "Begin: trede \N{MINUS SIGN}1",
        "30 jun 2026",
        "tellen: 1",
        "staan: 3",
    ):
        assert words in told
    assert "Van 17 jan 2026 tot 21 jan 2026 lagen twee kanten 2 treden of meer uit elkaar." in told
    assert "19 jan" not in told, "what was entered in error is not there"
    assert "nog geen scores" in as_text(CASES["none"])


def test_when_settings_are_apart_is_a_bar_from_the_day_they_part_to_the_day_they_meet() -> None:
    scores = [raw("home", -1, 0), raw("school", 1, 4), raw("care", 0, 6), raw("school", 0, 8), raw("care", 2, 10)]
    ladder = Ladder.of(GOAL, scores)
    days = [DAY + timedelta(days=number) for number in (4, 8, 10)]
    assert ladder.apart == ((days[0], days[1]), (days[2], None))
    assert len(parse(draw(ladder)).findall(f"{SVG}g")) == 2
    same_day = [Score("home", -1, DAY), Score("school", 2, DAY), Score("school", 0, DAY)]
    assert spans_apart(same_day) == (), "of one day the last word counts"


@given(
    st.lists(st.tuples(st.sampled_from(sorted(LOOKS)), st.integers(-2, 2), st.integers(0, 40_000)), max_size=40),
    st.dates(date(2000, 1, 1), date(2150, 1, 1)),
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=200),
)
def test_any_goal_makes_a_sound_picture_with_all_signs_in_it(scores: list[Any], target: date, words: str) -> None:
    listed = [raw(setting, level, days) for setting, level, days in sorted(scores, key=lambda one: one[2])]
    goal = {**GOAL, "statement": words, "ladder": [words] * 5, "target_on": target.isoformat()}
    ladder = Ladder.of(goal, listed)
    svg = parse(draw(ladder))
    wide, high = float(svg.get("width", "0")), float(svg.get("height", "0"))
    for one in svg.findall(f"{SVG}circle"):
        assert 0 < float(one.get("cx", "-1")) < wide
        assert 0 < float(one.get("cy", "-1")) < high
    first, last = ladder.days()
    named = ticks(first, last, 6)
    assert len(named) <= 7
    assert all(first <= day <= last for day in named)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 36_000), st.integers(2, 9))
def test_an_axis_names_few_days_all_of_them_on_it(first: date, span: int, most: int) -> None:
    named = ticks(first, first + timedelta(days=span), most)
    assert 1 <= len(named) <= max(most, 2) or span < 32
    assert named == sorted(set(named))


def test_a_target_far_away_does_not_squeeze_the_scores() -> None:
    ladder = Ladder.of({**GOAL, "target_on": (DAY + 2 * LONGEST).isoformat()}, many(9, "home"))
    assert ladder.days()[1] == ladder.scores[-1].on
    assert "streefdatum" in draw(ladder)


WHO = ("--school", "the-oak", "--as", str(UUID(int=2, version=4)))
ASKED = ["goals", "ladder", str(UUID(int=1, version=4)), *WHO]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    goal = {"goal": GOAL, "scores": many(3, "home"), "older_scores": 0, "scores_shown": True}
    return fake_client(monkeypatch, {"goal": goal})


def test_a_picture_is_written_to_a_new_file_and_never_over_one_that_is_there(
    client: FakeClient, tmp_path: Path
) -> None:
    out = tmp_path / "ladder.svg"
    found = CliRunner().invoke(app, [*ASKED, "--svg", str(out)], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert client.asked_as_goals_takes_it("goal")
    assert parse(out.read_text()).findtext(f"{SVG}title") == "Doel: Ik wil lezen"
    assert not out.stat().st_mode & 0o077, "for its owner only"
    out.write_text("kept")
    again = CliRunner().invoke(app, [*ASKED, "--svg", str(out)])
    assert (again.exit_code, out.read_text()) == (1, "kept")
    assert isinstance(again.exception, FileExistsError)
    assert len(client.asked) == 1, "nothing leaves, and no line says that it did"


def test_it_is_told_in_the_terminal_and_as_text_too(client: FakeClient) -> None:
    assert "over time" in CliRunner().invoke(app, ASKED).output
    told = CliRunner().invoke(app, [*ASKED, "--text", "--language", "en"]).output
    assert "as expected" in told
    client.answers = {"goal": {"goal": GOAL, "scores_shown": False}}
    refused = CliRunner().invoke(app, ASKED)
    assert (refused.exit_code, "not yours to see" in refused.output) == (1, True)
