"""What commands for people share: ask, say what went wrong in a line, say when a withdrawal holds everywhere."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.home import Home
from deploy.samen.client import Client
from deploy.samen.options import Json
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.errors import Problem

HOW = {
    "confirmed": "In force everywhere since {at}: every service has confirmed it.",
    "clock": "In force everywhere since {at}: a service did not confirm it, and its older permits have run out.",
    None: "It is recorded; that it holds everywhere is not confirmed yet. It will be within seconds (`samen status`).",
}
"""What a person is told of a withdrawal."""
NOT_CONFIRMED = " Not confirmed by: {who}."
NOT_REACHED = " Tools that could not be told yet, and may still fetch what lies ready for them: {tools}."


def effect_words(effect: Mapping[str, Any]) -> str:
    """Return what a person is told of how a withdrawal holds, and of which service and tool did not confirm it."""
    words = HOW[effect["how"]].format(at=effect["at"])
    if effect.get("unconfirmed"):
        words += NOT_CONFIRMED.format(who=", ".join(effect["unconfirmed"]))
    if effect.get("tools"):
        words += NOT_REACHED.format(tools=", ".join(map(str, effect["tools"])))
    return words


def do(directory: Dir, work: Callable[[Client], Awaitable[Any]], *, tell: bool = True) -> Any:  # noqa: ANN401  JSON
    """Return what `work` returns; a problem is told in a line and ends the command with 1, or raised: `tell` False."""

    async def run() -> Any:  # noqa: ANN401  JSON
        async with Client(Home(directory)) as client:
            return await work(client)

    try:
        return asyncio.run(run())
    except Problem as problem:
        if not tell:
            raise
        raise refused(problem) from None


def refused(problem: Problem) -> typer.Exit:
    """Tell a problem in a line, and what else it says in more; return what ends the command."""
    Console(stderr=True).print(f"[red]{escape(problem.detail)}[/]")
    for line in more_lines(problem):
        Console(stderr=True, soft_wrap=True).print(f"[dim]{escape(line)}[/]")
    return typer.Exit(1)


def more_lines(problem: Problem) -> list[str]:
    """Return what a problem tells beside its sentence: what else is wrong in the request, codes, versions."""
    lines = [f"also {one['at']}: {one['what']}" for one in problem.more.get("errors", [])[1:]]
    for name, value in problem.more.items():
        if name != "errors":
            lines.append(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return lines


def ask_network(
    directory: Dir, school: str, person: UUID, query: str, body: dict[str, Any], *, tell: bool = True
) -> Any:  # noqa: ANN401  JSON
    """Return network's answer to a person's query."""

    def ask(client: Client) -> Awaitable[Any]:
        return client.query(school, "network", query, body, client.actor(person, school))

    return do(directory, ask, tell=tell)


def order(directory: Dir, school: str, person: UUID, command: str, body: dict[str, Any]) -> dict[str, Any]:
    """Give network a person's command, print when a withdrawal holds everywhere, return the reply."""

    async def give(client: Client) -> tuple[dict[str, Any], Any]:
        reply = await client.command(school, "network", command, body, client.actor(person, school))
        return reply, await client.effective(school, reply["withdrawal"]) if "withdrawal" in reply else None

    reply, effect = do(directory, give)
    if effect is not None:
        Console(soft_wrap=True).print(effect_words(effect))
    return dict(reply)


def ask_goals(directory: Dir, school: str, person: UUID, query: str, body: Json) -> Json:
    """Return goals' answer to a person's query."""

    def ask(client: Client) -> Any:  # noqa: ANN401  an awaitable of JSON
        return client.query(school, "goals", query, body, client.actor(person, school))

    return dict(do(directory, ask))


def give_goals(directory: Dir, school: str, person: UUID, name: str, body: Json, key: str | None) -> None:
    """Give goals a person's command, without what was left out, and print the reply."""
    given = {field: value for field, value in body.items() if value is not None}

    def order(client: Client) -> Any:  # noqa: ANN401  an awaitable of JSON
        return client.command(school, "goals", name, given, client.actor(person, school), key=key)

    for what, value in do(directory, order).items():
        Console(soft_wrap=True).print(f"{what}: {', '.join(value) if isinstance(value, list) else value}", markup=False)


def show_found(found: Json, json_: bool, *shown: Table | Iterable[str]) -> None:
    """Print an answer: as JSON, or as what is shown of it."""
    if json_:
        as_json(found)
        return
    console = Console(soft_wrap=True, highlight=False)
    for one in shown:
        if isinstance(one, Table):
            print_table(one)
        elif lines := list(one):
            console.print("\n".join(lines))


def as_json(found: object) -> None:
    """Print JSON."""
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
