"""An ecogram as a picture (SVG), from the data of the query `ecogram`. Pure: plain geometry, no I/O.

The child is in the middle. Members stand on a circle round it, home and care on the left, school on the right, each at
its own height, so that no label meets another however many there are. What a tie is like is told by the line's form, by
its words in the label, and again in the text alternative: colour says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from xml.sax.saxutils import escape as escape_xml

from deploy.samen.ecogram_shapes import arrow, cross, curve_at, part_way, polyline, towards, waves, zigzag
from deploy.samen.ecogram_words import (
    ROLES,
    SETTINGS,
    STATUSES,
    STRENGTHS,
    WORDS,
    Data,
    as_text,
    name_of,
    when_of,
    which_of,
    word_of,
)

LINE = 15.0
"""Between two lines of text."""
ROW = 82.0
"""The height that a member has for itself: up to five lines of text, and a gap."""
SMALLEST = 190.0
CENTRE, NODE = 42.0, 9.0
WIDEST = 34
"""Characters of a line of a label; longer ones are cut, and whole in the text alternative."""
CHARACTER = 8.0
"""The width that a character of 13 pixels takes at most, on average."""
EDGE = 24.0
LEGEND = 92.0

FORMS = {
    "strong": 'stroke-width="5"',
    "ordinary": 'stroke-width="2"',
    "weak": 'stroke-width="2" stroke-dasharray="10 6"',
    "strained": 'stroke-width="2"',
    "broken": 'stroke-width="2" stroke-dasharray="2 6"',
}
SILENT = 'stroke-width="1" stroke="#777"'
"""A line's form; a strained one is a zigzag besides, a broken one is crossed out."""
SIDES = {"home": 0, "care": 0, "school": 1, "child": 1}


@dataclass(frozen=True, slots=True)
class Member:
    """One person on the picture, with every role that it has here."""

    id: str
    name: str
    lines: tuple[str, ...]
    setting: str
    status: str
    strength: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member stands; `side` -1: its label goes to the left, 1: to the right."""

    member: Member
    x: float
    y: float
    side: int


def draw(data: Data, language: str = "nl") -> str:
    """Returns the ecogram as an SVG document with a title and a description."""
    which, members = which_of(language), members_of(data, language)
    words = WORDS[language]
    half = _radius(members) + NODE + 12 + WIDEST * CHARACTER + EDGE
    placed = place_members(members)
    reach = max([CENTRE + 30, *(abs(place.y) + ROW / 2 for place in placed)])
    width, height = 2 * half, 46 + 2 * reach + LEGEND
    centre = (half, 46 + reach)
    places = [_moved(place, centre) for place in placed]
    title = words["title"].format(name=name_of(data))
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    look = 'font-family="DejaVu Sans, Verdana, Arial, sans-serif" font-size="13"'
    head = 'text-anchor="middle" font-size="18" font-weight="bold"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc" {look}>',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(as_text(data, language))}</desc>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
        f'<text x="{half:.0f}" y="28" {head}>{escape(_cut(title, 60))}</text>',
        *_between(data, places, centre),
        *(part for place in places for part in _spoke(place, centre)),
        *_child(data, centre),
        *(part for place in places for part in _node(place)),
        *_legend(which, words, height - LEGEND, width),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def members_of(data: Data, language: str) -> list[Member]:
    """Returns everyone but the child, once; in the order in which they stand: by setting, then name."""
    which, words = which_of(language), WORDS[language]
    said = {tie["from"]: tie["strength"] for tie in data["ties"] if tie["to"] == data["child"]}
    by_person: dict[str, list[Data]] = {}
    for one in data["members"]:
        by_person.setdefault(str(one["person"]), []).append(one)
    found = []
    for person, all_ in by_person.items():
        first = all_[0]
        roles = ", ".join(word_of(ROLES, one["role"], which) for one in all_)
        placed = str(first.get("organisation_name") or "")
        when = ", ".join(when_of(first, language))
        tie = words["tie"].format(strength=STRENGTHS[said[person]][which]) if person in said else ""
        lines = tuple(line for line in (roles, placed, when, tie) if line)
        found.append(Member(person, name_of(first), lines, first["setting"], first["status"], said.get(person)))
    return sorted(found, key=lambda one: (list(SETTINGS).index(one.setting), one.name, one.id))


def place_members(members: Sequence[Member]) -> list[Place]:
    """Returns each member's place on the circle round (0, 0). Every two on one side are ROW apart in height or more."""
    radius = _radius(members)
    placed = []
    for side, those in zip((-1, 1), _sides(members), strict=True):
        for number, member in enumerate(those):
            y = (number - (len(those) - 1) / 2) * min(2 * radius / max(len(those), 1), 1.6 * ROW)
            placed.append(Place(member, side * sqrt(max(radius**2 - y**2, 0.0)), y, side))
    return placed


def _sides(members: Sequence[Member]) -> tuple[list[Member], list[Member]]:
    """Parts them in two, by setting as far as the sides don't differ by more than two."""
    left = [one for one in members if SIDES[one.setting] == 0]
    right = [one for one in members if SIDES[one.setting] == 1]
    while len(left) > len(right) + 2:
        right.insert(0, left.pop())
    while len(right) > len(left) + 2:
        left.append(right.pop())
    return left, right


def _radius(members: Sequence[Member]) -> float:
    most = max((len(side) for side in _sides(members)), default=0)
    return max(SMALLEST, most * ROW / 2)


def _moved(place: Place, centre: tuple[float, float]) -> Place:
    return Place(place.member, place.x + centre[0], place.y + centre[1], place.side)


