"""`samen notifications`: who is told of what, how soon, what waits, and why somebody did or did not get something."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.environment import ROOT
from deploy.samen.addresses import left_words
from deploy.samen.asking import as_json, do
from deploy.samen.client import Client
from deploy.samen.inbox import HERE, SERVICE
from deploy.samen.inbox import app as inbox
from deploy.samen.options import AsJson, Language, School
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.notifications import Channel
from shared.events.words import Purpose, Role, school_subject

app = typer.Typer(
    no_args_is_help=True,
    help="Notices: rules, preferences, what waits, why somebody got one or not; and the inbox, as `samen inbox`.",
)
app.add_typer(inbox, name="inbox")

As = Annotated[UUID, typer.Option("--as", help="The member you act for; the log names you too.")]
Why = Annotated[Purpose, typer.Option("--purpose", help="Why you ask.")]
PACES = ("now", "daily", "weekly", "off")
HOW_SOON = f"How soon, for who has said nothing of it: {', '.join(PACES)}."
IN_HOLIDAYS = {None: "not for who works at school", True: "nothing", False: "as on other days"}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def ask(directory: Dir, school: str, person: UUID, query: str, body: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    """Return what notifications answers to a person's query."""

    def query_it(client: Client) -> Awaitable[Any]:
        return client.query(school, SERVICE, query, body, client.actor(person, school))

    return do(directory, query_it)


