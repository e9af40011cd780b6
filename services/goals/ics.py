"""A conversation as an iCalendar object (RFC 5545, scheduled as RFC 5546 has it). Pure.

Calendars are outside the login: the summary is neutral, and there is no name, no child, no place and no reason in it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from icalendar import Calendar, Event, vCalAddress, vText

from services.goals.talk import Talk, TalkStatus

PRODUCT = "-//Samenkracht//Conversations//NL"


class Language(StrEnum):
    """In which language a calendar is told."""

    DUTCH = "nl"
    ENGLISH = "en"


SUMMARY = {Language.DUTCH: "Gesprek", Language.ENGLISH: "Conversation"}
ABOUT = {
    Language.DUTCH: "Kijk in Samenkracht voor de agenda.",
    Language.ENGLISH: "See Samenkracht for the agenda.",
}


def as_ics(talk: Talk, organiser: UUID, language: Language, now: datetime) -> str:
    """Returns the text of a PUBLISH: same UID, SEQUENCE as it stands, and STATUS CANCELLED once it was cancelled.

    `organiser` is the school's own subject; nobody is an attendee, as that would take an address. Without attendees
    RFC 5546 allows neither REQUEST (3.2.2) nor CANCEL (3.2.5), but PUBLISH with any STATUS (3.2.1).
    """
    cancelled = talk.status is TalkStatus.CANCELLED
    calendar, event = Calendar(), Event()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    event.add("uid", str(talk.id))
    event.add("sequence", talk.sequence)
    event.add("dtstamp", now)
    event.add("last-modified", talk.changed_at)
    event.add("dtstart", talk.starts_at)
    event.add("dtend", talk.ends_at)
    event.add("summary", vText(SUMMARY[language], params={"LANGUAGE": language.value}))
    event.add("description", vText(ABOUT[language], params={"LANGUAGE": language.value}))
    event.add("organizer", vCalAddress(organiser.urn))
    event.add("class", "PRIVATE")
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    calendar.add_component(event)
    text: str = calendar.to_ical().decode()
    return text
