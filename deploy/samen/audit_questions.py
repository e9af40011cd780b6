"""`samen audit`, further: what the judge found, emergencies, consents as they stood, exports, the story for parents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.pack.words import FINDINGS
from deploy.samen.asking import as_json as print_json
from deploy.samen.audit import (
    FORMATS,
    Before,
    Json,
    Kind,
    Limit,
    Since,
    Until,
    Who,
    ask,
    moment,
    page,
    print_lines,
    print_more,
)
from deploy.samen.options import As, AsJson, Language, School, WhyLog
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.words import Purpose

From = Annotated[datetime, typer.Option("--from", formats=FORMATS, help="Lines committed from this moment on (UTC).")]
To = Annotated[datetime, typer.Option("--to", formats=FORMATS, help="Before this moment (UTC).")]
On = Annotated[
    datetime | None, typer.Option("--on", formats=FORMATS, help="As they stood then (UTC); now if left out.")
]
Known = Annotated[
    datetime | None, typer.Option("--known", formats=FORMATS, help="By what was recorded then (UTC); now if left out.")
]
Lang = Annotated[Language, typer.Option("--lang", help="Of the sentences.")]
CHILD = typer.Argument(help="The child's id.")
PERIOD = 200
CODES = FINDINGS.keys() | {
    "position_not_in_log",
    "revision_differs",
    "sent_unlike_claim",
    "sent_without_claim",
}
"""All that the judge can find; a report's readers have words for most."""


