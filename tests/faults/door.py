"""The way in that a person has: the door's login, a token for someone, a request with a key. Nothing is hidden here:
an answer is ok, a problem, or none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import nats.errors
import pydantic_core
from nats.aio.client import Client

from shared.actor import Actor, SigningKey, mint
from shared.clock import Clock
from shared.events.words import ActorKind
from tests.faults.stage import Stage

Json: TypeAlias = Any
"""What goes over the wire; the services check it, not the type checker."""

OPERATOR = uuid4()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `ok` (a result), `problem`, or neither when nobody answered."""

    ok: Any = None
    problem: dict[str, Any] | None = None
    answered: bool = True

    @property
    def done(self) -> bool:
        """It was answered ok."""
        return self.answered and self.problem is None

    @property
    def kind(self) -> str:
        """`ok`, the problem's type, or `silence`."""
        if not self.answered:
            return "silence"
        return "ok" if self.problem is None else str(self.problem["type"])


class Door:
    """A connected door."""

    def __init__(self, client: Client, key: SigningKey) -> None:
        self.client = client
        self.key = key
        self.clock = Clock()

    @classmethod
    def of(cls, stage: Stage, client: Client) -> Door:
        """Returns the door `samen` of a stage, on a client with its login."""
        return cls(client, SigningKey.load(stage.servers.keys.token_key("samen")))

    def token(self, actor: Actor) -> str:
        """Returns a fresh token."""
        return mint(self.key, actor, self.clock.now())

    def person(self, id_: UUID | str, school: str) -> Actor:
        """Returns a person's actor; everybody is at a keyboard of their own."""
        return Actor(UUID(str(id_)), ActorKind.PERSON, school, "samen", operator=f"op-{id_}")

    def operator(self, school: str) -> Actor:
        """Returns the operator's own actor."""
        return Actor(OPERATOR, ActorKind.OPERATOR, school, "samen", operator="op")

    async def send(self, subject: str, data: bytes, headers: dict[str, str], timeout_s: float = 5.0) -> Answer:
        """Sends bytes as they are; returns whatever came."""
        try:
            reply = await self.client.request(subject, data, timeout=timeout_s, headers=headers)
        except (nats.errors.Error, TimeoutError, OSError):
            return Answer(answered=False)
        told = pydantic_core.from_json(reply.data)
        return Answer(problem=told["problem"]) if "problem" in told else Answer(ok=told["ok"])

    async def ask(self, subject: str, actor: Actor, body: object, key: str | None = None, **headers: str) -> Answer:
        """Sends one request for an actor; `key` None: a query."""
        made = {"Authorization": "Bearer " + self.token(actor), **headers}
        if key is not None:
            made["Idempotency-Key"] = key
        return await self.send(subject, pydantic_core.to_json(body), made)

    async def command(self, school: str, path: str, actor: Actor, /, key: str | None = None, **body: Json) -> Answer:
        """Gives a command, `path` being `service.name`."""
        return await self.ask(f"cmd.{school}.{path}", actor, body, key or uuid4().hex)

    async def query(self, school: str, path: str, actor: Actor, /, **body: Json) -> Answer:
        """Asks a query, `path` being `service.name`."""
        return await self.ask(f"qry.{school}.{path}", actor, body)

    async def must(self, school: str, path: str, actor: Actor, /, key: str | None = None, **body: Json) -> Json:
        """Gives a command until it is answered ok, with one key: for what a test stands on."""
        key = key or uuid4().hex
        loop = asyncio.get_running_loop()
        end = loop.time() + 40
        while True:
            answer = await self.command(school, path, actor, key=key, **body)
            if answer.done:
                return answer.ok
            assert answer.kind in {"silence", "unavailable"}, answer
            assert loop.time() < end, f"{path} was never done: {answer}"
            await asyncio.sleep(0.2)

    async def operate(self, service: str, what: str, /, timeout_s: float = 40.0, **body: Json) -> Answer:
        """Asks an operator's request of a service."""
        headers = {"Authorization": "Bearer " + self.token(self.operator("-"))}
        return await self.send(f"ops.{service}.{what}", pydantic_core.to_json(body), headers, timeout_s)
