"""What leaves: to whom may still be told, once where the protocol lets us know, and with nothing in it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.notifications.channel import ChannelDown
from services.notifications.deliveries import CLAIM, ClaimDelivery
from services.notifications.reaching import Reach
from services.notifications.store import list_due
from shared.access_projection import by_member
from shared.actor import Actor
from shared.clock import Ids
from shared.errors import Problem, Transient
from shared.events.notifications import NoticeClaimed, NoticeSent
from shared.events.words import ActorKind, Basis, Category
from shared.unit import Asked
from tests.notifications.house import ACTOR, CHILD, MEMBER, OTHER, House
from tests.notifications.mailserver import greeting
from tests.notifications.support import (
    ACCESS,
    LEASE,
    accepted,
    act,
    give_access,
    grant,
    journaled,
    make_due,
)


async def test_each_recipient_gets_a_mail_of_its_own(house: House) -> None:
    await house.tell(MEMBER, OTHER)
    assert await house.sender().send_due(house.school) == 2
    assert sorted(to for to, _ in house.server.accepted) == ["een@thuis.example", "twee@elders.example"]
    assert all(message["To"] == to for to, message in house.server.accepted)
    assert len(set(house.server.ids)) == 2
    assert await house.states() == [("sent", 1, None)] * 2


async def test_the_disclosure_line_names_recipient_child_and_basis(house: House) -> None:
    await house.tell(MEMBER)
    await house.sender().send_due(house.school)
    assert await house.told() == ["queued", "claimed", "sent"]
    async with house.db.school(house.school) as conn:
        sent = (await journaled(conn))[-1]
    assert (sent.about, sent.act.actor, sent.act.basis) == (CHILD, MEMBER, Basis.PUBLIC_TASK)
    assert (sent.fact(NoticeSent).recipient, sent.fact(NoticeSent).channel) == (MEMBER, "mail")
    assert sent.act.grant is not None


async def test_a_mail_holds_nothing_of_school_child_member_or_goal(house: House) -> None:
    await house.tell(MEMBER)
    await house.sender().send_due(house.school)
    mail = house.server.raw[0].decode().lower()
    goal = str(house.lane.add(accepted(), CHILD, act(ACTOR)).id)
    for word in (house.school, str(CHILD), str(MEMBER), str(ACTOR), goal, "doel ", "goal", "kind", "child"):
        assert word not in mail


async def test_who_lost_the_grant_since_it_was_queued_gets_nothing(house: House) -> None:
    await house.tell(MEMBER, OTHER)
    await house.allow(OTHER)
    await house.sender().send_due(house.school)
    assert [to for to, _ in house.server.accepted] == ["twee@elders.example"]
    assert sorted(await house.states()) == [("cancelled", 1, "no_grant"), ("sent", 1, None)]
    assert "cancelled" in await house.told()


async def test_a_grant_withdrawn_between_look_and_commit_sends_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.tell(MEMBER)
    commit, withdrawn = house.unit._commit, asyncio.Event()

    async def late(*args: Any) -> str:  # noqa: ANN401  passed on as they are
        if not withdrawn.is_set():
            withdrawn.set()
            await house.allow(OTHER)
        return await commit(*args)

    monkeypatch.setattr(house.unit, "_commit", late)
    await house.sender().send_due(house.school)
    assert (house.server.accepted, await house.states()) == ([], [("cancelled", 1, "no_grant")])


async def test_a_grant_for_something_else_does_not_help(house: House) -> None:
    await house.tell(MEMBER)
    await give_access(house.db, house.school, CHILD, [grant(MEMBER, categories=(Category.PLAN,))])
    await house.sender().send_due(house.school)
    assert (house.server.accepted, await house.states()) == ([], [("cancelled", 1, "no_grant")])


async def test_access_that_cannot_be_verified_sends_nothing_and_loses_nothing(house: House) -> None:
    await house.tell(MEMBER)
    async with house.db.school(house.school) as conn:
        await conn.execute("DELETE FROM access_lease")
    with pytest.raises(Problem, match="cannot be verified"):
        await house.sender().send_due(house.school)
    assert (house.server.accepted, await house.states()) == ([], [("queued", 0, None)])
    await house.allow(MEMBER)
    await house.sender().send_due(house.school)
    assert await house.states() == [("sent", 1, None)]


async def test_a_server_that_is_down_costs_no_try(house: House) -> None:
    await house.tell(MEMBER, OTHER)
    async with greeting(b"421 busy\r\n") as busy:
        with pytest.raises(ChannelDown, match="greeted_421"):
            await house.sender(busy).send_due(house.school)
    with pytest.raises(ChannelDown):
        await house.sender(busy).send_due(house.school)  # nobody listens there any more
    assert await house.states() == [("queued", 0, None)] * 2
    await house.sender().send_due(house.school)
    assert await house.states() == [("sent", 1, None)] * 2


async def test_not_now_is_tried_again_later_as_the_same_mail(house: House) -> None:
    await house.tell(MEMBER)
    house.server.data = lambda: "451 not now"
    await house.sender().send_due(house.school)
    assert await house.states() == [("deferred", 1, "data_451")]
    assert await house.sender().send_due(house.school) == 0  # not at once
    house.server.data = lambda: "250 OK"
    await make_due(house.db, house.school)
    await house.sender().send_due(house.school)
    assert await house.states() == [("sent", 2, None)]
    assert await house.told() == ["queued", "claimed", "deferred", "claimed", "sent"]


async def test_a_refused_recipient_fails_and_the_next_is_sent(house: House) -> None:
    await house.tell(MEMBER, OTHER)
    house.server.rcpt = lambda address: "550 unknown" if address.startswith("een") else "250 OK"
    sender = house.sender()
    async with house.db.school(house.school) as conn:
        due = sorted(await list_due(conn, house.school, 10), key=lambda d: d.member != MEMBER)
    channel = sender.channel()
    await channel.ready()
    for one in due:  # over one connection
        await sender.deliver(channel, house.school, one)
    await channel.close()
    assert sorted(await house.states()) == [("failed", 1, "rcpt_550"), ("sent", 1, None)]
    assert "failed" in await house.told()


async def test_a_mail_whose_acceptance_is_unknown_goes_again_under_the_same_id(house: House) -> None:
    await house.tell(MEMBER)
    house.server.drop_after_data = 1
    await house.sender().send_due(house.school)
    assert await house.states() == [("deferred", 1, "connection_lost")]
    await make_due(house.db, house.school)
    await house.sender().send_due(house.school)
    assert await house.states() == [("sent", 2, None)]
    assert len(house.server.ids) == 2
    assert len(set(house.server.ids)) == 1


async def test_a_claim_whose_sender_died_is_sent_again_after_it_lapsed(house: House) -> None:
    await house.tell(MEMBER)
    async with house.db.school(house.school) as conn:
        (due,) = await list_due(conn, house.school, 10)
    recipient = Actor(MEMBER, ActorKind.PERSON, house.school, "notifications")
    claim = ClaimDelivery(delivery=due.delivery, lasts_s=60)
    await house.unit.run(CLAIM, Asked(recipient, house.school, claim, Ids()))
    assert await house.sender().send_due(house.school) == 0
    await make_due(house.db, house.school)
    await house.sender().send_due(house.school)
    assert await house.states() == [("sent", 2, None)]


async def test_two_senders_send_one_mail(house: House) -> None:
    await house.tell(MEMBER, OTHER)
    await asyncio.gather(*(house.sender().send_due(house.school) for _ in range(3)))
    assert len(house.server.accepted) == 2
    assert await house.states() == [("sent", 1, None)] * 2


async def test_nothing_leaves_on_a_claim_that_is_too_old(house: House) -> None:
    await house.tell(MEMBER)
    await replace(house.sender(), release_within_s=0.0).send_due(house.school)
    assert (house.server.accepted, await house.states()) == ([], [("deferred", 1, "claim_too_old")])


async def test_a_server_that_says_go_ahead_too_late_gets_no_mail(house: House) -> None:
    await house.tell(MEMBER)
    house.server.hold_go_ahead.clear()
    asyncio.get_running_loop().call_later(1.0, house.server.hold_go_ahead.set)
    await replace(house.sender(), release_within_s=0.5).send_due(house.school)
    await house.server.hold_go_ahead.wait()
    assert house.server.accepted == []
    ((state, tries, code),) = await house.states()
    assert (state, tries, code in {"connection_lost", "claim_too_old"}) == ("deferred", 1, True)


@pytest.mark.parametrize(
    ("address", "state"), [(None, "cancelled"), ("een@thuis.example\r\nRCPT TO:<x@y.example>", "failed")]
)
async def test_who_has_no_usable_address_is_left_to_the_inbox(house: House, address: str | None, state: str) -> None:
    await house.tell(MEMBER)
    house.addresses[MEMBER] = address
    await house.sender().send_due(house.school)
    assert (house.server.accepted, (await house.states())[0][0]) == ([], state)


async def test_an_address_that_cannot_be_asked_now_is_asked_later(house: House) -> None:
    async def unanswered(school: str, member: UUID, about: UUID) -> str | None:
        raise Transient(f"{school} {member} {about}")

    await house.tell(MEMBER)
    await replace(house.sender(), reach=Reach(unanswered)).send_due(house.school)
    assert await house.states() == [("deferred", 1, "contact_unanswered")]


async def test_after_five_days_it_is_given_up_and_said(house: House) -> None:
    await house.tell(MEMBER, at=datetime.now(UTC) - timedelta(days=6))
    await house.sender().send_due(house.school)
    assert (house.server.accepted, await house.states()) == ([], [("failed", 1, "too_late")])


async def test_stopping_writes_down_the_mail_under_way(house: House) -> None:
    await house.tell(MEMBER)
    house.server.hold.clear()
    running = asyncio.create_task(house.sender().run())
    await house.server.arrived.wait()
    running.cancel()
    house.server.hold.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await house.states() == [("sent", 1, None)]


async def test_one_that_can_not_be_made_keeps_no_other_back(house: House) -> None:
    await house.tell(MEMBER, OTHER)
    del house.addresses[MEMBER]  # the contact's answer is nothing that is known
    assert await house.sender().send_due(house.school) == 1
    assert [to for to, _ in house.server.accepted] == ["twee@elders.example"]
    assert house.alarms == ["sending_failed"]


async def test_an_unreachable_server_is_told_to_the_operators_once(house: House) -> None:
    await house.tell(MEMBER)
    heard = asyncio.Event()

    def alarm(code: str, text: str, **facts: object) -> None:
        del text, facts
        house.alarms.append(code)
        heard.set()

    async with greeting(b"554 go away\r\n") as port:
        running = asyncio.create_task(replace(house.sender(port), alarm=alarm).run())
        await heard.wait()
        running.cancel()
        await asyncio.wait({running})
    assert house.alarms == ["mail_server_unreachable"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_flips_between_queue_and_send_every_claim_stands_on_a_grant(house: House, seed: int) -> None:
    randomness = Random(seed)
    for _ in range(10):
        await house.tell(MEMBER)
    allowed: set[int] = set()

    async def flip() -> None:
        for _ in range(15):
            may = randomness.random() < 0.5
            async with house.db.school(house.school) as conn:
                await conn.execute("SELECT pg_advisory_xact_lock(access_key($1, $2))", house.school, CHILD)
                await conn.execute(ACCESS, house.school, CHILD, by_member([grant(MEMBER)] if may else []))
                await conn.execute(LEASE, house.school)
                revision = await conn.fetchval("SELECT version FROM access WHERE id = $1", CHILD)
            if may:
                allowed.add(revision)

    sender = house.sender()
    async with house.db.school(house.school) as conn:
        allowed.add(await conn.fetchval("SELECT version FROM access WHERE id = $1", CHILD))
    await asyncio.gather(flip(), *(sender.send_due(house.school) for _ in range(2)))
    async with house.db.school(house.school) as conn:
        claims = [event for event in await journaled(conn) if event.is_a(NoticeClaimed)]
    assert {claim.act.revision for claim in claims} <= allowed
    assert len(house.server.accepted) == len(claims)
    assert {state for state, _, _ in await house.states()} <= {"sent", "cancelled"}
