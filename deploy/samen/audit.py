"""`samen audit`: who looked, who did what, what was refused, and whether the log is whole."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Awaitable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.databases import describe
from deploy.environment import base_environment
from deploy.home import Home
from deploy.samen import proofs
from deploy.samen.asking import as_json as print_json
from deploy.samen.asking import do
from deploy.samen.client import Client
from deploy.samen.export import export, verify_pack
from deploy.samen.log_reports import print_reports
from deploy.samen.options import As, AsJson, School, WhyLog
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from deploy.topology import NAMES
from shared.events.words import Category, Outcome, Purpose, Role

app = typer.Typer(no_args_is_help=True, help="The audit log: who looked, by whom, refusals, proof.")
proofs.add_to(app)
app.command()(export)

Json = dict[str, Any]
ROUNDS = 4
COMPOSE = "docker compose -f deploy/compose.yaml"
ELSEWHERE = (
    "the log's database is not at hand here. Where containers run, ask the log's own container: "
    f"{COMPOSE} run --rm -T samen audit heads | {COMPOSE} exec -T audit python -m deploy.serve audit.verify log"
)
ONE = typer.Option("--school", help="Only this school.")
FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
Since = Annotated[datetime | None, typer.Option("--since", formats=FORMATS, help="From this moment on (UTC).")]
Until = Annotated[datetime | None, typer.Option("--until", formats=FORMATS, help="Before this moment (UTC).")]
Kind = Annotated[Category | None, typer.Option("--category", help="Only this kind of data.")]
How = Annotated[Outcome | None, typer.Option("--outcome", help="Only what was permitted, or denied.")]
Who = Annotated[UUID | None, typer.Option("--who", help="Only this person, tool or service.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=200, help="How many lines.")]
Before = Annotated[int | None, typer.Option("--before", min=0, help="The page after this line (its nr).")]


def ask(directory: Dir, school: str, person: UUID, query: str, body: Json) -> Json:
    """Return the log's answer; a problem is told in a line and ends the command with 1."""
    given = {name: value for name, value in body.items() if value is not None}

    def look(client: Client) -> Awaitable[Json]:
        return client.query(school, "audit", query, given, client.actor(person, school))

    return dict(do(directory, look))


def moment(value: datetime | None) -> str | None:
    """Return a moment as questions have it."""
    return None if value is None else f"{value.isoformat()}Z"


def page(
    purpose: Purpose, since: datetime | None, until: datetime | None, category: Category | None, before: int | None
) -> Json:
    """Return what every question by page says."""
    if since is not None and until is not None and since >= until:
        raise typer.BadParameter("the period ends before it begins: --until is the later one", param_hint="--since")
    period = {"since": moment(since), "until": moment(until)}
    return {"purpose": purpose, "category": category, "before": before, **period}


def print_lines(found: Json, title: str, *, as_json: bool) -> None:
    """Print lines as a table, or as JSON."""
    if as_json:
        print_json(found)
        return
    console = Console()
    columns = ("nr", "when", "who", "role", "about", "what", "category", "purpose", "basis", "outcome")
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in found["lines"]:
        table.add_row(*map(escape, _row(line)), style="red" if line["outcome"] == "denied" else None)
    print_table(table if found["lines"] else f"{title}: no lines.", console)
    print_more(found)


def print_more(found: Json) -> None:
    """Say how to see the page after this one, if there is one."""
    if found.get("next") is not None:
        Console().print(f"There is more: add --before {found['next']}")


def _row(line: Json) -> tuple[str, ...]:
    basis = line.get("basis", "")
    if "consent" in line:
        basis += f" {line['consent'][:8]} v{line['consent_version']}"
    if line["emergency"]:
        basis += " (emergency)"
    what = ".".join(line["type"].split(".")[3:-1])
    if "what" in line:
        what += f": {line['what']}" + (f" ({line['things']})" if "things" in line else "")
    who = line["actor"] + (f" by hand of {line['operator'][:8]}" if "operator" in line else "")
    outcome = line["outcome"] + (f": {line['reason']}" if "reason" in line else "")
    role = line.get("role", line["kind"])
    when = line["occurred_at"][:19].replace("T", " ")
    return (
        *(str(line["idx"]), when, who, str(role), str(line["about"])),
        *(what, str(line["category"]), str(line["purpose"]), basis, outcome),
    )


