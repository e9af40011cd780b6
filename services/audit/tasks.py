"""What audit does by itself: sign checkpoints, reload what a restored database lost, give producers their lost tail."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import asyncpg
import pydantic_core
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.msg import Msg

from services.audit import store
from services.audit.files import LogFiles, Logs
from services.audit.log_keys import LogSettings, older_keys, tell_key
from services.audit.model import SERVICE
from shared.actor import SigningKey
from shared.bus import answer, fitting
from shared.consumer import Consumer
from shared.db import LOST, Database
from shared.errors import Transient
from shared.events.base import Event
from shared.projection import Blocked, Fork
from shared.service import Site
from shared.tlog.merkle import root
from shared.tlog.note import Checkpoint, origin, sign
from shared.tlog.tiles import EVENTS, Unreadable

log = logging.getLogger(__name__)

SIGN_EVERY_S = 0.5
ALARM_AGAIN_S = 5.0
RELOADED_AT_ONCE = 500
MOST = 1000


async def sign_checkpoints(at: Site, logs: Logs) -> None:
    """Keeps a signed checkpoint over every log, at most a second behind, until cancelled."""
    if at.settings.log_key is None:
        msg = "audit signs its log: SAMEN_LOG_KEY must name its private key"
        raise RuntimeError(msg)
    settings, key = LogSettings(), SigningKey.load(at.settings.log_key).private
    signer = Signer(
        at.db,
        logs,
        key,
        settings.foundation,
        at.alarm,
        older_keys(settings, at.settings.log_key),
        lambda: at.clock.now().timestamp(),
    )
    told: set[str] = set()
    while True:
        if at.consumer is not None and at.consumer.active and at.guard.checked:
            try:
                for school in set(await at.db.schools()) - told:
                    await tell_key(at, school, key, settings.foundation)
                    told.add(school)
                await signer.sign_all()
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("checkpoints not signed", extra={"code": "checkpoint_late", "kind": type(error).__name__})
        await asyncio.sleep(SIGN_EVERY_S)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs logs that have grown: what is signed is on disk first, and has the root that the database says."""

    db: Database
    logs: Logs
    key: Ed25519PrivateKey
    foundation: str
    alarm: Callable[..., None]
    older: Sequence[tuple[Ed25519PrivateKey, int]] = ()
    """Keys that this one takes over from: each signs beside it until its time (seconds since 1970)."""
    now_s: Callable[[], float] = time.time

    async def sign_all(self) -> int:
        """Signs a checkpoint for every school whose log has grown; returns for how many."""
        signed = 0
        for school in [row[0] for row in await self.db.rows("SELECT list_unsigned()")]:
            async with self.logs.turn:
                try:
                    signed += await self._sign(school)
                except asyncpg.PostgresError as error:  # the other schools' logs go on
                    log.warning("not signed", extra={"code": "checkpoint_late", "kind": type(error).__name__})
                    self.logs.forget(school)
                except (Unreadable, OSError) as error:
                    self.alarm("log_files", f"a log's files cannot be used: {error}", school=school)
                    self.logs.forget(school)
        return signed

    async def _sign(self, school: str) -> bool:
        files = await self.logs.of(school)
        with await asyncio.to_thread(files.hold):
            return await self._sign_held(school, files)

    async def _sign_held(self, school: str, files: LogFiles) -> bool:
        tree = files.tree
        while True:
            async with self.db.school(school) as conn:
                size, known, lines = await store.unsigned(conn, school, tree.size)
            if not lines:
                break
            entries, events = zip(*lines, strict=True)
            tree = await asyncio.to_thread(files.write, entries, events)
        if tree.size != size or root(tree) != known:
            self.logs.forget(school)
            if tree.size <= size:  # else the database was put back, and what it lost is reloaded
                self.alarm("log_parted", "the log's files and its database differ: nothing is signed", school=school)
            return False
        checkpoint = Checkpoint(origin(self.foundation, school), tree.size, root(tree))
        note = sign(checkpoint, self.key, *(key for key, until in self.older if self.now_s() < until))
        await asyncio.to_thread(files.keep, note)
        async with self.db.school(school) as conn:
            await store.add_checkpoint(conn, school, checkpoint, note)
        return True


async def reload(at: Site, logs: Logs) -> None:
    """Gives a database that was put back the lines again that stand on disk, in the order in which they were signed.

    Raises Transient when that cannot be said or done now: nothing may be answered before.
    """
    if at.consumer is None:
        raise RuntimeError("audit consumes events")
    async with logs.turn:
        logs.forget()
        try:
            for school in await logs.schools():
                await _reload(at.db, at.consumer, await logs.of(school), school)
        except (Unreadable, Fork, Blocked, OSError) as error:
            at.alarm("log_files", f"the log's files and its database cannot be brought together: {error}")
            await asyncio.sleep(ALARM_AGAIN_S)
            raise Transient("log_files") from None


async def _reload(db: Database, consumer: Consumer, files: LogFiles, school: str) -> None:
    async with db.school(school) as conn:
        size, _, _ = await store.unsigned(conn, school, files.tree.size)
    for first in range(size, files.tree.size, RELOADED_AT_ONCE):
        end = min(first + RELOADED_AT_ONCE, files.tree.size)
        events = [Event.parse(raw) for raw in await asyncio.to_thread(files.read, EVENTS, first, end)]
        await consumer.retrace(school, events)
        log.warning("lines reloaded", extra={"code": "lines_reloaded", "school": school, "lines": len(events)})


async def give_tails(at: Site) -> None:
    """Answers `ask.tail` {producer, school, after_seq} with the texts of the events kept, as far as they fit."""
    await at.bus.client.subscribe("ask.tail", queue=SERVICE, cb=partial(_answer_tail, at.db))


async def _answer_tail(db: Database, message: Msg) -> None:
    try:
        asked = pydantic_core.from_json(message.data)
        async with db.school(asked["school"]) as conn:
            events = await store.tail(conn, asked["producer"], int(asked["after_seq"]), MOST)
        await answer(message, fitting(events))
    except Exception as error:  # noqa: BLE001  whatever it is, the asker tries again
        log.warning("tail not given", extra={"code": "tail_unanswered", "kind": type(error).__name__})
