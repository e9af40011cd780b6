"""The service's connection to NATS, and what it may ask of other services."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import nats.errors
import pydantic_core
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.actor import Actor, SigningKey, mint, service_id
from shared.clock import Clock
from shared.errors import Problem, ProblemType, Transient
from shared.events.words import ActorKind

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 2.0
CALL_TIMEOUT_S = 4.0
LARGEST_ANSWER = 700_000


class Bus:
    """A connected client with this service's login, and this service's key."""

    def __init__(self, client: Client, service: str, key: SigningKey, clock: Clock) -> None:
        self.client = client
        self.service = service
        self.key = key
        self._clock = clock

    async def ask(self, subject: str, question: object, timeout_s: float = ASK_TIMEOUT_S) -> Any:  # noqa: ANN401  JSON
        """Asks another service's system subject (heads, cursors, replay, access) and returns its JSON answer.

        Raises Transient when nobody answers in time: ask again later.
        """
        try:
            reply = await self.client.request(subject, pydantic_core.to_json(question), timeout=timeout_s)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            msg = f"no answer on {subject}: {type(error).__name__}"
            raise Transient(msg) from None
        return pydantic_core.from_json(reply.data)

    async def call(self, school: str, service: str, query: str, body: object) -> Any:  # noqa: ANN401  JSON
        """Asks a query of another service as this service, with its own short token; returns the result.

        Raises Problem as the other service answered, Transient when it did not.
        """
        actor = Actor(service_id(self.service), ActorKind.SERVICE, school, self.service)
        headers = {"Authorization": "Bearer " + mint(self.key, actor, self._clock.now())}
        subject = f"qry.{school}.{service}.{query}"
        try:
            reply = await self.client.request(
                subject, pydantic_core.to_json(body), timeout=CALL_TIMEOUT_S, headers=headers
            )
        except (nats.errors.Error, TimeoutError, OSError) as error:
            msg = f"no answer on {subject}: {type(error).__name__}"
            raise Transient(msg) from None
        return answer_of(reply.data)


async def answer(message: Msg, content: object) -> None:
    """Answers a request with JSON, or with bytes as they are, but to inboxes only: whoever asks chooses the reply
    subject, NATS does not check it, and the answer goes out with this service's rights.
    """
    if message.reply.startswith("_INBOX."):
        message.headers = None  # `respond` would send the request's back, its token among them
        await message.respond(content if isinstance(content, bytes) else pydantic_core.to_json(content))


def fitting(events: Iterable[bytes]) -> list[str]:
    """Returns the texts of the first events that fit in one answer; at least one."""
    texts: list[str] = []
    room = LARGEST_ANSWER
    for event in events:
        room -= len(event)
        if room < 0 and texts:
            break
        texts.append(event.decode())
    return texts


def answer_of(data: bytes) -> Any:  # noqa: ANN401  JSON
    """Returns the result in an RPC reply, or raises the Problem in it."""
    reply = pydantic_core.from_json(data)
    if "problem" in reply:
        problem = dict(reply["problem"])
        kind = ProblemType(problem.pop("type"))
        problem.pop("title", None)
        raise Problem(kind, problem.pop("detail"), **problem)
    return reply["ok"]
