"""The one mail there is: that there is something new, and where. Nothing about whom or what (DESIGN.md, P7)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notifications.channel import Letter
from services.notifications.invite import addressed
from services.notifications.mail_page import as_html, as_text, languages_of, subject_of

LABEL = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{LABEL}(\.{LABEL})*")
BOUNDARY = "=_samenkracht_{}_="
"""The same in every mail, so that a repeat is the same to the byte; none of our words holds it."""


LINK = re.compile(r"|https?://[A-Za-z0-9._~:/-]{1,2000}")
"""What stands in quoted-printable as it is."""
PLAIN = re.compile(r"[!-;=?-~]{1,900}")
"""A link that may stand in a header as it is: on its one line, in ASCII, with nothing that ends it."""
PIECE = 70


class Here(NamedTuple):
    """What stands in a mail that is made once, where each has its own. The words of mails hold none of these."""

    address: str
    letter: UUID
    leave: str
    now: datetime


HERE = Here(
    "address-here@here.example",
    UUID("5a4d454e-0000-4000-8000-48455245aaaa"),
    "https://leave.here.example",
    datetime(1971, 2, 3, 4, 5, 6, tzinfo=UTC),
)


class MailSettings(BaseSettings):
    """How mails present themselves; environment names are the fields' in upper case behind `SAMEN_MAIL_`."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_MAIL_", frozen=True, extra="ignore")
    sender: str = "niet-antwoorden@samenkracht.example"
    link: str = "http://127.0.0.1:8080/berichten"
    """Where people log in to read their notices."""
    username: str | None = None
    password: SecretStr | None = None
    tls: Literal["opportunistic", "required", "never"] = "opportunistic"
    """STARTTLS; a certificate that does not verify is never accepted. With a username opportunistic is required."""
    patience_s: float = 30.0
    """How long to wait for the server's word on a mail that it has got."""
    bounces: str | None = None
    """Where mails that can't be delivered come back (`bounce@school.example`); each mail has its own `bounce+...`."""
    per_minute: int = 6000
    """Mails a minute, from all processes together, at most; 0: as many as go."""
    per_minute_school: int = 3000
    """The same for each school."""

    @property
    def domain(self) -> str:
        """The domain that mails come from."""
        return self.sender.rpartition("@")[2]


def is_address(text: object) -> bool:
    """Tells whether `text` is one plain address (RFC 5321, ASCII) that can't smuggle in a header or a command."""
    return isinstance(text, str) and len(text) <= 254 and ADDRESS.fullmatch(text) is not None


def message_id(letter: UUID, settings: MailSettings) -> str:
    """Returns the Message-ID of a letter's mail: the same however often it is sent, so that repeats can be known."""
    return f"<{letter}@{settings.domain}>"


def compose(letter: Letter, address: str, now: datetime, settings: MailSettings) -> bytes:
    """Returns the mail's bytes for one recipient; `address` must have passed `is_address`.

    Mails differ in little: all but that is made once, as the standard library takes milliseconds for each.
    """
    if letter.code is not None or letter.entries or not LINK.fullmatch(letter.leave or ""):
        return compose_whole(letter, address, now, settings)
    leave = HERE.leave if letter.leave else None
    alike = replace(letter, id=HERE.letter, notice=HERE.letter, leave=leave)
    made = _made(alike, settings)
    link = (letter.leave or "").encode()
    for here, value in (
        (HERE.address.encode(), address.encode()),
        (format_datetime(HERE.now).encode(), format_datetime(now).encode()),
        (str(HERE.letter).encode(), str(letter.id).encode()),
        (b"<" + HERE.leave.encode() + b">", b"<" + link + b">"),
        (HERE.leave.encode(), _wrapped(link)),
    ):
        made = made.replace(here, value)
    return made


@lru_cache(maxsize=512)
def _made(letter: Letter, settings: MailSettings) -> bytes:
    return compose_whole(letter, HERE.address, HERE.now, settings)


def _wrapped(link: bytes) -> bytes:
    """Returns a link as quoted-printable has it (RFC 2045, 6.7): in pieces that fit into lines."""
    pieces = [link[at : at + PIECE] for at in range(0, len(link), PIECE)]
    return b"=\r\n" + b"=\r\n".join(pieces) + b"=\r\n"


def compose_whole(letter: Letter, address: str, now: datetime, settings: MailSettings) -> bytes:
    """Returns the same, made from the beginning."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Samenkracht", addr_spec=settings.sender)
    message["To"] = Address(addr_spec=address)
    message["Subject"] = subject_of(letter)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id(letter.id, settings)
    message["Auto-Submitted"] = "auto-generated"
    if (
        letter.leave is not None and not letter.fixed
    ):  # RFC 8058: one press in the mail program, and no page to find one's way in
        message["List-Unsubscribe"] = f"<{HERE.leave if PLAIN.fullmatch(letter.leave) else letter.leave}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(as_text(letter, settings.link), cte="quoted-printable")
    message.add_alternative(as_html(letter, settings.link), subtype="html", cte="quoted-printable")
    _add_entries(message, letter, settings.sender, address)
    message["Content-Language"] = ", ".join(languages_of(letter))  # after the content, which brings its own Content-*
    for number, part in enumerate(one for one in message.walk() if one.is_multipart()):
        part.set_boundary(BOUNDARY.format(number))
    return _with_link(message.as_bytes(), letter.leave)


def _with_link(made: bytes, link: str | None) -> bytes:
    """Puts the link into its header as it is: the library would encode what is longer than a line, and mail programs
    that are to show a button don't read that there (RFC 2047, 5 allows it in no such header).
    """
    if link is None or not PLAIN.fullmatch(link):
        return made
    here, whole = (f"\r\nList-Unsubscribe: <{one}>\r\n".encode() for one in (HERE.leave, link))
    return made.replace(here, whole, 1)


def _add_entries(message: EmailMessage, letter: Letter, organiser: str, address: str) -> None:
    """Adds calendar entries: the only one beside the text, for those who show a button for it; each as a file."""
    entries = [found for entry in letter.entries if (found := addressed(entry, organiser, address)) is not None]
    if len(entries) == 1:
        method, text = entries[0]
        message.add_alternative(
            text, subtype="calendar", cte="quoted-printable", params={"method": method, "component": "VEVENT"}
        )
    for number, (_, text) in enumerate(entries, 1):
        name = "gesprek.ics" if len(entries) == 1 else f"gesprek-{number}.ics"
        message.add_attachment(text.encode(), maintype="application", subtype="ics", filename=name)
