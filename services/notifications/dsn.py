"""Reads mails that came back (RFC 3464, delivery status notifications). Pure; whatever it is given, it answers.

Anybody may send such a mail. So only the address that it came back to counts, which nobody else can make, and headers
are taken as they stand: the standard library's parser of their grammar takes minutes for a long one.
"""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from uuid import UUID

from services.notifications.mail import is_address
from services.notifications.smtp import GONE

STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})")
MOST_PARTS = 50
LONGEST_HEADER = 1000
READ_BYTES = 128 * 1024
"""What a notification says comes first; behind it is the mail that it brings back."""


@dataclass(frozen=True, slots=True)
class Returned:
    """One recipient of a mail that came back: which letter, who, and whether nothing will ever arrive there."""

    letter: UUID
    recipient: str
    gone: bool


def read_dsn(raw: bytes, marked: Callable[[str], UUID | None]) -> list[Returned]:
    """Returns what a notification says; nothing: it is none, or is about no letter of ours.

    The letter is known by the address that it came back to (`marked`), and by nothing else: a Message-ID can be worked
    out by whoever knows the ids of an event and a member.
    """
    try:
        message = email.message_from_bytes(raw[:READ_BYTES])
        report = [part for _, part in zip(range(MOST_PARTS), message.walk(), strict=False)]
        letter = _letter(message, marked)
        return [] if letter is None else list(_recipients(letter, report))
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return []  # email's parsers raise all of these on what is not mail


def _letter(message: Message, marked: Callable[[str], UUID | None]) -> UUID | None:
    for name in ("To", "Delivered-To", "X-Original-To"):
        for value in message.get_all(name, [])[:MOST_PARTS]:
            if (found := marked(str(value)[:LONGEST_HEADER])) is not None:
                return found
    return None


def _recipients(letter: UUID, report: Sequence[Message]) -> Iterator[Returned]:
    for part in report:
        if part.get_content_type() not in {"message/delivery-status", "message/global-delivery-status"}:
            continue
        for block in part.get_payload():
            if not isinstance(block, Message) or "Action" not in block:
                continue
            status = STATUS.match(_said(block, "Status"))
            recipient = _said(block, "Final-Recipient").partition(";")[2].strip()
            original = _said(block, "Original-Recipient").partition(";")[2].strip()
            known = original if is_address(original) else recipient
            if is_address(known):
                failed = _said(block, "Action").strip().lower() == "failed"
                yield Returned(letter, known, failed and status is not None and status[1] in GONE)


def _said(block: Message, name: str) -> str:
    return str(block.get(name, ""))[:LONGEST_HEADER]
