"""The mail tells nothing, can be known again, and can't be made to carry another's words."""

from __future__ import annotations

import email
from dataclasses import replace
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

import pytest

from services.notifications.channel import Letter
from services.notifications.mail import MailSettings, compose, compose_whole, is_address, message_id
from tests.notifications.support import NOW, later

SETTINGS = MailSettings(sender="niet-antwoorden@school.example", link="https://school.example/berichten")
NOTICE = UUID("018f4c1e-0000-7000-8000-00000000abcd")


def parsed() -> EmailMessage:
    found = email.message_from_bytes(
        compose(Letter(NOTICE, NOTICE), "ouder@thuis.example", NOW, SETTINGS), policy=default
    )
    assert isinstance(found, EmailMessage)
    return found


def test_a_repeat_has_the_same_message_id() -> None:
    assert parsed()["Message-ID"] == message_id(NOTICE, SETTINGS) == f"<{NOTICE}@school.example>"


def test_it_says_that_a_machine_sent_it() -> None:
    assert parsed()["Auto-Submitted"] == "auto-generated"


def test_it_says_which_languages_it_speaks() -> None:
    assert parsed()["Content-Language"] == "nl, en"


def test_two_mails_differ_in_nothing_but_address_date_and_notice() -> None:
    other = compose(Letter(UUID(int=9), UUID(int=9)), "iemand@elders.example", later(hours=1), SETTINGS)
    mine = compose(Letter(NOTICE, NOTICE), "ouder@thuis.example", NOW, SETTINGS)
    changed = {line.partition(b":")[0] for line in set(mine.splitlines()) ^ set(other.splitlines())}
    assert changed == {b"To", b"Date", b"Message-ID"}


@pytest.mark.parametrize("leave", [None, "https://deur.example/afmelden/" + "Ab_-" * 60])
@pytest.mark.parametrize(
    "letter",
    [
        Letter(NOTICE, NOTICE),
        Letter(NOTICE, NOTICE, 7, "en", urgent=True),
        Letter(NOTICE, NOTICE, 1, "nl", reminder=True),
    ],
)
def test_what_is_made_from_a_mail_made_before_is_the_same_mail(letter: Letter, leave: str | None) -> None:
    for address in ("a@b.example", "x" * 60 + "@" + "y" * 60 + ".example"):
        one = replace(letter, leave=leave)
        quick, whole = (
            email.message_from_bytes(made(one, address, NOW, SETTINGS), policy=default)
            for made in (compose, compose_whole)
        )
        assert [(name, str(value)) for name, value in quick.items()] == [(n, str(v)) for n, v in whole.items()]
        parts = [[part.get_content() for part in one.walk() if not part.is_multipart()] for one in (quick, whole)]
        assert parts[0] == parts[1]
        lines = compose(one, address, NOW, SETTINGS).partition(b"\r\n\r\n")[2].splitlines()
        assert max(map(len, lines)) <= 78  # RFC 5322, 2.1.1


@pytest.mark.parametrize("path", ["afmelden/" + "Ab_-" * 60, "afmelden/?token=" + "Ab%20" * 40])
@pytest.mark.parametrize("entries", [(), ("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",)])
def test_a_mail_program_reads_the_link_to_leave_by_in_its_header(path: str, entries: tuple[str, ...]) -> None:
    link = f"https://deur.example/{path}"
    letter = Letter(NOTICE, NOTICE, leave=link, entries=entries)
    for made in (compose, compose_whole):
        head = made(letter, "a@b.example", NOW, SETTINGS).partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert f"List-Unsubscribe: <{link}>".encode() in head
        assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head


@pytest.mark.parametrize("link", ["https://deur.example/a>\r\nBcc: x@y.example", "https://deur.example/a b", "é"])
def test_a_link_that_would_end_its_header_adds_none(link: str) -> None:
    try:
        made = compose(Letter(NOTICE, NOTICE, leave=link), "a@b.example", NOW, SETTINGS)
    except ValueError:
        return
    assert "Bcc" not in email.message_from_bytes(made, policy=default)


def test_a_link_that_quoted_printable_would_change_is_made_whole() -> None:
    letter = Letter(NOTICE, NOTICE, leave="https://deur.example/?a=b")
    found = email.message_from_bytes(compose(letter, "a@b.example", NOW, SETTINGS), policy=default)
    assert isinstance(found, EmailMessage)
    body = found.get_body(("plain",))
    assert body is not None
    assert "https://deur.example/?a=b" in body.get_content()


def test_dutch_comes_first_and_the_link_stands_in_both() -> None:
    body = parsed().get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert text.index("nieuws voor u") < text.index("something new")
    assert text.count(SETTINGS.link) == 2


@pytest.mark.parametrize("address", ["a@b.example", "a.b+c@sub.d-e.example", "o'neil@x.nl"])
def test_plain_addresses_are_taken(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a@",
        "@b.example",
        "a@b.example\r\nBcc: x@y.example",
        "a@b.example\nRCPT TO:<x@y.example>",
        "a@b.example, x@y.example",
        "a b@c.example",
        "<a@b.example>",
        "a@b.example\x00",
        "a@-",
        "\u00e9@b.example",
        "a@" + "b" * 300,
        None,
        7,
    ],
)
def test_what_could_smuggle_something_in_is_no_address(address: object) -> None:
    assert not is_address(address)
