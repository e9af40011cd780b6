"""Snapshot, decide, commit: on a real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pydantic_core
import pytest

from shared.errors import Problem, ProblemType
from shared.events.base import Event
from shared.events.words import Purpose
from shared.unit_parts import Key
from tests.shared.conftest import Notes
from tests.shared.notes import CHANGE, READ, WRITE, ChangeNote, ReadNote, WriteNote, asked, give, grant, person


async def test_a_command_writes_its_row_and_its_event_together(notes: Notes) -> None:
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    reply = await notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="hello")))
    assert await notes.unit.run(READ, asked(who, ReadNote(note=UUID(reply["note"]), purpose=Purpose.GUIDANCE))) == {
        "words": "hello"
    }
    journal = await notes.journal("olm")
    assert [row["type"].split(".")[-3:-1] for row in journal] == [["note", "written"], ["access", "viewed"]]
    assert notes.committed == ["olm", "olm"]


async def test_the_journal_is_dense_and_chained_under_concurrency(notes: Notes) -> None:
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    await asyncio.gather(
        *(notes.unit.run(WRITE, asked(who, WriteNote(child=child, words=f"word {n}"))) for n in range(200))
    )
    previous = "0" * 64
    journal = await notes.journal("olm")
    for number, row in enumerate(journal, 1):
        event = Event.parse(row["event"].encode())
        assert (event.seq, event.prev_hash, row["hash"]) == (number, previous, event.hash)
        assert event.hash == sha256(row["event"].encode()).hexdigest()
        previous = event.hash
    assert len(journal) == 200


async def test_someone_without_a_grant_is_denied_and_the_denial_is_journaled(notes: Notes) -> None:
    child = uuid4()
    await give(notes.db, child, grant(uuid4()))
    with pytest.raises(Problem) as refused:
        await notes.unit.run(WRITE, asked(person(), WriteNote(child=child, words="no")))
    assert refused.value.type is ProblemType.FORBIDDEN
    (row,) = await notes.journal("olm")
    event = Event.parse(row["event"].encode())
    assert event.act.outcome == "denied"
    assert event.about == child


async def test_unknown_and_forbidden_answer_the_same(notes: Notes) -> None:
    child, who = uuid4(), person()
    await give(notes.db, child, grant(who.id))
    note = UUID((await notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="secret"))))["note"])
    answers = []
    for target in (note, uuid4()):
        with pytest.raises(Problem) as refused:
            await notes.unit.run(READ, asked(person(), ReadNote(note=target, purpose=Purpose.GUIDANCE)))
        answers.append(refused.value.to_json())
    assert answers[0] == answers[1]


async def test_a_grant_that_ends_within_two_seconds_no_longer_permits(notes: Notes) -> None:
    child, who = uuid4(), person()
    await give(notes.db, child, grant(who.id, until=datetime.now(UTC) + timedelta(seconds=1)))
    with pytest.raises(Problem, match="may not"):
        await notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="late")))


async def test_concurrent_retries_of_one_command_write_once_and_answer_the_same(notes: Notes) -> None:
    child, who = uuid4(), person()
    await give(notes.db, child, grant(who.id))
    body = WriteNote(child=child, words="once")
    key = Key("k1", "h1")
    replies = await asyncio.gather(*(notes.unit.run(WRITE, asked(who, body), key) for _ in range(30)))
    assert len({pydantic_core.to_json(reply) for reply in replies}) == 1
    assert len(await notes.journal("olm")) == 1
    with pytest.raises(Problem, match="another request"):
        await notes.unit.run(WRITE, asked(who, body), Key("k1", "h2"))


async def test_of_two_that_change_the_same_version_one_is_told_it_is_stale(notes: Notes) -> None:
    child, who = uuid4(), person()
    await give(notes.db, child, grant(who.id))
    note = UUID((await notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="first"))))["note"])
    ended = await asyncio.gather(
        *(notes.unit.run(CHANGE, asked(who, ChangeNote(note=note, version=1, words=f"by {n}"))) for n in range(10)),
        return_exceptions=True,
    )
    won = [one for one in ended if isinstance(one, dict)]
    lost = [one for one in ended if isinstance(one, Problem)]
    assert len(won) == 1
    assert [one.type for one in lost] == [ProblemType.STALE_VERSION] * 9


async def test_without_a_lease_nothing_is_permitted_and_the_refusal_says_try_again(leased_notes: Notes) -> None:
    child, who = uuid4(), person()
    await give(leased_notes.db, child, grant(who.id))
    with pytest.raises(Problem) as refused:
        await leased_notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="unsure")))
    assert refused.value.type is ProblemType.UNAVAILABLE
    assert len(await leased_notes.journal("olm")) == 1


async def test_a_lease_of_the_present_generation_permits_for_five_seconds(leased_notes: Notes) -> None:
    child, who = uuid4(), person()
    await give(leased_notes.db, child, grant(who.id))
    reading, generation = await leased_notes.db.row("SELECT clock_timestamp(), generation_now()")
    await leased_notes.db.function("store_leases", reading, generation, {"olm": [1, 0]})
    await leased_notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="sure")))


@pytest.mark.parametrize("spoil", ["old", "ahead", "generation"])
async def test_a_lease_that_is_old_or_ahead_or_of_another_generation_permits_nothing(
    leased_notes: Notes, spoil: str
) -> None:
    child, who = uuid4(), person()
    await give(leased_notes.db, child, grant(who.id))
    reading, generation = await leased_notes.db.row("SELECT clock_timestamp(), generation_now()")
    if spoil == "old":
        reading -= timedelta(seconds=5)
    await leased_notes.db.function("store_leases", reading, generation, {"olm": [1, 1 if spoil == "ahead" else 0]})
    if spoil == "generation":
        await leased_notes.db.row("UPDATE access_generation SET generation = 'rebuilt' RETURNING true")
    with pytest.raises(Problem) as refused:
        await leased_notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="unsure")))
    assert refused.value.type is ProblemType.UNAVAILABLE


async def test_while_grants_are_built_anew_nothing_is_permitted(notes: Notes) -> None:
    child, who = uuid4(), person()
    await give(notes.db, child, grant(who.id))
    await notes.db.row("UPDATE access_generation SET rebuilding = true RETURNING true")
    with pytest.raises(Problem) as refused:
        await notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="half of them are gone")))
    assert refused.value.type is ProblemType.UNAVAILABLE
    await notes.db.row("UPDATE access_generation SET rebuilding = false RETURNING true")
    await notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="the control")))
