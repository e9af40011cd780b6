"""What a process knows of its lanes beside their cursors in the database: the heads it hears, and which stand still."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic_core
from pydantic import TypeAdapter

from shared.backlog import Backlog, Key
from shared.bus import Bus
from shared.projection import Position
from shared.telemetry import Telemetry

BEHIND_S = 0.5
"""A lane that was behind a head for so long, and for which the stream has nothing, is brought on from the journal.

The worst case of a tail that the bus lost: the next head, which tells of it, comes after 1.0 s (`HEADS_EVERY_S`); the
lane is left 0.5 s from there, by the clock and whatever further heads do; the next turn begins within 0.25 s
(`LOOK_EVERY_S`). Together 1.75 s, and what it takes to ask the journal and to apply. That the stream has nothing shows
in those same 0.5 s: nothing is delivered, or what is delivered says where the stream ends. A busy consumer first
handles what lay in the stream when the head came, and every head that is itself lost costs 1.0 s more.
"""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0

HEADS = TypeAdapter(dict[str, tuple[int, int, str]])


@dataclass(slots=True)
class LaneState:
    """What this process knows of a lane beside the cursor in the database."""

    position: Position = field(default_factory=Position)
    head: Position = field(default_factory=Position)
    delivered: int = 0
    """The highest number of an event that came, be it applied or left to the journal."""
    behind_since: float | None = None
    stopped: str | None = None
    """Why the lane stands still: `fork`, `blocked`, or the name of what failed last."""
    suspected: Position | None = None
    """Where the lane stood when a head was last heard that does not fit it."""
    try_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    alarm_at: float = 0.0
    """Not before this is it told again that the lane waits."""

    @property
    def held(self) -> bool:
        """Whether the lane stands still on purpose: it has an alarm of its own, and the others go on."""
        return self.stopped is not None and self.stopped.startswith(("fork", "blocked"))

    @property
    def known(self) -> int:
        """The highest number that the producer's journal is known to hold."""
        return max(self.head.seq, self.delivered)

    @property
    def lag(self) -> int:
        return max(0, self.head.seq - self.position.seq)

    def reach(self, position: Position) -> None:
        """Notes how far the lane has come; what fails next does not stand still."""
        if position != self.position:
            self.position, self.pause_s = position, FIRST_PAUSE_S


