"""Audit asks witnesses to sign its checkpoints, takes the signatures of those outside, and says how far each has come.

Neither checkpoints nor cosignatures are events: what they were about would never come to rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pydantic_core
from nats.aio.msg import Msg
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.audit import store
from services.audit.files import Logs
from services.audit.model import SERVICE
from shared.bus import answer
from shared.db import LOST, Database
from shared.errors import Transient
from shared.service import Site
from shared.tlog import witness
from shared.tlog.cosignature import check
from shared.tlog.merkle import TileNodes, consistency_proof
from shared.tlog.note import BadNote, NamedKey, Signature, split
from shared.tlog.policy import Policy
from shared.tlog.proof import GrowthProof
from shared.tlog.tiles import Unreadable
from shared.tlog.trust import read_policy

log = logging.getLogger(__name__)

ASK_EVERY_S = 0.5
ALARM_AGAIN_S = 30.0


class CosigningSettings(BaseSettings):
    """Whose cosignatures are asked, and how soon enough of them must be there."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_", frozen=True, extra="ignore")

    witness_policy: Path | None = None
    """A c2sp.org/tlog-policy file: k of n is its group. Without one nobody is asked."""
    cosigned_within_s: float = 10.0
    """A checkpoint that waits longer for enough cosignatures is an alarm."""


