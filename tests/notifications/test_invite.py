"""Calendar entries in mails: goals' own, with no address but the recipient's."""

from __future__ import annotations

import email
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from uuid import uuid4

import pytest
from icalendar import Calendar

from services.goals.ics import Language, as_ics, as_invitation, as_taken_off
from services.goals.talk import Talk, TalkStatus
from services.notifications.channel import Letter
from services.notifications.invite import addressed
from services.notifications.mail import MailSettings, compose
from shared.events.conversations import ConversationKind
from tests.notifications.support import NOW

SETTINGS = MailSettings(sender="niet-antwoorden@school.example")
SCHOOL, MEMBER, CHILD = uuid4(), uuid4(), uuid4()
RECIPIENT = "ouder@thuis.example"


def talk(status: TalkStatus = TalkStatus.PLANNED) -> Talk:
    starts = datetime(2026, 12, 3, 14, 30, tzinfo=UTC)
    return Talk(
        id=uuid4(),
        version=1,
        about=CHILD,
        kind=ConversationKind.MEETING,
        status=status,
        sequence=2,
        starts_at=starts,
        ends_at=starts + timedelta(minutes=45),
        invited=(MEMBER,),
        invited_by=uuid4(),
        attended=(),
        changed_at=NOW,
        uninvited=(),
    )


@pytest.mark.parametrize(("status", "method"), [(TalkStatus.PLANNED, "REQUEST"), (TalkStatus.CANCELLED, "CANCEL")])
def test_an_entry_keeps_what_goals_gave_it_and_gets_the_recipients_address(status: TalkStatus, method: str) -> None:
    one = talk(status)
    found = addressed(as_invitation(one, SCHOOL, MEMBER, Language.DUTCH, NOW, None)[1], SETTINGS.sender, RECIPIENT)
    assert found is not None
    (event,) = Calendar.from_ical(found[1]).walk("VEVENT")
    assert (found[0], str(event["uid"]), event["sequence"]) == (method, str(one.id), 2)
    assert (str(event["attendee"]), str(event["organizer"])) == (f"mailto:{RECIPIENT}", f"mailto:{SETTINGS.sender}")
    assert event["attendee"].params["RSVP"] == "FALSE"
    assert event.decoded("dtstart") == one.starts_at
    for pseudonym in (SCHOOL, MEMBER, CHILD, *one.people):
        assert str(pseudonym) not in found[1]


def test_who_was_taken_off_gets_what_drops_the_entry() -> None:
    found = addressed(as_taken_off(talk(), SCHOOL, MEMBER, Language.DUTCH, NOW)[1], SETTINGS.sender, RECIPIENT)
    assert found is not None
    assert found[0] == "CANCEL"


@pytest.mark.parametrize("entry", ["", "x", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"])
def test_what_is_no_entry_for_one_member_is_left_out(entry: str) -> None:
    assert addressed(entry, SETTINGS.sender, RECIPIENT) is None
    assert addressed(as_ics(talk(), SCHOOL, Language.DUTCH, NOW), SETTINGS.sender, RECIPIENT) is None


def test_a_mail_brings_the_entry_to_press_on_and_as_a_file() -> None:
    entry = as_invitation(talk(), SCHOOL, MEMBER, Language.DUTCH, NOW, None)[1]
    letter = Letter(uuid4(), uuid4(), entries=(entry,))
    mail = email.message_from_bytes(compose(letter, RECIPIENT, NOW, SETTINGS), policy=default)
    assert isinstance(mail, EmailMessage)
    kinds = [part.get_content_type() for part in mail.walk() if not part.is_multipart()]
    assert kinds == ["text/plain", "text/html", "text/calendar", "application/ics"]
    (calendar,) = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    assert calendar.get_param("method") == "REQUEST"
    (file,) = mail.iter_attachments()
    assert file.get_filename() == "gesprek.ics"


def test_a_digest_of_several_brings_each_as_a_file() -> None:
    entries = tuple(as_invitation(talk(), SCHOOL, MEMBER, Language.DUTCH, NOW, None)[1] for _ in range(2))
    raw = compose(Letter(uuid4(), uuid4(), 2, entries=entries), RECIPIENT, NOW, SETTINGS)
    mail = email.message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    assert [part.get_filename() for part in mail.iter_attachments()] == ["gesprek-1.ics", "gesprek-2.ics"]
