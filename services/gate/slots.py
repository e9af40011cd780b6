"""Slots: the accounts that were prepared for tools, the keys that sign their logins, and what each is to be.

The provisioner makes accounts, streams and consumers what this service says (`slots.want`, every second and at once
when somebody waits), and answers what holds now. Only slots that it offers are handed out: the server never saw them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import nats
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from prometheus_client import Gauge

from services.gate.model import SERVICE, ToolState
from shared import nats_jwt
from shared.bus import answer
from shared.db import LOST
from shared.service import Site

log = logging.getLogger(__name__)

LOGIN = "gate-door"
WANT = "slots.want"
ASKED = "ask.slots"
ACCOUNT = re.compile(r"A[A-Z2-7]{55}")
LIVE, PAUSED, KILLED = "live", "paused", "killed"
OF_TOOL: Mapping[str, str] = {ToolState.ACTIVE: LIVE, ToolState.PAUSED: PAUSED, ToolState.REMOVED: KILLED}
"""What a slot is to be, by the state of its tool; a live one by the key of the tool's login beside."""
MOST_KEYS = 8
EVERY_S = 1.0
REQUEST_S = 10.0
LOW = 3
"""So few free slots raise the alarm, where slots are used at all."""
TOLD_AGAIN_S = 3600.0

# Both in one statement: the clock says when the slots were so, whichever replica's message comes first.
WANTED = """
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(school, account, state, key)), '[]') FROM list_slots()) AS tools
"""


def wanted_state(tool: str, key: int) -> str:
    """Return what a slot is to be for a tool in this state, whose login this key of the slot signed."""
    state = OF_TOOL[tool]
    return f"{state}-{key}" if state == LIVE and key else state


class Slots:
    """The folder of the keys that sign tools' logins, and which accounts may be handed out."""

    def __init__(self, folder: Path | None) -> None:
        """Take the folder (SAMEN_SLOTS); without one there are none."""
        self._folder = folder
        self._offered: tuple[str, ...] = ()
        self.known = False
        """Whether the provisioner has said which slots nobody ever had: in the first second it has not."""

    def offer(self, accounts: Collection[str]) -> None:
        """Keep what the provisioner says that nobody ever had."""
        self._offered, self.known = tuple(accounts), True

    def free(self, taken: Collection[str]) -> str | None:
        """Return an account that none of these is and whose logins can be signed here, or None."""
        return next((one for one in self._offered if one not in taken and self.keys(one)), None)

    def keys(self, account: str) -> int:
        """Return how many keys of a slot are here; 1 of one that an older release signed."""
        return next((key for key in range(MOST_KEYS) if self._key(account, key) is None), MOST_KEYS)

    def mint(self, account: str, key: int, user: str, issued_at: int, expires_at: int) -> str:
        """Return a login of `user` for a tool's account, signed by this key of it; times in seconds.

        Raises KeyError when the key is not here. What the login may do stands in the account, not in it.
        """
        seed = self._key(account, key)
        if seed is None:
            raise KeyError(account)
        return nats_jwt.sign(seed, user, "tool", nats_jwt.scoped_user_claims(account), issued_at, expires_at)

    def _key(self, account: str, key: int) -> bytes | None:
        if self._folder is None or not ACCOUNT.fullmatch(account):
            return None
        try:
            return (self._folder / (f"{account}-{key}.nk" if key else f"{account}.nk")).read_bytes()
        except FileNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class Holding:
    """What the provisioner last answered."""

    slots: Mapping[str, str] = field(default_factory=dict)
    connections: Mapping[str, int] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    free: int | None = None

    def settled(self, account: str, state: str) -> bool:
        """Tell whether a slot is in a state; of a killed one nothing may be connected any more.

        A tool's state says it too: of an active one's slot, that it is live by whichever key.
        """
        held = self.slots.get(account, "")
        if state == ToolState.ACTIVE:
            return held.partition("-")[0] == LIVE
        wanted = OF_TOOL.get(state, state)
        return held == wanted and not (wanted == KILLED and self.connections.get(account))


