"""What a check of whole logs found, in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.samen.tables import print_table

Json = dict[str, Any]
BUILD_ANEW = (
    "{school}: of the files that readers get, {file} is the first that is not made of the log's lines; the lines in "
    "the database are those that were signed. Build the files anew from them: RUNBOOK, 'Verify the log'."
)
BOTH_WRONG = (
    "{school}: of the files that readers get, {file} is the first that is not made of the lines in the database, and "
    "these are not whole either. Change nothing, copy both, and raise it with the auditor: RUNBOOK, 'Verify the log'."
)


def print_reports(reports: list[Json]) -> None:
    """Print what was checked, what was found, and what to do about files that are not the log's."""
    console = Console()
    table = Table("school", "lines", "signed", "checkpoints", "producers", "root", "found", title="Audit logs")
    for one in reports:
        producers = ", ".join(f"{name} 1..{seq}" for name, seq in one["producers"].items())
        codes = Counter(finding["code"] for finding in one["findings"])
        found = "\n".join(f"{code}: {count}" for code, count in codes.items())
        verdict = f"[red]{found}[/]" if found else "[green]nothing wrong[/]"
        counts = (str(one["lines"]), str(one["signed"]), str(one["checkpoints"]))
        table.add_row(one["school"], *counts, producers, one["root"][:16], verdict)
    print_table(table, console)
    for one in reports:
        for finding in one["findings"][:10]:
            where = finding.get("file") or finding["producer"]
            console.print(f"{one['school']}: {finding['code']} at {f'{where} ' if where else ''}{finding['at']}")
        if bad := next((finding["file"] for finding in one["findings"] if "file" in finding), None):
            whole = all("file" in finding for finding in one["findings"])
            told = BUILD_ANEW if whole else BOTH_WRONG
            Console(soft_wrap=True).print(escape(told.format(school=one["school"], file=bad)))
