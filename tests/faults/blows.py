"""What strikes a hammered platform, and when: without end, made from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

Deed = Literal["kill", "pause", "cut", "reset"]
DEEDS: tuple[Deed, ...] = ("kill", "pause", "pause", "cut", "reset")
REPLICAS = ("network", "network 2")
"""One of them is always left in peace: the promise of 8 s holds while one runs."""
TARGETS = (*REPLICAS, "goals", "notifications", "gate", "audit")


@dataclass(frozen=True, slots=True)
class Blow:
    """One deed, after `wait_s`, that lasts `lasts_s`. A cut is still, or resets every connection."""

    deed: Deed
    target: str
    wait_s: float
    lasts_s: float


def blows(seed: int) -> Iterator[Blow]:
    """Yields blows for ever; the first hold each deed, and a pause that outlasts every lease."""
    random = Random(seed)
    yield Blow("cut", "notifications", 3.0, 1.5)
    yield Blow("pause", "goals", 0.5, 11.0)
    yield Blow("kill", "network", 0.5, 0.2)
    yield Blow("reset", "audit", 0.3, 0.5)
    while True:
        deed = random.choice(DEEDS)
        lasts = random.uniform(0, 1) if deed == "kill" or random.random() < 0.7 else random.uniform(2, 16)
        yield Blow(deed, random.choice(TARGETS), random.uniform(0.1, 3.0), lasts)
