"""Real conversations with servers that behave badly: what is known is not sent twice, what is not is said."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP
from pydantic import SecretStr

from services.notifications.channel import ChannelDown, Letter, NotSent, Target
from services.notifications.mail import MailSettings
from services.notifications.pace import OPENS_AFTER, Limits
from services.notifications.smtp import MailChannel
from services.notifications.store import list_due
from shared.errors import Problem
from shared.events.base import Event
from shared.events.notifications import NoticeSent
from tests.notifications.house import MEMBER, OTHER, SETTINGS, House
from tests.notifications.mailserver import Server, serving
from tests.notifications.pushservice import certificate
from tests.notifications.support import journaled, make_due


@asynccontextmanager
async def with_tls(server: Server, folder: Path, host: str) -> AsyncIterator[Path]:
    """Serves with STARTTLS under a certificate of its own for `host`; yields its file."""
    cert, key = certificate(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: SMTP(server, hostname="mail.example", loop=loop, tls_context=context, require_starttls=True),
        "127.0.0.1",
        0,
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield cert
    finally:
        listening.close()
        await listening.wait_closed()


@pytest.mark.parametrize("tls", ["opportunistic", "required"])
async def test_a_certificate_that_does_not_verify_gets_no_mail(house: House, tmp_path: Path, tls: str) -> None:
    await house.tell(MEMBER)
    server = Server()
    settings = SETTINGS.model_copy(update={"tls": tls})
    async with with_tls(server, tmp_path, "127.0.0.1"):
        channel = lambda: MailChannel("127.0.0.1", server.port, settings)  # noqa: E731
        with pytest.raises(ChannelDown, match="certificate"):
            await replace(house.sender(), channel=channel).send_due(house.school)
    assert (server.accepted, await house.states()) == ([], [("queued", 0, None)])


async def test_a_server_without_tls_gets_no_mail_where_tls_is_required(house: House) -> None:
    await house.tell(MEMBER)
    settings = SETTINGS.model_copy(update={"tls": "required"})
    channel = lambda: MailChannel("127.0.0.1", house.server.port, settings)  # noqa: E731
    with pytest.raises(ChannelDown):
        await replace(house.sender(), channel=channel).send_due(house.school)
    assert (house.server.accepted, await house.states()) == ([], [("queued", 0, None)])


async def test_a_password_is_not_said_to_a_server_that_offers_no_tls() -> None:
    said, ended = list[bytes](), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        while line := await reader.readline():
            said.append(line)
            writer.write(b"250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n" if line[:4] == b"EHLO" else b"235 fine\r\n")
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    settings = SETTINGS.model_copy(update={"username": "school", "password": SecretStr("geheim")})
    channel = MailChannel("127.0.0.1", server.sockets[0].getsockname()[1], settings)
    async with server:
        with pytest.raises(ChannelDown):
            await channel.ready()
        await channel.close()
        await asyncio.wait_for(ended.wait(), 5)
    assert not any(line.startswith(b"AUTH") for line in said)


async def test_a_server_that_drops_the_connection_while_it_waits_is_asked_again_at_once(house: House) -> None:
    sender = replace(house.sender(), keep=True)
    await house.tell(MEMBER)
    await sender.send_due(house.school)
    await asyncio.sleep(0)
    house.server.drop_mail_from = 1
    await house.tell(OTHER)
    await sender.send_due(house.school)
    for _, channel in sender.idle:
        await channel.close()
    assert await house.states() == [("sent", 1, None)] * 2
    assert len(house.server.accepted) == 2


async def test_a_slow_server_that_never_answers_the_mail_leaves_a_doubt_that_is_told(house: House) -> None:
    await house.tell(MEMBER)
    house.server.hold.clear()
    settings = SETTINGS.model_copy(update={"patience_s": 0.2})
    channel = lambda: MailChannel("127.0.0.1", house.server.port, settings)  # noqa: E731
    await replace(house.sender(), channel=channel).send_due(house.school)
    ((state, tries, _),) = await house.states()
    assert (state, tries) == ("deferred", 1)
    house.server.hold.set()
    await make_due(house.db, house.school)
    await house.sender().send_due(house.school)
    async with house.db.school(house.school) as conn:
        events: list[Event] = [event for event in await journaled(conn) if event.is_a(NoticeSent)]
    assert [event.fact(NoticeSent).doubts for event in events] == [1]
    assert len(set(house.server.ids)) == 1  # and whoever got it twice can know


async def test_a_refusal_leaves_no_doubt(house: House) -> None:
    await house.tell(MEMBER)
    house.server.data = lambda: "451 later"
    await house.sender().send_due(house.school)
    house.server.data = lambda: "250 OK"
    await make_due(house.db, house.school)
    await house.sender().send_due(house.school)
    async with house.db.school(house.school) as conn:
        events: list[Event] = [event for event in await journaled(conn) if event.is_a(NoticeSent)]
    assert [event.fact(NoticeSent).doubts for event in events] == [0]


@pytest.mark.parametrize(
    ("step", "answer", "state"),
    [
        ("rcpt", "554 5.7.1 <een@thuis.example>: Relay access denied", "deferred"),
        ("rcpt", "550 relay not permitted", "deferred"),
        ("rcpt", "550-we know nothing of you\r\n550 relaying denied", "deferred"),
        ("rcpt", "530 5.7.0 Authentication required", "deferred"),
        ("data", "550 5.7.26 unauthenticated mail is not accepted", "deferred"),
        ("rcpt", "550 5.1.1 no such user; I relay nothing", "failed"),
        ("rcpt", "552 5.2.2 mailbox full", "failed"),
        ("data", "554 transaction failed", "failed"),
    ],
)
async def test_a_server_that_refuses_us_ends_no_recipients_mail_and_the_operators_hear_of_it(
    house: House, step: str, answer: str, state: str
) -> None:
    await house.tell(MEMBER)
    if step == "rcpt":
        house.server.rcpt = lambda _: answer
    else:
        house.server.data = lambda: answer
    await house.sender().send_due(house.school)
    assert await house.states() == [(state, 1, f"{step}_{answer[:3]}")]
    assert house.alarms == (["channel_refuses_us"] if state == "deferred" else [])


async def test_a_domain_that_keeps_refusing_is_left_alone_and_the_others_are_not(house: House) -> None:
    house.server.rcpt = lambda address: "451 later" if address.endswith("thuis.example") else "250 OK"
    sender = house.sender()
    for _ in range(OPENS_AFTER + 2):
        await house.tell(MEMBER)
        await sender.send_due(house.school)
    await house.tell(OTHER)
    await sender.send_due(house.school)
    codes = [code for _, _, code in await house.states()]
    assert (codes.count("rcpt_451"), codes.count("resting"), codes.count(None)) == (OPENS_AFTER, 2, 1)


async def test_what_does_not_leave_counts_for_no_limit(house: House) -> None:
    """What was withdrawn, what another replica has, and what can't be claimed now."""
    for _ in range(3):
        await house.tell(MEMBER)
    await house.tell(OTHER)
    senders = [house.sender() for _ in range(3)]
    for one in senders:
        one.pace.limits = Limits(per_minute=600, per_minute_school=600)
    async with house.db.school(house.school) as conn:
        await conn.execute("DELETE FROM access_lease")
    with pytest.raises(Problem):
        await senders[0].send_due(house.school)
    assert house.server.accepted == []
    assert await levels(house) < 1
    await house.allow(OTHER)
    await asyncio.gather(*(one.send_due(house.school) for one in senders))
    assert sorted(state for state, _, _ in await house.states()) == ["cancelled"] * 3 + ["sent"]
    assert await levels(house) <= 1


