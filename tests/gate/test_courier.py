"""Webhooks from end to end: a gate on a real database, and real receivers that behave in every way."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook

from services.gate import patience
from services.gate.courier import Courier
from services.gate.model import pseudonym
from services.gate.parcels import CLAIM, ClaimParcels
from services.gate.places import Wakes
from shared.actor import Actor
from shared.clock import Clock, Ids
from shared.errors import Problem
from shared.events.erasure import ChildErased
from shared.events.gate import ParcelSetAside, PutOut
from shared.events.words import ActorKind, Category
from shared.unit import Asked
from tests.gate.house import TEACHER, House, Tool
from tests.gate.receiver import OK, Got, Receiver, receiving
from tests.notifications.support import act

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
ADD_TOOL = """
INSERT INTO tool (school, id, version, account, label, purpose, categories, types, agreement, channel, state, registered_at, secret)
VALUES ($1, $2, 1, NULL, 'a tool', 'local_tool', $3, '{}', 'dpa-1', 'webhook', 'active', clock_timestamp(), $4)
"""  # noqa: E501  a column list is read across
ADD_WEBHOOK = "INSERT INTO webhook VALUES ($1, $2, 1, $3, $4, clock_timestamp())"
GOALS, PLAN = Category.GOALS, Category.PLAN


class Post:
    """The house's courier, and what its tools' receivers got."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.alarms: list[str] = []
        self.courier = self.make()

    def make(self) -> Courier:
        """Returns a courier as another process would begin."""

        def alarm(code: str, text: str, **facts: object) -> None:
            del text, facts
            self.alarms.append(code)

        unit, db = self.house.unit, self.house.db
        context, days = ssl.create_default_context(), timedelta(days=30)
        return Courier(
            db, unit, Ids(), Clock(), Wakes(), alarm, context, 4.0, days, random.Random(1).random, loopback=True
        )

    async def tool(self, receiver: Receiver, secret: str = SECRET) -> Tool:
        made = Tool(uuid4(), "", uuid4().hex * 2)
        url, keys = f"http://127.0.0.1:{receiver.port}/hook", [{"secret": secret, "until": None}]
        async with self.house.db.school(self.house.school) as conn:
            await conn.execute(ADD_TOOL, self.house.school, made.id, list(Category), made.secret)
            await conn.execute(ADD_WEBHOOK, self.house.school, made.id, url, keys)
        return made

    async def round(self, courier: Courier | None = None) -> None:
        """Delivers what waits and is due, now."""
        await self.house.lease()
        courier = courier or self.courier
        await courier.look(self.house.school)
        await asyncio.gather(*(door.worker for door in courier.doors.values() if door.worker is not None))

    async def later(self, hours: float, courier: Courier | None = None) -> None:
        """Has so much time gone by, and delivers what is due then."""
        async with self.house.db.school(self.house.school) as conn:
            for table, column in (("parcel", "next_at"), ("parcel", "first_at"), ("receiver", "until")):
                await conn.execute(f"UPDATE {table} SET {column} = {column} - $1::interval", timedelta(hours=hours))
        for door in (courier or self.courier).doors.values():
            door.loaded = False
        await self.round(courier)

    async def parcels(self) -> list[dict[str, Any]]:
        async with self.house.db.school(self.house.school) as conn:
            return [dict(row) for row in await conn.fetch("SELECT * FROM parcel ORDER BY seq")]


@pytest.fixture
async def post(house: House) -> AsyncIterator[Post]:
    made = Post(house)
    yield made
    await made.courier.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(Receiver()) as made:
        yield made


def failing(*subjects: str, status: bytes = b"500 X") -> Callable[[Got], bytes]:
    """Answers with a failure for what is about these, as the tool knows them; all is well with the others."""
    failure = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
    return lambda got: failure if not subjects or json.loads(got.body).get("subject") in subjects else OK


def told(receiver: Receiver) -> list[tuple[int, str]]:
    return [(got.sequence, ".".join(json.loads(got.body)["type"].split(".")[3:-1])) for got in receiver.got]


