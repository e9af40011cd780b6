"""Slots: accounts of tools that were signed ahead, and what the provisioner makes of them at the gate's word."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import nats.errors
import pytest
from nats.aio.client import Client

from deploy import gate_account, topology
from deploy.embedded import NatsServer
from deploy.gate_account import KILLED, LIVE, PAUSED
from deploy.keys import FIRST_SLOTS, Keys, Offline
from deploy.provisioner import run
from shared import nats_jwt
from tests.deploy.support import eventually
from tests.faults.stage import until
from tests.support.clients import connected
from tests.support.tools import Tool, connect_tool, gate_door, user_credentials, want


@dataclass
class House:
    """One NATS with a provisioner in this process, and the gate's door."""

    keys: Keys
    nats: NatsServer
    folder: Path
    door: Client
    stop: asyncio.Event
    running: asyncio.Task[None]

    @property
    def round(self) -> Path:
        return self.folder / "round"

    async def provision(self) -> None:
        self.stop = asyncio.Event()
        self.round.unlink(missing_ok=True)
        self.running = asyncio.create_task(run(self.nats.url, self.keys, self.stop, round_file=self.round))

    async def end(self) -> None:
        self.stop.set()
        await self.running

    async def tool(self, account: str) -> Tool:
        return await connect_tool(self.nats.url, user_credentials(self.keys, account, self.folder), account)

    async def reach(self) -> None:
        """Come in as the gate again, after the server was away."""
        await self.door.close()
        async with asyncio.timeout(20):
            while True:
                try:
                    self.door = await gate_door(self.nats.url, self.keys)
                except (OSError, nats.errors.Error):
                    await asyncio.sleep(0.02)
                else:
                    return

    async def system(self, subject: str, data: bytes = b"") -> str:
        client = await connected(self.nats.url, str(self.keys.creds("provisioner-sys")), "provisioner")
        try:
            return (await client.request(f"$SYS.REQ.{subject}", data)).data.decode()
        finally:
            await client.close()

    async def claims(self, account: str) -> str:
        return await self.system(f"ACCOUNT.{account}.CLAIMS.LOOKUP")

    async def api(self, subject: str, body: object = None) -> nats_jwt.Json:
        client = await connected(self.nats.url, str(self.keys.creds(gate_account.PROVISIONER)), "provisioner")
        try:
            data = b"" if body is None else json.dumps(body).encode()
            answer: nats_jwt.Json = json.loads((await client.request(f"$JS.API.{subject}", data)).data)
        finally:
            await client.close()
        return answer


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    keys = Keys(tmp_path / "keys")
    keys.ensure()
    server = NatsServer(tmp_path / "nats", keys.operator_conf)
    server.start()
    made = House(keys, server, tmp_path, await gate_door(server.url, keys), asyncio.Event(), asyncio.Future())  # type: ignore[arg-type]
    await made.provision()
    try:
        yield made
    finally:
        await made.end()
        await made.door.close()
        server.stop()


async def test_a_slot_lives_pauses_lives_again_and_is_killed_for_good(house: House) -> None:
    (a,) = house.keys.prepare_slots(1)
    assert (await want(house.door, {}))["offered"] == [a]
    assert await house.claims(a) == "", "prepared is not handed out"
    answer = await want(house.door, {a: LIVE})
    assert (answer["slots"], answer["offered"], answer["free"]) == ({a: LIVE}, [], 0)
    tool = await house.tool(a)
    await house.door.jetstream().publish(f"out.{a}.x.y", b"1")
    me = await tool.client.jetstream(domain="gate").pull_subscribe_bind("me", stream="OUT")
    assert [m.data for m in await me.fetch(1)] == [b"1"]
    assert (await want(house.door, {a: LIVE}))["connections"] == {a: 1}

    assert (await want(house.door, {a: PAUSED}))["slots"] == {a: PAUSED}
    with pytest.raises(nats.errors.NoRespondersError):
        await tool.client.request("in.gate.renew")
    assert tool.client.is_connected
    await want(house.door, {a: LIVE})
    await house.door.jetstream().publish(f"out.{a}.x.y", b"2")
    assert [m.data for m in await me.fetch(1, timeout=20)] == [b"2"], "what stood in the stream outlived the pause"

    answer = await want(house.door, {a: KILLED})
    assert (answer["slots"], answer["connections"]) == ({a: KILLED}, {})
    await until(lambda: tool.client.is_closed, 20, "the tool's client to see that it was cut")
    with pytest.raises(nats.errors.Error):
        await house.tool(a)
    assert (await house.api(f"STREAM.INFO.{tool.stream}"))["error"]["err_code"] == 10059, "nothing of it is kept"
    assert (await want(house.door, {a: LIVE}))["slots"] == {a: KILLED}
    await tool.client.close()


