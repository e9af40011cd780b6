"""What goes wrong, and when: a plan made from a seed, so that a run that failed can be played again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.faults.stage import SERVICES, Stage

Deed = Literal["kill", "pause", "kill broker", "wipe broker"]


@dataclass(frozen=True, slots=True)
class Blow:
    """One deed: after `wait_s`, to `target`, which stays down (or frozen) for `down_s`.

    `in_peace`: only once people got on with their work since the blow before; else it may fall into the same trouble.
    """

    deed: Deed
    target: str
    wait_s: float
    down_s: float
    in_peace: bool = True

    @property
    def kills(self) -> bool:
        """It counts as a kill -9."""
        return self.deed != "pause"

    def __str__(self) -> str:
        return f"{self.deed} {self.target}".strip()


WORK = 10
"""Commands done between two blows that are to fall in peace."""
LONGEST_PEACE_S = 20.0


def plan(seed: int, kills: int) -> list[Blow]:
    """Returns a plan with that many kills, every service and the broker among them, and one wipe about halfway."""
    random = Random(seed)
    targets = [*SERVICES, "broker"]
    chosen = [targets[n % len(targets)] for n in range(kills)]
    random.shuffle(chosen)
    brokers = [n for n, target in enumerate(chosen) if target == "broker"]
    wiped = min(brokers, key=lambda n: abs(n - kills // 2)) if brokers else None
    blows: list[Blow] = []
    for n, target in enumerate(chosen):
        wait, down = random.uniform(0.3, 2.0), random.choice((0.0, 0.0, random.uniform(0.0, 2.0)))
        peace = random.random() < 0.7
        if target == "broker":
            blows.append(Blow("wipe broker" if n == wiped else "kill broker", "", wait, down, peace))
        else:
            blows.append(Blow("kill", target, wait, down, peace))
        if random.random() < 0.15:
            blows.append(Blow("pause", random.choice(SERVICES), random.uniform(0.2, 1.0), random.uniform(0.5, 4.5)))
    return blows


async def strike(stage: Stage, blows: list[Blow], tell: Callable[[int, Blow], None], done: Callable[[], int]) -> None:
    """Carries the plan out, one blow after another; what it brings down it brings up again. `done` counts the work."""
    killed, before = 0, 0
    for blow in blows:
        if blow.in_peace:
            await _work(done, before + WORK)
        await asyncio.sleep(blow.wait_s)
        before = done()
        killed += blow.kills
        tell(killed, blow)
        if blow.deed == "kill":
            await stage.kill(blow.target)
            await asyncio.sleep(blow.down_s)
            stage.start(blow.target)
        elif blow.deed == "pause":
            process = stage.processes[blow.target]
            process.pause()
            await asyncio.sleep(blow.down_s)
            process.resume()
        else:
            await asyncio.to_thread(stage.embedded.nats.kill)
            await asyncio.sleep(blow.down_s)
            if blow.deed == "wipe broker":
                await asyncio.to_thread(stage.embedded.nats.wipe)
            await asyncio.to_thread(stage.embedded.nats.start)


async def _work(done: Callable[[], int], enough: int) -> None:
    """Waits until so much is done; not for ever: a platform that stands still is found out by the checker."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_PEACE_S):
            while done() < enough:  # noqa: ASYNC110  another task counts
                await asyncio.sleep(0.05)
