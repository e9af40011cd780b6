"""The words of an ecogram, Dutch first and English, and the whole of it as text. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
Data = Mapping[str, Any]

WORDS = {
    "nl": {
        "title": "Ecogram rond {name}",
        "until": "tot {day}",
        "tie": "band: {strength}",
        "states": "{who} over de band met {other}: {strength}",
        "none": "Er is nog niemand in dit netwerk.",
        "silent": "niet genoemd",
        "between": "over een ander lid",
        "later": "nu niet actief",
        "members": "Wie er in het netwerk zit:",
        "ties": "Hoe leden hun band zelf noemen:",
        "no_ties": "Niemand heeft nog iets over een band gezegd.",
    },
    "en": {
        "title": "Ecogram round {name}",
        "until": "until {day}",
        "tie": "tie: {strength}",
        "states": "{who} about the tie with {other}: {strength}",
        "none": "There is nobody in this network yet.",
        "silent": "not stated",
        "between": "about another member",
        "later": "not active now",
        "members": "Who is in the network:",
        "ties": "How members state their own ties:",
        "no_ties": "Nobody has said anything about a tie yet.",
    },
}
ROLES = {
    "guardian": ("ouder of verzorger", "guardian"),
    "teacher": ("leerkracht", "teacher"),
    "internal_coordinator": ("intern begeleider", "internal coordinator"),
    "school_social_worker": ("schoolmaatschappelijk werker", "school social worker"),
    "psychologist": ("orthopedagoog of psycholoog", "psychologist"),
    "therapist": ("therapeut", "therapist"),
    "care_professional": ("zorgverlener", "care professional"),
    "support_committee": ("commissie voor de begeleiding", "support committee"),
    "school_leader": ("schoolleider", "school leader"),
    "local_tool": ("toepassing van de school", "local tool"),
}
SETTINGS = {
    "home": ("thuis", "home"),
    "school": ("school", "school"),
    "care": ("zorg", "care"),
    "child": ("kind", "child"),
}
STRENGTHS = {
    "strong": ("sterk", "strong"),
    "ordinary": ("gewoon", "ordinary"),
    "weak": ("zwak", "weak"),
    "strained": ("gespannen", "strained"),
    "broken": ("verbroken", "broken"),
}
STATUSES = {"proposed": ("komt nog", "to come"), "suspended": ("even gestopt", "suspended")}


def as_text(data: Data, language: str = "nl") -> str:
    """Returns the same as a list, for who can't see the picture."""
    words, which = WORDS[language], which_of(language)
    names = {str(one["person"]): name_of(one) for one in data["members"]} | {str(data["child"]): name_of(data)}
    lines = [words["title"].format(name=name_of(data)), ""]
    if not data["members"]:
        return "\n".join([*lines, words["none"]])
    lines.append(words["members"])
    for one in sorted(data["members"], key=lambda one: (list(SETTINGS).index(one["setting"]), name_of(one))):
        told = [
            word_of(ROLES, one["role"], which),
            SETTINGS[one["setting"]][which],
            one.get("organisation_name"),
            *when_of(one, language),
        ]
        lines.append(f"- {name_of(one)}: {', '.join(filter(None, told))}")
    lines += ["", words["ties"] if data["ties"] else words["no_ties"]]
    for tie in data["ties"]:
        strength = STRENGTHS[tie["strength"]][which]
        said = words["states"].format(who=names[tie["from"]], other=names[tie["to"]], strength=strength)
        lines.append(f"- {said}")
    return "\n".join(lines)


def which_of(language: str) -> int:
    return 0 if language == "nl" else 1


def name_of(one: Data) -> str:
    return " ".join(part for part in (one.get("given_name"), one.get("family_name")) if part) or "?"


def word_of(words: Mapping[str, tuple[str, str]], code: str, which: int) -> str:
    return words.get(code, (code, code))[which]


def when_of(one: Data, language: str) -> list[str]:
    """Returns how someone's part stands, and the Dutch day from which it is over."""
    found = [STATUSES[one["status"]][which_of(language)]] if one["status"] in STATUSES else []
    if one.get("until"):
        found.append(WORDS[language]["until"].format(day=day_of(str(one["until"]))))
    return found


def day_of(moment: str) -> str:
    """Returns the Dutch day of a moment, as 2026-07-01."""
    return datetime.fromisoformat(moment).astimezone(AMSTERDAM).date().isoformat()
