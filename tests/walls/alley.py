"""A NATS of its own with tools of two schools behind the gate's door, for whoever tries to get from one into another.

The door here answers whatever it is asked, to whatever reply: what holds, holds by the accounts alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from deploy import gate_account
from deploy.embedded import NatsServer
from deploy.files import write_private
from deploy.gate_account import LIVE
from deploy.keys import Keys
from deploy.provisioner import run
from shared import nats_jwt
from shared.nats_jwt import Json
from tests.deploy.support import patient_request
from tests.faults.stage import until
from tests.support.clients import PATIENCE_S, connected
from tests.support.tools import Tool, connect_tool, gate_door, user_credentials, want

NEXT = "$JS.gate.API.CONSUMER.MSG.NEXT.OUT.me"
NOW = json.dumps({"batch": 1, "no_wait": True}).encode()
REFUSED = "permissions violation"


@dataclass
class Alley:
    """The server, the gate's door on it, and tools by name: `one` and `two` of a school, `far` of another, `bold`."""

    nats: NatsServer
    keys: Keys
    folder: Path
    door: Client
    makers: Client
    """The provisioner in GATE: it may do what the others try."""
    tools: dict[str, Tool] = field(default_factory=dict)
    heard: list[Msg] = field(default_factory=list)
    """What came in at the door."""

    async def connect(self, account: str, creds: Path | None = None) -> Tool:
        """Connect one more client of a tool."""
        creds = creds or user_credentials(self.keys, account, self.folder)
        return await connect_tool(self.nats.url, creds, account)

    async def put(self, tool: Tool, data: bytes, child: str = "c1") -> None:
        """Put something out to a tool."""
        await self.door.request(f"out.{tool.account}.{child}.care", data)

    async def api(self, subject: str, body: object = None) -> Json:
        """Ask JetStream in GATE as the provisioner."""
        data = b"" if body is None else json.dumps(body).encode()
        answer: Json = json.loads((await self.makers.request(f"$JS.API.{subject}", data)).data)
        return answer

    async def state(self) -> Json:
        """Return all that an attack could change: streams and consumers, of everyone."""
        streams: Json = {}
        for tool in self.tools.values():
            info = await self.api(f"STREAM.INFO.{tool.stream}", {"subjects_filter": ">"})
            own = await self.api(f"CONSUMER.INFO.{tool.stream}.{tool.account}")
            held = info["state"]
            streams[tool.account] = {
                "config": info["config"],
                "messages": [held[k] for k in ("messages", "first_seq", "last_seq", "consumer_count")],
                "subjects": held.get("subjects"),
                "consumer": [own[k] for k in ("config", "delivered", "ack_floor", "num_ack_pending", "num_pending")],
            }
        return {"streams": streams, "names": (await self.api("STREAM.NAMES"))["streams"]}

    async def settle(self, tool: Tool) -> None:
        """Wait until the server has taken all that a tool's connection sent, and what that set off is done."""
        await tool.client.flush()
        await patient_request(tool.client, "in.gate.control", b"")
        await self.makers.flush()
        await self.door.flush()

    async def fetched(self, tool: Tool) -> list[bytes]:
        """Fetch and acknowledge, as an honest tool, all that lies ready."""
        got: list[bytes] = []
        while message := await self.next(tool):
            got.append(message.data)
            await tool.client.request(message.reply, b"+ACK")
        return got

    async def next(self, tool: Tool) -> Msg | None:
        """Ask for one message with an honest reply; None when nothing lies ready."""
        answer = await tool.client.subscribe(tool.client.new_inbox())
        try:
            await tool.client.publish(NEXT, NOW, reply=answer.subject)
            message = await answer.next_msg(PATIENCE_S)
        finally:
            await answer.unsubscribe()
        return None if (message.headers or {}).get("Status") == "404" else message


def embolden(keys: Keys, account: str, imports: list[Json] | None = None) -> None:
    """Sign a slot again whose users may say and hear all that the account lets them; with other imports if given."""
    signing = nats_jwt.public_key((keys.slots.signing / f"{account}.nk").read_bytes())
    claims = gate_account.tool_claims(account, [signing], keys.account_key("GATE"), LIVE)
    claims["signing_keys"] = [nats_jwt.scope(signing, "tool", nats_jwt.permitted([">"], [">"]))]
    claims["imports"] = claims["imports"] if imports is None else imports
    operator = (keys.root / "operator" / "operator.nk").read_bytes()
    jwt = nats_jwt.sign(operator, account, "tool", claims, 1_800_000_000)
    write_private(keys.root / "slots" / account / f"{LIVE}.jwt", jwt)