async def test_what_goes_out_is_signed_a_cloudevent_and_has_its_line(post: Post, receiver: Receiver) -> None:
    tool, child, house = await post.tool(receiver), uuid4(), post.house
    await house.allow(child, tool, GOALS)
    events = [await house.happens(child) for _ in range(3)]
    await post.round()
    assert [got.sequence for got in receiver.got] == [1, 2, 3]
    for got, event in zip(receiver.got, events, strict=True):
        message = Webhook(SECRET).verify(got.body, got.headers)
        assert got.id == message["id"] == tool.theirs(event.id)
        assert got.headers["content-type"].startswith("application/cloudevents+json")
        assert message["subject"] == tool.theirs(child)
        assert str(child) not in got.body.decode() + str(got.headers)
    lines = await house.told("put-out.made")
    assert [line.fact(PutOut).source for line in lines] == [event.id for event in events]
    assert await post.parcels() == []
    await post.round(post.make())
    assert len(receiver.got) == 3


async def test_a_failing_childs_events_wait_in_order_and_others_go_on(post: Post, receiver: Receiver) -> None:
    tool, child, other, house = await post.tool(receiver), uuid4(), uuid4(), post.house
    await house.allow(child, tool, GOALS)
    await house.allow(other, tool, GOALS)
    receiver.answer = failing(tool.theirs(child))
    for _ in range(3):
        await house.happens(child)
        await house.happens(other)
    await post.round()
    subjects = [json.loads(got.body)["subject"] for got in receiver.got]
    assert subjects.count(tool.theirs(child)) == 1
    assert subjects.count(tool.theirs(other)) == 3
    await post.round()
    assert len(receiver.got) == 4
    receiver.answer = failing("nobody")
    before = receiver.connections
    await post.later(0.01)
    mine = [got for got in receiver.got if json.loads(got.body)["subject"] == tool.theirs(child)]
    assert [got.id for got in mine[:2]] == [mine[0].id] * 2
    assert [got.sequence for got in mine] == sorted(got.sequence for got in mine)
    assert len({got.id for got in mine}) == 3
    assert {got.sequence for got in receiver.got} == set(range(1, 7))
    assert receiver.connections > before
    assert len(await house.told("put-out.made")) == len(receiver.got)


async def test_nothing_is_numbered_for_a_receiver_that_is_not_there_and_nothing_lost(post: Post) -> None:
    receiver, house, child = Receiver(), post.house, uuid4()
    async with receiving(receiver):
        tool = await post.tool(receiver)
    await house.allow(child, tool, GOALS)
    for _ in range(3):
        await house.happens(child)
    for _ in range(patience.FAILURES):
        await post.round()
    assert post.alarms == ["webhook_failing"]
    assert await house.told("put-out.made") == []
    async with receiving(receiver):
        await post.round()
        assert receiver.got == []
        await post.later(1)
    assert [got.sequence for got in receiver.got] == [1, 2, 3]


async def test_a_withdrawal_cancels_what_waits_and_is_itself_told(post: Post, receiver: Receiver) -> None:
    tool, child, house = await post.tool(receiver), uuid4(), post.house
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    await post.round()
    receiver.answer = failing(tool.theirs(child))
    for _ in range(2):
        await house.happens(child)
    await post.round()
    await house.allow(child, tool)
    lines = len(await house.told("put-out.made"))
    receiver.answer = failing("nobody")
    await post.round()
    assert [event.type.split(".")[3] for event in await house.told("withdrawal.told")] == ["withdrawal"]
    await post.later(1)
    assert told(receiver)[-2:] == [(3, "withdrawal.told"), (2, "put-out.voided")]
    word = json.loads(receiver.got[-2].body)
    assert word["data"]["taken_out"] == [2]
    assert str(child) not in receiver.got[-2].body.decode()
    assert len(await house.told("put-out.made")) == lines
    assert await post.parcels() == []


