"""`samen retention`: how long files are kept, whose term has ended, and having those erased."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.samen.asking import as_json, ask_network, do, order
from deploy.samen.child import all_erasures
from deploy.samen.client import Client
from deploy.samen.options import As, AsJson, School
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from deploy.topology import NAMES
from shared.errors import Problem
from shared.events.erasure import ErasureReason, RetentionClass
from shared.events.words import Purpose

app = typer.Typer(no_args_is_help=True, help="How long files are kept; erase those whose term has ended.")

Why = Annotated[Purpose, typer.Option("--purpose", help="administration, or oversight for an auditor.")]
ADMIN = {"purpose": "administration"}
PLACES = {
    "file": "here: goes when the child is erased",
    "administration": "in the administration, nothing of it here",
    "log": "here, never deleted: about pseudonyms that nobody can resolve once erased",
}


@app.command()
def show(
    school: School, person: As, purpose: Why = Purpose.ADMINISTRATION, as_json_: AsJson = False, directory: Dir = None
) -> None:
    """Show what is kept how long, and what the law and the foundation allow."""
    found = ask_network(directory, school, person, "retention", {"purpose": purpose.value})
    if as_json_:
        as_json(found)
        return
    table = Table(title="What is kept how long")
    for column in ("class", "months", "since", "allowed", "versions", "where"):
        table.add_column(column, overflow="fold")
    for one in found["classes"]:
        versions = ", ".join(f"{each['months']} from {each['starts_at'][:10]}" for each in one["versions"])
        allowed = f"{one['least']} to {one['most']}" if one["most"] else f"{one['least']} or more"
        row = (one["kind"], str(one["months"]), one["since"], allowed, versions or "the default")
        table.add_row(*row, PLACES[one["place"]])
    print_table(table)


@app.command(name="set")
def set_(
    months: Annotated[int, typer.Argument(help="How many months after leaving.")],
    school: School,
    person: As,
    kind: Annotated[RetentionClass, typer.Option("--class", help="Of what.")] = RetentionClass.PUPIL_FILE,
    starts_on: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day; now if left out.")
    ] = None,
    directory: Dir = None,
) -> None:
    """Set a term, as a new version."""
    body = {"kind": kind.value, "months": months, "starts_on": f"{starts_on:%Y-%m-%d}" if starts_on else None}
    reply = order(directory, school, person, "set-retention", body)
    Console().print(f"{kind.value}: {reply['months']} months, version {reply['number']}")


@app.command()
def due(
    school: School,
    person: As,
    within: Annotated[int, typer.Option("--within", help="Also those that are due within so many days.")] = 0,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """List the children whose file's term has ended, and what stands in the way."""

    async def ask(client: Client) -> list[dict[str, Any]]:
        return await _all_due(client, school, person, within)

    found = do(directory, ask)
    if as_json_:
        as_json({"due": found})
        return
    table = Table(title="Files whose term has ended" if not within else f"Files due within {within} days")
    for column in ("child", "class", "left", "due", "in the way"):
        table.add_column(column, overflow="fold")
    for one in found:
        way = f"hold {one['hold']}" if one["hold"] else ""
        way = way or (f"{one['erasure']['state']}: {one['erasure']['id']}" if one["erasure"] else "")
        table.add_row(one["child"], one["kind"], one["left_at"][:10], one["due_at"][:10], way)
    print_table(table if found else "No file is due.")


@app.command()
def run(
    school: School,
    person: As,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and change nothing.")] = False,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Ask that every file whose term has ended be erased. Another person confirms them: `samen retention confirm`."""

    async def go(client: Client) -> dict[str, Any]:
        who = client.actor(person, school)
        found = await _all_due(client, school, person, 0)
        free = [one["child"] for one in found if not one["hold"] and not one["erasure"]]
        rows: dict[str, Counter[str]] = {service: Counter() for service in NAMES}
        for child in free if dry_run else ():
            for service in NAMES:
                told = await client.query(school, service, "erasure-preview", {"child": child, **ADMIN}, who)
                rows[service].update(told["rows"])
        for child in () if dry_run else free:
            body = {"child": child, "reason": ErasureReason.RETENTION_ENDED.value}
            await client.command(school, "network", "erase-child", body, who)
        held = [one["child"] for one in found if one["hold"]]
        waits = [one["child"] for one in found if one["erasure"]]
        return {"class": "pupil_file", "due": free, "on_hold": held, "asked_before": waits, "rows": rows}

    done = do(directory, go)
    if as_json_:
        as_json(done)
        return
    console = Console(soft_wrap=True)
    console.print(f"pupil_file: {len(done['due'])} due, {len(done['on_hold'])} on hold, ", end="")
    console.print(f"{len(done['asked_before'])} asked before")
    if dry_run:
        for service, counts in done["rows"].items():
            console.print(
                f"{service}: " + (", ".join(f"{name} {n}" for name, n in sorted(counts.items())) or "nothing")
            )
        console.print("Nothing was changed.")
    elif done["due"]:
        console.print(
            f"Asked. Someone else checks and confirms: samen retention confirm --school {school} --as <their id>"
        )


@app.command()
def confirm(school: School, person: As, purpose: Why = Purpose.ADMINISTRATION, directory: Dir = None) -> None:
    """Confirm every erasure that somebody else asked because a term ended. It can't be undone."""

    async def go(client: Client) -> tuple[int, list[str]]:
        who = client.actor(person, school)
        done, refused = 0, []
        for one in await all_erasures(client, school, person, purpose, "asked"):
            if one["reason"] != ErasureReason.RETENTION_ENDED.value:
                continue
            body = {"child": one["child"], "erasure": one["id"], "version": one["version"], "answer": "confirmed"}
            try:
                await client.command(school, "network", "decide-erasure", {**body, "purpose": purpose.value}, who)
                done += 1
            except Problem as problem:
                refused.append(f"{one['child']}: {problem.detail}")
        return done, refused

    done, refused = do(directory, go)
    console = Console(soft_wrap=True)
    console.print(f"{done} confirmed: they are being erased, see `samen child erasures`.")
    for line in refused:
        console.print(f"[red]{escape(line)}[/]")
    if refused:
        raise typer.Exit(1)


async def _all_due(client: Client, school: str, person: UUID, within: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        body = {**ADMIN, "within_days": within, "after": after}
        told = await client.query(school, "network", "retention-due", body, client.actor(person, school))
        found += told["due"]
        after = told["next"]
        if after is None:
            return found
