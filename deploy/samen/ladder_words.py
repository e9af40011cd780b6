"""The words of a ladder's chart, Dutch first and English, and the whole of it as text. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from deploy.samen.ladder_data import LEVELS, Ladder

SETTINGS = {
    "home": {"nl": "thuis", "en": "home"},
    "school": {"nl": "school", "en": "school"},
    "care": {"nl": "zorg", "en": "care"},
    "child": {"nl": "het kind zelf", "en": "the child"},
}
MEANS = {
    2: {"nl": "veel meer dan verwacht", "en": "much more than expected"},
    1: {"nl": "meer dan verwacht", "en": "more than expected"},
    0: {"nl": "zoals verwacht", "en": "as expected"},
    -1: {"nl": "minder dan verwacht", "en": "less than expected"},
    -2: {"nl": "veel minder dan verwacht", "en": "much less than expected"},
}
MONTHS = {
    "nl": ("jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "nl": {
        "title": "Doel: {statement}",
        "began": "begin",
        "begins": "Begin: trede {level}.",
        "target": "streefdatum {day}",
        "aims": "Streefdatum: {day}.",
        "apart": "2 treden of meer verschil",
        "differs": "Van {since} tot {until} lagen twee kanten 2 treden of meer uit elkaar.",
        "still": "Sinds {since} liggen twee kanten 2 treden of meer uit elkaar.",
        "ladder": "De treden:",
        "scores": "Wat er gezien is:",
        "none": "Er zijn nog geen scores.",
        "last": "{setting}: nu {level}",
        "wrong": "Fout ingevulde scores, die niet meetellen: {count}.",
        "older": "Oudere scores, die er niet in staan: {count}.",
    },
    "en": {
        "title": "Goal: {statement}",
        "began": "start",
        "begins": "Start: level {level}.",
        "target": "target day {day}",
        "aims": "Target day: {day}.",
        "apart": "2 levels apart or more",
        "differs": "From {since} to {until} two sides were 2 levels apart or more.",
        "still": "Since {since} two sides have been 2 levels apart or more.",
        "ladder": "The levels:",
        "scores": "What was seen:",
        "none": "There are no scores yet.",
        "last": "{setting}: now {level}",
        "wrong": "Scores entered in error, which do not count: {count}.",
        "older": "Older scores, which are not in it: {count}.",
    },
}


def level_of(level: int) -> str:
    """Returns a level as people read it: +1, 0, -2 (with a true minus)."""
    return f"{level:+d}".replace("-", "\N{MINUS SIGN}") if level else "0"


def day_of(day: date, language: str) -> str:
    """Returns a day as people write it: 1 mrt 2026."""
    return f"{day.day} {MONTHS[language][day.month - 1]} {day.year}"


def title_of(ladder: Ladder, language: str) -> str:
    """Returns the chart's title."""
    return WORDS[language]["title"].format(statement=" ".join(ladder.statement.split()))


def as_text(ladder: Ladder, language: str = "nl") -> str:
    """Returns the same as a list, for who can't see the picture: nothing is cut here."""
    words = WORDS[language]
    lines = [title_of(ladder, language), words["begins"].format(level=level_of(ladder.baseline))]
    lines += [words["aims"].format(day=day_of(ladder.target_on, language)), words["ladder"]]
    lines += [f"- {level_of(one)} ({MEANS[one][language]}): {ladder.levels[one + 2]}" for one in LEVELS]
    for since, until in ladder.apart:
        told = words["still"] if until is None else words["differs"]
        ends = "" if until is None else day_of(until, language)
        lines.append(told.format(since=day_of(since, language), until=ends))
    lines.append(words["scores"] if ladder.scores else words["none"])
    for one in ladder.scores:
        lines.append(f"- {day_of(one.on, language)}, {SETTINGS[one.setting][language]}: {level_of(one.level)}")
    return "\n".join([*lines, *notes_of(ladder, language)])


def notes_of(ladder: Ladder, language: str) -> list[str]:
    """Returns what is not drawn, in sentences."""
    words = WORDS[language]
    found = [words["wrong"].format(count=ladder.wrong)] if ladder.wrong else []
    return found + ([words["older"].format(count=ladder.older)] if ladder.older else [])
