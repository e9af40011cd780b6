"""`samen dead-letters`, `replay`, `recover` and `review`: what operators mend the platform with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from deploy.home import Home
from deploy.samen.client import Client
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.errors import Problem

letters = typer.Typer(no_args_is_help=True, help="Events that could not be applied: list, show, retry.")


class Service(StrEnum):
    """The services of the platform."""

    NETWORK = "network"
    GOALS = "goals"
    NOTIFICATIONS = "notifications"
    GATE = "gate"
    AUDIT = "audit"


Consumer = Annotated[Service, typer.Argument(help="The service that consumes.")]
Owner = Annotated[Service, typer.Argument(help="The service whose database was put back.")]
School = Annotated[str, typer.Argument(help="The school's slug.")]
Number = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The event's number, as the list has it.")]
Producer = Annotated[Service, typer.Argument(help="The service whose event it is.")]


def _with_client(directory: Dir, do: Callable[[Client], Awaitable[Any]]) -> Any:  # noqa: ANN401  JSON
    async def run() -> Any:  # noqa: ANN401  JSON
        async with Client(Home(directory)) as client:
            return await do(client)

    return asyncio.run(run())


@letters.command("list")
def list_(directory: Dir = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the events that are parked, wait behind a parked one, or block a lane."""

    async def gather(client: Client) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for service in Service:
            told = await client.operate(service, "dead-letters")
            found.extend({"consumer": service.value, **row} for row in told["found"])
            for school in told["refused"]:
                typer.echo(f"{service} does not show {school}: it is being checked, see `samen status`", err=True)
        return found

    rows = _with_client(directory, gather)
    if as_json:
        typer.echo(json.dumps(rows))
        return
    console = Console()
    if not rows:
        console.print("No dead letters: every event was applied.")
        return
    table = Table(title="Dead letters")
    columns = ("consumer", "producer", "school", "seq", "state", "code", "tries", "about", "since")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    print_table(table, console)
    console.print("Mend the cause, then: samen dead-letters retry <consumer> <school> <producer> --about <about>")


@letters.command()
def show(consumer: Consumer, school: School, producer: Producer, seq: Number, directory: Dir = None) -> None:
    """Show the event itself."""
    body = {"school": school, "producer": producer, "seq": seq}
    found = _with_client(directory, lambda client: client.operate(consumer, "dead-letter", body))
    typer.echo(json.dumps(json.loads(found["event"]), indent=2))


@letters.command()
def retry(
    consumer: Consumer,
    school: School,
    producer: Producer,
    about: Annotated[UUID | None, typer.Option(help="The child or member whose parked events to try again.")] = None,
    directory: Dir = None,
) -> None:
    """Apply set-aside events again, in order: a child's or member's, or (without --about) a blocked lane."""
    body = {"school": school, "producer": producer, "about": str(about) if about else None}
    found = _with_client(directory, lambda client: client.operate(consumer, "retry", body))
    if about:
        typer.echo(f"{found['applied']} applied.")
    else:
        typer.echo("The lane is tried again now: see `samen status`.")


def replay(consumer: Consumer, directory: Dir = None) -> None:
    """Build a service's copy of the grants anew from network's journal. It permits nothing until that is done."""
    found = _with_client(directory, lambda client: client.operate(consumer, "replay"))
    for school, subjects in found.items():
        typer.echo(f"{school}: {subjects} subjects")


def recover(
    service: Owner,
    school: Annotated[str | None, typer.Option(help="Only this school.")] = None,
    directory: Dir = None,
) -> None:
    """Take back what a restored database lost, from the audit log; children named in it stay closed until reviewed."""

    async def mend(client: Client) -> list[str]:
        forked = (await client.operate(service, "status"))["forked"]
        schools = [school] if school else sorted(forked)
        lines, mended = [], set[str]()
        for name in schools:
            try:
                done = await client.operate(service, "recover", {"school": name})
            except Problem as refusal:
                lines.append(f"{name}: {refusal.detail}")
            else:
                mended.add(name)
                lines.append(f"{name}: {done['taken_back']} events after {done['after']} taken back")
        lines += [
            f"closed until: samen review {service} {one['school']} {one['about']}"
            for one in await _under_review(client, service, mended)
        ]
        return lines or [f"The journal of {service} is whole: nothing to recover."]

    for line in _with_client(directory, mend):
        typer.echo(line)


async def _under_review(client: Client, service: str, mended: set[str]) -> list[dict[str, Any]]:
    """Return the closed children. A school that was just mended is checked once more before it shows any."""
    told = await client.operate(service, "under-review")
    for _ in range(20):
        if mended.isdisjoint(told["refused"]):
            break
        await asyncio.sleep(0.5)
        told = await client.operate(service, "under-review")
    found: list[dict[str, Any]] = told["found"]
    return found


def review(
    service: Owner,
    school: School,
    subject: Annotated[UUID, typer.Argument(help="The child.")],
    directory: Dir = None,
) -> None:
    """Open a child again that is closed since a recovery, after somebody has compared its records."""
    _with_client(
        directory, lambda client: client.operate(service, "review", {"school": school, "subject": str(subject)})
    )
    typer.echo("Open again.")
