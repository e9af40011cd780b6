"""Which events go out to tools, and under which category: data, and nothing else decides it.

What is not here never leaves: looks, denials and what the audit log alone is for; grants (`access.changed`); notices
and their deliveries; what the gate itself tells; what is only suggested to people (that settings diverge goes out, to
who receives observations); and of network everything that is not a tool's business. A tool hears of its own
membership, of a consent that names it as the recipient, and that the child left; of those only while it may receive
something of that child.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from shared.events import conversations, goals, membership, network, plans
from shared.events.base import Event, Fact
from shared.events.words import Category


@dataclass(frozen=True, slots=True)
class Goes:
    """Under which category an event goes out; None: under any that the tool may receive of that child.

    `names`: only to the tool that this field of the fact names.
    """

    category: Category | None
    names: str | None = None


def _all(category: Category, *facts: type[Fact]) -> dict[type[Fact], Goes]:
    return {fact: Goes(category) for fact in facts}


GOALS = _all(
    Category.GOALS,
    goals.GoalProposed,
    goals.GoalRevised,
    goals.GoalAccepted,
    goals.GoalRejected,
    goals.GoalActivated,
    goals.GoalHeld,
    goals.GoalResumed,
    goals.GoalCompleted,
    goals.GoalCancelled,
    goals.GoalEnteredInError,
    goals.AchievementRecorded,
)
OBSERVATIONS = _all(Category.OBSERVATIONS, goals.ScoreRecorded, goals.ScoreCorrected, goals.DivergenceSeen)
PLANS = _all(
    Category.PLAN,
    plans.PlanDrafted,
    plans.PlanRevised,
    plans.PlanConsulted,
    plans.PlanAgreed,
    plans.PlanEnforced,
    plans.PlanEvaluated,
    plans.PlanContinued,
    plans.PlanClosed,
    plans.ActionFinished,
    plans.DeadlineDueSoon,
    plans.DeadlineOverdue,
)
CONVERSATIONS = _all(
    Category.CONVERSATIONS,
    conversations.ConversationPlanned,
    conversations.ConversationMoved,
    conversations.ConversationCancelled,
    conversations.InvitationWithdrawn,
    conversations.ConversationHeld,
    conversations.OutcomeSettled,
)
NETWORK: dict[type[Fact], Goes] = {
    membership.MemberAdded: Goes(None, names="member"),
    membership.MembershipChanged: Goes(None, names="member"),
    membership.MembershipEnded: Goes(None, names="member"),
    membership.MembershipSuspended: Goes(None, names="member"),
    membership.MembershipResumed: Goes(None, names="member"),
    network.ConsentGiven: Goes(None, names="recipient"),
    network.ConsentWithdrawn: Goes(None, names="recipient"),
    network.ConsentEnded: Goes(None, names="recipient"),
    membership.PlacementEnded: Goes(None),
}
FACTS: Mapping[type[Fact], Goes] = {**GOALS, **OBSERVATIONS, **PLANS, **CONVERSATIONS, **NETWORK}
OUTGOING: Mapping[str, Goes] = {fact.type(): goes for fact, goes in FACTS.items()}
"""By CloudEvents type."""


def goes_to(event: Event, tool: UUID) -> Goes | None:
    """Returns how an event goes out to a tool, or None: it does not, whatever the tool's grants are."""
    goes = OUTGOING.get(event.type)
    if goes is None or (goes.names is not None and event.content["data"]["fact"].get(goes.names) != str(tool)):
        return None
    return goes
