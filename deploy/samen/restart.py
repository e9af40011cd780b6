"""`samen restart`: end services in order, and see them up again with what stands in their files now."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer
from rich.console import Console

from deploy.embedded.process import ProcessMark
from deploy.home import Home
from deploy.samen.up import Dir
from deploy.supervisor import ask
from deploy.topology import NAMES

PATIENCE_S = 60.0
CONTAINERS = "something else runs this platform: in containers, `docker compose -f deploy/compose.yaml restart {names}`"


def restart(
    services: Annotated[list[str], typer.Argument(help=f"Of {', '.join(NAMES)}.")],
    directory: Dir = None,
) -> None:
    """Stop services in order and have them start again with what is in their files now."""
    wanted = list(dict.fromkeys(services))
    if unknown := [name for name in wanted if name not in NAMES]:
        told = f"no such service: {', '.join(unknown)}; the services are {', '.join(NAMES)}"
        raise typer.BadParameter(told, param_hint="SERVICES")
    home = Home(directory)
    processes = home.running().get("processes")
    if processes is None:
        Console(stderr=True, soft_wrap=True).print(f"[red]{CONTAINERS.format(names=' '.join(wanted))}[/]")
        raise typer.Exit(1)
    console = Console(highlight=False)
    for name in wanted:  # one after another: replicas and witnesses go on meanwhile
        took = asyncio.run(_again(home, name, processes.get(name)))
        console.print(f"{name} is ready again, after {took:.1f} s")


async def _again(home: Home, name: str, was: dict[str, float] | None) -> float:
    """Ends the process, which `samen up` then starts anew, and waits until it is ready; returns the seconds."""
    began = time.monotonic()
    if was is not None:
        await asyncio.to_thread(ProcessMark(int(was["pid"]), was["started_at"]).stop)
    while time.monotonic() - began < PATIENCE_S:
        now = home.state().get("processes", {}).get(name)
        port = home.service_port(name)
        is_new = now is not None and now != was
        if is_new and port is not None and (await asyncio.to_thread(ask, port, "/ready"))[0] == 200:
            return time.monotonic() - began
        await asyncio.sleep(0.1)
    Console(stderr=True, soft_wrap=True).print(f"[red]{name} is not ready after {PATIENCE_S:g} s: see its log[/]")
    raise typer.Exit(1)
