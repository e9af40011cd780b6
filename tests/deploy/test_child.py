"""What `samen child` and `samen retention` do with more erasures than fit an answer, and with one that is not told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner

from deploy.samen import child, retention

IDS = [str(UUID(int=number)) for number in range(450, 0, -1)]
ASKED = [
    {
        "id": one,
        "child": one,
        "version": 1,
        "state": "asked",
        "reason": "retention_ended" if int(UUID(one)) % 3 else "duplicate",
    }
    for one in IDS
]


class Pages:
    """Network's answers, a page of two hundred each; what it was told to confirm."""

    def __init__(self) -> None:
        self.confirmed: list[str] = []

    def actor(self, person: UUID, school: str) -> None:
        """Nobody in particular."""

    async def query(self, *asked: Any) -> dict[str, Any]:  # noqa: ANN401  as the client takes them
        body = asked[3]
        if body.get("erasure"):
            return {"erasures": [], "next": None}
        found = [one for one in ASKED if body["before"] is None or str(one["id"]) < body["before"]][:200]
        return {"erasures": found, "next": found[-1]["id"] if len(found) == 200 else None}

    async def command(self, *ordered: Any) -> None:  # noqa: ANN401  as the client takes them
        self.confirmed.append(ordered[3]["erasure"])


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Pages:
    pages = Pages()

    def do(_: object, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> object:
        return asyncio.run(work(pages))

    for module in (child, retention):
        monkeypatch.setattr(module, "do", do)
    monkeypatch.setattr(child, "order", lambda *_: {})
    return pages


def run(app: typer.Typer, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--school", "brug", "--as", IDS[0]], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_every_erasure_whose_term_ended_is_confirmed_however_many(network: Pages) -> None:
    assert "300 confirmed" in run(retention.app, "confirm")
    assert network.confirmed == [one["id"] for one in ASKED if one["reason"] == "retention_ended"]


@pytest.mark.usefixtures("network")
def test_every_erasure_is_listed() -> None:
    told = run(child.app, "erasures", "--json")
    assert all(one in told for one in IDS)


@pytest.mark.usefixtures("network")
def test_an_erasure_that_is_not_told_yet_is_said_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "WAITS_S", -1.0)
    assert "It goes on by itself" in run(child.app, "confirm", IDS[0], IDS[1])
