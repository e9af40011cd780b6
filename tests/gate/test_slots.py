"""What the gate knows of slots: which it may hand out, whose logins it can sign, and when one is as it was asked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import nats.errors
import nkeys
import pytest
from nats.aio.client import Client

from deploy import gate_account
from deploy.gate_account import FEW_FREE
from services.gate.slots import KILLED, LIVE, LOW, MOST_KEYS, PAUSED, WANTED, Slots, Wanted, read_wanted
from shared import nats_jwt
from shared.service import Site
from tests.faults.stage import until
from tests.support.servers import Servers
from tests.support.tools import connect_tool, gate_door

A, B = "A" * 56, "A" + "B" * 55


@dataclass
class Provisioner:
    """Answers as the provisioner would; `late` holds answers back until it is set."""

    told: dict[str, Any] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    late: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    async def request(self, subject: str, data: bytes, timeout: float) -> SimpleNamespace:
        assert (subject, timeout) == ("slots.want", 10)
        self.asked.append(json.loads(data))
        told = {"slots": {}, "connections": {}, "offered": [], "free": 9} | self.told
        await self.late.wait()
        if self.broken:
            raise nats.errors.NoRespondersError
        return SimpleNamespace(data=json.dumps(told).encode())


@asynccontextmanager
async def running(wanted: Wanted, provisioner: Provisioner) -> AsyncIterator[None]:
    task = asyncio.create_task(wanted.run(cast(Client, provisioner)))
    try:
        yield
    finally:
        task.cancel()


async def nothing() -> dict[str, Any]:
    return {"at": 1, "slots": {}}


async def test_only_an_answer_to_what_was_said_afterwards_counts() -> None:
    provisioner = Provisioner(told={"slots": {A: PAUSED}})
    wanted = Wanted(Slots(None), nothing, lambda *_, **__: None)
    async with running(wanted, provisioner):
        await until(lambda: bool(provisioner.asked), 20, "the first word")
        waiting = asyncio.create_task(wanted.settled(A, PAUSED))
        await asyncio.sleep(0)
        provisioner.told = {"slots": {A: LIVE}}  # somebody resumed it meanwhile: the answer under way is an old one
        provisioner.late.set()
        await until(lambda: wanted.holding.slots == {A: LIVE}, 20, "the second answer")
        assert not waiting.done()
        provisioner.told = {"slots": {A: PAUSED}, "connections": {A: 2}}
        assert await waiting == 2


async def test_a_killed_slot_is_settled_when_nothing_is_connected_any_more() -> None:
    provisioner = Provisioner(told={"slots": {A: KILLED}, "connections": {A: 1}})
    provisioner.late.set()
    wanted = Wanted(Slots(None), nothing, lambda *_, **__: None)
    async with running(wanted, provisioner):
        waiting = asyncio.create_task(wanted.settled(A, "removed"))
        await until(lambda: len(provisioner.asked) > 1, 20, "two rounds")
        assert not waiting.done()
        provisioner.told = {"slots": {A: KILLED}}
        assert await waiting == 0


async def test_nothing_is_said_while_the_database_may_be_an_older_one_and_no_answer_is_no_end() -> None:
    provisioner, reads = Provisioner(broken=True), [None, {"at": 1, "slots": {A: LIVE}}]

    async def read() -> dict[str, Any] | None:
        return reads[0] if len(reads) == 1 else reads.pop(0)

    provisioner.late.set()
    wanted = Wanted(Slots(None), read, lambda *_, **__: None)
    async with running(wanted, provisioner):
        waiting = asyncio.create_task(wanted.settled(A, "active"))
        await until(lambda: bool(provisioner.asked), 20, "its word")
        assert provisioner.asked[0]["slots"] == {A: LIVE}
        provisioner.broken, provisioner.told = False, {"slots": {A: LIVE}}
        assert await waiting == 0


@pytest.mark.parametrize(("free", "slots", "alarms"), [(2, {}, 1), (0, {A: LIVE}, 1), (0, {}, 0), (3, {A: LIVE}, 0)])
async def test_few_free_slots_are_told_once_where_slots_are_used(free: int, slots: dict[str, str], alarms: int) -> None:
    told: list[str] = []
    provisioner = Provisioner(told={"slots": slots, "free": free})
    provisioner.late.set()
    wanted = Wanted(Slots(None), nothing, lambda code, _, **facts: told.append(f"{code} {facts}"))
    assert (LOW, MOST_KEYS) == (FEW_FREE, gate_account.KEYS)
    for _ in range(3):
        await wanted._round(cast(Client, provisioner))
    assert told == [f"slots_low {{'count': {free}}}"] * alarms


async def test_nothing_is_said_of_a_forked_school_nor_before_the_journal_is_checked() -> None:
    tools = [["wilg", A, "active", 2], ["brug", B, "removed", 1]]

    async def row(sql: str) -> dict[str, Any]:
        assert sql == WANTED
        return {"at": 7, "tools": tools}

    guard = SimpleNamespace(checked=True, forked={})
    site = cast(Site, SimpleNamespace(guard=guard, db=SimpleNamespace(row=row)))
    assert await read_wanted(site) == {"at": 7, "slots": {A: gate_account.live(2), B: KILLED}, "whole": True}
    guard.forked = {"wilg": "behind"}
    assert await read_wanted(site) == {"at": 7, "slots": {B: KILLED}, "whole": False}
    guard.checked = False
    assert await read_wanted(site) is None


def test_a_slot_is_free_if_it_is_offered_not_taken_and_its_key_is_here(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    assert slots.free(()) is None
    (tmp_path / f"{B}.nk").write_bytes(b"x")
    slots.offer((A, B, "../B"))
    assert slots.free(()) == B
    assert (slots.keys(A), slots.keys(B)) == (0, 1)
    (tmp_path / f"{B}-1.nk").write_bytes(b"x")
    assert slots.keys(B) == 2
    assert slots.free({B}) is None
    for account in (A, "../B", "", f"../{B}"):
        with pytest.raises(KeyError):
            slots.mint(account, 0, "U", 1, 2)
    with pytest.raises(KeyError):
        Slots(None).mint(B, 0, "U", 1, 2)


async def test_a_slot_is_handed_out_signed_for_paused_and_cut(servers: Servers, tmp_path: Path) -> None:
    servers.keys.prepare_slots(1)
    slots, mine = Slots(servers.keys.slots.signing), dict[str, str]()

    async def read() -> dict[str, Any]:
        return {"at": time.time_ns() // 1000, "slots": dict(mine)}

    wanted, door = Wanted(slots, read, lambda *_, **__: None), await gate_door(servers.nats_url, servers.keys)
    running = asyncio.create_task(wanted.run(door))
    await until(lambda: slots.free(()) is not None, 20, "a free slot")
    account = slots.free(())
    assert account is not None
    mine[account] = LIVE
    assert await wanted.settled(account, "active") == 0
    assert account not in wanted.holding.offered

    seed = nats_jwt.new_seed(nats_jwt.USER, bytes(range(32)))
    now = int(time.time())
    jwt = slots.mint(account, 0, nats_jwt.public_key(seed), now, now + 60)
    assert nkeys.from_seed(seed).public_key.decode() == nats_jwt.claims_of(jwt)["sub"]
    creds = tmp_path / "tool.creds"
    creds.write_text(nats_jwt.credentials(jwt, seed))
    tool = await connect_tool(servers.nats_url, creds, account)
    mine[account] = PAUSED
    assert await wanted.settled(account, "paused") == 1
    mine[account] = gate_account.live(1)
    assert await wanted.settled(account, gate_account.live(1)) == 0, "who came by the first key is cut"
    await until(lambda: tool.client.is_closed, 20, "the tool to see that it was cut")
    with pytest.raises(nats.errors.Error):
        await connect_tool(servers.nats_url, creds, account)
    creds.write_text(nats_jwt.credentials(slots.mint(account, 1, nats_jwt.public_key(seed), now, now + 60), seed))
    tool = await connect_tool(servers.nats_url, creds, account)
    mine[account] = PAUSED
    assert await wanted.settled(account, "paused") == 1
    with pytest.raises(nats.errors.NoRespondersError):
        await tool.client.request("in.gate.renew")
    mine[account] = KILLED
    assert await wanted.settled(account, "removed") == 0
    await until(lambda: tool.client.is_closed, 20, "the tool to see that it was cut")
    running.cancel()
    await door.close()
    await tool.client.close()
