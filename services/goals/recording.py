"""A conversation took place that nobody had planned: who was there writes it down. Body and pure decision."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from services.goals.holding import no_strange_goals, settled_by
from services.goals.life import Paragraph
from services.goals.suggesting import POINT
from services.goals.talk import TalkStatus, no_strangers
from services.goals.talking import Members, Timed, once, point
from services.goals.writing import invalid
from shared.events.base import NewEvent
from shared.events.conversations import ConversationHeld, ConversationKind
from shared.events.words import Action, Category
from shared.text import Text
from shared.unit import Asked, Change, Row, Snapshot


class RecordConversation(Timed):
    """A conversation that took place unplanned: why, and who was there. `goals`: what was talked about."""

    about: UUID
    why: Paragraph
    attended: Members
    notes: Text | None = None
    goals: Annotated[tuple[UUID, ...], Field(max_length=20), AfterValidator(once)] = ()


def decide_record_conversation(asked: Asked[RecordConversation], seen: Snapshot) -> Change:
    """Writes it down as held; each who was there is asked whether it was heard, and nobody else learns of it."""
    permit = seen.require(asked, Action.PROPOSE, Category.CONVERSATIONS)
    body, me = asked.body, asked.actor.id
    no_strangers(seen, "attended")
    if me not in body.attended:
        raise invalid("leaves you out: only who was there writes it down", "attended")
    if len(body.attended) == 1:
        raise invalid("names nobody but you: name who else was there", "attended")
    no_strange_goals(seen)
    if body.ends_at > seen.now:
        raise invalid("ends_at is still to come: use plan-conversation, or write it down once it is over", "ends_at")
    made = asked.ids.time_ordered(seen.now)
    values = body.model_dump(exclude={"purpose", "goals"}) | {
        "kind": ConversationKind.MEETING,
        "status": TalkStatus.HELD,
        "sequence": 0,
        "plan": None,
        "goal": None,
        "invited": body.attended,
        "invited_by": me,
        "invited_at": seen.now,
        "changed_at": seen.now,
    }
    fact = ConversationHeld(
        conversation=made,
        concerns=tuple(sorted(body.attended)),
        kind=ConversationKind.MEETING,
        invited=len(body.attended),
    )
    points = [point(asked, seen, permit.subject, made, POINT, goal) for goal in body.goals]
    rows, events = settled_by(permit, seen, made, body.ends_at)
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, about=permit.subject, act=permit.act, thing=made), *events),
        rows=(Row("conversation", made, 0, values), *points, *rows),
        reply={"conversation": str(made), "sequence": 0, "points": [str(one.id) for one in points]},
    )
