"""Plans as tables and lines for people, and agreements held against the text that is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import rfc8785
from rich.markup import escape
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]

STANDS = {"open": "waits", "agreed": "agreed", "refused": "[red]disagreed[/]"}


def _table(title: str, *columns: str, caption: str = "") -> Table:
    table = Table(title=title, caption=caption or None)
    for column in columns:
        table.add_column(column)
    return table


def listed(found: Json) -> Table:
    """Return the plans of a subject."""
    table = _table("Plans", "plan", "status", "version", "in force", "drafted")
    for one in found["plans"]:
        force = "" if one["force_number"] is None else str(one["force_number"])
        table.add_row(one["id"], one["status"], str(one["number"]), force, one["drafted_at"][:10])
    return table


def text_of(found: Json) -> Table:
    """Return a version of a plan's text, with how each goal and action stands."""
    text, plan = found["text"], found["plan"]
    force = f", version {plan['force_number']} is in force" if plan["force_number"] else ""
    table = _table(
        f"Plan {plan['id']} version {text['number']}: {plan['status']}{force}",
        "item",
        "what",
        "who, where, until",
        "stands",
        caption=f"hash {text['hash']}",
    )
    for item in text["items"]:
        said, stands = item["text"], STANDS.get(found["standings"].get(item["item"], ""), "")
        if item["kind"] == "goal":
            what, until = Text(f"{said['statement']}\n{said['wording']}"), f"until {said['target_on']}"
        else:
            who = "\n".join(said["who"])
            what, until = Text(said["what"]), f"{who}\n{', '.join(said['where'])}, until {said['until']}"
        table.add_row(item["item"], what, until, stands)
    return table


def said_of(found: Json) -> Iterator[str]:
    """Yield what was said of a plan: who is waited for, disagreements and their steps, the child, evaluations."""
    yield f"outlook: {escape(found['text']['outlook'])}"
    yield f"whose yes it takes: {found['rule']['rule'].replace('_', ' ')} (policy {found['rule']['policy']})"
    if found["waits_for"]:
        yield f"waits for: {', '.join(found['waits_for'])}"
    for one in found.get("disagreements", ()):
        reason = f': "{escape(one["reason"])}"' if one["reason"] else ""
        yield f"{one['holder']} disagreed with version {one['number']}{reason}  (disagreement {one['id']})"
        for step in one["remedies"]:
            note = f': "{escape(step["note"])}"' if step["note"] else ""
            yield f"  {step['remedy'].replace('_', ' ')} {step['taken_at'][:10]}{note}"
    for one in found.get("voices", ()):
        yield f"the child at {one['moment']}, version {one['number']}: {_voice(one)}"
    for one in found.get("evaluations", ()):
        yield f"evaluated {one['held_on']}: {escape(one['findings'])}"
    for one in found.get("ends", ()):
        note = f': "{escape(one["note"])}"' if one["note"] else ""
        yield f"action {one['action']} {one['outcome'].replace('_', ' ')}{note}"
    for one in found.get("seen_by", ()):
        yield f"{one['member']} has seen version {one['number']}"
    if not found["said_shown"]:
        yield "what people said of it is not yours to see"
    yield f"from here: {', '.join(found['allowed']) or 'nothing; draft a new plan'}"


def _voice(one: Json) -> str:
    if one["not_heard_because"]:
        return f"not heard, because {escape(one['not_heard_because'])}"
    told = f"told back {one['told_back_on']}" if one["told_back_on"] else f"not told back yet (voice {one['id']})"
    channel = one["channel"].replace("_", " ")
    return f'"{escape(one["words"])}" ({channel}); changed: {escape(one["influence"])}; {told}'


def changed(found: Json) -> Table:
    """Return what differs between two versions."""
    title = f"Plan {found['plan']}: version {found['before']} to {found['after']}"
    table = _table(title, "item", "kind", "change", "field", "before", "after")
    for one in found["changes"]:
        head = [one["item"] or "", one["kind"], one["change"]]
        for each in one["fields"]:
            table.add_row(*head, each["field"], Text(_words(each["before"])), Text(_words(each["after"])))
            head = ["", "", ""]
    return table


def _words(value: object) -> str:
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def due(found: Json) -> Table:
    """Return what must be done by when."""
    table = _table("Deadlines", "what", "due", "stands", "action")
    for one in found["deadlines"]:
        told = "[red]overdue[/]" if one["told"] == "overdue" else one["told"].replace("nothing", "").replace("_", " ")
        table.add_row(one["deadline"].replace("_", " "), one["due_on"], told, one["action"] or "")
    return table


def checked(found: Json, texts: Mapping[int, Json]) -> tuple[Table, int]:
    """Return each answer held against its text, by the service and here from what it shows; and how many broke."""
    table = _table("Answers", "holder", "item", "version", "answer", "when", "verifies")
    broken = 0
    for one in found["answers"]:
        text = texts.get(one["number"])
        holds = one["verifies"] and text is not None and verifies(one, found["plan"], text)
        broken += not holds
        answer = "agreed" if one["agreed"] else "disagreed"
        mark = "[green]yes[/]" if holds else "[red]NO: the text is not the one that was answered[/]"
        table.add_row(one["holder"], one["item"], str(one["number"]), answer, one["answered_at"][:10], mark)
    return table, broken


def verifies(answer: Json, plan: str, text: Json) -> bool:
    """Tell whether an answer is bound to this text: hashes made here, by RFC 8785 and SHA-256."""
    part = {"plan": plan, "number": text["number"], "salt": text["salt"], "items": text["items"]}
    marks = {item["item"]: _digest(item) for item in text["items"]}
    return bool(_digest(part) == answer["hash"]) and bool(marks.get(answer["item"]) == answer["item_hash"])


def _digest(value: Json) -> str:
    return sha256(rfc8785.dumps(value)).hexdigest()
