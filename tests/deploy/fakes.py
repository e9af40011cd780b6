"""A client that takes what a command asks and gives what is laid ready, in the place of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import pydantic_core
import pytest

from deploy.samen import asking, goal_words
from services.goals.commands import ENDPOINTS
from shared.actor import Actor
from shared.events.words import ActorKind

Json = dict[str, Any]

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


class Wanted(NamedTuple):
    """A request: which school's, its name, its body in JSON, and who asked."""

    school: str
    name: str
    body: bytes
    actor: Actor


class FakeClient:
    """Keeps every request."""

    def __init__(self, answers: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        self.answers, self.reply = answers, reply
        self.asked: list[Wanted] = []

    def actor(self, person: UUID, school: str, kind: ActorKind = ActorKind.PERSON) -> Actor:
        return Actor(person, kind, school, "samen")

    async def query(self, school: str, _service: str, name: str, body: Json, actor: Actor) -> Any:  # noqa: ANN401  JSON
        self.asked.append(Wanted(school, name, pydantic_core.to_json(body), actor))
        return self.answers[name]

    async def command(  # as the client's own
        self, school: str, _service: str, name: str, body: Json, actor: Actor, *, key: str | None = None
    ) -> Json:
        self.asked.append(Wanted(school, name, pydantic_core.to_json(body), actor))
        return {**self.reply, "key": key or ""}

    def asked_as_goals_takes_it(self, name: str) -> bool:
        """Tells whether one thing was asked, by this name, with a body that the service accepts."""
        (wanted,) = self.asked
        return wanted.name == name and BY_NAME[name].body.model_validate_json(wanted.body) is not None


def fake_client(
    monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, Any], reply: Mapping[str, Any] | None = None
) -> FakeClient:
    """Returns a client that every command asks in this test."""
    made = FakeClient(answers, reply or {})

    def do(_at: object, work: Callable[[FakeClient], Awaitable[Any]], *, tell: bool = True) -> Any:  # noqa: ANN401  JSON
        del tell

        async def run() -> Any:  # noqa: ANN401  JSON
            return await work(made)

        return asyncio.run(run())

    for module in (asking, goal_words):
        monkeypatch.setattr(module, "do", do)
    return made