def order(directory: Dir, school: str, person: UUID, command: str, body: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    """Give notifications a person's command, return the reply."""

    def give(client: Client) -> Awaitable[Any]:
        return client.command(school, SERVICE, command, body, client.actor(person, school))

    return do(directory, give)


@app.command()
def rules(school: School, person: As, as_json_: AsJson = False, directory: Dir = None) -> None:
    """Show of what is told, to whom and how soon, and what of it the school may adjust."""
    found = _rules(directory, school, person)
    if as_json_:
        as_json(found)
        return
    table = Table(title="Rules: who is told of what", caption="bound: what the foundation lets a school adjust")
    for column in ("kind", "told to, if they may hear of it", "how soon", "reminded after", "bound", "version"):
        table.add_column(column, overflow="fold")
    for one in found["rules"]:
        to = one["to"] if one["told"] else "nobody (switched off)"
        if one["left_out"]:
            to += f"; not as {', '.join(one['left_out'])}"
        days = f"{one['remind_days']} days" if one["remind_days"] else ""
        pace = "at once, always" if one["urgent"] else one["pace"]
        table.add_row(one["kind"], f"{to} ({one['category']})", pace, days, one["bound"], str(one["number"]))
    print_table(table, Console())


def _rules(directory: Dir, school: str, person: UUID) -> Any:  # noqa: ANN401  JSON
    body = {"about": str(school_subject(school)), "purpose": Purpose.ADMINISTRATION.value}
    return ask(directory, school, person, "notice-rules", body)


@app.command("set-rule")
def set_rule(
    kind: Annotated[str, typer.Argument(help="Of which kind of notice, as `rules` names them.")],
    school: School,
    person: As,
    off: Annotated[bool, typer.Option("--off", help="Tell nobody, as far as the foundation lets you.")] = False,
    leave_out: Annotated[list[Role] | None, typer.Option("--leave-out", help="Not in this role; repeat it.")] = None,
    pace: Annotated[str | None, typer.Option(help=HOW_SOON)] = None,
    remind_days: Annotated[int | None, typer.Option(min=1, max=90, help="Remind after so many days.")] = None,
    number: Annotated[
        int | None, typer.Option("--version", min=0, help="The version you saw; else the newest one.")
    ] = None,
    directory: Dir = None,
) -> None:
    """Adjust a rule, whole, as a new version; without options it is as the foundation has it. For the administrator."""
    if number is None:
        known = {one["kind"]: one["number"] for one in _rules(directory, school, person)["rules"]}
        number = known.get(kind, 0)
    body = {
        "about": str(school_subject(school)),
        "purpose": Purpose.ADMINISTRATION.value,
        "kind": kind,
        "number": number,
        "told": not off,
        "left_out": [role.value for role in leave_out or ()],
        "pace": pace,
        "remind_days": remind_days,
    }
    reply = order(directory, school, person, "set-rule", body)
    Console(soft_wrap=True).print(f"{reply['kind']}: version {reply['number']} holds from now on")


@app.command()
def preferences(
    school: School,
    person: As,
    language: Annotated[Language | None, typer.Option(help="Of what is told; else both.")] = None,
    quiet: Annotated[str | None, typer.Option(help="Quiet hours, as 21:00-07:00, or none.")] = None,
    digest_at: Annotated[int | None, typer.Option(min=0, max=23, help="The hour at which digests come.")] = None,
    digest_on: Annotated[str | None, typer.Option(help=f"The day of weekly ones: {', '.join(DAYS)}.")] = None,
    days_off: Annotated[bool | None, typer.Option("--days-off/--no-days-off", help="Nothing in holidays.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="As goal_revised:mail=daily; repeat it.")] = None,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show what a person wants of notices, or change it: what is not named stays as it is."""
    found = ask(directory, school, person, "preferences", {"purpose": Purpose.OWN_DATA.value})
    wants = found["preferences"]
    given = {"language": language, "quiet": quiet, "digest_at": digest_at, "days_off": days_off}
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if digest_on is not None:
        changed["digest_on"] = day(digest_on)
    if set_:
        changed["paces"] = _paces(wants["paces"], set_)
    if changed:
        body = {"version": found["version"], "preferences": wants | changed}
        reply = order(directory, school, person, "set-preferences", body)
        found |= {"version": reply["version"], "preferences": wants | changed}
    if as_json_:
        as_json(found)
        return
    console = Console(soft_wrap=True)
    for line in _preferences(found):
        console.print(line)


def _preferences(found: dict[str, Any]) -> Iterator[str]:
    wants, usual = found["preferences"], found["else"]
    whose = "the school" if usual.get("number") else "the foundation"
    yield f"version {found['version']}" if found["version"] else f"nothing is set: all is as {whose} has it"
    yield f"language: {wants['language'] or 'Dutch and English'}"
    yield f"quiet hours: {wants['quiet'] or usual['quiet']}"
    hour = usual["digest_at"] if wants["digest_at"] is None else wants["digest_at"]
    yield f"digests: at {hour}:00, weekly ones on {DAYS[(wants['digest_on'] or usual['digest_on']) - 1]}"
    yield f"in holidays: {IN_HOLIDAYS[usual.get('days_off') if wants['days_off'] is None else wants['days_off']]}"
    for one in wants["paces"]:
        yield f"{one['kind']} through {one['channel']}: {one['pace']}"
    yield from (left_words(channel, code) for channel, code in found["stopped"].items())
    if found["stopped"].get("mail", "unsubscribed") == "unsubscribed":
        yield f"by mail whatever is off, as the law or safety wants: {', '.join(found['always'])}"


def day(said: str) -> int:
    """Return the number of a day of the week, 1 for Monday."""
    if said not in DAYS:
        raise typer.BadParameter(f"{said}: say one of {', '.join(DAYS)}", param_hint="--digest-on")
    return DAYS.index(said) + 1


def _paces(now: list[dict[str, str]], said: list[str]) -> list[dict[str, str]]:
    paces = {(one["kind"], one["channel"]): one["pace"] for one in now}
    for one in said:
        what, _, pace = one.partition("=")
        kind, _, channel = what.partition(":")
        if not kind or pace not in PACES or channel not in list(Channel):
            hint = f"{one}: say kind:channel=pace, as goal_revised:mail=daily (or all:mail=off)"
            raise typer.BadParameter(hint, param_hint="--set")
        paces[kind, channel] = pace
    return [{"kind": kind, "channel": channel, "pace": pace} for (kind, channel), pace in paces.items()]


@app.command()
def queue(school: School, person: As, as_json_: AsJson = False, directory: Dir = None) -> None:
    """Show how much waits to be sent, since when, and what it waits for: numbers, no names."""
    body = {"about": str(school_subject(school)), "purpose": Purpose.ADMINISTRATION.value}
    found = ask(directory, school, person, "notice-queue", body)
    if as_json_:
        as_json(found)
        return
    table = Table(title="What waits to be sent", caption="" if found["waiting"] else "nothing waits")
    for column in ("state", "channel", "because", "how many", "urgent", "since", "next"):
        table.add_column(column, overflow="fold")
    for one in found["waiting"]:
        coming = one["release_at"] or one["next_try_at"]
        numbers = str(one["number"]), str(one["urgent"])
        since = "" if one["state"] == "held" else _at(one["since"])
        table.add_row(one["state"], one["channel"], one["why"] or "", *numbers, since, _at(coming))
    print_table(table, Console())


@app.command()
def why(
    about: Annotated[UUID, typer.Argument(help="The child (or the school itself) that it is about.")],
    school: School,
    person: As,
    member: Annotated[UUID | None, typer.Option(help="Of whom; else of yourself. Of others: for the records.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind of notice.")] = None,
    as_json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Say why somebody did or did not get what there was to be told, newest first: the facts, in words."""
    purpose = Purpose.OWN_DATA if member in {None, person} else Purpose.ADMINISTRATION
    named = {"member": str(member) if member else None, "kind": kind}
    found = ask(directory, school, person, "why", {"about": str(about), "purpose": purpose.value, **named})
    if as_json_:
        as_json(found)
        return
    console = Console(soft_wrap=True)
    for one in found["facts"]:
        mark = "[green]told[/]" if one["told"] else "[red]not told[/]"
        console.print(f"{_at(one['occurred_at'])}  {escape(one['kind'])}: {mark}")
        for line in one["words"]:
            console.print(f"    {escape(line)}")
    if not found["facts"]:
        console.print("nothing is known of it: nothing happened that has a rule, or it concerned others only")


@app.command()
def preview(
    kind: Annotated[str, typer.Argument(help="Which kind of notice, as `rules` names them.")],
    language: Annotated[Language, typer.Option(help="Of the words.")] = Language.DUTCH,
    channel: Annotated[Channel | None, typer.Option(help="What this channel says; else what the inbox says.")] = None,
    number: Annotated[int, typer.Option(min=1, help="A message that brings so many.")] = 1,
) -> None:
    """Show the words of a kind of notice: in the inbox, and what leaves the platform. Needs no running platform."""
    command = [sys.executable, "-m", "services.notifications.previewing", kind, language, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if not done.stdout:
        raise typer.BadParameter(f"the words can't be read: {done.stderr.strip().splitlines()[-1]}")
    said = json.loads(done.stdout)
    if done.returncode:
        listed = f"kinds: {', '.join(said['kinds'])}; languages: {', '.join(said['languages'])}"
        raise typer.BadParameter(f"{kind} in {language} is not there. There are {listed}")
    console, outside = Console(soft_wrap=True, highlight=False), said["outside"]
    through = channel.value if channel else "mail"
    lines = [("inbox", said["inbox"]), ("inbox, folded", said["more"])] if channel is None else []
    lines += [(f"{through}, {name}", outside[name]) for name in ("subject", "greeting", "news")]
    lines += [(f"{through}, reminder", said["reminder"]), (f"{through}, end", outside["no_reply"])]
    if through == Channel.MAIL:
        lines.append((f"{through}, end", f"{outside['leave']} {outside['leave_link']}"))
    for name, text in lines:
        if text:
            console.print(f"{name}: {text}", markup=False)
    console.print(f"direction: {outside['direction']}", style="dim")


def _at(moment: str | None) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(HERE):%Y-%m-%d %H:%M}" if moment else ""