async def levels(house: House) -> float:
    """Returns how full the fuller of the two buckets is."""
    async with house.db.school(house.school) as conn:
        full: float = await conn.fetchval("SELECT greatest(s.level, c.level) FROM school_pace s, channel_pace c")
    return full


async def test_a_schools_limit_holds_the_rest_back_and_loses_nothing(house: House) -> None:
    for _ in range(5):
        await house.tell(MEMBER)
    sender = house.sender()
    sender.pace.limits = Limits(per_minute_school=20)  # two at once
    await sender.send_due(house.school)
    states = sorted(state for state, _, _ in await house.states())
    assert states == ["queued"] * 3 + ["sent"] * 2


async def test_what_is_urgent_overtakes_a_batch_that_is_under_way(house: House) -> None:
    for _ in range(20):
        await house.tell(MEMBER)
    house.server.delay_s = 0.02
    sender = replace(house.sender(), workers=1)
    ordinary = asyncio.create_task(sender.send_due(house.school))
    await house.server.arrived.wait()
    await house.tell(MEMBER, OTHER)
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE delivery SET urgent = true WHERE member = $1", OTHER)
    before = len(house.server.accepted)
    await replace(sender, urgent=True).send_due(house.school)
    assert [to for to, _ in house.server.accepted].index("twee@elders.example") <= before + 1
    assert not ordinary.done()
    assert await ordinary == 20


