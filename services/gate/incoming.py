"""The door on which tools ask: `in.<account>.<service>.<name>`, as it comes over from each tool's own account.

The connection is one of its own, so that a flood can't take along what goes out. Whoever can be told gets an answer: a
result or a problem. What comes too fast is told when to come again; who goes on is paused.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import random

import nats.errors
import pydantic_core
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from services.gate.allowed import CALLS, GATE
from services.gate.arriving import ANSWERED_TO, Arrival, Stray, account_of, arrival
from services.gate.calling import Calls, Received
from services.gate.rates import Rates, Verdict
from services.gate.registry import Known, Registry
from shared.clock import Clock
from shared.errors import Problem, ProblemType
from shared.rpc import LARGEST_REPLY, TRACEPARENT, time_left
from shared.telemetry import Telemetry
from shared.unit_run import problem

ASKED = "in.*.>"
MOST = 512
"""So many requests are worked on at once, of all tools together."""
TRACED = 0.05
"""The share of requests that is traced: the gate is a door, and what a tool's own flag says counts for nothing."""

CutOff = Callable[[Known], Awaitable[None]]


@dataclass(slots=True)
class ToolDoor:
    """Takes what tools ask, and answers. `cut_off` pauses a tool that floods."""

    calls: Calls
    registry: Registry
    rates: Rates
    telemetry: Telemetry
    clock: Clock
    cut_off: CutOff
    traced: float = TRACED
    _listening: Subscription | None = None
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, client: Client) -> None:
        """Subscribes, in the gate's queue group."""
        self._listening = await client.subscribe(ASKED, queue=GATE, cb=self.take)

    async def take(self, message: Msg) -> None:
        """Starts the work on one request, or says that there is too much; never waits."""
        account = account_of(message.subject)
        tool = self.registry.tools.get(account)
        if tool is None:
            self._start(self._look_for(account, message))
        else:
            self._judge(account, tool, message)

    async def _look_for(self, account: str, message: Msg) -> None:
        tool = await self.registry.find(account)
        if tool is not None:
            self._judge(account, tool, message)
            return
        self._stray("unknown_account")
        if message.reply.startswith(ANSWERED_TO):
            await _respond(message, _told(problem("forbidden")))

    def _judge(self, account: str, tool: Known, message: Msg) -> None:
        verdict, wait_s = self.rates.judge(account, asyncio.get_running_loop().time())
        if verdict is Verdict.SERVED:
            if len(self._under_way) >= MOST:
                full = Problem(ProblemType.UNAVAILABLE, "too much work at once: try again in a second")
                self._start(_respond(message, _told(full)))
                return
            self.rates.began(account)
            self._start(self._work(tool, message))
        elif verdict is Verdict.FLOOD:
            self._start(self.cut_off(tool))
        elif verdict is not Verdict.DROPPED and message.reply.startswith(ANSWERED_TO):
            self.telemetry.refused.labels("rate_limited").inc()
            detail = f"too many requests: send the next after {wait_s:.2f} seconds, and then no more than you are told"
            limited = Problem(ProblemType.RATE_LIMITED, detail, retry_after_s=round(wait_s, 3))
            self._start(_respond(message, _told(limited)))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _stray(self, code: str) -> None:
        self.telemetry.unverified("tool-request", code)

    async def _work(self, tool: Known, message: Msg) -> None:
        try:
            asked = arrival(message.subject, message.reply, message.headers)
            await self._answer(tool, asked, message)
        except Stray as stray:
            self._stray(str(stray))
        finally:
            self.rates.ended(tool.account)

    async def _answer(self, tool: Known, asked: Arrival, message: Msg) -> None:
        loop, headers = asyncio.get_running_loop(), message.headers or {}
        started, within_s = loop.time(), time_left(headers, self.clock)
        name = asked.name if _listed(asked, self.calls) else "tool-request"
        with self.telemetry.request(name, self._trace(headers.get("traceparent", ""))) as span:
            outcome, told = await self._answered(
                tool, asked, Received(message.data, headers, span.traceparent, within_s, started)
            )
            span.outcome(outcome)
        self.telemetry.answered(name, outcome, loop.time() - started)
        # Data is not released past its deadline; a refusal holds none, and whoever waits is told.
        if outcome != "ok" or loop.time() - started <= within_s:
            await _respond(message, told)

    async def _answered(self, tool: Known, asked: Arrival, sent: Received) -> tuple[str, bytes]:
        try:
            if sent.within_s <= 0:
                raise problem("overdue")
            told = await self.calls.answer(tool, asked, sent)
            if len(told) > LARGEST_REPLY:
                raise Problem(ProblemType.TOO_LARGE, "the answer is too large: ask for less at a time")
        except Problem as refusal:
            return refusal.type.value, _told(refusal)
        except Exception:  # noqa: BLE001  told to the tool, and an alarm
            self.telemetry.alarm("request_failed", "a request failed", endpoint=asked.service)
            return "error", _told(problem("unreachable"))
        return "refused" if told.startswith(b'{"problem"') else "ok", told

    def _trace(self, given: str) -> str | None:
        """Returns what goes on with the request: the tool's own trace where it has one, with our decision in it."""
        if not TRACEPARENT.fullmatch(given):
            return None
        return given[:-2] + ("01" if random() < self.traced else "00")  # noqa: S311  no secret

    async def close(self, within_s: float) -> None:
        """Takes nothing new, and waits until what is under way is answered."""
        if self._listening is not None:
            with contextlib.suppress(nats.errors.Error):
                await self._listening.unsubscribe()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within_s)


def _listed(asked: Arrival, calls: Calls) -> bool:
    return (asked.service, asked.name) in CALLS or (asked.service == GATE and asked.name in calls.own)


def _told(refusal: Problem) -> bytes:
    return pydantic_core.to_json({"problem": refusal.to_json()})


async def _respond(message: Msg, told: bytes) -> None:
    message.headers = None  # `respond` would send the request's back
    try:
        await message.respond(told)
    except (nats.errors.Error, OSError):
        return
