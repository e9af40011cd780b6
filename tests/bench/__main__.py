"""`python -m tests.bench [name ...] [--runs n] [--json]`: the issue's figures as ratios within one run."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from types import FrameType

import uvloop
from rich.console import Console
from rich.table import Table

from tests.bench import machine
from tests.bench.figures import (
    access,
    audit,
    commands,
    gate,
    gate_accounts,
    gate_hooks,
    gate_in,
    goals,
    mail,
    network,
    notices,
    size,
    sustained,
    transport,
)
from tests.bench.harness import Report, Verdict
from tests.bench.servers import BenchServers, running

Figure = Callable[[BenchServers, int], Awaitable[list[Report]]]

FIGURES: dict[str, Figure] = {
    "light": commands.light,
    "commands": commands.commands,
    "queries": commands.queries,
    "sustained": sustained.sustained,
    "relay": transport.relay,
    "durable": transport.durable,
    "projection": transport.projection,
    "withdrawal": access.withdrawal,
    "may": access.may,
    "audit": audit.audit,
    "verify": audit.verify,
    "memory": size.memory,
    "start": size.start,
    "goals": goals.goals,
    "network": network.network,
    "roster": network.import_roster,
    "mail": mail.mail,
    "gate-accounts": gate_accounts.accounts,
    "notices": notices.notices,
    "gate-out": gate.gate_out,
    "gate-hooks": gate_hooks.gate_hooks,
    "gate-in": gate_in.gate_in,
}
SYNC = {"durable": "always"}
"""JetStream's sync_interval, where a figure asks for another than the server's own."""
RUNS = 3
FIGURE_TIMEOUT_S = 1_800.0


async def measured(name: str, runs: int) -> tuple[dict[str, str], list[Report]]:
    """Measures one figure on servers of its own; returns what they ran on and the outcome."""
    figure = FIGURES[name]
    with running(SYNC.get(name, "2m")) as servers:
        about = machine.describe(servers.root)
        async with asyncio.timeout(FIGURE_TIMEOUT_S):
            return about, await figure(servers, runs)


def show(console: Console, found: Report) -> None:
    """Prints a figure: its measures, then what was asked beside what was measured."""
    table = Table(title=found.figure, title_justify="left", title_style="bold")
    for column in ("side", "measure", "median", "range", "runs"):
        table.add_column(column, justify="left" if column in {"side", "measure"} else "right")
    for m in found.measures:
        table.add_row(m.side, m.name, f"{m.median:,.1f}", f"{m.lowest:,.1f} - {m.highest:,.1f}", str(m.runs))
    console.print(table)
    for verdict in found.verdicts:
        console.print("  " + sentence(verdict))
    for note in found.notes:
        console.print(f"  ({note})")
    console.print()


def sentence(verdict: Verdict) -> str:
    """Returns a verdict in words."""
    measured = "not measured" if verdict.measured is None else f"{verdict.measured:.2f}"
    met = {True: "met", False: "FALLS SHORT", None: "reported"}[verdict.met]
    return f"{verdict.target}: asked {verdict.asked or 'nothing'}, measured {measured}: {met}"


def _end(number: int, frame: FrameType | None) -> None:
    """Ends as an exit does, so that the servers are stopped and their folder removed."""
    del frame
    raise SystemExit(128 + number)


def main() -> None:
    """Measures and prints; exits 0 whatever was measured, since a figure is no test."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *FIGURES], help="figures to measure; none: all")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs a side, in turn; the median counts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    console = Console(stderr=given.json, width=120)
    about: dict[str, str] = {}
    reports: list[Report] = []
    for name in given.names or FIGURES:
        about, found = uvloop.run(measured(name, given.runs))
        if not reports:
            console.print("\n".join(f"{key}: {value}" for key, value in about.items()), "\n")
        reports += found
        for one in found:
            show(console, one)
    if given.json:
        sys.stdout.write(json.dumps({**about, "figures": [one.to_json() for one in reports]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
