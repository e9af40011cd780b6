"""What members ask of their own inbox.

A notice is shown, and can be dealt with, only as long as its member may receive what it is about: the same grant that
made it, asked again for the purpose it was made for. Another member's notice is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.notifications import addressing, adjusting, hours, leaving, outlets, preferences, why, words
from services.notifications.model import SERVICE, NoticeState, moves
from services.notifications.own import own_act
from services.notifications.replies import InboxReply, NoticeReply
from shared import access
from shared.access import Denial, Permit
from shared.erasure import preview
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent, Viewed
from shared.events.notifications import NoticeDone, NoticeRead
from shared.events.words import Action, Category, Purpose, school_subject
from shared.unit import Asked, Change, Endpoint, Query, Request, Row, Snapshot, stale

ALL_STATES = tuple(NoticeState)


class Inbox(Query):
    """The asking member's own notices, newest first; `before` is the `next` of the page before."""

    states: Annotated[tuple[NoticeState, ...], Field(min_length=1, max_length=3)] = ALL_STATES
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    before: UUID | None = None


class ReadNotice(Request):
    """Marks a notice of one's own as read."""

    notice: UUID
    version: Annotated[int, Field(ge=1)]


class DoneNotice(ReadNotice):
    """Puts a notice of one's own away."""


def may_receive(asked: Asked[Any], seen: Snapshot, notice: Mapping[str, Any]) -> Permit:
    """Returns the actor's permit to be told of `notice`, for the purpose it was made for, or raises Denial."""
    about = UUID(notice["about"])
    view = seen.views[about]
    category, purpose = Category(notice["category"]), Purpose(notice["purpose"])
    return access.require(view, asked.actor, Action.RECEIVE, category, purpose, seen.clock)


def decide_inbox(asked: Asked[Inbox], seen: Snapshot) -> Change:
    """Shows the member its notices about those whom it may still be told about; one "viewed" for each basis."""
    counts: Counter[Permit] = Counter()
    shown = []
    for notice in seen.state["notices"]:
        try:
            counts[may_receive(asked, seen, notice)] += 1
        except Denial as denial:
            if not denial.verifiable:
                raise
        else:
            shown.append(notice)
    events = [
        NewEvent(Viewed(query="inbox", things=things), permit.subject, permit.act, producer="notifications")
        for permit, things in counts.items()
    ]
    full = len(seen.state["notices"]) == asked.body.limit
    return Change(
        permits=tuple(counts),
        events=tuple(events) or (_looked_in_vain(asked),),
        result={
            "notices": [_shown(notice, seen.state["language"]) for notice in shown],
            "next": seen.state["notices"][-1]["id"] if full else None,
        },
    )


def _looked_in_vain(asked: Asked[Inbox]) -> NewEvent:
    # An inbox is its member's own data. An empty one concerns no child, so the line is about the school itself.
    act = own_act(asked, Action.RECEIVE)
    return NewEvent(Viewed(query="inbox", things=0), school_subject(asked.school), act, producer="notifications")


def _shown(notice: Mapping[str, Any], language: str | None) -> dict[str, Any]:
    said, folds = language or words.LANGUAGES[0], notice["folds"]
    more = f" {words.more(said, folds)}" if folds else ""
    return {
        "notice": notice["id"],
        "version": notice["version"],
        "state": notice["state"],
        "kind": notice["kind"],
        "dutch": words.inbox("nl", notice["kind"]),
        "english": words.inbox("en", notice["kind"]),
        "language": said,
        "words": words.inbox(said, notice["kind"]) + more,
        "folds": folds,
        "urgent": notice["urgent"],
        "answered": notice["answered"],
        "about": notice["about"],
        "thing": notice["thing"],
        "occurred_at": notice["occurred_at"],
    }


def decide_read(asked: Asked[ReadNotice], seen: Snapshot) -> Change:
    """Marks the notice as read."""
    return _move(asked, seen, NoticeState.READ, NoticeRead)


def decide_done(asked: Asked[DoneNotice], seen: Snapshot) -> Change:
    """Puts the notice away."""
    return _move(asked, seen, NoticeState.DONE, NoticeDone)


def _move(asked: Asked[Any], seen: Snapshot, to: NoticeState, fact: type[NoticeRead | NoticeDone]) -> Change:
    notice = seen.state.get("notice")
    if notice is None:
        # Nothing there: refused in the words of something forbidden.
        seen.require(asked, Action.RECEIVE, Category.CONTACT)
        raise Problem(ProblemType.FORBIDDEN, "this notice is not there: read your inbox again")
    permit = may_receive(asked, seen, notice)
    if notice["version"] != asked.body.version:
        raise stale(asked.body.version, notice["version"])
    allowed = moves(NoticeState(notice["state"]))
    if to not in allowed:
        raise Problem(
            ProblemType.CONFLICT,
            f"this notice is {notice['state']}: from here it can become {' or '.join(allowed) or 'nothing else'}",
            state=notice["state"],
            allowed=list(allowed),
        )
    # What is put away is dealt with: nobody is reminded of it.
    values = {"state": to, "remind_at": None} if to is NoticeState.DONE else {"state": to}
    row = Row("notice", UUID(notice["id"]), notice["version"], values)
    event = NewEvent(
        fact(recipient=asked.actor.id, kind=notice["kind"]), permit.subject, permit.act, thing=UUID(notice["id"])
    )
    reply = {"notice": notice["id"], "version": notice["version"] + 1, "state": to.value}
    return Change(permits=(permit,), events=(event,), rows=(row,), reply=reply)


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("inbox", Inbox, "read_inbox", decide_inbox, InboxReply),
    Endpoint("read-notice", ReadNotice, "read_notice", decide_read, NoticeReply),
    Endpoint("done-notice", DoneNotice, "read_notice", decide_done, NoticeReply),
    preview(SERVICE),
    *preferences.ENDPOINTS,
    *addressing.ENDPOINTS,
    *leaving.ENDPOINTS,
    *outlets.ENDPOINTS,
    *adjusting.ENDPOINTS,
    *hours.ENDPOINTS,
    *why.ENDPOINTS,
)
