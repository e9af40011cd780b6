"""The resident provisioner: makes NATS what deploy/topology.py says, and again every second.

After a wipe of the broker's whole store it rebuilds account claims, stream and consumers from signed JWTs kept apart
(`keys/accounts`), without the operator's seed. Services declare nothing. It also reads the stream for services that
were put back (deploy/stream_reader.py), and makes of the tools' slots what the gate says (deploy/slot_keeper.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections import defaultdict
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from deploy import gate_account, topology
from deploy.jetstream import Refused, ensure_consumer, ensure_stream
from deploy.keys import Keys
from deploy.slot_keeper import SlotKeeper
from deploy.stream_reader import StreamReader
from shared import nats_jwt
from shared.nats_jwt import Json
from shared.telemetry import log_to_stderr

LOG = logging.getLogger(__name__)
SYSTEM = "provisioner-sys"
EVERY_S = 1.0
REQUEST_S = 2.0


class Provisioner:
    """Reconciles one NATS deployment with the topology over a login in SYS, in BUS and in GATE."""

    def __init__(self, url: str, keys: Keys, replicas: int = 1) -> None:
        """Take the server's address, the keys, and how many copies a stream has in a cluster."""
        self._url = url
        self._keys = keys
        self._replicas = replicas
        self._clients: dict[str, Client] = {}
        self._connecting: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._slots = SlotKeeper(keys.slots, self._operator, self._system, replicas)

    async def reconcile(self) -> list[str]:
        """Make claims, streams and consumers what they should be; return what had to be changed."""
        changes = await self._reconcile_claims()
        bus = await self._client("provisioner-bus")
        changes += await ensure_stream(bus, topology.stream_config(self._replicas))
        for service in topology.CONSUMERS:
            changes += await ensure_consumer(bus, topology.STREAM, topology.consumer_config(service))
        await self._client(gate_account.PROVISIONER)
        return changes + await self._slots.reconcile()

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    def _operator(self) -> str:
        return str(nats_jwt.claims_of(self._keys.account_jwt("GATE"))["iss"])

    async def _system(self) -> Client:
        return await self._client(SYSTEM)

    async def _client(self, login: str) -> Client:
        async with self._connecting[login]:
            known = self._clients.get(login)
            if known is not None and known.is_connected:
                return known
            if known is not None:
                await known.close()
            client = self._clients[login] = await self._connect(login)
        if login == "provisioner-bus":
            await StreamReader(client).serve()
        elif login == gate_account.PROVISIONER:
            await self._slots.serve(client)
        elif login == SYSTEM:
            self._slots.forget()
        return client

    async def _connect(self, login: str) -> Client:

        async def heard(error: Exception) -> None:
            LOG.debug("nats", extra={"code": "nats_error", "kind": type(error).__name__})

        # No reconnecting underneath: the next round connects anew, also with an account that was unknown before.
        # A server that is away fails the round at once; the library's own patience would be two silent minutes.
        return await nats.connect(
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

    async def _reconcile_claims(self) -> list[str]:
        client = await self._client(SYSTEM)
        changes = []
        for account in ("BUS", "GATE", "PLATFORM"):  # the exporting accounts first
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