class Lanes(dict[Key, LaneState]):
    """A consumer's lanes; one that was not heard of before begins at nothing. Times are the event loop's (s)."""

    def __init__(self, backlog: Backlog, telemetry: Telemetry) -> None:
        super().__init__()
        self._backlog = backlog
        self._telemetry = telemetry
        self._paused: set[Key] = set()

    def __missing__(self, key: Key) -> LaneState:
        self[key] = LaneState()
        return self[key]

    def begin(self, positions: Mapping[Key, Position]) -> None:
        """Begins anew at the cursors: a restored database may not know a lane that this process remembers."""
        for lane in self.values():
            lane.position, lane.suspected, lane.behind_since = Position(), None, None
        for key, position in positions.items():
            self[key].position = position

    def hear(self, producer: str, heads: bytes, now: float, *, active: bool) -> None:
        """Takes a producer's heads, JSON {school: [epoch, seq, hash]}; `active`: this replica is the one that applies.

        Raises ValueError for what is no such thing.
        """
        for school, head in HEADS.validate_json(heads).items():
            lane = self[producer, school]
            lane.head = Position(*head)
            self._telemetry.lag.labels(producer, school).set(lane.lag)
            self._judge((producer, school), lane, now, active=active)

    def _judge(self, key: Key, lane: LaneState, now: float, *, active: bool) -> None:
        at, head = lane.position, lane.head
        if head.seq < at.seq or (head.seq == at.seq and head.hash != at.hash):
            # A head may be told just before, and heard just after, the event that follows it: twice is no accident.
            if lane.suspected == at:
                self.stop_for_fork(key)
            lane.suspected = at
        elif head.seq == at.seq:
            lane.behind_since = None
            self._backlog.clear(key)
            if lane.stopped == "fork":
                lane.stopped = None
        else:
            self._note_behind(key, lane, now, active=active)

    def _note_behind(self, key: Key, lane: LaneState, now: float, *, active: bool) -> None:
        if lane.behind_since is None:
            lane.behind_since = now
        if active:
            self._backlog.suspect(key, now)

    def stop_for_fork(self, key: Key) -> None:
        """Marks a lane whose producer's numbers now carry other events; an alarm, once."""
        producer, school = key
        lane = self[key]
        if lane.stopped != "fork":
            lane.stopped = "fork"
            self._telemetry.alarm(
                "fork",
                "a producer's journal is behind or beside what was applied: run `samen recover` for it",
                producer=producer,
                school=school,
                seq=lane.position.seq,
            )

    def pause(self, key: Key, why: str, now: float) -> None:
        """Leaves a lane alone for a while, each time for longer; a fork goes on being one."""
        lane = self[key]
        if lane.stopped != "fork":
            lane.stopped = why
        self._paused.add(key)
        lane.try_at = now + lane.pause_s
        lane.pause_s = min(lane.pause_s * 2, LONGEST_PAUSE_S)
        lane.behind_since = lane.behind_since or now

    def rested(self, now: float) -> set[Key]:
        """Returns the lanes whose pause is over, once each."""
        found = {key for key in self._paused if self[key].try_at <= now}
        self._paused -= found
        return found

    def try_now(self, key: Key) -> None:
        """Ends a lane's pause, and has the next one be short."""
        lane = self[key]
        lane.try_at, lane.pause_s = 0.0, FIRST_PAUSE_S

    def settled(self, key: Key, now: float, *, moved: bool) -> None:
        """Notes that nothing stood in a lane's way; one that came on, but not to its head, is behind it from now.

        What was skipped says nothing of a fork: only events that continue the lane do, or a head that fits.
        """
        lane = self[key]
        if moved or lane.stopped != "fork":
            lane.stopped = None
        lane.pause_s = FIRST_PAUSE_S
        if moved:
            lane.behind_since = None
        self._paused.discard(key)
        self._backlog.clear(key)
        if lane.lag:
            self._note_behind(key, lane, now, active=True)
        else:
            lane.behind_since = None

    def late(self, now: float) -> bool:
        """Tells whether a lane has been behind for long, and not on purpose."""
        return any(
            lane.behind_since is not None and now - lane.behind_since > 10 and not lane.held for lane in self.values()
        )


def told(positions: Mapping[Key, Position], more: Mapping[str, Any] | None = None) -> bytes:
    """Returns cursors as they are told: JSON {producer: {school: [epoch, seq, hash]}}, and whatever `more` holds."""
    by_producer: dict[str, Any] = dict(more or {})
    for (producer, school), at in positions.items():
        by_producer.setdefault(producer, {})[school] = [at.epoch, at.seq, at.hash]
    return pydantic_core.to_json(by_producer)


Hold = Callable[[Mapping[Key, Position]], Awaitable[tuple[Mapping[Key, Position], Mapping[str, Any]]]]
"""Says how far cursors may be told, and what is told beside them. Raises: nothing is told now."""


class Announcer:
    """Announces cursors: lag is visible by them, and withdrawals wait for network's.

    `hold` keeps back those whose effects outside the database are not sure yet; `ask.cursors` tells them as they are.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.hold: Hold | None = None

    async def tell(self, positions: Mapping[Key, Position]) -> None:
        """Announces these; what cannot be announced now is in a second."""
        with contextlib.suppress(Exception):
            more: Mapping[str, Any] = {}
            if self.hold is not None:
                positions, more = await self.hold(positions)
            await self._bus.client.publish(f"cursor.{self._bus.service}", told(positions, more))