async def test_a_wiped_store_brings_back_what_lives_and_not_what_was_killed(house: House) -> None:
    a, b, c = house.keys.prepare_slots(3)
    shutil.rmtree(house.keys.root / "operator")  # none of this needs it
    states = {a: LIVE, b: KILLED, c: PAUSED}
    await want(house.door, dict.fromkeys(states, LIVE))
    assert (await want(house.door, states))["slots"] == states
    await asyncio.to_thread(house.nats.kill)
    await asyncio.to_thread(house.nats.wipe)
    await asyncio.to_thread(house.nats.start)
    await house.reach()
    assert (await want(house.door, states))["slots"] == states
    tool = await house.tool(a)
    await house.door.jetstream().publish(f"out.{a}.x.y", b"1")
    me = await tool.client.jetstream(domain="gate").pull_subscribe_bind("me", stream="OUT")
    assert [m.data for m in await me.fetch(1, timeout=20)] == [b"1"]
    with pytest.raises(nats.errors.Error):
        await house.tool(b)
    paused = await house.tool(c)
    with pytest.raises(nats.errors.NoRespondersError):
        await paused.client.request("in.gate.renew")
    for one in (tool, paused):
        await one.client.close()


async def test_a_new_provisioner_over_a_wiped_store_waits_for_the_gates_word(house: House) -> None:
    a, b = house.keys.prepare_slots(2)
    await want(house.door, {a: LIVE, b: KILLED})
    await house.end()
    await asyncio.to_thread(house.nats.kill)
    await asyncio.to_thread(house.nats.wipe)
    await asyncio.to_thread(house.nats.start)
    await house.provision()
    await house.reach()
    await asyncio.to_thread(eventually, house.round.exists)  # it has made EVENTS, and no slot
    assert (await house.api("STREAM.NAMES"))["total"] == 0
    for account in (a, b):
        assert await house.claims(account) == ""
    with pytest.raises(nats.errors.Error):
        await house.tool(a)
    await want(house.door, {a: LIVE, b: KILLED})
    await (await house.tool(a)).client.close()
    with pytest.raises(nats.errors.Error):
        await house.tool(b)


async def test_a_gate_put_back_to_an_older_copy_revives_nobody_and_hands_out_no_slot_twice(house: House) -> None:
    a, b, c = house.keys.prepare_slots(3)
    await want(house.door, {a: KILLED, b: LIVE})
    await house.end()
    await house.provision()  # it remembers nothing: what the server holds must do
    answer = await want(house.door, {a: LIVE})  # the older copy: a lived, b was not handed out yet
    assert answer["slots"] == {a: KILLED}
    assert (answer["offered"], answer["free"]) == ([c], 1)


