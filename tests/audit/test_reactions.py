from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import asyncpg
import pytest

from services.audit.files import Logs
from services.audit.reactions import lanes
from shared.errors import Permanent
from shared.events.base import Event
from shared.events.network import AccessChanged
from shared.events.words import Basis, Purpose, Role
from shared.projection import Blocked, Policy
from shared.tlog.merkle import Tree, extend, leaf_hash, root
from tests.audit.support import AUDITOR, CHILD, OTHER_CHILD, Journal, Log, act, log_grant


async def test_every_event_is_one_line_in_order_under_the_tree(log: Log) -> None:
    journal = Journal(log.school)
    await log.log(journal.many(3))
    await log.log([journal.denied(), *journal.many(600)])

    lines = await log.rows("SELECT idx, producer, seq, outcome, leaf_hash, entry, event FROM line ORDER BY idx")
    assert [line["idx"] for line in lines] == list(range(604))
    assert [line["seq"] for line in lines] == list(range(1, 605))
    assert [line["event"].encode() for line in lines] == [event.raw for event in journal.events]
    assert [line["idx"] for line in lines if line["outcome"] == "denied"] == [3]
    leaves = [leaf_hash(line["entry"].encode()) for line in lines]
    assert [line["leaf_hash"] for line in lines] == leaves
    head = (await log.rows("SELECT size, root, frontier FROM log_head"))[0]
    whole, stored = extend(Tree(), leaves)
    assert (head["size"], tuple(head["frontier"]), head["root"]) == (604, whole.frontier, root(whole))
    nodes = await log.rows("SELECT level, idx, hash FROM log_node ORDER BY idx")
    assert [tuple(node.values()) for node in nodes] == [(8, 0, stored[0].hashes[0]), (8, 1, stored[0].hashes[1])]


async def test_redelivered_events_make_no_second_line(log: Log) -> None:
    journal = Journal(log.school)
    await log.log(journal.many(5))
    again = Journal(log.school)
    await log.log(again.many(8))
    await log.log(again.events)
    assert (await log.rows("SELECT count(*) FROM line"))[0]["count"] == 8


async def test_a_batch_that_fails_leaves_nothing_of_itself(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(log.school)
    await log.log(journal.many(2))
    before = await log.rows("SELECT size, root FROM log_head")
    with monkeypatch.context() as broken:
        broken.setattr("shared.projection.append", _fails)
        events = journal.many(2)
        with pytest.raises(RuntimeError, match="power"):
            await log.log(events)
    assert await log.rows("SELECT size, root FROM log_head") == before
    await log.log(journal.events)
    assert (await log.rows("SELECT max(idx), count(*) FROM line"))[0] == {"max": 3, "count": 4}


async def _fails(*_: object) -> None:
    raise RuntimeError("power")


async def test_lanes_that_commit_at_once_share_one_dense_log(log: Log) -> None:
    journals = [Journal(log.school, producer) for producer in ("network", "goals", "notifications", "gate", "audit")]

    async def feed(journal: Journal) -> None:
        for _ in range(10):
            events = journal.many(7)
            while True:
                try:
                    await log.log(events)
                    break
                except asyncpg.LockNotAvailableError:
                    await asyncio.sleep(0)  # the head was locked too long: the consumer tries again too

    await asyncio.gather(*map(feed, journals))
    lines = await log.rows("SELECT idx, producer, seq, leaf_hash FROM line ORDER BY idx")
    assert [line["idx"] for line in lines] == list(range(350))
    for journal in journals:
        mine = [line["seq"] for line in lines if line["producer"] == journal.producer]
        assert mine == list(range(1, 71))
    switches = sum(a["producer"] != b["producer"] for a, b in pairwise(lines))
    assert switches > 3, "the lanes took turns, so nothing was tried"
    head = (await log.rows("SELECT size, root FROM log_head"))[0]
    assert head["root"] == root(extend(Tree(), [line["leaf_hash"] for line in lines])[0])


async def test_logging_causes_no_events(log: Log) -> None:
    for lane in log.lanes:
        await log.log(Journal(log.school, lane.producer).many(2))
    assert await log.journaled() == []


async def test_networks_grants_are_kept_and_their_event_is_a_line(log: Log) -> None:
    journal = Journal(log.school, "network")
    grant = log_grant(AUDITOR, Role.AUDITOR, Purpose.OVERSIGHT, Basis.LEGAL_DUTY)
    await log.log([journal.add(AccessChanged(revision=4, grants=(grant,)), act(), CHILD)])
    row = (await log.rows("SELECT id, version, grants FROM access"))[0]
    assert (row["id"], row["version"]) == (CHILD, 4)
    assert row["grants"][str(AUDITOR)][0]["id"] == str(grant.id)
    assert (await log.rows("SELECT type FROM line"))[0]["type"] == "nl.samenkracht.network.access.changed.v1"


def changed(event: Event, **more: object) -> Event:
    """Returns the event with other content, its number and chain kept."""
    content = {**json.loads(event.raw), **more}
    return replace(Event.parse(json.dumps(content).encode()), prev_hash=event.prev_hash)


@pytest.mark.parametrize(
    "broken",
    [
        {"data": {"fact": {}}},
        {"data": {"act": {"actor": "x"}, "fact": {}}},
        {"data": {"act": {**act().model_dump(mode="json"), "reason": {"free": "text"}}, "fact": {}}},
        {"data": {"act": {**act().model_dump(mode="json"), "revision": 2.5}, "fact": {}}},
        {"data": {"act": {**act().model_dump(mode="json"), "revision": 2**53}, "fact": {}}},
        {"data": {"act": {**act().model_dump(mode="json"), "actor": "nobody"}, "fact": {}}},
        {"data": {"act": {**act().model_dump(mode="json"), "category": "a\u0000b"}, "fact": {}}},
        {"data": {"act": {**act().model_dump(mode="json"), "reason": "a\u0000b"}, "fact": {}}},
        {"time": "yesterday"},
    ],
)
async def test_what_cannot_be_a_line_blocks_its_own_lane_only(log: Log, broken: dict[str, object]) -> None:
    journal = Journal(log.school)
    good, bad = journal.viewed(), changed(journal.viewed(), **broken)
    with pytest.raises(Blocked):
        await log.log([good, bad])
    letters = await log.rows("SELECT producer, seq, state FROM dead_letter")
    assert letters == [{"producer": "goals", "seq": 2, "state": "blocking"}]
    await log.log(Journal(log.school, "network").many(1))
    assert [line["producer"] for line in await log.rows("SELECT producer FROM line ORDER BY idx")] == [
        "goals",
        "network",
    ]


def test_every_lane_blocks(tmp_path: Path) -> None:
    made = lanes(Logs(tmp_path))
    assert {lane.producer for lane in made} == {"network", "goals", "notifications", "gate", "audit"}
    assert {lane.policy for lane in made} == {Policy.BLOCK}


def test_a_blocked_event_names_no_values() -> None:
    error = Permanent("not_a_line", "KeyError")
    assert "KeyError" in str(error)
    assert str(OTHER_CHILD) not in str(error)
