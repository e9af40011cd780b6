"""A goal's ladder over time as a picture (SVG). Pure: plain geometry, no I/O.

Each level is a band that its own words name; within a band each setting has a lane of its own, so that its signs lie on
nobody else's. Sign, line and lane tell the setting; colours (safe for the colour-blind, dark on paper too) only help.
When settings lay two levels apart or more is a bar above the bands. All of it is in the text alternative, whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from textwrap import wrap

from deploy.samen.ecogram import escape
from deploy.samen.ladder_data import LEVELS, Ladder, Score, ticks
from deploy.samen.ladder_words import MEANS, SETTINGS, WORDS, as_text, day_of, level_of, notes_of, title_of

WIDTH, LEFT, RIGHT = 960.0, 372.0, 936.0
EDGE, TOP = 20.0, 84.0
LINE = 15.0
CHARACTER = 7.4
"""The width that a character of 12 pixels takes at most, on average."""
WORDS_AT = 62.0
WIDEST = int((LEFT - WORDS_AT - 18) / CHARACTER)
MOST_LINES = 7
"""Lines of a level's words; longer ones are cut, and whole in the text alternative."""
LOWEST_BAND = 76.0
DARK, GREY, PALE = "#111", "#595959", "#f2f2f2"

LOOKS = {
    "home": ("#0072b2", "", -3),
    "school": ("#b34700", "9 4", -1),
    "care": ("#00755a", "3 3", 1),
    "child": ("#111", "9 3 2 3", 3),
}
"""A setting's colour, the dashes of its line, and its lane in eighths of a band from the middle."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a day and a level lie."""

    first: date
    last: date
    tops: dict[int, float]
    heights: dict[int, float]

    @classmethod
    def of(cls, ladder: Ladder, labels: dict[int, list[str]]) -> Frame:
        """Makes the bands as high as their words need."""
        heights = {level: max(LOWEST_BAND, (len(labels[level]) + 1) * LINE + 16) for level in LEVELS}
        heights[ladder.baseline] += LINE  # for the word that says that it began there
        tops, y = {}, TOP
        for level in LEVELS:
            tops[level] = y
            y += heights[level]
        return cls(*ladder.days(), tops, heights)

    @property
    def bottom(self) -> float:
        return self.tops[-2] + self.heights[-2]

    def x(self, day: date) -> float:
        """Returns where a day lies; a span of one day has it in the middle."""
        span = (self.last - self.first).days
        part = (day - self.first).days / span if span else 0.5
        return LEFT + 16 + part * (RIGHT - LEFT - 32)

    def y(self, level: int, lane: float = 0) -> float:
        """Returns the middle of a level's band, or of a lane in it."""
        return self.tops[level] + self.heights[level] * (0.5 + lane / 9)


def draw(ladder: Ladder, language: str = "nl", name: str = "ladder") -> str:
    """Returns the chart as an SVG document with a title and a description; `name` makes its ids its own on a page."""
    labels = {level: _cut(ladder.levels[level + 2]) for level in LEVELS}
    frame = Frame.of(ladder, labels)
    notes = notes_of(ladder, language)
    height = frame.bottom + 104 + len(notes) * LINE
    title = title_of(ladder, language)
    size = f'viewBox="0 0 {WIDTH:.0f} {height:.0f}" width="{WIDTH:.0f}" height="{height:.0f}"'
    look = f'font-family="DejaVu Sans, Verdana, Arial, sans-serif" font-size="12" fill="{DARK}"'
    ids = f'aria-labelledby="{name}-title {name}-desc"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {ids} {look}>',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-desc">{escape(as_text(ladder, language))}</desc>',
        f'<rect width="{WIDTH:.0f}" height="{height:.0f}" fill="white"/>',
        *_heading(title),
        *_bands(frame, labels, language),
        *_apart(ladder, frame, language),
        *_axis(ladder, frame, language),
        *_start(ladder, frame, language),
        *(part for setting in LOOKS for part in _track(ladder, frame, setting)),
        *_legend(ladder, frame, language),
        *(_text(EDGE, frame.bottom + 106 + LINE * place, said) for place, said in enumerate(notes)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _cut(words: str) -> list[str]:
    lines = wrap(words, WIDEST) or [""]
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 1], lines[MOST_LINES - 1][: WIDEST - 1].rstrip() + "…"]


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, form: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {form}/>'


def _heading(title: str) -> Iterable[str]:
    lines = wrap(title, 84)
    if len(lines) > 2:
        lines = [lines[0], lines[1][:83].rstrip() + "…"]
    for place, line in enumerate(lines):
        yield _text(EDGE, 28 + place * 19, line, ' font-size="15" font-weight="bold"')


def _bands(frame: Frame, labels: dict[int, list[str]], language: str) -> Iterable[str]:
    """Yields each level: a band, its number, and what it means, in general and in this goal's own words."""
    for place, level in enumerate(LEVELS):
        top, height = frame.tops[level], frame.heights[level]
        fill = PALE if place % 2 == 0 else "white"
        size = f'width="{RIGHT - EDGE + 8:.0f}" height="{height:.1f}"'
        yield f'<rect x="{EDGE - 8:.0f}" y="{top:.1f}" {size} fill="{fill}"/>'
        first = top + (height - (len(labels[level]) + 1) * LINE) / 2 + 11
        yield _text(EDGE, first, level_of(level), ' font-size="16" font-weight="bold"')
        yield _text(WORDS_AT, first, MEANS[level][language], ' font-weight="bold"')
        for row, said in enumerate(labels[level], 1):
            yield _text(WORDS_AT, first + row * LINE, said)
    yield _line(LEFT, TOP, LEFT, frame.bottom, f'stroke="{GREY}"')
    yield _line(LEFT, frame.bottom, RIGHT, frame.bottom, f'stroke="{GREY}"')


