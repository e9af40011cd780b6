"""A conversation's calendar entry, as goals makes it for one member, addressed (RFC 5546 over mail, RFC 6047).

Goals' entry is neutral: no name, no child, no place, no reason. Its METHOD, UID and SEQUENCE are kept, so that a later
one updates or cancels what an earlier one put into a calendar. People are pseudonyms in it; here they become addresses:
the recipient's own, and the one that mails come from. No other address comes in.
"""

from __future__ import annotations

from icalendar import Calendar, vCalAddress

INVITING = frozenset({"conversation_planned", "conversation_moved", "conversation_cancelled"})
"""Kinds of notices that come with a calendar entry. The entry is as the conversation stands when the mail leaves."""
METHODS = frozenset({"REQUEST", "CANCEL"})


def addressed(entry: str, organiser: str, recipient: str) -> tuple[str, str] | None:
    """Returns (METHOD, text) of what goes to `recipient`; None where the entry is not one event for one member."""
    try:
        calendar = Calendar.from_ical(entry)
    except ValueError:
        return None
    events, method = calendar.walk("VEVENT"), str(calendar.get("method", ""))
    if len(events) != 1 or method not in METHODS:
        return None
    (event,) = events
    attendee = event.get("attendee")
    if not isinstance(attendee, vCalAddress):
        return None
    event["attendee"] = vCalAddress(f"mailto:{recipient}", params=attendee.params)
    event["organizer"] = vCalAddress(f"mailto:{organiser}", params={"CN": "Samenkracht"})
    text: str = calendar.to_ical().decode()
    return method, text
