"""What must be told because its time has come, once: consents that will lapse, reviews that nobody did. Pure.

A child's `attend_at` is when the regrant task must look at it next. It then tells what is due and publishes anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from services.network.consent_state import given_spans, state_at, turns
from services.network.model import DECIDES_AT, OF_AGE_AT, Child, Consent
from services.network.safeguards import Emergency
from services.network.spans import AMSTERDAM, day_start

RENEWAL_NOTICE = timedelta(weeks=6)
REVIEW_WITHIN = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Reminder:
    """Something to be told at `at` about a consent or an emergency. The id follows from both: it is told once."""

    id: UUID
    at: datetime
    about: Consent | Emergency


def review_due_at(started_at: datetime) -> datetime:
    """Returns until when an emergency must be reviewed: three days later at the same time in the Netherlands."""
    return (started_at.astimezone(AMSTERDAM) + REVIEW_WITHIN).astimezone(UTC)


def review_reminder(emergency: UUID) -> UUID:
    """Returns what notes that it was told that nobody reviewed this emergency."""
    return uuid5(emergency, "review")


def reminders(child: Child) -> Iterator[Reminder]:
    """Yields all that must be told of this child, ever, but for what was told."""
    for consent in child.consents:
        for lapses_at, at in _lapses(consent, child):
            id_ = uuid5(consent.id, f"renewal:{lapses_at.isoformat()}")
            if id_ not in child.reminders:
                yield Reminder(id_, at, consent)
    for emergency in child.emergencies:
        id_ = review_reminder(emergency.id)
        if emergency.outcome is None and id_ not in child.reminders:
            yield Reminder(id_, review_due_at(emergency.starts_at), emergency)


def _lapses(consent: Consent, child: Child) -> Iterator[tuple[datetime, datetime]]:
    """Yields when a consent that is given lapses or should be looked at anew, and when that must be told.

    Told six weeks before; at once when it was given later than that, but not when it was meant to be shorter. That it
    ends is not told of one whose renewal is under way, unless that ended itself.
    """
    renewed = any(one.renews == consent.id and one.span and one.ends_at > consent.ends_at for one in child.consents)
    for span in given_spans(consent, child):
        for moment in (child.reaches(DECIDES_AT), child.reaches(OF_AGE_AT)):
            if span.since < moment <= span.until and moment < consent.ends_at:
                yield moment, max(span.since, _weeks_before(moment))
        if span.until == consent.ends_at and span.since < renewable_from(consent) and not renewed:
            yield consent.ends_at, renewable_from(consent)


def renewable_from(consent: Consent) -> datetime:
    """Returns from when on a consent that is given can be renewed: then it is told that it will lapse."""
    return _weeks_before(consent.ends_at)


def _weeks_before(moment: datetime) -> datetime:
    return day_start(moment.astimezone(AMSTERDAM).date() - RENEWAL_NOTICE)


def next_attention(child: Child, now: datetime) -> datetime | None:
    """Returns when something must be told of the child, or one of its consents stands differently; None: never."""
    moments = [one.at for one in reminders(child)]
    for consent in child.consents:
        later = (at for at in turns(consent, child) if at > now)
        turn = next((at for at in later if state_at(consent, child, at) is not consent.state), None)
        if turn is not None:
            moments.append(turn)
    return min(moments, default=None)


def due(child: Child, now: datetime) -> list[Reminder]:
    """Returns what must be told now, oldest first."""
    return sorted((one for one in reminders(child) if one.at <= now), key=lambda one: (one.at, one.id))


def told(child: Child, done: list[Reminder]) -> Child:
    """Returns the child after these were told."""
    return replace(child, reminders=child.reminders | {one.id for one in done})
