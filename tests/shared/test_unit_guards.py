"""What may have changed by the time a Change is sent, and what one request may do to its neighbours."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.clock import Ids
from shared.db import Connection, Database
from shared.errors import Problem, ProblemType, Transient
from shared.groups import SCHOOLS_AT_ONCE
from shared.projection import Applier, Lane, Policy
from shared.telemetry import Telemetry
from shared.unit import Asked, Change, Endpoint, Snapshot
from shared.unit_parts import Key
from shared.unit_run import Unit
from tests.shared.conftest import Notes
from tests.shared.notes import CHANGE, WRITE, ChangeNote, WriteNote, asked, decide_write, give, grant, person
from tests.shared.test_projection import chain

SLOW = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(5); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON note FOR EACH ROW WHEN (NEW.words = 'slow') EXECUTE FUNCTION dawdle();
"""


@pytest.fixture
async def narrow(notes: Notes) -> AsyncIterator[Database]:
    """The toy service's database through one connection, which a test can hold."""
    db = await Database.connect(notes.dsn, 1)
    yield db
    await db.close()


def waiting(db: Database) -> int:
    """How many wait for a connection now."""
    return sum(not one.done() for one in db._pool._queue._getters)  # type: ignore[attr-defined]  # asyncio's own


async def reached(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  the pool tells nobody who waits
            await asyncio.sleep(0)


@asynccontextmanager
async def held_at_commit(db: Database, *runs: Awaitable[object]) -> AsyncIterator[asyncio.Future[list[object]]]:
    """The runs have read and decided together, and wait for the one connection to commit while the body runs."""
    first = await db._pool.acquire()
    running = asyncio.gather(*runs, return_exceptions=True)
    await reached(lambda: waiting(db) == 1)
    entering = asyncio.ensure_future(_acquired(db))
    await reached(lambda: waiting(db) == 2)
    await db._pool.release(first)
    second = await entering
    try:
        await reached(lambda: waiting(db) == 1)
        yield running
    finally:
        await db._pool.release(second)


async def _acquired(db: Database) -> Connection:
    return await db._pool.acquire()


def kind(answer: object) -> object:
    return answer.type if isinstance(answer, Problem) else type(answer)


async def test_what_was_stopped_while_it_waited_for_a_connection_is_not_committed(
    notes: Notes, narrow: Database
) -> None:
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    stopped: list[str] = []
    unit = Unit("goals", narrow, Ids(Random(8)), authority=True, stopped=lambda _: "fork" if stopped else None)
    run = unit.run(WRITE, asked(who, WriteNote(child=child, words="reused")))
    async with held_at_commit(narrow, run) as running:
        stopped.append("now")
    (answer,) = await running
    assert kind(answer) is ProblemType.UNAVAILABLE
    assert await notes.journal("olm") == []


async def test_events_are_not_applied_to_what_was_stopped_while_they_waited(notes: Notes, narrow: Database) -> None:
    stopped: list[str] = []

    async def react(*_: object) -> tuple[()]:
        return ()

    lane, telemetry = Lane("goals", react, Policy.BLOCK), Telemetry("toy", export=False)
    applier = Applier(narrow, [lane], Ids(Random(1)), telemetry, stopped=lambda _: "fork" if stopped else None)
    held = await _acquired(narrow)
    applying = asyncio.ensure_future(applier.apply("olm", "goals", chain(3)))
    await reached(lambda: waiting(narrow) == 1)
    stopped.append("now")
    await narrow._pool.release(held)
    with pytest.raises(Transient):
        await applying
    assert await notes.db.rows("SELECT * FROM list_cursors()") == []


async def test_what_waited_past_its_deadline_is_not_done_and_its_neighbour_is(notes: Notes, narrow: Database) -> None:
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    unit = Unit("goals", narrow, Ids(Random(8)), authority=True)
    by = asyncio.get_running_loop().time() + 1
    late = unit.run(WRITE, asked(who, WriteNote(child=child, words="late")), by=by)
    timely = unit.run(WRITE, asked(who, WriteNote(child=child, words="timely")), by=math.inf)
    async with held_at_commit(narrow, late, timely) as running:
        await reached(lambda: asyncio.get_running_loop().time() > by)
    refused, reply = await running
    assert isinstance(refused, Problem)
    assert refused.detail == "the deadline had passed: nothing was done"
    assert isinstance(reply, dict)
    assert len(await notes.journal("olm")) == 1


async def test_what_is_past_its_deadline_is_not_even_decided(notes: Notes) -> None:
    decided: list[str] = []

    def decide(asked: Asked[WriteNote], seen: Snapshot) -> Change:
        decided.append("decided")
        return decide_write(asked, seen)

    endpoint = Endpoint("write-note", WriteNote, "read_child", decide)
    with pytest.raises(Problem, match="nothing was done"):
        await notes.unit.run(endpoint, asked(person(), WriteNote(child=uuid4(), words="late")), by=0)
    assert decided == []


async def test_one_change_that_takes_too_long_fails_alone_and_ends_no_connection(
    notes: Notes, narrow: Database
) -> None:
    owner = await asyncpg.connect(notes.owner_dsn)
    await owner.execute(SLOW)
    await owner.close()
    lost: list[str] = []
    narrow.lost.append(lambda: lost.append("lost"))
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    unit = Unit("goals", narrow, Ids(Random(8)), authority=True)
    words = ("quick", "slow", "swift", "fast")
    runs = [unit.run(WRITE, asked(who, WriteNote(child=child, words=one))) for one in words]
    async with held_at_commit(narrow, *runs) as running:
        pass
    answers = await running
    assert [kind(one) for one in answers] == [dict, ProblemType.UNAVAILABLE, dict, dict]
    assert lost == []


@pytest.mark.parametrize(("subjects", "groups"), [(100, 1), (300, 2)])
async def test_a_group_locks_a_bounded_number_of_subjects(
    notes: Notes, narrow: Database, subjects: int, groups: int
) -> None:
    def decide(asked: Asked[WriteNote], seen: Snapshot) -> Change:
        return replace(decide_write(asked, seen), locks=tuple(uuid4() for _ in range(subjects - 1)))

    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    committed: list[str] = []
    unit = Unit("goals", narrow, Ids(Random(8)), authority=True, committed=committed.append)
    wide = Endpoint("write-note", WriteNote, "read_child", decide)
    runs = [unit.run(wide, asked(who, WriteNote(child=child, words=f"note {n}"))) for n in range(2)]
    async with held_at_commit(narrow, *runs) as running:
        pass
    assert [kind(one) for one in await running] == [dict, dict]
    assert len(committed) == groups


async def test_a_retry_gets_the_same_reply_though_it_could_not_be_decided_again(notes: Notes) -> None:
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    note = UUID((await notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="first"))))["note"])
    change = asked(who, ChangeNote(note=note, version=1, words="second"))
    first = await notes.unit.run(CHANGE, change, Key("k", "h"))
    assert await notes.unit.run(CHANGE, change, Key("k", "h")) == first
    assert len(await notes.journal("olm")) == 2


