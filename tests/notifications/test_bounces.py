"""Mails that come back: which letter, whose address, and who is told; forged ones stop nobody."""

from __future__ import annotations

import mailbox
import time
from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.notifications import bounces as taking
from services.notifications import stopping
from services.notifications.bounces import Bounces
from services.notifications.dsn import Returned, read_dsn
from services.notifications.keyring import Keyring
from services.notifications.smtp import MailChannel
from shared.clock import Ids
from shared.events.words import Action, Category, Purpose, Role, school_subject
from tests.notifications.house import ADDRESSES, MEMBER, OTHER, SETTINGS, House
from tests.notifications.support import give_access, grant
from tests.notifications.test_commands import ask

KEYS = Keyring(b"0123456789abcdef0123456789abcdef")
LETTER = UUID("018f4c1e-0000-7000-8000-00000000abcd")
ADMIN = uuid4()
BACK = "bounce@school.example"


def dsn(
    to: str, recipient: str = "een@thuis.example", status: str = "5.1.1", action: str = "failed", id_: str = ""
) -> bytes:
    """Returns a delivery status notification as mail servers send it."""
    report = (
        "Reporting-MTA: dns; mail.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 no such user\r\n"
    )
    back = f"From: niet-antwoorden@school.example\r\nMessage-ID: {id_ or '<x@y>'}\r\nSubject: x\r\n"
    return (
        f"From: MAILER-DAEMON@mail.example\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nsorry\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\n{report}\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{back}\r\n--b--\r\n"
    ).encode()


def test_a_letter_is_known_by_the_address_that_it_came_back_to() -> None:
    to = KEYS.return_path(BACK, LETTER)
    assert len(to.partition("@")[0]) <= 64
    assert read_dsn(dsn(to), KEYS.returned) == [Returned(LETTER, "een@thuis.example", gone=True)]


def test_who_knows_a_message_id_has_nobody_stopped() -> None:
    """It follows from an event and a member; another parent may know both, and the address as well."""
    assert read_dsn(dsn(BACK, id_=f"<{LETTER}@school.example>"), KEYS.returned) == []


def test_a_notification_in_other_letters_than_ascii_is_read() -> None:
    raw = dsn(KEYS.return_path(BACK, LETTER)).replace(b"550 no such user", "550 bo\u00eete inconnue".encode())
    assert read_dsn(raw, KEYS.returned) == [Returned(LETTER, "een@thuis.example", gone=True)]


@pytest.mark.parametrize("filling", [b"a b ", b"(", b"<", b"a@b.c,", b"=?utf-8?q?a?= ", b'"'])
def test_a_mail_made_to_keep_us_busy_is_read_at_once(filling: bytes) -> None:
    """Anybody may send one; with the standard library's parser of headers these take minutes each."""
    began = time.process_time()
    for name in (b"To", b"Final-Recipient", b"Content-Type"):
        report = name + b": " + filling * (400_000 // len(filling))
        read_dsn(report + b"\r\n\r\nbody", KEYS.returned)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("status", "action", "gone"),
    [
        ("5.1.1", "failed", True),
        ("5.1.10", "failed", True),
        ("5.2.1", "failed", True),
        ("5.2.2", "failed", False),
        ("5.7.1", "failed", False),
        ("4.4.1", "delayed", False),
        ("5.1.1", "delayed", False),
        ("2.0.0", "delivered", False),
    ],
)
def test_only_what_says_that_nothing_will_ever_arrive_counts(status: str, action: str, gone: bool) -> None:
    (found,) = read_dsn(dsn(KEYS.return_path(BACK, LETTER), status=status, action=action), KEYS.returned)
    assert found.gone is gone


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\x00" * 50,
        b"Subject: x\r\n\r\nout of office",
        dsn(BACK),
        dsn(Keyring(b"y" * 32).return_path(BACK, LETTER)),
        dsn("bounce+" + "a" * 42 + "@school.example"),
        dsn(KEYS.return_path(BACK, LETTER), recipient="a@b.example\x0bx, c@d.example"),
        b"Content-Type: multipart/report; boundary=b\r\n\r\n" + b"--b\r\n" * 2000,
        b"Content-Type: message/delivery-status\r\nTo: " + KEYS.return_path(BACK, LETTER).encode() + b"\r\n\r\n\xff",
    ],
)
def test_whatever_else_comes_says_nothing(raw: bytes) -> None:
    assert read_dsn(raw, KEYS.returned) == []


async def with_admin(house: House) -> None:
    """Gives somebody the part of who keeps the school's records, in the school itself."""
    told = grant(
        ADMIN,
        role=Role.SCHOOL_ADMINISTRATOR,
        actions=(Action.RECEIVE,),
        categories=(Category.IDENTITY,),
        purposes=(Purpose.ADMINISTRATION,),
    )
    await give_access(house.db, house.school, school_subject(house.school), [told])


async def letter_of(house: House) -> UUID:
    async with house.db.school(house.school) as conn:
        found: UUID = await conn.fetchval("SELECT id FROM notice WHERE member = $1", MEMBER)
    return found


