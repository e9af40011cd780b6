"""A child erased from notifications: notices and deliveries go, and an event that comes late makes none."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

from services.notifications.reactions import LANES
from shared.db import Database
from shared.erasure import erase_rows
from shared.events.base import Act, Event
from shared.events.erasure import ChildErased, PersonErased
from shared.events.network import AccessChanged
from shared.events.words import Category, school_subject
from shared.projection import Applier
from tests.notifications.support import Lane, accepted, act, give_access, grant

ERASURE = UUID(int=9)
WITHOUT = uuid4()


async def rows(db: Database, school: str) -> tuple[int, int]:
    async with db.school(school) as conn:
        return (
            await conn.fetchval("SELECT count(*) FROM notice"),
            await conn.fetchval("SELECT count(*) FROM delivery"),
        )


def told(network: Lane, child: UUID, by: Act) -> list[Event]:
    return [
        network.add(AccessChanged(revision=9, grants=()), child, by),
        network.add(ChildErased(erasure=ERASURE, rows={}, things=0), child, by),
    ]


async def test_notices_about_the_child_go_and_others_stay(applier: Applier, db: Database, school: str) -> None:
    child, other, reader = uuid4(), uuid4(), uuid4()
    goals, network, by = Lane(school), Lane(school, "network"), act(uuid4())
    for about in (child, other):
        await give_access(db, school, about, [grant(reader)])
        await applier.apply(school, "goals", [goals.add(accepted(), about, by)])
    assert await rows(db, school) == (2, 2)
    await applier.apply(school, "network", told(network, child, by))
    assert await rows(db, school) == (1, 1)
    async with db.school(school) as conn:
        text = await conn.fetchval("SELECT event FROM journal ORDER BY seq DESC LIMIT 1")
    event = Event.parse(text.encode())
    assert event.fact(ChildErased).rows == {"notice": 1, "delivery": 1, "notice_cause": 1}
    assert event.type == "nl.samenkracht.notifications.child.erased.v1"


async def test_an_event_of_another_lane_that_comes_late_makes_no_notice(
    applier: Applier, db: Database, school: str
) -> None:
    child, reader = uuid4(), uuid4()
    goals, network, by = Lane(school), Lane(school, "network"), act(uuid4())
    await applier.apply(school, "network", told(network, child, by))
    await give_access(db, school, child, [grant(reader)])  # as if a replay had brought them back
    await applier.apply(school, "goals", [goals.add(accepted(), child, by)])
    assert await rows(db, school) == (0, 0)


async def test_what_waits_behind_a_parked_event_of_the_child_goes_too(
    applier: Applier, db: Database, school: str
) -> None:
    child, by, network = uuid4(), act(uuid4()), Lane(school, "network")
    letter = """
    INSERT INTO dead_letter (school, producer, seq, about, event, state, code, tries)
    VALUES ($1, 'goals', $2, $3, '', $4, 'x', 1)
    """
    async with db.school(school) as conn:
        letters = [(child, "parked"), (child, "waiting"), (uuid4(), "parked"), (child, "blocking")]
        for seq, (about, state) in enumerate(letters):
            await conn.execute(letter, school, seq, about, state)
    await applier.apply(school, "network", told(network, child, by))
    async with db.school(school) as conn:
        # One that holds a whole lane stays: what is behind it is still owed.
        assert [row[0] for row in await conn.fetch("SELECT seq FROM dead_letter ORDER BY seq")] == [2, 3]


async def test_a_person_who_is_gone_has_no_inbox(applier: Applier, db: Database, school: str) -> None:
    child, gone, stays = uuid4(), uuid4(), uuid4()
    goals, network, by = Lane(school), Lane(school, "network"), act(uuid4())
    await give_access(db, school, child, [grant(gone), grant(stays)])
    await applier.apply(school, "goals", [goals.add(accepted(), child, by)])
    fact = PersonErased(erasure=ERASURE, person=gone)
    await applier.apply(school, "network", [network.add(fact, school_subject(school), by, gone)])
    async with db.school(school) as conn:
        assert [row[0] for row in await conn.fetch("SELECT member FROM notice")] == [stays]
    assert await rows(db, school) == (1, 1)


async def test_that_a_person_who_is_gone_was_not_told_goes_too_and_the_others_keep_theirs(
    applier: Applier, db: Database, school: str
) -> None:
    child, gone, stays = uuid4(), uuid4(), uuid4()
    goals, network, by = Lane(school), Lane(school, "network"), act(gone)
    other = {"categories": (Category.PLAN,)}  # untold of all three events, beside the one who is gone
    await give_access(db, school, child, [grant(gone), grant(stays), grant(WITHOUT, **other)])
    await applier.apply(school, "goals", [goals.add(accepted(), child, one) for one in (by, act(stays), act(uuid4()))])
    async with db.school(school) as conn:
        assert [tuple(row) for row in await conn.fetch("SELECT about, member FROM untold_of ORDER BY member")] == [
            (child, member) for member in sorted((gone, stays, WITHOUT))
        ]
        for kind, name in (("person", "untold_of"), ("child", "notice_cause")):
            condition = await conn.fetchval("SELECT condition FROM erasable WHERE name = $1 AND kind = $2", name, kind)
            sql = f"EXPLAIN SELECT t.ctid FROM {name} t WHERE t.school = $1 AND ({condition})"
            plan = "\n".join(row[0] for row in await conn.fetch(sql, school, gone))
            assert "Seq Scan" not in plan, plan
            assert re.search(r"Index Cond: .*(?:about|member) =", plan), plan
    fact = PersonErased(erasure=ERASURE, person=gone)
    await applier.apply(school, "network", [network.add(fact, school_subject(school), by, gone)])
    async with db.school(school) as conn:
        # Of the others it stays known, also of the very event that was the erased person's own.
        without = {str(WITHOUT): "no_grant"}
        rows = [row[0] for row in await conn.fetch("SELECT untold FROM notice_cause ORDER BY untold")]
        assert rows == [without, without, without | {str(stays): "own_act"}]
        assert {row[0] for row in await conn.fetch("SELECT member FROM untold_of")} == {stays, WITHOUT}
        assert str(gone) not in str([tuple(row) for row in await conn.fetch("SELECT * FROM notice_cause")])
    await applier.apply(school, "network", told(network, child, by))
    async with db.school(school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM untold_of") == 0


MANY = """
INSERT INTO notice_cause (school, id, version, about, kind, occurred_at, untold)
SELECT $1, gen_random_uuid(), 1, $2, 'x', now() - make_interval(secs => i),
       jsonb_build_object($3::text, 'own_act', $4::text, 'no_grant')
  FROM generate_series(1, 5010) i
"""


async def test_of_somebody_who_was_round_very_many_the_newest_events_are_kept_for_the_others(
    db: Database, school: str
) -> None:
    child, gone, stays = uuid4(), uuid4(), uuid4()
    async with db.school(school) as conn:
        await conn.execute(MANY, school, child, str(gone), str(stays))
        newest = "SELECT id FROM notice_cause ORDER BY occurred_at DESC LIMIT 5000"
        before = [row[0] for row in await conn.fetch(newest)]
    async with db.school(school) as conn:
        await erase_rows(conn, "person", school, gone)
    async with db.school(school) as conn:
        assert [row[0] for row in await conn.fetch(newest)] == before
        assert await conn.fetchval("SELECT count(*) FROM notice_cause") == len(before)
        assert await conn.fetchval("SELECT count(*) FROM notice_cause WHERE untold ? $1", str(gone)) == 0
        assert await conn.fetchval("SELECT count(*) FROM notice_cause WHERE untold ? $1", str(stays)) == len(before)
        assert [row[0] for row in await conn.fetch("SELECT member FROM untold_of")] == [stays]


def test_what_cannot_be_erased_holds_the_lane() -> None:
    assert next(lane for lane in LANES if lane.producer == "network").policy == "block"
