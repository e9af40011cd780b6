"""The door of a service: requests come in over NATS, every one of them gets an answer.

FastStream holds the subscriptions and the AsyncAPI document; the thin shell here does the rest, because FastStream's
own RPC answers nothing on a bad body or an exception (PITFALLS in the design notes, decision 0003).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

import nats.errors
import pydantic_core
from faststream.nats import NatsBroker, NatsMessage
from faststream.nats.subscriber.usecases import CoreSubscriber
from nats.aio.msg import Msg
from pydantic import BaseModel, ValidationError

from shared.actor import BadToken, OtherSchool, Verifier
from shared.bus import answer
from shared.clock import Clock, Ids
from shared.errors import Problem, ProblemType
from shared.telemetry import Telemetry
from shared.unit import Asked, Endpoint
from shared.unit_parts import Key
from shared.unit_run import Unit, problem

B = TypeVar("B", bound=BaseModel)

LARGEST_BODY = 512 * 1024
LARGEST_REPLY = 1000 * 1000
DEADLINE_S = 4.0
Replied = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""Gets the school and the reply of a command that was committed."""
KEY = re.compile(r"[A-Za-z0-9_:-]{1,100}")
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


async def _undecoded(message: NatsMessage, _original: object = None) -> NatsMessage:
    return message


def subscribe(broker: NatsBroker, service: str, endpoint: Endpoint[Any], accept: Callable[[Msg], None]) -> None:
    """Has `accept` called with every request for the endpoint; the document names its body."""
    kind = "qry" if endpoint.is_query else "cmd"

    async def receive(message: NatsMessage) -> None:
        accept(message.raw_message)

    receive.__annotations__ = {"message": endpoint.body, "return": None}
    subscriber = broker.subscriber(
        f"{kind}.*.{service}.{endpoint.name}",
        queue=service,
        no_reply=True,
        decoder=_undecoded,
        title=endpoint.name,
        description=(endpoint.body.__doc__ or "").strip() or None,
    )
    subscriber(receive)


