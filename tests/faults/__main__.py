"""`python -m tests.faults`: kills -9 at random moments while people work. `--attempts n`: the hammer instead, on what
is given and withdrawn. A seed plays a run's plan again."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from tests.faults import hammer, run
from tests.faults.stage import private_servers, raised
from tests.support.servers import EmbeddedServers


def main() -> int:
    """Play one run and print what it came to; 0 when nothing was lost, nothing done twice and nothing told too late."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--attempts", type=int, help="hammer so many times at what is withdrawn and given again")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    asked = parser.parse_args()
    console = Console()
    target = "hammer" if asked.attempts else "faults"
    console.print(f"seed {asked.seed}: `make {target} SEED={asked.seed}` plays it again")
    logs = Path(tempfile.mkdtemp(prefix="samen-faults-logs-"))
    with private_servers() as servers:
        if asked.attempts:
            findings = uvloop.run(_hammer(servers, logs, asked.seed, asked.attempts, console))
        else:
            findings = asyncio.run(_play(servers, logs, asked.seed, asked.kills, console))
    if findings:
        console.print(f"the services' logs are kept in {logs}")
    else:
        shutil.rmtree(logs, ignore_errors=True)
    return 1 if findings else 0


async def _play(servers: EmbeddedServers, logs: Path, seed: int, kills: int, console: Console) -> list[str]:
    async with raised(servers, logs) as stage:
        outcome = await run.play(stage, seed, kills, console.print)
    return _show(seed, outcome.figures(), outcome.findings, console)


async def _hammer(servers: EmbeddedServers, logs: Path, seed: int, attempts: int, console: Console) -> list[str]:
    def tell(under_way: hammer.Hammer) -> None:
        told = f"{under_way.answered:7}/{attempts} attempts, {under_way.struck.total():3} blows"
        console.print(f"{told}, {len(under_way.quiets):4} withdrawals told")

    async with hammer.wired(servers, logs) as (stage, wires):
        outcome = await hammer.play(stage, wires, seed, attempts, attempts // 2500, tell)
    return _show(seed, outcome.figures(), outcome.findings, console)


def _show(seed: int, figures: Mapping[str, float], findings: list[str], console: Console) -> list[str]:
    table = Table("what", "number", title=f"seed {seed}")
    for what, number in figures.items():
        table.add_row(what, str(number))
    console.print(table)
    for finding in findings[:30]:
        console.print(f"[red]{finding[:600]}[/]")
    return findings


if __name__ == "__main__":
    sys.exit(main())