Ask = Callable[[str, object], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Sparing:
    """Raises the same alarm of a school again after a while only. `now` is a monotonic reading in seconds."""

    raised: Callable[..., None]
    now: Callable[[], float]
    _last: dict[tuple[str, str], float] = field(default_factory=dict)

    def alarm(self, code: str, text: str, school: str, **facts: object) -> None:
        """Raises it, if it was not a moment ago."""
        now = self.now()
        if now - self._last.get((code, school), -ALARM_AGAIN_S) >= ALARM_AGAIN_S:
            self._last[code, school] = now
            self.raised(code, text, school=school, **facts)


@dataclass(slots=True)
class Cosigner:
    """Gathers cosignatures on the newest checkpoint of every log."""

    db: Database
    logs: Logs
    policy: Policy
    ask: Ask
    tell: Sparing
    within_s: float = 10.0

    async def gather_all(self) -> None:
        """Asks every witness that can be asked for what it has not signed yet, once, and raises alarm of what waits."""
        asked = {name: key for name, key in self.policy.witnesses.items() if name in self.policy.asked}
        signers = [key.signer for key in asked.values()]
        if signers:
            for school in [row[0] for row in await self.db.rows("SELECT list_uncosigned($1)", signers)]:
                for name, key in asked.items():
                    with contextlib.suppress(Transient):  # it is asked again; what waits too long is an alarm
                        await self._gather(school, self.policy.asked[name], key)
        for school in await self.db.schools():
            waits = (await self.overview(school))["waits_s"]
            if waits is not None and waits > self.within_s and not self.policy.met(()):
                self.tell.alarm(
                    "checkpoint_not_cosigned", "too few witnesses signed a checkpoint", school, waits_s=round(waits, 1)
                )

    async def _gather(self, school: str, subject: str, key: NamedKey) -> None:
        old: int | None = None
        for _ in range(2):  # a second time when the witness remembers another size
            asked = await self.request(school, key.signer, old)
            if asked is None or asked["signed"]:
                return
            told = await self.ask(subject, {name: asked[name] for name in ("request", "held")} | {"school": school})
            status, body = int(told["status"]), str(told["body"])
            if status == witness.OK:
                if await self.take(school, asked["size"], body) != witness.OK:
                    self.tell.alarm(
                        "witness_refused", "a witness gave no cosignature of its own", school, witness=key.signer
                    )
                return
            size = int(body) if status == witness.CONFLICT and body.strip().isdecimal() else -1
            if not 0 <= size <= asked["size"] or size == asked["old"]:
                break
            old = size
        self.tell.alarm("witness_refused", "a witness refuses this log", school, witness=key.signer, status=status)

    async def request(self, school: str, signer: str, old: int | None) -> dict[str, Any] | None:
        """Returns how to ask a witness (`<name>+<key id>`) about the newest checkpoint; None when there is none.

        `old` is the size that the witness remembers, None: what it signed last as far as this log knows.
        """
        async with self.db.school(school) as conn:
            found = await conn.fetchval("SELECT read_for_witness($1, $2, $3)", school, signer, old)
        size, old = found["size"], found["old"]
        if size is None or old > size:
            return None
        nodes = TileNodes({(level, idx): bytes.fromhex(hash_) for level, idx, hash_ in found["nodes"]})
        path = consistency_proof(old, size, nodes) if old else []
        signed = any(one.signer == signer for one in split(found["note"])[1])
        text = GrowthProof(old, tuple(path), found["note"]).text
        return {"size": size, "old": old, "request": text, "held": found["held"], "signed": signed}

    async def take(self, school: str, size: int, lines: str) -> int:
        """Keeps cosignatures of witnesses in the policy; returns a status as c2sp.org/tlog-witness has them."""
        async with self.db.school(school) as conn:
            note = await conn.fetchval("SELECT note FROM checkpoint WHERE school = $1 AND size = $2", school, size)
            if note is None:
                return witness.UNKNOWN
            kept = _cosignatures(note, lines, self.policy)
            for one in kept:
                await store.add_cosignature(conn, school, size, one.signer, one.line)
            full = await conn.fetchval("SELECT full_note($1, $2)", school, size)
            enough = self.policy.met({one.signer for one in split(full)[1]})
            if kept and enough:
                await store.add_endorsement(conn, school, size)
        if kept and enough:
            await self._publish(school, full)
        return witness.OK if kept else witness.FORBIDDEN

    async def _publish(self, school: str, note: str) -> None:
        try:
            async with self.logs.turn:
                await asyncio.to_thread((await self.logs.of(school)).endorse, note)
        except (Unreadable, OSError) as error:  # the signer raises alarm of these
            log.warning("not published", extra={"code": "cosigned_late", "kind": type(error).__name__})

    async def overview(self, school: str) -> dict[str, Any]:
        """Returns how far the log, enough witnesses and each of them have come, and how long one waits."""
        async with self.db.school(school) as conn:
            found: dict[str, Any] = await conn.fetchval("SELECT read_witnesses($1)", school)
        far = {key.signer: found["witnesses"].get(key.signer, 0) for key in self.policy.keys}
        return found | {"witnesses": far, "within_s": self.within_s}


def _cosignatures(note: str, lines: str, policy: Policy) -> list[Signature]:
    """Returns the signatures by witnesses of the policy that are good for the note."""
    text, _ = split(note)
    found = []
    try:
        for signature in split(f"{text}\n{lines}")[1]:
            for key in policy.keys:
                if key.signed(signature):
                    check(text, signature, key)
                    found.append(signature)
    except BadNote:
        return []
    return found


async def cosign_checkpoints(at: Site, logs: Logs) -> None:
    """Has checkpoints cosigned, and answers witnesses outside, until cancelled."""
    settings = CosigningSettings()
    policy = read_policy(settings.witness_policy) if settings.witness_policy else Policy()
    tell = Sparing(at.alarm, at.loop.time)
    cosigner = Cosigner(at.db, logs, policy, at.bus.ask, tell, settings.cosigned_within_s)
    await _serve(at, cosigner)
    while True:
        if at.consumer is not None and at.consumer.active and at.guard.checked:
            try:
                await cosigner.gather_all()
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("not cosigned", extra={"code": "cosigned_late", "kind": type(error).__name__})
        await asyncio.sleep(ASK_EVERY_S)


async def _serve(at: Site, cosigner: Cosigner) -> None:
    async def checkpoint(asked: dict[str, Any]) -> object:
        return await cosigner.request(asked["school"], asked["witness"], asked["old"])

    async def cosigned(asked: dict[str, Any]) -> object:
        return {"status": await cosigner.take(asked["school"], int(asked["size"]), asked["lines"])}

    async def witnesses(_: dict[str, Any]) -> object:
        return {school: await cosigner.overview(school) for school in await at.db.schools()}

    for subject, answering in (
        ("ask.checkpoint", checkpoint),
        ("ask.cosigned", cosigned),
        ("ask.witnesses", witnesses),
    ):
        await at.bus.client.subscribe(subject, queue=SERVICE, cb=_answering(answering))


def _answering(work: Callable[[dict[str, Any]], Awaitable[object]]) -> Callable[[Msg], Awaitable[None]]:
    async def take(message: Msg) -> None:
        try:
            await answer(message, await work(pydantic_core.from_json(message.data)))
        except Exception as error:  # noqa: BLE001  whatever it is, the asker tries again
            log.warning("witness not answered", extra={"code": "witness_unanswered", "kind": type(error).__name__})

    return take
