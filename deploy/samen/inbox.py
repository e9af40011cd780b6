"""`samen inbox`: what a member is told, and putting it away."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.home import Home
from deploy.samen.client import Client
from deploy.samen.options import School
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.errors import Problem, ProblemType

SERVICE = "notifications"
PAGE = 100
HERE = ZoneInfo("Europe/Amsterdam")

app = typer.Typer(no_args_is_help=True, help="A member's inbox: list it, follow it, mark as read, put away.")

As = Annotated[UUID, typer.Option("--as", help="The member you act for; the log names you too.")]
NoticeId = Annotated[UUID, typer.Argument(help="The notice's id, as `list` shows it.")]


class State(StrEnum):
    """Where a notice stands."""

    UNREAD = "unread"
    READ = "read"
    DONE = "done"


async def _page(client: Client, school: str, member: UUID, **more: object) -> dict[str, Any]:
    body = {"purpose": "guidance", **more}
    answer: dict[str, Any] = await client.query(school, SERVICE, "inbox", body, client.actor(member, school))
    return answer


async def _version(client: Client, school: str, member: UUID, notice: UUID) -> int:
    """Returns the notice's version as the inbox shows it now."""
    page = await _page(client, school, member, limit=PAGE)
    while True:
        for one in page["notices"]:
            if one["notice"] == str(notice):
                return int(one["version"])
        if page["next"] is None:
            raise Problem(ProblemType.FORBIDDEN, "this notice is not in the inbox: see `samen inbox list`")
        page = await _page(client, school, member, limit=PAGE, before=page["next"])


async def _move(directory: Dir, school: str, member: UUID, notice: UUID, command: str) -> str:
    async with Client(Home(directory)) as client:
        version = await _version(client, school, member, notice)
        body = {"notice": notice, "version": version}
        answer = await client.command(school, SERVICE, command, body, client.actor(member, school))
    return str(answer["state"])


def _table(page: dict[str, Any]) -> Table:
    table = Table(title="Inbox", caption="" if page["notices"] else "nothing to show")
    for column in ("when", "state", "what"):
        table.add_column(column)
    table.add_column("notice, about child", no_wrap=True)  # ids are there to be copied
    for one in page["notices"]:
        when = datetime.fromisoformat(one["occurred_at"]).astimezone(HERE)
        style = "bold red" if one["urgent"] else "bold"
        more = f" (+{one['folds']})" if one.get("folds") else ""
        what = Text(one["dutch"] + more, style=style if one["state"] == State.UNREAD else "")
        what.append(f"\n{one['english']}", style="dim")
        ids = Text(one["notice"]).append(f"\n{one['about']}", style="dim")
        table.add_row(f"{when:%d %b %Y %H:%M}", one["state"], what, ids)
    return table


@app.command("list")
def list_(
    school: School,
    member: As,
    state: Annotated[list[State] | None, typer.Option("--state", help="Only these; repeat it.")] = None,
    last: Annotated[int, typer.Option(min=1, max=PAGE, help="How many at most.")] = 20,
    before: Annotated[UUID | None, typer.Option(help="Older than this notice: the `next` of the page before.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    directory: Dir = None,
) -> None:
    """List a member's notices, newest first."""

    async def ask() -> dict[str, Any]:
        async with Client(Home(directory)) as client:
            return await _page(client, school, member, states=state or list(State), limit=last, before=before)

    page = asyncio.run(ask())
    if as_json:
        sys.stdout.write(json.dumps(page, indent=1) + "\n")
        return
    console = Console()
    print_table(_table(page), console)
    if page["next"]:
        console.print(f"more: add --before {page['next']}", style="dim")


@app.command()
def watch(
    school: School,
    member: As,
    times: Annotated[int, typer.Option(min=0, help="Stop after so many changes; 0: on Ctrl-C.")] = 0,
    directory: Dir = None,
) -> None:
    """Show a member's unread notices, and again whenever the inbox changes."""

    async def follow() -> None:
        changed = asyncio.Event()

        async def heard(_message: object) -> None:
            changed.set()

        async with Client(Home(directory)) as client:
            await client.nats.subscribe(f"note.{school}.{member}", cb=heard)
            shown = 0
            while True:
                changed.clear()
                print_table(_table(await _page(client, school, member, states=[State.UNREAD])), Console())
                if times and shown == times:
                    return
                await changed.wait()
                shown += 1

    asyncio.run(follow())


@app.command()
def read(notice: NoticeId, school: School, member: As, directory: Dir = None) -> None:
    """Mark a notice as read."""
    Console().print(f"now {asyncio.run(_move(directory, school, member, notice, 'read-notice'))}")


@app.command()
def done(notice: NoticeId, school: School, member: As, directory: Dir = None) -> None:
    """Put a notice away."""
    Console().print(f"now {asyncio.run(_move(directory, school, member, notice, 'done-notice'))}")
