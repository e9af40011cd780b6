"""Sends the same command or query to the product and to the naive service, from tasks in number or at a pace."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import nats.errors
from nats.aio.client import Client

from shared.actor import Actor, SigningKey, mint
from shared.events.words import ActorKind
from tests.bench.event import CHILDREN, children, teacher
from tests.bench.machine import percentile

TIMEOUT_S = 6.0
LADDER = ["never", "now and then", "as agreed", "often", "always"]


@dataclass(slots=True)
class Load:
    """What a load saw: seconds to each answer, and when the command that made each thing was sent (Unix seconds)."""

    seconds: list[float] = field(default_factory=list)
    sent_at: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    unanswered: int = 0

    def p(self, percent: float) -> float:
        """Returns a percentile of the time to an answer, in milliseconds."""
        return percentile(self.seconds, percent) * 1000


class Sender:
    """Asks one service as each school's teacher."""

    def __init__(self, client: Client, service: str, key: SigningKey, schools: Sequence[str]) -> None:
        self._client = client
        self._service = service
        self._schools = schools
        now = datetime.now(UTC)
        self._tokens = {s: mint(key, Actor(teacher(s), ActorKind.PERSON, s, "samen"), now) for s in schools}
        self._target_on = (now + timedelta(days=120)).date().isoformat()

    def _propose(self, school: str, place: int) -> tuple[str, bytes, dict[str, str]]:
        body = {
            "about": str(children(school)[place % CHILDREN]),
            "purpose": "guidance",
            "domain": "learning",
            "settings": ["school", "home"],
            "statement": "I want to read a whole page by myself.",
            "wording": "Reads a page of eighty words aloud, with at most three mistakes, in three of four attempts.",
            "ladder": LADDER,
            "baseline": -2,
            "target_on": self._target_on,
            "responsible": [str(teacher(school))],
            "weight": 1,
        }
        headers = {"Authorization": f"Bearer {self._tokens[school]}", "Idempotency-Key": uuid.uuid4().hex}
        return f"cmd.{school}.{self._service}.propose-goal", json.dumps(body).encode(), headers

    def _look(self, school: str, place: int) -> tuple[str, bytes, dict[str, str]]:
        body = {"about": str(children(school)[place % CHILDREN]), "purpose": "guidance"}
        headers = {"Authorization": f"Bearer {self._tokens[school]}"}
        return f"qry.{school}.{self._service}.goals-of-child", json.dumps(body).encode(), headers

    async def _ask(self, load: Load, place: int, *, look: bool) -> None:
        school = self._schools[place % len(self._schools)]
        made = self._look if look else self._propose
        subject, body, headers = made(school, place // len(self._schools))
        sent_at, started = time.time(), time.perf_counter()
        try:
            reply = await self._client.request(subject, body, timeout=TIMEOUT_S, headers=headers)
        except nats.errors.TimeoutError:
            load.unanswered += 1
            return
        load.seconds.append(time.perf_counter() - started)
        answer = json.loads(reply.data)
        if "ok" not in answer:
            load.refused += 1
            if load.refused == 1:
                print(f"first refusal of {self._service}: {answer}")
        elif not look:
            load.sent_at[answer["ok"]["goal"]] = sent_at

    async def many(self, count: int, in_flight: int, *, look: bool = False) -> Load:
        """Sends `count` requests, `in_flight` at any moment."""
        load, places = Load(), itertools.count()

        async def work() -> None:
            while (place := next(places)) < count:
                await self._ask(load, place, look=look)

        await asyncio.gather(*(work() for _ in range(in_flight)))
        return load

    async def pace(self, count: int, rate: float) -> Load:
        """Sends a command every `1 / rate` seconds, whatever the answers take."""
        load, started = Load(), time.monotonic()
        tasks = []
        for place in range(count):
            await asyncio.sleep(max(0.0, started + place / rate - time.monotonic()))
            tasks.append(asyncio.create_task(self._ask(load, place, look=False)))
        await asyncio.gather(*tasks)
        return load
