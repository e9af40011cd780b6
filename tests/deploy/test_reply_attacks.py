"""NATS never checks a publish's reply subject and JetStream answers to it with the server's rights.

Each attack names as its reply what it wants done. None may touch EVENTS, its consumers or another's inbox; beside each
stands the same request with an honest reply, which is answered.
"""

import asyncio
import contextlib
import json

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from deploy import topology
from tests.deploy.support import patient_request
from tests.faults.stage import until
from tests.support.clients import PATIENCE_S
from tests.support.fixtures import LoginFactory, ServiceFactory

NEXT = "$JS.API.CONSUMER.MSG.NEXT.EVENTS.goals--events"
ONE = json.dumps({"batch": 1, "expires": 3 * 10**9}).encode()
ONE_NOW = json.dumps({"batch": 1, "no_wait": True}).encode()  # leaves no request waiting for the next test's events

TARGETS = (
    "$JS.API.STREAM.DELETE.EVENTS",
    "$JS.API.STREAM.PURGE.EVENTS",
    "$JS.API.CONSUMER.DELETE.EVENTS.audit--events",
    "$JS.API.STREAM.MSG.DELETE.EVENTS",
    "$JS.ACK.EVENTS.audit--events.1.1.1.1.1",
    "$SYS.REQ.CLAIMS.UPDATE",
    "evt.{school}.network.access.changed",
)


async def _state(bus: Client) -> tuple[int, int, list[str]]:
    info = json.loads((await bus.request("$JS.API.STREAM.INFO.EVENTS", b'{"subjects_filter": ">"}')).data)
    assert "error" not in info, info
    return info["state"]["messages"], info["state"]["consumer_count"], sorted(info["state"].get("subjects", {}))


async def _fetch(client: Client) -> Msg:
    """Ask for one message with an honest reply; it comes under its own subject, so not by `request`."""
    inbox = client.new_inbox()
    answer = await client.subscribe(inbox)
    await client.publish(NEXT, ONE, reply=inbox)
    return await answer.next_msg(PATIENCE_S)


async def _audit_floor(bus: Client) -> int:
    info = json.loads((await bus.request("$JS.API.CONSUMER.INFO.EVENTS.audit--events", b"")).data)
    floor: int = info["ack_floor"]["stream_seq"]
    return floor


@pytest.mark.parametrize("target", TARGETS)
async def test_a_chosen_reply_subject_does_nothing(
    nats_login: LoginFactory, bus: Client, school: str, target: str
) -> None:
    target = target.format(school=school)
    goals, network = await nats_login("goals"), await nats_login("network")
    given = f"evt.{school}.network.member.joined"
    await network.request(given, b'{"n": 1}')
    await network.request(given, b'{"n": 9}')  # what the attacker's NEXT delivers
    own = f"evt.{school}.goals.goal.proposed"
    await goals.request(own, b'{"n": 2}')  # control: acknowledged when the reply is our inbox
    before, floor = await _state(bus), await _audit_floor(bus)
    assert before[1] == len(topology.CONSUMERS)

    honest = await _fetch(goals)
    assert honest.data == b'{"n": 1}', "control: NEXT with an honest reply delivers"

    await goals.publish(own, b'{"n": 3}', reply=target)
    await goals.publish(NEXT, ONE_NOW, reply=target)
    await goals.publish(honest.reply, b"+NXT " + ONE_NOW, reply=target)
    await goals.publish(honest.reply, b"+ACK", reply=target)
    await goals.publish("$JS.ACK.EVENTS.goals--events.1.1.1.1.1", b"+ACK", reply=target)
    await goals.flush()
    await goals.request(own, b'{"n": 4}')  # behind the attacks on the same connection

    messages, consumers, subjects = await _state(bus)
    assert (consumers, subjects) == (before[1], sorted({given, own}))
    assert before[0] + 1 <= messages <= before[0] + 2
    assert await _audit_floor(bus) == floor


async def test_the_provisioner_may_do_what_the_attackers_wanted(nats_login: LoginFactory, bus: Client) -> None:
    """The control of all controls: the subjects attacked are the ones that work."""
    goals = await nats_login("goals")
    await goals.request("evt.s1.goals.goal.proposed", b"{}")
    assert (await _state(bus))[0] == 1
    assert json.loads((await bus.request("$JS.API.STREAM.PURGE.EVENTS", b"")).data)["success"]
    assert (await _state(bus))[0] == 0


