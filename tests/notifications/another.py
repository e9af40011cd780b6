"""`python -m tests.notifications.another <dsn> <school> <port> <per minute>`: another process that sends, once told."""

from __future__ import annotations

import asyncio
import sys
from typing import NoReturn
from uuid import UUID

from services.notifications.mail import MailSettings
from services.notifications.pace import Limits, Pace
from services.notifications.reaching import Reach
from services.notifications.sender import Sender
from services.notifications.smtp import MailChannel
from shared.clock import Clock, Ids
from shared.db import Database
from shared.events.notifications import Channel
from shared.unit_run import Unit

LOOKS = 3


async def anywhere(_school: str, _member: UUID, _about: UUID) -> str:
    return "een@thuis.example"


def alarm(code: str, text: str, **facts: object) -> NoReturn:
    raise AssertionError(f"{code}: {text} {facts}")


async def main(dsn: str, school: str, port: int, per_minute: int) -> None:
    db = await Database.connect(dsn, 6)
    settings = MailSettings(sender="niet-antwoorden@school.example", patience_s=5)
    pace = Pace(db, Channel.MAIL, Limits(per_minute_school=per_minute))
    channel = lambda: MailChannel("127.0.0.1", port, settings)  # noqa: E731
    unit = Unit("notifications", db, Ids())
    sender = Sender(db, unit, Ids(), Clock(), Reach(anywhere), channel, alarm, 4.0, settings.patience_s, pace)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    sent = sum([await sender.send_due(school) for _ in range(LOOKS)])
    await db.close()
    print(sent)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
