"""How the command line speaks to the services: over NATS with the door's login, for actors whose tokens it mints."""

from __future__ import annotations

import asyncio
import getpass
import os
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid5

import nats
import nats.errors
import pydantic_core
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg

from deploy.home import Home, NotRunning
from deploy.samen.schools import refuse_bad_slug, refuse_unknown
from deploy.topology import DOOR
from shared.actor import Actor, SigningKey, mint
from shared.bus import answer_of
from shared.clock import Clock
from shared.errors import Problem, ProblemType
from shared.events.words import NAMESPACE, ActorKind
from shared.telemetry import DoorTracer

EVERY_SCHOOL = "-"
TIMEOUT_S = 5.0
"""A little over a service's own deadline, so that its word arrives before ours."""
OPERATION_S = 40.0
"""A recovery waits up to 30 s for consumers to catch up."""
CHECK_S = 2.0
"""How long a service may take to say which schools there are."""
OPENS = "open-school"
"""The command that makes a school: the only one that may name one that is not there."""
TRACED = 0.05
"""The share of requests that is traced, where OTEL_EXPORTER_OTLP_ENDPOINT says where to."""
TOKEN_KEPT = timedelta(minutes=4)


def operator_id(name: str) -> UUID:
    """Return the pseudonym of the person at the keyboard: no name goes into a token or an event."""
    return uuid5(NAMESPACE, f"operator:{name}")