async def test_a_reply_into_anothers_inbox_carries_no_event(nats_login: LoginFactory, school: str) -> None:
    goals, network, audit = await nats_login("goals"), await nats_login("network"), await nats_login("audit")
    inbox = await goals.subscribe("_INBOX.goals.mine")
    await goals.flush()
    await network.request(f"evt.{school}.network.member.joined", b"{}")
    victim = await audit.subscribe("_INBOX.audit.x")
    await audit.publish("_INBOX.goals.mine", b"control")
    assert (await inbox.next_msg(PATIENCE_S)).data == b"control"
    # goals may answer into any inbox (it must, to answer callers), so this arrives; what it can't do is listen there.
    await goals.publish("_INBOX.audit.x", b"answer")
    assert (await victim.next_msg(PATIENCE_S)).data == b"answer"
    spied = await goals.subscribe("_INBOX.audit.>")
    await goals.flush()
    await audit.publish("_INBOX.audit.x", b"secret")
    await audit.publish("_INBOX.goals.mine", b"behind it")
    assert (await victim.next_msg(PATIENCE_S)).data == b"secret"
    assert (await inbox.next_msg(PATIENCE_S)).data == b"behind it"
    assert spied.pending_msgs == 0


ELSEWHERE = ("_INBOX.audit.x", "cursor.audit", "head.network")
HEADS_ASKED = json.dumps({"what": "heads", "after": ""}).encode()


@pytest.mark.parametrize("reply", ELSEWHERE)
async def test_what_a_chosen_reply_brings_elsewhere_is_what_it_is(
    nats_login: LoginFactory, bus: Client, school: str, reply: str
) -> None:
    """Inside its own account the server delivers an import's answer to any reply subject, also to one that the asker
    may not publish to. So it arrives; it may, as long as it shows what it is: an event under its own subject, which
    the asker was given to read, or a list of the asker's own heads, which nobody takes for an announcement.
    """
    goals, network, audit = await nats_login("goals"), await nats_login("network"), await nats_login("audit")
    given, own = f"evt.{school}.network.member.joined", f"evt.{school}.goals.goal.proposed"
    await network.request(given, b'{"n": 1}')
    await goals.request(own, b'{"epoch": 1, "seq": 1}')
    before = await _state(bus)
    heard = await audit.subscribe(reply)
    await audit.flush()
    honest = (await patient_request(goals, "ask.stream.goals", HEADS_ASKED)).data
    assert [(place, seq) for place, _, seq, _ in json.loads(honest)] == [(school, 1)]  # control

    await goals.publish(NEXT, ONE_NOW, reply=reply)
    event = await heard.next_msg(PATIENCE_S)
    assert (event.subject, event.data) == (given, b'{"n": 1}')
    await goals.publish("ask.stream.goals", HEADS_ASKED, reply=reply)
    told = await heard.next_msg(PATIENCE_S)
    assert (told.subject, told.data, told.reply) == (reply, honest, "")
    assert await _state(bus) == before


@pytest.mark.parametrize("target", [*TARGETS, "evt.{school}.goals.goal.proposed", "ask.stream.network"])
async def test_the_reader_of_the_stream_does_nothing_for_a_chosen_reply(
    nats_login: LoginFactory, bus: Client, school: str, target: str
) -> None:
    goals = await nats_login("goals")
    own = f"evt.{school}.goals.goal.proposed"
    await goals.request(own, b'{"epoch": 1, "seq": 1}')
    before, floor = await _state(bus), await _audit_floor(bus)
    await goals.publish("ask.stream.goals", HEADS_ASKED, reply=target.format(school=school))
    honest = (await patient_request(goals, "ask.stream.goals", HEADS_ASKED)).data  # answered after the attack
    assert json.loads(honest)[0][0] == school
    await goals.request(own, b'{"epoch": 1, "seq": 2}')  # behind the attack on the same connection
    assert await _state(bus) == (before[0] + 1, *before[1:])
    assert await _audit_floor(bus) == floor


