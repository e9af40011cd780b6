"""When the child must have been heard about its plan, and what counts as that. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.goals.plan_store import PlanState
from shared.events.plans import Moment, PlanStatus

Voice = Mapping[str, Any]
"""A record of the child's voice, as the SQL function `plan_voices` gave it."""


def moment_now(plan: PlanState) -> Moment | None:
    """Returns about which step the child is to be heard now, None when about none.

    A text that was never in force is still being drafted; a newer one than that in force is a change.
    """
    if plan.status in {PlanStatus.EVALUATED, PlanStatus.CLOSED}:
        return None
    if plan.status is not PlanStatus.IN_FORCE:
        return Moment.DRAFTING
    return Moment.CHANGING if plan.asks else Moment.EVALUATING


def missing_voice(plan: PlanState, voices: Sequence[Voice]) -> str | None:
    """Returns what stands in the way of putting the newest version in force: None when the child was heard about it.

    A recorded reason why it was not heard counts; that it was told back may follow.
    """
    if plan.deciders.own:
        return None
    since = plan.force_number or 0
    about = Moment.CHANGING if plan.force_number else Moment.DRAFTING
    if any(one["moment"] == about and one["number"] > since for one in voices):
        return None
    return f"the child was not heard at {about.value}: record its voice, or why it was not heard"


def missing_at_evaluation(plan: PlanState, voices: Sequence[Voice], since: str | None) -> str | None:
    """Returns what stands in the way of ending an evaluation; `since` is when the one before ended, if any."""
    if plan.deciders.own:
        return None
    if any(one["not_heard_because"] is None and one["told_back_on"] is None for one in voices):
        return "the child was not told back what its words changed: do so, and record it"
    if not any(
        one["moment"] == Moment.EVALUATING and (since is None or _at(one["recorded_at"]) > _at(since)) for one in voices
    ):
        return "the child was not heard at evaluating: record its voice, or why it was not heard"
    return None


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)
