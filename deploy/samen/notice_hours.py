"""`samen notifications hours|set-hours`: a school's own quiet hours, digests and holidays."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from deploy.samen.asking import as_json
from deploy.samen.notifications import DAYS, IN_HOLIDAYS, As, ask, order
from deploy.samen.notifications import day as day_of
from deploy.samen.options import AsJson, School
from deploy.samen.up import Dir
from shared.events.words import Purpose, school_subject


def _about(school: str) -> dict[str, Any]:
    return {"about": str(school_subject(school)), "purpose": Purpose.ADMINISTRATION.value}


def hours(school: School, person: As, as_json_: AsJson = False, directory: Dir = None) -> None:
    """Show the school's quiet hours, digests and holidays, for who has set nothing, and what the foundation allows."""
    found = ask(directory, school, person, "school-hours", _about(school))
    if as_json_:
        as_json(found)
        return
    now, bounds, console = found["hours"], found["bounds"], Console(soft_wrap=True)
    console.print(
        f"version {now['number']}" if now["number"] else "the school has set nothing: as the foundation has it"
    )
    least = "" if bounds["at_least"] == "none" else f", at least {bounds['at_least']}"
    console.print(f"quiet hours: {now['quiet']} (a school's within {bounds['within']}{least})")
    console.print(f"digests: at {now['digest_at']}:00, weekly ones on {DAYS[now['digest_on'] - 1]}")
    console.print(f"in holidays: {IN_HOLIDAYS[now['days_off']]}")
    console.print("What a person has set wins; what is urgent takes no notice of either.", style="dim")


def set_hours(
    school: School,
    person: As,
    quiet: Annotated[str | None, typer.Option(help="Quiet hours, as 21:00-07:00, or none.")] = None,
    digest_at: Annotated[int | None, typer.Option(min=0, max=23, help="The hour at which digests come.")] = None,
    digest_on: Annotated[str | None, typer.Option(help=f"The day of weekly ones: {', '.join(DAYS)}.")] = None,
    days_off: Annotated[bool | None, typer.Option("--days-off/--no-days-off", help="Nothing in holidays.")] = None,
    number: Annotated[
        int | None, typer.Option("--version", min=0, help="The version you saw; else the newest.")
    ] = None,
    directory: Dir = None,
) -> None:
    """Set them, whole, as a new version; without options they are as the foundation has it. For the administrator."""
    if number is None:
        number = ask(directory, school, person, "school-hours", _about(school))["hours"]["number"]
    wanted = {
        "quiet": quiet,
        "digest_at": digest_at,
        "digest_on": digest_on and day_of(digest_on),
        "days_off": days_off,
    }
    reply = order(directory, school, person, "set-hours", _about(school) | {"number": number} | wanted)
    Console(soft_wrap=True).print(f"version {reply['number']} holds from now on, for who has set nothing")


def add_to(app: typer.Typer) -> None:
    """Add these commands to `samen notifications`."""
    app.command("hours")(hours)
    app.command("set-hours")(set_hours)
