"""Whose turn it is, how long senders rest, and how often the operators hear of one trouble."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast
from uuid import UUID, uuid4

import pytest

from services.notifications.channel_settings import ChannelSettings
from services.notifications.mail import MailSettings
from services.notifications.pace import Limits, Pace
from services.notifications.reaching import Reach
from services.notifications.sender import CLAIM_SPARE_S
from services.notifications.sending import OTHER_PATIENCE_S, SendingHouse
from services.notifications.smtp import MailChannel
from services.notifications.turns import LONGEST_REST_S, SAY_AGAIN_S, Folded, Watch, Woken
from shared.events.notifications import Channel
from shared.service import Site
from tests.notifications.house import CHILD, MEMBER, OTHER, SETTINGS, House
from tests.notifications.mailserver import greeting
from tests.notifications.support import Lane, accepted, act, give_access, grant
from tests.notifications.test_pace import passes

HOUR_S = 3600.0
AGED = """
UPDATE delivery SET due_at = due_at - make_interval(secs => $1), next_try_at = next_try_at - make_interval(secs => $1)
"""


@dataclass(slots=True)
class Played:
    """A clock that goes on by what is rested only, and what happens at an hour."""

    now_s: float = 1000.0
    naps: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


@dataclass(slots=True)
class Idle(Woken):
    """Tells when there was nothing to send."""

    idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, longest_s: float) -> None:
        del longest_s
        self.idle.set()
        await self.event.wait()


async def ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait({running})


async def test_a_mail_server_that_is_down_for_an_hour_costs_no_try_one_alarm_and_a_minute_at_most(house: House) -> None:
    woken = Idle()
    await house.tell(MEMBER, OTHER)
    async with greeting(b"421 not now\r\n") as down:

        class Back(Played):
            async def sleep(self, seconds: float) -> None:
                await Played.sleep(self, seconds)
                if self.now_s >= 1000.0 + HOUR_S:
                    async with house.db.school(house.school) as conn:  # the rows have lived through it too
                        await conn.execute(AGED, HOUR_S)
                    await house.allow(MEMBER, OTHER)  # with a lease that begins now

        played = Back()

        def channel() -> MailChannel:
            port = down if played.now_s < 1000.0 + HOUR_S else house.server.port
            return MailChannel("127.0.0.1", port, SETTINGS)

        sender = replace(house.sender(), channel=channel, watch=Watch(played.now, played.sleep), woken=woken)
        running = asyncio.create_task(sender.run())
        async with asyncio.timeout(60):
            await woken.idle.wait()
        await ended(running)
    assert house.alarms == ["mail_server_unreachable"]
    assert sorted(await house.told()) == ["claimed", "claimed", "queued", "queued", "sent", "sent"]
    assert await house.states() == [("sent", 1, None)] * 2
    assert len(house.server.accepted) == len(set(house.server.ids)) == 2
    assert HOUR_S <= sum(played.naps) < HOUR_S + LONGEST_REST_S
    assert max(played.naps) == LONGEST_REST_S
    assert len(played.naps) < 80  # and the server that is down is not hammered


async def test_a_limit_of_all_goes_round_the_schools_and_starves_none(house: House) -> None:
    """One mail may go each time: who has many waiting does not take them all."""
    schools, went = [f"{house.school}-{one}" for one in "abc"], list[str]()

    async def contact(school: str, member: UUID, about: UUID) -> str:
        assert (member, about) == (MEMBER, CHILD)
        went.append(school[-1])
        return "een@thuis.example"

    for school in schools:
        await give_access(house.db, school, CHILD, [grant(MEMBER)])
        lane = Lane(school, at=datetime.now(UTC))
        events = [lane.add(accepted(), CHILD, act(OTHER), uuid4()) for _ in range(3)]
        await house.applier.apply(school, "goals", events)
    played, woken = Played(), Idle()
    pace = Pace(house.db, Channel.MAIL, Limits(per_minute=6))  # one at once
    sender = replace(
        house.sender(), reach=Reach(contact), pace=pace, watch=Watch(played.now, played.sleep), woken=woken
    )
    running = asyncio.create_task(sender.run())
    async with asyncio.timeout(60):
        for _ in range(9):
            await woken.idle.wait()
            woken.idle.clear()
            played.now_s += 10
            await passes(house.db, house.school, 11)
            for school in schools:
                await give_access(house.db, school, CHILD, [grant(MEMBER)])
            woken.event.set()
        await woken.idle.wait()
    await ended(running)
    assert len(went) == 9
    assert [sorted(went[at : at + 3]) for at in (0, 3, 6)] == [["a", "b", "c"]] * 3


def test_what_meets_letter_after_letter_is_said_once_and_again_when_it_lasts() -> None:
    folded = Folded()
    assert [folded.times("rcpt_550", at) for at in (0.0, 1.0, SAY_AGAIN_S - 1)] == [1, 0, 0]
    assert folded.times("push_403", 1.0) == 1
    assert folded.times("rcpt_550", SAY_AGAIN_S) == 3
    assert folded.times("rcpt_550", SAY_AGAIN_S + 1) == 0


async def test_a_server_that_refuses_us_letter_after_letter_is_one_alarm(house: House) -> None:
    for _ in range(3):
        await house.tell(MEMBER, OTHER)
    house.server.data = lambda: "550 5.7.1 relaying denied"
    await house.sender().send_due(house.school)
    assert [code for _, _, code in await house.states()].count("data_550") >= 5
    assert house.alarms == ["channel_refuses_us"]


@pytest.mark.parametrize("patience_s", [1.0, 90.0])
def test_no_claim_lapses_while_a_patient_channel_still_waits(patience_s: float) -> None:
    house = SendingHouse(cast("Site", None), MailSettings(patience_s=patience_s), ChannelSettings())
    assert house.patience_s >= max(patience_s, OTHER_PATIENCE_S)
    assert house.patience_s + CLAIM_SPARE_S > OTHER_PATIENCE_S + 4
