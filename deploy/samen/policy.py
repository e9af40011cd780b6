"""`samen policy`: which rules a school goes by, who decides about a child, and why somebody may or may not."""

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
from deploy.samen.options import As, AsJson, ChildId, School
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.network import Decision, PolicyRule
from shared.events.words import Action, Category, Purpose
from shared.text import EARLIEST, LATEST

app = typer.Typer(no_args_is_help=True, help="The rules: read them, set how holders decide, ask why.")

HERE = ZoneInfo("Europe/Amsterdam")
Why = Annotated[Purpose, typer.Option("--asking-for", help="Why you ask: administration, oversight, own_data ...")]
Day = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day; now if left out.")]
RULES = {
    "all_holders": "everyone who decides must say yes",
    "one_unless_objection": "one yes is enough, as long as nobody who decides objects",
}


def _day(moment: str | None) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(HERE):%Y-%m-%d %H:%M}" if moment else ""


def _words(codes: list[str]) -> str:
    return ", ".join(code.replace("_", " ") for code in codes)


@app.command()
def explain(
    actor: Annotated[UUID, typer.Argument(help="Whose access: a person's id.")],
    child: ChildId,
    action: Annotated[Action, typer.Argument(help="What they want to do.")],
    category: Annotated[Category, typer.Argument(help="With what kind of data.")],
    school: School,
    person: As,
    purpose: Annotated[Purpose, typer.Option("--purpose", help="What they want it for.")] = Purpose.GUIDANCE,
    at: Annotated[
        datetime | None,
        typer.Option("--at", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="When, Dutch time; now if left out."),
    ] = None,
    asking_for: Why = Purpose.ADMINISTRATION,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Say whether somebody may do something with a child's data, and which facts led to that.

    For the school's administrator, its auditor (--asking-for oversight), and the person concerned
    (--asking-for own_data).
    """
    if at is not None and not EARLIEST <= at.date() <= LATEST:
        raise typer.BadParameter(f"lies outside {EARLIEST} to {LATEST}: check the year", param_hint="--at")
    body: dict[str, Any] = {
        "who": str(actor),
        "child": str(child),
        "action": action.value,
        "category": category.value,
        "for_purpose": purpose.value,
        "purpose": asking_for.value,
        "at": at.replace(tzinfo=HERE).isoformat() if at else None,
    }
    found = ask_network(directory, school, person, "policy-explanation", body)
    if as_json_:
        as_json(found)
        return
    console = Console(soft_wrap=True, highlight=False)
    verdict = "[green]Yes[/]" if found["allowed"] else "[red]No[/]"
    what = f"{action.value} {_words([category.value])} for {_words([purpose.value])}"
    console.print(f"{verdict}: {what}, at {_day(found['at'])}. These facts led to it:")
    for one in found["reasons"]:
        mark = "[green]+[/]" if one["holds"] else "[red]-[/]"
        console.print(f" {mark} {escape(one['words'])}")


@app.command()
def show(
    school: School,
    person: As,
    asking_for: Why = Purpose.ADMINISTRATION,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Print the rules from which access follows, and how holders decide in this school."""
    found = ask_network(directory, school, person, "policies", {"purpose": asking_for.value})
    if as_json_:
        as_json(found)
        return
    console = Console()
    for subject, rules in found["rules"].items():
        about = "a child" if subject == "child" else "the school's own network"
        table = Table(title=f"Rules, version {found['version']}: who may do what with the data of {about}")
        for column in ("rule", "roles", "resting on", "may", "with", "for", "basis"):
            table.add_column(column, overflow="fold")
        for rule in rules:
            lists = (_words(rule[name]) for name in ("actions", "categories", "purposes"))
            roles, basis = _words(rule["roles"]), _words([rule["basis"]])
            table.add_row(rule["name"], roles, _words([rule["standing"]]), *lists, basis, end_section=True)
        print_table(table, console)
    table = Table(title="How those decide who have a say")
    for column in ("on", "now", "versions"):
        table.add_column(column, overflow="fold")
    for one in found["decisions"]:
        versions = "\n".join(f"{v['number']}: {v['rule']} from {_day(v['starts_at'])}" for v in one["versions"])
        table.add_row(one["decision"], RULES[one["rule"]], versions or "the default")
    print_table(table, console)
    console.print("Consent adds to this, for those from outside the school: what it names, while it is given.")


@app.command("set")
def set_(
    decision: Annotated[Decision, typer.Argument(help="On what.")],
    rule: Annotated[PolicyRule, typer.Argument(help="By which rule.")],
    school: School,
    person: As,
    starts: Day = None,
    directory: Dir = None,
) -> None:
    """Set how holders decide, as a new version; consents and access of every child follow. For the administrator."""
    body = {"decision": decision.value, "rule": rule.value, "starts_on": f"{starts:%Y-%m-%d}" if starts else None}
    reply = order(directory, school, person, "set-policy", body)
    Console(soft_wrap=True).print(f"{decision.value}, version {reply['number']}: {RULES[rule.value]}")


@app.command()
def deciders(
    child: ChildId,
    school: School,
    person: As,
    asking_for: Why = Purpose.GUIDANCE,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show who decides on what about a child, by which rule, disputes, and what is withheld from whom."""
    found = ask_network(directory, school, person, "deciders", {"child": str(child), "purpose": asking_for.value})
    if as_json_:
        as_json(found)
        return
    console = Console()
    table = Table(title="Who decides")
    for column in ("on", "who", "rule now"):
        table.add_column(column, overflow="fold")
    for one in found["matters"]:
        who = "\n".join(f"{escape(h['name'] or h['holder'])} ({h['as']})" for h in one["holders"])
        disputed = " (a dispute is on record)" if one["disputed"] else ""
        table.add_row(one["decision"], who or "nobody", RULES[one["rule"]] + disputed)
    print_table(table, console)
    for one in found["disputes"]:
        until = f" until {_day(one['ends_at'])}" if one["ends_at"] else ""
        note = f": {one['note']}" if one["note"] else ""
        words = f"dispute {one['dispute']} v{one['version']}, {one['decision']}, {_day(one['starts_at'])}{until}{note}"
        console.print(escape(words), soft_wrap=True)
    for one in found["withheld"]:
        until = f" until {_day(one['ends_at'])}" if one["ends_at"] else ""
        words = f"withheld from {one['guardian']}: {one['withholding']} v{one['version']}, source {one['source']}, "
        console.print(escape(f"{words}{_day(one['starts_at'])}{until}"), soft_wrap=True)


@app.command()
def dispute(
    child: ChildId,
    decision: Annotated[Decision, typer.Argument(help="On what they disagree.")],
    school: School,
    person: As,
    between: Annotated[list[UUID], typer.Option("--between", help="Who disagrees: two or more; repeat it.")],
    note: Annotated[str | None, typer.Option("--note", help="What about; for those who keep it.")] = None,
    directory: Dir = None,
) -> None:
    """Note that holders disagree: until it is settled everyone who decides must say yes."""
    named = [str(one) for one in between]
    body = {"child": str(child), "decision": decision.value, "between": named, "note": note}
    reply = order(directory, school, person, "note-dispute", body)
    Console(soft_wrap=True).print(f"dispute {reply['dispute']} version {reply['version']}: noted")


@app.command()
def settle(
    child: ChildId,
    dispute_id: Annotated[UUID, typer.Argument(metavar="DISPUTE", help="The dispute's id, as `deciders` shows it.")],
    school: School,
    person: As,
    version: Annotated[int, typer.Option("--version", help="The version you saw.")] = 1,
    directory: Dir = None,
) -> None:
    """Note that a dispute is over: the school's own rule applies again."""
    body = {"child": str(child), "dispute": str(dispute_id), "version": version}
    order(directory, school, person, "settle-dispute", body)
    Console(soft_wrap=True).print(f"dispute {dispute_id}: settled")