async def test_a_withdrawal_holds_at_once_whatever_the_receiver_does(post: Post) -> None:
    receiver, house, child = Receiver(), post.house, uuid4()
    async with receiving(receiver):
        tool = await post.tool(receiver)
        await house.allow(child, tool, GOALS)
        await house.happens(child)
        await post.round()
    await house.happens(child)
    await house.allow(child, tool)
    await post.round()
    assert len(await house.told("withdrawal.told")) == 1
    async with house.db.school(house.school) as conn:
        assert await conn.fetch("SELECT * FROM list_held()") == []


@pytest.mark.parametrize("told_before", [False, True])
async def test_an_erased_childs_withdrawal_goes_under_the_name_that_its_tool_knew(
    post: Post, receiver: Receiver, *, told_before: bool
) -> None:
    tool, child, house = await post.tool(receiver), uuid4(), post.house
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    await post.round()
    await house.allow(child, tool)
    receiver.answer = failing()
    if told_before:
        await post.round()
    erased = house.network.add(ChildErased(erasure=uuid4(), rows={}, things=0), child, act(TEACHER), child)
    await house.apply("network", erased)
    receiver.answer = failing("nobody")
    await post.round()
    await post.later(1)
    word = json.loads(receiver.got[-1].body)
    assert (told(receiver)[-1][1], word["subject"]) == ("withdrawal.told", tool.theirs(child))
    (line,) = await house.told("withdrawal.told")
    assert (line.about == child) is told_before
    assert await post.parcels() == []


async def test_what_may_no_longer_be_received_is_not_sent_again(post: Post, receiver: Receiver) -> None:
    tool, child, house = await post.tool(receiver), uuid4(), post.house
    await house.allow(child, tool, GOALS, PLAN)
    receiver.answer = failing()
    await house.happens(child)
    await post.round()
    sent = len(receiver.got)
    async with house.db.school(house.school) as conn:  # the grants alone, as if the change came in just now
        await conn.execute("UPDATE access SET grants = '{}', version = version + 1 WHERE id = $1", child)
    receiver.answer = failing("nobody")
    await post.later(1)
    assert told(receiver)[sent:] == [(1, "put-out.voided")]


async def test_what_fails_for_three_days_is_set_aside_and_what_follows_goes_on(post: Post, receiver: Receiver) -> None:
    tool, child, other, house = await post.tool(receiver), uuid4(), uuid4(), post.house
    await house.allow(child, tool, GOALS)
    await house.allow(other, tool, GOALS)
    receiver.answer = failing(tool.theirs(child), status=b"301 X\r\nLocation: /other")
    await house.happens(child)
    await house.happens(child)
    while not await house.told("parcel.set-aside"):
        await house.happens(other)
        await post.later(5)
    (aside,) = await house.told("parcel.set-aside")
    assert (aside.fact(ParcelSetAside).sequence, aside.fact(ParcelSetAside).reason) == (1, "status_301")
    assert post.alarms == ["webhook_aside"]
    assert {got.path for got in receiver.got} == {"/hook"}
    first = [got for got in receiver.got if got.sequence == 1]
    assert 12 < len(first) < 20
    assert {got.id for got in first} == {first[0].id}
    await post.later(5)
    assert len([got for got in receiver.got if got.sequence == 1]) == len(first)
    second = [got for got in receiver.got if json.loads(got.body)["subject"] == tool.theirs(child)][-1]
    assert second.sequence > 1
    receiver.answer = failing("nobody")
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE parcel SET aside_at = NULL, first_at = now(), next_at = now()")
    await post.round()
    assert await post.parcels() == []
    assert {got.sequence for got in receiver.got} == set(range(1, max(got.sequence for got in receiver.got) + 1))


