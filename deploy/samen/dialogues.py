"""Dialogues about expectations, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.markup import escape

Json = dict[str, Any]

DOES = {
    "accepted": "accepts",
    "proposed": "proposes",
    "declined": "declines",
    "took_back": "takes it back",
    "reviewed": "looks back",
    "remarked": "says",
}
STATES = {
    "agreed": "Agreed.",
    "declined": "Declined; either side may propose anew.",
    "withdrawn": "Taken back.",
    "closed": "Both have looked back.",
}


def _said(words: str | None) -> str:
    return f': "{escape(words)}"' if words else ""


def _sides(one: Json) -> dict[str, str]:
    author = escape(one["author_name"] or one["author"]) + (" for the school" if one["for_school"] else "")
    return {"asking": author, "asked": escape(one["member_name"] or one["member"] or "") or "the school"}


def _heading(one: Json) -> str:
    sides, verb = _sides(one), "promises" if one["promise"] else "expects of"
    return f"[bold]{sides['asking']} {verb} {sides['asked']}[/]{_said(one['words'])}"


def _when(one: Json) -> str:
    named = (("talk_on", "talk about it"), ("by_on", "by"), ("review_on", "look back"))
    return ", ".join(f"{label} {one[name]}" for name, label in named if one.get(name))


def whole(one: Json) -> Iterator[str]:
    """Yield a dialogue's lines: what was voiced, each turn, how it stands, and what can be done next."""
    yield f"{_heading(one)}  ({one['voiced_at'][:10]})"
    if one["why"]:
        yield f"  why{_said(one['why'])}"
    if _when(one):
        yield f"  {_when(one)}"
    for turn in one["turns"]:
        who = escape(turn["person_name"] or turn["person"])
        outcome = f" ({turn['outcome'].replace('_', ' ')})" if turn["outcome"] else ""
        days = f", {_when(turn)}" if _when(turn) else ""
        told = f"{who} {DOES[turn['kind']]}{outcome}{_said(turn['words'])}"
        yield f"  {turn['number']}. {told}  ({turn['at'][:10]}{days})"
    if one["reads"] == "opened":
        yield "  (opened to everyone round the child; how it stands is between the two sides)"
        return
    for each in one["commitments"]:
        outcomes = ", ".join(f"{name}: {each[side] or 'not said yet'}" for side, name in _sides(one).items())
        late = f"; review {each['reminded']}" if each["reminded"] != "not" and each["state"] == "standing" else ""
        yield f"  commitment by {each['by_on']}, look back {each['review_on']}: {each['state']}{late} ({outcomes})"
    for companion in one["companions"]:
        name = escape(companion["member_name"] or companion["member"])
        by = ", ".join(_sides(one)[side] for side in companion["by"])
        yield f"  {name} {'reads along' if companion['joined'] else 'is asked in by ' + by}"
    for side in one["gone"]:
        yield f"  nobody of {_sides(one)[side]} takes part any more: begin a new one with who does"
    waits = "Your side answers." if one["your_turn"] else f"Waits for {_sides(one).get(one['turn_of'] or '')}."
    yield f"  [bold]{STATES.get(one['state'], waits)}[/]  dialogue {one['dialogue']} version {one['version']}"


def mine(one: Json) -> Iterator[str]:
    """Yield an item's lines: what is asked or promised, and what to do."""
    about = escape(one["about_name"] or one["about"])
    yield f"{about} - {_heading(one)}"
    if one["proposed_words"]:
        yield f"  {escape(one['proposed_by_name'] or one['proposed_by'])} proposes{_said(one['proposed_words'])}"
    doing = {"answer": "Answer it.", "review": f"Say how it went: review {one['reminded']}."}.get(one["todo"])
    if doing is None:
        whose = "You gave your word." if one["carried_by_me"] else "You were given their word."
        doing = whose if one["state"] == "agreed" else "Waits for the other side."
    yield f"  [bold]{doing}[/] {_when(one)}  dialogue {one['dialogue']} version {one['version']}"
