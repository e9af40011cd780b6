"""A conversation as what one member's own calendar is sent: asked by the service that sends, for that member. Pure.

The member's own grant decides, and the commit checks it again. Who takes part no longer, or may not be told any more,
gets what drops the entry, and nothing in it that they did not have.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import TypeAdapter

from services.goals.ics import Language, Method, as_invitation, as_taken_off
from services.goals.own_acts import act_of_service
from services.goals.talk import Talk
from shared import access
from shared.access import Permit, View
from shared.events.base import Act, NewEvent, Viewed
from shared.events.conversations import InvitationAnswer
from shared.events.network import Grant
from shared.events.words import Action, Category, school_subject
from shared.unit import Asked, Change, Query, Snapshot

SENDER = "notifications"
_GRANTS = TypeAdapter(tuple[Grant, ...])


class CalendarEntry(Query):
    """What a member's calendar is sent of a conversation as it stands now. For the service notifications only."""

    conversation: UUID
    member: UUID
    language: Language = Language.DUTCH


def decide_calendar_entry(asked: Asked[CalendarEntry], seen: Snapshot) -> Change:
    """Answers the entry: an invitation or its update, or what cancels it; denied of who never was on the list."""
    body = asked.body
    act = act_of_service(asked, SENDER, Action.VIEW, Category.CONVERSATIONS)
    view = next(iter(seen.views.values()), View(school_subject(asked.school), None, (), fresh=seen.leased))
    if not view.fresh:
        raise _denial(asked, view, "cannot_verify_now")
    if "conversation" not in seen.state or view.revision is None:
        raise _denial(asked, view, "no_grant")
    talk = Talk.read(seen.state["conversation"])
    if body.member not in {*talk.people, *talk.uninvited}:
        raise _denial(asked, view, "no_grant")
    organiser = school_subject(asked.school)
    permit = _receiving(asked, seen, talk, act) if body.member in talk.people else None
    if permit is None:
        method, text = as_taken_off(talk, organiser, body.member, body.language, seen.now)
    else:
        method, text = as_invitation(talk, organiser, body.member, body.language, seen.now, _answer(seen, talk))
    return _answered(body.member, talk, act, permit, method, text)


def _answered(member: UUID, talk: Talk, act: Act, permit: Permit | None, method: Method, text: str) -> Change:
    """Returns the Change: `things` is 1 when the entry tells when it is, 0 when it only drops an earlier one."""
    viewed = Viewed(query="calendar-entry", things=1 if permit else 0)
    result = {
        "conversation": str(talk.id),
        "member": str(member),
        "about": str(talk.about),
        "uid": str(talk.id),
        "sequence": talk.sequence,
        "method": method.value,
        "ics": text,
    }
    event = NewEvent(viewed, about=talk.about, act=act, thing=member, producer="goals")
    return Change(permits=(permit,) if permit else (), events=(event,), result=result)


def _receiving(asked: Asked[CalendarEntry], seen: Snapshot, talk: Talk, act: Act) -> Permit | None:
    """Returns the permit that the member's own grant to be told of conversations gives, or None."""
    holding = [
        grant
        for grant in _GRANTS.validate_python(seen.state["grants"])
        if Action.RECEIVE in grant.actions
        and Category.CONVERSATIONS in grant.categories
        and asked.body.purpose in grant.purposes
        and grant.valid_from <= seen.clock
        and (grant.valid_until is None or seen.clock + access.HOLDS_FOR <= grant.valid_until)
    ]
    if not holding:
        return None
    best = max(holding, key=lambda grant: (grant.valid_until is None, grant.valid_until or seen.clock))
    return Permit(act, talk.about, seen.state["revision"], best.valid_from, best.valid_until)


def _answer(seen: Snapshot, talk: Talk) -> InvitationAnswer | None:
    reply = seen.state["reply"]
    current = reply is not None and reply["sequence"] == talk.sequence
    return InvitationAnswer(reply["answer"]) if current else None


def _denial(asked: Asked[CalendarEntry], view: View, reason: str) -> access.Denial:
    return access.denial(view, asked.actor, Action.VIEW, Category.CONVERSATIONS, asked.body.purpose, reason)
