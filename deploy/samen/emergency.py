"""`samen network emergency`: access to one child in an emergency, ended early, and judged by someone else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.samen.asking import as_json, ask_network, order
from deploy.samen.options import As, AsJson, ChildId, School, Version
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.emergencies import ReviewOutcome
from shared.events.words import Purpose

app = typer.Typer(no_args_is_help=True, help="Emergency access to one child: take it, end it, judge it.")

HERE = ZoneInfo("Europe/Amsterdam")
EmergencyId = Annotated[UUID, typer.Argument(metavar="EMERGENCY", help="The emergency's id.")]
Why = Annotated[
    Purpose, typer.Option("--purpose", help="Why: oversight (reviewers, auditors), or guidance (your own).")
]


def _moment(at: str | None) -> str:
    return f"{datetime.fromisoformat(at).astimezone(HERE):%Y-%m-%d %H:%M}" if at else ""


@app.command()
def take(
    child: ChildId,
    school: School,
    person: As,
    reason: Annotated[str, typer.Option("--reason", help="Why; the reviewer reads it, nobody else.")],
    minutes: Annotated[int | None, typer.Option("--minutes", min=1, max=60, help="For how long at most.")] = None,
    directory: Dir = None,
) -> None:
    """Take access to one child now. The school's reviewers hear of it at once, and judge it."""
    body = {"child": str(child), "reason": reason, "minutes": minutes}
    reply = order(directory, school, person, "break-glass", body)
    console = Console(soft_wrap=True)
    console.print(f"emergency {reply['emergency']}: you have access until {_moment(reply['until'])}")
    if reply["reviewers"]:
        console.print("The school's reviewers are told. Someone of them, not you, will judge it.")
    else:
        console.print("[yellow]Nobody but you can review this here[/]: ask the administrator to add a school leader.")


@app.command()
def contacts(child: ChildId, school: School, person: As, as_json_: AsJson = False, directory: Dir = None) -> None:
    """Show who can be reached about a child."""
    found = ask_network(directory, school, person, "emergency-contacts", {"child": str(child), "purpose": "guidance"})
    if as_json_:
        as_json(found)
        return
    table = Table(title=escape(f"Reach, for {found['given_name']} {found['family_name']}"))
    for column in ("who", "role", "telephone", "mail"):
        table.add_column(column, overflow="fold")
    for one in found["contacts"]:
        name = f"{one['given_name']} {one['family_name']}"
        name += " (confidential: pass nothing on)" if one["confidential"] else ""
        table.add_row(*(escape(value or "") for value in (name, one["role"], one["phone"], one["email"])))
    print_table(table)


@app.command("list")
def list_(
    child: ChildId,
    school: School,
    person: As,
    purpose: Why = Purpose.OVERSIGHT,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show who took emergency access to a child, and how it was judged. A child's family: `samen audit break-glass`."""
    found = ask_network(directory, school, person, "emergencies", {"child": str(child), "purpose": purpose.value})
    if as_json_:
        as_json(found)
        return
    console = Console(soft_wrap=True)
    for one in found["emergencies"]:
        console.print(escape(_line(one)))
    if not found["emergencies"]:
        console.print("Nobody took emergency access to this child.")


def _line(one: dict[str, Any]) -> str:
    period = f"{_moment(one['starts_at'])} to {_moment(one['ends_at'])}"
    role = one["role"].replace("_", " ")
    judged = f"not judged yet; to be judged before {_moment(one['review_due_at'])}"
    if one["outcome"]:
        judged = f"{one['outcome'].replace('_', ' ')}, by {one['reviewed_by']} on {_moment(one['reviewed_at'])}"
    words = [f"{one['emergency']} v{one['version']}: {one['member']} as {role}, {period}; {judged}"]
    words += [f"  why: {one['reason']}"] if one["reason"] else []
    words += [f"  found: {one['review_reason']}"] if one["review_reason"] else []
    return "\n".join(words)


@app.command()
def end(
    child: ChildId,
    emergency: EmergencyId,
    school: School,
    person: As,
    version: Version = 1,
    reviewer: Annotated[bool, typer.Option("--reviewer", help="End someone else's, as a reviewer.")] = False,
    directory: Dir = None,
) -> None:
    """End emergency access before its time."""
    purpose = Purpose.OVERSIGHT if reviewer else Purpose.GUIDANCE
    body = {"child": str(child), "emergency": str(emergency), "version": version, "purpose": purpose.value}
    reply = order(directory, school, person, "end-emergency", body)
    Console(soft_wrap=True).print(f"emergency {reply['emergency']} version {reply['version']}: ended")


@app.command()
def review(
    child: ChildId,
    emergency: EmergencyId,
    outcome: Annotated[ReviewOutcome, typer.Argument(help="What you found.")],
    school: School,
    person: As,
    reason: Annotated[str, typer.Option("--reason", help="Why you find so.")],
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """Judge someone else's emergency access. Not justified ends it at once, if it still lasts."""
    body = {"child": str(child), "emergency": str(emergency), "version": version, "outcome": outcome, "reason": reason}
    reply = order(directory, school, person, "review-emergency", body)
    Console(soft_wrap=True).print(
        f"emergency {reply['emergency']} version {reply['version']}: {outcome.value.replace('_', ' ')}"
    )


def add_to(network: typer.Typer) -> None:
    """Add the commands to `samen network`."""
    network.add_typer(app, name="emergency")
