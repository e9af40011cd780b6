"""What becomes of one lane while others wait: pages, pauses, alarms, and producers that do not answer."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from shared import consumer as looping
from shared import settle
from shared.backlog import Key
from shared.consumer import Consumer
from shared.errors import Permanent, Problem, Transient
from shared.events.base import Event
from shared.lanes import LONGEST_PAUSE_S, LaneState
from shared.projection import Applied, Applier, Blocked, Position, _sift
from shared.pull import BATCH
from shared.replay import STOPPED
from shared.telemetry import Telemetry
from tests.audit.support import Journal
from tests.shared.test_consumer import message

OLM: Key = ("goals", "olm")


class Bus:
    """Answers with a page of the journals; a producer may be silent, a school stopped."""

    service = "audit"

    def __init__(self) -> None:
        self.client = self
        self.journals: dict[Key, Journal] = {}
        self.silent: set[str] = set()
        self.stopped: set[str] = set()
        self.asked: list[Key] = []

    async def publish(self, _subject: str, _data: bytes) -> None:
        pass

    async def ask(self, subject: str, question: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
        producer, school = subject.removeprefix("replay."), question["school"]
        self.asked.append((producer, school))
        if producer in self.silent:
            raise Transient("no answer")
        if school in self.stopped:
            return STOPPED
        events = self.journals[producer, school].events[question["after"] :][: question["limit"]]
        return [event.raw.decode() for event in events]


class Toy(Applier):
    """Applies in memory, up to `longest` events at once; what `fails` raises comes first."""

    def __init__(self, telemetry: Telemetry) -> None:
        nothing: Any = None
        super().__init__(nothing, [], nothing, telemetry)
        self.at: defaultdict[Key, Position] = defaultdict(Position)
        self.longest = 500
        self.fails: Callable[[Key], Awaitable[None]] | None = None
        self.moved: list[Key] = []
        self.runs: list[int] = []
        """How many events each transaction was given."""
        self.poison: int | None = None
        self.poisons: Exception = Permanent("no_good")

    async def _set_aside(self, _school: str, _producer: str, _event: Event, error: Exception) -> Applied:
        raise Blocked(str(error))

    async def _run(self, school: str, producer: str, events: Sequence[Event], _ready: Any = None) -> Applied:  # noqa: ANN401
        if self.fails is not None:
            await self.fails((producer, school))
        self.runs.append(len(events))
        if self.poison and any(event.seq == self.poison > self.at[producer, school].seq for event in events):
            raise self.poisons
        run, missing = _sift(self.at[producer, school], events)
        if len(run) > self.longest:
            raise TimeoutError
        if run:
            self.moved.append((producer, school))
            self.at[producer, school] = Position(run[-1].epoch, run[-1].seq, run[-1].hash)
        return Applied(self.at[producer, school], missing)

    async def reachable(self) -> bool:
        return True


class Stage:
    """A consumer over a toy bus and a toy applier, a turn at a time."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.telemetry = Telemetry("audit", export=False)
        self.toy = Toy(self.telemetry)
        active: Any = type("Active", (), {"holds_lock": True})
        bus: Any = self.bus
        self.consumer = Consumer(active, bus, self.toy, ["goals", "plans", "network"], self.telemetry)

    def journal(self, key: Key, count: int, *, heard: bool = True) -> Sequence[Event]:
        producer, school = key
        journal = self.bus.journals.setdefault(key, Journal(school, producer))
        journal.many(count)
        if heard:
            last = journal.events[-1]
            self.lane(key).head = Position(last.epoch, last.seq, last.hash)
        return journal.events

    def lane(self, key: Key) -> LaneState:
        return self.consumer.lanes[key]

    async def turn(self, *due: Key, now: float = 0.0) -> None:
        """Takes a turn of what is due, these lanes too; at 0 s no pause is over."""
        self.consumer._due |= dict.fromkeys(due)
        nowhere: Any = None
        await self.consumer._bring_on(nowhere, now)

    def receive(self, event: Event) -> None:
        """Has the bus deliver an event, which the next turn takes."""
        self.consumer._pull._left = BATCH + 1  # enough is asked for
        self.consumer._pull._asked_at = asyncio.get_running_loop().time()
        self.consumer._pull._inbox.put_nowait(message(event, 1))

    async def deliver(self, key: Key, events: Sequence[Event]) -> bool:
        return await self.consumer._settler.settle(key, events)

    def alarms(self) -> Counter[str]:
        found = [sample for metric in self.telemetry.alarms.collect() for sample in metric.samples]
        return Counter({s.labels["code"]: int(s.value) for s in found if s.name.endswith("_total")})


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(settle, "REPLAY_LIMIT", 5)
    return Stage()


async def test_a_lane_with_a_long_journal_takes_a_page_a_turn_and_the_others_have_theirs_between(stage: Stage) -> None:
    short = ("plans", "olm")
    stage.journal(OLM, 12)
    stage.journal(short, 3)
    await stage.turn(OLM, short)
    assert (stage.lane(OLM).position.seq, stage.lane(short).position.seq) == (5, 3)
    await stage.turn()
    assert stage.lane(OLM).position.seq == 10
    await stage.turn()
    assert (stage.lane(OLM).position.seq, stage.consumer._due) == (12, {})
    assert Counter(stage.bus.asked) == {OLM: 3, short: 1}


