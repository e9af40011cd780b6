"""People's own addresses: nothing but a code before the code came back, and what stops or opens a channel."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.notifications import addressing, code_count, leaving, preferences
from services.notifications.address_requests import (
    AddAddress,
    Addresses,
    AskCode,
    LeaveChannel,
    RemoveAddress,
    ResumeChannel,
    VerifyAddress,
)
from services.notifications.channel import ChannelDown
from services.notifications.codes import CodeSender
from services.notifications.preferences import OwnPreferences
from services.notifications.reaching import Reach
from services.notifications.smtp import MailChannel
from services.notifications.turns import Woken
from shared.actor import Actor
from shared.clock import Clock, Ids
from shared.errors import Problem
from shared.events.notifications import Channel
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role, school_subject
from shared.unit import Asked, Request
from tests.notifications.house import MEMBER, OTHER, SETTINGS, House
from tests.notifications.support import give_access, grant, journaled

OWN = "eigen@thuis.example"


async def ask(
    house: House, name: str, body: Request, who: UUID = MEMBER, kind: ActorKind = ActorKind.PERSON
) -> dict[str, Any]:
    known = (*addressing.ENDPOINTS, *leaving.ENDPOINTS, *preferences.ENDPOINTS)
    endpoint = next(one for one in known if one.name == name)
    asked = Asked(Actor(who, kind, house.school, "portal"), house.school, body, Ids())
    found: dict[str, Any] = await house.unit.run(endpoint, asked)
    return found


async def shown(house: House, who: UUID = MEMBER) -> dict[str, Any]:
    body = Addresses.model_validate({"purpose": "own_data"}, strict=False)
    return await ask(house, "addresses", body, who)


def codes(house: House) -> CodeSender:
    return CodeSender(
        house.db,
        house.unit,
        Ids(),
        Clock(),
        Reach(house.contact),
        {Channel.MAIL: lambda: MailChannel("127.0.0.1", house.server.port, SETTINGS)},
        lambda *_: "https://deur.example/bevestigen/x",
        lambda *_, **__: None,
        4.0,
        Woken(),
    )


async def give(house: House, target: str = OWN) -> dict[str, Any]:
    return await ask(house, "add-address", AddAddress(channel=Channel.MAIL, target=target))


async def code_in_mail(house: House) -> str:
    await codes(house).send_due(house.school)
    body = house.server.accepted[-1][1].get_body(("plain",))
    assert body is not None
    found = re.search(r"\b\d{8}\b", body.get_content())
    assert found is not None
    return found[0]


async def test_nothing_but_a_code_goes_to_an_address_before_the_code_came_back(house: House) -> None:
    added = await give(house)
    code = await code_in_mail(house)
    await house.tell(MEMBER)
    await house.sender().send_due(house.school)
    assert [to for to, _ in house.server.accepted] == [OWN, "een@thuis.example"]
    reply = await ask(house, "verify-address", VerifyAddress(address=UUID(added["address"]), code=code))
    assert reply["state"] == "verified"
    await house.tell(MEMBER)
    await house.sender().send_due(house.school)
    assert [to for to, _ in house.server.accepted][2:] == [OWN]


async def test_a_code_is_kept_as_a_salted_hash_and_is_in_no_line(house: House) -> None:
    await give(house)
    code = await code_in_mail(house)
    async with house.db.school(house.school) as conn:
        row = await conn.fetchrow("SELECT * FROM address")
        lines = [event.type.split(".", 3)[3] for event in await journaled(conn)]
        acts = [event.act for event in await journaled(conn)]
        text = " ".join([row[0] for row in await conn.fetch("SELECT event FROM journal")])
    assert row is not None
    assert code not in str(dict(row))
    assert lines == ["address.added.v1", "address.asked.v1"]
    assert {(act.basis, act.category, act.actor) for act in acts} == {(Basis.OWN_DATA, Category.CONTACT, MEMBER)}
    assert code not in text
    assert OWN not in text


async def test_a_code_goes_once(house: House) -> None:
    await give(house)
    await code_in_mail(house)
    await codes(house).send_due(house.school)
    assert len(house.server.accepted) == 1


async def test_a_code_that_could_not_go_now_is_due_again(house: House) -> None:
    await give(house)
    house.server.rcpt = lambda _: "451 later"
    await codes(house).send_due(house.school)
    async with house.db.school(house.school) as conn:
        assert await conn.fetchval("SELECT code_due_at > clock_timestamp() FROM address")


async def test_after_five_misses_only_a_new_code_counts(house: House) -> None:
    added = await give(house)
    code = await code_in_mail(house)
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    body = VerifyAddress(address=UUID(added["address"]), code=wrong)
    left = [(await ask(house, "verify-address", body))["tries_left"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(Problem, match="ask for a new one"):
        await ask(house, "verify-address", VerifyAddress(address=UUID(added["address"]), code=code))
    (one,) = (await shown(house))["addresses"]
    await ask(house, "ask-code", AskCode(address=UUID(one["address"]), version=one["version"]))
    again = VerifyAddress(address=UUID(added["address"]), code=await code_in_mail(house))
    assert (await ask(house, "verify-address", again))["state"] == "verified"


async def test_giving_and_taking_away_sends_no_codes_without_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_count, "MOST_CODES_A_DAY", 2)
    for _ in range(2):
        added = await give(house)
        await code_in_mail(house)
        (one,) = (await shown(house))["addresses"]
        await ask(house, "remove-address", RemoveAddress(address=UUID(added["address"]), version=one["version"]))
    with pytest.raises(Problem, match="try again tomorrow"):
        await give(house)
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE code_count SET since = since - interval '1 day'")
    added = await give(house)
    await code_in_mail(house)
    async with house.db.school(house.school) as conn:
        assert await conn.fetchval("SELECT codes FROM code_count") == 1
    monkeypatch.setattr(code_count, "MOST_CODES_A_DAY", 1)
    (one,) = (await shown(house))["addresses"]
    with pytest.raises(Problem, match="try again tomorrow"):
        await ask(house, "ask-code", AskCode(address=UUID(added["address"]), version=one["version"]))


async def test_a_channel_that_is_down_keeps_no_other_channels_codes_back(house: House) -> None:
    await give(house)
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE address SET channel = 'push', code_due_at = code_due_at - interval '1 hour'")
    await give(house, "tweede@thuis.example")
    sender = codes(house)
    down = lambda: MailChannel("127.0.0.1", 1, SETTINGS)  # noqa: E731
    with pytest.raises(ChannelDown):
        await replace(sender, channels={**sender.channels, Channel.PUSH: down}).send_due(house.school)
    assert [to for to, _ in house.server.accepted] == ["tweede@thuis.example"]


async def test_a_code_that_is_too_old_counts_no_more(house: House) -> None:
    added = await give(house)
    code = await code_in_mail(house)
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE address SET code_until = clock_timestamp()")
    with pytest.raises(Problem, match="ask for a new one"):
        await ask(house, "verify-address", VerifyAddress(address=UUID(added["address"]), code=code))


async def test_anothers_address_is_not_there(house: House) -> None:
    await house.allow(MEMBER)  # with it comes a lease
    added = UUID((await give(house))["address"])
    for name, body in (
        ("verify-address", VerifyAddress(address=added, code="00000000")),
        ("remove-address", RemoveAddress(address=added, version=1)),
        ("ask-code", AskCode(address=added, version=1)),
    ):
        with pytest.raises(Problem, match="does not exist"):
            await ask(house, name, body, OTHER)
    assert (await shown(house, OTHER))["addresses"] == []


async def test_who_is_no_person_has_neither_addresses_nor_preferences(house: House) -> None:
    with pytest.raises(Problem, match="may not"):
        await ask(house, "add-address", AddAddress(channel=Channel.MAIL, target=OWN), kind=ActorKind.TOOL)
    with pytest.raises(Problem, match="may not"):
        await ask(house, "preferences", OwnPreferences(purpose=Purpose.OWN_DATA), kind=ActorKind.TOOL)


@pytest.mark.parametrize(
    "target",
    [
        "x",
        "a@b.example\r\nBcc: x@y.example",
        "a@b.example, c@d.example",
        "<a@b.example>",
        "a@b.example\n",
        "é@b.example",
    ],
)
async def test_an_address_that_could_carry_more_is_refused(house: House, target: str) -> None:
    with pytest.raises(Problem, match="plain mail address"):
        await give(house, target)


async def test_the_same_address_twice_or_too_many_are_refused(house: House) -> None:
    await give(house)
    with pytest.raises(Problem, match="already"):
        await give(house)
    for number in range(addressing.MOST - 1):
        await give(house, f"a{number}@thuis.example")
    with pytest.raises(Problem, match="remove one first"):
        await give(house, "meer@thuis.example")


async def test_a_removed_address_is_gone(house: House) -> None:
    added = await give(house)
    await ask(house, "remove-address", RemoveAddress(address=UUID(added["address"]), version=added["version"]))
    assert (await shown(house))["addresses"] == []


async def test_who_left_gets_no_mail_until_it_wants_it_again(house: House) -> None:
    for _ in range(2):  # again is the same
        await ask(house, "leave-channel", LeaveChannel(channel=Channel.MAIL))
    assert (await shown(house))["stopped"] == {"mail": "unsubscribed"}
    own = OwnPreferences.model_validate({"purpose": "own_data"}, strict=False)
    assert (await ask(house, "preferences", own))["stopped"] == {"mail": "unsubscribed"}
    assert (await ask(house, "preferences", own, OTHER))["stopped"] == {}
    await house.tell(MEMBER)
    await house.sender().send_due(house.school)
    assert (house.server.accepted, await house.states()) == ([], [("cancelled", 1, "unsubscribed")])
    await ask(house, "resume-channel", ResumeChannel(channel=Channel.MAIL))
    await house.tell(MEMBER)
    await house.sender().send_due(house.school)
    assert len(house.server.accepted) == 1
    told = await house.told()
    assert (told.count("address.stopped"), told.count("address.resumed")) == (1, 1)


async def make_fixed(house: House) -> None:
    """Makes what waits something that the law wants told."""
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE notice SET kind = 'consent_asked'")


async def test_who_unsubscribes_still_gets_what_the_law_or_safety_wants_told(house: House) -> None:
    await ask(house, "leave-channel", LeaveChannel(channel=Channel.MAIL))
    await house.tell(MEMBER)
    await make_fixed(house)
    await house.tell(MEMBER)
    await house.sender().send_due(house.school)
    assert len(house.server.accepted) == 1
    assert sorted(await house.states(), key=str) == [("cancelled", 1, "unsubscribed"), ("sent", 1, None)]


async def test_who_stops_everything_gets_no_mail_and_who_keeps_the_records_is_told(house: House) -> None:
    about = school_subject(house.school)
    keeps = grant(
        OTHER,
        role=Role.SCHOOL_ADMINISTRATOR,
        actions=(Action.RECEIVE, Action.MANAGE),
        categories=(Category.IDENTITY,),
        purposes=(Purpose.ADMINISTRATION,),
    )
    await give_access(house.db, house.school, about, [keeps])
    everything = LeaveChannel(channel=Channel.MAIL, everything=True, about=about)
    await ask(house, "leave-channel", LeaveChannel(channel=Channel.MAIL))
    for _ in range(2):  # more, and again is the same
        reply = await ask(house, "leave-channel", everything)
        assert reply["code"] == "unsubscribed_all"
    assert (await ask(house, "leave-channel", LeaveChannel(channel=Channel.MAIL)))["code"] == "unsubscribed_all"
    async with house.db.school(house.school) as conn:
        told = await conn.fetch("SELECT member, kind, thing FROM notice")
        lines = [event for event in await journaled(conn) if event.type.endswith("notice.queued.v1")]
        await conn.execute("DELETE FROM delivery")
    assert [tuple(row) for row in told] == [(OTHER, "address_stopped", MEMBER)]
    assert [(line.about, line.act.kind, line.act.basis) for line in lines] == [(about, "service", Basis.PUBLIC_TASK)]
    await house.tell(MEMBER)
    await make_fixed(house)
    await house.sender().send_due(house.school)
    assert (house.server.accepted, await house.states()) == ([], [("cancelled", 1, "unsubscribed_all")])


async def test_to_stop_everything_the_school_itself_is_named(house: House) -> None:
    await house.allow(MEMBER)
    with pytest.raises(Problem, match="school's own subject"):
        await ask(house, "leave-channel", LeaveChannel(channel=Channel.MAIL, everything=True))
