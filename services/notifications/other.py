"""What a school has set up itself, through Apprise, in a process of its own.

That process knows no key, no database and no bus; it may connect to public addresses only, start nothing and send
nothing late (outlet_worker.py). What it says goes wrong is a code: a library's words may quote a URL.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.notifications.channel import ChannelDown, Letter, NotSent, Target, left
from services.notifications.mail_page import short

WORKER = "services.notifications.outlet_worker"
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "PYTHONPATH", "VIRTUAL_ENV")
START_WITHIN_S = 20.0
LONGEST_LINE = 4096


class OtherChannel:
    """One worker process, started when it is needed, ended when it hangs."""

    def __init__(self, schemes: Sequence[str], link: str, patience_s: float, also: Sequence[str] = ()) -> None:
        """`also` names addresses that may be connected to although they are not public: none, but in tests."""
        self._arguments = ("-m", WORKER, *also)
        self._schemes = frozenset(schemes)
        self._link = link
        self._patience_s = patience_s
        self._process: asyncio.subprocess.Process | None = None

    async def ready(self) -> None:
        """Starts the worker where there is none; raises ChannelDown."""
        if self._process is not None and self._process.returncode is None:
            return
        env = {name: os.environ[name] for name in INHERITED if name in os.environ}
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=env,
                limit=LONGEST_LINE,
            )
            async with asyncio.timeout(START_WITHIN_S):
                await self._line()
        except (OSError, TimeoutError, ValueError):
            await self.close()
            raise ChannelDown("worker_not_started") from None

    async def send(self, letter: Letter, to: Target, now: datetime, before: float) -> None:
        """Returns once the outlet's service has accepted the letter; raises NotSent."""
        if to.text.partition("://")[0] not in self._schemes:
            raise NotSent("scheme_not_allowed", for_good=True)
        order = {
            "url": to.text,
            "text": short(letter, self._link),
            # The worker's clock is this machine's: the loop's own reading means nothing to it.
            "before": now.timestamp() + left(before),
        }
        try:
            async with asyncio.timeout(self._patience_s):
                answer = await self._ask(order)
        except (OSError, TimeoutError, ValueError):
            await self.close()
            raise NotSent("outlet_hung", doubtful=True) from None
        if not answer["sent"]:
            raise NotSent(answer["code"], for_good=answer["code"] == "bad_url", doubtful=answer["left"])

    async def _ask(self, order: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
        if self._process is None or self._process.stdin is None:
            raise OSError("no worker")
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._line()

    async def _line(self) -> Any:  # noqa: ANN401  JSON
        if self._process is None or self._process.stdout is None:
            raise OSError("no worker")
        line = await self._process.stdout.readline()
        if not line:
            raise OSError("the worker has ended")
        return json.loads(line)

    async def close(self) -> None:
        """Ends the worker; never raises."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await process.wait()
