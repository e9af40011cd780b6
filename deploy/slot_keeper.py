"""Makes tools' accounts, streams and consumers what the gate says they are to be: `slots.want`.

The gate tells the full set of slots ever handed out. Until it has spoken nothing is touched, so what the server holds
stands: a wiped store brings no account back by itself. A slot that was killed stays killed, whatever is asked later.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from deploy import gate_account
from deploy.brake import Brake
from deploy.gate_account import DOOR, KILLED, LIVES, PAUSED, STATES, WANT
from deploy.jetstream import Refused, ensure_consumer, ensure_paused, ensure_stream, remove_stream
from deploy.slot_census import REQUEST_S, Census
from deploy.slots import Slots, is_killed
from shared.nats_jwt import Json, claims_of

LOG = logging.getLogger(__name__)

ACCOUNT = re.compile(r"A[A-Z2-7]{55}")
UNKNOWN = "unknown"
"""The state of a slot whose signed claims are not here, or are another operator's."""
AT_ONCE = 32
LOOKED_AT_A_ROUND = 50
OFFERED = 8
CUT_WITHIN_S = 2.0
LATE_US = 60_000_000


@dataclass(frozen=True)
class Want:
    """What the gate said: the slots that it handed out, and when, by its database's clock (microseconds).

    `whole`: it knows of no others. Not so while a school's journal lacks what was published.
    """

    at: int
    slots: dict[str, str]
    whole: bool = False

    def is_overtaken_by(self, later: Want | None) -> bool:
        """Tell whether this was said before what is known, and came late: a replica that lagged, not another clock."""
        return later is not None and 0 < later.at - self.at < LATE_US


