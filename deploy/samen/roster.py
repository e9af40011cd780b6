"""`samen roster import`: a OneRoster 1.2 delivery into the networks of its schools."""

from __future__ import annotations

import asyncio
import csv
import getpass
import json
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, TextIO
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.fresh import beside, into_place
from deploy.home import Home
from deploy.samen.asking import effect_words
from deploy.samen.client import Client, operator_id
from deploy.samen.oneroster_batches import HINTS
from deploy.samen.oneroster_lines import COLUMNS
from deploy.samen.oneroster_records import BadFolder, Issue
from deploy.samen.roster_import import COUNTS, How, Report, import_folder
from deploy.samen.tables import print_table
from deploy.samen.up import Dir

app = typer.Typer(no_args_is_help=True, help="Rosters: who is at school, from the pupil administration.")

SHOWN = 50
REFUSED_RC = 3
"""What could be taken in was, but not every row: 0 would hide that from who runs it by night."""


def show(report: Report, console: Console) -> None:
    """Prints what was done, and line by line what was refused and what to do about it."""
    table = Table(title="Roster: this is what would happen, nothing was changed" if report.dry else "Roster")
    for column in ("school", *COUNTS, "refused", ""):
        table.add_column(column, justify="left" if column in {"school", ""} else "right")
    for one in report.schools:
        word = "[red]not taken in[/]" if one.failed else "opened" if one.opened else ""
        counts = [str(one.counts[name]) for name in (*COUNTS, "refused")]
        table.add_row(escape(f"{one.slug} ({one.name})"), *counts, word)
    print_table(table, console)
    if report.issues:
        console.print(_issues(report.issues[:SHOWN]))
    if report.issue_count > SHOWN:
        console.print(f"and {report.issue_count - SHOWN} more: --report <file> has every line")
    for one in report.schools:
        if one.effect:
            console.print(f"{escape(one.slug)}, what ended: {effect_words(one.effect)}")
        if one.failed:
            console.print(f"[red]{escape(one.slug)}: {escape(one.failed)}[/]")
    if report.delta:
        console.print("This delivery holds changes only: only what it marks as deleted was ended.")
    elif not report.complete:
        console.print("Rows were refused, so nobody's absence was taken as having left. Mend the files and run again.")


def _issues(issues: list[Issue]) -> Table:
    table = Table(title="What to mend in the files")
    for column in ("where", "what", "do"):
        table.add_column(column)
    for issue in issues:
        table.add_row(issue.at, issue.code, HINTS.get(issue.code, ""), style="dim" if issue.note else "")
    return table


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="The folder with the OneRoster 1.2 CSV files.")],
    school: Annotated[
        list[str] | None, typer.Option("--school", help="slug, or slug=sourcedId of the org; repeat it. Default: all.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    allow_ending: Annotated[
        int, typer.Option(min=0, help="So many people or links of a school may end, even if that is over 10 %.")
    ] = 0,
    report: Annotated[
        Path | None, typer.Option(help="Write what became of each line to this new file, as CSV.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print what became of each line, as CSV.")] = False,
    directory: Dir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Take a OneRoster delivery in; the same one twice changes nothing. Exit status 3: some rows were refused."""
    if verbose and as_json:
        raise typer.BadParameter("--verbose and --json both print to the same place: choose one, or --report <file>")
    console = Console(stderr=as_json)
    today = datetime.now(ZoneInfo("Europe/Amsterdam")).date()

    async def work(how: How) -> Report:
        async with Client(Home(directory)) as client:
            return await import_folder(client, operator_id(getpass.getuser()), folder, school or [], today, how)

    try:
        with ExitStack() as stack:
            status = stack.enter_context(console.status("reading"))
            lines = _lines(report, stack, verbose=verbose)
            done = asyncio.run(work(How(dry_run, allow_ending, status.update, lines)))
    except BadFolder as bad:
        console.print(f"[red]{escape(str(bad))}[/]")
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps(done.to_json(), indent=1) + "\n")
    else:
        show(done, console)
    if not done.ok:
        raise typer.Exit(1)
    if refused := done.refused:
        told = f"{refused} rows were refused" + ("" if done.dry else ", the others were taken in")
        Console(stderr=True, soft_wrap=True).print(f"[yellow]{told}: exit status {REFUSED_RC}[/]")
        raise typer.Exit(REFUSED_RC)


def _lines(path: Path | None, stack: ExitStack, *, verbose: bool) -> Callable[[Iterable[tuple[object, ...]]], None]:
    """Returns what writes the report to where it was asked for: a new file, whole or not at all, for its owner only.

    Its place is tried now: an import is not done to find then that it can't be told.
    """
    writers = [csv.writer(sys.stdout)] if verbose else []
    report = None if path is None else _begun(path, stack)
    if report is not None:
        writers.append(csv.writer(report))

    def write(rows: Iterable[tuple[object, ...]]) -> None:
        for writer in writers:
            writer.writerow(COLUMNS)
        for row in rows if writers else ():
            for writer in writers:
                writer.writerow(row)
        if path is not None and report is not None:
            report.close()
            into_place(Path(report.name), path)

    return write


def _begun(path: Path, stack: ExitStack) -> TextIO:
    try:
        made = stack.enter_context(beside(path)) / "report"
        made.touch(mode=0o600)
        return stack.enter_context(made.open("w", newline="", encoding="utf-8"))
    except OSError as error:
        why = error.strerror or "it is there already"
        raise BadFolder(f"{path} can't be written ({why}): name another file for the report") from None