async def test_while_something_urgent_is_under_way_nothing_else_begins(house: House) -> None:
    await house.tell(MEMBER, OTHER)
    sender = house.sender()
    with sender.yielding.going(urgent=True):
        ordinary = asyncio.create_task(sender.send_due(house.school))
        await asyncio.sleep(0.3)
        assert (house.server.accepted, await house.states()) == ([], [("queued", 0, None)] * 2)
    assert await ordinary == 2
    assert len(house.server.accepted) == 2


async def test_what_is_urgent_is_first_in_the_queue(house: House) -> None:
    await house.tell(MEMBER)
    await house.tell(MEMBER, OTHER)
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE delivery SET urgent = true WHERE member = $1", OTHER)
        due = await list_due(conn, house.school, 10)
        assert [one.urgent for one in due] == [True, False, False]
        assert [one.member for one in await list_due(conn, house.school, 10, urgent=True)] == [OTHER]


async def test_headers_of_a_letter_hold_only_what_they_should(house: House) -> None:
    await house.tell(MEMBER)
    reach = replace(house.sender().reach, leave=lambda *_: "https://deur.example/afmelden/abc")
    await replace(house.sender(), reach=reach).send_due(house.school)
    mail = house.server.accepted[0][1]
    assert mail["List-Unsubscribe"] == "<https://deur.example/afmelden/abc>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


async def test_a_mail_that_nobody_unsubscribes_from_has_no_button_for_it_and_leads_to_the_page_all_the_same(
    house: House,
) -> None:
    await house.tell(MEMBER)
    async with house.db.school(house.school) as conn:
        await conn.execute("UPDATE notice SET kind = 'consent_asked'")
    link = "https://deur.example/afmelden/abc"
    reach = replace(house.sender().reach, leave=lambda *_: link)
    await replace(house.sender(), reach=reach).send_due(house.school)
    mail = house.server.accepted[0][1]
    assert "List-Unsubscribe" not in mail
    assert "List-Unsubscribe-Post" not in mail
    for part in mail.iter_parts():
        assert "Over sommige dingen moeten wij u altijd mailen." in part.get_content()
        assert link in part.get_content()


async def test_an_address_that_smuggles_is_never_on_the_wire() -> None:
    async with serving(Server()) as server:
        channel = MailChannel("127.0.0.1", server.port, MailSettings())
        await channel.ready()
        for text in ("a@b.example>\r\nRCPT TO:<x@y.example", "a@b.example\r\n.\r\n", "@", "a@b c"):
            with pytest.raises(NotSent, match="bad_address"):
                await _send(channel, text)
        await channel.close()
        assert server.accepted == []


async def _send(channel: MailChannel, text: str) -> None:
    before = asyncio.get_running_loop().time() + 4
    await channel.send(Letter(uuid4(), uuid4()), Target(text), datetime.now(UTC), before)
