"""Urgent events to the mail server's word while a digest of 50,000 goes out: with workers of their own, and without."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from services.notifications.mail import MailSettings
from services.notifications.pace import Limits, Pace
from services.notifications.reaching import Reach
from services.notifications.reactions import LANES
from services.notifications.sender import Sender
from services.notifications.smtp import MailChannel
from services.notifications.turns import Woken, Yielding
from shared.access_projection import by_member
from shared.clock import Clock, Ids
from shared.db import Database
from shared.events.emergencies import EmergencyStarted
from shared.events.notifications import Channel
from shared.events.words import Action, Category, Purpose, Role
from shared.projection import Applier
from shared.telemetry import Telemetry, tell
from shared.unit_run import Unit
from tests.bench.harness import Report, Run, Target, report
from tests.bench.machine import percentile
from tests.bench.product.mailsink import WATCHED
from tests.bench.product.stack import environment, fresh
from tests.bench.servers import BenchServers
from tests.bench.worker import Worker
from tests.notifications.support import ACCESS, LEASE, Lane, act, grant

DIGEST = 50_000
MEMBERS = 500
CHUNK = 2_500
URGENT = 200
EVERY_S = 0.1
SCHOOL = "bench-mail"
CHILD, ACTOR, REVIEWER = (uuid4() for _ in range(3))
SETTINGS = MailSettings(sender="niet-antwoorden@bench.example", per_minute=0, per_minute_school=0)
FILL = """
WITH made AS (
    INSERT INTO notice (school, id, version, member, about, source, kind, category, purpose, state, occurred_at, queued_at)
    SELECT $1, gen_random_uuid(), 1, ($3::uuid[])[1 + n % cardinality($3::uuid[])],
           ($2::uuid[])[1 + n % cardinality($2::uuid[])], gen_random_uuid(), 'goal_accepted',
           'goals', 'guidance', 'unread', clock_timestamp(), clock_timestamp()
      FROM generate_series(1, $4) n
    RETURNING id, member, about
)
INSERT INTO delivery (school, id, version, notice, channel, urgent, state, tries, doubts, next_try_at, due_at, member, about)
SELECT $1, gen_random_uuid(), 1, id, 'mail', false, 'queued', 0, 0, clock_timestamp(), clock_timestamp(), member, about FROM made
"""  # noqa: E501  a column list is read across


@dataclass(frozen=True, slots=True)
class Post:
    """A filled queue, and what sends it."""

    db: Database
    unit: Unit
    sink: Worker
    sender: Sender

    async def leases(self) -> None:
        """Keeps the access that is projected here fresh, as network's word does."""
        while True:
            async with self.db.school(SCHOOL) as conn:
                await conn.execute("DELETE FROM access_lease WHERE school = $1", SCHOOL)
                await conn.execute(LEASE, SCHOOL)
            await asyncio.sleep(1)


@asynccontextmanager
async def post(servers: BenchServers) -> AsyncIterator[Post]:
    """Fills a queue of its own and opens the mail server's process."""
    made = await fresh(servers, "notifications")
    sink = await Worker.start(
        "tests.bench.product.mailsink", [], environment(servers, made["notifications"]), servers.root / "sink.log"
    )
    port = (await sink.ask("arrived"))["port"]
    db = await Database.connect(made["notifications"].dsn, 10)
    unit, members = Unit("notifications", db, Ids()), [uuid4() for _ in range(MEMBERS)]
    children = [uuid4() for _ in members]  # each member's own: as a school's mails are about many children
    reviews = grant(
        REVIEWER,
        role=Role.SCHOOL_LEADER,
        actions=(Action.VIEW, Action.RECEIVE),
        categories=(Category.LOG,),
        purposes=(Purpose.OVERSIGHT,),
    )
    async with db.school(SCHOOL) as conn:
        await conn.execute(LEASE, SCHOOL)
        await conn.execute(ACCESS, SCHOOL, CHILD, by_member([reviews]))
        for member, child in zip(members, children, strict=True):
            await conn.execute(ACCESS, SCHOOL, child, by_member([grant(member)]))
    for _ in range(0, DIGEST, CHUNK):
        async with db.school(SCHOOL) as conn:
            await conn.execute(FILL, SCHOOL, children, members, CHUNK)
    number = 0

    async def contact(_school: str, member: UUID, _about: UUID) -> str:
        nonlocal number
        if member == REVIEWER:
            number += 1
            return f"{WATCHED}-{number}@bench.example"
        return f"m{member.hex}@bench.example"

    channel = lambda: MailChannel("127.0.0.1", port, SETTINGS)  # noqa: E731
    pace = Pace(db, Channel.MAIL, Limits())
    sender = Sender(
        db, unit, Ids(), Clock(), Reach(contact), channel, tell, 4.0, SETTINGS.patience_s, pace, keep=True
    )  # fmt: skip
    try:
        yield Post(db, unit, sink, sender)
    finally:
        await sink.stop()
        await db.close()


