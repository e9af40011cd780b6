"""A plan with its agreements as a page to read and to print: one file, no scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Json = Mapping[str, Any]

STYLE = """
body { font: 11pt/1.5 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #999 }
article { break-inside: avoid; margin: 1rem 0; padding-left: .8rem; border-left: 3px solid #999 }
table { border-collapse: collapse; width: 100% } caption { text-align: left; font-style: italic }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #ddd }
code { font-size: .8rem; overflow-wrap: anywhere } .no { font-weight: bold }
@page { margin: 2cm } @media print { body { margin: 0; max-width: none } }
"""
WORDS: Mapping[str, Mapping[str, str]] = {
    "nl": {
        "title": "Plan, versie {number}",
        "status": "Stand",
        "outlook": "Waar het naartoe gaat",
        "goals": "Doelen",
        "actions": "Acties",
        "until": "tot",
        "who": "wie",
        "where": "waar",
        "level": "Stap",
        "means": "Wat dat is",
        "agreements": "Wie het ermee eens is",
        "caption": "Instemming hoort bij precies deze tekst.",
        "person": "Wie",
        "day": "Wanneer",
        "said": "Antwoord",
        "items": "Onderdeel",
        "true": "eens",
        "false": "niet eens",
        "broken": "klopt niet met deze tekst",
        "none": "Nog niemand heeft geantwoord.",
        "own": "Alleen uw eigen antwoorden staan hier. In totaal kloppen er {verified}, en {broken} niet.",
        "hash": "Kenmerk van deze tekst (SHA-256)",
    },
    "en": {
        "title": "Plan, version {number}",
        "status": "Status",
        "outlook": "Where it leads",
        "goals": "Goals",
        "actions": "Actions",
        "until": "until",
        "who": "who",
        "where": "where",
        "level": "Level",
        "means": "What that is",
        "agreements": "Who agrees",
        "caption": "An agreement is to this very text.",
        "person": "Who",
        "day": "When",
        "said": "Answer",
        "items": "Part",
        "true": "agrees",
        "false": "does not agree",
        "broken": "does not fit this text",
        "none": "Nobody has answered yet.",
        "own": "Only your own answers are shown. Of all answers {verified} verify, and {broken} do not.",
        "hash": "Mark of this text (SHA-256)",
    },
}


def page_of(found: Json, language: str) -> str:
    """Return the HTML of what `export-plan` gave; people are the ids they have here."""
    words, text = WORDS[language], found["text"]
    title = words["title"].format(number=text["number"])
    body = "\n".join(
        [
            f"<h1>{title}</h1>",
            f"<p>{words['status']}: {escape(found['plan']['status'])}</p>",
            f"<h2>{words['outlook']}</h2><p>{_lines(text['outlook'])}</p>",
            f"<h2>{words['goals']}</h2>",
            *(_goal(number, one["text"], words) for number, one in _items(text, "goal")),
            f"<h2>{words['actions']}</h2>",
            *(_action(number, one["text"], words) for number, one in _items(text, "action")),
            f"<h2>{words['agreements']}</h2>",
            _answers(found, words),
            f"<p>{words['hash']}: <code>{escape(text['hash'])}</code></p>",
        ]
    )
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    whole = f"<head>{head}<style>{STYLE}</style></head>\n<body>\n{body}\n</body>"
    return f'<!doctype html>\n<html lang="{language}">{whole}</html>\n'


def _items(text: Json, kind: str) -> Iterator[tuple[int, Json]]:
    return enumerate((one for one in text["items"] if one["kind"] == kind), 1)


def _lines(said: str) -> str:
    return escape(said).replace("\n", "<br>")


def _goal(number: int, said: Json, words: Mapping[str, str]) -> str:
    rows = "".join(
        f"<tr><td>{level:+d}</td><td>{_lines(means)}</td></tr>" for level, means in enumerate(said["ladder"], -2)
    )
    ladder = f"<table><tr><th>{words['level']}</th><th>{words['means']}</th></tr>{rows}</table>"
    when = f"{words['until']} {escape(said['target_on'])}"
    told = f"<h3>{number}. {_lines(said['statement'])}</h3><p>{_lines(said['wording'])} ({when})</p>"
    return f"<article>{told}{ladder}</article>"


def _action(number: int, said: Json, words: Mapping[str, str]) -> str:
    who, where = ", ".join(map(escape, said["who"])), ", ".join(map(escape, said["where"]))
    when = f"{words['until']} {escape(said['until'])}"
    detail = f"{words['who']}: <code>{who}</code>; {words['where']}: {where}; {when}"
    return f"<article><h3>{number}. {_lines(said['what'])}</h3><p>{detail}</p></article>"


def _answers(found: Json, words: Mapping[str, str]) -> str:
    if not found["said_shown"]:
        told = words["own"].format(verified=found["verified"], broken=found["broken"])
        return f"<p>{told}</p>" + (_rows(found, words) if found["answers"] else "")
    return _rows(found, words) if found["answers"] else f"<p>{words['none']}</p>"


def _rows(found: Json, words: Mapping[str, str]) -> str:
    titles = {
        one["item"]: f"{words[kind + 's']} {number}"
        for kind in ("goal", "action")
        for number, one in _items(found["text"], kind)
    }
    rows = []
    for one in found["answers"]:
        said = words["true" if one["agreed"] else "false"]
        said += "" if one["verifies"] else f' <span class="no">({words["broken"]})</span>'
        cells = (f"<code>{escape(one['holder'])}</code>", titles[one["item"]], said, one["answered_at"][:10])
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{words[name]}</th>" for name in ("person", "items", "said", "day"))
    return f"<table><caption>{words['caption']}</caption><tr>{head}</tr>{''.join(rows)}</table>"