async def test_a_slot_whose_tool_the_gate_forgot_is_not_offered_again_and_lets_nothing_be_fetched(house: House) -> None:
    a, b, c = house.keys.prepare_slots(3)
    assert sorted((await want(house.door, {}, whole=True))["offered"]) == sorted([a, b, c])
    await want(house.door, {a: LIVE, b: LIVE}, whole=True)
    tool = await house.tool(b)
    await house.door.jetstream().publish(f"out.{b}.x.y", b"1")
    me = await tool.client.jetstream(domain="gate").pull_subscribe_bind("me", stream="OUT")
    for _ in range(2):
        assert (await want(house.door, {a: LIVE}))["offered"] == [c], "the copy is older than b's tool"
    assert await house.claims(b) == house.keys.slots.jwt(b, LIVE), "it may be a school's whose journal is behind"
    for _ in range(2):
        assert (await want(house.door, {a: LIVE}, whole=True))["slots"] == {a: LIVE}
    assert await house.claims(b) == house.keys.slots.jwt(b, PAUSED)
    with pytest.raises(nats.errors.Error):
        await me.fetch(1, timeout=1)
    await want(house.door, {a: LIVE, b: LIVE}, whole=True)
    assert [m.data for m in await me.fetch(1, timeout=20)] == [b"1"], "known again, it goes on"
    await tool.client.close()


async def test_what_was_said_late_changes_nothing_and_a_clock_that_was_set_back_does_not_deafen(house: House) -> None:
    (a,) = house.keys.prepare_slots(1)
    now = time.time_ns() // 1000
    await want(house.door, {a: PAUSED}, now)
    assert (await want(house.door, {a: LIVE}, now - 1_000_000))["slots"] == {a: PAUSED}
    hour = 3_600_000_000
    assert (await want(house.door, {a: LIVE}, now - hour))["slots"] == {a: LIVE}


async def test_drift_of_a_slot_is_put_right(house: House) -> None:
    (a,) = house.keys.prepare_slots(1)
    stream = gate_account.stream(a)
    await want(house.door, {a: LIVE})
    paused, live = (house.keys.slots.jwt(a, state) or "" for state in (PAUSED, LIVE))
    await house.system("CLAIMS.UPDATE", paused.encode())
    await house.api(f"CONSUMER.DELETE.{stream}.{a}")
    config = (await house.api(f"STREAM.INFO.{stream}"))["config"]
    await house.api(f"STREAM.UPDATE.{stream}", config | {"max_bytes": 1_000_000})
    for _ in range(2):  # the one under way may have looked before
        house.round.unlink(missing_ok=True)
        await asyncio.to_thread(eventually, house.round.exists)
    assert await house.claims(a) == live
    assert (await house.api(f"CONSUMER.INFO.{stream}.{a}"))["config"]["max_batch"] == 500
    assert (await house.api(f"STREAM.INFO.{stream}"))["config"]["max_bytes"] == gate_account.STREAM_BYTES


async def test_what_was_killed_by_hand_while_the_gate_was_away_stays_killed(house: House) -> None:
    (a,) = house.keys.prepare_slots(1)
    await want(house.door, {a: LIVE})
    tool = await house.tool(a)
    await house.system("CLAIMS.UPDATE", (house.keys.slots.jwt(a, KILLED) or "").encode())
    await until(lambda: tool.client.is_closed, 20, "the tool's client to see that it was cut")

    async def found_killed() -> bool:
        return bool((await want(house.door, {a: LIVE}))["slots"] == {a: KILLED})

    await until(found_killed, 20, "the provisioner to look at it again")
    assert await house.claims(a) == house.keys.slots.jwt(a, KILLED)
    await tool.client.close()


async def test_claims_of_another_operator_and_slots_that_are_not_here_are_never_pushed(
    house: House, tmp_path: Path
) -> None:
    other = Keys(tmp_path / "other")
    other.ensure()
    (foreign,), (own,), (absent,) = other.prepare_slots(1), house.keys.prepare_slots(1), house.keys.prepare_slots(1)
    for folder in ("slots", "slot-keys"):
        shutil.copytree(other.root / folder, house.keys.root / folder, dirs_exist_ok=True)
    shutil.rmtree(house.keys.root / "slots" / absent)
    answer = await want(house.door, {foreign: LIVE, absent: LIVE, own: LIVE})
    assert answer["slots"] == {foreign: "unknown", absent: "unknown", own: LIVE}
    assert await house.claims(foreign) == ""


NONSENSE = (b"", b"[]", b'{"at":1,"slots":[]}', b'{"at":1,"slots":{"../x":"live"}}', b'{"at":1,"slots":{"A":"dead"}}')