def overtaking(servers: BenchServers, *, own: bool) -> Run:
    """Returns a run: urgent events at a steady pace while the digest goes out. `own`: workers for what is urgent."""

    async def run() -> Mapping[str, float]:
        async with post(servers) as at:
            woken, yielding = (Woken(), Woken()), Yielding()
            senders = [replace(at.sender, woken=woken[0], yielding=yielding)]
            if own:
                senders.append(replace(at.sender, urgent=True, workers=2, woken=woken[1], yielding=yielding, idle=[]))

            def committed(school: str) -> None:
                for one in woken:
                    one.wake(school)

            applier = Applier(at.db, LANES, Ids(), Telemetry("notifications", export=False), committed)
            working = [asyncio.create_task(sender.run()) for sender in senders]
            working.append(asyncio.create_task(at.leases()))
            try:
                await asyncio.sleep(2)
                return await _measured(at, applier)
            finally:
                for task in working:
                    task.cancel()
                await asyncio.wait(working)

    return run


async def _measured(at: Post, applier: Applier) -> Mapping[str, float]:
    lane, sent_at = Lane(SCHOOL, "network"), []
    before = await at.sink.ask("arrived")
    for _ in range(URGENT):
        lane.at = datetime.now(UTC)
        starts = {"starts_at": lane.at, "ends_at": lane.at, "role": Role.TEACHER, "categories": (Category.CARE,)}
        fact = EmergencyStarted(emergency=uuid4(), member=ACTOR, **starts)
        begun = time.monotonic()
        sent_at.append(begun)
        await applier.apply(SCHOOL, "network", [lane.add(fact, CHILD, act(ACTOR))])
        with contextlib.suppress(ValueError):
            await asyncio.sleep(begun + EVERY_S - time.monotonic())
    await asyncio.sleep(1)
    after = await at.sink.ask("arrived")
    taken = [
        (after["watched"][f"{WATCHED}-{n}@bench.example"] - begun) * 1000
        for n, begun in enumerate(sent_at, 1)
        if f"{WATCHED}-{n}@bench.example" in after["watched"]
    ]
    async with at.db.school(SCHOOL) as conn:
        waiting = await conn.fetchval("SELECT count(*) FROM delivery WHERE state = 'queued' AND NOT urgent")
    if not waiting:
        msg = "the digest was over before the urgent ones were: not a run to count"
        raise RuntimeError(msg)
    return {
        "urgent_p50_ms": percentile(taken, 50),
        "urgent_p99_ms": percentile(taken, 99),
        "urgent_arrived": len(taken),
        "digest_per_s": (after["count"] - before["count"]) / (after["at"] - before["at"]),
        "still_waiting": waiting,
    }


async def mail(servers: BenchServers, runs: int) -> list[Report]:
    """Measures from an urgent event's arrival to the mail server's 250, while 50,000 mails wait to go."""
    found = await report(
        f"mail: urgent among a digest of {DIGEST:,}",
        {"product": overtaking(servers, own=True), "one queue": overtaking(servers, own=False)},
        (
            Target("urgent p50, ms", "urgent_p50_ms", "product", at_most=50),
            Target("urgent p99, ms", "urgent_p99_ms", "product"),
            Target("digest beside it, mails/s", "digest_per_s", "product"),
        ),
        runs,
        "the mail server is a process of its own; addresses are known here: asking network is not in it",
        timeout_s=240,
    )
    return [found]
