"""`samen tool`: a school's own tools. Plug one in, see how far it is, pause it, remove it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.gate_account import PAUSED
from deploy.samen import tool_plug
from deploy.samen.asking import as_json, do, refused
from deploy.samen.client import Client
from deploy.samen.options import As, AsJson, School, Why
from deploy.samen.tables import print_table
from deploy.samen.tool_plug import Plug, Plugged, login_settled, plug_in, slot_settled
from deploy.samen.tool_words import first_day_without, login_words
from deploy.samen.up import Dir
from shared.errors import Problem
from shared.events.words import Category, Purpose, school_subject

app = typer.Typer(no_args_is_help=True, help="A school's own tools: plug one in, see what it gets, pause or remove it.")

ToolId = Annotated[UUID, typer.Argument(help="The tool's id (`samen tool list`).")]
SeenVersion = Annotated[int | None, typer.Option("--version", min=1, help="The version that you saw; else the newest.")]
Reason = Annotated[str, typer.Option("--reason", help="A code.")]
CredsFile = Annotated[Path | None, typer.Option("--creds", help="The file for its credentials; a new one.")]


class Channel(StrEnum):
    NATS = "nats"
    WEBHOOK = "webhook"


SETTLED = {
    "active": "It is let in again.",
    "paused": "Nothing of it comes through any more; it stays connected.",
    "removed": "Its connections are cut.",
}
"""What is said once NATS has it so."""
CUT = "What it had before is cut, and lets nobody in any more."
HELD = "It is paused: when it is resumed, what it had before is cut, and lets nobody in any more."
NONE = "No tools: `samen tool add` plugs one in."
UNSETTLED = "It is recorded; that NATS has it so is not confirmed yet. See `samen tool show` and `samen status`."


def _say(text: str) -> None:
    Console(soft_wrap=True, highlight=False).print(text)


def _fail(text: str) -> typer.Exit:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]{escape(text)}[/]")
    return typer.Exit(1)


def _query(directory: Dir, school: str, person: UUID, query: str, body: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    asked = {"about": str(school_subject(school))} | body
    return do(directory, lambda client: client.query(school, "gate", query, asked, client.actor(person, school)))


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What people call the tool.")],
    school: School,
    person: As,
    agreement: Annotated[str, typer.Option("--agreement", help="The processing agreement's reference.")],
    category: Annotated[
        list[Category], typer.Option("--category", help="What it may get: goals, plan ...; repeat it.")
    ],
    child: Annotated[
        UUID | None, typer.Option("--child", help="A child in whose network it comes; it is made known to network.")
    ] = None,
    member: Annotated[
        UUID | None, typer.Option("--member", help="Its id, if network knows it (`samen network add-tool`).")
    ] = None,
    for_: Annotated[str, typer.Option("--for", help="What it may use it for.")] = "local_tool",
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="A type of event that it wants; repeat it. Else all.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="First day without it, as 2027-08-01.")] = None,
    channel: Annotated[Channel, typer.Option("--channel", help="How it is told.")] = Channel.NATS,
    creds: CredsFile = None,
    directory: Dir = None,
) -> None:
    """Plug a tool in: register it, write its credentials, and say in ten lines what it needs."""
    if (child is None) == (member is None):
        raise _fail(
            "Name a --child in whose network the tool comes, or the --member that it is already: one of the two."
        )
    path = None if channel is Channel.WEBHOOK else creds or Path(f"{tool_plug.file_name(name)}.creds")
    if path is not None and path.exists():
        raise _fail(f"{path} is there already and is not written over: name another file with --creds.")
    body = {
        "label": name,
        "for_purpose": for_,
        "categories": category,
        "types": type_ or [],
        "agreement": agreement,
        "channel": channel.value,
        "ends_on": until,
    }
    plug = Plug(school, person, child, member, body, path)
    made: list[str] = []
    try:
        plugged: Plugged = do(directory, lambda client: plug_in(client, plug, made), tell=False)
    except Problem as problem:
        for line in made:
            Console(stderr=True, soft_wrap=True).print(line)
        raise refused(problem) from None
    for line in tool_plug.needs(plugged, plug):
        _say(line)


@app.command()
def login(
    tool: ToolId,
    school: School,
    person: As,
    creds: Annotated[Path, typer.Option("--creds", help="The file for its credentials; a new one.")],
    directory: Dir = None,
) -> None:
    """Give a tool new credentials. Whoever is connected by those it had is cut, and they let nobody in again."""

    async def give(client: Client) -> tuple[dict[str, Any], str | None]:
        with tool_plug.kept_when_done(creds) as file:
            made = await tool_plug.give_login(client, school, person, tool, file)
        return made, await login_settled(client, made["account"], made["key"])

    made, state = do(directory, give)
    _say(f"{escape(str(creds))} is written, for you to read only; it expires at {made['expires_at']}.")
    _say("Bring it to the tool; it renews it itself, by a request on in.gate.renew.")
    _say(UNSETTLED if state is None else HELD if state == PAUSED else CUT)


@app.command("list")
def list_(
    school: School,
    person: As,
    purpose: Why = Purpose.ADMINISTRATION,
    everyone: Annotated[bool, typer.Option("--all", help="Those that were removed too.")] = False,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """List the school's tools."""
    found = _query(directory, school, person, "tools", {"removed": everyone, "purpose": purpose})
    if json_:
        as_json(found)
        return
    table = Table(title="Tools")
    for column in ("tool", "id", "state", "for", "categories", "until"):
        table.add_column(column, overflow="fold")
    for one in found["tools"]:
        ends = first_day_without(one) or ""
        what = ", ".join(one["categories"])
        table.add_row(escape(one["label"]), one["id"], one["state"], one["purpose"], what, ends)
    print_table(table if found["tools"] else NONE)


