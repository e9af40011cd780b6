"""`samen notifications`, of addresses and outlets: what it asks, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from deploy.samen import addresses
from deploy.samen.__main__ import app
from shared.events.words import school_subject

MEMBER, ADDRESS = UUID(int=7), UUID(int=8)
SHOWN = {
    "addresses": [
        {
            "address": str(ADDRESS), "version": 3, "channel": "mail", "outlet": None, "target": "eigen@thuis.example",
            "state": "unverified", "code": None, "added_at": "2026-11-29T10:00:00Z",
        }
    ],
    "stopped": {"mail": "unsubscribed"}, "record_stopped": True, "outlets": ["sms"], "push_key": None,
}  # fmt: skip


class Client:
    """Answers as notifications would, and keeps what it was asked."""

    def __init__(self, reply: dict[str, Any]) -> None:
        self.reply = reply
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def actor(self, member: UUID, school: str) -> tuple[UUID, str]:
        return member, school

    async def query(self, _school: str, service: str, name: str, body: dict[str, Any], _actor: object) -> Any:  # noqa: ANN401
        assert service == "notifications"
        outlets = {"outlets": [{"id": "x", "name": "sms", "version": 2, "scheme": "threema"}], "schemes": ["threema"]}
        del body
        return SHOWN if name == "addresses" else outlets

    async def command(self, _school: str, service: str, name: str, body: dict[str, Any], _actor: object) -> Any:  # noqa: ANN401
        assert service == "notifications"
        self.asked.append((name, body))
        return self.reply


def run(
    monkeypatch: pytest.MonkeyPatch, *words: str, reply: dict[str, Any], typed: str = ""
) -> tuple[Client, str, int]:
    client = Client(reply)
    do: Callable[..., Any] = lambda _directory, work, **_: asyncio.run(work(client))  # noqa: E731
    monkeypatch.setattr(addresses, "do", do)
    wanted = ["notifications", *words, "--school", "berk", "--as", str(MEMBER)]
    done = CliRunner().invoke(app, wanted, input=typed, catch_exceptions=False)
    return client, done.output, done.exit_code


def test_addresses_are_listed_with_what_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    _, output, code = run(monkeypatch, "addresses", reply={})
    assert code == 0
    for word in ("eigen@thuis.example", "unverified", str(ADDRESS), "unsubscribed", "came back", "sms"):
        assert word in output


def test_a_wrong_code_says_how_many_tries_are_left_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = {"address": str(ADDRESS), "version": 4, "state": "unverified", "tries_left": 4}
    client, output, code = run(monkeypatch, "verify-address", str(ADDRESS), "12345678", reply=reply)
    assert (code, "4 tries" in output) == (1, True)
    assert client.asked == [("verify-address", {"address": ADDRESS, "code": "12345678"})]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("add-address", "a@b.example"), ("add-address", {"channel": "mail", "target": "a@b.example"})),
        (("remove-address", str(ADDRESS)), ("remove-address", {"address": ADDRESS, "version": 3})),
        (("ask-code", str(ADDRESS)), ("ask-code", {"address": ADDRESS, "version": 3})),
        (("leave",), ("leave-channel", {"channel": "mail"})),
        (
            ("leave", "--everything"),
            ("leave-channel", {"channel": "mail", "everything": True, "about": school_subject("berk")}),
        ),
        (("resume", "--channel", "push"), ("resume-channel", {"channel": "push"})),
        (("remove-outlet", "sms"), ("remove-outlet", {"about": school_subject("berk"), "name": "sms", "version": 2})),
    ],
)
def test_each_command_asks_what_it_says(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], asked: tuple[str, dict[str, Any]]
) -> None:
    client, _, code = run(monkeypatch, *words, reply={"address": str(ADDRESS), "state": "open"})
    assert (client.asked, code) == ([asked], 0)


def test_an_outlets_url_is_asked_for_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "threema://*A@secret/{target}"
    client, output, code = run(monkeypatch, "set-outlet", "sms", reply={"state": "set"}, typed=f"{url}\n")
    body = {"about": school_subject("berk"), "name": "sms", "version": 2, "url": url}
    assert (client.asked, code) == ([("set-outlet", body)], 0)
    assert "secret" not in output
