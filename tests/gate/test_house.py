"""The gate's round: of each school what its time has come for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from services.gate import tasks
from services.gate.fence import take_lapsed
from shared.errors import Problem, ProblemType
from shared.events.gate import ToolRemoved
from shared.service import Site
from tests.faults.stage import until
from tests.gate.house import House


async def test_a_tool_ends_with_its_registration_without_a_door_too_whatever_ails_another_school(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, goes_on = await house.tool(), await house.tool()
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE tool SET ends_at = clock_timestamp() - interval '1 s' WHERE id = $1", ended.id)
        await conn.execute("UPDATE tool SET ends_at = clock_timestamp() + interval '1 h' WHERE id = $1", goes_on.id)
    ailing = f"ailing-{uuid4().hex[:8]}"

    async def schools() -> list[str]:
        return [ailing, house.school]

    async def lapsed(db: Any, school: str, now: Any, ids: Any) -> int:  # noqa: ANN401  as it is
        if school == ailing:
            raise Problem(ProblemType.UNAVAILABLE, "its grants can't be verified now")
        return await take_lapsed(db, school, now, ids)

    monkeypatch.setattr(tasks, "take_lapsed", lapsed)
    monkeypatch.setattr(house.db, "schools", schools, raising=True)
    at = SimpleNamespace(db=house.db, unit=house.unit, ids=house.putter.ids, clock=house.putter.clock)
    task = asyncio.create_task(tasks.keep_house(cast("Site", at)))

    async def removed() -> bool:
        return bool(await house.told("tool.removed"))

    try:
        await until(removed, 10, "the tool is removed")
    finally:
        task.cancel()
    (told,) = await house.told("tool.removed")
    assert (told.fact(ToolRemoved).tool, told.fact(ToolRemoved).reason) == (ended.id, "registration_ended")
