"""A goal's ladder over time, drawn in a terminal: a row a level, a letter a setting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from rich.table import Table
from rich.text import Text

from deploy.samen.ladder_data import signed

LEVELS = (2, 1, 0, -1, -2)
LETTERS = {"home": ("H", "green"), "school": ("S", "cyan"), "care": ("C", "magenta"), "child": ("K", "yellow")}
"""A letter beside the colour, for who sees no colours; K is for kind, so that it is not care's."""
MANY = ("*", "bold")
BASELINE, EMPTY = "·", " "


def chart(scores: Sequence[Mapping[str, Any]], ladder: Sequence[str], baseline: int, width: int = 48) -> Table:
    """Return the ladder with every score that counts; `*` where several settings saw the same on the same day."""
    counted = [score for score in scores if score["in_error_at"] is None]
    days = [date.fromisoformat(score["observed_on"]) for score in counted]
    marks: dict[tuple[int, int], set[str]] = defaultdict(set)
    for score, day in zip(counted, days, strict=True):
        marks[score["level"], column(day, min(days), max(days), width)].add(score["setting"])
    table = Table(title="Scores", caption=_legend(days))
    table.add_column("level", justify="right")
    table.add_column("what that means", max_width=30, overflow="fold")
    table.add_column("over time", no_wrap=True, min_width=width)
    for level in LEVELS:
        row = Text()
        for place in range(width):
            letter, style = _mark(marks.get((level, place), set()), on_baseline=level == baseline)
            row.append(letter, style)
        table.add_row(signed(level), Text(ladder[level + 2]), row)
    return table


def column(day: date, first: date, last: date, width: int) -> int:
    """Return the place of `day` on a line of `width` from the first to the last day."""
    span = (last - first).days
    return 0 if span == 0 else round((day - first).days * (width - 1) / span)


def _mark(settings: set[str], *, on_baseline: bool) -> tuple[str, str]:
    if not settings:
        return (BASELINE, "dim") if on_baseline else (EMPTY, "")
    return LETTERS[settings.pop()] if len(settings) == 1 else MANY


def _legend(days: Sequence[date]) -> Text:
    legend = Text(f"{min(days)} to {max(days)}   " if days else "no scores yet   ")
    for setting, (letter, style) in LETTERS.items():
        legend.append(f"{letter} {setting}  ", style)
    return legend.append(f"* several  {BASELINE} where it began")
