"""Asks the platform in a tool's name: a token for the tool, the request, and the answer as it came."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import nats.errors

from shared.actor import Actor, SigningKey, mint
from shared.bus import Bus
from shared.clock import Clock
from shared.errors import Problem, ProblemType

TOKEN_KEPT = timedelta(minutes=4)
MOST_TOKENS = 10_000
PAUSES_S = (0.05, 0.2)
"""Nobody listens just after a service has subscribed: nothing was done, so it is asked again."""


@dataclass(slots=True)
class Platform:
    """The gate's connection to the services."""

    bus: Bus
    clock: Clock
    _signed_by: SigningKey | None = None
    _tokens: OrderedDict[Actor, tuple[str, datetime]] = field(default_factory=OrderedDict)

    async def ask(self, subject: str, data: bytes, actor: Actor, headers: Mapping[str, str], within_s: float) -> bytes:
        """Returns a service's answer; raises Problem when there is none in time."""
        deadline = int((self.clock.now().timestamp() + within_s) * 1000)
        sent = {"Authorization": f"Bearer {self._token(actor)}", "Deadline": str(deadline), **headers}
        try:
            for pause_s in PAUSES_S:
                try:
                    return await self._once(subject, data, sent, within_s)
                except nats.errors.NoRespondersError:
                    await asyncio.sleep(pause_s)
            return await self._once(subject, data, sent, within_s)
        except nats.errors.NoRespondersError:
            raise Problem(ProblemType.UNAVAILABLE, "this can't be answered now: try again in a moment") from None
        except (nats.errors.Error, TimeoutError, OSError):
            detail = "no answer in time: it may have been done; ask again with the same Idempotency-Key"
            raise Problem(ProblemType.UNAVAILABLE, detail) from None

    async def _once(self, subject: str, data: bytes, headers: dict[str, str], within_s: float) -> bytes:
        return (await self.bus.client.request(subject, data, timeout=within_s, headers=headers)).data

    def _token(self, actor: Actor) -> str:
        now, key = self.clock.now(), self.bus.key
        if key is not self._signed_by:  # a new one was taken into use
            self._tokens.clear()
            self._signed_by = key
        token, made = self._tokens.get(actor, ("", None))
        if made is None or now - made > TOKEN_KEPT:
            token = mint(key, actor, now)
            self._tokens[actor] = (token, now)
            if len(self._tokens) > MOST_TOKENS:
                self._tokens.popitem(last=False)
        return token
