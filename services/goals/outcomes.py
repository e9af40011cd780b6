"""What came of a conversation, what became of that, and whether each who was there was heard. Bodies and decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from services.goals.heard_figures import Heard, newly_told, summary
from services.goals.life import Paragraph, Version
from services.goals.measuring import measured
from services.goals.model import today
from services.goals.plan_queries import answered
from services.goals.suggesting import Suggestion
from services.goals.talk import enter, no_strangers, possible
from services.goals.talking import OnConversation, done
from services.goals.writing import invalid
from shared.errors import Problem, ProblemType
from shared.events.conversations import HeardSaid, OutcomeKind, OutcomeRecorded, OutcomeSettled, SuggestionEnd
from shared.events.words import Action, Category, school_subject
from shared.text import Day
from shared.unit import Asked, Change, Query, Request, Row, Snapshot, stale

MOST_OUTCOMES = 50
ENDS = ("became", "dropped_because", "settled_at", "settled_by")
"""What settling an outcome writes."""


class RecordOutcome(OnConversation):
    """What people came to: it is to become a goal, an action or a commitment, of `who`, by a day."""

    kind: OutcomeKind
    words: Paragraph
    point: UUID | None = None
    who: Annotated[tuple[UUID, ...], Field(max_length=20)] = ()
    by_on: Day | None = None


class SettleOutcome(Request):
    """What an outcome became, by its id; or why it became nothing after all."""

    outcome: UUID
    version: Version
    became: UUID | None = None
    dropped_because: Paragraph | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.became is None) == (self.dropped_because is None):
            msg = "needs what it became, or why it became nothing: give one of became and dropped_because"
            raise ValueError(msg)
        return self


class SayHeard(OnConversation):
    """Whether one felt heard, and in one's own words why; both stay one's own. The newest answer counts."""

    answer: Heard
    words: Paragraph | None = None


class HeardSummary(Query):
    """How many felt heard in the school's conversations, by role. `about` is the school's own subject."""

    about: UUID


def decide_record_outcome(asked: Asked[RecordOutcome], seen: Snapshot) -> Change:
    """Records what a conversation came to."""
    permit, talk = enter(asked, seen, Action.PROPOSE)
    body, state = asked.body, seen.state
    possible(talk, "record-outcome")
    no_strangers(seen, "who")
    if body.point is not None and str(body.point) not in {one["id"] for one in state["points"]}:
        raise invalid("not on this conversation's agenda: see the conversation, or leave it out", "point")
    if len(state["outcomes"]) >= MOST_OUTCOMES:
        raise Problem(ProblemType.CONFLICT, f"it holds {MOST_OUTCOMES} outcomes: plan a second conversation")
    made = asked.ids.time_ordered(seen.now)
    values = body.model_dump(exclude={"purpose"}) | {
        "about": talk.about,
        "recorded_by": asked.actor.id,
        "recorded_at": seen.now,
    }
    others = talk.others(asked.actor.id)
    fact = OutcomeRecorded(conversation=talk.id, concerns=others, outcome=made, kind=body.kind)
    return done(permit, talk, fact, [Row("conversation_outcome", made, 0, values)], outcome=str(made))


def decide_settle_outcome(asked: Asked[SettleOutcome], seen: Snapshot) -> Change:
    """Records which goal, action or commitment an outcome became: one that is known here, of the same subject.

    A goal that came out of it was talked about: what was suggested before is settled, on no agenda or not.
    """
    permit, talk = enter(asked, seen, Action.PROPOSE)
    body, found = asked.body, seen.state["outcome"]
    possible(talk, "settle-outcome")
    if found["version"] != body.version:
        changed = [{"version": found["version"], "fields": sorted(name for name in ENDS if found[name] is not None)}]
        raise stale(body.version, found["version"], changes=changed)
    if found["settled_at"] is not None:
        raise Problem(ProblemType.CONFLICT, "this outcome is settled: record another one", became=found["became"])
    kind = OutcomeKind(found["kind"])
    if body.became is not None and not seen.state["known"]:
        raise invalid(f"not a {kind.value} of this child or school that is known here: make it first", "became")
    values = {
        "became": body.became,
        "dropped_because": body.dropped_because,
        "settled_by": asked.actor.id,
        "settled_at": seen.now,
    }
    row = Row("conversation_outcome", body.outcome, body.version, values)
    fact = OutcomeSettled(conversation=talk.id, outcome=body.outcome, kind=kind, became=body.became)
    change = done(permit, talk, fact, [row], outcome=str(body.outcome), version=body.version + 1)
    suggestion = Suggestion.read(body.became or body.outcome, talk.about, seen.state["suggestion"])
    if not suggestion.before(talk.ends_at):
        return change
    settled, event = suggestion.ends(permit, seen.now, SuggestionEnd.TALKED, talk.id)
    return replace(change, rows=(*change.rows, settled), events=(*change.events, event))


def decide_say_heard(asked: Asked[SayHeard], seen: Snapshot) -> Change:
    """Keeps whether a participant felt heard."""
    permit, talk = enter(asked, seen, Action.ANSWER)
    possible(talk, "say-heard")
    me = asked.actor.id
    if me not in talk.attended:
        raise invalid("you were not at this conversation: only who was there says whether it was heard", "conversation")
    values = asked.body.model_dump(include={"conversation", "answer", "words"}) | {
        "about": talk.about,
        "member": me,
        "role": permit.act.role,
        "said_at": seen.now,
    }
    # Each answer is a row of its own: figures that were told stay what they were.
    row = Row("conversation_heard", asked.ids.time_ordered(seen.now), 0, values)
    return done(permit, talk, HeardSaid(conversation=talk.id), [row])


def decide_heard_summary(asked: Asked[HeardSummary], seen: Snapshot) -> Change:
    """Answers the counts of groups that are large enough, and never a word, a child or a person."""
    permit = seen.require(asked, Action.VIEW, Category.CONVERSATIONS)
    if permit.subject != school_subject(asked.school):
        raise invalid("this is counted over a school: name the school's own subject", "about")
    told = seen.state["figures"]
    figures = summary(seen.state["answers"], today(seen.now), told)
    found = figures | {"measures": measured(seen.state, figures)}
    change = answered((permit,), "heard-summary", len(found["roles"]), found)
    return replace(change, rows=newly_told(figures, told))
