"""What a NATS login may say and hear. Beside every refusal stands what is allowed, on the same connection."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy import topology
from tests.deploy.support import patient_request
from tests.support.fixtures import LoginFactory

# By login: what is allowed, what is refused.
PUBLISH: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "goals": (
        (
            "evt.s1.goals.goal.proposed", "head.goals", "cursor.goals", "poke.goals", "replay.network",
            "ask.head.network", "ask.cursors.network", "ask.access", "ask.tail", "ask.stream.goals", "_INBOX.samen.x",
            "$JS.API.CONSUMER.MSG.NEXT.EVENTS.goals--events", "$JS.ACK.EVENTS.goals--events.1.1.1.1.1",
        ),
        (
            "evt.s1.network.access.changed", "head.network", "cursor.network", "cursor.audit", "poke.network",
            "replay.audit", "replay.goals", "ask.head.audit", "ask.stream.network", "cmd.s1.network.withdraw-consent",
            "qry.s1.network.contact-point", "qry.s1.goals.child", "ops.network.status", "ops.goals.status",
            "$JS.API.CONSUMER.MSG.NEXT.EVENTS.audit--events", "$JS.ACK.EVENTS.audit--events.1.1.1.1.1",
            "$JS.API.STREAM.DELETE.EVENTS", "$JS.API.STREAM.PURGE.EVENTS", "$JS.API.STREAM.INFO.EVENTS",
            "$JS.API.CONSUMER.DELETE.EVENTS.audit--events", "$JS.API.CONSUMER.CREATE.EVENTS",
            "$JS.API.STREAM.MSG.GET.EVENTS", "$JS.API.DIRECT.GET.EVENTS", "$SYS.REQ.CLAIMS.UPDATE",
            "ask.cosign.notifications", "ask.cosigned", "ask.checkpoint", "ask.witnesses", "note.s1.m",
        ),
    ),
    "network": (
        ("evt.s1.network.access.changed", "head.network"),
        ("replay.goals", "ask.head.goals", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.network--events",
         "evt.s1.goals.goal.proposed"),
    ),
    "notifications": (
        ("qry.s1.network.contact-point", "qry.s1.goals.calendar-entry", "replay.network", "replay.goals",
         "note.s1.m"),
        ("ask.cosign.notifications", "ask.cosigned", "ask.checkpoint", "ask.witnesses",
         "qry.s1.network.child", "qry.s1.goals.child", "cmd.s1.goals.propose-goal", "replay.audit"),
    ),
    "audit": (
        ("replay.audit", "replay.notifications", "ask.cosign.notifications"),
        ("evt.s1.goals.goal.proposed", "qry.s1.network.contact-point", "ask.cosign.goals", "ask.cosigned"),
    ),
    "samen": (
        ("cmd.s1.goals.propose-goal", "qry.s1.audit.looks", "ask.cursors.goals", "ask.head.goals", "ops.goals.status",
         "ask.checkpoint", "ask.cosigned", "ask.witnesses", "ask.slots", "ask.tool-slot"),
        (
            "evt.s1.goals.goal.proposed", "head.goals", "cursor.audit", "replay.goals", "ask.access", "ask.tail",
            "ask.cosign.notifications", "note.s1.m",
            "_INBOX.goals.x", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.goals--events", "$JS.API.STREAM.INFO.EVENTS",
        ),
    ),
    "gate-door": (
        (
            "out.A.c.care", "slots.want", "_R_.x.y", "$JS.API.STREAM.INFO.OUT-A", "$JS.API.CONSUMER.INFO.OUT-A.A",
            "$JS.API.STREAM.LIST",
            "$JS.API.STREAM.MSG.GET.OUT-A", "$JS.API.DIRECT.GET.OUT-A",
        ),
        (
            "in.A.gate.renew", "_INBOX.x", "_INBOX.gate-door.x", "$JS.API.STREAM.DELETE.OUT-A",
            "$JS.API.STREAM.CREATE.OUT-A", "$JS.API.STREAM.PURGE.OUT-A", "$JS.API.STREAM.UPDATE.OUT-A",
            "$JS.API.CONSUMER.DELETE.OUT-A.A", "$JS.API.CONSUMER.DURABLE.CREATE.OUT-A.A",
            "$JS.API.CONSUMER.MSG.NEXT.OUT-A.A", "$JS.ACK.OUT-A.A.1.1.1.1.1", "$JS.API.STREAM.MSG.DELETE.OUT-A",
            "$SYS.REQ.CLAIMS.UPDATE", "evt.s1.gate.put-out.sent",
        ),
    ),
    "provisioner-gate": (
        ("$JS.API.STREAM.CREATE.OUT-A", "$JS.API.CONSUMER.INFO.OUT-A.A", "_INBOX.gate-door.x"),
        ("out.A.c.care", "slots.want", "in.A.gate.renew", "_R_.x.y", "_INBOX.x", "$SYS.REQ.CLAIMS.UPDATE"),
    ),
}  # fmt: skip

SUBSCRIBE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # "subject queue" subscribes within a queue group
    "goals": (
        (
            "_INBOX.goals.>", "cmd.*.goals.> goals", "qry.*.goals.> goals", "replay.goals goals",
            "ask.head.goals goals", "ops.goals.> goals", "ask.cursors.goals", "poke.goals", "head.>", "cursor.>",
        ),
        (
            "evt.>", "evt.*.goals.>", "evt.*.network.>", "_INBOX.>", "_INBOX.network.>", "_INBOX.*.x",
            "cmd.*.goals.>", "cmd.*.goals.> other", "cmd.*.network.> goals", "qry.*.goals.>", "replay.network goals",
            "ask.access goals", "ask.tail goals", "ask.access", "ask.cursors.audit",
            "ask.stream.*", "ask.stream.goals goals", "ops.>",
            "ops.network.> network", "poke.network", ">", "$JS.>", "$JS.ACK.>", "_R_.>",
        ),
    ),
    "network": (("ask.access network",), ("ask.access", "ask.access goals", "ask.tail audit", "evt.>", "note.>")),
    "notifications": (
        ("ask.cosign.notifications notifications",),
        ("ask.cosign.notifications", "ask.cosign.*", "ask.cosigned notifications", "ask.checkpoint notifications",
         "note.>"),
    ),
    "audit": (
        ("ask.tail audit", "ask.checkpoint audit", "ask.cosigned audit", "ask.witnesses audit"),
        ("ask.tail", "ask.access network", "evt.>", "ask.cosigned", "ask.checkpoint", "ask.cosign.notifications audit"),
    ),
    "samen": (
        ("_INBOX.samen.>", "head.>", "cursor.>", "note.>"),
        ("_INBOX.>", "_INBOX.goals.>", "evt.>", "cmd.>", "qry.*.goals.> goals", "ops.>", "ask.cursors.goals", ">"),
    ),
    "gate-door": (
        ("_INBOX.gate-door.>", "in.*.> gate"),
        ("in.*.>", "in.A.> other", "out.>", "slots.want provisioner", "_INBOX.>", "_INBOX.provisioner.>", "$JS.>", ">"),
    ),
    "provisioner-gate": (
        ("_INBOX.provisioner.>", "slots.want provisioner"),
        ("slots.want", "in.*.> gate", "out.>", "_INBOX.gate-door.>", "$JS.API.>", ">"),
    ),
}  # fmt: skip


def _cases(
    table: dict[str, tuple[tuple[str, ...], tuple[str, ...]]],
) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(login, allowed, refused) for login, (allowed, refused) in table.items()]


class Refusals(list[Exception]):
    """Collects a connection's refusals; a publish that is always refused marks the end of what came before it."""

    async def of(self, client: Client) -> int:
        """Return how many refusals came since last asked."""
        await client.publish("nobody.may.say.this", b"")
        async with asyncio.timeout(20):
            while not any("nobody.may.say.this" in str(error) for error in self):
                await client.flush()
        count = sum("permissions violation" in str(error).lower() for error in self)
        self.clear()
        return count - 1


