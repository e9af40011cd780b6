"""How many felt heard, in figures that stand still: asked twice, they tell of no single answer. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid5
from zoneinfo import ZoneInfo

from shared.events.words import NAMESPACE
from shared.unit import Row

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SMALLEST_GROUP = 10
"""Fewer people than this are never told of (DOMAIN.md, "insight"); nor is a difference that fewer people made."""


class Heard(StrEnum):
    """Whether somebody felt heard."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


def summary(
    answers: Iterable[Mapping[str, Any]], today: date, told: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Returns answers by role up to the end of a calendar month, which `until` names for each role (`2027-01`).

    A role's figures move at the end of a month, and only once ten people in that role answered since they last did: so
    the first are of ten, and what two figures differ by is of ten. `answers` come oldest first, each with its `role`,
    `member`, `conversation`, `answer` and `month` (Europe/Amsterdam); of several of one person to one conversation the
    newest counts. `told`: the figures that were told last, a row a role; then `answers` are those since, each with what
    it replaces in them (`before`). `too_few`: in some role nothing is told yet.
    """
    this = f"{today:%Y-%m}"
    roles: dict[str, list[Mapping[str, Any]]] = {one["role"]: [] for one in told}
    for one in answers:
        if one["month"] < this:
            roles.setdefault(one["role"], []).append(one)
    counts = {one["role"]: {kind.value: int(one[kind.value]) for kind in Heard} for one in told}
    until = {one["role"]: str(one["until"]) for one in told}
    for role, given in roles.items():
        if (month := _until(given)) is not None:
            counts[role], until[role] = _counts(given, month, counts.get(role, {})), month
    return {
        "roles": dict(sorted(counts.items())),
        "until": dict(sorted(until.items())),
        "smallest_group": SMALLEST_GROUP,
        "too_few": len(until) < len(roles),
    }


def newly_told(figures: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    """Returns what to keep of figures when they are told for the first time: what was told is never told otherwise."""
    before = {one["role"]: one for one in told}
    rows = []
    for role, until in figures["until"].items():
        known = before.get(role)
        if known is None or known["until"] != until:
            values = {"role": role, "until": until, "since": month_after(until), **figures["roles"][role]}
            rows.append(
                Row("heard_figure", uuid5(NAMESPACE, f"heard-figure:{role}"), known["version"] if known else 0, values)
            )
    return tuple(rows)


def month_after(month: str) -> datetime:
    """Returns when a month (`2027-01`) ends in the Netherlands."""
    year, number = map(int, month.split("-"))
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=AMSTERDAM)


def _until(given: Iterable[Mapping[str, Any]]) -> str | None:
    months: dict[str, set[str]] = defaultdict(set)
    for one in given:
        months[one["month"]].add(one["member"])
    until, since = None, set[str]()
    for month, people in sorted(months.items()):
        since |= people
        if len(since) >= SMALLEST_GROUP:
            until, since = month, set()
    return until


def _counts(given: Iterable[Mapping[str, Any]], until: str, before: Mapping[str, int]) -> dict[str, int]:
    newest = {(one["conversation"], one["member"]): one for one in given if one["month"] <= until}
    said = [one["answer"] for one in newest.values()]
    replaced = [one.get("before") for one in newest.values()]
    return {one.value: before.get(one.value, 0) + said.count(one.value) - replaced.count(one.value) for one in Heard}