class Door:
    """Serves a service's endpoints. At most `limit` requests are under way; the next is told `unavailable` at once."""

    def __init__(
        self,
        broker: NatsBroker,
        unit: Unit,
        verifier: Verifier,
        clock: Clock,
        ids: Ids,
        telemetry: Telemetry,
        limit: int,
        replied: Replied | None = None,
    ) -> None:
        self._broker = broker
        self._unit = unit
        self._verifier = verifier
        self._clock = clock
        self._ids = ids
        self._telemetry = telemetry
        self._limit = limit
        self._replied = replied
        self._under_way: set[asyncio.Task[None]] = set()
        self._draining = False

    def serve(self, endpoints: Iterable[Endpoint[Any]]) -> None:
        """Subscribes to every endpoint's subject, in the service's queue group."""
        for endpoint in endpoints:
            subscribe(self._broker, self._unit.service, endpoint, partial(self._accept, endpoint))

    def _accept(self, endpoint: Endpoint[Any], message: Msg) -> None:
        """Starts the work at once or says that there is too much of it; never waits, so the subscription never lags."""
        if len(self._under_way) >= self._limit:
            self._telemetry.refused.labels("overload").inc()
            full = Problem(ProblemType.UNAVAILABLE, "too much work at once: try again in a second")
            task = asyncio.create_task(self._respond(message, {"problem": full.to_json()}))
        else:
            task = asyncio.create_task(self._work(endpoint, message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _work(self, endpoint: Endpoint[Any], message: Msg) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        headers = message.headers or {}
        trace = headers.get("traceparent", "")
        traceparent = trace if TRACEPARENT.fullmatch(trace) else None
        within = time_left(headers, self._clock)
        with self._telemetry.request(endpoint.name, traceparent) as span:
            try:
                if within <= 0:
                    raise problem("overdue")
                result = await self._run(endpoint, message, headers, span.traceparent, started + within)
                told = pydantic_core.to_json({"ok": result})
                outcome = "ok"
                if len(told) > LARGEST_REPLY:
                    raise Problem(ProblemType.TOO_LARGE, "the answer is too large: ask for less at a time")
            except Problem as refusal:
                outcome = refusal.type.value
                told = pydantic_core.to_json({"problem": refusal.to_json()})
            except Exception:  # noqa: BLE001  told to the caller, and an alarm
                self._telemetry.alarm("request_failed", "a request failed", endpoint=endpoint.name)
                outcome = "error"
                told = pydantic_core.to_json({"problem": problem("unreachable").to_json()})
            span.outcome(outcome)
        self._telemetry.answered(endpoint.name, outcome, loop.time() - started)
        # Data is not released past its deadline; a refusal holds none, and whoever waits is told.
        if outcome != "ok" or loop.time() - started <= within:
            await self._respond(message, told)

    async def _run(
        self, endpoint: Endpoint[B], message: Msg, headers: dict[str, str], traceparent: str | None, by: float
    ) -> Any:  # noqa: ANN401  JSON
        school = message.subject.split(".")[1]
        token = headers.get("Authorization", "")
        try:
            actor = self._verifier.verify(token.removeprefix("Bearer "), school, self._clock.now())
        except OtherSchool as stray:
            await self._unit.deny(endpoint, stray.actor, by)
            raise problem("forbidden") from None
        except BadToken as bad:
            self._telemetry.unverified(endpoint.name, str(bad))
            raise problem("forbidden") from None
        if len(message.data) > LARGEST_BODY:
            raise Problem(ProblemType.TOO_LARGE, f"the body is larger than {LARGEST_BODY} bytes: send it in parts")
        body = parse(endpoint.body, message.data)
        key = None
        if not endpoint.is_query:
            name = headers.get("Idempotency-Key", "")
            if not KEY.fullmatch(name):
                raise Problem(
                    ProblemType.INVALID,
                    "a command needs the header Idempotency-Key: 1 to 100 of A-Z a-z 0-9 _ : -, new for each request",
                )
            key = Key(name, sha256(endpoint.name.encode() + b"\n" + message.data).hexdigest())
        reply = await self._unit.run(endpoint, Asked(actor, school, body, self._ids), key, traceparent, by)
        if self._replied is not None and key is not None:
            await self._replied(school, reply)
        return reply

    async def _respond(self, message: Msg, content: bytes | dict[str, Any]) -> None:
        try:
            await answer(message, content)
        except (nats.errors.Error, OSError):
            self._telemetry.refused.labels("reply_lost").inc()

    async def drain(self, within_s: float) -> None:
        """Takes no new requests and waits until those under way are answered."""
        for subscriber in self._broker.subscribers:
            if isinstance(subscriber, CoreSubscriber) and subscriber.subscription is not None:
                await subscriber.subscription.drain()  # type: ignore[no-untyped-call]  # nats-py gives no types here
                subscriber.subscription = None  # else the broker's own stop would end it a second time, and fail
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within_s)


def time_left(headers: Mapping[str, str], clock: Clock) -> float:
    """Returns the seconds until the request's `Deadline` header (Unix time in milliseconds), at most DEADLINE_S."""
    deadline = headers.get("Deadline", "")
    if not (deadline.isascii() and deadline.isdecimal()) or len(deadline) > 15:
        return DEADLINE_S
    return min(DEADLINE_S, int(deadline) / 1000 - clock.now().timestamp())


def _in_words(told: str) -> str:
    """Returns what is wrong in the words of whoever sent JSON, not in those of the language this is written in."""
    return told.removeprefix("Value error, ").replace("Tuple should", "The list should")[:200]


def parse(model: type[B], data: bytes) -> B:
    """Returns a body, or raises the Problem that says what is wrong in it, and where."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        wrong = [
            {"at": "/" + "/".join(str(part)[:60] for part in e["loc"]), "what": _in_words(e["msg"])}
            for e in error.errors(include_url=False, include_context=False, include_input=False)[:20]
        ]
        first = wrong[0] if wrong else {"at": "/", "what": "not JSON"}
        raise Problem(
            ProblemType.INVALID, f"{first['at']}: {first['what']}. Correct it and send it again.", errors=wrong
        ) from None
