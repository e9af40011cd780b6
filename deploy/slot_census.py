"""Who is connected to tools' accounts, and how much each has sent, as the servers count it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from nats.aio.client import Client

from deploy.slots import is_killed
from shared.nats_jwt import Json, claims_of

REQUEST_S = 2.0
QUIET_S = 0.2


@dataclass(frozen=True)
class Census:
    """Asks one server where there is one, else all that answer before it is quiet, over a login in SYS."""

    replicas: int

    async def connections(self, system: Client, accounts: list[str]) -> dict[str, int]:
        """Return how many clients and leaf nodes are connected to each account that has any."""
        counts = await self.counts(system, accounts)
        return {account: connections for account, (connections, _) in counts.items() if connections}

    async def counts(self, system: Client, accounts: list[str]) -> dict[str, tuple[int, int]]:
        """Return each account's connections, and how many messages they have sent."""
        if not accounts:
            return {}
        asked = json.dumps({"accounts": accounts, "include_unused": True}).encode()
        counted: dict[str, tuple[int, int]] = {}
        async for told in self._each_server(system, "$SYS.REQ.ACCOUNT.PING.STATZ", asked):
            for one in told["data"]["account_statz"]:
                connections, received = counted.get(one["acc"], (0, 0))
                connections += one["conns"] + one["leafnodes"]
                counted[one["acc"]] = (connections, received + one["received"]["msgs"])
        return counted

    async def has_refused(self, system: Client, account: str, jwt: str) -> bool:
        """Tell whether somebody is connected whom these claims of the account refuse. Leaf nodes are not told apart."""
        connected = await self.connections(system, [account])
        if not connected or is_killed(jwt):
            return bool(connected)
        keys = {scope["key"] for scope in claims_of(jwt)["nats"]["signing_keys"]}
        told = self._each_server(system, f"$SYS.REQ.ACCOUNT.{account}.CONNZ", b'{"auth": true}')
        return any([one["issuer_key"] not in keys async for server in told for one in server["data"]["connections"]])

    async def _each_server(self, system: Client, subject: str, asked: bytes) -> AsyncIterator[Json]:
        inbox = await system.subscribe(system.new_inbox())
        try:
            await system.publish(subject, asked, reply=inbox.subject)
            yield json.loads((await inbox.next_msg(REQUEST_S)).data)
            while self.replicas > 1:
                try:
                    yield json.loads((await inbox.next_msg(QUIET_S)).data)
                except TimeoutError:
                    return
        finally:
            await inbox.unsubscribe()
