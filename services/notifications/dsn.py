"""Reads mails that came back (RFC 3464, delivery status notifications). Pure; whatever it is given, it answers."""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage, Message
from email.policy import default
from uuid import UUID

from services.notifications.mail import is_address
from services.notifications.smtp import GONE

STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})")
ID = re.compile(r"<([0-9a-f-]{36})@")
MOST_PARTS = 50


@dataclass(frozen=True, slots=True)
class Returned:
    """One recipient of a mail that came back: which letter, who, and whether nothing will ever arrive there."""

    letter: UUID
    recipient: str
    gone: bool


def read_dsn(raw: bytes, marked: Callable[[str], UUID | None]) -> list[Returned]:
    """Returns what a notification says; nothing: it is none, or is about no letter of ours.

    The letter is known by the address that it came back to (`marked`), or by the Message-ID of the mail that it brings
    back: both are known only to us and to whom the mail was delivered or refused.
    """
    try:
        message = email.message_from_bytes(raw, policy=default)
        report = [part for _, part in zip(range(MOST_PARTS), message.walk(), strict=False)]
        letter = _letter(message, report, marked)
        return [] if letter is None else list(_recipients(letter, report))
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return []  # email's parsers raise all of these on what is not mail


def _letter(message: Message, report: Sequence[Message], marked: Callable[[str], UUID | None]) -> UUID | None:
    for name in ("To", "Delivered-To", "X-Original-To"):
        for value in message.get_all(name, []):
            if (found := marked(str(value))) is not None:
                return found
    for part in report:
        if part.get_content_type() in {"text/rfc822-headers", "message/rfc822", "message/global-headers"}:
            text = part.get_payload(decode=True) if not part.is_multipart() else part.get_payload(0).as_bytes()  # type: ignore[union-attr]
            headers = email.message_from_bytes(text if isinstance(text, bytes) else b"", policy=default)
            if (match := ID.search(str(headers.get("Message-ID", "")))) is not None:
                return UUID(match[1])
    return None


def _recipients(letter: UUID, report: Sequence[Message]) -> Iterator[Returned]:
    for part in report:
        if part.get_content_type() not in {"message/delivery-status", "message/global-delivery-status"}:
            continue
        for block in part.get_payload():
            if not isinstance(block, (EmailMessage, Message)) or "Action" not in block:
                continue
            status = STATUS.match(str(block.get("Status", "")))
            address = str(block.get("Final-Recipient", block.get("Original-Recipient", "")))
            recipient = address.partition(";")[2].strip()
            original = str(block.get("Original-Recipient", "")).partition(";")[2].strip()
            known = original if is_address(original) else recipient
            if is_address(known):
                failed = str(block["Action"]).strip().lower() == "failed"
                yield Returned(letter, known, failed and status is not None and status[1] in GONE)
