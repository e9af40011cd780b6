"""Takes mails that came back, from a mailbox or from the door, and stops the addresses that nothing arrives at."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mailbox
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from services.notifications import address_store
from services.notifications.dsn import Returned, read_dsn
from services.notifications.keyring import Keyring
from services.notifications.model import SERVICE
from services.notifications.stopping import BOUNCED, STOP, StopAddress
from services.notifications.turns import Alarm
from shared.actor import Actor, service_id
from shared.clock import Ids
from shared.db import LOST, Database
from shared.errors import Problem, ProblemType
from shared.events.notifications import Channel
from shared.events.words import ActorKind, school_subject
from shared.unit import Asked
from shared.unit_run import Unit

log = logging.getLogger(__name__)

POLL_S = 15.0
A_ROUND = 200
LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounces:
    """What taking mails back needs."""

    db: Database
    unit: Unit
    ids: Ids
    keys: Keyring | None
    alarm: Alarm

    async def take(self, raw: bytes) -> str:
        """Takes one; returns `stopped`, `kept` (it may yet arrive) or `unknown` (none of ours).

        Raises Problem: try again later.
        """
        if self.keys is None:  # without them nothing tells a mail that came back from one that somebody made up
            return "unknown"
        found = await asyncio.to_thread(read_dsn, raw, self.keys.returned)
        became = [await self._stop(one) for one in found]
        return "stopped" if "stopped" in became else "kept" if "kept" in became else "unknown"

    async def _stop(self, one: Returned) -> str:
        found = await self._notice(one)
        if found is None:
            return "unknown"
        if not one.gone:
            return "kept"
        school, notice = found
        body = StopAddress(
            about=school_subject(school), notice=notice, channel=Channel.MAIL, target=one.recipient, code=BOUNCED
        )
        service = Actor(service_id(SERVICE), ActorKind.SERVICE, school, SERVICE)
        try:
            await self.unit.run(STOP, Asked(service, school, body, self.ids))
        except Problem as problem:
            if problem.type is ProblemType.CONFLICT:
                return "unknown"
            raise
        return "stopped"

    async def _notice(self, one: Returned) -> tuple[str, UUID] | None:
        for school in await self.db.schools():
            async with self.db.school(school) as conn:
                notice = await address_store.find_notice(conn, school, one.letter)
            if notice is not None:
                return school, notice
        return None

    async def read(self, path: Path) -> None:
        """Reads a mailbox until cancelled: every so often what is new. What was taken is removed from it."""
        failures = 0
        while True:
            try:
                await self.read_round(path)
                failures = 0
            except (OSError, mailbox.Error) as error:
                failures += 1
                if failures == 1:
                    self.alarm("bounces_unreadable", "the mailbox of bounces can't be read", kind=type(error).__name__)
            except (Problem, *LOST, asyncpg.PostgresError) as error:
                log.warning("bounces rest", extra={"code": "sending_rests", "kind": type(error).__name__})
            await asyncio.sleep(POLL_S)

    async def read_round(self, path: Path) -> int:
        """Takes what lies in a mailbox now; returns how many. Raises OSError, mailbox.Error, Problem."""
        taken: list[str] = []
        try:
            for key, raw in await asyncio.to_thread(_list, path):
                await self.take(raw)
                taken.append(key)
        finally:  # one that was taken and is found again, after a crash, stops nothing twice
            await asyncio.to_thread(_remove, path, taken)
        return len(taken)


def _box(path: Path) -> mailbox.Maildir | mailbox.mbox:
    return mailbox.Maildir(path, create=False) if path.is_dir() else mailbox.mbox(path, create=False)


def _list(path: Path) -> list[tuple[str, bytes]]:
    with contextlib.closing(_box(path)) as box:
        keys = [key for _, key in zip(range(A_ROUND), box.iterkeys(), strict=False)]
        return [(str(key), box.get_bytes(key)[:LARGEST]) for key in keys]


def _remove(path: Path, keys: list[str]) -> None:
    if not keys:
        return
    with contextlib.closing(_box(path)) as box:
        box.lock()
        try:
            for key in keys:
                if isinstance(box, mailbox.mbox):
                    box.remove(int(key))  # type: ignore[arg-type]  # an mbox counts its messages
                else:
                    box.discard(key)
            box.flush()
        finally:
            box.unlock()
