"""A plan with its agreements as a page to read and to print: one file, no scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from deploy.samen.ladder_data import Ladder
from deploy.samen.ladder_svg import draw
from deploy.samen.ladder_words import day_of, level_of
from deploy.samen.plan_words import PLACES, STATUSES, WORDS
from shared.events.plans import PlanStatus
from shared.events.words import Setting

Json = Mapping[str, Any]

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
STYLE = """
body { font: 11pt/1.5 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #999 }
article { break-inside: avoid; margin: 1rem 0; padding-left: .8rem; border-left: 3px solid #999 }
table { border-collapse: collapse; width: 100% } tr { break-inside: avoid }
caption { text-align: left; font-style: italic }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #ddd }
figure { margin: 0; break-inside: avoid } svg { max-width: 100%; height: auto }
code { font-size: .8rem; overflow-wrap: anywhere } .no { font-weight: bold } time { white-space: nowrap }
@page { margin: 2cm } @media print { body { margin: 0; max-width: none } }
"""


def page_of(found: Json, language: str, names: Mapping[str, str] | None = None) -> str:
    """Return the HTML of what `export-plan` gave; people without a name are the ids they have here."""
    return _Page(found, language, names or {}).whole()


@dataclass(frozen=True, slots=True)
class _Page:
    found: Json
    language: str
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> Mapping[str, str]:
        return WORDS[self.language]

    def whole(self) -> str:
        words, text, language = self.words, self.found["text"], self.language
        title = words["title"].format(number=text["number"])
        body = "\n".join(
            [
                f"<h1>{title}</h1>",
                f"<p>{words['status']}: {STATUSES[PlanStatus(self.found['plan']['status'])][language]}</p>",
                f"<h2>{words['outlook']}</h2><p>{_lines(text['outlook'])}</p>",
                f"<h2>{words['goals']}</h2>",
                *(self._goal(number, one) for number, one in self._items("goal")),
                f"<h2>{words['actions']}</h2>",
                *(self._action(number, one["text"]) for number, one in self._items("action")),
                f"<h2>{words['agreements']}</h2>",
                self._answers(),
                f"<p>{words['hash']}: <code>{escape(text['hash'])}</code></p>",
            ]
        )
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        whole = f"<head>{head}<style>{STYLE}</style></head>\n<body>\n{body}\n</body>"
        return f'<!doctype html>\n<html lang="{language}">{whole}</html>\n'

    def _items(self, kind: str) -> Iterator[tuple[int, Json]]:
        return enumerate((one for one in self.found["text"]["items"] if one["kind"] == kind), 1)

    def _who(self, person: str) -> str:
        known = self.names.get(person)
        return escape(known) if known else f"<code>{escape(person)}</code>"

    def _day(self, day: date) -> str:
        return f"<time>{day_of(day, self.language)}</time>"

    def _goal(self, number: int, item: Json) -> str:
        words, said = self.words, item["text"]
        rows = "".join(
            f"<tr><td>{level_of(level)}</td><td>{_lines(means)}</td></tr>"
            for level, means in enumerate(said["ladder"], -2)
        )
        ladder = f"<table><tr><th>{words['level']}</th><th>{words['means']}</th></tr>{rows}</table>"
        when = f"{words['until']} {self._day(date.fromisoformat(said['target_on']))}"
        told = f"<h3>{number}. {_lines(said['statement'])}</h3><p>{_lines(said['wording'])} ({when})</p>"
        return f"<article>{told}{ladder}</article>{self._chart(number, item)}"

    def _chart(self, number: int, item: Json) -> str:
        """Return the ladder over time, where scores are shown; the table beside it is the text that was agreed to."""
        known = self.found.get("ladders", {}).get(item["item"])
        if known is None:
            return ""
        ladder = Ladder.of({**item["text"], "baseline": known["baseline"]}, known["scores"], known["older"])
        return f"<figure>{draw(ladder, self.language, f'goal-{number}')}</figure>"

    def _action(self, number: int, said: Json) -> str:
        words = self.words
        who = ", ".join(map(self._who, said["who"]))
        where = ", ".join(PLACES[Setting(one)][self.language] for one in said["where"])
        when = f"{words['until']} {self._day(date.fromisoformat(said['until']))}"
        detail = f"{words['who']}: {who}; {words['where']}: {where}; {when}"
        return f"<article><h3>{number}. {_lines(said['what'])}</h3><p>{detail}</p></article>"

    def _answers(self) -> str:
        found, words = self.found, self.words
        if not found["said_shown"]:
            told = words["own"].format(verified=found["verified"], broken=found["broken"])
            return f"<p>{told}</p>" + (self._rows() if found["answers"] else "")
        return self._rows() if found["answers"] else f"<p>{words['none']}</p>"

    def _rows(self) -> str:
        words = self.words
        titles = {
            one["item"]: f"{words[kind]} {number}" for kind in ("goal", "action") for number, one in self._items(kind)
        }
        rows = []
        for one in self.found["answers"]:
            said = words["true" if one["agreed"] else "false"]
            said += "" if one["verifies"] else f' <span class="no">({words["broken"]})</span>'
            when = self._day(datetime.fromisoformat(one["answered_at"]).astimezone(AMSTERDAM).date())
            cells = (self._who(one["holder"]), titles[one["item"]], said, when)
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        head = "".join(f"<th>{words[name]}</th>" for name in ("person", "items", "said", "day"))
        return f"<table><caption>{words['caption']}</caption><tr>{head}</tr>{''.join(rows)}</table>"


def _lines(said: str) -> str:
    return escape(said).replace("\n", "<br>")
