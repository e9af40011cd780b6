"""The judge of the figures: a bench that says "met" of anything would be worse than none."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from tests.bench.harness import Measure, Run, Target, judge, measure
from tests.bench.machine import percentile


def runs_giving(*values: float) -> Run:
    left = iter(values)

    async def run() -> Mapping[str, float]:
        return {"per_s": next(left)}

    return run


async def test_sides_take_turns_and_the_median_counts() -> None:
    order: list[str] = []

    def side(name: str, *values: float) -> Run:
        inner = runs_giving(*values)

        async def run() -> Mapping[str, float]:
            order.append(name)
            return await inner()

        return run

    measures, failed = await measure({"a": side("a", 1, 9, 2), "b": side("b", 5, 5, 5)}, 3)

    assert order == ["a", "b", "a", "b", "a", "b"]
    assert [(m.side, m.median, m.lowest, m.highest, m.runs) for m in measures] == [("a", 2, 1, 9, 3), ("b", 5, 5, 5, 3)]
    assert failed == []


async def test_a_run_that_fails_is_told_and_the_others_count() -> None:
    async def broken() -> Mapping[str, float]:
        raise RuntimeError("no stream")

    measures, failed = await measure({"a": broken, "b": runs_giving(4)}, 1)

    assert [m.side for m in measures] == ["b"]
    assert len(failed) == 1
    assert "no stream" in failed[0]


@pytest.mark.parametrize(
    ("target", "measured", "met"),
    [
        (Target("x", "per_s", "fast", "slow", at_least=5), 5.0, True),
        (Target("x", "per_s", "fast", "slow", at_least=6), 5.0, False),
        (Target("x", "per_s", "slow", at_most=20), 20.0, True),
        (Target("x", "per_s", "slow", at_most=19), 20.0, False),
        (Target("x", "per_s", "fast", "slow"), 5.0, None),
        (Target("x", "per_s", "absent", "slow", at_least=1), None, None),
        (Target("x", "per_s", "fast", "absent", at_least=1), None, None),
    ],
)
def test_a_target_is_met_only_by_what_was_measured(target: Target, measured: float | None, met: bool | None) -> None:
    measures = [Measure("slow", "per_s", 20, 20, 20, 1), Measure("fast", "per_s", 100, 100, 100, 1)]

    (verdict,) = judge(measures, (target,))

    assert (verdict.measured, verdict.met) == (measured, met)


def test_percentiles_are_values_that_were_seen() -> None:
    values = [float(n) for n in range(100, 0, -1)]

    assert percentile(values, 50) == 50
    assert percentile(values, 99) == 99
    assert percentile([7.0], 99) == 7
    assert math.isnan(percentile([], 50))