async def test_no_service_takes_what_a_chosen_reply_brings_for_a_head(
    run_service: ServiceFactory, nats_login: LoginFactory, school: str
) -> None:
    """Audit makes up an event that reads like heads, and has it delivered where goals hears network's."""
    process = await run_service("goals", SAMEN_WITNESSES="[]")
    audit, network = await nats_login("audit"), await nats_login("network")
    made_up = json.dumps({school: [1, 1_000_000, "0" * 64]}).encode()
    await audit.request(f"evt.{school}.audit.head.forged", made_up)
    spied = await audit.subscribe("head.network")
    await audit.publish(NEXT.replace("goals--", "audit--"), ONE_NOW, reply="head.network")
    assert (await spied.next_msg(PATIENCE_S)).data == made_up  # control: it is delivered there
    await network.publish("head.network", b'{"s-torn": [1, ".", "0"]}')
    await network.publish("head.network", b"[1]")

    def lanes() -> list[tuple[str, str, int]]:
        return [(lane["producer"], lane["school"], lane["lag"]) for lane in process.details()["lanes"]]

    async def announced() -> bool:
        await network.publish("head.network", json.dumps({school: [1, 7, "0" * 64]}).encode())
        return bool(await asyncio.to_thread(lanes))

    await until(announced, 30, "an honest head is heard")
    assert lanes() == [("network", school, 7)]


async def test_nobody_reads_the_stream_but_through_its_own_consumer(nats_login: LoginFactory, school: str) -> None:
    network = await nats_login("network")
    logins = [await nats_login(name) for name in ("goals", "notifications", "audit", "samen")]
    listeners = [await login.subscribe(f"evt.{school}.>") for login in logins]
    for login in logins:
        await login.flush()
    await network.request(f"evt.{school}.network.member.joined", b'{"n": 1}')
    assert (await _fetch(logins[0])).data == b'{"n": 1}'  # control
    for login, listener in zip(logins, listeners, strict=True):
        behind = await login.subscribe(login.new_inbox())
        await login.flush()

        async def heard(sub: Subscription = behind) -> bool:
            await network.publish(sub.subject, b"behind it")
            with contextlib.suppress(nats.errors.TimeoutError):
                return (await sub.next_msg(1)).data == b"behind it"
            return False

        await until(heard, 30, "what was sent after the event")
        assert listener.pending_msgs == 0


async def test_duplicates_are_dropped_and_batches_are_atomic_across_the_accounts(
    nats_login: LoginFactory, bus: Client, school: str
) -> None:
    goals = await nats_login("goals")
    subject = f"evt.{school}.goals.goal.proposed"
    for _ in range(2):
        await goals.request(subject, b"{}", headers={"Nats-Msg-Id": f"{school}:1"})
    assert (await _state(bus))[0] == 1
    batch = {"Nats-Batch-Id": school}
    for n in (1, 2):
        await goals.publish(subject, b"{}", headers=batch | {"Nats-Batch-Sequence": str(n)})
    assert (await _state(bus))[0] == 1
    last = batch | {"Nats-Batch-Sequence": "3", "Nats-Batch-Commit": "1"}
    answer = json.loads((await goals.request(subject, b"{}", headers=last)).data)
    assert (answer["batch"], answer["count"]) == (school, 3)
    assert (await _state(bus))[0] == 4


async def test_no_service_takes_what_a_chosen_reply_brings_for_a_cursor(
    run_service: ServiceFactory, nats_login: LoginFactory, school: str
) -> None:
    """An event that reads like cursors would stop a school as if its journal had forked."""
    process = await run_service("goals", SAMEN_WITNESSES="[]")
    audit = await nats_login("audit")
    made_up = json.dumps({"goals": {school: [1, 1_000_000, "0" * 64]}}).encode()
    await audit.request(f"evt.{school}.audit.cursor.forged", made_up)
    spied = await audit.subscribe("cursor.>")
    await audit.publish(NEXT.replace("goals--", "audit--"), ONE_NOW, reply="cursor.notifications")
    assert (await spied.next_msg(PATIENCE_S)).data == made_up  # control: it is delivered there
    honest = json.dumps({"goals": {"s-honest": [1, 7, "0" * 64]}}).encode()

    async def forked() -> dict[str, str]:
        await audit.publish("cursor.audit", honest)
        return dict((await asyncio.to_thread(process.details))["forked"])

    await until(forked, 30, "an honest cursor is heard")
    assert await forked() == {"s-honest": "behind"}