async def test_a_delivered_batch_behind_a_long_gap_is_taken_a_page_a_turn_too(stage: Stage) -> None:
    events = stage.journal(OLM, 12, heard=False)
    assert await stage.deliver(OLM, events[11:])
    assert stage.lane(OLM).position.seq == 5
    await stage.turn(OLM)
    await stage.turn()
    assert (stage.lane(OLM).position.seq, stage.consumer._due) == (12, {})


async def test_of_the_lanes_that_are_due_the_authoritys_come_first(stage: Stage) -> None:
    others = [("goals", f"s-{n}") for n in range(2 * looping.LANES_A_TURN)]
    for key in [*others, ("network", "last")]:
        stage.journal(key, 1)
    await stage.turn(*others, ("network", "last"))
    assert stage.toy.moved[0] == ("network", "last")
    assert len(stage.toy.moved) == looping.LANES_A_TURN  # what was delivered has its turn before the rest
    await stage.turn()
    await stage.turn()
    assert set(stage.toy.moved) == {*others, ("network", "last")}


async def test_what_the_authority_told_does_not_wait_for_the_journals_of_others(stage: Stage) -> None:
    others = [("goals", f"s-{n}") for n in range(3)]
    for key in [*others, ("network", "due")]:
        stage.journal(key, 1)
    stage.receive(stage.journal(("network", "told"), 1)[0])
    await stage.turn(*others, ("network", "due"))
    assert stage.toy.moved == [("network", "due"), ("network", "told"), *others]


async def test_a_journal_that_has_no_more_than_was_applied_is_not_asked_over_and_over(stage: Stage) -> None:
    """A head may be wrong: the lane is due again when the next is heard."""
    stage.journal(OLM, 3)
    stage.lane(OLM).head = Position(1, 9, "0" * 64)
    for _ in range(3):
        await stage.turn(*([OLM] if not stage.bus.asked else []))
    assert len(stage.bus.asked) == 2


async def test_a_lane_whose_transactions_are_too_long_goes_on_in_shorter_ones(stage: Stage) -> None:
    stage.toy.longest = 3
    events = stage.journal(OLM, 40)
    tries = 0
    while stage.lane(OLM).position.seq < 40:
        tries += 1
        assert tries < 40, "it stands still"
        stage.consumer.lanes.try_now(OLM)
        await stage.deliver(OLM, events[stage.lane(OLM).position.seq :])
        assert stage.lane(OLM).pause_s < LONGEST_PAUSE_S
    assert stage.alarms()["lane_waits"] == 0


async def test_a_lane_that_not_even_the_shortest_transaction_helps_raises_an_alarm(stage: Stage) -> None:
    stage.toy.longest = 0
    events = stage.journal(OLM, 1)
    for _ in range(7):
        assert stage.alarms()["lane_waits"] == 0
        await stage.deliver(OLM, events)
        assert stage.lane(OLM).stopped == "lost"
        stage.lane(OLM).try_at = 0.0
    assert stage.lane(OLM).pause_s == LONGEST_PAUSE_S
    assert stage.alarms()["lane_waits"] == 1
    for alarms in (1, 2):  # it goes on waiting: that is told once a minute, not at each try
        stage.lane(OLM).alarm_at -= 60.0 * (alarms - 1)
        stage.lane(OLM).try_at = 0.0
        await stage.deliver(OLM, events)
        assert stage.alarms()["lane_waits"] == alarms


async def test_a_blocked_lane_is_tried_again_from_the_event_that_holds_it(stage: Stage) -> None:
    stage.toy.poison = 10
    await stage.deliver(OLM, list(stage.journal(OLM, 12)))
    assert (stage.lane(OLM).position.seq, stage.lane(OLM).stopped) == (9, "blocked:no_good")
    stage.toy.runs.clear()
    stage.consumer.lanes.try_now(OLM)
    await stage.deliver(OLM, ())
    assert stage.toy.runs == [3, 1]  # what waits in one go, then the event alone: not the nine before it again
    stage.toy.poison = None
    stage.consumer.lanes.try_now(OLM)
    await stage.deliver(OLM, ())
    assert (stage.lane(OLM).position.seq, stage.lane(OLM).stopped) == (12, None)


async def test_what_was_committed_before_a_wait_is_not_gone_over_again(stage: Stage) -> None:
    stage.toy.poison, stage.toy.poisons = 600, Transient("revision")
    await stage.deliver(OLM, list(stage.journal(OLM, 700)))
    assert (stage.lane(OLM).position.seq, stage.lane(OLM).stopped) == (500, "waiting:revision")


