"""`samen school`: open a school and prepare slots for its tools; pause or remove all of its tools at once."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from email.utils import parseaddr
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.home import Home
from deploy.keys import Offline
from deploy.samen.asking import as_json, do
from deploy.samen.client import Client, operator_id
from deploy.samen.options import As, AsJson, Reason
from deploy.samen.school_tools import PAUSE, REMOVE, RESUME, Deed, Outcome, do_to_all
from deploy.samen.tables import print_table
from deploy.samen.tool_plug import slot_settled
from deploy.samen.up import Dir
from shared.errors import Problem
from shared.events.words import ActorKind

app = typer.Typer(no_args_is_help=True, help="Schools: open one, pause or remove all of its tools at once.")

Slug = Annotated[str, typer.Argument(metavar="SCHOOL", help="The school's slug: 1 to 32 of a-z, 0-9 and -.")]
SLOTS = 5
"""Slots that are prepared for a school's tools unless it is said otherwise."""
PERSON = "Who {what}, as 'Given Family Names <mail>'; repeat it."
JOB = "`docker compose -f deploy/compose.yaml run --rm keys deploy.install slots <number>`, then the job `databases`"
LEFT = (
    "Nothing of the school's was deleted: its children, plans, log and terms stay as they are.",
    "Still to do: end the tools' memberships and consents child by child (`samen network`), and have each maker show",
    "that what it holds is deleted, as the processing agreement says. If the school itself leaves: `samen retention`.",
)


def _say(*lines: str) -> None:
    for line in lines:
        Console(soft_wrap=True, highlight=False).print(line)


def person_of(told: str) -> dict[str, Any]:
    """Return a new person as network takes one; raises typer.BadParameter for what names nobody."""
    name, mail = parseaddr(told) if "<" in told else (told, "")
    given, _, family = name.strip().partition(" ")
    if not given or not family.strip():
        raise typer.BadParameter(f"{told!r}: write 'Given Family Names <mail>'")
    return {"given_name": given, "family_name": family.strip()} | ({"email": mail} if mail else {})


@app.command()
def add(
    school: Slug,
    name: Annotated[str, typer.Option("--name", help="What people call the school.")],
    administrator: Annotated[
        list[str] | None, typer.Option("--administrator", help=PERSON.format(what="keeps its records"))
    ] = None,
    auditor: Annotated[list[str] | None, typer.Option("--auditor", help=PERSON.format(what="oversees it"))] = None,
    org: Annotated[str | None, typer.Option("--org", help="Its sourcedId in the roster.")] = None,
    slots: Annotated[
        int | None, typer.Option("--slots", min=0, max=1000, help=f"Slots to prepare for its tools; else {SLOTS}.")
    ] = None,
    directory: Dir = None,
) -> None:
    """Open a school, and prepare slots for its tools while the operator's seed is here. Again: prepare more."""
    body = {
        "name": name,
        "sourced_id": org,
        "administrators": [person_of(one) for one in administrator or ()],
        "auditors": [person_of(one) for one in auditor or ()],
    }
    keys = Home(directory).keys
    if slots:
        keys.prepare_slots(0)  # first: what can't be done is known before the school is open

    async def give(client: Client) -> dict[str, Any] | None:
        actor = client.actor(operator_id(getpass.getuser()), school, ActorKind.OPERATOR)
        try:
            return dict(await client.command(school, "network", "open-school", body, actor))
        except Problem as problem:
            if problem.more.get("code") != "already_open":
                raise
            return None

    opened = do(directory, give)
    _say(*_opened(school, opened))
    try:
        made = keys.prepare_slots(SLOTS if slots is None else slots)
    except Offline:
        _say(f"No slot was prepared, for the operator's seed is not here: {JOB}.")
        return
    _say(f"{len(made)} slots are prepared: so many more tools can be added. `samen status` says how many are free.")


def _opened(school: str, opened: dict[str, Any] | None) -> Iterator[str]:
    if opened is None:
        yield f"{escape(school)} is open already."
        return
    yield f"[bold]{escape(school)}[/] is open."
    for what, ids in (("keeps its records", "administrators"), ("oversees it", "auditors")):
        for person in opened[ids]:
            yield f"  {what}: {person}"
    if not opened["administrators"]:
        yield "  nobody keeps its records yet: `samen roster import` brings them in."


@app.command()
def pause(school: Slug, person: As, reason: Reason = "asked", json_: AsJson = False, directory: Dir = None) -> None:
    """Pause all of a school's tools, and wait until nothing of them comes through any more."""
    _all(directory, school, person, PAUSE, reason, json_)


@app.command()
def resume(school: Slug, person: As, reason: Reason = "asked", json_: AsJson = False, directory: Dir = None) -> None:
    """Let all paused tools of a school go on, and wait until they are let in."""
    _all(directory, school, person, RESUME, reason, json_)


@app.command()
def remove(
    school: Slug,
    person: As,
    reason: Reason = "asked",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Remove all of a school's tools for good, and wait until they are seen cut. None of its data is deleted."""
    if not yes:
        typer.confirm(f"This cuts all tools of {school} off for good; each must be added anew. Go on?", abort=True)
    _all(directory, school, person, REMOVE, reason, json_)


def _all(directory: Dir, school: str, person: Any, deed: Deed, reason: str, json_: bool) -> None:  # noqa: ANN401
    outcomes: list[Outcome] = do(
        directory, lambda client: do_to_all(client, school, person, deed, reason, slot_settled)
    )
    if json_:
        as_json([{"tool": str(one.tool), "failed": one.failed, "connections": one.connections} for one in outcomes])
    elif not outcomes:
        _say(f"{escape(school)} has no tools that this is for.")
    else:
        table = Table(title=f"Tools of {school}: {deed.state}")
        for column in ("tool", "id", "seen"):
            table.add_column(column, overflow="fold")
        for one in outcomes:
            table.add_row(escape(one.label), str(one.tool), seen_words(one, deed))
        print_table(table)
        if deed is REMOVE:
            _say(*LEFT)
    if not all(one.seen for one in outcomes):
        raise typer.Exit(1)


def seen_words(one: Outcome, deed: Deed) -> str:
    """Return what was seen of a tool, in words."""
    if one.failed is not None:
        return f"[red]not done: {escape(one.failed)}[/]"
    if one.account is None:
        return "nothing more is sent to it" if deed is not RESUME else "it is told again"
    if one.connections is None:
        return "[red]recorded; that NATS has it so was not seen: `samen status`, then this command again[/]"
    return {
        PAUSE: f"reaches nothing ({one.connections} connected)",
        RESUME: f"let in ({one.connections} connected)",
        REMOVE: "cut: no connection is left, and no login of it is good again",
    }[deed]