def _apart(ladder: Ladder, frame: Frame, language: str) -> Iterable[str]:
    """Yields a bar above the bands for each time that settings were apart, with a dotted line down where it began."""
    y = TOP - 14
    for since, until in ladder.apart:
        start, end = frame.x(since), frame.x(until or ladder.scores[-1].on)
        told = WORDS[language]["still" if until is None else "differs"]
        said = told.format(since=day_of(since, language), until=day_of(until, language) if until else "")
        yield f"<g><title>{escape(said)}</title>"
        yield f'<rect x="{start - 3:.1f}" y="{y:.1f}" width="{max(end - start, 0) + 6:.1f}" height="8" fill="{DARK}"/>'
        yield _line(start, y + 8, start, frame.bottom, f'stroke="{DARK}" stroke-dasharray="1 5"')
        yield "</g>"
    if ladder.apart:
        yield _text(LEFT - 12, y + 9, WORDS[language]["apart"], ' text-anchor="end"')


def _axis(ladder: Ladder, frame: Frame, language: str) -> Iterable[str]:
    """Yields the days below, and the target day as a line with its name on top of the bands' right end."""
    y = frame.bottom
    for day in ticks(frame.first, frame.last, 6):
        x = frame.x(day)
        yield _line(x, y, x, y + 5, f'stroke="{GREY}"')
        yield _text(x, y + 19, day_of(day, language), ' text-anchor="middle"')
    target, shown = WORDS[language]["target"].format(day=day_of(ladder.target_on, language)), ladder.target_on
    if frame.first <= shown <= frame.last:
        x = frame.x(shown)
        yield _line(x, TOP, x, y + 5, f'stroke="{DARK}" stroke-width="1.5" stroke-dasharray="6 3"')
        far = x > (LEFT + RIGHT) / 2
        yield _text(x + (4 if far else -4), y + 37, target, f' text-anchor="{"end" if far else "start"}"')
    else:
        yield _text(RIGHT, y + 37, f"{target} \N{RIGHTWARDS ARROW}", ' text-anchor="end"')


def _start(ladder: Ladder, frame: Frame, language: str) -> Iterable[str]:
    """Yields where it began: a thin line at the foot of the band, named at its left end."""
    y = frame.tops[ladder.baseline] + frame.heights[ladder.baseline] - 3
    yield _line(LEFT, y, RIGHT, y, f'stroke="{GREY}" stroke-dasharray="2 4"')
    yield _text(LEFT - 6, y, WORDS[language]["began"], f' text-anchor="end" font-size="11" fill="{GREY}"')


def _track(ladder: Ladder, frame: Frame, setting: str) -> Iterable[str]:
    """Yields a setting's line and signs; where many lie close they are small, but for the last."""
    scores = [one for one in ladder.scores if one.setting == setting]
    if not scores:
        return
    colour, dashes, lane = LOOKS[setting]
    points = [(frame.x(one.on), frame.y(one.level, lane)) for one in scores]
    if len(points) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dashed}/>'
    small = len({one.on for one in scores}) > (RIGHT - LEFT) / 14
    for place, (x, y) in enumerate(points):
        yield _sign(setting, x, y, 2.4 if small and place < len(points) - 1 else 5.0)


def _sign(setting: str, x: float, y: float, size: float) -> str:
    """Returns a setting's sign: home a dot, school a square, care a diamond, the child a triangle."""
    look = f'fill="{LOOKS[setting][0]}" stroke="white" stroke-width="0.8"'
    if setting == "home":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" {look}/>'
    if setting == "school":
        side = 1.8 * size
        return f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}" {look}/>'
    far = 1.3 * size
    points = ((x, y - far), (x + far, y), (x, y + far), (x - far, y))
    if setting == "child":
        points = ((x, y - far), (x + far, y + size), (x - far, y + size), (x, y - far))
    return f'<polygon points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}" {look}/>'


def _legend(ladder: Ladder, frame: Frame, language: str) -> Iterable[str]:
    """Yields which sign is whose, with where each stands now."""
    latest, y = ladder.latest(), frame.bottom + 61
    if not latest:
        yield _text(EDGE, y, WORDS[language]["none"])
        return
    for place, setting in enumerate(one for one in LOOKS if one in latest):
        x, row = EDGE + place % 2 * 460, y + place // 2 * 22
        colour, dashes, _ = LOOKS[setting]
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        yield _line(x, row - 4, x + 36, row - 4, f'stroke="{colour}" stroke-width="1.6"{dashed}')
        yield _sign(setting, x + 18, row - 4, 5.0)
        yield _text(x + 46, row, _now(latest[setting], language))


def _now(score: Score, language: str) -> str:
    setting, level = SETTINGS[score.setting][language], level_of(score.level)
    return f"{WORDS[language]['last'].format(setting=setting, level=level)} ({day_of(score.on, language)})"