async def test_a_lane_that_waits_is_tried_again_at_its_time_though_no_head_is_heard(stage: Stage) -> None:
    async def fails(_: Key) -> None:
        raise Transient("revision")

    stage.toy.fails = fails
    await stage.deliver(OLM, stage.journal(OLM, 2, heard=False))
    lane = stage.lane(OLM)
    stage.toy.fails = None
    again = lane.try_at
    await stage.turn(now=again - 0.01)
    assert (lane.stopped, stage.bus.asked) == ("waiting:revision", [])
    lane.try_at = 0.0  # its time has come
    await stage.turn(now=again)
    assert (lane.stopped, lane.position.seq) == (None, 2)
    assert stage.consumer.lanes.rested(again + 60) == set()


async def test_a_lane_that_waits_still_is_left_alone_until_its_next_time(stage: Stage) -> None:
    async def fails(_: Key) -> None:
        raise Transient("revision")

    stage.toy.fails = fails
    await stage.deliver(OLM, stage.journal(OLM, 2))
    stage.lane(OLM).try_at = 0.0
    await stage.turn()
    assert len(stage.bus.asked) == 1
    await stage.turn()
    assert len(stage.bus.asked) == 1
    assert stage.lane(OLM).try_at > 0.0


async def test_a_school_that_is_stopped_at_a_producer_keeps_only_itself_waiting(stage: Stage) -> None:
    wilg = ("goals", "wilg")
    for key in (OLM, wilg):
        stage.journal(key, 2)
    stage.bus.stopped = {"olm"}
    await stage.deliver(OLM, ())
    await stage.deliver(wilg, ())
    assert (stage.lane(OLM).stopped, stage.lane(wilg).position.seq) == ("waiting:stopped", 2)


async def test_a_silent_producer_is_waited_for_once_and_asked_again_when_it_is_heard(stage: Stage) -> None:
    lanes = [("goals", f"s-{n}") for n in range(3)]
    for key in lanes:
        stage.journal(key, 1)
    stage.bus.silent = {"goals"}
    for key in lanes:
        await stage.deliver(key, ())
    assert len(stage.bus.asked) == 1
    for key in lanes:
        stage.consumer.lanes.try_now(key)
    await stage.turn(lanes[0])
    assert len(stage.bus.asked) == 1
    stage.bus.silent = set()
    stage.consumer._settler.heard("goals")
    for key in lanes:
        stage.consumer.lanes.try_now(key)
    await stage.turn(*lanes)
    assert all(stage.lane(key).position.seq == 1 for key in lanes)


async def test_what_is_skipped_does_not_take_a_forks_mark_off(stage: Stage) -> None:
    events = list(stage.journal(OLM, 3))
    await stage.deliver(OLM, events[:2])
    other = Journal("olm")
    other.many(1)
    other.at = stage.bus.journals[OLM].at
    await stage.deliver(OLM, [*events[:1], *other.many(1)])
    assert stage.lane(OLM).stopped == "fork"
    await stage.deliver(OLM, events[:2])
    assert stage.lane(OLM).stopped == "fork"
    await stage.deliver(OLM, events[2:])
    assert stage.lane(OLM).stopped is None
    assert stage.alarms()["fork"] == 1


async def test_a_forks_mark_outlasts_a_wait(stage: Stage) -> None:
    async def fails(_: Key) -> None:
        raise Transient("locks")

    stage.consumer.lanes.stop_for_fork(OLM)
    stage.toy.fails = fails
    await stage.deliver(OLM, stage.journal(OLM, 1))
    assert stage.lane(OLM).stopped == "fork"


async def test_a_lane_that_fails_is_one_line_with_its_traceback_and_pauses(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_: Key) -> None:
        raise RuntimeError("the test breaks it")

    stage.toy.fails = fails
    await stage.deliver(OLM, stage.journal(OLM, 1))
    (line,) = [one for one in caplog.records if getattr(one, "code", None) == "lane_failed"]
    assert line.exc_info is not None
    assert line.exc_info[0] is RuntimeError
    assert (stage.alarms()["lane_failed"], stage.lane(OLM).stopped) == (1, "RuntimeError")


async def test_a_turn_comes_between_the_events_that_are_retried(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    waiting: list[asyncio.Task[None]] = []

    async def turn() -> None:
        async with stage.consumer.turn:
            done.append("turn")

    async def retry_parked(*_: object) -> bool:
        waiting.append(asyncio.create_task(turn()))
        await asyncio.sleep(0)  # it waits now
        if done.count("event") == 2:
            return False
        done.append("event")
        return True

    monkeypatch.setattr(stage.toy, "retry_parked", retry_parked)
    stage.journal(OLM, 1)
    assert await stage.consumer.retry("olm", "goals", uuid4()) == 2
    await asyncio.gather(*waiting)
    assert done == ["event", "turn", "event", "turn", "turn"]


async def test_a_retry_that_comes_before_a_new_process_read_its_lanes_finds_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def positions() -> dict[Key, Position]:
        return {OLM: Position(1, 4, "h")}

    monkeypatch.setattr(stage.toy, "positions", positions, raising=False)
    assert await stage.consumer.retry("olm", "goals") == 0
    with pytest.raises(Problem):
        await stage.consumer.retry("olm", "nobody")
