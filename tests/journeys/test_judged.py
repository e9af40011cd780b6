"""The demo's check of the judge can fail: on a finding, and on a log that is not judged to its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from deploy.demo import checks
from deploy.demo.checks import Found, Scene, judged


def scene(*, come: int, findings: list[dict[str, Any]]) -> Scene:
    async def rows(_service: str, _school: str, sql: str) -> list[dict[str, Any]]:
        if "log_head" in sql:
            return [{"size": 10}]
        return [{"idx": come}] if "judge_position" in sql else findings

    return cast("Scene", SimpleNamespace(cast=SimpleNamespace(keepers=["de-eik"]), books=SimpleNamespace(rows=rows)))


async def wrong(at: Scene) -> list[str]:
    found = Found()
    await judged(at, found)
    return found.checks["the judge found nothing"]


async def test_it_holds_when_all_is_judged_and_nothing_was_found() -> None:
    assert await wrong(scene(come=10, findings=[])) == []


async def test_a_finding_is_told_by_its_code() -> None:
    found = [{"idx": 7, "code": "after_end"}, {"idx": 3, "code": "after_end"}]
    assert await wrong(scene(come=10, findings=found)) == ["de-eik: after_end, first at line 3"]


async def test_a_log_that_is_not_judged_to_its_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "JUDGED_WITHIN_S", 1)
    assert await wrong(scene(come=9, findings=[])) == ["de-eik: judged are 9 of 10 lines"]