class Client:
    """A connection of the door `samen`. Use `async with Client(home) as client`."""

    def __init__(
        self, home: Home, *, url: str | None = None, operator: str | None = None, clock: Clock | None = None
    ) -> None:
        """Take the folder of a running platform, or of keys alone when `url` names a NATS."""
        self._home = home
        self._url: str = url or home.running()["nats_url"]
        self._clock = clock or Clock()
        self._operator = operator_id(operator or getpass.getuser())
        self._key = SigningKey.load(home.keys.token_key(DOOR))
        self._nats: NatsClient | None = None
        self._tracer = DoorTracer(DOOR, TRACED, export="OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ)
        self._tokens: dict[Actor, tuple[str, datetime]] = {}
        self._schools: set[tuple[str, str]] = set()

    async def __aenter__(self) -> Self:
        """Connect."""

        async def heard(error: Exception) -> None:
            del error  # a refusal shows as a request without an answer

        try:
            self._nats = await nats.connect(
                self._url,
                user_credentials=str(self._home.keys.creds(DOOR)),
                inbox_prefix=f"_INBOX.{DOOR}".encode(),
                name=DOOR,
                error_cb=heard,
                connect_timeout=2,
                reconnect_time_wait=0.1,
                max_reconnect_attempts=-1,
            )
        except (OSError, nats.errors.Error) as error:
            raise NotRunning(f"no NATS answers at {self._url}: is the platform up? (`samen up`)") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self.nats.close()
        await asyncio.to_thread(self._tracer.close)

    @property
    def nats(self) -> NatsClient:
        """The connection itself."""
        if self._nats is None:
            raise NotRunning("connect first: `async with Client(home) as client`")
        return self._nats

    def actor(self, id_: UUID, school: str, kind: ActorKind = ActorKind.PERSON) -> Actor:
        """Return someone the operator acts for, within one school."""
        return Actor(id_, kind, school, DOOR, operator=str(self._operator))

    async def command(
        self, school: str, service: str, name: str, body: object, actor: Actor, *, key: str | None = None
    ) -> Any:  # noqa: ANN401  JSON
        """Give a command and return its result; `key` makes a retry safe. Raises Problem as the service says.

        A school that is not open is refused before anything is sent.
        """
        if name == OPENS:
            refuse_bad_slug(school)
        else:
            await self.check_school(school)
        headers = self._headers(actor) | {"Idempotency-Key": key or secrets.token_hex(16)}
        return await self._request(f"cmd.{school}.{service}.{name}", body, headers)

    async def query(self, school: str, service: str, name: str, body: object, actor: Actor) -> Any:  # noqa: ANN401
        """Ask a query and return its result. Raises Problem as the service says, or because there is no such school."""
        await self.check_school(school)
        return await self._request(f"qry.{school}.{service}.{name}", body, self._headers(actor))

    async def effective(self, school: str, withdrawal: str) -> Any:  # noqa: ANN401  JSON
        """Wait, at most 10 s, until a withdrawal holds everywhere; return {how, at}, how None while it is pending."""
        asked = pydantic_core.to_json({"school": school, "withdrawal": withdrawal})
        try:
            return pydantic_core.from_json((await self.nats.request("ask.effective", asked, timeout=10)).data)
        except (nats.errors.Error, TimeoutError, OSError):
            return {"how": None, "at": None}

    async def operate(self, service: str, what: str, body: object | None = None) -> Any:  # noqa: ANN401  JSON
        """Ask an operator's request of a service (`status`, `dead-letters`, `retry` ...).

        A school that the service has not heard of is refused before anything is sent.
        """
        if isinstance(body, dict) and "school" in body:
            refuse_bad_slug(body["school"])
            await self._refuse_unknown(body["school"], service)
        return await self._operate(service, what, body, OPERATION_S)

    async def _operate(self, service: str, what: str, body: object | None, timeout_s: float) -> Any:  # noqa: ANN401  JSON
        actor = Actor(self._operator, ActorKind.OPERATOR, EVERY_SCHOOL, DOOR, operator=str(self._operator))
        return await self._request(f"ops.{service}.{what}", body or {}, self._headers(actor), timeout_s)

    async def check_school(self, school: str) -> None:
        """Raise Problem for what is no slug, and for a school that is not open; do nothing where nobody can say."""
        refuse_bad_slug(school)
        await self._refuse_unknown(school, "network")

    async def _refuse_unknown(self, school: str, service: str) -> None:
        # Who can't say which schools there are is not asked again: what answers without it still answers.
        if (service, school) in self._schools:
            return
        try:
            known = await self._operate(service, "schools", None, CHECK_S)
        except Problem:
            self._schools.add((service, school))
            return
        refuse_unknown(school, known["schools"])
        self._schools.update((service, one) for one in known["schools"])

    async def _request(self, subject: str, body: object, headers: dict[str, str], timeout_s: float = TIMEOUT_S) -> Any:  # noqa: ANN401  JSON
        deadline = int((self._clock.now().timestamp() + timeout_s) * 1000)
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        data = pydantic_core.to_json(body)
        try:
            with self._tracer.request(subject.rpartition(".")[2]) as traceparent:
                sent = {"Deadline": str(deadline), "traceparent": traceparent} | headers
                self._refuse_too_large(data, sent)
                reply = await self._patiently(subject, data, sent, timeout_s)
        except nats.errors.NoRespondersError:
            detail = f"no service answers {subject}: see `samen status`"
            raise Problem(ProblemType.UNAVAILABLE, detail) from None
        except (nats.errors.Error, TimeoutError, OSError) as error:
            done = "ask again" if subject.startswith("qry.") else "it may have been done, so look before you repeat it"
            detail = f"no answer in {timeout_s:g} s ({type(error).__name__}): see `samen status`, then {done}"
            raise Problem(ProblemType.UNAVAILABLE, detail) from None
        if loop.time() - asked_at > timeout_s:  # this process slept: what the answer rests on may have been withdrawn
            raise Problem(ProblemType.UNAVAILABLE, "the answer came too late to be shown: ask again")
        return answer_of(reply.data)

    def _refuse_too_large(self, data: bytes, headers: dict[str, str]) -> None:
        """Raise Problem for what the bus would not carry: NATS counts headers too, and ends the sender's line."""
        size = len(data) + len("NATS/1.0") + 4 + sum(len(name) + len(value) + 4 for name, value in headers.items())
        if size > self.nats.max_payload:
            most = f"{size} bytes are more than the bus carries ({self.nats.max_payload})"
            raise Problem(ProblemType.TOO_LARGE, f"{most}: nothing was sent; send it in parts")

    async def _patiently(self, subject: str, data: bytes, headers: dict[str, str], timeout_s: float) -> Msg:
        # "Nobody listens" can come just after a service subscribed, and means that nothing was done: ask again.
        for pause_s in (0.05, 0.2, 0.5):
            try:
                return await self.nats.request(subject, data, timeout=timeout_s, headers=headers)
            except nats.errors.NoRespondersError:
                await asyncio.sleep(pause_s)
        return await self.nats.request(subject, data, timeout=timeout_s, headers=headers)

    def _headers(self, actor: Actor) -> dict[str, str]:
        now = self._clock.now()
        actor = replace(actor, door=DOOR)
        token, made = self._tokens.get(actor, ("", None))
        if made is None or now - made > TOKEN_KEPT:
            token = mint(self._key, actor, now)
            if len(self._tokens) > 10_000:
                self._tokens.clear()
            self._tokens[actor] = (token, now)
        return {"Authorization": f"Bearer {token}"}

    async def announcements(self, for_s: float = 1.2) -> tuple[dict[str, Any], dict[str, Any]]:
        """Listen for a round of announcements; return heads by producer and cursors by consumer."""
        heads: dict[str, Any] = {}
        cursors: dict[str, Any] = {}

        async def hear_head(message: Msg) -> None:
            heads.setdefault(message.subject.partition(".")[2], {}).update(pydantic_core.from_json(message.data))

        async def hear_cursor(message: Msg) -> None:
            told = pydantic_core.from_json(message.data)
            lanes = cursors.setdefault(message.subject.partition(".")[2], {})
            for producer, schools in told.items():
                lanes.setdefault(producer, {}).update(schools)

        listeners = [
            await self.nats.subscribe("head.>", cb=hear_head),
            await self.nats.subscribe("cursor.>", cb=hear_cursor),
        ]
        await asyncio.sleep(for_s)
        for listener in listeners:
            await listener.unsubscribe()
        return heads, cursors
