"""Conversations: somebody invites, all make the agenda together, it is held. Bodies and pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID, uuid5

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from services.goals.life import Description, Paragraph
from services.goals.plan_queries import also
from services.goals.suggesting import POINT, Suggestion
from services.goals.talk import Talk, TalkStatus, enter, no_strangers, possible
from services.goals.writing import invalid
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.base import Fact, NewEvent
from shared.events.conversations import (
    ConversationCancelled,
    ConversationKind,
    ConversationMoved,
    ConversationPlanned,
    InvitationAnswer,
    InvitationAnswered,
    PointAdded,
)
from shared.events.words import Action, Category
from shared.text import EARLIEST, LATEST, Line
from shared.unit import Asked, Change, Request, Row, Snapshot

LONGEST = timedelta(hours=12)
MOST_POINTS = 50


def _within_reason(moment: datetime) -> datetime:
    if EARLIEST <= moment.date() < LATEST:
        return moment.astimezone(UTC)
    msg = f"lies outside {EARLIEST} to {LATEST}: check the year"
    raise ValueError(msg)


def once(given: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if len(set(given)) < len(given):
        msg = "names one twice: name each once"
        raise ValueError(msg)
    return given


Moment = Annotated[AwareDatetime, AfterValidator(_within_reason)]
Members = Annotated[tuple[UUID, ...], Field(min_length=1, max_length=30), AfterValidator(once)]
Sequence = Annotated[int, Field(ge=0, lt=2**31)]


class Timed(Request):
    """From when to when, and where."""

    starts_at: Moment
    ends_at: Moment
    place: Line | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.starts_at < self.ends_at <= self.starts_at + LONGEST:
            msg = f"must end after it starts, and within {LONGEST.seconds // 3600} hours"
            raise ValueError(msg)
        return self


class PlanConversation(Timed):
    """An invitation, with why and the first points of the agenda. A consultation is about a plan."""

    about: UUID
    kind: ConversationKind = ConversationKind.MEETING
    why: Paragraph
    invited: Members
    plan: UUID | None = None
    goal: UUID | None = None
    points: Annotated[tuple[Description, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _about_a_plan(self) -> Self:
        if self.kind is not ConversationKind.MEETING and self.plan is None:
            msg = f"a {self.kind.value} is about a plan: name the plan"
            raise ValueError(msg)
        return self


class OnConversation(Request):
    """What is done about a conversation."""

    conversation: UUID


class MoveConversation(OnConversation, Timed):
    """Another time or place, or more people. `sequence` is the one that was seen."""

    sequence: Sequence
    invited: Members | None = None
    """All who are invited from now on: who was already, and more."""


class CancelConversation(OnConversation):
    """It does not take place, and why."""

    sequence: Sequence
    reason: Paragraph


class AnswerInvitation(OnConversation):
    """Who was invited says whether it comes; the newest answer counts."""

    answer: InvitationAnswer
    note: Description | None = None


class AddPoint(OnConversation):
    """Something on the agenda, which may be about a goal: any who takes part may add it."""

    words: Description
    goal: UUID | None = None


def decide_plan_conversation(asked: Asked[PlanConversation], seen: Snapshot) -> Change:
    """Invites people round a child (or in a school's own approach) to talk."""
    permit = seen.require(asked, Action.PROPOSE, Category.CONVERSATIONS)
    body, state = asked.body, seen.state
    no_strangers(seen, "invited")
    for name in ("plan", "goal"):
        if getattr(body, name) is not None and not state[name]:
            raise invalid(f"not a {name} of this child or school: look it up, or leave it out", name)
    if body.starts_at < seen.now:
        raise invalid("starts_at is past: give a time to come", "starts_at")
    made = asked.ids.time_ordered(seen.now)
    values = body.model_dump(exclude={"purpose", "points"}) | {
        "status": TalkStatus.PLANNED,
        "sequence": 0,
        "invited_by": asked.actor.id,
        "invited_at": seen.now,
        "changed_at": seen.now,
    }
    others = tuple(sorted(set(body.invited) - {asked.actor.id}))
    fact = ConversationPlanned(
        conversation=made,
        concerns=others,
        sequence=0,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        kind=body.kind,
        plan=body.plan,
        goal=body.goal,
    )
    points = [point(asked, seen, permit.subject, made, words) for words in body.points]
    sees = also(asked, seen, Action.VIEW, Category.OBSERVATIONS)  # else the agenda would tell how it was scored
    if sees and Suggestion.read(body.goal or made, permit.subject, state["suggestion"]).open:
        points.insert(0, point(asked, seen, permit.subject, made, POINT, body.goal))
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, about=permit.subject, act=permit.act, thing=made),),
        rows=(Row("conversation", made, 0, values), *points),
        reply={"conversation": str(made), "sequence": 0, "points": [str(point.id) for point in points]},
    )


