"""Erasures go on school by school: one that fails holds up no other, and what stays under way is an alarm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.network import erasures
from services.network.erasures import AGAIN_AFTER_S, STUCK_AFTER_S, Patience

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_what_is_under_way_too_long_is_told_once_an_hour_and_what_ends_is_not() -> None:
    patience = Patience()
    assert patience.ends("berk", {ONE, OTHER}, 100.0) == 0
    assert patience.ends("berk", {ONE}, 100.0 + STUCK_AFTER_S - 1) == 0
    assert patience.ends("berk", {ONE}, 100.0 + STUCK_AFTER_S) == 1
    assert patience.ends("berk", {ONE}, 100.0 + STUCK_AFTER_S + AGAIN_AFTER_S - 1) == 0
    assert patience.ends("berk", {ONE, OTHER}, 100.0 + STUCK_AFTER_S + AGAIN_AFTER_S) == 1
    assert patience.ends("eik", {ONE}, 100.0 + STUCK_AFTER_S) == 0


def test_an_erasure_that_ended_begins_anew_when_it_comes_again() -> None:
    patience = Patience()
    for now, under_way in ((0.0, {ONE}), (1.0, set[UUID]()), (STUCK_AFTER_S, {ONE})):
        assert patience.ends("berk", under_way, now) == 0


async def test_a_school_that_fails_holds_up_no_other_and_raises_alarm_when_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    alarms: list[dict[str, object]] = []
    clock = [0.0]

    async def erase_school(_: object, school: str, __: object) -> set[UUID]:
        if school == "berk":
            raise asyncpg.QueryCanceledError
        done.append(school)
        return set()

    monkeypatch.setattr(erasures, "erase_school", erase_school)
    at: Any = SimpleNamespace(
        guard=SimpleNamespace(stopped=lambda _: None),
        loop=SimpleNamespace(time=lambda: clock[0]),
        alarm=lambda code, _, **facts: alarms.append({"code": code, **facts}),
    )
    patience = Patience()
    for clock[0] in (0.0, STUCK_AFTER_S, STUCK_AFTER_S + 1):
        for school in ("berk", "eik"):
            await erasures.turn(at, school, lambda _: True, patience)
    assert done == ["eik", "eik", "eik"]
    assert alarms == [{"code": "erasure_stuck", "school": "berk", "count": 1}]
