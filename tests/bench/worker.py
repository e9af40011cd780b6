"""A process under measurement that takes orders on standard input and answers on standard output, a JSON line each."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from deploy.embedded.process import tail

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
LONGEST_LINE = 64 * 1024 * 1024


class WorkerFailed(RuntimeError):
    """A process under measurement ended or answered with an error; the message holds the end of its log."""


class Worker:
    """The parent's end."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, module: str, arguments: list[str], env: Mapping[str, str], log: Path) -> Worker:
        """Starts `python -m module` and waits for its first line, which says that it is ready."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, *arguments,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=output,
                env=dict(env), limit=LONGEST_LINE,
            )  # fmt: skip
        worker = cls(process, log)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await worker._answer()
        except BaseException:
            await worker.stop()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def ask(self, do: str, **order: object) -> dict[str, Any]:
        """Sends an order and returns its answer; one at a time."""
        if self._process.stdin is None:
            raise WorkerFailed("no standard input")
        self._process.stdin.write(json.dumps({"do": do, **order}).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise WorkerFailed("no standard output")
        line = await self._process.stdout.readline()
        if not line:
            raise WorkerFailed(f"a process under measurement ended:\n{tail(self._log)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(f"{answer['error']}\n{tail(self._log)}")
        return answer

    async def stop(self) -> None:
        """Ends the process: in order, else by force."""
        if self._process.returncode is not None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def obey(handlers: Mapping[str, Handler]) -> None:
    """Says "ready", then carries out orders until standard input ends. Standard output carries answers only."""
    answers = os.dup(1)
    os.dup2(2, 1)
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    def say(answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode() + b"\n"
        os.set_blocking(answers, True)
        while data:
            data = data[os.write(answers, data) :]

    say({"ready": True})
    while line := await reader.readline():
        order = json.loads(line)
        try:
            say(await handlers[order.pop("do")](order))
        except Exception as error:  # noqa: BLE001  whatever went wrong, the parent must hear it
            say({"error": repr(error)})