async def test_nonsense_is_not_answered_and_stops_nothing(house: House) -> None:
    (a,) = house.keys.prepare_slots(1)
    await want(house.door, {a: LIVE})
    heard = await house.door.subscribe(house.door.new_inbox())
    for asked in NONSENSE:
        await house.door.publish(gate_account.WANT, asked, reply=heard.subject)
    assert (await want(house.door, {a: LIVE}))["slots"] == {a: LIVE}
    assert heard.pending_msgs == 0


def test_without_the_operators_seed_no_slot_is_prepared_and_no_new_operator_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(tmp_path / "keys")
    keys.ensure()
    before = keys.operator_conf.read_text()
    (keys.root / "operator").rename(tmp_path / "safe")
    keys.ensure()
    with pytest.raises(Offline, match="bring it back"):
        keys.prepare_slots(1)
    monkeypatch.setattr(topology, "CROSSING", (*topology.CROSSING, ("new.>", "Singleton")))
    with pytest.raises(Offline, match="this version"):
        keys.ensure()
    assert keys.operator_conf.read_text() == before
    shutil.rmtree(keys.root / "operator")
    (tmp_path / "safe").rename(keys.root / "operator")
    keys.ensure()
    assert keys.operator_conf.read_text() != before


def test_the_first_slots_are_there_from_the_start_and_once(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    keys.ensure()
    keys.first_slots()
    made = keys.slots.names()
    keys.first_slots()
    assert (len(made), keys.slots.names()) == (FIRST_SLOTS, made)
    shutil.rmtree(keys.root / "slots")
    shutil.rmtree(keys.root / "operator")
    keys.first_slots()
    assert keys.slots.names() == []


def test_slots_are_signed_anew_when_what_they_may_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(tmp_path / "keys")
    keys.ensure()
    names = sorted(keys.prepare_slots(2, issued_at=1_700_000_000))
    before = [keys.slots.jwt(name, LIVE) for name in names]
    seeds = [path.read_bytes() for path in keys.slots.signing.iterdir()]
    monkeypatch.setitem(gate_account.LIMITS, "conn", 3)
    keys.ensure(issued_at=1_700_000_100)
    after = [nats_jwt.claims_of(keys.slots.jwt(name, LIVE) or "") for name in names]
    assert keys.slots.names() == names
    assert [claims["nats"]["limits"]["conn"] for claims in after] == [3, 3]
    assert [keys.slots.jwt(name, LIVE) for name in names] != before
    assert [path.read_bytes() for path in keys.slots.signing.iterdir()] == seeds


def test_a_stricter_state_is_always_the_newer_one_and_only_the_operators_seed_signs(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    keys.ensure()
    (a,) = keys.prepare_slots(1)
    claims = [nats_jwt.claims_of(keys.slots.jwt(a, state) or "") for state in (LIVE, PAUSED, KILLED)]
    assert claims[0]["iat"] < claims[1]["iat"] < claims[2]["iat"]
    assert {one["iss"] for one in claims} == {nats_jwt.claims_of(keys.account_jwt("GATE"))["iss"]}
    assert [len(one["nats"].get("imports", [])) for one in claims] == [3, 0, 0]
    assert claims[2]["nats"]["revocations"] == {"*": gate_account.FOR_EVER}
    files: Callable[[Path], list[Path]] = lambda root: [p for p in root.rglob("*") if p.is_file()]  # noqa: E731
    assert not [path for path in files(keys.root) if path.stat().st_mode & 0o077]
    assert len(files(keys.slots.signing)) == gate_account.KEYS
    signers = [
        [scope["key"] for scope in nats_jwt.claims_of(keys.slots.jwt(a, state) or "")["nats"]["signing_keys"]]
        for state in gate_account.STATES
    ]
    own = [one for (one,) in signers[: gate_account.KEYS]]
    assert len(set(own)) == gate_account.KEYS, "live by one key each, and by another each time"
    assert signers[gate_account.KEYS :] == [own, own], "a pause cuts nobody, whichever counted"
