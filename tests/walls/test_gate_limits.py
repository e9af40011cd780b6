"""What a tool can use up is bounded, and whoever lost the right to come in is out. No times: counts."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import nats
import nats.errors
import pytest
import pytest_asyncio

from deploy import brake, gate_account
from deploy.embedded import nats as embedded
from deploy.embedded.process import free_port, listens, spawn, wait_until
from deploy.gate_account import LIVE, live
from shared import nats_jwt
from tests.deploy.support import patient_request
from tests.faults.stage import until
from tests.support.clients import PATIENCE_S
from tests.support.tools import Tool, user_credentials, want
from tests.walls.alley import NEXT, NOW, Alley, alley, forbidden

pytestmark = pytest.mark.asyncio(loop_scope="module")

FLOOD = 3_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Alley]:
    async with alley(tmp_path_factory.mktemp("alley")) as made:
        yield made


async def _another(street: Alley, **states: str) -> str:
    """Prepare and open one more slot, for a test that spoils it."""
    (account,) = street.keys.prepare_slots(1)
    await _say(street, **{account: "live"} | states)
    return account


async def _say(street: Alley, **states: str) -> None:
    live = {tool.account: "live" for tool in street.tools.values()}
    assert (await want(street.door, live | states))["slots"] == live | states


async def _until_cut(tool: Tool) -> None:
    await until(lambda: tool.client.is_closed, PATIENCE_S, "the tool to see that it was cut")


async def test_what_is_too_large_cuts_its_sender_and_nobody_else(street: Alley) -> None:
    other = street.tools["two"]
    me = await street.connect(street.tools["one"].account)
    largest = bytes(gate_account.PAYLOAD)
    assert (await me.client.request("in.gate.renew", largest)).data == b"answer", "control: the largest that fits"
    me.client._max_payload = 10 * len(largest)  # the library would not send it
    before = len(street.heard)
    with contextlib.suppress(nats.errors.Error, OSError):
        await me.client.publish("in.gate.renew", largest + b"x")
        await me.client.flush()
    await until(lambda: me.client.is_closed, PATIENCE_S, "the sender to see that it was cut")
    assert len(street.heard) == before
    assert "maximum payload" in str(me.client.last_error)
    assert (await other.client.request("in.gate.renew")).data == b"answer"
    await me.client.close()


async def test_connections_and_subscriptions_of_a_tool_are_counted(street: Alley) -> None:
    account, other = await _another(street), street.tools["two"]
    creds = user_credentials(street.keys, account, street.folder)
    ours = [await street.connect(account, creds) for _ in range(gate_account.LIMITS["conn"])]
    with pytest.raises(nats.errors.Error):
        await street.connect(account, creds)
    await (await street.connect(other.account)).client.close()  # control: another's are not counted here
    for n in range(gate_account.LIMITS["subs"] - 1):
        await ours[0].client.subscribe(f"_INBOX.{n}")
    await ours[0].client.flush()
    assert ours[0].errors == [], "control: as many as are allowed"
    for n in range(5):
        await ours[0].client.subscribe(f"_INBOX.more.{n}")
    with contextlib.suppress(nats.errors.Error, OSError):
        await ours[0].client.flush()
    await until(lambda: ours[0].client.is_closed, PATIENCE_S, "the sender to see that it was cut")
    assert "maximum subscriptions" in str(ours[0].client.last_error)
    for one in ours:
        await one.client.close()


async def test_a_flood_takes_nothing_from_others(street: Alley) -> None:
    """Of what the others ask and are sent, all arrives; what the flooder can have waiting is bounded."""
    flooder, other, far = (street.tools[name] for name in ("one", "two", "far"))
    payload, done = bytes(200), asyncio.Event()

    async def flood() -> None:
        for n in range(FLOOD):
            await flooder.client.publish("in.gate.renew", payload)
            await flooder.client.publish(NEXT, json.dumps({"batch": 500, "expires": 10**9}).encode(), reply="_INBOX.x")
            if n % 500 == 0:
                await asyncio.sleep(0)
        done.set()

    flooding = asyncio.create_task(flood())
    asked = 0
    while not done.is_set():
        for tool in (other, far):
            await street.put(tool, b"theirs %d" % asked)
            assert (await tool.client.request("in.gate.renew", b"theirs")).data == b"answer"
        asked += 1
    await flooding
    for tool in (other, far):
        assert await street.fetched(tool) == [b"theirs %d" % n for n in range(asked)]
    waiting = (await street.api(f"CONSUMER.INFO.{flooder.stream}.{flooder.account}"))["num_waiting"]
    assert waiting <= 32
    assert {tool.client.is_connected for tool in street.tools.values()} == {True}


async def test_who_floods_past_the_gate_is_held_and_then_let_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests for next messages never come to the gate, and each leaves its trace in the server until it is over."""
    for name, value in (("BURST", 500.0), ("PER_S", 100.0), ("HELD_S", 1.0)):
        monkeypatch.setattr(brake, name, value)
    async with alley(tmp_path) as street:
        tool, other = street.tools["far"], street.tools["two"]
        live = {one.account: "live" for one in street.tools.values()}

        async def stands(state: str) -> bool:
            return bool((await want(street.door, live))["slots"] == live | {tool.account: state})

        await tool.client.subscribe("_INBOX.>")
        await tool.client.flush()
        assert await stands("live"), "control: it is weighed, and not held before"
        for n in range(2_000):
            await tool.client.publish(NEXT, NOW, reply=f"_INBOX.{n}")
        await tool.client.flush()
        await until(partial(stands, "paused"), PATIENCE_S, "it is held, whatever the gate says")
        assert (await other.client.request("in.gate.renew")).data == b"answer"
        await street.put(other, b"theirs")
        assert await street.fetched(other) == [b"theirs"]
        await until(partial(stands, "live"), PATIENCE_S, "it is let go on")
        assert (await patient_request(tool.client, "in.gate.renew", b"")).data == b"answer"