async def test_an_address_that_comes_back_is_stopped_and_the_administrator_told(house: House) -> None:
    await with_admin(house)
    await house.tell(MEMBER)
    await house.sender().send_due(house.school)
    taker = Bounces(house.db, house.unit, Ids(), KEYS, lambda *_, **__: None)
    raw = dsn(KEYS.return_path(BACK, await letter_of(house)))
    assert [await taker.take(raw) for _ in range(2)] == ["stopped", "stopped"]
    assert [name for name in await house.told() if name != "queued"] == [
        *("claimed", "sent", "address.stopped", "failed")
    ]
    async with house.db.school(house.school) as conn:
        rows = await conn.fetch("SELECT member, kind, thing FROM notice WHERE kind = 'address_stopped'")
        kept = str([dict(row) for row in await conn.fetch("SELECT * FROM address_stop")])
    assert [tuple(row) for row in rows] == [(ADMIN, "address_stopped", MEMBER)]
    assert str(ADDRESSES[MEMBER]) not in kept
    (fact,) = (await ask(house.unit, house.school, "why", ADMIN, about=school_subject(house.school)))["facts"]
    assert "school_administrator" in fact["words"][1]
    await house.tell(MEMBER)
    house.addresses[ADMIN] = "beheer@school.example"
    sender = house.sender()
    sender = replace(sender, reach=replace(sender.reach, contact=_anywhere(house)))
    await sender.send_due(house.school)
    assert [to for to, _ in house.server.accepted] == ["een@thuis.example", "beheer@school.example"]
    assert ("cancelled", 1, "address_stopped") in await house.states()
    house.addresses[MEMBER] = "nieuw@thuis.example"  # the school corrected it
    await house.tell(MEMBER)
    await sender.send_due(house.school)
    assert house.server.accepted[-1][0] == "nieuw@thuis.example"


def _anywhere(house: House):  # type: ignore[no-untyped-def]  # noqa: ANN202  a Contact
    async def contact(_school: str, member: UUID, _about: UUID) -> str | None:
        return house.addresses[member]

    return contact


async def test_a_mailbox_that_is_not_there_is_stopped_on_the_servers_word(house: House) -> None:
    await with_admin(house)
    await house.tell(MEMBER, OTHER)
    house.server.rcpt = lambda address: "550 5.1.1 unknown" if address.startswith("een") else "550 no"
    await house.sender().send_due(house.school)
    assert sorted(await house.states(), key=str) == [*[("failed", 1, "rcpt_550")] * 2, ("queued", 0, None)]
    assert (await house.told()).count("address.stopped") == 1


async def test_a_full_mailbox_stops_nothing(house: House) -> None:
    await house.tell(MEMBER)
    taker = Bounces(house.db, house.unit, Ids(), KEYS, lambda *_, **__: None)
    raw = dsn(KEYS.return_path(BACK, await letter_of(house)), status="5.2.2")
    assert await taker.take(raw) == "kept"
    assert "address.stopped" not in await house.told()


async def test_who_got_no_letter_can_have_nobody_stopped(house: House) -> None:
    await house.tell(MEMBER)
    taker = Bounces(house.db, house.unit, Ids(), KEYS, lambda *_, **__: None)
    forged = Keyring(b"z" * 32).return_path(BACK, await letter_of(house))
    assert [await taker.take(dsn(to)) for to in (forged, KEYS.return_path(BACK, uuid4()))] == ["unknown"] * 2
    assert "address.stopped" not in await house.told()


async def test_who_got_a_letter_can_not_flood_those_who_keep_the_records(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "MOST_STOPPED", 2)
    await with_admin(house)
    await house.tell(MEMBER)
    taker = Bounces(house.db, house.unit, Ids(), KEYS, lambda *_, **__: None)
    to = KEYS.return_path(BACK, await letter_of(house))
    assert {await taker.take(dsn(to, recipient=f"x{n}@y.example")) for n in range(5)} == {"stopped"}
    assert (await house.told()).count("address.stopped") == 2


async def test_each_mail_comes_back_to_an_address_of_its_own(house: House) -> None:
    seen: list[str] = []
    house.server.mail_from = seen.append
    settings = SETTINGS.model_copy(update={"bounces": BACK})
    channel = lambda: MailChannel("127.0.0.1", house.server.port, settings, KEYS.return_path)  # noqa: E731
    await house.tell(MEMBER)
    await replace(house.sender(), channel=channel).send_due(house.school)
    assert [KEYS.returned(address) for address in seen] == [await letter_of(house)]


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
async def test_a_mailbox_is_emptied_as_it_is_read(house: House, tmp_path: Path, kind: str) -> None:
    await house.tell(MEMBER)
    await house.sender().send_due(house.school)
    message = EmailMessage(policy=SMTP)
    message["To"] = BACK
    message.set_content("out of office")
    path = tmp_path / "back"
    box = mailbox.Maildir(path) if kind == "maildir" else mailbox.mbox(path)
    for raw in (message.as_bytes(), dsn(KEYS.return_path(BACK, await letter_of(house)))):
        box.add(raw)
    box.close()
    taker = Bounces(house.db, house.unit, Ids(), KEYS, lambda *_, **__: None)
    assert await taker.read_round(path) == 2
    assert await taker.read_round(path) == 0
    assert (await house.told()).count("address.stopped") == 1
    assert taking.A_ROUND >= 100
