"""A restored journal takes its lost tail back, from the audit log and the stream, before any number is used again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg

from shared import journal
from shared.actor import Actor
from shared.db import Connection
from shared.errors import Problem, ProblemType
from shared.events.base import Act, Event, Fact, NewEvent
from shared.events.words import Action, Basis, Category, Purpose, school_subject
from shared.forks import BEHIND, BESIDE

if TYPE_CHECKING:
    from shared.service import Site

WAITS_S = 30.0
TRY_AGAIN_S = 0.5

STREAM_TIMEOUT_S = 10.0
CLOCKS_DIFFER = timedelta(minutes=10)
"""The broker's clock is at most this far from the database's."""

LAST = "SELECT recorded_at FROM journal WHERE school = $1 ORDER BY seq DESC LIMIT 1"
HEAD = "SELECT epoch, seq, hash FROM journal_head WHERE school = $1"


class JournalRecovered(Fact):
    """A restored journal was given its lost tail back; what it named is denied until reviewed."""

    NAME: ClassVar[str] = "journal.recovered"
    after: int
    """The last number that the restored database still had."""
    taken_back: int


class ReviewDone(Fact):
    """A person has looked at a subject that was named in a recovered tail: it is open again."""

    NAME: ClassVar[str] = "review.done"


async def recover(site: Site, school: str, operator: Actor) -> dict[str, int]:
    """Takes a school's lost tail back; returns {after, taken_back}.

    Raises Problem when there is nothing to take back, when what was published does not continue this journal, or when
    somebody who may know of more does not answer.
    """
    if site.guard.forked.get(school) is None:
        raise Problem(ProblemType.CONFLICT, "this school's journal is whole: there is nothing to recover")
    async with site.db.school(school) as conn:
        head = await conn.fetchrow(HEAD, school)
    after = at = head["seq"] if head else 0
    deadline = site.loop.time() + WAITS_S
    while True:
        while tail := await _tail(site, school, at):
            await _take_back(site, school, tail)
            at += len(tail)
        unsettled = await _unsettled(site, school)
        if not unsettled:
            break
        if site.loop.time() > deadline:
            raise Problem(ProblemType.UNAVAILABLE, f"this journal ends at {at} now, but {unsettled}: ask again then")
        await asyncio.sleep(TRY_AGAIN_S)
    event = NewEvent(
        JournalRecovered(after=after, taken_back=at - after),
        school_subject(school),
        act_of(operator),
        producer=site.name,
    )
    async with site.db.school(school) as conn:
        await journal.append(conn, school, [event], site.ids, site.clock.now())
    site.guard.doubt()
    site.relay.wake(school)
    return {"after": after, "taken_back": at - after}


def _parted() -> Problem:
    return Problem(
        ProblemType.CONFLICT,
        "this journal holds other events than were published under the same numbers: nothing continues it. Put back a "
        "copy from before they parted, then recover again",
    )


async def _unsettled(site: Site, school: str) -> str:
    """Returns who must be waited for, and why, in words; "" when everyone's position is in the journal now."""
    stands = await site.guard.compare()
    if any(schools.get(school) == BESIDE for schools in stands.values()):
        raise _parted()
    silent = sorted({*site.settings.consumers, *site.settings.witnesses} - stands.keys())
    ahead = sorted(name for name, schools in stands.items() if schools.get(school) == BEHIND)
    waits = [f"{', '.join(silent)} must be running and answer"] if silent else []
    if ahead:
        waits.append(f"{', '.join(ahead)} applied what the audit log has not got yet")
    return " and ".join(waits)


async def _tail(site: Site, school: str, after: int) -> list[Event]:
    """Returns what follows number `after`: from the audit log, which keeps it for years, else from the stream."""
    texts = await site.bus.ask("ask.tail", {"producer": site.name, "school": school, "after_seq": after})
    if not texts:
        async with site.db.school(school) as conn:
            last = await conn.fetchval(LAST, school)
        since = (last - CLOCKS_DIFFER).isoformat() if last else None
        asked = {"what": "tail", "school": school, "after": after, "since": since}
        texts = await site.bus.ask(f"ask.stream.{site.name}", asked, timeout_s=STREAM_TIMEOUT_S)
    return [Event.parse(text.encode()) for text in texts]


async def _take_back(site: Site, school: str, tail: Sequence[Event]) -> None:
    try:
        async with site.db.lane() as conn:
            spared = school_subject(school)
            await conn.execute("SELECT take_back($1, $2, $3)", school, [event.raw.decode() for event in tail], spared)
            if site.taken_back is not None:
                await site.taken_back(conn, tail)
    except asyncpg.DataError:
        raise _parted() from None


async def review(conn: Connection, site: Site, school: str, subject: Any, operator: Actor) -> bool:  # noqa: ANN401  UUID
    """Opens a subject again that was denied since a recovery; False: it was not under review."""
    gone = await conn.fetchval("DELETE FROM under_review WHERE school = $1 AND id = $2 RETURNING true", school, subject)
    if gone:
        event = NewEvent(ReviewDone(), subject, act_of(operator), producer=site.name)
        await journal.append(conn, school, [event], site.ids, site.clock.now())
    return bool(gone)


def act_of(operator: Actor) -> Act:
    """Returns the act of an operator who mends the platform itself."""
    return Act(
        actor=operator.id,
        kind=operator.kind,
        door=operator.door,
        operator=operator.operator,
        purpose=Purpose.ADMINISTRATION,
        action=Action.MANAGE,
        category=Category.LOG,
        basis=Basis.LEGAL_DUTY,
    )