@pytest.mark.parametrize(("login", "allowed", "refused"), _cases(PUBLISH))
async def test_a_login_publishes_what_it_may_and_nothing_else(
    nats_login: LoginFactory, login: str, allowed: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    errors = Refusals()
    client = await nats_login(login, errors)
    for subject in allowed:
        await client.publish(subject, b"")
        assert await errors.of(client) == 0, f"{login} may not publish {subject}"
    for subject in refused:
        await client.publish(subject, b"")
        assert await errors.of(client) == 1, f"{login} may publish {subject}"


@pytest.mark.parametrize(("login", "allowed", "refused"), _cases(SUBSCRIBE))
async def test_a_login_hears_what_it_may_and_nothing_else(
    nats_login: LoginFactory, login: str, allowed: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    errors = Refusals()
    client = await nats_login(login, errors)
    for place in allowed:
        subject, _, queue = place.partition(" ")
        await client.subscribe(subject, queue=queue)
        assert await errors.of(client) == 0, f"{login} may not subscribe {place}"
    for place in refused:
        subject, _, queue = place.partition(" ")
        await client.subscribe(subject, queue=queue)
        assert await errors.of(client) == 1, f"{login} may subscribe {place}"


async def test_a_request_reaches_its_service_and_the_answer_its_asker(nats_login: LoginFactory, school: str) -> None:
    door, goals, audit = await nats_login("samen"), await nats_login("goals"), await nats_login("audit")
    heard = await audit.subscribe("_INBOX.audit.>")
    await audit.flush()

    async def answer(message: Msg) -> None:
        await message.respond(b"done")

    await goals.subscribe("cmd.*.goals.>", queue="goals", cb=answer)
    await goals.flush()
    assert (await patient_request(door, f"cmd.{school}.goals.propose-goal", b"{}")).data == b"done"
    assert heard.pending_msgs == 0


def test_no_login_may_answer_to_whatever_reply_a_sender_chose() -> None:
    for permissions in topology.platform_logins().values():
        assert ">" not in permissions.publish + permissions.subscribe
        assert not [s for s in permissions.subscribe if s.split()[0] in {"_INBOX.>", "evt.>", "cmd.>", "qry.>"}]
        # `_INBOX.>` is the one wide subject a service publishes to: answers; nothing that is stored lives there.
        wide = [s for s in permissions.publish if s.startswith("$JS.")]
        assert all("EVENTS." in s and not s.endswith(("EVENTS.>", "EVENTS.*")) for s in wide)
