"""The rules as data: which events are told, to whom, how soon, and what of it a school may adjust.

What is not here is told to nobody: scores one by one (their divergence is told), looks and denials, deliveries; that a
child left, for nobody round it has access any more (who keeps its file is told when that is due). The words stand in
locale/: they are for inside the login and say what to do now.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.notifications.rule import Answers, Bound, Rule
from services.notifications.times import Pace
from shared.events import conversations, dialogue, emergencies, erasure, gate, goals, membership, network, plans
from shared.events.base import Fact
from shared.events.network import ConsentState
from shared.events.words import Action, Category

Table = Mapping[type[Fact], Rule]

GOALS: Table = {
    goals.GoalProposed: Rule("goal_proposed", Category.GOALS, bound=Bound.PARENTS),
    goals.GoalAccepted: Rule("goal_accepted", Category.GOALS),
    goals.GoalRevised: Rule("goal_revised", Category.GOALS),
    goals.GoalRejected: Rule("goal_rejected", Category.GOALS),
    goals.GoalActivated: Rule("goal_activated", Category.GOALS, fold="goal_moved"),
    goals.GoalHeld: Rule("goal_held", Category.GOALS, fold="goal_moved"),
    goals.GoalResumed: Rule("goal_resumed", Category.GOALS, fold="goal_moved"),
    goals.GoalCompleted: Rule("goal_completed", Category.GOALS),
    goals.GoalCancelled: Rule("goal_cancelled", Category.GOALS),
    goals.DivergenceSeen: Rule("divergence_seen", Category.OBSERVATIONS),
}


def _plan(kind: str, *, bound: Bound = Bound.PARENTS, concerned: bool = False, remind: int | None = None) -> Rule:
    return Rule(kind, Category.PLAN, bound=bound, concerned=concerned, remind_days=remind)


def _clock(kind: str, remind: int | None = None) -> Rule:
    return Rule(kind, Category.PLAN, bound=Bound.PARENTS, concerned=True, deadline=True, remind_days=remind)


PLANS: Table = {
    plans.PlanConsulted: _plan("plan_consulted", concerned=True, remind=7),
    plans.PlanRevised: _plan("plan_revised", concerned=True, remind=7),
    plans.AgreementRefused: _plan("agreement_refused"),
    plans.RemedyTaken: _plan("remedy_taken"),
    plans.PlanEnforced: _plan("plan_enforced"),
    plans.PlanEvaluated: _plan("plan_evaluated"),
    plans.PlanContinued: _plan("plan_continued"),
    plans.PlanClosed: _plan("plan_closed"),
    plans.DeadlineDueSoon: _clock("deadline_due_soon"),
    plans.DeadlineOverdue: _clock("deadline_overdue", remind=7),
}


def _heard(kind: str, remind: int | None = None, fold: str | None = None) -> Rule:
    return Rule(kind, Category.EXPECTATIONS, concerned=True, remind_days=remind, fold=fold)


DIALOGUES: Table = {
    dialogue.ExpectationVoiced: _heard("expectation_voiced", remind=7),
    dialogue.ExpectationAnswered: _heard("expectation_answered"),
    dialogue.ExpectationWithdrawn: _heard("expectation_withdrawn"),
    dialogue.ProposalWithdrawn: _heard("proposal_withdrawn"),
    dialogue.CommitmentMade: _heard("commitment_made"),
    dialogue.CommitmentWithdrawn: _heard("commitment_withdrawn"),
    dialogue.CommitmentReviewed: _heard("commitment_reviewed"),
    dialogue.OutcomesDiffer: _heard("outcomes_differ"),
    dialogue.ReviewDue: _heard("review_due", fold="commitment_review"),
    dialogue.ReviewOverdue: _heard("review_overdue", remind=7, fold="commitment_review"),
    dialogue.Remarked: _heard("remarked"),
    dialogue.CompanionProposed: _heard("companion_proposed", remind=7),
    dialogue.CompanionJoined: _heard("companion_joined"),
    dialogue.CompanionLeft: _heard("companion_left"),
}


def _asked(kind: str, fold: str | None = None) -> Rule:
    return Rule(kind, Category.CONVERSATIONS, concerned=True, fold=fold)


CONVERSATIONS: Table = {
    conversations.ConversationPlanned: _asked("conversation_planned"),
    conversations.ConversationMoved: _asked("conversation_moved"),
    conversations.ConversationCancelled: _asked("conversation_cancelled"),
    conversations.InvitationWithdrawn: _asked("invitation_withdrawn"),
    conversations.InvitationAnswered: _asked("invitation_answered"),
    conversations.PointAdded: _asked("point_added"),
    conversations.ConversationHeld: _asked("conversation_held"),
    conversations.OutcomeRecorded: _asked("outcome_recorded"),
}


def _network(
    kind: str, *, states: tuple[ConsentState, ...] = (), bound: Bound = Bound.FREE, needs: Action | None = None
) -> Rule:
    return Rule(kind, Category.NETWORK, needs=needs, states=frozenset(states), bound=bound)


# Of two who decide the answers differ: both are told so, who made it so too, and neither who said what. It comes before
# the rules below: who hears this does not hear of the answer that made it so.
CONFLICT = Rule(
    "consent_conflicting",
    Category.NETWORK,
    needs=Action.CONSENT,
    states=frozenset({ConsentState.CONFLICTING}),
    actor_too=True,
    bound=Bound.FIXED,
)
ANSWERED = (network.ConsentGiven, network.ConsentRefused, network.ConsentWithdrawn, network.ConsentSettled)
CONFLICTS: Table = dict.fromkeys(ANSWERED, CONFLICT)

NETWORK: Table = {
    network.ConsentAsked: Rule(
        "consent_asked",
        Category.NETWORK,
        needs=Action.CONSENT,
        bound=Bound.FIXED,
        remind_days=7,
    ),
    # Only once it holds: one parent's yes that still waits for the other's is not the other's to know.
    network.ConsentGiven: _network("consent_given", states=(ConsentState.GIVEN,)),
    # Not for the other parent: of two who decide it would say who refused.
    network.ConsentRefused: Rule("consent_refused", Category.NETWORK, askers=True, bound=Bound.FIXED),
    # For everyone: who shared on it must stop, and the other parent has a right to know that nothing is shared.
    network.ConsentWithdrawn: Rule("consent_withdrawn", Category.NETWORK, urgent=True, bound=Bound.FIXED),
    # Not for who is here by authority alone: who takes part is not theirs to see.
    membership.MembershipEnded: _network("membership_ended", needs=Action.VIEW),
    network.ConsentRenewalDue: Rule("consent_renewal_due", Category.NETWORK, bound=Bound.PARENTS, remind_days=14),
    network.DisputeNoted: _network("dispute_noted", bound=Bound.PARENTS),
    network.DisputeSettled: _network("dispute_settled", bound=Bound.PARENTS),
    # Only those who review someone else's emergency may be told of a child's log: see network's policy.
    emergencies.EmergencyStarted: Rule("emergency_started", Category.LOG, urgent=True, bound=Bound.FIXED),
    emergencies.EmergencyReviewOverdue: Rule("emergency_review_overdue", Category.LOG, urgent=True, bound=Bound.FIXED),
}


def _file(kind: str, *, pace: Pace = Pace.NOW, remind: int | None = None) -> Rule:
    """For those who keep the child's records, and so may do something about it."""
    return Rule(kind, Category.IDENTITY, needs=Action.MANAGE, pace=pace, bound=Bound.FIXED, remind_days=remind)


