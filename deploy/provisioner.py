"""The resident provisioner: makes NATS what deploy/topology.py says, and again every second.

After a wipe of the broker's whole store it rebuilds account claims, stream and consumers from signed JWTs kept apart
(`keys/accounts`), without the operator's seed. Services declare nothing. It also reads the stream for services that
were put back (deploy/stream_reader.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from deploy import topology
from deploy.keys import Keys
from deploy.stream_reader import StreamReader
from shared import nats_jwt
from shared.nats_jwt import Json
from shared.telemetry import log_to_stderr

LOG = logging.getLogger(__name__)
EVERY_S = 1.0
REQUEST_S = 2.0
STREAM_NOT_FOUND = 10059
CONSUMER_NOT_FOUND = 10014


class Refused(RuntimeError):
    """JetStream or the account resolver refused a request; the message is its own."""


class Provisioner:
    """Reconciles one NATS deployment with the topology over a login in SYS and one in BUS."""

    def __init__(self, url: str, keys: Keys, replicas: int = 1) -> None:
        """Take the server's address, the keys, and how many copies a stream has in a cluster."""
        self._url = url
        self._keys = keys
        self._replicas = replicas
        self._clients: dict[str, Client] = {}

    async def reconcile(self) -> list[str]:
        """Make claims, stream and consumers what they should be; return what had to be changed."""
        changes = await self._reconcile_claims()
        changes += await self._reconcile_stream()
        for service in topology.CONSUMERS:
            changes += await self._reconcile_consumer(service)
        return changes

    async def close(self) -> None:
        """Close both connections."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    async def _client(self, login: str) -> Client:
        known = self._clients.get(login)
        if known is not None and known.is_connected:
            return known
        if known is not None:
            await known.close()

        async def heard(error: Exception) -> None:
            LOG.debug("nats", extra={"code": "nats_error", "kind": type(error).__name__})

        # No reconnecting underneath: the next round connects anew, also with an account that was unknown before.
        # A server that is away fails the round at once; the library's own patience would be two silent minutes.
        self._clients[login] = await nats.connect(
            self._url,
            user_credentials=str(self._keys.creds(login)),
            inbox_prefix=b"_INBOX.provisioner",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.1,
            connect_timeout=2,
            error_cb=heard,
            name=login,
        )
        if login == "provisioner-bus":
            await StreamReader(self._clients[login]).serve()
        return self._clients[login]

    async def _reconcile_claims(self) -> list[str]:
        client = await self._client("provisioner-sys")
        changes = []
        for account in ("BUS", "PLATFORM"):  # the exporting account first
            wanted = self._keys.account_jwt(account)
            subject = str(nats_jwt.claims_of(wanted)["sub"])
            found = await client.request(f"$SYS.REQ.ACCOUNT.{subject}.CLAIMS.LOOKUP", b"", timeout=REQUEST_S)
            if found.data.decode() == wanted:
                continue
            answer = await client.request("$SYS.REQ.CLAIMS.UPDATE", wanted.encode(), timeout=REQUEST_S)
            body: Json = json.loads(answer.data)
            if body.get("data", {}).get("code") != 200:
                raise Refused(f"claims of {account}: {body.get('error', body)}")
            changes.append(f"claims:{account}")
        return changes

    async def _ask(self, subject: str, body: Json | None = None) -> Json:
        client = await self._client("provisioner-bus")
        data = b"" if body is None else json.dumps(body).encode()
        answer: Json = json.loads((await client.request(f"$JS.API.{subject}", data, timeout=REQUEST_S)).data)
        return answer

    async def _change(self, subject: str, body: Json) -> None:
        answer = await self._ask(subject, body)
        if "error" in answer:
            raise Refused(f"{subject}: {answer['error'].get('description')}")

    async def _reconcile_stream(self) -> list[str]:
        name, wanted = topology.STREAM, topology.stream_config(self._replicas)
        found = await self._ask(f"STREAM.INFO.{name}")
        if _is_missing(found, STREAM_NOT_FOUND):
            await self._change(f"STREAM.CREATE.{name}", wanted)
            return [f"stream:{name}:created"]
        if _differs(wanted, found["config"]):
            await self._change(f"STREAM.UPDATE.{name}", found["config"] | wanted)
            return [f"stream:{name}:updated"]
        return []

    async def _reconcile_consumer(self, service: topology.Service) -> list[str]:
        name, wanted = topology.durable(service.name), topology.consumer_config(service)
        place = f"{topology.STREAM}.{name}"
        found = await self._ask(f"CONSUMER.INFO.{place}")
        missing = _is_missing(found, CONSUMER_NOT_FOUND)
        if not missing and not _differs(wanted, found["config"]):
            return []
        action = "create" if missing else "update"
        config = wanted if missing else found["config"] | wanted
        request = {"stream_name": topology.STREAM, "config": config, "action": action}
        await self._change(f"CONSUMER.DURABLE.CREATE.{place}", request)
        return [f"consumer:{name}:{action}d"]


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


def _told(code: str, error: Exception) -> Json:
    # JetStream's own word names streams and settings, nobody.
    return {"code": code, "kind": type(error).__name__, "reason": str(error)}


async def converge(url: str, keys: Keys, timeout_s: float = 20.0) -> list[str]:
    """Reconcile once, trying again until it works or `timeout_s` have passed; return the changes."""
    provisioner = Provisioner(url, keys)
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    return await provisioner.reconcile()
                except (NatsError, OSError, Refused, TimeoutError) as error:
                    LOG.info("not provisioned yet", extra=_told("provisioner_retry", error))
                    await asyncio.sleep(0.1)
    finally:
        await provisioner.close()


async def run(url: str, keys: Keys, stop: asyncio.Event, replicas: int = 1, round_file: Path | None = None) -> None:
    """Reconcile every second until `stop` is set; failures are logged and tried again.

    Each round that went well touches `round_file`, for a health check to look at.
    """
    provisioner = Provisioner(url, keys, replicas)
    while not stop.is_set():
        try:
            for change in await provisioner.reconcile():
                LOG.warning("put right", extra={"code": "provisioner_changed", "reason": change})
            if round_file is not None:
                await asyncio.to_thread(round_file.touch)
        except (NatsError, OSError, Refused, TimeoutError) as error:
            LOG.error("not provisioned", extra=_told("provisioner_failed", error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_S)
    await provisioner.close()


async def _resident() -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    replicas = int(os.environ.get("SAMEN_STREAM_REPLICAS", "1"))
    told = os.environ.get("SAMEN_ROUND_FILE")
    keys, round_file = Keys(Path(os.environ["SAMEN_KEYS"])), Path(told) if told else None
    await run(os.environ["SAMEN_NATS_URL"], keys, stop, replicas, round_file)


def main() -> None:
    """Run as a process of its own, settings from SAMEN_NATS_URL, SAMEN_KEYS, SAMEN_ROUND_FILE (optional)."""
    log_to_stderr("provisioner", "INFO")
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # our own lines say it once
    asyncio.run(_resident())
