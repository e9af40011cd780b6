"""Runs the sides of a figure in turn (A B A B), takes medians, and says beside each target what was measured."""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field

Run = Callable[[], Awaitable[Mapping[str, float]]]
"""One run of one side; returns its measures by name. Bounded in count and time by whoever wrote it."""

RUN_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of one side: the median of its runs, with the range."""

    side: str
    name: str
    median: float
    lowest: float
    highest: float
    runs: int


@dataclass(frozen=True, slots=True)
class Target:
    """What the issue asks of a measure. `over` names the side it is a ratio over; None: the value itself counts."""

    name: str
    """What is asked, as the table shows it."""
    measure: str
    side: str
    over: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    over_measure: str | None = None
    """The measure of the other side, where it has another name."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target beside what was measured; `met` None: nothing to compare with."""

    target: str
    asked: str
    measured: float | None
    met: bool | None


@dataclass(slots=True)
class Report:
    """A figure's outcome."""

    figure: str
    measures: list[Measure] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Returns plain JSON values."""
        return asdict(self)


async def measure(
    sides: Mapping[str, Run], runs: int, timeout_s: float = RUN_TIMEOUT_S
) -> tuple[list[Measure], list[str]]:
    """Runs every side `runs` times, in turn; returns each one's medians, and what failed."""
    seen: dict[tuple[str, str], list[float]] = {}
    failed = []
    for _ in range(runs):
        for side, run in sides.items():
            try:
                async with asyncio.timeout(timeout_s):
                    found = await run()
            except Exception as error:  # noqa: BLE001  one run that fails is told of; the other figures still count
                failed.append(f"a run of {side} FAILED: {type(error).__name__} {error}"[:300])
                continue
            told = ", ".join(f"{name} {value:,.1f}" for name, value in found.items())
            print(f"  {side}: {told}", file=sys.stderr, flush=True)
            for name, value in found.items():
                seen.setdefault((side, name), []).append(value)
    measures = [
        Measure(side, name, statistics.median(values), min(values), max(values), len(values))
        for (side, name), values in seen.items()
    ]
    return measures, failed


def judge(measures: list[Measure], targets: tuple[Target, ...]) -> list[Verdict]:
    """Returns, for each target, what was asked and what was measured."""
    return [_judge({(m.side, m.name): m.median for m in measures}, target) for target in targets]


def _judge(medians: Mapping[tuple[str, str], float], target: Target) -> Verdict:
    asked = f">= {target.at_least:g}" if target.at_least is not None else ""
    asked = f"<= {target.at_most:g}" if target.at_most is not None else asked
    value = medians.get((target.side, target.measure))
    if value is not None and target.over is not None:
        other = medians.get((target.over, target.over_measure or target.measure))
        value = value / other if other else None
    if value is None:
        return Verdict(target.name, asked, None, None)
    met: bool | None = None
    if target.at_least is not None:
        met = value >= target.at_least
    elif target.at_most is not None:
        met = value <= target.at_most
    return Verdict(target.name, asked, value, met)


async def report(
    figure: str,
    sides: Mapping[str, Run],
    targets: tuple[Target, ...],
    runs: int,
    *notes: str,
    timeout_s: float = RUN_TIMEOUT_S,
) -> Report:
    """Measures the sides and judges them."""
    measures, failed = await measure(sides, runs, timeout_s)
    return Report(figure, measures, judge(measures, targets), [*notes, *failed])