class SlotKeeper:
    """Reconciles slots over a login in SYS and one in GATE."""

    def __init__(
        self, slots: Slots, operator: Callable[[], str], system: Callable[[], Awaitable[Client]], replicas: int
    ) -> None:
        """Take the prepared slots, who must have signed them, a way to the login in SYS, and a stream's copies."""
        self._slots, self._operator, self._system, self._replicas = slots, operator, system, replicas
        self._gate: Client | None = None
        self._want: Want | None = None
        self._holds: dict[str, str] = {}
        self._killed: set[str] = set()
        self._unused: dict[str, bool] = {}
        self._told: set[tuple[str, str]] = set()
        self._brake = Brake()
        self._census = Census(replicas)
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, client: Client) -> None:
        """Listen to the gate on a new connection in GATE; all that was seen on an earlier one is looked at again."""
        self._gate = client
        self.forget()

        async def asked(message: Msg) -> None:
            # A task each: what kills must not wait behind what makes five hundred streams.
            task = asyncio.create_task(self._asked(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        await client.subscribe(WANT, queue="provisioner", cb=asked)

    def forget(self) -> None:
        """Look at everything again: the server may be another one, over an emptied store."""
        self._holds.clear()
        self._unused.clear()

    async def reconcile(self) -> list[str]:
        """Look at some of the slots again and put right what is not as the gate said; return what was changed."""
        if self._want is None:
            return []
        async with self._lock:
            await self._weigh()
            for account in [*self._holds][:LOOKED_AT_A_ROUND]:
                self._holds[account] = ""  # at the end of the row again, and due
                self._holds[account] = self._holds.pop(account)
            changes, failed = await self._settle()
        for error in failed:
            raise error
        return changes

    async def _asked(self, message: Msg) -> None:
        try:
            want = _read(message.data)
            if not message.reply.startswith(f"_INBOX.{DOOR}."):
                return
            if not want.is_overtaken_by(self._want):
                self._want = want
            async with self._lock:
                await self._weigh()
                changes, failed = await self._settle()
                told = await self._answer()  # also what could not be put right: the gate sees which
            for change in changes:
                LOG.info("slot put right", extra={"code": "slot_changed", "reason": change})
            for error in failed:
                LOG.warning("slot not settled", extra={"code": "slot_unsettled", "kind": type(error).__name__})
            await message.respond(json.dumps(told).encode())
        except (NatsError, OSError, Refused, TimeoutError, LookupError, TypeError, ValueError) as error:
            # No answer: the gate asks again within the second.
            LOG.warning("slots not settled", extra={"code": "slots_unanswered", "kind": type(error).__name__})

    async def _settle(self) -> tuple[list[str], list[Exception]]:
        """Put right what is due, the strictest first, a few at once; what is asked meanwhile goes before the rest.

        Return what was changed and what failed: that keeps nobody else waiting, and is due again.
        """
        changes: list[str] = []
        failed: dict[str, Exception] = {}
        while due := [one for one in self._due() if one[0] not in failed][:AT_ONCE]:
            made = await asyncio.gather(*(self._one(*one) for one in due), return_exceptions=True)
            for (account, _), result in zip(due, made, strict=True):
                if isinstance(result, Exception):
                    failed[account] = result
                elif isinstance(result, BaseException):
                    raise result
                else:
                    changes += result
        return changes, [*failed.values()]

    async def _weigh(self) -> None:
        """Hold whoever sends far more than it may: its slot is paused, whatever the gate says, for a while."""
        counts = await self._census.counts(await self._system(), list(self._want.slots if self._want else ()))
        for account in self._brake.weigh({one: received for one, (_, received) in counts.items()}, self._now()):
            LOG.error("a tool floods, and is held for a minute", extra={"code": "slot_held", "reason": account})

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _due(self) -> list[tuple[str, str]]:
        now, asked = self._now(), self._want.slots if self._want else {}
        wanted = {
            account: PAUSED if state in LIVES and self._brake.holds(account, now) else state
            for account, state in (self._orphans() | asked).items()
        }
        final = {KILLED, UNKNOWN}
        due = [
            (account, state)
            for account, state in wanted.items()
            if self._holds.get(account) != state and self._holds.get(account) not in final
        ]
        return sorted(due, key=lambda one: -STATES.index(one[1]))

    def _orphans(self) -> dict[str, str]:
        """Return the slots that the server has and the gate knows no tool of, so that nothing of theirs is fetched.

        So it is with a tool that was registered after the copy that the gate's database was put back to. Paused, not
        killed: the gate may know it again.
        """
        if self._want is None or not self._want.whole:
            return {}
        orphans = [one for one, unused in self._unused.items() if not unused and one not in self._want.slots]
        for account in orphans:
            if self._is_news("slot_orphaned", account):
                LOG.error("no tool is known of a slot in use", extra={"code": "slot_orphaned", "reason": account})
        return dict.fromkeys(orphans, PAUSED)

    def _is_news(self, code: str, account: str) -> bool:
        known = (code, account) in self._told
        self._told.add((code, account))
        return not known

    async def _one(self, account: str, state: str) -> list[str]:
        if account in self._killed and state != KILLED:
            if self._is_news("slot_killed", account):
                LOG.error("the gate would use a killed slot", extra={"code": "slot_killed", "reason": account})
            state = KILLED
        jwt = self._slots.jwt(account, state)
        if jwt is None or claims_of(jwt)["iss"] != self._operator() or claims_of(jwt)["sub"] != account:
            if self._is_news("slot_unknown", account):
                LOG.error("the claims of a slot are not here", extra={"code": "slot_unknown", "reason": account})
            self._holds[account] = UNKNOWN
            return []
        system = await self._system()
        found = (await system.request(f"$SYS.REQ.ACCOUNT.{account}.CLAIMS.LOOKUP", timeout=REQUEST_S)).data.decode()
        if found and is_killed(found) and state != KILLED:
            self._killed.add(account)
            return await self._one(account, KILLED)
        # There before anyone asks for it. Paused before the imports go: what was asked for earlier comes without them.
        changes = [] if state == KILLED else await self._ensure_stream(account, paused=state not in LIVES)
        self._unused[account] = False
        if found != jwt:
            await self._push(system, account, jwt)
            changes.append(f"slot:{account}:{state}")
        if state == KILLED:
            self._killed.add(account)
        if state == KILLED or (found != jwt and state in LIVES):
            await self._seen_cut(system, account, jwt)
        if state == KILLED:
            changes += await remove_stream(self._client(), gate_account.stream(account))
        self._holds[account] = state
        return changes

    async def _push(self, system: Client, account: str, jwt: str) -> None:
        body: Json = json.loads((await system.request("$SYS.REQ.CLAIMS.UPDATE", jwt.encode(), timeout=REQUEST_S)).data)
        if body.get("data", {}).get("code") != 200:
            raise Refused(f"claims of a slot: {body.get('error', body)}")
        # The server answers 200 to claims that it stores and ignores: those of an account in use must be these now.
        info: Json = json.loads((await system.request(f"$SYS.REQ.ACCOUNT.{account}.INFO", timeout=REQUEST_S)).data)
        if "error" not in info and info["data"]["jwt"] != jwt:
            raise Refused("claims of a slot: stored, and not in use")

    async def _seen_cut(self, system: Client, account: str, jwt: str) -> None:
        """Wait until nobody is connected whom these claims refuse."""
        async with asyncio.timeout(CUT_WITHIN_S):
            while await self._census.has_refused(system, account, jwt):  # noqa: ASYNC110 (no event tells)
                await asyncio.sleep(0.005)

    async def _ensure_stream(self, account: str, *, paused: bool) -> list[str]:
        name = gate_account.stream(account)
        changes = await ensure_stream(
            self._client(), gate_account.stream_config(account, self._replicas), gate_account.new_stream(time.time_ns())
        )
        changes += await ensure_consumer(self._client(), name, gate_account.consumer_config(account))
        return changes + await ensure_paused(self._client(), name, account, paused=paused)

    def _client(self) -> Client:
        if self._gate is None:
            raise Refused("no connection in GATE yet")
        return self._gate

    async def _answer(self) -> Json:
        system, wanted = await self._system(), self._want.slots if self._want else {}
        offered, free = await self._fresh(system, wanted)
        return {
            "slots": {account: self._holds.get(account, UNKNOWN) for account in wanted},
            "connections": await self._census.connections(system, list(wanted)),
            "offered": offered,
            "free": free,
        }

    async def _fresh(self, system: Client, wanted: dict[str, str]) -> tuple[list[str], int]:
        """Return some prepared slots that nobody ever had, and how many there may be.

        The server's word counts too: a gate that was put back to an older copy must not hand out another tool's slot.
        """
        candidates = [
            name for name in self._slots.names() if name not in wanted and self._unused.get(name) is not False
        ]
        for account in [one for one in candidates if one not in self._unused][:LOOKED_AT_A_ROUND]:
            found = await system.request(f"$SYS.REQ.ACCOUNT.{account}.CLAIMS.LOOKUP", timeout=REQUEST_S)
            self._unused[account] = not found.data
        offered = [account for account in candidates if self._unused.get(account)][:OFFERED]
        return offered, sum(self._unused.get(account, True) for account in candidates)


def _read(data: bytes) -> Want:
    told: object = json.loads(data)
    if not isinstance(told, dict) or not isinstance(told["slots"], dict):
        raise TypeError("no slots")
    slots = {str(account): str(state) for account, state in told["slots"].items()}
    if not all(ACCOUNT.fullmatch(account) and state in STATES for account, state in slots.items()):
        raise ValueError("no slots")
    return Want(int(told["at"]), slots, told.get("whole") is True)
