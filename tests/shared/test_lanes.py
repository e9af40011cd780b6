"""What the heads that a producer tells say about a lane, and how long one that is behind is left."""

from __future__ import annotations

import json

from shared.backlog import Backlog, Key
from shared.consumer import LOOK_EVERY_S
from shared.lanes import BEHIND_S, Lanes
from shared.projection import Position
from shared.relay import HEADS_EVERY_S
from shared.telemetry import Telemetry

LANE: Key = ("goals", "olm")
HASH, OTHER = "a" * 64, "b" * 64


class Heard:
    """A consumer's lanes, which has applied ten of the lane's events at 0 s."""

    def __init__(self) -> None:
        self.backlog = Backlog(BEHIND_S)
        self.backlog.begin(0.0)
        self.telemetry = Telemetry("audit", export=False)
        self.lanes = Lanes(self.backlog, self.telemetry)
        self.lanes[LANE].position = Position(1, 10, HASH)

    def head(self, seq: int, now: float, hash_: str = HASH) -> None:
        self.lanes.hear("goals", json.dumps({"olm": [1, seq, hash_]}).encode(), now, active=True)

    def due(self, now: float) -> bool:
        return LANE in self.backlog.passed(now, at_hand=False)


def test_a_lane_that_is_behind_one_head_is_due_by_the_clock_whatever_heads_follow() -> None:
    """Heads come once a second, but not exactly so: a lane that waits for the second may have to wait for a third."""
    heard = Heard()
    heard.head(20, 1.0)
    assert not heard.due(1.0 + BEHIND_S - 0.01)
    assert heard.due(1.0 + BEHIND_S)
    assert HEADS_EVERY_S + BEHIND_S + LOOK_EVERY_S < 2.0  # of the 3 s that are promised


def test_a_lane_that_is_brought_on_but_not_to_its_head_is_left_for_another_moment_only() -> None:
    heard = Heard()
    heard.head(20, 1.0)
    heard.lanes[LANE].position = Position(1, 15, HASH)
    heard.lanes.settled(LANE, 1.4, moved=True)
    assert not heard.due(1.4 + BEHIND_S - 0.01)
    assert heard.due(1.4 + BEHIND_S)


def test_a_lane_that_is_looked_after_but_does_not_come_on_is_late_all_the_same() -> None:
    heard = Heard()
    heard.head(20, 1.0)
    for now in range(2, 12):
        heard.lanes.settled(LANE, now, moved=False)
    assert not heard.lanes.late(10.9)
    assert heard.lanes.late(11.1)
    heard.lanes[LANE].position = Position(1, 15, HASH)
    heard.lanes.settled(LANE, 12.0, moved=True)
    assert not heard.lanes.late(21.9)


def test_a_lane_that_reaches_its_head_is_not_due() -> None:
    heard = Heard()
    heard.head(20, 1.0)
    heard.lanes[LANE].position = Position(1, 20, HASH)
    heard.lanes.settled(LANE, 1.4, moved=True)
    assert not heard.due(9.0)
