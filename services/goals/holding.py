"""A conversation took place: who was there, and what was talked about. Body and pure decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from services.goals.suggesting import POINT, Suggestion
from services.goals.talk import TalkStatus, enter, no_strangers, possible
from services.goals.talking import MOST_POINTS, Members, OnConversation, Sequence, done, once, point
from services.goals.writing import invalid
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent
from shared.events.conversations import ConversationHeld, SuggestionEnd
from shared.events.words import Action
from shared.text import Text
from shared.unit import Asked, Change, Row, Snapshot


class HoldConversation(OnConversation):
    """It took place, with those who were there. `goals`: what was talked about, though it was not on the agenda."""

    sequence: Sequence
    attended: Members
    notes: Text | None = None
    goals: Annotated[tuple[UUID, ...], Field(max_length=20), AfterValidator(once)] = ()


def decide_hold_conversation(asked: Asked[HoldConversation], seen: Snapshot) -> Change:
    """Records that it took place; each who was there is asked whether it was heard.

    What was suggested to talk about, and was on the agenda or talked about without, is settled by it.
    """
    permit, talk = enter(asked, seen, Action.PROPOSE)
    body, points = asked.body, seen.state["points"]
    possible(talk, "hold-conversation", body.sequence)
    no_strangers(seen, "attended")
    no_strange_goals(seen)
    if seen.now < talk.starts_at:
        raise Problem(ProblemType.CONFLICT, "it is still to come: move it to when it was, or wait until it was held")
    there = {seen.state["conversation"]["goal"], *(one["goal"] for one in points)}
    more = [point(asked, seen, talk.about, talk.id, POINT, goal) for goal in body.goals if str(goal) not in there]
    if len(points) + len(more) > MOST_POINTS:
        raise Problem(ProblemType.CONFLICT, f"the agenda holds {MOST_POINTS} points: name fewer goals")
    fact = ConversationHeld(
        conversation=talk.id, concerns=tuple(sorted(body.attended)), kind=talk.kind, invited=len(talk.invited)
    )
    row = talk.row(status=TalkStatus.HELD, attended=body.attended, notes=body.notes)
    change = done(permit, talk, fact, [row, *more], sequence=talk.sequence)
    rows, events = settled_by(permit, seen, talk.id, talk.ends_at)
    return replace(change, rows=(*change.rows, *rows), events=(*change.events, *events))


def no_strange_goals(seen: Snapshot) -> None:
    """Raises Problem when goals are named that are not of this child or school."""
    if strange := seen.state["strange_goals"]:
        detail = "names what is no goal of this child or school: look it up, or leave it out"
        raise invalid(detail, "goals", goals=strange)


def settled_by(permit: Permit, seen: Snapshot, talk: UUID, ends_at: datetime) -> tuple[list[Row], list[NewEvent]]:
    """Returns what settles the suggestions that a conversation took up, of those that were there when it ended."""
    suggestions = [Suggestion.read(UUID(one["goal"]), permit.subject, one) for one in seen.state["suggestions"]]
    ends = [one.ends(permit, seen.now, SuggestionEnd.TALKED, talk) for one in suggestions if one.before(ends_at)]
    return [row for row, _ in ends], [event for _, event in ends]