async def test_what_is_asked_and_never_answered_leaves_the_server_in_time(street: Alley) -> None:
    claims = nats_jwt.claims_of(street.keys.account_jwt("GATE"))["nats"]["exports"]
    assert {one["response_threshold"] for one in claims} == {gate_account.ANSWERED_WITHIN_S * 10**9}
    own = await street.api(f"CONSUMER.INFO.{street.tools['one'].stream}.{street.tools['one'].account}")
    assert own["config"]["max_expires"] < gate_account.ANSWERED_WITHIN_S * 10**9, (
        "an honest one waits as long as it may"
    )


async def test_a_tool_that_fetches_nothing_fills_its_own_stream_and_no_more(street: Alley) -> None:
    account, other = await _another(street), street.tools["two"]
    stream = gate_account.stream(account)
    config = (await street.api(f"STREAM.INFO.{stream}"))["config"]
    assert config["max_bytes"] == gate_account.STREAM_BYTES
    await street.put(other, b"theirs")
    large = bytes(gate_account.PAYLOAD - 1024)
    for _ in range(gate_account.STREAM_BYTES // len(large) + 20):
        await street.door.publish(f"out.{account}.c1.care", large)
    await street.put(Tool(account, street.door), b"last")
    held = (await street.api(f"STREAM.INFO.{stream}"))["state"]
    assert held["bytes"] <= gate_account.STREAM_BYTES
    assert held["first_seq"] > 1, "the oldest made room"
    assert await street.fetched(other) == [b"theirs"]


async def test_nothing_reaches_a_paused_tool_that_had_asked_before(street: Alley) -> None:
    account = await _another(street)
    tool = await street.connect(account)
    answer = await tool.client.subscribe("_INBOX.waiting")
    await tool.client.publish(NEXT, json.dumps({"batch": 5, "expires": 30 * 10**9}).encode(), reply="_INBOX.waiting")
    await tool.client.flush()
    await street.put(tool, b"before")
    assert (await answer.next_msg(PATIENCE_S)).data == b"before", "control: what it asked for comes by itself"
    await _say(street, **{account: "paused"})
    await street.put(tool, b"during the pause")
    await tool.client.flush()
    with pytest.raises(nats.errors.NoRespondersError):
        await tool.client.request(NEXT, NOW)
    with pytest.raises(nats.errors.NoRespondersError):
        await tool.client.request("in.gate.renew")
    assert answer.pending_msgs == 0
    await _say(street, **{account: "live"})
    assert (await answer.next_msg(PATIENCE_S)).data == b"during the pause", "control: what was put out then is kept"
    await tool.client.close()


async def test_a_killed_tool_is_cut_and_no_login_of_it_is_good_again(street: Alley) -> None:
    account, other = await _another(street), street.tools["two"]
    creds = [user_credentials(street.keys, account, street.folder) for _ in range(2)]
    tools = [await street.connect(account, one) for one in creds]
    answer = await tools[0].client.subscribe("_INBOX.waiting")
    await tools[0].client.publish(
        NEXT, json.dumps({"batch": 5, "expires": 30 * 10**9}).encode(), reply="_INBOX.waiting"
    )
    await tools[0].client.flush()
    await _say(street, **{account: "killed"})
    for tool in tools:
        await _until_cut(tool)
    for again in (*creds, user_credentials(street.keys, account, street.folder, lives_s=3600)):
        with pytest.raises(nats.errors.Error):
            await street.connect(account, again)
    assert answer.pending_msgs == 0
    assert gate_account.stream(account) not in (await street.api("STREAM.NAMES"))["streams"]
    assert (await other.client.request("in.gate.renew")).data == b"answer", "control"
    await (await street.connect(other.account)).client.close()


async def test_an_expired_login_is_cut_and_a_renewed_one_stays(street: Alley) -> None:
    account = street.tools["one"].account
    short = user_credentials(street.keys, account, street.folder, lives_s=2)
    ending, staying = await street.connect(account, short), await street.connect(account)
    assert (await ending.client.request("in.gate.renew")).data == b"answer", "control: good until then"
    await _until_cut(ending)
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(nats.errors.Error):
            while True:  # within its last second it is let in, and cut again
                await _until_cut(await street.connect(account, short))
    assert (await staying.client.request("in.gate.renew")).data == b"answer"
    await staying.client.close()


LEAF = """\
host: 127.0.0.1
port: {port}
leafnodes {{ remotes: [ {{ urls: ["nats-leaf://127.0.0.1:{hub}"], credentials: "{creds}" }} ] }}
"""


async def test_a_leaf_node_in_a_tools_account_reaches_what_the_tool_does_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A school may run a NATS of its own behind its tool's login: the walls hold behind it too."""
    hub, port = free_port(), free_port()
    more = f'leafnodes {{{{ host: "127.0.0.1", port: {hub} }}}}\n'
    monkeypatch.setattr(embedded, "CONFIG", embedded.CONFIG + more)
    async with alley(tmp_path) as street:
        me, other = street.tools["one"], street.tools["two"]
        config = tmp_path / "leaf.conf"
        creds = user_credentials(street.keys, me.account, tmp_path)
        config.write_text(LEAF.format(port=port, hub=hub, creds=creds))
        leaf = spawn([str(embedded.binary()), "-c", str(config)], tmp_path / "leaf.log")
        try:
            await asyncio.to_thread(wait_until, lambda: listens(leaf.pid, port), leaf, tmp_path / "leaf.log", 20)
            behind = await nats.connect(f"nats://127.0.0.1:{port}")
            # Before all is heard here: else a request that comes before the link stands has a listener, and no answer.
            await patient_request(behind, "in.gate.renew", b"")
            heard = await behind.subscribe(">")
            await street.put(me, b"mine")
            await street.put(other, b"theirs")
            before = await street.state()
            for subject in forbidden(me, other):
                await behind.publish(subject, b"{}", reply=f"$JS.API.STREAM.PURGE.{other.stream}")
            await patient_request(behind, "in.gate.renew", b"")
            assert await street.state() == before
            assert {message.subject.split(".")[1] for message in street.heard} == {me.account}
            inbox = await behind.subscribe(behind.new_inbox())
            await behind.publish(NEXT, NOW, reply=inbox.subject)
            assert (await inbox.next_msg(PATIENCE_S)).data == b"mine", "control: its own comes to it"
            while heard.pending_msgs:
                assert b"theirs" not in (await heard.next_msg()).data
            assert await street.fetched(other) == [b"theirs"]
            assert (await want(street.door, {me.account: LIVE}))["connections"][me.account] == 2, "and the leaf"
            told = await want(street.door, {me.account: live(1)})
            assert told["connections"] == {}, "another login cuts both"
            await behind.close()
        finally:
            leaf.terminate()
            leaf.wait()