def decide_move_conversation(asked: Asked[MoveConversation], seen: Snapshot) -> Change:
    """Gives it another time or place, or invites more people; calendars take it over by its sequence."""
    permit, talk = enter(asked, seen, Action.PROPOSE)
    body = asked.body
    possible(talk, "move-conversation", body.sequence)
    no_strangers(seen, "invited")
    invited = body.invited or talk.invited
    if set(talk.invited) - set(invited):
        raise invalid("leaves somebody out who is invited: name all, or use withdraw-invitation first", "invited")
    if body.starts_at < seen.now:
        raise invalid("starts_at is past: give a time to come", "starts_at")
    now = seen.state["conversation"]
    same = (talk.starts_at, talk.ends_at) == (body.starts_at, body.ends_at) and now["place"] == body.place
    if same and set(invited) == set(talk.invited):
        raise Problem(ProblemType.CONFLICT, "this is when, where and with whom it is: change something", same=True)
    values = {"starts_at": body.starts_at, "ends_at": body.ends_at, "place": body.place, "invited": invited}
    off = tuple(one for one in talk.uninvited if one not in invited)
    row = talk.row(**values, uninvited=off, sequence=talk.sequence + 1, changed_at=seen.now)
    fact = ConversationMoved(
        conversation=talk.id,
        concerns=tuple(sorted({*invited, talk.invited_by} - {asked.actor.id})),
        sequence=talk.sequence + 1,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
    )
    return done(permit, talk, fact, [row], sequence=talk.sequence + 1)


def decide_cancel_conversation(asked: Asked[CancelConversation], seen: Snapshot) -> Change:
    """Calls it off."""
    permit, talk = enter(asked, seen, Action.PROPOSE)
    possible(talk, "cancel-conversation", asked.body.sequence)
    sequence = talk.sequence + 1
    fact = ConversationCancelled(
        conversation=talk.id,
        concerns=talk.others(asked.actor.id),
        sequence=sequence,
        starts_at=talk.starts_at,
        ends_at=talk.ends_at,
    )
    values = {"status": TalkStatus.CANCELLED, "sequence": sequence, "changed_at": seen.now}
    row = talk.row(**values, cancelled_because=asked.body.reason)
    return done(permit, talk, fact, [row], sequence=sequence)


def decide_answer_invitation(asked: Asked[AnswerInvitation], seen: Snapshot) -> Change:
    """Keeps whether somebody who was invited comes; who invited hears it."""
    permit, talk = enter(asked, seen, Action.ANSWER)
    possible(talk, "answer-invitation")
    me = asked.actor.id
    if me not in talk.invited:
        raise invalid("you were not invited to this conversation: only who was says whether it comes", "conversation")
    before = next((one for one in seen.state["replies"] if one["member"] == str(me)), None)
    values = asked.body.model_dump(include={"conversation", "answer", "note"}) | {
        "about": talk.about,
        "member": me,
        "sequence": talk.sequence,
        "answered_at": seen.now,
    }
    row = Row("conversation_reply", uuid5(talk.id, f"reply:{me}"), before["version"] if before else 0, values)
    concerns = () if talk.invited_by == me else (talk.invited_by,)
    fact = InvitationAnswered(conversation=talk.id, concerns=concerns, answer=asked.body.answer)
    return done(permit, talk, fact, [row], answer=asked.body.answer.value)


def decide_add_point(asked: Asked[AddPoint], seen: Snapshot) -> Change:
    """Puts something on the agenda."""
    permit, talk = enter(asked, seen, Action.ANSWER)
    possible(talk, "add-point")
    if len(seen.state["points"]) >= MOST_POINTS:
        raise Problem(ProblemType.CONFLICT, f"the agenda holds {MOST_POINTS} points: plan a second conversation")
    goal = asked.body.goal
    if goal is not None and not seen.state["goal_known"]:
        raise invalid("not a goal of this child or school: look it up, or leave it out", "goal")
    added = point(asked, seen, talk.about, talk.id, asked.body.words, goal)
    fact = PointAdded(conversation=talk.id, concerns=talk.others(asked.actor.id), point=added.id)
    # The conversation's row is written too: a point never lands on one that was held or cancelled meanwhile.
    return done(permit, talk, fact, [talk.row(changed_at=talk.changed_at), added], point=str(added.id))


def point(
    asked: Asked[Any], seen: Snapshot, about: UUID, conversation: UUID, words: str, goal: UUID | None = None
) -> Row:
    values = {
        "about": about,
        "conversation": conversation,
        "words": words,
        "goal": goal,
        "added_by": asked.actor.id,
        "added_at": seen.now,
    }
    return Row("conversation_point", asked.ids.time_ordered(seen.now), 0, values)


def done(permit: Permit, talk: Talk, fact: Fact, rows: list[Row], **more: object) -> Change:
    """Returns the Change of a command about a conversation."""
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, about=talk.about, act=permit.act, thing=talk.id),),
        rows=tuple(rows),
        reply={"conversation": str(talk.id), **more},
    )