# Parts of the picture -------------------------------------------------------------------------------------------------


def _spoke(place: Place, centre: tuple[float, float]) -> Iterable[str]:
    """Yields the line from a member to the child, as the member states the tie."""
    strength = place.member.strength
    start = towards(centre, (place.x, place.y), CENTRE)
    end = towards((place.x, place.y), centre, NODE)
    if strength is None:
        yield polyline([start, end], SILENT)
        return
    yield polyline(zigzag(start, end) if strength == "strained" else [start, end], FORMS[strength])
    if strength == "broken":
        yield cross(((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))


def _between(data: Data, places: Sequence[Place], centre: tuple[float, float]) -> Iterable[str]:
    """Yields what the child and members say of ties with others: thin curves with an arrow to whom it is about."""
    by_person = {place.member.id: (place.x, place.y) for place in places} | {str(data["child"]): centre}
    for tie in data["ties"]:
        if tie["to"] == data["child"] or not {tie["from"], tie["to"]} <= by_person.keys():
            continue
        one, other = by_person[tie["from"]], by_person[tie["to"]]
        middle = part_way(one, other, 0.5)
        # Bent towards the centre, and a little aside, so that the answer to it is a line of its own.
        aside = ((other[1] - one[1]) * 0.2, (one[0] - other[0]) * 0.2)
        bend = (
            middle[0] + (centre[0] - middle[0]) * 0.2 + aside[0],
            middle[1] + (centre[1] - middle[1]) * 0.2 + aside[1],
        )
        start = towards(one, bend, CENTRE + 2 if one == centre else NODE + 2)
        end = towards(other, bend, NODE + 4)
        form = FORMS[tie["strength"]].replace('"5"', '"3"').replace('"2"', '"1.2"')
        curve = [curve_at(start, bend, end, step / 24) for step in range(25)]
        yield polyline(waves(curve) if tie["strength"] == "strained" else curve, form)
        if tie["strength"] == "broken":
            yield cross(curve_at(start, bend, end, 0.5))
        yield arrow(curve_at(start, bend, end, 0.9), end)


def _child(data: Data, centre: tuple[float, float]) -> Iterable[str]:
    x, y = centre
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{CENTRE:.0f}" fill="white" stroke="black" stroke-width="3"/>'
    name = _cut(str(data.get("given_name") or "?"), 11)
    yield f'<text x="{x:.1f}" y="{y + 5:.1f}" text-anchor="middle" font-weight="bold">{escape(name)}</text>'


def _node(place: Place) -> Iterable[str]:
    """Yields a member's sign (round: home, square: school, a diamond: care) and label."""
    x, y, member = place.x, place.y, place.member
    fill = "white" if member.status in STATUSES else "black"
    yield f"<g><title>{escape('; '.join((member.name, *member.lines)))}</title>"
    yield _sign(member.setting, x, y, fill)
    at, anchor = x + place.side * (NODE + 10), "start" if place.side > 0 else "end"
    top = y - (len(member.lines)) * LINE / 2 + 4.5
    for number, line in enumerate((member.name, *member.lines)):
        weight = ' font-weight="bold"' if number == 0 else ""
        yield (
            f'<text x="{at:.1f}" y="{top + number * LINE:.1f}" text-anchor="{anchor}"{weight}>'
            f"{escape(_cut(line, WIDEST))}</text>"
        )
    yield "</g>"


def _sign(setting: str, x: float, y: float, fill: str) -> str:
    look = f'fill="{fill}" stroke="black" stroke-width="2"'
    if setting == "school":
        size = 2 * NODE - 2
        return f'<rect x="{x - size / 2:.1f}" y="{y - size / 2:.1f}" width="{size:.0f}" height="{size:.0f}" {look}/>'
    if setting == "care":
        points = ((x, y - NODE - 1), (x + NODE + 1, y), (x, y + NODE + 1), (x - NODE - 1, y))
        return f'<polygon points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}" {look}/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{NODE - 1:.0f}" {look}/>'


def _legend(which: int, words: Mapping[str, str], top: float, width: float) -> Iterable[str]:
    """Yields what each form means: lines above, signs below."""
    step = (width - 2 * EDGE) / (len(STRENGTHS) + 1)
    for number, (strength, said) in enumerate(STRENGTHS.items()):
        x, y = EDGE + number * step, top + 28
        ends = [(x, y), (x + 40, y)]
        yield polyline(zigzag(*ends) if strength == "strained" else ends, FORMS[strength])
        if strength == "broken":
            yield cross((x + 20, y))
        yield _words(x + 48, y + 5, said[which])
    x = EDGE + len(STRENGTHS) * step
    yield polyline([(x, top + 28), (x + 40, top + 28)], SILENT)
    yield _words(x + 48, top + 33, words["silent"])
    signs = [(setting, SETTINGS[setting][which], "black") for setting in ("home", "school", "care")]
    signs.append(("home", words["later"], "white"))
    for number, (setting, word, fill) in enumerate(signs):
        x, y = EDGE + number * step + 20, top + 62
        yield _sign(setting, x, y, fill)
        yield _words(x + 28, y + 5, word)
    x, y = EDGE + len(signs) * step, top + 62
    yield polyline([(x, y), (x + 36, y)], 'stroke-width="1.2"')
    yield arrow((x + 20, y), (x + 40, y))
    yield _words(x + 48, y + 5, words["between"])


def _words(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def escape(text: str) -> str:
    """Returns text as XML 1.0 may hold it; two code points that mean nothing are not allowed in it."""
    return escape_xml(text.replace("\ufffe", "").replace("\uffff", ""))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
