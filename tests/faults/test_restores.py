"""A database put back to an older copy while the rest goes on: noticed before anything is answered, and mended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.tlog.merkle import Tree, extend, root
from tests.faults import checker
from tests.faults.books import Books, at_rest, read_books
from tests.faults.cast import Kid, School, goal_for, open_school
from tests.faults.door import Door, Json
from tests.faults.stage import Stage, until

SLUG = "restored"
SILENT = {"unavailable", "silence"}

pytestmark = pytest.mark.timeout(240)


class Asker:
    """Somebody who goes on asking: what was sent from a moment on, and how it was answered."""

    def __init__(self, door: Door, who: str, path: str, body: dict[str, Json]) -> None:
        self.door, self.who, self.path, self.body = door, who, path, body
        self.kinds: list[tuple[float, str]] = []
        self.over = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.over:
            sent = loop.time()
            answer = await self.door.command(SLUG, self.path, self.door.person(self.who, SLUG), **self.body)
            self.kinds.append((sent, answer.kind))
            await asyncio.sleep(0.01)

    def since(self, moment: float) -> list[str]:
        return [kind for sent, kind in self.kinds if sent >= moment]

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            self.over = True  # not cancelled: Python 3.11's wait_for may swallow that
            await task


async def forked(door: Door, service: str) -> dict[str, str]:
    answer = await door.operate(service, "status")
    return dict(answer.ok["forked"]) if answer.done else {}


async def propose(door: Door, kid: Kid) -> str:
    made = await door.must(SLUG, "goals.propose-goal", door.person(kid.teacher, SLUG), **goal_for(kid))
    return str(made["goal"])


def sound(books: Books) -> list[str]:
    """What must hold of journals and log even after a recovery."""
    return [*checker.journals(books), *checker.audited(books), *books.letters, *checker.projected(books)]


def kept(before: Books, after: Books, producer: str) -> bool:
    """Whatever was in the journal before the restore is in it again, byte for byte, at its number."""
    old = [entry.text for entry in before.journals[SLUG, producer]]
    return [entry.text for entry in after.journals[SLUG, producer]][: len(old)] == old


async def put_back_under_fire(stage: Stage, door: Door, service: str, copy: str, asker: Asker) -> None:
    """Puts the database back while somebody asks; nothing but `unavailable` may come back, then the fork is known."""
    async with asker.asking():
        await until(lambda: "ok" in asker.since(0), 30, "something is answered before the restore")
        await stage.put_back(service, copy)
        moment = asyncio.get_running_loop().time()
        await until(lambda: forked(door, service), 30, "the fork is noticed")
        seen = len(asker.kinds)
        await until(lambda: len(asker.kinds) > seen + 20, 60, "it is asked further")
    assert set(asker.since(moment)) <= SILENT
    assert "unavailable" in asker.since(moment)


async def recover(stage: Stage, door: Door, service: str, before: Books, numbers: int) -> None:
    """Has the tail taken back, and looks whether it is the one that was lost."""
    after_copy = (await read_books(stage)).heads[SLUG, service]
    answer = await door.operate(service, "recover", school=SLUG)
    assert answer.done, answer
    lost = numbers - after_copy[1]
    assert answer.ok == {"after": after_copy[1], "taken_back": lost}
    assert lost > 0
    await until(lambda: is_open(door, service), 30, "the school is open again")
    books = await read_books(stage)
    assert kept(before, books, service)
    recovered = books.journals[SLUG, service][numbers]
    assert (recovered.name, recovered.epoch) == ("journal.recovered", after_copy[0] + 1)


async def is_open(door: Door, service: str) -> bool:
    answer = await door.operate(service, "status")
    return bool(answer.done and answer.ok["checked"] and not answer.ok["forked"])


async def prepared(door: Door) -> School:
    return await open_school(door, SLUG, 2)


async def test_a_producer_put_back_answers_nothing_until_its_tail_is_taken_back(stage: Stage, door: Door) -> None:
    school = await prepared(door)
    named, other = school.kids
    await propose(door, named)
    copy = await stage.copy("goals")
    for _ in range(3):
        await propose(door, named)
    asker = Asker(door, other.teacher, "goals.propose-goal", goal_for(named))
    before_asking = await at_rest(stage)
    await put_back_under_fire(stage, door, "goals", copy, asker)
    # What was answered ok while asking went on is in the log: that is what is taken back.
    lines = await logged(stage, "goals")
    assert lines > len(before_asking.journals[SLUG, "goals"])
    await recover(stage, door, "goals", before_asking, lines)

    refused = await door.command(SLUG, "goals.propose-goal", door.person(named.teacher, SLUG), **goal_for(named))
    assert refused.kind == "forbidden"
    await propose(door, other)
    opened = await door.operate("goals", "review", school=SLUG, subject=named.child)
    assert opened.done, opened
    await propose(door, named)
    assert sound(await at_rest(stage)) == []
    assert (await door.operate("goals", "recover", school=SLUG)).kind == "conflict"


async def test_a_withdrawal_in_the_lost_tail_stays_withdrawn(stage: Stage, door: Door) -> None:
    """network is put back to when consent was given: after recovery and review nothing is shared on it."""
    school = await prepared(door)
    kid, other = school.kids
    about: dict[str, Json] = {
        "child": kid.child,
        "for_purpose": "care_coordination",
        "recipient": kid.therapist,
        "categories": ["goals"],
    }
    for who in (kid.mum, kid.dad):
        await door.must(SLUG, "network.give-consent", door.person(who, SLUG), **about, notice_version=1)
    await at_rest(stage)
    assert await sees(door, kid) == "ok"
    await at_rest(stage)
    copy = await stage.copy("network")
    await door.must(SLUG, "network.withdraw-consent", door.person(kid.mum, SLUG), **about)
    before = await at_rest(stage)
    assert await sees(door, kid) == "forbidden"

    body: dict[str, Json] = {"name": "Zorg Verder"}
    await put_back_under_fire(stage, door, "network", copy, Asker(door, school.admin, "network.add-organisation", body))
    lines = await logged(stage, "network")
    await recover(stage, door, "network", before, lines)
    assert (await door.operate("network", "review", school=SLUG, subject=kid.child)).done

    admin = door.person(school.admin, SLUG)
    for name in ("Pim", "Pam"):
        person = {"given_name": name, "family_name": "Proef"}
        new: dict[str, Json] = {"subject": kid.child, "role": "psychologist", "new_person": person}
        await door.must(SLUG, "network.add-member", admin, **new)
    await propose(door, other)
    books = await at_rest(stage)
    assert sound(books) == []
    assert await sees(door, kid) == "forbidden"


async def sees(door: Door, kid: Kid) -> str:
    """How the therapist's question for the child's goals is answered, once access can be verified."""
    kinds: list[str] = []

    async def answered() -> bool:
        body = {"about": kid.child, "purpose": "care_coordination"}
        answer = await door.query(SLUG, "goals.goals-of-child", door.person(kid.therapist, SLUG), **body)
        kinds.append(answer.kind)
        return answer.kind not in SILENT

    await until(answered, 30, "access is verified")
    return kinds[-1]


async def test_notifications_put_back_tells_everyone_once_again(stage: Stage, door: Door) -> None:
    school = await prepared(door)
    kid, other = school.kids
    await propose(door, kid)
    await at_rest(stage)
    copy = await stage.copy("notifications")
    lost = [await propose(door, kid) for _ in range(3)]
    before = await at_rest(stage)
    inbox = Asker(door, kid.dad, "notifications.read-notice", {"notice": lost[0], "version": 1})

    async with inbox.asking():
        await stage.put_back("notifications", copy)
        moment = asyncio.get_running_loop().time()
        await until(lambda: forked(door, "notifications"), 30, "the fork is noticed")
    assert set(inbox.since(moment)) <= SILENT
    numbers = await logged(stage, "notifications")
    await recover(stage, door, "notifications", before, numbers)
    await propose(door, other)
    books = await at_rest(stage)
    assert sound(books) == []
    assert list(checker.told(books, {kid.child, other.child})) == []


async def test_audit_put_back_writes_the_lost_lines_again_from_the_journals(stage: Stage, door: Door) -> None:
    school = await prepared(door)
    kid = school.kids[0]
    await propose(door, kid)
    await at_rest(stage)
    copy = await stage.copy("audit")
    for _ in range(3):
        await propose(door, kid)
    before = await at_rest(stage)
    await stage.put_back("audit", copy)
    await propose(door, kid)
    books = await at_rest(stage)
    assert sound(books) == []
    assert all(len(books.lines[lane]) >= len(lines) for lane, lines in before.lines.items())


async def look(door: Door, school: School) -> None:
    """The auditor looks at the log: a line of audit's own journal."""
    auditor, body = door.person(school.auditor, SLUG), {"purpose": "oversight"}

    async def answered() -> bool:
        return (await door.query(SLUG, "audit.tail", auditor, **body)).done

    await until(answered, 30, "the auditor is answered")


