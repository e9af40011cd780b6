"""Tools of schools as tests play them: a prepared slot, a user of it, and the gate's own word to the provisioner."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats.errors
from nats.aio.client import Client

from deploy import gate_account
from deploy.keys import Keys
from shared import nats_jwt
from shared.nats_jwt import Json
from tests.support.clients import PATIENCE_S, PatientClient, connected


@dataclass
class Tool:
    """One tool: its account, and a client of its own user."""

    account: str
    client: Client
    errors: list[Exception] = field(default_factory=list)

    @property
    def stream(self) -> str:
        """The tool's stream."""
        return gate_account.stream(self.account)


def user_credentials(keys: Keys, account: str, folder: Path, *, lives_s: int = 300, claims: Json | None = None) -> Path:
    """Write credentials of a new user of a slot, as the gate mints them (and with other claims); return the file."""
    seed = nats_jwt.new_seed(nats_jwt.USER, secrets.token_bytes(32))
    now = int(time.time())
    wanted = nats_jwt.scoped_user_claims(account) | (claims or {})
    signing = (keys.slots.signing / f"{account}.nk").read_bytes()
    jwt = nats_jwt.sign(signing, nats_jwt.public_key(seed), "tool", wanted, now, now + lives_s)
    path = folder / f"{secrets.token_hex(8)}.creds"
    path.write_text(nats_jwt.credentials(jwt, seed))
    return path


async def connect_tool(url: str, creds: Path, account: str, **more: Any) -> Tool:  # noqa: ANN401  as nats-py takes it
    """Connect with a tool's credentials; what the server refuses goes to the tool's `errors`."""
    tool = Tool(account, PatientClient())

    async def heard(error: Exception) -> None:
        tool.errors.append(error)

    # Once: a server asks around for nearly two seconds before it refuses an account that it does not know.
    settings: dict[str, Any] = {"error_cb": heard, "allow_reconnect": False, "max_reconnect_attempts": 1} | more
    try:
        await tool.client.connect(url, user_credentials=str(creds), **settings)
    except nats.errors.Error:
        transport: Any = tool.client._transport
        if transport is not None:  # the library leaves it open when it is refused
            with contextlib.suppress(OSError):
                transport.close()
                await transport.wait_closed()
        raise
    return tool


async def gate_door(url: str, keys: Keys) -> PatientClient:
    """Connect as the gate does in GATE."""
    return await connected(url, str(keys.creds(gate_account.DOOR)), gate_account.DOOR)


async def want(door: Client, slots: dict[str, str], at: int | None = None, *, whole: bool = False) -> Json:
    """Say as the gate how each slot is to be, again and again as it does; return the provisioner's answer."""
    asked = json.dumps({"at": time.time_ns() // 1000 if at is None else at, "slots": slots, "whole": whole}).encode()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                answer: Json = json.loads((await door.request(gate_account.WANT, asked, timeout=2)).data)
            except nats.errors.TimeoutError:  # it came to a provisioner that had just gone
                continue
            except nats.errors.NoRespondersError:
                await asyncio.sleep(0.02)
            else:
                return answer