async def test_a_receiver_that_says_gone_has_its_tool_paused_and_loses_nothing(post: Post, receiver: Receiver) -> None:
    tool, child, house = await post.tool(receiver), uuid4(), post.house
    await house.allow(child, tool, GOALS)
    receiver.answer = failing(status=b"410 Gone")
    for _ in range(3):
        await house.happens(child)
    await post.round()
    assert len(receiver.got) == 1
    assert post.alarms == ["webhook_gone"]
    assert len(await house.told("tool.paused")) == 1
    await post.later(1)
    assert len(receiver.got) == 1
    receiver.answer = failing("nobody")
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE tool SET state = 'active', version = version + 1")
    await post.round()
    assert [got.sequence for got in receiver.got] == [1, 1, 2, 3]


async def test_an_overloaded_receiver_is_left_alone_and_then_tried_once(post: Post, receiver: Receiver) -> None:
    tool, house = await post.tool(receiver), post.house
    children = [uuid4() for _ in range(12)]
    for child in children:
        await house.allow(child, tool, GOALS)
        await house.happens(child)
    receiver.answer = failing(status=b"503 X\r\nRetry-After: 100")
    await post.round()
    many = len(receiver.got)
    assert patience.FAILURES <= many < patience.FAILURES + 4
    assert post.alarms == ["webhook_failing"]
    await post.round()
    assert len(receiver.got) == many
    await post.later(0.02)
    assert len(receiver.got) == many + 1
    receiver.answer = failing("nobody")
    await post.later(0.1)
    assert {got.sequence for got in receiver.got} == set(range(1, 13))


async def test_a_slow_receiver_gets_four_at_a_time_of_different_children(post: Post, receiver: Receiver) -> None:
    tool, house = await post.tool(receiver), post.house
    children = [uuid4() for _ in range(6)]
    for child in children:
        await house.allow(child, tool, GOALS)
        for _ in range(2):
            await house.happens(child)
    receiver.hold = asyncio.Event()
    going = asyncio.create_task(post.round())
    while len(receiver.got) < 4:  # noqa: ASYNC110  the receiver offers nothing to wait on
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert len({json.loads(got.body)["subject"] for got in receiver.got}) == len(receiver.got) == 4
    receiver.hold.set()
    await going
    assert sorted(got.sequence for got in receiver.got) == list(range(1, 13))
    assert receiver.connections == 4


async def test_what_leads_elsewhere_now_goes_there_whatever_connections_are_open(
    post: Post, receiver: Receiver
) -> None:
    tool, house, children = await post.tool(receiver), post.house, [uuid4(), uuid4()]
    for child in children:
        await house.allow(child, tool, GOALS)
        await house.happens(child)
    receiver.hold = asyncio.Event()
    going = asyncio.create_task(post.round())
    while len(receiver.got) < 2:  # noqa: ASYNC110  the receiver offers nothing to wait on
        await asyncio.sleep(0.01)
    async with receiving(Receiver()) as other:
        async with house.db.school(house.school) as conn:
            await conn.execute("UPDATE webhook SET url = $1, version = 2", f"http://127.0.0.1:{other.port}/new")
        for child in children * 2:
            await house.happens(child)
        receiver.hold.set()
        async with asyncio.timeout(5):
            await going
            await post.round()
        assert sorted(got.sequence for got in receiver.got) == [1, 2]
        assert sorted(got.sequence for got in other.got) == [3, 4, 5, 6]
        assert {got.path for got in other.got} == {"/new"}
    assert len(await house.told("put-out.made")) <= 6 + 1


async def test_who_tried_the_door_and_was_not_heard_of_keeps_nobody_from_it(post: Post, receiver: Receiver) -> None:
    tool, house = await post.tool(receiver), post.house
    for _ in range(patience.FAILURES):
        child = uuid4()
        await house.allow(child, tool, GOALS)
        await house.happens(child)
    receiver.answer = failing()
    await post.round()
    assert post.alarms == ["webhook_failing"]
    post.courier.release_within_s = -1.0  # what is claimed is too old to be sent
    await post.later(0.1)
    post.courier.release_within_s, receiver.answer, receiver.got = 4.0, failing("nobody"), []
    await post.round()
    assert sorted(got.sequence for got in receiver.got) == list(range(1, patience.FAILURES + 1))


