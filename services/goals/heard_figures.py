"""How many felt heard, in figures that stand still: asked twice, they tell of no single answer. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

SMALLEST_GROUP = 10
"""Fewer people than this are never told of (DOMAIN.md, "insight"); nor is a difference that fewer people made."""


class Heard(StrEnum):
    """Whether somebody felt heard."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


def summary(answers: Iterable[Mapping[str, Any]], today: date) -> dict[str, Any]:
    """Returns answers by role up to the end of a calendar month, which `until` names for each role (`2027-01`).

    A role's figures move at the end of a month, and only once ten people in that role answered since they last did: so
    the first are of ten, and what two figures differ by is of ten. `answers` come oldest first, each with its `role`,
    `member`, `conversation`, `answer` and `month` (Europe/Amsterdam); of several of one person to one conversation the
    newest counts. `too_few`: in some role nothing is told yet.
    """
    this = f"{today:%Y-%m}"
    roles: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in answers:
        if one["month"] < this:
            roles[one["role"]].append(one)
    until = {role: month for role, given in sorted(roles.items()) if (month := _until(given)) is not None}
    return {
        "roles": {role: _counts(roles[role], month) for role, month in until.items()},
        "until": until,
        "smallest_group": SMALLEST_GROUP,
        "too_few": len(until) < len(roles),
    }


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


def _counts(given: Iterable[Mapping[str, Any]], until: str) -> dict[str, int]:
    newest = {(one["conversation"], one["member"]): one["answer"] for one in given if one["month"] <= until}
    said = list(newest.values())
    return {one.value: said.count(one.value) for one in Heard}