@app.command(name="who-saw")
@app.command(name="who-looked", hidden=True)
def who_looked(
    child: Annotated[UUID, typer.Argument(help="The child's id.")],
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    since: Since = None,
    until: Until = None,
    who: Who = None,
    role: Annotated[Role | None, typer.Option("--role", help="Only people in this role.")] = None,
    organisation: Annotated[UUID | None, typer.Option("--organisation", help="Only people of this one.")] = None,
    category: Kind = None,
    outcome: How = None,
    limit: Limit = 50,
    before: Before = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show who looked at a child's data or was sent some, when, why, and on what basis; also who was refused."""
    body = page(purpose, since, until, category, before) | {"child": child, "who": who, "outcome": outcome}
    body |= {"role": role, "organisation": organisation, "limit": limit}
    found = ask(directory, school, person, "who-looked", body)
    print_lines(found, "Who saw", as_json=as_json)


@app.command(name="by-actor")
def by_actor(
    who: Annotated[UUID, typer.Argument(help="The person, tool or service.")],
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    since: Since = None,
    until: Until = None,
    category: Kind = None,
    outcome: How = None,
    limit: Limit = 50,
    before: Before = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show what someone did, saw and was refused."""
    body = page(purpose, since, until, category, before) | {"who": who, "outcome": outcome, "limit": limit}
    print_lines(ask(directory, school, person, "by-actor", body), "What this actor did", as_json=as_json)


@app.command()
def denials(
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    since: Since = None,
    until: Until = None,
    who: Who = None,
    category: Kind = None,
    limit: Limit = 50,
    before: Before = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show what was refused."""
    body = page(purpose, since, until, category, before) | {"who": who, "limit": limit}
    print_lines(ask(directory, school, person, "denials", body), "Refused", as_json=as_json)


@app.command()
def tail(
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    last: Annotated[int, typer.Option("--last", min=1, max=200, help="How many lines.")] = 20,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show the log's last lines."""
    found = ask(directory, school, person, "tail", {"purpose": purpose, "last": last})
    print_lines(found, "The log's end", as_json=as_json)


def _verifier(home: Home, what: str, given: Json, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs the log's own verifier as a process: deployment imports no service."""
    env = base_environment() | {"SAMEN_LOG_PUBLIC_KEY": str(home.keys.log_public)} | more
    command = [sys.executable, "-m", "services.audit.verify", what]
    return subprocess.run(command, input=json.dumps(given), env=env, capture_output=True, text=True, check=False)


@app.command()
def verify(
    pack: Annotated[Path | None, typer.Argument(help="A pack to check offline; without it the logs here.")] = None,
    school: Annotated[str | None, ONE] = None,
    key: proofs.Key = None,
    policy: proofs.Quorum = None,
    pinned: Annotated[
        Path | None, typer.Option("--pinned", help="A checkpoint that you kept: it must be in it.")
    ] = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Check whole logs, files too, or a pack: lines, tree, signatures, numbers. Exit status 0: nothing is wrong."""
    if pack is not None:
        verify_pack(pack, key, policy, pinned, directory, school=school, as_json=as_json)
    given = {"--key": key, "--policy": policy, "--pinned": pinned}
    if only := [name for name, value in given.items() if value is not None]:
        told = "the logs here are checked with this deployment's own keys: name the pack too, or leave it out"
        raise typer.BadParameter(f"is for a pack; {told}", param_hint=", ".join(only))
    home = Home(directory)
    port = home.running().get("postgres_port")
    if port is None:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]nothing was checked:[/] {escape(ELSEWHERE)}")
        raise typer.Exit(1)
    announced = asyncio.run(_announced(home))
    heads = chosen(_by_school(announced), school)
    database = describe(f"postgresql://postgres@127.0.0.1:{port}/postgres", "audit", home.keys)
    done = _verifier(home, "log", heads, SAMEN_DATABASE_URL=database.dsn, SAMEN_LOG_DIR=str(home.log))
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    if as_json:
        print_json(reports)
    else:
        print_reports(reports)
    if len(reports) != len(heads):
        Console(stderr=True).print("[red]the check did not end:[/] " + escape(done.stderr[-500:]))
    raise typer.Exit(done.returncode or int(_silent(announced)))


@app.command()
def heads(school: Annotated[str | None, ONE] = None, directory: Dir = None) -> None:
    """Print what each service says its last number is, a school: what a verifier elsewhere must know."""
    announced = asyncio.run(_announced(Home(directory)))
    sys.stdout.write(json.dumps(chosen(_by_school(announced), school)) + "\n")
    raise typer.Exit(int(_silent(announced)))


def chosen(heads: dict[str, dict[str, int]], school: str | None) -> dict[str, dict[str, int]]:
    """Return the schools to check; ends the command when there is nothing to check, for that is not "nothing wrong"."""
    wanted = heads if school is None else {name: known for name, known in heads.items() if name == school}
    if wanted:
        return wanted
    told = f"the schools are {', '.join(heads)}" if heads else "no service tells of any school: see `samen status`"
    Console(stderr=True).print(f"[red]nothing was checked:[/] {escape(told)}")
    raise typer.Exit(1)


async def _announced(home: Home) -> Json:
    """Return heads by service; a busy one gets a few rounds to say its own."""
    heads: Json = {}
    async with Client(home) as client:
        for _ in range(ROUNDS):
            for producer, schools in (await client.announcements())[0].items():
                heads.setdefault(producer, {}).update(schools)
            if heads.keys() >= set(NAMES):
                break
    return heads


def _silent(announced: Json) -> bool:
    """Tell which services did not say how far they have come: nothing is held against these."""
    silent = ", ".join(name for name in NAMES if name not in announced)
    if silent:
        told = f"{silent} did not say how far they have come: whether all of theirs is in the log is not known"
        Console(stderr=True, soft_wrap=True).print(f"[red]{told}. See `samen status`, then run it again.[/]")
    return bool(silent)


def _by_school(announced: Json) -> dict[str, dict[str, int]]:
    heads: dict[str, dict[str, int]] = defaultdict(dict)
    for producer, schools in announced.items():
        for school, (_, seq, _) in schools.items():
            heads[school][producer] = seq
    return dict(sorted(heads.items()))