async def test_what_is_on_its_way_is_not_sent_by_another_replica_too(post: Post, receiver: Receiver) -> None:
    tool, child, house = await post.tool(receiver), uuid4(), post.house
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    receiver.hold = asyncio.Event()
    going = asyncio.create_task(post.round())
    while not receiver.got:  # noqa: ASYNC110  the receiver offers nothing to wait on
        await asyncio.sleep(0.01)
    await post.round(post.make())
    receiver.hold.set()
    await going
    assert len(receiver.got) == 1


@pytest.mark.parametrize("how", ["state = 'paused'", "ends_at = clock_timestamp() - interval '1 s'"])
async def test_a_tool_that_is_paused_or_ends_between_is_sent_nothing(post: Post, receiver: Receiver, how: str) -> None:
    tool, child, house = await post.tool(receiver), uuid4(), post.house
    await house.allow(child, tool, GOALS)
    await house.happens(child)
    await house.lease()
    async with house.db.school(house.school) as conn:
        await conn.execute(f"UPDATE tool SET {how}, version = version + 1")
    asked = Asked(
        Actor(tool.id, ActorKind.TOOL, house.school, "gate"), house.school, ClaimParcels(tool=tool.id, limit=1), Ids()
    )
    with pytest.raises(Problem):
        await house.unit.run(CLAIM, asked)
    await post.round()
    assert (receiver.got, await house.told("put-out.made")) == ([], [])


async def test_a_replay_sends_again_what_was_delivered_and_may_still_be_received(
    post: Post, receiver: Receiver
) -> None:
    tool, child, other, house = await post.tool(receiver), uuid4(), uuid4(), post.house
    for one in (child, other):
        await house.allow(one, tool, GOALS)
        await house.happens(one)
        await house.happens(one)
        await post.round()
    await house.allow(other, tool)
    await post.round()
    before = len(receiver.got)
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE outlet SET out_seq = 1, version = version + 1")
    await post.round()
    again = receiver.got[before:]
    assert sorted(got.sequence for got in again) == [2, 3, 4, 5]
    kinds = dict(told(receiver)[before:])
    assert kinds == {2: "goal.accepted", 3: "put-out.voided", 4: "put-out.voided", 5: "withdrawal.told"}
    assert again[0].id in {got.id for got in receiver.got[:before]}


async def test_killed_and_dropped_at_random_nothing_is_lost_and_each_child_in_order(post: Post) -> None:
    receiver, house, chance = Receiver(), post.house, random.Random(7)
    async with receiving(receiver):
        tool = await post.tool(receiver)
    children = [uuid4() for _ in range(3)]
    for child in children:
        await house.allow(child, tool, GOALS)
    receiver.answer = lambda _: None if chance.random() < 0.3 else OK
    owed: dict[UUID, list[str]] = {child: [] for child in children}
    for step in range(12):
        for child in children:
            owed[child].append(tool.theirs((await house.happens(child)).id))
        async with receiving(receiver):
            going = asyncio.create_task(post.later(1, post.courier))
            await asyncio.sleep(chance.random() * 0.15)
            if step % 3 == 0:
                await post.courier.stop()
                going.cancel()
                await asyncio.gather(going, return_exceptions=True)
                post.courier = post.make()
            elif step % 3 == 1:
                receiver.cut()
            await asyncio.gather(going, return_exceptions=True)
    receiver.answer = lambda _: OK
    async with receiving(receiver):
        for _ in range(4):
            await post.later(5)
    for child in children:
        mine = [got.id for got in receiver.got if json.loads(got.body)["subject"] == str(pseudonym(tool.secret, child))]
        assert list(dict.fromkeys(mine)) == owed[child]
    assert {got.sequence for got in receiver.got} == set(range(1, 37))
    numbers = {(got.id, got.sequence) for got in receiver.got}
    assert len(numbers) == 36
    assert await post.parcels() == []
