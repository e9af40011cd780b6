"""`samen calendar`: a school's years and holidays, which the deadlines of plans go by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from deploy.samen.asking import ask_goals, give_goals, show_found
from deploy.samen.options import As, AsJson, Key, School, Why
from deploy.samen.up import Dir
from shared.events.words import Purpose, school_subject

app = typer.Typer(no_args_is_help=True, help="A school's years and holidays: show, set.")

About = Annotated[UUID | None, typer.Option("--about", help="A child you may see plans of; else the school itself.")]
First = Annotated[datetime, typer.Option("--first", formats=["%Y-%m-%d"], help="The school year's first day.")]
Last = Annotated[datetime, typer.Option("--last", formats=["%Y-%m-%d"], help="The school year's last day.")]
HOLIDAY = "A holiday as name=2026-10-17/2026-10-25; repeat it. All of this year's: others go."


@app.command()
def show(
    school: School,
    person: As,
    about: About = None,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show the years and holidays that the school has set."""
    body = {"about": about or school_subject(school), "purpose": purpose}
    found = ask_goals(directory, school, person, "school-years", body)
    show_found(found, json_, years_of(found))


def years_of(found: dict[str, Any]) -> Iterator[str]:
    """Yield a calendar as lines."""
    yield f"calendar version {found['version']}" if found["version"] else "nothing is set: a year ends on 31 July"
    for _, year in sorted(found["years"].items()):
        yield f"{year['starts_on']} to {year['ends_on']}, set by {year['set_by']} on {year['set_at'][:10]}"
        for one in year["holidays"]:
            yield f"    {one['first_on']} to {one['last_on']}  {escape(one['name'])}"


@app.command(name="set")
def set_year(
    school: School,
    person: As,
    first: First,
    last: Last,
    version: Annotated[int, typer.Option("--version", min=0, help="The calendar's that you saw; 0: none is set.")] = 0,
    holiday: Annotated[list[str] | None, typer.Option("--holiday", help=HOLIDAY)] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Set one school year, whole; running deadlines are counted anew within seconds."""
    body = {
        "about": school_subject(school),
        "version": version,
        "starts_on": first.date(),
        "ends_on": last.date(),
        "holidays": [_holiday(one) for one in holiday or ()],
    }
    give_goals(directory, school, person, "set-school-year", body, key)


def _holiday(said: str) -> dict[str, str]:
    name, _, days = said.partition("=")
    first, _, last = days.partition("/")
    try:
        return {"name": name, "first_on": str(date.fromisoformat(first)), "last_on": str(date.fromisoformat(last))}
    except ValueError:
        raise typer.BadParameter(f"{said}: a holiday is name=first/last, as herfst=2026-10-17/2026-10-25") from None
