"""The one mail there is: that there is something new, and where. Nothing about whom or what (DESIGN.md, P7)."""

from __future__ import annotations

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal
from uuid import UUID

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

LABEL = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{LABEL}(\.{LABEL})*")
SUBJECT = "Er staat iets nieuws voor u klaar / There is something new for you"
TEXT = """\
Goedendag,

Er staat iets nieuws voor u klaar. Log in om het te bekijken:
{link}

U kunt deze mail niet beantwoorden.

---

Hello,

There is something new for you. Log in to see it:
{link}

You can't reply to this mail.
"""


class MailSettings(BaseSettings):
    """How mails present themselves; environment names are the fields' in upper case behind `SAMEN_MAIL_`."""

    model_config = SettingsConfigDict(env_prefix="SAMEN_MAIL_", frozen=True, extra="ignore")
    sender: str = "niet-antwoorden@samenkracht.example"
    link: str = "http://127.0.0.1:8080/berichten"
    """Where people log in to read their notices."""
    username: str | None = None
    password: SecretStr | None = None
    tls: Literal["opportunistic", "required", "never"] = "opportunistic"
    """STARTTLS; a certificate that does not verify is never accepted."""
    patience_s: float = 30.0
    """How long to wait for the server's word on a mail that it has got."""

    @property
    def domain(self) -> str:
        """The domain that mails come from."""
        return self.sender.rpartition("@")[2]


def is_address(text: object) -> bool:
    """Tells whether `text` is one plain address (RFC 5321, ASCII) that can't smuggle in a header or a command."""
    return isinstance(text, str) and len(text) <= 254 and ADDRESS.fullmatch(text) is not None


def message_id(notice: UUID, settings: MailSettings) -> str:
    """Returns the Message-ID of a notice's mail: the same however often it is sent, so that repeats can be known."""
    return f"<{notice}@{settings.domain}>"


def compose(notice: UUID, address: str, now: datetime, settings: MailSettings) -> bytes:
    """Returns the mail's bytes for one recipient; `address` must have passed `is_address`."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Samenkracht", addr_spec=settings.sender)
    message["To"] = Address(addr_spec=address)
    message["Subject"] = SUBJECT
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id(notice, settings)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(TEXT.format(link=settings.link))
    message["Content-Language"] = "nl, en"  # after the content, which brings its own Content-* headers
    return message.as_bytes()
