"""The child's voice, evaluations of a plan, what follows on them, and how actions end. Bodies and pure decisions."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from services.goals.clocks import Clocks
from services.goals.life import Paragraph
from services.goals.model import today
from services.goals.plan import ALLOWED, Kind, PlanText, not_now, refusal
from services.goals.plan_store import PlanState, as_school, permit_on
from services.goals.planning import MovePlan, OnPlan, as_seen, moved
from services.goals.voice_rules import missing_at_evaluation, moment_now
from services.goals.writing import invalid
from shared.errors import Problem, ProblemType
from shared.events.plans import (
    ActionFinished,
    ActionOutcome,
    Channel,
    Moment,
    PlanContinued,
    PlanEvaluated,
    PlanStatus,
    VoiceRecorded,
    VoiceToldBack,
)
from shared.events.words import Action
from shared.text import Day, Text
from shared.unit import Asked, Change, Request, Row, Snapshot


class RecordVoice(OnPlan):
    """How the child chose to be heard, its own words, and what they changed; or why it was not heard.

    With a drawing or pictograms the words are what the child said of it.
    """

    moment: Moment
    channel: Channel | None = None
    words: Text | None = None
    influence: Paragraph | None = None
    told_back_on: Day | None = None
    not_heard_because: Paragraph | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        heard = (self.channel, self.words, self.influence)
        if self.not_heard_because is not None and any((*heard, self.told_back_on)):
            msg = "says that the child was heard and why it was not: give one of the two"
            raise ValueError(msg)
        if self.not_heard_because is None and not all(heard):
            msg = "needs channel, words and influence; or not_heard_because"
            raise ValueError(msg)
        return self


class TellChildBack(Request):
    """The child was told what its words changed."""

    plan: UUID
    voice: UUID
    told_on: Day


class EvaluatePlan(OnPlan):
    """What was found, and with whom. Without any of those who must agree to the plan: why."""

    held_on: Day
    findings: Text
    attended: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()
    without_holders_because: Paragraph | None = None


class FinishAction(OnPlan):
    """An action of the plan in force ended, and how."""

    action: UUID
    outcome: ActionOutcome
    note: Paragraph | None = None


def decide_voice(asked: Asked[RecordVoice], seen: Snapshot) -> Change:
    """Records the child's voice at this step of its plan."""
    permit = permit_on(asked, seen, Action.PROPOSE)
    plan, body = as_seen(asked, seen, "record-voice"), asked.body
    if plan.deciders.own:
        raise invalid("this is a school's own plan: there is no child to hear about it", "plan")
    due = moment_now(plan)
    if body.moment is not due:
        heard = f"the child is heard at {due.value} now" if due else "the child is heard before it is evaluated"
        raise not_now(plan.status, f"not at {body.moment.value}: {heard}", moment=due.value if due else None)
    _not_to_come(body.told_back_on, seen, "told_back_on")
    voice = asked.ids.time_ordered(seen.now)
    values = body.model_dump(exclude={"purpose"}) | {
        "about": plan.about,
        "recorded_by": asked.actor.id,
        "recorded_at": seen.now,
    }
    fact = VoiceRecorded(plan=plan.id, number=plan.number, voice=voice, moment=body.moment, channel=body.channel)
    return moved(permit, plan, (fact,), [Row("child_voice", voice, 0, values)], plan.status, voice=str(voice))


def decide_tell_back(asked: Asked[TellChildBack], seen: Snapshot) -> Change:
    """Records that the child was told what its words changed."""
    permit = permit_on(asked, seen, Action.PROPOSE)
    plan, body = PlanState.read(asked, seen), asked.body
    if plan.status not in ALLOWED["tell-child-back"]:
        raise refusal(plan.status, "tell-child-back")
    found = next((one for one in seen.state["voices"] if one["id"] == str(body.voice)), None)
    if found is None:
        raise invalid("not a record of the child's voice about this plan: see the plan", "voice")
    if found["not_heard_because"] is not None or found["told_back_on"] is not None:
        raise Problem(ProblemType.CONFLICT, "the child was not heard then, or was told back already: nothing to tell")
    _not_to_come(body.told_on, seen, "told_on")
    fact = VoiceToldBack(plan=plan.id, number=plan.number, voice=body.voice, told_on=body.told_on)
    row = Row("child_voice", body.voice, found["version"], {"told_back_on": body.told_on})
    return moved(permit, plan, (fact,), [row], plan.status, voice=str(body.voice))