def findings(
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    code: Annotated[str | None, typer.Option("--code", help="Only findings with this code.")] = None,
    limit: Limit = 50,
    before: Before = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show what the judge found: lines that were not allowed, or not on the basis they claim."""
    if code is not None and code not in CODES:
        raise typer.BadParameter(f"there is none of that name: {', '.join(sorted(CODES))}", param_hint="--code")
    body = {"purpose": purpose, "code": code, "limit": limit, "before": before}
    found = ask(directory, school, person, "findings", body)
    if as_json:
        print_json(found)
        return
    print_findings(found["findings"])
    Console().print(f"Judged: {found['judged']} of {found['size']} lines.")
    print_more(found)


def print_findings(found: list[Json]) -> None:
    """Print findings with both sides: what the line says, and what the log shows."""
    console = Console(highlight=False)
    if not found:
        console.print("[green]Nothing was found.[/]")
        return
    table = Table("nr", "code", "the line says", "the log shows", title="Findings")
    for one in found:
        table.add_row(str(one["idx"]), one["code"], *(escape(_words(one[side])) for side in ("says", "shows")))
    print_table(table, console)


def _words(side: Json) -> str:
    return "\n".join(f"{name}: {value}" for name, value in side.items() if value not in (None, [], ""))


def judge(
    school: School,
    person: As,
    since: From,
    until: To,
    purpose: WhyLog = Purpose.OVERSIGHT,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Judge a period anew, whatever was found before. Exit status 0: nothing was found."""
    if since >= until:
        raise typer.BadParameter("the period ends before it begins: --to is the later one", param_hint="--from, --to")
    body: Json = {"purpose": purpose, "since": moment(since), "until": moment(until), "limit": PERIOD}
    found: list[Json] = []
    judged, waiting, first = 0, 0, None
    while True:
        part = ask(directory, school, person, "judge", body | {"first": first})
        found += part["findings"]
        judged += part["judged"]
        waiting += part["waiting"]
        first = part["next"]
        if first is None:
            break
    if as_json:
        print_json({"judged": judged, "waiting": waiting, "findings": found})
    elif not judged and not waiting:
        Console(soft_wrap=True).print(
            "[yellow]Nothing was judged: no line was recorded in that period. It goes by when lines were recorded, "
            "not by when it happened.[/]"
        )
    else:
        print_findings(found)
        Console().print(f"Judged: {judged} lines.")
        if waiting:
            Console(soft_wrap=True).print(
                f"[yellow]Not judged yet: {waiting} lines, for the log lacks what network told before them. Run it "
                "again in a minute; if they stay, see `samen status`.[/]"
            )
    raise typer.Exit(1 if found else 0)


def exports(
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
    """Show what was exported or taken along."""
    body = page(purpose, since, until, category, before) | {"who": who, "limit": limit}
    print_lines(ask(directory, school, person, "exports", body), "Exports", as_json=as_json)


def log_looks(
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    since: Since = None,
    until: Until = None,
    who: Who = None,
    limit: Limit = 50,
    before: Before = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show who looked at the log itself; this look becomes a line too."""
    body = page(purpose, since, until, None, before) | {"who": who, "limit": limit}
    print_lines(ask(directory, school, person, "log-looks", body), "Looks at the log", as_json=as_json)


def break_glass(
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    child: Annotated[UUID | None, typer.Option("--child", help="Only to this child.")] = None,
    limit: Limit = 50,
    before: Before = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show every emergency access, and whether somebody reviewed it."""
    body = {"purpose": purpose, "child": child, "limit": limit, "before": before}
    found = ask(directory, school, person, "break-glass", body)
    if as_json:
        print_json(found)
        return
    table = Table("nr", "child", "who", "role", "from", "until", "review", title="Emergency access")
    for one in found["emergencies"]:
        cells = (one["idx"], one["child"], one["member"], one["role"], one["starts_at"][:16], one["ends_at"][:16])
        table.add_row(*map(str, cells), _review(one))
    print_table(table if found["emergencies"] else "No emergency access.")
    for notice in found["held_back"]:
        Console(highlight=False, soft_wrap=True).print(escape(notice))
    print_more(found)


def _review(one: Json) -> str:
    if one["review"] is None:
        return "[red]nobody, and too late[/]" if one["overdue"] else f"waits, until {one['review_due_at'][:16]}"
    late = "" if one["review"]["in_time"] else ", too late"
    return f"{one['review']['outcome']} by {one['review']['by']}{late}"


def consents(
    child: Annotated[UUID, CHILD],
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    on: On = None,
    known: Known = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show a child's consents as they stood on a date, and as was known on a date."""
    body = {"purpose": purpose, "child": child, "on": moment(on), "known": moment(known)}
    found = ask(directory, school, person, "consents", body)
    if as_json:
        print_json(found)
        return
    columns = ("consent", "state", "purpose", "to", "categories", "from", "until", "answers")
    table = Table(title=f"Consents on {found['on'][:16]}")
    for column in columns:
        table.add_column(column, overflow="fold")
    for one in found["consents"]:
        answers = "\n".join(f"{a['answer']} by {a['giver'][:8]} {(a['at'] or '')[:10]}" for a in one["answers"])
        named = (f"{one['consent'][:8]} v{one['version']}", one["state"], one["purpose"], one["recipient"])
        table.add_row(*named, ", ".join(one["categories"]), one["starts_at"][:10], one["ends_at"][:10], answers)
    print_table(table if found["consents"] else "No consents.")


def story(
    child: Annotated[UUID, CHILD],
    school: School,
    person: As,
    lang: Lang = Language.DUTCH,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    before: Before = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Tell a guardian or young person who looked, in plain sentences."""
    body: dict[str, Any] = page(Purpose.OWN_DATA, since, until, None, before)
    found = ask(directory, school, person, "story", body | {"child": child, "language": lang, "limit": limit})
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False, soft_wrap=True)
    times = Counter(one["sentence"] for one in found["sentences"])  # in their order; what is told alike is told once
    for sentence, count in times.items():
        more = "" if count == 1 else f" ({count} keer)" if lang is Language.DUTCH else f" ({count} times)"
        console.print(escape(sentence + more))
    if not found["sentences"]:
        console.print("Er is niets te zien." if lang is Language.DUTCH else "There is nothing to see.")
    for notice in found["held_back"]:
        console.print(escape(notice))
    if found["next"] is not None:
        more = "Er is meer: voeg toe" if lang is Language.DUTCH else "There is more: add"
        console.print(f"{more} --before {found['next']}")


COMMANDS: dict[str, Callable[..., None]] = {
    "findings": findings,
    "judge": judge,
    "exports": exports,
    "log-looks": log_looks,
    "break-glass": break_glass,
    "consents": consents,
    "story": story,
}


def add_to(app: typer.Typer) -> None:
    """Add these commands to `samen audit`."""
    for name, command in COMMANDS.items():
        app.command(name=name)(command)