class Wanted:
    """Says what each slot is to be, and knows what holds."""

    def __init__(
        self, slots: Slots, read: Callable[[], Awaitable[dict[str, Any] | None]], alarm: Callable[..., None]
    ) -> None:
        """Take the slots, what reads {at, slots} (None: nothing may be said now), and what raises an alarm."""
        self._slots, self._read, self.alarm = slots, read, alarm
        self.holding = Holding()
        self._begun = 0
        self._done = 0
        self._poked = asyncio.Event()
        self._heard = asyncio.Condition()
        self._low_at = float("-inf")

    async def settled(self, account: str, state: str) -> int:
        """Wait until a slot is as `Holding.settled` has it, after this call.

        Return how many connections it has then. It waits for ever: give it an end.
        """
        floor = self._begun
        self.poke()
        async with self._heard:
            await self._heard.wait_for(lambda: self._done > floor and self.holding.settled(account, state))
            return self.holding.connections.get(account, 0)

    def poke(self) -> None:
        """Say it now."""
        self._poked.set()

    async def run(self, client: Client) -> None:
        """Say it every second, and at once when somebody waits, until cancelled."""
        while True:
            self._poked.clear()
            with contextlib.suppress(asyncpg.PostgresError, *LOST):
                await self._round(client)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), EVERY_S)

    async def _round(self, client: Client) -> None:
        self._begun = begun = self._begun + 1
        asked = await self._read()
        if asked is None:
            return
        try:
            found = await client.request(WANT, json.dumps(asked).encode(), timeout=REQUEST_S)
            told: dict[str, Any] = json.loads(found.data)
        except (nats.errors.Error, TimeoutError, OSError, ValueError) as error:
            log.warning("slots not told", extra={"code": "slots_untold", "kind": type(error).__name__})
            return
        self.holding = Holding(told["slots"], told["connections"], tuple(told["offered"]), told["free"])
        self._slots.offer(self.holding.offered)
        self._warn(told["free"])
        async with self._heard:
            self._done = begun
            self._heard.notify_all()

    def _warn(self, free: int) -> None:
        now = asyncio.get_running_loop().time()
        if free >= LOW:
            self._low_at = float("-inf")
        elif free + len(self.holding.slots) > 0 and now - self._low_at >= TOLD_AGAIN_S:
            self._low_at = now
            self.alarm("slots_low", "few prepared slots are left: then no school can add a tool", count=free)


async def read_wanted(site: Site) -> dict[str, Any] | None:
    """Return what each slot is to be, by the database; None while it is not known to be the newest one.

    Of a school whose journal is forked nothing is said: its slots stay as they are, and so do those of which no tool is
    known, for it may be that school's (`whole`: there is none such).
    """
    if not site.guard.checked:
        return None
    row = await site.db.row(WANTED)
    forked = set(site.guard.forked)
    slots = {account: wanted_state(state, key) for school, account, state, key in row["tools"] if school not in forked}
    return {"at": row["at"], "slots": slots, "whole": not forked}


async def keep_slots(site: Site, wanted: Wanted, creds: Path) -> None:
    """Keep the slots as they are to be, over a connection of their own: a flood of tools holds no kill up.

    Tells `samen` what holds: `ask.slots`.
    """

    async def heard(error: Exception) -> None:
        log.warning("nats", extra={"code": "nats_error", "kind": type(error).__name__})

    async def asked(message: Msg) -> None:
        wanted.poke()  # whoever asks waits for something: it should not take the whole second
        now = wanted.holding
        await answer(message, {"slots": dict(now.slots), "connections": dict(now.connections), "free": now.free})

    Gauge("samen_slots_free", "Prepared slots that no tool has", registry=site.telemetry.registry).set_function(
        lambda: float("nan") if wanted.holding.free is None else wanted.holding.free
    )
    await site.bus.client.subscribe(ASKED, queue=SERVICE, cb=asked)
    client = await nats.connect(
        site.settings.nats_url,
        user_credentials=str(creds),
        inbox_prefix=f"_INBOX.{LOGIN}".encode(),
        name=f"{LOGIN} slots",
        error_cb=heard,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,
    )
    try:
        await wanted.run(client)
    finally:
        await client.close()
