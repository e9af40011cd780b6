"""What people see of conversations: which there are, one with its agenda and what came of it, its calendar entry."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from services.goals.guidance import words_for
from services.goals.ics import Language, as_ics, as_taken_off
from services.goals.plan_queries import also, answered
from services.goals.queries import diverging
from services.goals.store import read_latest
from services.goals.talk import STEPS, Talk, by_task, enter
from shared.access import Denial, Permit
from shared.events.words import Action, Category, school_subject
from shared.unit import Asked, Change, Query, Snapshot

PAGE = 50
"""Conversations a page; the reader `read_conversations` gives one more when there are more."""


class ConversationsOf(Query):
    """A page of conversations that the asker takes part in or works on, newest first.

    `about` is a child, or the school's own subject; `before` is the `next` of the page before.
    """

    about: UUID
    before: UUID | None = None


class OneConversation(Query):
    """One conversation: its agenda, who comes, what came of it, and the guidance for where it stands."""

    conversation: UUID


class ConversationInvite(OneConversation):
    """The same as a calendar entry, which updates and cancels the one that was taken before."""

    language: Language = Language.DUTCH


def decide_conversations(asked: Asked[ConversationsOf], seen: Snapshot) -> Change:
    """Answers a page: of all, to who works on them by task; else of those that the asker takes part in.

    With it, for who sees goals and scores, which goals it is suggested to talk about.
    """
    permit, whose = seen.require(asked, Action.VIEW, Category.CONVERSATIONS), "own"
    if (task := _by_task(asked, seen)) is not None:  # else not refused: they see their own
        permit, whose = task, "all"
    rows: list[dict[str, Any]] = seen.state[whose]
    me = str(asked.actor.id)
    page = [_listed(one, every=whose == "all" or one["invited_by"] == me) for one in rows[:PAGE]]
    result = {"conversations": page, "next": page[-1]["id"] if len(rows) > PAGE else None}
    change = answered((permit,), "conversations", len(page), result)
    seeing = [also(asked, seen, Action.VIEW, one) for one in (Category.GOALS, Category.OBSERVATIONS)]
    permits = tuple(one for one in seeing if one is not None)
    if len(permits) < len(seeing):
        return replace(change, result=result | {"suggested": []})
    told = [_suggested(one, asked.actor.id, every=whose == "all") for one in seen.state["suggested"]]
    shown = answered(permits, "conversations", len(told), result | {"suggested": told})
    return replace(shown, permits=(*change.permits, *permits), events=(*change.events, *(shown.events if told else ())))


def _by_task(asked: Asked[Any], seen: Snapshot) -> Permit | None:
    with suppress(Denial):
        return by_task(asked, seen, Action.VIEW)
    return None


def _makes_list(asked: Asked[Any], seen: Snapshot, talk: Talk) -> bool:
    return talk.invited_by == asked.actor.id or _by_task(asked, seen) is not None


def _listed(raw: dict[str, Any], *, every: bool) -> dict[str, Any]:
    """Returns a conversation; who was taken off its list is for who made that list: guests know who takes part."""
    return raw if every else raw | {"uninvited": None}


def _suggested(raw: dict[str, Any], reader: UUID, *, every: bool) -> dict[str, Any]:
    """Returns a suggestion; of the conversations that it is on the agenda of, those that the reader may see."""
    planned = [
        {"conversation": one["conversation"], "starts_at": one["starts_at"]}
        for one in raw["planned"]
        if every or str(reader) in one["people"]
    ]
    words = {name: raw[name] for name in ("goal", "statement", "since")}
    return {**words, "diverging": diverging(read_latest(raw["latest"])), "planned": planned}


def decide_conversation(asked: Asked[OneConversation], seen: Snapshot) -> Change:
    """Answers one conversation. Of who felt heard only the asker's own answer is there."""
    permit, talk = enter(asked, seen, Action.VIEW)
    state = seen.state
    result: dict[str, Any] = {
        "conversation": _listed(state["conversation"], every=_makes_list(asked, seen, talk)),
        "points": state["points"],
        "replies": [one for one in state["replies"] if UUID(one["member"]) not in talk.uninvited],
        "outcomes": state["outcomes"],
        "my_heard": state["heard"],
        "asks_me": asked.actor.id in talk.attended and state["heard"] is None,
        "guidance": words_for(STEPS[talk.status], state["guidance"]),
    }
    return answered((permit,), "conversation", 1, result, talk.id)


def decide_invite(asked: Asked[ConversationInvite], seen: Snapshot) -> Change:
    """Answers the calendar entry; to who was taken off the list, what drops it."""
    permit = seen.require(asked, Action.VIEW, Category.CONVERSATIONS)
    talk, organiser, me = Talk.read(seen.state["conversation"]), school_subject(asked.school), asked.actor.id
    if me in talk.uninvited and me not in talk.people:
        text = as_taken_off(talk, organiser, me, asked.body.language, seen.now)[1]
    else:
        permit, talk = enter(asked, seen, Action.VIEW)
        text = as_ics(talk, organiser, asked.body.language, seen.now)
    result = {"conversation": str(talk.id), "sequence": talk.sequence, "ics": text}
    return answered((permit,), "conversation-invite", 1, result, talk.id)