@app.command()
def show(
    tool: ToolId,
    school: School,
    person: As,
    purpose: Why = Purpose.ADMINISTRATION,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show one tool: what it is registered for, its login, and how far it has come."""
    found = _query(directory, school, person, "tool", {"tool": str(tool), "purpose": purpose})
    if json_:
        as_json(found)
        return
    rows = {
        "tool": escape(found["label"]),
        "id": found["id"],
        "state": f"{found['state']} (version {found['version']})",
        "for": found["purpose"],
        "categories": ", ".join(found["categories"]),
        "types": ", ".join(found["types"]) or "all that it may get",
        "agreement": escape(found["agreement"]),
        "told through": found["channel"],
        "account": found["account"] or "none",
        "login": login_words(found),
        "registered": found["registered_at"][:10],
        "until": first_day_without(found) or "it is removed",
        "numbers given": f"{found['seq']} (epoch {found['epoch']})",
        "acknowledged": str(found["acked"]),
    }
    table = Table(show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    print_table(table)


@app.command()
def lag(school: School, person: As, json_: AsJson = False, directory: Dir = None) -> None:
    """Show how far each tool is behind: what waits for it, what it has not acknowledged, and not confirmed deleted."""
    found = _query(directory, school, person, "tool-lag", {"purpose": "administration"})
    if json_:
        as_json(found)
        return
    table = Table(title="How far behind")
    for column in ("tool", "id", "state", "queued", "last number", "unacknowledged", "since", "deletions open"):
        table.add_column(column, overflow="fold")
    for one in found["tools"]:
        behind, since = one["sequence"] - one["acked"], (one["oldest_unacked_at"] or "")[:16].replace("T", " ")
        numbers = (str(one["queued"]), str(one["sequence"]), str(behind), since, str(one["deletions_open"]))
        table.add_row(escape(one["label"]), one["tool"], one["state"], *numbers)
    print_table(table if found["tools"] else NONE)


def _change(
    directory: Dir, school: str, person: UUID, command: str, tool: UUID, version: int | None, reason: str
) -> None:
    """Gives a command about a tool, and waits until NATS has it so."""

    async def give(client: Client) -> tuple[dict[str, Any], int | None]:
        actor, about = client.actor(person, school), str(school_subject(school))
        named = {"about": about, "tool": str(tool)}
        seen = version
        if seen is None:
            asked = named | {"purpose": "administration"}
            seen = (await client.query(school, "gate", "tool", asked, actor))["version"]
        reply = await client.command(school, "gate", command, named | {"version": seen, "reason": reason}, actor)
        if reply["account"] is None:
            return reply, 0
        return reply, await slot_settled(client, reply["account"], reply["state"])

    reply, connections = do(directory, give)
    _say(f"[bold]{reply['state']}[/] (version {reply['version']})")
    _say(UNSETTLED if connections is None else SETTLED[reply["state"]])
    if reply["state"] == "removed":
        _say("It has its consents and memberships still: end those per child (`samen network end-membership`).")


@app.command()
def pause(
    tool: ToolId,
    school: School,
    person: As,
    version: SeenVersion = None,
    reason: Reason = "asked",
    directory: Dir = None,
) -> None:
    """Put nothing out to a tool and let it ask nothing, until it is resumed."""
    _change(directory, school, person, "pause-tool", tool, version, reason)


@app.command()
def resume(tool: ToolId, school: School, person: As, version: SeenVersion = None, directory: Dir = None) -> None:
    """Let a paused tool go on; what it was owed meanwhile comes first."""
    _change(directory, school, person, "resume-tool", tool, version, "asked")


@app.command()
def remove(
    tool: ToolId,
    school: School,
    person: As,
    version: SeenVersion = None,
    reason: Reason = "asked",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask first.")] = False,
    directory: Dir = None,
) -> None:
    """End a tool's registration for good, and cut its connections."""
    if not yes:
        typer.confirm("This cuts the tool off for good, and what it has not fetched is gone. Go on?", abort=True)
    _change(directory, school, person, "remove-tool", tool, version, reason)


@app.command()
def replay(
    tool: ToolId,
    from_: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="The first number to let out again.")],
    school: School,
    person: As,
    directory: Dir = None,
) -> None:
    """Let out again what was put out to a tool from a number on; each is checked again, what it may not have is not."""
    body = {"about": str(school_subject(school)), "tool": str(tool), "from_sequence": from_}

    async def give(client: Client) -> Any:  # noqa: ANN401  JSON
        return await client.command(school, "gate", "replay-tool", body, client.actor(person, school))

    do(directory, give)
    _say(f"From number {from_} on it is let out again (`samen tool lag`).")
