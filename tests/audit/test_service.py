"""The service as a process on the real bus: lines, checkpoints within a second, tails given back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.actor import SigningKey
from shared.tlog.note import origin, verifier_key, verify
from tests.audit.support import Journal, Log
from tests.support.clients import PATIENCE_S
from tests.support.fixtures import EnvironmentFactory, LoginFactory, ServiceFactory


async def answer_replays(client: Client, journal: Journal) -> None:
    """Gives the journal out, as its service would."""

    async def answer(message: Msg) -> None:
        asked = json.loads(message.data)
        events = journal.events[asked["after"] : asked["after"] + asked["limit"]]
        await message.respond(json.dumps([event.raw.decode() for event in events]).encode())

    await client.subscribe(f"replay.{journal.producer}", queue=journal.producer, cb=answer)
    await client.flush()


async def announce(client: Client, journal: Journal) -> None:
    """Tells the journal's head, once a second."""
    while True:
        last = journal.events[-1]
        head = {journal.school: [last.epoch, last.seq, last.hash]}
        await client.publish(f"head.{journal.producer}", json.dumps(head).encode())
        await asyncio.sleep(1)


async def publish(client: Client, journal: Journal, count: int) -> None:
    for event in journal.many(count):
        await client.request(f"evt.{journal.school}.{journal.producer}.access.viewed", event.raw)


async def signed_size(log: Log, size: int) -> str:
    """Waits for the checkpoint of that size and returns its note."""
    async with asyncio.timeout(20):
        while True:
            if notes := await log.rows("SELECT note FROM checkpoint WHERE size = $1", size):
                return str(notes[0]["note"])
            await asyncio.sleep(0.02)


async def test_what_is_published_is_logged_signed_and_given_back(
    log: Log, nats_login: LoginFactory, env_for: EnvironmentFactory, run_service: ServiceFactory
) -> None:
    service = await run_service("audit", SAMEN_FOUNDATION="wijzer", SAMEN_WITNESSES="[]")
    goals = await nats_login("goals")
    journal = Journal(log.school)
    await publish(goals, journal, 20)
    note = await signed_size(log, 20)
    key = SigningKey.load(Path((await env_for("audit"))["SAMEN_LOG_KEY"])).private.public_key()
    assert verify(note, verifier_key(origin("wijzer", log.school), key)).size == 20

    asked = json.dumps({"producer": "goals", "school": log.school, "after_seq": 5}).encode()
    answer = json.loads((await goals.request("ask.tail", asked)).data)
    assert [text.encode() for text in answer] == [event.raw for event in journal.events[5:]]

    # kill -9 and go on: nothing twice, nothing missing, and a checkpoint over it.
    service.kill()
    await publish(goals, journal, 20)
    service.start()
    await service.ready()
    # What the killed process had asked for is held back by the broker: the journal itself gives it.
    await answer_replays(goals, journal)
    announcing = asyncio.create_task(announce(goals, journal))
    await signed_size(log, 40)
    announcing.cancel()
    assert [row["seq"] for row in await log.rows("SELECT seq FROM line ORDER BY idx")] == list(range(1, 41))


async def test_a_tail_is_answered_to_inboxes_only(
    log: Log, nats_login: LoginFactory, run_service: ServiceFactory
) -> None:
    await run_service("audit", SAMEN_WITNESSES="[]")
    goals, door = await nats_login("goals"), await nats_login("samen")
    await log.log(Journal(log.school).many(2))
    heard = await door.subscribe("head.audit")
    await door.flush()
    asked = json.dumps({"producer": "goals", "school": log.school, "after_seq": 0}).encode()
    await goals.publish("ask.tail", asked, reply="head.audit")
    # The control: the same question with an inbox, answered after the other was passed over.
    assert len(json.loads((await goals.request("ask.tail", asked)).data)) == 2
    told: list[object] = []
    while len(told) < 2:  # the service announces its heads there, once a second: what was answered would be seen
        told.append(json.loads((await heard.next_msg(PATIENCE_S)).data))
    assert all(isinstance(head, dict) for head in told), "a tail was told as if it were a head"