@asynccontextmanager
async def alley(folder: Path) -> AsyncIterator[Alley]:
    """Build it, and take it down."""
    keys = Keys(folder / "keys")
    keys.ensure()
    accounts = dict(zip(("one", "two", "far", "bold"), keys.prepare_slots(4), strict=True))
    embolden(keys, accounts["bold"])
    server = NatsServer(folder / "nats", keys.operator_conf)
    await asyncio.to_thread(server.start)
    stop = asyncio.Event()
    running = asyncio.create_task(run(server.url, keys, stop))
    door = await gate_door(server.url, keys)
    await want(door, dict.fromkeys(accounts.values(), LIVE))
    makers = await connected(server.url, str(keys.creds(gate_account.PROVISIONER)), "provisioner")
    made = Alley(server, keys, folder, door, makers)

    async def answer(message: Msg) -> None:
        made.heard.append(message)
        await door.publish(message.reply, b"answer")

    await door.subscribe("in.*.>", queue="gate", cb=answer)
    await door.flush()
    for name, account in accounts.items():
        made.tools[name] = await made.connect(account)
    try:
        yield made
    finally:
        for client in (door, makers, *(tool.client for tool in made.tools.values())):
            await client.close()
        stop.set()
        await running
        await asyncio.to_thread(server.stop)


async def refusals(tool: Tool) -> int:
    """Return how many of its words were refused to a tool so far; one that always is marks the end of them."""
    await tool.client.publish("nobody.may.say.this", b"")
    await until(lambda: any("nobody.may" in str(error) for error in tool.errors), PATIENCE_S, "the last refusal")
    count = sum(REFUSED in str(error).lower() for error in tool.errors if isinstance(error, NatsError))
    tool.errors.clear()
    return count - 1


def forbidden(me: Tool, other: Tool) -> list[str]:
    """Return subjects that no tool may say anything at."""
    mine, theirs = me.stream, other.stream
    asked = [
        "INFO", "STREAM.NAMES", "STREAM.LIST", f"STREAM.INFO.{mine}", f"STREAM.INFO.{theirs}", "STREAM.INFO.OUT",
        f"STREAM.PURGE.{mine}", f"STREAM.DELETE.{mine}", f"STREAM.PURGE.{theirs}", f"STREAM.DELETE.{theirs}",
        f"STREAM.UPDATE.{mine}", "STREAM.CREATE.NEW", f"STREAM.MSG.GET.{mine}", f"STREAM.MSG.GET.{theirs}",
        f"STREAM.MSG.DELETE.{mine}", f"STREAM.SNAPSHOT.{theirs}", f"DIRECT.GET.{mine}", f"DIRECT.GET.{theirs}",
        f"DIRECT.GET.{theirs}.out.{other.account}.c1.care", f"CONSUMER.CREATE.{mine}", f"CONSUMER.CREATE.{theirs}.x",
        f"CONSUMER.CREATE.{theirs}.x.out.>", f"CONSUMER.DURABLE.CREATE.{theirs}.x", f"CONSUMER.NAMES.{theirs}",
        f"CONSUMER.LIST.{theirs}", f"CONSUMER.INFO.{mine}.{me.account}", f"CONSUMER.INFO.{theirs}.{other.account}",
        f"CONSUMER.DELETE.{theirs}.{other.account}", f"CONSUMER.PAUSE.{theirs}.{other.account}",
        f"CONSUMER.RESET.{mine}.{me.account}", f"CONSUMER.UNPIN.{theirs}.{other.account}",
        f"CONSUMER.MSG.NEXT.{theirs}.{other.account}", f"CONSUMER.MSG.NEXT.{mine}.{other.account}",
        f"CONSUMER.MSG.NEXT.{theirs}.{me.account}", "CONSUMER.MSG.NEXT.EVENTS.goals--events", "STREAM.INFO.EVENTS",
    ]  # fmt: skip
    at = [f"{api}.{one}" for one in asked for api in ("$JS.API", "$JS.gate.API", "$JS.hub.API")]
    at += [
        f"$JS.ACK.{theirs}.{other.account}.1.1.1.1.1", f"$JS.ACK.{theirs}.{me.account}.1.1.1.1.1",
        f"$JS.ACK.{mine}.{other.account}.1.1.1.1.1", "$JS.ACK.EVENTS.goals--events.1.1.1.1.1", "$JS.EVENT.ADVISORY.x",
        f"out.{other.account}.c1.care", f"out.{me.account}.c1.care", "out.x", "slots.want", "ask.slots", "_R_.x",
        "_INBOX.theirs.x", "_INBOX.gate-door.x", "_INBOX.provisioner.x", "_INBOX.goals.x", "_GR_.x", "$G",
        "evt.s1.goals.goal.proposed", "evt.s1.gate.tool.registered", "cmd.s1.goals.propose-goal", "qry.s1.goals.child",
        "ops.gate.status", "head.gate", "cursor.gate", "poke.gate", "ask.access", "ask.stream.gate", "replay.network",
        "$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.CLAIMS.LIST", "$SYS.REQ.CLAIMS.DELETE", "$SYS.REQ.SERVER.PING",
        "$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.PING.JSZ",
        "$SYS.REQ.SERVER.PING.ACCOUNTZ", f"$SYS.REQ.ACCOUNT.{other.account}.CONNZ",
        f"$SYS.REQ.ACCOUNT.{other.account}.INFO", f"$SYS.REQ.ACCOUNT.{other.account}.CLAIMS.LOOKUP",
        f"$SYS.REQ.USER.{other.account}.INFO", f"$SYS.ACCOUNT.{other.account}.CLAIMS.UPDATE",
    ]  # fmt: skip
    return at
