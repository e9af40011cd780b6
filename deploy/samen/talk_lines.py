"""Conversations as lines for people, and what there is to talk about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.markup import escape

from deploy.samen.guidance import guidance_lines
from deploy.samen.ladder_data import signed
from deploy.samen.options import Json

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def suggested_of(found: list[Json]) -> Iterator[str]:
    """Yield which goals are seen so differently that people had better talk, and what to do about it."""
    for one in found:
        yield f"talk about: {escape(one['statement'])}  (goal {one['goal']}, since {one['since'][:10]})"
        for each in one["diverging"]:
            low, high = signed(each["lower_level"]), signed(each["higher_level"])
            yield f"    {each['lower']} {low}, {each['higher']} {high}"
        for each in one["planned"]:
            yield f"    on the agenda of {each['conversation']}, {when_of(each)}"
        if not one["planned"]:
            yield f"    `samen talk plan --goal {one['goal']}` puts it on an agenda"


def when_of(one: Json) -> str:
    """Return when a conversation starts, as clocks here tell it."""
    return datetime.fromisoformat(one["starts_at"]).astimezone(AMSTERDAM).strftime("%Y-%m-%d %H:%M")


def lines_of(found: Json) -> Iterator[str]:
    """Yield a conversation as lines."""
    talk = found["conversation"]
    yield f"{talk['kind']} {talk['id']}: {talk['status']}, {when_of(talk)}, sequence {talk['sequence']}"
    yield f"why: {escape(talk['why'])}"
    if talk["place"]:
        yield f"where: {escape(talk['place'])}"
    for one in found["replies"]:
        yield f"    {one['member']} {one['answer']}{_said(one['note'])}"
    for one in found["points"]:
        about = f", about goal {one['goal']}" if one.get("goal") else ""
        yield f"point {one['id']}: {escape(one['words'])} ({one['added_by']}{about})"
    if talk["attended"] is not None:
        yield f"attended: {', '.join(talk['attended'])}{_said(talk['notes'])}"
    for one in found["outcomes"]:
        end = one["became"] or one["dropped_because"] or "not settled yet"
        yield f"outcome {one['id']} v{one['version']}, {one['kind']}: {escape(one['words'])} -> {escape(end)}"
    if found["asks_me"]:
        yield "were you heard? (`samen talk heard`)"
    yield from guidance_lines(found["guidance"])


def _said(words: str | None) -> str:
    return f": {escape(words)}" if words else ""