async def test_looks_at_the_log_that_audit_lost_are_taken_back(stage: Stage, door: Door) -> None:
    """Audit's own journal: no number is used again, and nobody's look is forgotten."""
    school = await prepared(door)
    await look(door, school)
    await at_rest(stage)
    copy = await stage.copy("audit")
    for _ in range(3):
        await look(door, school)
    before = await at_rest(stage)
    await stage.put_back("audit", copy)
    await until(lambda: forked(door, "audit"), 30, "the fork is noticed")
    refused = await door.query(SLUG, "audit.tail", door.person(school.auditor, SLUG), purpose="oversight")
    assert refused.kind == "unavailable"
    await recover(stage, door, "audit", before, len(before.journals[SLUG, "audit"]))
    await look(door, school)
    await propose(door, school.kids[0])
    books = await at_rest(stage)
    assert kept(before, books, "audit")
    assert sound(books) == []


async def test_what_was_published_and_applied_by_nobody_is_missed_too(stage: Stage, door: Door) -> None:
    """Every consumer is down while goals goes on, and then goals is put back: only the stream knows what it lost."""
    school = await prepared(door)
    await propose(door, school.kids[0])
    await at_rest(stage)
    copy = await stage.copy("goals")
    numbers = (await read_books(stage)).heads[SLUG, "goals"][1] + 1
    await until(lambda: is_open(door, "goals"), 30, "goals is checked after the copy")
    for consumer in ("audit", "notifications"):
        await stage.kill(consumer)
    lost = await propose(door, school.kids[0])
    await until(lambda: published(stage, "goals", numbers), 30, "the relay publishes")
    await stage.kill("goals")
    before = await read_books(stage)
    await stage.put_back("goals", copy)
    for service in ("audit", "notifications"):
        stage.start(service)
    await until(lambda: is_open(door, "audit"), 30, "audit is back")
    stage.start("goals")
    await until(lambda: forked(door, "goals"), 30, "the fork is noticed")
    await recover(stage, door, "goals", before, numbers)
    after = (await at_rest(stage)).journals[SLUG, "goals"]
    assert lost in after[numbers - 1].text


