"""The tools' streams, in the gate's own account: nobody else writes to them, so that one number fences a whole stream.

Every publish says which message it expects to be the stream's last, as its deciding transaction knew it: what comes
late, from a replica that was paused or by a line that stood still, is refused by the server, whole.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import nats
import nats.errors
import pydantic_core
from nats.aio.client import Client

from services.gate.leaving import Leaving
from services.gate.settings import GateSettings
from shared.clock import Ids
from shared.errors import Transient

ASK_S = 2.0
EXPECTED = "Nats-Expected-Last-Sequence"
MOST_AT_ONCE = 500
"""Messages in one atomic batch: the server takes a thousand."""


class Late(Exception):
    """The stream is not where it was expected: what was decided on that may not leave any more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Which stream it is (when it was made) and which message is its last."""

    made: str
    last: int


class Streams:
    """Reads and writes the tools' streams with the gate's own login."""

    def __init__(self, client: Client, ids: Ids) -> None:
        self._client = client
        self._batches = count(1)
        self._own = ids.pseudonym().hex[:12]

    @classmethod
    async def connect(cls, nats_url: str, settings: GateSettings, heard: Any, ids: Ids) -> Streams:  # noqa: ANN401  nats-py's
        """Connects with the gate's login; goes on trying for ever."""
        client = await nats.connect(
            nats_url,
            user_credentials=str(settings.creds) if settings.creds else None,
            inbox_prefix=b"_INBOX.gate-door",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,
            error_cb=heard,
        )
        return cls(client, ids)

    async def close(self) -> None:
        """Ends the connection."""
        await self._client.close()

    async def standing(self, account: str) -> Standing | None:
        """Returns where a tool's stream stands; None: it is not there (yet). Raises Transient."""
        found = await self._ask(f"STREAM.INFO.OUT-{account}", {})
        return _standing(found) if found else None

    async def number_at(self, account: str, place: int) -> int | None:
        """Returns the tool's number of the stream's message `place`; None: it is not there any more."""
        found = await self._ask(f"STREAM.MSG.GET.OUT-{account}", {"seq": place})
        return int(pydantic_core.from_json(b64decode(found["message"]["data"]))["sequence"]) if found else None

    async def standings(self) -> dict[str, Standing]:
        """Returns where every tool's stream stands, by account."""
        found: dict[str, Standing] = {}
        while True:
            page = await self._ask("STREAM.LIST", {"offset": len(found)}) or {}
            streams = page.get("streams") or ()
            for one in streams:
                found[one["config"]["name"].removeprefix("OUT-")] = _standing(one)
            if not streams or len(found) >= page["total"]:
                return found

    async def acknowledged(self, account: str) -> int | None:
        """Returns the message up to which the tool has acknowledged all; None: it has no consumer (yet)."""
        found = await self._ask(f"CONSUMER.INFO.OUT-{account}.{account}", {})
        return int(found["ack_floor"]["stream_seq"]) if found else None

    async def publish(self, messages: Sequence[Leaving], expected: int) -> int:
        """Publishes in order, behind message `expected`; returns the number of the last as the stream's message.

        Raises Late when the stream ends elsewhere, Transient when it isn't known whether it arrived.
        """
        if not self._client.is_connected:
            msg = "not connected"
            raise Transient(msg)
        run: list[Leaving] = []
        for message in messages:
            if message.rollup:  # the server takes none within a batch
                expected = await self._batch(run, expected)
                run = []
                expected = await self._one(message, expected, {"Nats-Rollup": "sub"})
            else:
                run.append(message)
        return await self._batch(run, expected)

    async def _batch(self, run: Sequence[Leaving], expected: int) -> int:
        for start in range(0, len(run), MOST_AT_ONCE):
            part = run[start : start + MOST_AT_ONCE]
            if len(part) == 1:
                expected = await self._one(part[0], expected, {})
                continue
            batch = f"{self._own}-{next(self._batches)}"
            for n, message in enumerate(part[:-1], 1):
                headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(n)}
                await self._client.publish(
                    message.subject, message.data, headers=headers | ({EXPECTED: str(expected)} if n == 1 else {})
                )
            last = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(len(part)), "Nats-Batch-Commit": "1"}
            expected = await self._send(part[-1], last)
        return expected

    async def _one(self, message: Leaving, expected: int, headers: Mapping[str, str]) -> int:
        return await self._send(message, {EXPECTED: str(expected), **headers})

    async def _send(self, message: Leaving, headers: dict[str, str]) -> int:
        try:
            reply = await self._client.request(message.subject, message.data, timeout=ASK_S, headers=headers)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            msg = f"not acknowledged: {type(error).__name__}"
            raise Transient(msg) from None
        told = pydantic_core.from_json(reply.data)
        if "error" in told:
            raise Late(str(told["error"].get("err_code")))
        return int(told["seq"])

    async def _ask(self, subject: str, question: object) -> dict[str, Any] | None:
        try:
            reply = await self._client.request(f"$JS.API.{subject}", pydantic_core.to_json(question), timeout=ASK_S)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            msg = f"the streams do not answer: {type(error).__name__}"
            raise Transient(msg) from None
        told: dict[str, Any] = pydantic_core.from_json(reply.data)
        if "error" in told:
            if told["error"].get("code") == 404:
                return None
            msg = f"the streams refuse: {told['error'].get('err_code')}"
            raise Transient(msg)
        return told


def _standing(info: Mapping[str, Any]) -> Standing:
    return Standing(str(info["created"]), int(info["state"]["last_seq"]))
