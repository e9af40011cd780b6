"""One school with a child, its members, a sender and a mail server: what the sender's tests live in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from services.notifications.mail import MailSettings
from services.notifications.pace import Limits, Pace
from services.notifications.reaching import Reach
from services.notifications.sender import Sender
from services.notifications.smtp import MailChannel
from shared.clock import Clock, Ids
from shared.db import Database
from shared.events.notifications import Channel
from shared.projection import Applier
from shared.unit_run import Unit
from tests.notifications.mailserver import Server
from tests.notifications.support import Lane, accepted, act, give_access, grant, states, told

CHILD, ACTOR, MEMBER, OTHER = (uuid4() for _ in range(4))
ADDRESSES: dict[UUID, str | None] = {MEMBER: "een@thuis.example", OTHER: "twee@elders.example"}
SETTINGS = MailSettings(sender="niet-antwoorden@school.example", patience_s=5)


@dataclass
class House:
    """One school with a child, its members, a sender and a mail server."""

    db: Database
    unit: Unit
    applier: Applier
    school: str
    server: Server
    addresses: dict[UUID, str | None] = field(default_factory=lambda: dict(ADDRESSES))
    alarms: list[str] = field(default_factory=list)
    lane: Lane = field(init=False)

    def __post_init__(self) -> None:
        self.lane = Lane(self.school)

    async def contact(self, school: str, member: UUID, about: UUID) -> str | None:
        assert (school, about) == (self.school, CHILD)
        return self.addresses[member]

    def sender(self, port: int | None = None) -> Sender:
        def alarm(code: str, text: str, **facts: object) -> None:
            assert not any(address in f"{text} {facts}" for address in self.addresses.values() if address)
            self.alarms.append(code)

        at = port or self.server.port
        channel = lambda: MailChannel("127.0.0.1", at, SETTINGS)  # noqa: E731
        reach = Reach(self.contact)
        pace = Pace(self.db, Channel.MAIL, Limits())
        return Sender(self.db, self.unit, Ids(), Clock(), reach, channel, alarm, 4.0, SETTINGS.patience_s, pace)

    async def tell(self, *members: UUID, at: datetime | None = None) -> None:
        """Queues a notice for each of these."""
        await self.allow(*members)
        self.lane.at = at or datetime.now(UTC)
        event = self.lane.add(accepted(), CHILD, act(ACTOR), uuid4())
        await self.applier.apply(self.school, "goals", [event])

    async def allow(self, *members: UUID) -> None:
        await give_access(self.db, self.school, CHILD, [grant(member) for member in members])

    async def states(self) -> list[tuple[str, int, str | None]]:
        return await states(self.db, self.school)

    async def told(self) -> list[str]:
        return [name.removeprefix("notice.") for name in await told(self.db, self.school)]
