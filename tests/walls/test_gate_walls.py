"""No tool gets at another's, at another school's, or at the platform's; beside each attempt stands what is allowed.

`one` has a real tool's login. `bold` may say and hear whatever its account lets it, as if the scope of its logins had
been forgotten: the accounts alone must hold.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import nats.errors
import pytest
import pytest_asyncio
from nats.aio.client import Client

from shared import nats_jwt
from tests.faults.stage import until
from tests.support.clients import PATIENCE_S, connected
from tests.support.tools import Tool, user_credentials, want
from tests.walls.alley import NEXT, NOW, Alley, alley, embolden, forbidden, refusals

pytestmark = pytest.mark.asyncio(loop_scope="module")
ATTACKERS = ("one", "bold")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Alley]:
    async with alley(tmp_path_factory.mktemp("alley")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def street(built: Alley) -> AsyncIterator[Alley]:
    """The alley with nothing left of the test before."""
    for tool in built.tools.values():
        await built.fetched(tool)
        tool.errors.clear()
    built.heard.clear()
    yield built
    for tool in built.tools.values():
        assert tool.client.is_connected


def _targets(me: Tool, other: Tool) -> list[str]:
    """Subjects at which an answer would do harm, if it came there."""
    mine, theirs = me.stream, other.stream
    return [
        f"$JS.API.STREAM.DELETE.{mine}", f"$JS.API.STREAM.DELETE.{theirs}", f"$JS.API.STREAM.PURGE.{mine}",
        f"$JS.API.STREAM.PURGE.{theirs}", f"$JS.API.CONSUMER.DELETE.{theirs}.{other.account}",
        f"$JS.API.CONSUMER.DELETE.{mine}.{me.account}", f"$JS.API.STREAM.MSG.DELETE.{theirs}",
        f"$JS.API.STREAM.CREATE.{mine}", f"$JS.API.STREAM.UPDATE.{theirs}",
        f"$JS.API.CONSUMER.MSG.NEXT.{theirs}.{other.account}", f"$JS.ACK.{theirs}.{other.account}.1.1.1.1.1",
        f"out.{other.account}.c1.care", f"out.{me.account}.c1.care", f"in.{other.account}.gate.renew",
        "_INBOX.theirs.x", "_INBOX.gate-door.x", "_INBOX.provisioner.x", "_INBOX.goals.x", "slots.want",
        "evt.s1.network.access.changed", "head.network", "cursor.gate", "cmd.s1.network.withdraw-consent",
        "$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.CLAIMS.DELETE", "_R_.x.y", "$JS.API.STREAM.DELETE.EVENTS",
        "$JS.gate.API.CONSUMER.MSG.NEXT.OUT.me", "in.gate.renew",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ATTACKERS)
@pytest.mark.parametrize("victim", ["two", "far"])
async def test_a_chosen_reply_subject_does_nothing(street: Alley, name: str, victim: str) -> None:
    me, other = street.tools[name], street.tools[victim]
    for n in range(3):
        await street.put(me, b"mine %d" % n)
        await street.put(other, b"theirs %d" % n)
    spied = await other.client.subscribe("_INBOX.theirs.>")
    await other.client.flush()
    honest = await street.next(me)
    assert honest is not None
    assert honest.data == b"mine 0", "control: an honest reply gets it"
    # What is fetched to nowhere is delivered and not acknowledged: only the attacker's own consumer may tell of that.
    before = await street.state()
    del before["streams"][me.account]["consumer"]
    for target in _targets(me, other):
        await me.client.publish(honest.reply, b"-WPI", reply=target)
        await me.client.publish(honest.reply, b"+NXT " + NOW, reply=target)
        await me.client.publish(NEXT, NOW, reply=target)
        await me.client.publish(f"$JS.ACK.{me.stream}.{me.account}.1.1.1.1.1", b"+ACK", reply=target)
        await me.client.publish("in.gate.renew", b"{}", reply=target)
    await street.settle(me)
    after = await street.state()
    del after["streams"][me.account]["consumer"]
    assert after == before
    assert spied.pending_msgs == 0
    assert {message.subject.split(".")[1] for message in street.heard} == {me.account}
    assert all(message.reply.startswith("_R_.") for message in street.heard if message.reply)
    assert await street.fetched(other) == [b"theirs %d" % n for n in range(3)], "control: the other has it all"
    await spied.unsubscribe()


async def test_the_same_from_inside_gate_empties_anothers_stream(street: Alley) -> None:
    """The control of all controls: the attack works where a login stands in the account that holds the streams."""
    me, other = street.tools["one"], street.tools["two"]
    await street.put(other, b"theirs")
    next_ = f"$JS.API.CONSUMER.MSG.NEXT.{me.stream}.{me.account}"
    seed = nats_jwt.new_seed(nats_jwt.USER, bytes(range(32)))
    claims = nats_jwt.user_claims([next_], ["_INBOX.>"])
    gate = (street.keys.root / "operator" / "GATE.nk").read_bytes()
    jwt = nats_jwt.sign(gate, nats_jwt.public_key(seed), "inside", claims, 1_800_000_000)
    (street.folder / "inside.creds").write_text(nats_jwt.credentials(jwt, seed))
    inside = await connected(street.nats.url, str(street.folder / "inside.creds"), "inside")
    # Nothing lies ready: the answer, which JetStream gives with the server's rights, is a status without a body.
    await inside.publish(next_, NOW, reply=f"$JS.API.STREAM.PURGE.{other.stream}")
    await inside.flush()
    await inside.close()
    async with asyncio.timeout(PATIENCE_S):
        while (await street.api(f"STREAM.INFO.{other.stream}"))["state"]["messages"]:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.01)


async def test_the_makers_may_do_what_the_attackers_wanted(street: Alley) -> None:
    other = street.tools["two"]
    await street.put(other, b"theirs")
    held = (await street.api(f"STREAM.INFO.{other.stream}"))["state"]["messages"]
    assert (await street.api(f"STREAM.PURGE.{other.stream}"))["purged"] == held > 0
    assert await street.fetched(other) == []


async def test_a_tools_login_may_say_three_things_and_nothing_else(street: Alley) -> None:
    me, other = street.tools["one"], street.tools["two"]
    await street.put(me, b"mine")
    await street.put(other, b"theirs")
    before = await street.state()
    said = forbidden(me, other)
    for subject in said:
        await me.client.publish(subject, b"{}", reply="_INBOX.mine")
    assert await refusals(me) == len(said)
    assert await street.state() == before
    assert street.heard == []
    assert (await me.client.request("in.gate.renew")).data == b"answer"
    assert await street.fetched(me) == [b"mine"], "control: NEXT and ACK are the other two"
    assert await refusals(me) == 0


async def test_who_may_say_anything_reaches_nothing_of_others_by_it(street: Alley) -> None:
    me, other = street.tools["bold"], street.tools["two"]
    await street.put(me, b"mine")
    await street.put(other, b"theirs")
    before = await street.state()
    got = await me.client.subscribe("_INBOX.got.>")
    spied = await other.client.subscribe("_INBOX.theirs.>")
    await other.client.flush()
    for n, subject in enumerate(forbidden(me, other)):
        await me.client.publish(subject, b"{}", reply=f"_INBOX.got.{n}")
    await street.settle(me)
    assert await street.state() == before
    assert [message.subject.split(".", 2)[1:] for message in street.heard] == [[me.account, "gate.control"]]
    assert spied.pending_msgs == 0
    # What is answered at all is the server's own word about the asker's account: it knows no other.
    while got.pending_msgs:
        message = await got.next_msg()
        if (message.headers or {}).get("Status") != "503":
            assert b"not enabled" in message.data.lower() or other.account.encode() not in message.data, message
            assert other.stream.encode() not in message.data
            assert b"theirs" not in message.data
    assert await street.fetched(me) == [b"mine"]
    await spied.unsubscribe()
    await got.unsubscribe()


HEARD = (
    ">", "*.>", "out.>", "out.*.>", "in.>", "in.*.>", "_R_.>", "$JS.>", "$JS.ACK.>", "$JS.API.>", "$JS.EVENT.>",
    "$JS.gate.>", "evt.>", "cmd.>", "qry.>", "head.>", "cursor.>", "slots.want", "ask.>", "ops.>", "$SYS.>",
    "$SYS.ACCOUNT.>", "$SYS.REQ.>",
)  # fmt: skip


async def test_a_tools_login_hears_its_inboxes_and_nothing_else(street: Alley) -> None:
    me = await street.connect(street.tools["one"].account)
    for subject in HEARD:
        await me.client.subscribe(subject)
        await me.client.subscribe(subject, queue="gate")
    assert await refusals(me) == 2 * len(HEARD)
    await me.client.subscribe("_INBOX.>")
    assert await refusals(me) == 0
    await me.client.close()


async def test_who_may_hear_anything_hears_nothing_of_others(street: Alley) -> None:
    account, two, far = (street.tools[name] for name in ("bold", "two", "far"))
    me = await street.connect(account.account)
    heard: list[bytes] = []

    async def note(message: object) -> None:
        heard.append(f"{message}".encode())

    for subject in (*HEARD, "_INBOX.>"):
        await me.client.subscribe(subject, cb=note)
    await me.client.flush()
    platform = await connected(street.nats.url, str(street.keys.creds("goals")), "goals")
    await platform.request("evt.s1.goals.goal.proposed", b"{}")
    await platform.publish("head.goals", b"head")
    await platform.close()
    for other in (two, far):
        await street.put(other, b"theirs")
        assert await street.fetched(other) == [b"theirs"]
        assert (await other.client.request("in.gate.renew", b"theirs")).data == b"answer"
    await want(street.door, {tool.account: "live" for tool in street.tools.values()})
    await me.client.flush()
    assert heard == []
    await street.put(me, b"mine")
    assert (await street.next(me)) is not None
    assert heard, "control: it hears its own"
    assert not [text for text in heard if two.account.encode() in text or far.account.encode() in text]
    await me.client.close()
    await asyncio.sleep(0)


async def test_numbers_tell_a_tool_of_its_own_messages_only(street: Alley) -> None:
    me, other = street.tools["one"], street.tools["two"]
    first = (await street.api(f"STREAM.INFO.{me.stream}"))["state"]["last_seq"]
    for n in range(40):
        await street.put(other, b"theirs")
        if n % 10 == 0:
            await street.put(me, b"mine")
    places = []
    for left in (3, 2, 1, 0):
        message = await street.next(me)
        assert message is not None
        _, _, _, _, delivered, in_stream, in_consumer, _, pending = message.reply.split(".")
        places.append((int(delivered), int(in_stream) - first, int(pending)))
        assert int(pending) == left
        await me.client.request(message.reply, b"+ACK")
        assert int(in_consumer) > 0
    assert places == [(1, 1, 3), (1, 2, 2), (1, 3, 1), (1, 4, 0)], "dense, however much the others got"
    assert len(await street.fetched(other)) == 40


@pytest.mark.parametrize("name", ATTACKERS)
async def test_who_asks_is_the_servers_word_whatever_the_tool_writes(street: Alley, name: str) -> None:
    me, other = street.tools[name], street.tools["far"]
    forged = json.dumps({"acc": other.account, "user": "U" + "A" * 55})
    written = [{"Nats-Request-Info": forged}, {"nats-request-info": forged, "Nats-Request-Info": forged}, {}]
    for headers in written:
        await me.client.request("in.gate.renew", b"", headers=headers)
    line = b"Nats-Request-Info: %b\r\n" % forged.encode()
    raw = [2 * line, b"nats-request-info:%b\r\n%b" % (forged.encode(), line), b"X: y\r\n" + line + b"Z: a\r\n" + line]
    for headers_raw in raw:
        await _publish_raw(me.client, "in.gate.renew", b"NATS/1.0\r\n%b\r\n" % headers_raw)
    await street.settle(me)
    assert len(street.heard) == len(written) + len(raw) + 1
    for message in street.heard:
        told = json.loads((message.headers or {})["Nats-Request-Info"])
        assert (told["acc"], message.subject.split(".")[1]) == (me.account, me.account)
        assert told["user"] not in forged
        assert told["user"].startswith("U")


async def _publish_raw(client: Client, subject: str, headers: bytes) -> None:
    """Publish with header bytes as they are."""
    await client._send_command(b"HPUB %b %d %d\r\n%b\r\n" % (subject.encode(), len(headers), len(headers), headers))
    await client._flush_pending()


async def test_an_import_in_anothers_name_gives_nothing_even_if_the_operator_signed_it(street: Alley) -> None:
    other, keys = street.tools["two"], street.keys
    gate = keys.account_key("GATE")
    (account,) = keys.prepare_slots(1)
    wanted = [
        (f"$JS.API.CONSUMER.MSG.NEXT.{other.stream}.{other.account}", "steal.next"),
        (f"$JS.ACK.{other.stream}.{other.account}.>", "steal.ack.>"),
        (f"in.{other.account}.>", "steal.in.>"),
        ("slots.want", "steal.want"),
        (f"$JS.API.STREAM.PURGE.{other.stream}", "steal.purge"),
        (f"out.{other.account}.>", "steal.out.>"),
        (f"in.{account}.>", "in.>"),
    ]
    embolden(
        keys,
        account,
        [{"name": s, "subject": s, "local_subject": to, "account": gate, "type": "service"} for s, to in wanted],
    )
    live = {tool.account: "live" for tool in street.tools.values()}
    assert (await want(street.door, live | {account: "live"}))["slots"][account] == "live"
    thief = await street.connect(account)
    await street.put(other, b"theirs")
    before = await street.state()
    for subject in (
        "steal.next",
        "steal.ack.1.1.1.1.1",
        "steal.in.gate.renew",
        "steal.want",
        "steal.purge",
        "steal.out.c1.care",
    ):
        with pytest.raises(nats.errors.NoRespondersError):
            await thief.client.request(subject, NOW)
    assert (await thief.client.request("in.gate.renew")).data == b"answer", "control: an import in its own name works"
    assert await street.state() == before
    assert [message.subject for message in street.heard] == [f"in.{account}.gate.renew"]
    assert await street.fetched(other) == [b"theirs"]
    await want(street.door, live | {account: "killed"})
    await until(lambda: thief.client.is_closed, PATIENCE_S, "the thief to see that it was cut")
    await thief.client.close()


async def test_a_tools_credentials_are_good_for_nothing_else(street: Alley) -> None:
    me, other = street.tools["one"], street.tools["two"]
    for claims in ({"issuer_account": other.account}, {"issuer_account": street.keys.account_key("GATE")}):
        creds = user_credentials(street.keys, me.account, street.folder, claims=claims)
        with pytest.raises(nats.errors.Error):
            await street.connect(me.account, creds)
    wide = {"pub": {"allow": [">"]}, "sub": {"allow": [">"]}, "subs": -1, "data": -1, "payload": -1}
    with pytest.raises(nats.errors.Error):  # a scope's user brings no permissions of its own
        await street.connect(me.account, user_credentials(street.keys, me.account, street.folder, claims=wide))
    control = await street.connect(me.account)
    assert (await control.client.request("in.gate.renew")).data == b"answer"
    await control.client.close()
