"""`samen up` and `samen down`: the whole platform on this machine."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.embedded.process import ProcessMark
from deploy.home import Home, NotRunning
from deploy.supervisor import Supervisor

Dir = Annotated[Path | None, typer.Option("--dir", help="Where the platform keeps its data.")]


def stop_on_signals() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set; a second one ends the process at once."""
    stop = threading.Event()

    def heard(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, heard)
    return stop


def up(directory: Dir = None) -> None:
    """Start everything, keep it running, stop it on Ctrl-C."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    console = Console()
    home = Home(directory)
    stop = stop_on_signals()
    supervisor = Supervisor(home)
    try:
        with console.status("starting") as status:
            supervisor.start(lambda step: status.update(f"starting: {step}"))
        console.print(table_of(supervisor))
        console.print("Ctrl-C stops it. In another terminal: [bold]samen status[/], [bold]samen mail[/].")
        supervisor.watch(stop)
    finally:
        with console.status("stopping"):
            supervisor.stop()


def table_of(supervisor: Supervisor) -> Table:
    """Return what runs, where, and where it writes its log."""
    table = Table(title=f"Samenkracht runs in {supervisor.home.root}")
    for column in ("process", "pid", "address", "log"):
        table.add_column(column)
    for name, child in supervisor.children().items():
        port = supervisor.home.service_port(name)
        address = f"http://127.0.0.1:{port}" if port else ""
        if name == "nats":
            address = supervisor.nats.url
        if name == "postgres":
            address = f"127.0.0.1:{supervisor.postgres.port}"
        table.add_row(name, str(child.pid), address, f"logs/{name}.log")
    return table


def down(directory: Dir = None) -> None:
    """Stop the platform that runs in the folder, and what a killed one left behind."""
    console, home = Console(), Home(directory)
    try:
        mark = home.running()["supervisor"]
    except NotRunning:
        left = _stop_left_behind(home)
        console.print(f"nothing ran in {home.root}" + (f"; stopped what was left: {', '.join(left)}" if left else ""))
        return
    with console.status("stopping"):
        ProcessMark(mark["pid"], mark["started_at"]).stop(signal.SIGTERM, grace_s=60)
    console.print(f"stopped; the data stays in {home.root}")


def _stop_left_behind(home: Home) -> list[str]:
    processes = home.state().get("processes", {})
    order = sorted(processes, key=lambda name: ("postgres", "nats").index(name) if name in ("postgres", "nats") else 2)
    stopped = []
    for name in reversed(order):
        how = signal.SIGINT if name == "postgres" else signal.SIGTERM
        if ProcessMark(processes[name]["pid"], processes[name]["started_at"]).stop(how):
            stopped.append(name)
    home.state_file.unlink(missing_ok=True)
    return stopped
