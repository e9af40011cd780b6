"""A witness of the audit log, in a service that is not the log's: it cosigns what only grows, and refuses the rest.

The house's own guard against an audit database that was put back, or rewritten by whoever holds the log's key. Its
memory is this service's database; an outsider's witness (`samen witness`) needs neither.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic_core
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.msg import Msg
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notifications.model import SERVICE
from shared.actor import SigningKey, taken_over
from shared.bus import answer
from shared.clock import Clock
from shared.db import Connection, Database
from shared.service import Site
from shared.tlog.cosignature import cosign, witness_name
from shared.tlog.note import COSIGNATURE, Checkpoint, NamedKey, origin
from shared.tlog.trust import read_log_keys
from shared.tlog.witness import FORGOT, FORKED, ROLLED_BACK, Judge, Verdict

log = logging.getLogger(__name__)

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('witnessed ' || $1, 0))"
SEEN = "SELECT size, root FROM witnessed WHERE school = $1 AND origin = $2"
KEEP = """
INSERT INTO witnessed (school, origin, size, root) VALUES ($1, $2, $3, $4)
ON CONFLICT (school, origin) DO UPDATE SET size = excluded.size, root = excluded.root, kept_at = clock_timestamp()
"""


class WitnessSettings(BaseSettings):
    """The witness's own settings; without a key there is none here."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_", frozen=True, extra="ignore")

    witness_key: Path | None = None
    log_public_key: Path | None = None
    foundation: str = "foundation"
    """Part of every log's name; audit must use the same."""


async def witness_log(at: Site) -> None:
    """Answers audit's requests for cosignatures, if this process has a key for it."""
    settings = WitnessSettings()
    if settings.witness_key is None or settings.log_public_key is None:
        return
    key = SigningKey.load(settings.witness_key).private
    named = NamedKey(witness_name(SERVICE), COSIGNATURE, key.public_key().public_bytes_raw())
    log_keys = read_log_keys(settings.log_public_key)
    judge = Judge(named, log_keys.current, log_keys.retired)
    old = taken_over(settings.witness_key)  # as long as it is there, both sign
    older = (SigningKey.load(old).private,) if old is not None else ()
    witness = Witness(at.db, judge, key, at.clock, settings.foundation, at.alarm, older)
    await at.bus.client.subscribe(f"ask.cosign.{SERVICE}", queue=SERVICE, cb=witness.answer)


@dataclass(frozen=True, slots=True)
class Witness:
    """Judges what audit asks, remembers, and only then signs."""

    db: Database
    who: Judge
    key: Ed25519PrivateKey
    clock: Clock
    foundation: str
    alarm: Callable[..., None]
    older: tuple[Ed25519PrivateKey, ...] = ()

    async def answer(self, message: Msg) -> None:
        """Answers {school, request, held} with {status, body} of c2sp.org/tlog-witness."""
        try:
            asked = pydantic_core.from_json(message.data)
            await answer(message, await self.cosign(asked["school"], asked["request"], asked["held"]))
        except Exception as error:  # noqa: BLE001  whatever it is, audit asks again
            log.warning("not cosigned", extra={"code": "cosign_unanswered", "kind": type(error).__name__})

    async def cosign(self, school: str, request: str, held: str | None) -> dict[str, Any]:
        """Returns the answer; what it says is committed."""
        name = origin(self.foundation, school)
        async with self.db.school(school) as conn:
            await conn.execute(LOCK, name)
            seen = await self._seen(conn, school, name)
            verdict = self.who.judge(seen, request, name, held, self.clock.now().timestamp())
            if verdict.keep is not None:
                await conn.execute(KEEP, school, name, verdict.keep.size, verdict.keep.root)
        self._alarm(school, verdict, seen)
        if verdict.sign is None:
            return {"status": verdict.status, "body": verdict.body}
        now_s, by = int(self.clock.now().timestamp()), self.who.own.name
        lines = [cosign(verdict.sign, by, key, now_s).line for key in (self.key, *self.older)]
        return {"status": verdict.status, "body": "".join(lines)}

    @staticmethod
    async def _seen(conn: Connection, school: str, name: str) -> Checkpoint | None:
        row = await conn.fetchrow(SEEN, school, name)
        return Checkpoint(name, row["size"], row["root"]) if row else None

    def _alarm(self, school: str, verdict: Verdict, seen: Checkpoint | None) -> None:
        known = {"school": school, "seen": seen.size if seen else 0, "root": seen.root.hex() if seen else ""}
        if FORKED in verdict.alarms:
            self.alarm("log_forked", "the audit log is another one than this witness signed before", **known)
        if ROLLED_BACK in verdict.alarms:
            self.alarm("log_rolled_back", "the audit log is shorter than this witness signed before", **known)
        if FORGOT in verdict.alarms:
            self.alarm("witness_rolled_back", "the log shows signatures that this witness does not remember", **known)
