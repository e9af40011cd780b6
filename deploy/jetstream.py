"""Streams and consumers as JetStream's API makes them: what is there already is compared, and changed where it differs.

Raw JSON, for the client library refuses settings that it does not know.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

from nats.aio.client import Client

from shared.nats_jwt import Json

REQUEST_S = 2.0
STREAM_NOT_FOUND = 10059
CONSUMER_NOT_FOUND = 10014
FAR = "9999-12-31T00:00:00Z"
RUNS_OUT = timedelta(milliseconds=50)


class Refused(RuntimeError):
    """JetStream or the account resolver refused a request; the message is its own."""


async def ensure_stream(client: Client, wanted: Json, at_first: Json | None = None) -> list[str]:
    """Make a stream what it should be; return what was changed. `at_first` are settings that only a new one takes."""
    name = wanted["name"]
    found = await _ask(client, f"STREAM.INFO.{name}")
    if _is_missing(found, STREAM_NOT_FOUND):
        await _change(client, f"STREAM.CREATE.{name}", wanted | (at_first or {}))
        return [f"stream:{name}:created"]
    if _differs(wanted, found["config"]):
        await _change(client, f"STREAM.UPDATE.{name}", found["config"] | wanted)
        return [f"stream:{name}:updated"]
    return []


async def ensure_consumer(client: Client, stream: str, wanted: Json) -> list[str]:
    """Make a stream's durable consumer what it should be; return what was changed."""
    name = wanted["durable_name"]
    place = f"{stream}.{name}"
    found = await _ask(client, f"CONSUMER.INFO.{place}")
    missing = _is_missing(found, CONSUMER_NOT_FOUND)
    if not missing and not _differs(wanted, found["config"]):
        return []
    action = "create" if missing else "update"
    config = wanted if missing else found["config"] | wanted
    request = {"stream_name": stream, "config": config, "action": action}
    await _change(client, f"CONSUMER.DURABLE.CREATE.{place}", request)
    return [f"consumer:{name}:{action}d"]


async def ensure_paused(client: Client, stream: str, name: str, *, paused: bool) -> list[str]:
    """Have a consumer deliver nothing, also to what asked before; or have it deliver again. Return what was changed."""
    found = await _ask(client, f"CONSUMER.INFO.{stream}.{name}")
    if bool(found.get("paused")) == paused:
        return []
    # A pause that runs out wakes whoever waits; one that is taken back leaves them asleep until the next message.
    until = FAR if paused else (datetime.fromisoformat(found["ts"]) + RUNS_OUT).isoformat()
    await _change(client, f"CONSUMER.PAUSE.{stream}.{name}", {"pause_until": until})
    async with asyncio.timeout(REQUEST_S):
        while bool((await _ask(client, f"CONSUMER.INFO.{stream}.{name}")).get("paused")) != paused:  # noqa: ASYNC110
            await asyncio.sleep(RUNS_OUT.total_seconds())
    return [f"consumer:{name}:{'paused' if paused else 'resumed'}"]


async def remove_stream(client: Client, name: str) -> list[str]:
    """Delete a stream with all that it holds; return what was changed."""
    if _is_missing(await _ask(client, f"STREAM.DELETE.{name}"), STREAM_NOT_FOUND):
        return []
    return [f"stream:{name}:deleted"]


async def _ask(client: Client, subject: str, body: Json | None = None) -> Json:
    data = b"" if body is None else json.dumps(body).encode()
    answer: Json = json.loads((await client.request(f"$JS.API.{subject}", data, timeout=REQUEST_S)).data)
    return answer


async def _change(client: Client, subject: str, body: Json) -> None:
    answer = await _ask(client, subject, body)
    if "error" in answer:
        raise Refused(f"{subject}: {answer['error'].get('description')}")


def _is_missing(answer: Json, code: int) -> bool:
    error = answer.get("error")
    if error is None:
        return False
    if error.get("err_code") == code:
        return True
    raise Refused(str(error.get("description")))


def _differs(wanted: Json, found: Json) -> bool:
    """Compare what we own only; an empty or false setting may be left out of an answer."""
    return any((found.get(key) or None) != (value or None) for key, value in wanted.items())
