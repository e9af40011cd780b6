"""`samen audit restriction`: lines that the law lets a school hold back from parents; it takes two people."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.samen.asking import as_json, do
from deploy.samen.client import Client
from deploy.samen.options import As, AsJson, ChildId, School, Version, WhyOffice
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.audit import Ground
from shared.events.words import Category, Purpose

app = typer.Typer(
    no_args_is_help=True, help="Hold lines back from parents, where the law allows it; never from auditors."
)

HERE = ZoneInfo("Europe/Amsterdam")
DAYS = ["%Y-%m-%d"]
RestrictionId = Annotated[UUID, typer.Argument(metavar="RESTRICTION", help="Its id, as `ask` prints it.")]


def _order(directory: Dir, school: str, person: UUID, command: str, body: dict[str, Any]) -> dict[str, Any]:
    def give(client: Client) -> Awaitable[Any]:
        given = {name: value for name, value in body.items() if value is not None}
        return client.command(school, "audit", command, given, client.actor(person, school))

    return dict(do(directory, give))


def _moment(day: datetime | None) -> str | None:
    return None if day is None else day.replace(tzinfo=HERE).isoformat()


@app.command()
def ask(
    child: ChildId,
    school: School,
    person: As,
    ground: Annotated[Ground, typer.Option("--ground", help="On what ground the law allows it (UAVG article 41).")],
    reason: Annotated[str, typer.Option("--reason", help="Why; only those who decide on it read it.")],
    ends_on: Annotated[datetime, typer.Option("--ends", formats=DAYS, help="The day on which it ends by itself.")],
    since: Annotated[
        datetime | None, typer.Option("--from", formats=DAYS, help="Lines from this day on; from now if left out.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=DAYS, help="Lines before this day; all that follow if left out.")
    ] = None,
    category: Annotated[
        list[Category] | None, typer.Option("--category", help="Only this kind; may be repeated.")
    ] = None,
    who: Annotated[UUID | None, typer.Option("--who", help="Only lines of this person, tool or service.")] = None,
    untold: Annotated[
        bool, typer.Option("--untold", help="Do not even tell that lines are held back: that would defeat the purpose.")
    ] = False,
    purpose: WhyOffice = Purpose.ADMINISTRATION,
    directory: Dir = None,
) -> None:
    """Ask that lines be held back from parents and the young person. Someone else must confirm it."""
    body = {"child": child, "purpose": purpose, "ground": ground, "reason": reason, "ends_at": _moment(ends_on)}
    body |= {"lines_from": _moment(since), "lines_until": _moment(until), "categories": category, "who": who}
    reply = _order(directory, school, person, "restrict-view", body | {"told": not untold})
    Console(soft_wrap=True, highlight=False).print(
        f"Asked; nothing is held back yet. Another administrator or the school's leader confirms or declines it:\n"
        f"samen audit restriction confirm {child} {reply['restriction']} --school {school} --as <their id>"
    )


@app.command()
def confirm(
    child: ChildId,
    restriction: RestrictionId,
    school: School,
    person: As,
    purpose: WhyOffice = Purpose.ADMINISTRATION,
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """Confirm what somebody else asked: the lines are held back from now until its end."""
    _decide(directory, school, person, child, restriction, version, "confirmed", purpose)
    Console().print("Confirmed: these lines are held back from parents until it ends. Auditors see every line.")


@app.command()
def decline(
    child: ChildId,
    restriction: RestrictionId,
    school: School,
    person: As,
    purpose: WhyOffice = Purpose.ADMINISTRATION,
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """Decline what was asked, or take back what you asked yourself."""
    _decide(directory, school, person, child, restriction, version, "declined", purpose)
    Console().print("Declined: nothing is held back.")


def _decide(
    directory: Dir, school: str, person: UUID, child: UUID, id_: UUID, version: int, answer: str, purpose: Purpose
) -> None:
    body = {"child": child, "restriction": id_, "version": version, "answer": answer, "purpose": purpose}
    _order(directory, school, person, "decide-restriction", body)


@app.command()
def lift(
    child: ChildId,
    restriction: RestrictionId,
    school: School,
    person: As,
    purpose: WhyOffice = Purpose.ADMINISTRATION,
    version: Version = 2,
    directory: Dir = None,
) -> None:
    """End a restriction before its time: the lines are shown again."""
    body = {"child": child, "restriction": restriction, "version": version, "purpose": purpose}
    _order(directory, school, person, "lift-restriction", body)
    Console().print("Lifted: the lines are shown again.")


@app.command("list")
def list_(
    school: School,
    person: As,
    child: Annotated[UUID | None, typer.Option("--child", help="Only on this child.")] = None,
    purpose: Annotated[Purpose, typer.Option("--purpose", help="administration, or oversight for an auditor.")] = (
        Purpose.ADMINISTRATION
    ),
    before: Annotated[UUID | None, typer.Option("--before", help="The page after this restriction.")] = None,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """List restrictions, and how each stands."""

    def look(client: Client) -> Awaitable[Any]:
        body = {"purpose": purpose, "child": child, "before": before}
        return client.query(school, "audit", "restrictions", body, client.actor(person, school))

    found = do(directory, look)
    if as_json_:
        as_json(found)
        return
    table = Table(title="Held back from parents")
    for column in ("restriction", "version", "child", "ground", "state", "ends", "told", "lines", "reason"):
        table.add_column(column, overflow="fold")
    for one in found["restrictions"]:
        state = "in force" if one["in_force"] else "ended" if one["state"] == "confirmed" else one["state"]
        cells = (one["id"], str(one["version"]), one["child"], one["ground"], state, _day(one["ends_at"]))
        told = "yes" if one["told"] else "no"
        table.add_row(*cells, told, _lines(one), escape(one.get("reason", "")))
    print_table(table if found["restrictions"] else "Nothing was ever held back.")
    if found["next"] is not None:
        Console().print(f"There is more: add --before {found['next']}")


def _day(moment: str) -> str:
    """Returns the day as it was named: it began where the school is, mostly the evening before in UTC."""
    return f"{datetime.fromisoformat(moment).astimezone(HERE):%Y-%m-%d}"


def _lines(one: dict[str, Any]) -> str:
    until = f" to {_day(one['lines_until'])}" if "lines_until" in one else ""
    kinds = ", ".join(one["categories"]) or "all"
    return f"{kinds} from {_day(one['lines_from'])}{until}" + (f", of {one['who']}" if "who" in one else "")


def add_to(audit: typer.Typer) -> None:
    """Add the commands to `samen audit`."""
    audit.add_typer(app, name="restriction")
