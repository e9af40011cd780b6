"""What the demo shows: the run's figures and checks as tables, and commands to go on with, ready to paste."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from deploy.demo.cast import Child
from deploy.demo.run import Result
from deploy.demo.stage import Who
from deploy.home import Home
from deploy.samen.roster_import import COUNTS

FIGURES = {
    "commands": "commands done",
    "queries": "queries answered",
    "refused": "commands refused (too late, already done)",
    "denials": "denials, each with its line",
    "withdrawals": "consents withdrawn",
    "events": "events in the journals",
    "audit_lines": "lines in the audit logs",
    "notifications": "notices in inboxes",
    "mails": "mails sent",
    "put_out": "events put out to schools' own tools",
    "lost": "lost",
    "duplicated": "duplicated",
    "seconds": "seconds",
}


def show(result: Result, console: Console) -> None:
    """Prints everything about a run."""
    console.print(_roster(result))
    console.print(_told(result))
    console.print(_figures(result))
    console.print(_checks(result))


def _roster(result: Result) -> Table:
    foundation = result.cast.foundation
    people, children = len(foundation.persons), len(foundation.pupils)
    table = Table(title=f"A made-up foundation: {children} children, {people} people in all (seed {result.seed})")
    for column in ("school", *COUNTS, "refused"):
        table.add_column(column, justify="left" if column == "school" else "right")
    for nth, report in zip(("", " once more"), result.imports, strict=False):
        for school in report.schools:
            counts = [str(school.counts[name]) for name in (*COUNTS, "refused")]
            table.add_row(escape(f"{school.slug} ({school.name}){nth}"), *counts)
    return table


def _told(result: Result) -> Table:
    table = Table("what happened", title="A half-year of partnership")
    table.add_column("times", justify="right")
    for text, times in sorted(result.stage.told.items()):
        table.add_row(text, str(times))
    return table


def _figures(result: Result) -> Table:
    figures = result.figures()
    table = Table("figure", title="Figures")
    table.add_column("", justify="right")
    for key, text in FIGURES.items():
        table.add_row(text, f"{figures[key]:,}")
    return table


def _checks(result: Result) -> Table:
    table = Table("promise", "", title="Promises checked")
    for name, wrong in result.found.checks.items():
        more = f"\n... and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        held = Text("held", style="green") if not wrong else Text("\n".join(wrong[:5]) + more, style="red")
        table.add_row(name, held)
    return table


def explore(result: Result, home: Home, console: Console) -> None:
    """Prints commands that show what the run left behind, with ids that exist."""
    root = home.root.relative_to(Path.cwd()) if home.root.is_relative_to(Path.cwd()) else home.root
    console.print("\n[bold]Look around[/]: in another terminal, in this folder, begin with")
    console.print(Text(f"export SAMEN_DIR={shlex.quote(str(root))} PATH=$PWD/.venv/bin:$PATH\n"), soft_wrap=True)
    for why, command in _commands(result):
        console.print(f"[dim]# {why}[/]")
        console.print(Text(f"samen {command}"), soft_wrap=True)
    console.print("\nCtrl-C stops it. The next `samen demo` starts from empty again.")


def _commands(result: Result) -> Iterator[tuple[str, str]]:
    cast = result.cast
    child = next((one for one in cast.children if one.goals and one.consents), cast.children[0])
    here, parent = f" --school {child.school}", f" --as {child.holders[0].id}"
    keeper, auditor = (f" --as {one[child.school].id}" for one in (cast.keepers, cast.auditors))
    yield "everything that runs, and how far each consumer is", "status"
    yield "the mails: nothing personal in them", "mail"
    yield "who is at this school", f"network children{here}{keeper} --all --purpose administration"
    yield "a parent looks at a child's goals", f"goals list {child.id}{here}{parent}"
    if child.goals:
        yield "one goal, its ladder and its scores over time", f"goals show {child.goals[0].id}{here}{parent}"
    yield "who is round this child", f"network show {child.id}{here}{parent}"
    yield "the consents about it", f"network consents {child.id}{here}{parent}"
    talked = next((one for one in cast.children if any(talk.reviewed for talk in one.talks)), child)
    who = f" --school {talked.school} --as {talked.holders[0].id}" if talked.holders else f"{here}{parent}"
    yield "what home and school expect of each other, turn by turn", f"network expectations {talked.id}{who}"
    yield "and what waits for this parent", f"network expectations{who}"
    yield "the parent's inbox", f"inbox list{here}{parent}"
    yield "the parent asks who looked at the child", f"audit who-saw {child.id}{here}{parent} --purpose own_data"
    yield "the auditor asks what was refused", f"audit denials{here}{auditor}"
    yield "the school's own tool, and how far it has come", f"tool lag{here}{keeper}"
    yield "anyone verifies the log", "audit verify"
    for other, carer in _denied(cast.of(child.school)):
        what = f"goals list {other.id}{here} --as {carer.id} --purpose care_coordination"
        yield "denied: the consent was refused, disputed or withdrawn", what


def _denied(children: list[Child]) -> list[tuple[Child, Who]]:
    """Returns a child and a professional who has no consent for it, if there are any."""
    found = [(child, one.carer) for child in children for one in child.consents if one.state != "given"]
    return found[:1]