def decide_evaluate(asked: Asked[EvaluatePlan], seen: Snapshot) -> Change:
    """Ends an evaluation: with the child's voice (or why not), told back, and with the holders (or why not)."""
    permit = as_school(asked, seen)
    plan, body = as_seen(asked, seen, "evaluate-plan"), asked.body
    _not_to_come(body.held_on, seen, "held_on")
    missing = missing_at_evaluation(plan, seen.state["voices"], seen.state["evaluated_at"])
    if missing:
        raise not_now(plan.status, missing)
    if not plan.deciders.own and not plan.deciders.holders & set(body.attended) and not body.without_holders_because:
        raise invalid("it was held without any of those who agree to the plan: say why", "without_holders_because")
    heard = [one["id"] for one in seen.state["voices"] if one["moment"] == Moment.EVALUATING]
    voice = UUID(heard[-1]) if heard else None
    made, status = asked.ids.time_ordered(seen.now), PlanStatus.EVALUATED
    values = body.model_dump(exclude={"purpose"}) | {
        "about": plan.about,
        "voice": voice,
        "evaluated_by": asked.actor.id,
        "evaluated_at": seen.now,
    }
    fact = PlanEvaluated(
        plan=plan.id,
        number=plan.number,
        previous=plan.status,
        status=status,
        evaluation=made,
        voice=voice,
        held_on=body.held_on,
    )
    rows = [
        plan.row(status=status),
        Row("evaluation", made, 0, values),
        plan.step(asked, seen, status, None),
        *_clocks(plan, seen).at_evaluation(),
    ]
    return moved(permit, plan, (fact,), rows, status, evaluation=str(made))


def decide_continue(asked: Asked[MovePlan], seen: Snapshot) -> Change:
    """Goes on with a plan after its evaluation."""
    permit = as_school(asked, seen)
    plan, status = as_seen(asked, seen, "continue-plan"), PlanStatus.IN_FORCE
    fact = PlanContinued(plan=plan.id, number=plan.number, previous=plan.status, status=status)
    rows = [
        plan.row(status=status),
        plan.step(asked, seen, status, None),
        *_clocks(plan, seen).at_continuation(date.fromisoformat(seen.state["held_on"]), today(seen.now)),
    ]
    return moved(permit, plan, (fact,), rows, status)


def decide_finish(asked: Asked[FinishAction], seen: Snapshot) -> Change:
    """Records how an action of the plan in force ended, once."""
    permit = permit_on(asked, seen, Action.PROPOSE)
    plan, body = as_seen(asked, seen, "finish-action"), asked.body
    if body.action not in PlanText.read(seen.state["force"]).ids(Kind.ACTION):
        raise invalid("not an action of the plan that is in force: see the plan", "action")
    if str(body.action) in seen.state["ended"]:
        raise not_now(plan.status, "this action has ended already")
    values = body.model_dump(include={"plan", "action", "outcome", "note"}) | {
        "about": plan.about,
        "ended_by": asked.actor.id,
        "ended_at": seen.now,
    }
    fact = ActionFinished(plan=plan.id, number=plan.number, action=body.action, outcome=body.outcome)
    # The plan's row is written too: of two who end it at once the second reads again, and learns that it has ended.
    rows = [
        plan.row(status=plan.status),
        Row("action_end", asked.ids.time_ordered(seen.now), 0, values),
        *_clocks(plan, seen).at_end_of(body.action),
    ]
    return moved(permit, plan, (fact,), rows, plan.status, action=str(body.action))


def _clocks(plan: PlanState, seen: Snapshot) -> Clocks:
    return Clocks.read(plan.about, plan.id, seen.state)


def _not_to_come(day: date | None, seen: Snapshot, field: str) -> None:
    if day is not None and day > today(seen.now):
        raise invalid(f"{field} is still to come: give the day that it was", field)