async def test_a_retry_of_whoever_lost_access_is_denied_though_its_decision_never_asked(notes: Notes) -> None:
    """The decision meets a conflict before it asks for the permit that the first one had."""
    done: list[str] = []

    def decide(asked: Asked[WriteNote], seen: Snapshot) -> Change:
        if done:
            raise Problem(ProblemType.CONFLICT, "done already: look at it")
        return decide_write(asked, seen)

    hasty = Endpoint("write-note", WriteNote, "read_child", decide)
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    write = asked(who, WriteNote(child=child, words="once"))
    first = await notes.unit.run(hasty, write, Key("k", "h"))
    done.append("done")
    assert await notes.unit.run(hasty, write, Key("k", "h")) == first
    await give(notes.db, child, revision=2)
    with pytest.raises(Problem) as refused:
        await notes.unit.run(hasty, write, Key("k", "h"))
    assert refused.value.type is ProblemType.FORBIDDEN
    assert [row["type"].split(".")[-2] for row in await notes.journal("olm")] == ["written", "denied"]


async def test_a_retry_whose_access_is_withdrawn_under_way_is_denied(notes: Notes, narrow: Database) -> None:
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    write = asked(who, WriteNote(child=child, words="once"))
    await notes.unit.run(WRITE, write, Key("k", "h"))
    unit = Unit("goals", narrow, Ids(Random(8)), authority=True)
    async with held_at_commit(narrow, unit.run(WRITE, write, Key("k", "h"))) as running:
        await give(notes.db, child, revision=2)
    (answer,) = await running
    assert kind(answer) is ProblemType.FORBIDDEN


