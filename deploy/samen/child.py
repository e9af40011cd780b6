"""`samen child`: have everything about a child erased, which takes two persons; and keep a file from that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from deploy.samen.asking import as_json, do, order
from deploy.samen.client import Client
from deploy.samen.options import As, AsJson, ChildId, School, Version, WhyOffice
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from deploy.topology import NAMES
from shared.errors import Problem
from shared.events.erasure import ErasureReason, HoldReason
from shared.events.words import Purpose

app = typer.Typer(no_args_is_help=True, help="A child's whole file: copy it, erase it, or keep it from being erased.")

ErasureId = Annotated[UUID, typer.Argument(metavar="ERASURE", help="The erasure's id, as `erase` prints it.")]
HoldId = Annotated[UUID, typer.Argument(metavar="HOLD", help="The hold's id.")]

WAITS_S, LOOK_EVERY_S = 60.0, 2.0
STATES = {
    "asked": "someone else confirms or declines it",
    "declined": "declined, or taken back: nothing was erased",
    "erasing": "nobody has access any more; the rows go",
    "erased": "network has erased it; another service has not confirmed yet",
    "completed": "every service has confirmed that it holds nothing of it any more",
}


@app.command()
def erase(
    child: ChildId,
    school: School,
    person: As,
    reason: Annotated[ErasureReason, typer.Option("--reason", help="Why it is erased.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and change nothing.")] = False,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Ask that everything about a child be erased. Another person confirms it: it can't be undone."""
    found = _preview(directory, school, person, child, tell=dry_run)
    if as_json_ and dry_run:
        as_json(found)
        return
    if found and not as_json_:
        _show(found)
    if dry_run:
        Console().print("Nothing was changed. The audit log's lines stay, about a pseudonym nobody can resolve.")
        return
    reply = order(directory, school, person, "erase-child", {"child": str(child), "reason": reason.value})
    if as_json_:
        as_json({**reply, "rows": found})
        return
    Console(soft_wrap=True).print(
        f"Asked. Another administrator or the school's leader now checks it, and confirms or declines:\n"
        f"samen child confirm {child} {reply['erasure']} --school {school} --as <their id>"
    )


def _preview(directory: Dir, school: str, person: UUID, child: UUID, *, tell: bool) -> dict[str, dict[str, int]]:
    """Return the rows by service and table; not `tell`: nothing when it is refused, the command itself says why."""

    async def look(client: Client) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for service in NAMES:
            body = {"child": str(child), "purpose": "administration"}
            told = await client.query(school, service, "erasure-preview", body, client.actor(person, school))
            found[service] = told["rows"]
        return found

    try:
        return dict(do(directory, look, tell=tell))
    except Problem:
        return {}


def _show(found: dict[str, dict[str, int]]) -> None:
    table = Table(title="What would go")
    for column in ("service", "table", "rows"):
        table.add_column(column)
    for service, rows in found.items():
        for name, count in sorted(rows.items()):
            table.add_row(service, name, str(count))
    print_table(table)
    note = "With it go the names and addresses of people who are round no other child and not of the school."
    Console().print(note)


