"""A conversation as an iCalendar object (RFC 5545, scheduled as RFC 5546 has it). Pure.

Calendars are outside the login: the summary is neutral, and there is no name, no child, no place and no reason in it.
`organiser` is the school's own subject; people are pseudonyms, never addresses.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from icalendar import Calendar, Event, vCalAddress, vText

from services.goals.talk import Talk, TalkStatus
from shared.events.conversations import InvitationAnswer

PRODUCT = "-//Samenkracht//Conversations//NL"


class Language(StrEnum):
    """In which language a calendar is told."""

    DUTCH = "nl"
    ENGLISH = "en"


class Method(StrEnum):
    """What a calendar does with an entry (RFC 5546): keep it, take it as an invitation or its update, drop it."""

    PUBLISH = "PUBLISH"
    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


SUMMARY = {Language.DUTCH: "Gesprek", Language.ENGLISH: "Conversation"}
ABOUT = {
    Language.DUTCH: "Kijk in Samenkracht voor de agenda.",
    Language.ENGLISH: "See Samenkracht for the agenda.",
}


def as_ics(talk: Talk, organiser: UUID, language: Language, now: datetime) -> str:
    """Returns the text of a PUBLISH: same UID, SEQUENCE as it stands, and STATUS CANCELLED once it was cancelled.

    Nobody is an attendee, as a file is anybody's. Without attendees RFC 5546 allows neither REQUEST (3.2.2) nor CANCEL
    (3.2.5), but PUBLISH with any STATUS (3.2.1).
    """
    event = _entry(talk, organiser, language, now)
    _add_time(event, talk, language)
    event.add("status", "CANCELLED" if talk.status is TalkStatus.CANCELLED else "CONFIRMED")
    return _text(Method.PUBLISH, event)


def as_invitation(
    talk: Talk, organiser: UUID, member: UUID, language: Language, now: datetime, answer: InvitationAnswer | None
) -> tuple[Method, str]:
    """Returns what a member's own calendar is sent while they take part: REQUEST, or CANCEL once it was called off.

    `answer` is theirs to the time as it stands, so that an update does not undo it. RSVP is FALSE: answers are given
    after login, and a reply by mail would reach nobody.
    """
    event = _entry(talk, organiser, language, now)
    _add_time(event, talk, language)
    cancelled = talk.status is TalkStatus.CANCELLED
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    said = "NEEDS-ACTION" if answer is None else answer.value.upper()
    event.add("attendee", _person(member, {"PARTSTAT": said, "RSVP": "FALSE"}))
    method = Method.CANCEL if cancelled else Method.REQUEST
    return method, _text(method, event)


def as_taken_off(talk: Talk, organiser: UUID, member: UUID, language: Language, now: datetime) -> tuple[Method, str]:
    """Returns what drops the entry from the calendar of a member who takes part no longer; no time is in it.

    No STATUS either: RFC 5546 (3.2.5) keeps that for when all of it is cancelled.
    """
    event = _entry(talk, organiser, language, now)
    event.add("attendee", _person(member, {}))
    return Method.CANCEL, _text(Method.CANCEL, event)


def _entry(talk: Talk, organiser: UUID, language: Language, now: datetime) -> Event:
    event = Event()
    event.add("uid", str(talk.id))
    event.add("sequence", talk.sequence)
    event.add("dtstamp", now)
    event.add("summary", vText(SUMMARY[language], params={"LANGUAGE": language.value}))
    event.add("organizer", _person(organiser, {}))
    event.add("class", "PRIVATE")
    return event


def _add_time(event: Event, talk: Talk, language: Language) -> None:
    event.add("last-modified", talk.changed_at)
    event.add("dtstart", talk.starts_at)
    event.add("dtend", talk.ends_at)
    event.add("description", vText(ABOUT[language], params={"LANGUAGE": language.value}))


def _person(id_: UUID, params: dict[str, str]) -> vCalAddress:
    return vCalAddress(id_.urn, params=params)


def _text(method: Method, event: Event) -> str:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method.value)
    calendar.add_component(event)
    text: str = calendar.to_ical().decode()
    return text
