"""A child's file as one HTML page to read: no scripts, nothing from elsewhere, every value escaped. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from deploy.childfile.gather import Json, names_in
from deploy.childfile.labels import KEYS
from deploy.childfile.words import CODES, HEADINGS, TEXTS, YOUNG
from deploy.pack.page import POLICY, STYLE, breakable
from deploy.pack.words import LABELS

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
MOMENT = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")
DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
TECHNICAL = re.compile(
    r"(^|_)(version|hash|salt|sha256|seq|revision|idx|next|after|trace|epoch|grant|position)$"
    r"|^(allowed|counted|folds|force_number|gone|older_scores|policy|reads|said_shown|scores_shown|sequence)$"
)
"""Keys that a reader has no use for; they are in the JSON."""
REPEATED = {
    "given_name": {"person", "child"},
    "family_name": {"person", "child"},
    "organisation": {"organisation_name"},
    "name": {"holder"},
    "author": {"author_name"},
    "person": {"person_name"},
    "member": {"member_name"},
    "recipient": {"recipient_name"},
    "words": {"dutch"},
    "language": {"dutch"},
    "kind": {"dutch"},
}
"""What says the same as one of these beside it."""
MORE_STYLE = """
article{border:1px solid #e2e8f0;border-radius:.5rem;padding:.5rem 1rem;margin:.6rem 0}
article article{border-color:#edf2f7}
dl{display:grid;grid-template-columns:minmax(8rem,14rem) 1fr;gap:.25rem 1rem;margin:.3rem 0}dt{color:#4a5568}
time{white-space:nowrap}dd{margin:0;overflow-wrap:anywhere;white-space:pre-line}@media(max-width:34rem){dl{grid-template-columns:1fr}}
"""


def page(file: Json, language: str) -> str:
    """Returns the page: in which language (nl or en) its own words are; what people wrote is shown as they wrote it."""
    return _Page(file, language).html()


class _Page:
    def __init__(self, file: Json, language: str) -> None:
        self._file, self._language = file, language
        self._place = 0 if language == "nl" else 1
        self._names = names_in(file["parts"])

    def html(self) -> str:
        name = escape(self._names.get(self._file["child"], ""))
        title = f"{self._say('title')} {name}".strip()
        parts = [f"<h1>{title}</h1>", f'<p class="lead">{self._say("lead")} {self._at(self._file["made_at"])}.</p>']
        parts.append(self._received())
        for key, heading in HEADINGS.items():
            service, _, query = key.partition(".")
            found = self._file["parts"].get(service, {}).get(query.format(self._language))
            if found is not None:
                content = self._value(found) or f"<p>{self._say('nothing')}</p>"
                parts.append(f"<h2>{self._words(key, heading)}</h2>{content}")
        if self._file["not_for_this_reader"]:
            parts.append(f"<h2>{self._say('refused')}</h2><p>{self._say('refused_lead')}</p>")
        return (
            f'<!doctype html>\n<html lang="{self._language}"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="referrer" content="no-referrer">'
            f"<title>{title}</title><style>{STYLE}{MORE_STYLE}</style></head><body><main>\n"
            + "\n".join(parts)
            + "\n</main></body></html>\n"
        )

    def _say(self, name: str) -> str:
        return self._words(name, TEXTS[name])

    def _words(self, name: str, known: tuple[str, str]) -> str:
        young = self._file["child"] == self._file["made_for"] and self._language == "nl"
        return escape(YOUNG.get(name, known[0]) if young else known[self._place])

    def _received(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td>{cell}</td>"
                for cell in (
                    self._who(one),
                    self._text(one["categories"]),
                    self._text(one["purposes"]),
                    self._text(one.get("basis", "")),
                    f"{self._at(one['first_at'])}, {self._at(one['last_at'])}",
                    str(one["times"]),
                )
            )
            + "</tr>"
            for one in self._file["received"]
        )
        heads = "".join(f"<th>{self._say(name)}</th>" for name in ("who", "what", "why", "ground", "when", "times"))
        table = f"<table><tr>{heads}</tr>{rows}</table>" if rows else f"<p>{self._say('nobody')}</p>"
        return f"<h2>{self._say('received')}</h2>{table}"

    def _who(self, one: Json) -> str:
        name = self._names.get(one["actor"], "")
        role = self._word(str(one.get("role", "")))
        placed = self._names.get(str(one.get("organisation", "")), "")
        return breakable(", ".join(filter(None, (name, role, placed))) or TEXTS["platform"][self._place])

    def _value(self, value: Any) -> str:  # noqa: ANN401  JSON
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, (list, tuple)):
            return self._sequence(value)
        return self._text(value)

    def _mapping(self, value: Mapping[str, Any]) -> str:
        rows: list[str] = []
        nested: list[str] = []
        for key, one in value.items():
            if (
                ID.match(key)
                or TECHNICAL.search(key)
                or (key in REPEATED and REPEATED[key] & set(value))
                or one in (None, "", [], {})
            ):
                continue
            shown = self._value(one)
            if not shown:
                continue
            label = escape(self._key(key))
            plain = not isinstance(one, Mapping) and not (isinstance(one, (list, tuple)) and _deep(one))
            (rows if plain else nested).append(
                f"<dt>{label}</dt><dd>{shown}</dd>" if plain else f"<h3>{label}</h3>{shown}"
            )
        return (f"<dl>{''.join(rows)}</dl>" if rows else "") + "".join(nested)

    def _sequence(self, value: Sequence[Any]) -> str:
        if not _deep(value):
            return ", ".join(filter(None, (self._text(one) for one in value)))
        sentences = [one["sentence"] for one in value if isinstance(one, Mapping) and "sentence" in one]
        if sentences:
            return f"<ul>{''.join(f'<li>{escape(str(one))}</li>' for one in sentences)}</ul>"
        return "".join(f"<article>{shown}</article>" for shown in map(self._value, value) if shown)

    def _text(self, value: Any) -> str:  # noqa: ANN401  JSON
        if isinstance(value, bool):
            return self._say("yes" if value else "no")
        if isinstance(value, (list, tuple)):
            return ", ".join(filter(None, map(self._text, value)))
        text = str(value)
        if ID.match(text):
            return escape(self._names.get(text, ""))  # an id that is nobody's name tells a reader nothing
        if MOMENT.match(text) or DAY.match(text):
            return self._at(text)
        return breakable(self._word(text))

    def _word(self, code: str) -> str:
        found = (CODES.get(code) or LABELS.get(code)) if code else None
        return found[self._place] if found else code

    def _key(self, key: str) -> str:
        found = KEYS.get(key)
        return found[self._place] if found else key.replace("_", " ").replace("-", " ")

    @staticmethod
    def _at(text: str) -> str:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return escape(text)
        if DAY.match(text):
            return f"<time>{moment:%d-%m-%Y}</time>"
        return f"<time>{moment.astimezone(AMSTERDAM):%d-%m-%Y %H:%M}</time>" if moment.tzinfo else escape(text)


def _deep(value: Sequence[Any]) -> bool:
    return any(isinstance(one, (Mapping, list, tuple)) for one in value)
