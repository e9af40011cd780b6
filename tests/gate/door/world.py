"""The door between two worlds, on real servers: tools' accounts on one side, a goals that notes what it is asked on the
other, and between them the gate's own database.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.keys import Keys
from services.gate.asking import Platform
from services.gate.calling import Calls
from services.gate.incoming import ToolDoor
from services.gate.model import pseudonym
from services.gate.rates import Limits, Rates
from services.gate.registry import Known, Registry
from shared import nats_jwt
from shared.actor import Actor, SigningKey, Verifier, load_trusted, mint
from shared.bus import Bus
from shared.clock import Clock
from shared.events.words import ActorKind
from shared.telemetry import Telemetry
from tests.gate.door.support import Office, PaperSlots
from tests.support.servers import Servers
from tests.support.tools import Tool, connect_tool, user_credentials, want

Json = dict[str, Any]
Answer = Callable[[str, Json], Json]


class SignedSlots(PaperSlots):
    """Slots that were prepared for real."""

    def __init__(self, keys: Keys, accounts: list[str]) -> None:
        super().__init__(accounts)
        self._folder = keys.slots.signing

    def mint(self, account: str, key: int, user: str, issued_at: int, expires_at: int) -> str:
        super().mint(account, key, user, issued_at, expires_at)
        seed = (self._folder / f"{account}.nk").read_bytes()
        return nats_jwt.sign(seed, user, "tool", nats_jwt.scoped_user_claims(account), issued_at, expires_at)


@dataclass
class Goals:
    """Stands in for goals: notes who asked what with which headers, and answers as it is told."""

    verifier: Verifier
    asked: list[tuple[str, Json, dict[str, str], Actor]] = field(default_factory=list)
    answer: Answer = field(default=lambda name, body: {"ok": {"name": name, **body}})
    slow_s: float = 0.0

    async def take(self, message: Msg) -> None:
        asyncio.get_running_loop().create_task(self._take(message))

    async def _take(self, message: Msg) -> None:
        headers = dict(message.headers or {})
        kind, school, _, name = message.subject.split(".")
        actor = self.verifier.verify(headers["Authorization"].removeprefix("Bearer "), school, datetime.now(UTC))
        body = json.loads(message.data)
        self.asked.append((f"{kind} {name}", body, headers, actor))
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        message.headers = None
        await message.respond(json.dumps(self.answer(name, body)).encode())


@dataclass
class World:
    """A door with its two sides. `tool` and `other` are connected tools of one school."""

    servers: Servers
    office: Office
    gate: Client
    platform: Client
    goals: Goals
    door: ToolDoor
    folder: Path
    slots: dict[str, str] = field(default_factory=dict)
    cut: list[Known] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    async def plug_in(self, tool: UUID, **more: object) -> Tool:
        """Registers a tool, gives it a login, and connects as it."""
        made = await self.office.register(tool=tool, **more)
        account = str(made["account"])
        self.slots[account] = "live"
        await want(self.gate, self.slots)
        creds = user_credentials(self.servers.keys, account, self.folder)
        await self.office.ask("issue-login", self.office.keeper, tool=tool, user_key=login_of(creds))
        found = await connect_tool(self.servers.nats_url, creds, account)
        self.clients.append(found.client)
        await self.door.registry.refresh()
        return found

    async def tell(self, tool: UUID, about: UUID, *ours: UUID) -> list[str]:
        """Makes it so that a tool was told of these ids in what is about a child; returns what it knows them as."""
        (row,) = await self.office.rows("SELECT secret FROM tool WHERE id = $1", tool)
        made = [pseudonym(row["secret"], one) for one in ours]
        async with self.office.db.school(self.office.school) as conn:
            await conn.execute(
                "INSERT INTO pseudonym SELECT $1, $2, x.t, $3, x.o FROM unnest($4::uuid[], $5::uuid[]) x (t, o)"
                " ON CONFLICT DO NOTHING",
                self.office.school,
                tool,
                about,
                made,
                list(ours),
            )
        return [str(one) for one in made]

    def behalf(self, person: UUID, **changed: object) -> str:
        """Returns a door's token for a person."""
        key = SigningKey.load(self.servers.keys.token_key(str(changed.pop("key", "samen"))))
        base = {"id": person, "kind": ActorKind.PERSON, "school": self.office.school, "door": "samen"}
        return mint(key, Actor(**{**base, **changed}), datetime.now(UTC))  # type: ignore[arg-type]  # as tests name them


def login_of(creds: Path) -> str:
    """Returns the public key of the login in a credentials file."""
    return str(nats_jwt.claims_of(creds.read_text().splitlines()[1])["sub"])


async def ask(tool: Tool, subject: str, body: object = None, /, timeout: float = 10, **headers: str) -> Json:
    """Asks as a tool; returns the reply, `{"ok": ...}` or `{"problem": ...}`. A key is sent unless one is given."""
    data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    sent = {name.replace("_", "-"): value for name, value in ({"Idempotency_Key": uuid4().hex} | headers).items()}
    reply = await tool.client.request(f"in.{subject}", data, timeout=timeout, headers=sent)
    found: Json = json.loads(reply.data)
    return found


def problem(reply: Json) -> tuple[str, str | None]:
    """Returns the type and the code of a problem."""
    return reply["problem"]["type"], reply["problem"].get("code")


async def opened(
    servers: Servers,
    office: Office,
    login: Callable[..., Awaitable[Client]],
    door_client: Client,
    folder: Path,
    limits: Limits,
) -> World:
    """Returns a world whose door is open."""
    trusted = load_trusted(servers.keys.trusted)
    platform, goals = await login("gate"), Goals(Verifier(trusted))
    service = await login("goals")
    for kind in ("cmd", "qry"):
        await service.subscribe(f"{kind}.*.goals.>", queue="goals", cb=goals.take)
    await service.flush()
    own = {"renew": office.by_name["renew"]}
    key = SigningKey.load(servers.keys.token_key("gate"))
    calls = Calls(
        office.db,
        office.unit,
        office.ids,
        Clock(),
        Verifier(trusted),
        Platform(Bus(platform, "gate", key, Clock()), Clock()),
        own,
    )
    telemetry = Telemetry("gate", export=False)
    slots: dict[str, str] = {}
    cut: list[Known] = []

    async def cut_off(tool: Known) -> None:
        cut.append(tool)
        slots[tool.account] = "paused"
        await want(door_client, slots)

    door = ToolDoor(calls, Registry(office.db), Rates(limits), telemetry, Clock(), cut_off)
    await door.serve(door_client)
    await door_client.flush()
    return World(servers, office, door_client, platform, goals, door, folder, slots, cut)
