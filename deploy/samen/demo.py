"""`samen demo`: a made-up foundation plays half a year on the real platform, and every promise is checked."""

from __future__ import annotations

import asyncio
import fcntl
import getpass
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from deploy.databases import describe
from deploy.demo.report import explore, show
from deploy.demo.run import Result, perform
from deploy.demo.stage import Stuck
from deploy.embedded.process import ProcessMark
from deploy.home import Home
from deploy.samen.client import operator_id
from deploy.samen.up import Dir, stop_on_signals
from deploy.supervisor import AlreadyRunning, Supervisor
from deploy.topology import NAMES
from shared.errors import Problem

T = TypeVar("T")

FOLDER = Path(".samen-demo")
MARKER = "made-by-samen-demo"
APART = Path("/var/lib/samenkracht-")
STOPPED = 130
WORDS = TextColumn("{task.description}", table_column=Column(ratio=1))


class NotOurs(RuntimeError):
    """The folder holds something that no demo made; it is left alone."""


class Stopped(Exception):
    """Ctrl-C."""


class Watched:
    """Shows each scene as a line with a bar."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._name = ""

    def scene(self, text: str, steps: int | None = None) -> None:
        """Begins a line; the one before it is done. What repeats itself (a colon ends its name) shares a line."""
        same = self._task is not None and ":" in text and self._name == text.partition(":")[0]
        if self._task is None or not same:
            self._finish()
            self._task = self._progress.add_task("", total=steps)
        self._name = text.partition(":")[0]
        self._progress.update(self._task, description=text, total=steps)

    def step(self) -> None:
        """Moves the bar on, and its end too when there is more to do than was known."""
        if self._task is None:
            return
        self._progress.advance(self._task)
        task = next(one for one in self._progress.tasks if one.id == self._task)
        if task.total is not None and task.completed > task.total:
            self._progress.update(self._task, total=task.completed)

    def _finish(self) -> None:
        if self._task is not None:
            task = next(one for one in self._progress.tasks if one.id == self._task)
            total = task.total if task.total is not None else 1
            self._progress.update(self._task, total=total, completed=total)
            self._progress.stop_task(self._task)
            # A window holds fewer lines than there are scenes: what is done goes above it, and scrolls away.
            self._progress.print(self._progress.make_tasks_table([task]))
            self._progress.remove_task(self._task)
            self._task = None

    def end(self) -> None:
        """Finishes the last line."""
        self._finish()


def start_from_empty(home: Home) -> None:
    """Empties the demo's folder, after stopping what a killed demo left; touches no folder that is not a demo's."""
    if (home.root / MARKER).exists():
        _stop_left_behind(home)
        # PostgreSQL's part may lie apart, where its user can get at it.
        for pointer in home.root.glob("*/moved-to"):
            apart = Path(pointer.read_text().strip())
            if apart.parent == APART.parent and apart.name.startswith(APART.name):
                shutil.rmtree(apart, ignore_errors=True)
        shutil.rmtree(home.root)
    elif home.root.exists() and (not home.root.is_dir() or any(home.root.iterdir())):
        raise NotOurs(f"{home.root} holds something else: name an empty or new folder with --dir")
    try:
        home.ensure()
        (home.root / MARKER).touch()
    except OSError as error:
        raise NotOurs(f"{home.root} cannot be made ({error.strerror}): name another folder with --dir") from None


def _stop_left_behind(home: Home) -> None:
    try:
        with (home.run / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        told = f"a demo runs in {home.root} already: stop it with Ctrl-C, or `samen down --dir {home.root}`"
        raise AlreadyRunning(told) from None
    except FileNotFoundError:
        pass  # it never came to start
    marks = home.state().get("processes", {})
    for name in sorted(marks, key=lambda one: one in ("postgres", "nats")):
        how = signal.SIGINT if name == "postgres" else signal.SIGTERM
        ProcessMark(marks[name]["pid"], marks[name]["started_at"]).stop(how)


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Play, check, stop; do not stay up.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes up the same foundation.")] = 1,
    children: Annotated[int, typer.Option("--children", min=8, max=2000, help="How many children.")] = 200,
    directory: Dir = None,
) -> None:
    """Play half a year at two made-up schools, check every promise, stay up to look around. Starts from empty."""
    console, home = Console(stderr=as_json), Home(directory or FOLDER)
    stop = stop_on_signals()
    try:
        start_from_empty(home)
    except NotOurs as refusal:
        console.print(Text(str(refusal), style="red"))
        raise typer.Exit(1) from None
    os.environ["SAMEN_NOTICES_QUIET"] = "none"  # half a year in a minute, also at night: what is told comes at once
    supervisor = Supervisor(home)
    watch = threading.Thread(target=supervisor.watch, args=(stop,), daemon=True)
    try:
        with console.status("starting") as status:
            supervisor.start(lambda step: status.update(f"starting: {step}"))
        watch.start()
        code = _run(supervisor, stop, console, seed, children, headless=headless, as_json=as_json)
    except Stopped:
        code = STOPPED
    finally:
        stop.set()  # the watch must not start again what is being stopped
        with console.status("stopping"):
            if watch.is_alive():
                watch.join()
            supervisor.stop()
    raise typer.Exit(code)


def _run(
    supervisor: Supervisor,
    stop: threading.Event,
    console: Console,
    seed: int,
    children: int,
    *,
    headless: bool,
    as_json: bool,
) -> int:
    try:
        result = _play(supervisor, stop, console, seed, children)
    except (Stuck, Problem) as error:
        console.print(Text(str(error), style="red"))
        if as_json:
            _print({"held": False, "error": str(error)})
        return 1
    if as_json:
        _print(result.figures())
    else:
        show(result, console)
    if not headless:
        explore(result, supervisor.home, console)
        stop.wait()
    return 0 if result.held else 1


def _print(figures: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    sys.stdout.flush()


def _play(supervisor: Supervisor, stop: threading.Event, console: Console, seed: int, children: int) -> Result:
    home = supervisor.home
    databases = {name: describe(supervisor.postgres.admin_dsn, name, home.keys) for name in NAMES}
    columns = (SpinnerColumn(finished_text="[green]✓[/]"), WORDS, BarColumn(bar_width=24))
    counted = MofNCompleteColumn(table_column=Column(min_width=9))
    with Progress(*columns, counted, TimeElapsedColumn(), console=console, expand=True) as progress:
        watched = Watched(progress)
        operator = operator_id(getpass.getuser())
        playing = perform(home, databases, operator, seed=seed, children=children, show=watched)
        result = asyncio.run(_unless(stop, playing))
        watched.end()
    return result


async def _unless(stop: threading.Event, work: Coroutine[Any, Any, T]) -> T:
    """Awaits `work`, unless `stop` is set first."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=0.1)
        if stop.is_set() and not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise Stopped
    return task.result()