@app.command()
def confirm(
    child: ChildId,
    erasure: ErasureId,
    school: School,
    person: As,
    purpose: WhyOffice = Purpose.ADMINISTRATION,
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """Confirm an erasure that somebody else asked, and wait until every service has done it. It can't be undone."""
    body = _decision(child, erasure, version, "confirmed", purpose)
    order(directory, school, person, "decide-erasure", body)

    async def wait(client: Client) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        end = loop.time() + WAITS_S
        while True:
            asked = {"purpose": purpose.value, "erasure": str(erasure)}
            told = await client.query(school, "network", "erasures", asked, client.actor(person, school))
            one: dict[str, Any] = (told["erasures"] or [{"state": "erasing"}])[0]
            if one["state"] == "completed" or loop.time() > end:
                return one
            await asyncio.sleep(LOOK_EVERY_S)

    one = do(directory, wait)
    Console(soft_wrap=True).print(f"{one['state']}: {STATES[one['state']]}.")
    if one["state"] != "completed":
        Console(soft_wrap=True).print("It goes on by itself: see `samen child erasures`, and `samen status`.")


@app.command()
def decline(
    child: ChildId,
    erasure: ErasureId,
    school: School,
    person: As,
    purpose: WhyOffice = Purpose.ADMINISTRATION,
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """Decline an erasure that was asked, or take back what you asked yourself."""
    order(directory, school, person, "decide-erasure", _decision(child, erasure, version, "declined", purpose))
    Console().print("Declined: nothing was erased.")


def _decision(child: UUID, erasure: UUID, version: int, answer: str, purpose: Purpose) -> dict[str, Any]:
    named = {"child": str(child), "erasure": str(erasure), "version": version}
    return {**named, "answer": answer, "purpose": purpose.value}


@app.command()
def erasures(
    school: School,
    person: As,
    purpose: WhyOffice = Purpose.ADMINISTRATION,
    state: Annotated[str | None, typer.Option("--state", help=f"Only those: {', '.join(STATES)}.")] = None,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """List the school's erasures, and how each stands."""
    if state is not None and state not in STATES:
        raise typer.BadParameter(f"choose one of {', '.join(STATES)}", param_hint="--state")

    async def ask(client: Client) -> list[dict[str, Any]]:
        return await all_erasures(client, school, person, purpose, state)

    found = do(directory, ask)
    if as_json_:
        as_json({"erasures": found})
        return
    table = Table(title="Erasures")
    for column in ("erasure", "version", "child", "reason", "asked", "state"):
        table.add_column(column, overflow="fold")
    for one in found:
        stands = f"{one['state']}: {STATES[one['state']]}"
        table.add_row(one["id"], str(one["version"]), one["child"], one["reason"], one["asked_at"][:10], stands)
    print_table(table if found else "No erasures.")


async def all_erasures(
    client: Client, school: str, person: UUID, purpose: Purpose, state: str | None = None
) -> list[dict[str, Any]]:
    """Return every erasure of the school (in this state), newest first, however many pages that takes."""
    found: list[dict[str, Any]] = []
    before: str | None = None
    while True:
        body = {"purpose": purpose.value, "state": state, "before": before}
        told = await client.query(school, "network", "erasures", body, client.actor(person, school))
        found += told["erasures"]
        before = told["next"]
        if before is None:
            return found


@app.command()
def hold(
    child: ChildId,
    school: School,
    person: As,
    reason: Annotated[HoldReason, typer.Option("--reason", help="Why the file must stay.")],
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], help="The first day on which it may go; open if left out."),
    ] = None,
    directory: Dir = None,
) -> None:
    """Keep a child's file: nothing of it is erased until this is lifted or runs out."""
    body = {"child": str(child), "reason": reason.value, "until": f"{until:%Y-%m-%d}" if until else None}
    reply = order(directory, school, person, "place-hold", body)
    Console(soft_wrap=True).print(f"hold {reply['hold']} version {reply['version']}")


@app.command()
def lift(child: ChildId, held: HoldId, school: School, person: As, version: Version = 1, directory: Dir = None) -> None:
    """Lift a hold."""
    order(directory, school, person, "lift-hold", {"child": str(child), "hold": str(held), "version": version})
    Console().print("Lifted.")


@app.command()
def holds(child: ChildId, school: School, person: As, as_json_: AsJson = False, directory: Dir = None) -> None:
    """List the holds on a child's file."""

    def ask(client: Client) -> Awaitable[Any]:
        body = {"child": str(child), "purpose": "administration"}
        return client.query(school, "network", "holds", body, client.actor(person, school))

    found = do(directory, ask)
    if as_json_:
        as_json(found)
        return
    table = Table(title="Holds")
    for column in ("hold", "version", "reason", "since", "until", "holds"):
        table.add_column(column, overflow="fold")
    for one in found["holds"]:
        until = (one["until"] or "")[:10]
        row = (one["id"], str(one["version"]), one["reason"], one["starts_at"][:10], until)
        table.add_row(*row, "yes" if one["holds"] else "no")
    print_table(table if found["holds"] else "No holds.")