async def published(stage: Stage, producer: str, seq: int) -> bool:
    """Tells whether the stream holds a producer's event of that number."""
    async with stage.bus() as bus:
        asked = f'{{"last_by_subj": "evt.{SLUG}.{producer}.>"}}'.encode()
        message = await bus.request("$JS.API.DIRECT.GET.EVENTS", asked)
        return bool(json.loads(message.data or b"{}").get("seq") == seq)


async def logged(stage: Stage, producer: str) -> int:
    """Returns how many events of a producer the log has, once it has all that were published."""
    found: list[int] = []

    async def all_of_it() -> bool:
        found.append(len((await read_books(stage)).lines[SLUG, producer]))
        return await published(stage, producer, found[-1])

    await until(all_of_it, 30, "the log has all that was published")
    return found[-1]


async def test_a_checkpoint_from_before_a_restore_is_continued_by_the_log(stage: Stage, door: Door) -> None:
    """Who keeps a checkpoint must be able to prove that the log goes on from it."""
    school = await prepared(door)
    await at_rest(stage)
    copy = await stage.copy("audit")
    admin = door.person(school.admin, SLUG)
    for _ in range(4):  # lines of two producers in turn: another order would show
        await propose(door, school.kids[0])
        await door.must(SLUG, "network.add-organisation", admin, name="Zorg")
    lines = len((await at_rest(stage)).places[SLUG])
    await until(lambda: checkpoint(stage, lines), 30, "all lines are signed")
    held = await checkpoint(stage, lines)
    await stage.put_back("audit", copy)
    await propose(door, school.kids[0])
    assert len((await at_rest(stage)).places[SLUG]) > lines
    async with stage.admin("audit") as conn:
        first = "SELECT leaf_hash FROM line WHERE school = $1 ORDER BY idx LIMIT $2"
        leaves = [row["leaf_hash"] for row in await conn.fetch(first, SLUG, lines)]
    assert root(extend(Tree(), leaves)[0]) == held
    await until(lambda: checkpoint(stage, lines), 30, "the log is signed on")


async def checkpoint(stage: Stage, size: int) -> bytes | None:
    """Returns the root of the newest checkpoint over at least `size` lines."""
    async with stage.admin("audit") as conn:
        newest = "SELECT root FROM checkpoint WHERE school = $1 AND size >= $2 ORDER BY size DESC LIMIT 1"
        found: bytes | None = await conn.fetchval(newest, SLUG, size)
        return found