async def test_grants_that_cannot_be_read_refuse_their_own_child_alone_until_network_told_them_again(
    notes: Notes,
) -> None:
    who, sick, sound = person(), uuid4(), uuid4()
    for child in (sick, sound):
        await give(notes.db, child, grant(who.id))
    async with notes.db.school("olm") as conn:
        unreadable = {str(who.id): [{"id": "none"}]}
        await conn.execute("UPDATE access SET grants = $1 WHERE school = 'olm' AND id = $2", unreadable, sick)
    heals = False

    async def vouch(_school: str, subject: UUID) -> bool:
        if not heals:
            raise Transient
        await give(notes.db, subject, grant(who.id))
        return True

    alarms: list[tuple[str, object]] = []

    def alarm(code: str, _text: str, **facts: object) -> None:
        alarms.append((code, facts["school"]))

    unit = Unit("goals", notes.db, Ids(Random(7)), authority=True, vouch=vouch, alarm=alarm)
    runs = [unit.run(WRITE, asked(who, WriteNote(child=child, words="so"))) for child in (sick, sound)]
    refused, written = await asyncio.gather(*runs, return_exceptions=True)
    assert kind(refused) is ProblemType.UNAVAILABLE
    assert not isinstance(written, BaseException)
    assert set(alarms) == {("grants_unreadable", "olm")}
    heals = True
    assert (await unit.run(WRITE, asked(who, WriteNote(child=sick, words="so"))))["version"] == 1


async def test_a_change_that_lost_a_new_row_to_another_each_time_goes_in_when_no_more_are_lost(notes: Notes) -> None:
    """As a teacher's scores of four goals do, while a parent's are written on one after the other."""
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    made = [
        UUID((await notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="so"))))["note"]) for _ in range(3)
    ]
    ids = [*made, uuid4()]

    def decide(asked: Asked[WriteNote], seen: Snapshot) -> Change:
        change = decide_write(asked, seen)
        return replace(change, rows=(replace(change.rows[0], id=ids.pop(0)),))

    decided = Endpoint("write-note", WriteNote, "read_child", decide)
    assert (await notes.unit.run(decided, asked(who, WriteNote(child=child, words="so"))))["version"] == 1
    assert ids == []


async def test_what_waited_past_its_deadline_for_its_turn_to_read_is_not_read(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(notes.db, "function", lambda name, *_: read.append(name))
    loop, turns = asyncio.get_running_loop(), notes.unit._looks._turns
    for _ in range(SCHOOLS_AT_ONCE):
        await turns.acquire()
    by = loop.time() + 0.05
    body = WriteNote(child=uuid4(), words="late")
    waiting = asyncio.create_task(notes.unit.run(WRITE, asked(person(), body), by=by))
    while loop.time() < by:  # noqa: ASYNC110  a deadline is no event
        await asyncio.sleep(0.01)
    for _ in range(SCHOOLS_AT_ONCE):
        turns.release()
    with pytest.raises(Problem, match="deadline"):
        await waiting
    assert read == []