FILES: Table = {
    erasure.ErasureAsked: _file("erasure_asked", remind=7),
    erasure.ErasureDeclined: _file("erasure_declined"),
    # At a year's end many fall due on one day: each child is a line in the inbox, and all of them are one mail.
    erasure.RetentionDueSoon: _file("retention_due_soon", pace=Pace.DAILY),
}

ADDRESS_STOPPED = _file("address_stopped")
"""Made of no event: mail came back. The notice's `thing` is the member whose address it is."""

TOOLS: Table = {gate.DeletionOverdue: _file("deletion_overdue")}
"""To whoever keeps the school's records: it is they who let the tool in."""

UNANSWERED = Rule("unanswered", Category.NETWORK, askers=True, bound=Bound.FREE)
"""Who asks on the school's behalf, of what waited too long: made of a notice, not of an event."""

OF_NETWORK: tuple[Table, ...] = (CONFLICTS, NETWORK, FILES, DIALOGUES)
OF_GOALS: tuple[Table, ...] = (GOALS, PLANS, CONVERSATIONS)
BY_KIND: Mapping[str, Rule] = {
    rule.kind: rule for table in (*OF_NETWORK, *OF_GOALS, TOOLS) for rule in table.values()
} | {UNANSWERED.kind: UNANSWERED, ADDRESS_STOPPED.kind: ADDRESS_STOPPED}


def is_fixed(kind: str) -> bool:
    """Tells whether the law or safety wants this kind told: neither school nor recipient switches its mails off."""
    return kind in BY_KIND and BY_KIND[kind].bound is Bound.FIXED


ANSWERS: Mapping[type[Fact], Answers] = {
    network.ConsentGiven: Answers(("consent_asked",)),
    network.ConsentRefused: Answers(("consent_asked",)),
    network.ConsentEnded: Answers(("consent_asked", "consent_renewal_due"), everyone=True),
    network.ConsentSettled: Answers(("consent_conflicting",), everyone=True),
    dialogue.ExpectationAnswered: Answers(("expectation_voiced", "expectation_answered")),
    dialogue.ExpectationWithdrawn: Answers(("expectation_voiced", "companion_proposed"), everyone=True),
    dialogue.CommitmentReviewed: Answers(("review_due", "review_overdue")),
    dialogue.CompanionJoined: Answers(("companion_proposed",), everyone=True),
    plans.AgreementGiven: Answers(("plan_consulted", "plan_revised")),
    plans.AgreementRefused: Answers(("plan_consulted", "plan_revised")),
    plans.PlanEnforced: Answers(("plan_consulted", "plan_revised"), everyone=True, deadline="about"),
    plans.ActionFinished: Answers((), deadline="action"),
    plans.PlanEvaluated: Answers(("deadline_due_soon", "deadline_overdue"), everyone=True),
    plans.PlanClosed: Answers(
        ("plan_consulted", "plan_revised", "deadline_due_soon", "deadline_overdue"), everyone=True
    ),
    erasure.ErasureConfirmed: Answers(("erasure_asked",), everyone=True),
    erasure.ErasureDeclined: Answers(("erasure_asked",), everyone=True),
}
"""Events after which nobody is reminded any more of an earlier notice about the same thing."""
