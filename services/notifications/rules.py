"""The rules as data: which events are told, to whom, in which words.

What is not here is told to nobody: scores one by one (their divergence is told), looks and denials, deliveries. The
words are for inside the login; a mail says only that there is something new.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.notifications.model import Rule
from shared.events import conversations, dialogue, goals, network, plans
from shared.events.base import Fact
from shared.events.words import Action, Category

GOALS: Mapping[type[Fact], Rule] = {
    goals.GoalProposed: Rule(
        "goal_proposed", Category.GOALS, "Er is een doel voorgesteld.", "A goal has been proposed."
    ),
    goals.GoalRevised: Rule(
        "goal_revised",
        Category.GOALS,
        "Een doel is anders verwoord. Lees wat er veranderd is en waarom.",
        "A goal has been reworded. Read what changed and why.",
    ),
    goals.GoalAccepted: Rule("goal_accepted", Category.GOALS, "Een doel is aangenomen.", "A goal has been accepted."),
    goals.GoalRejected: Rule(
        "goal_rejected", Category.GOALS, "Een doel is niet aangenomen.", "A goal has been turned down."
    ),
    goals.GoalActivated: Rule(
        "goal_activated", Category.GOALS, "Het werken aan een doel is begonnen.", "Work on a goal has begun."
    ),
    goals.GoalHeld: Rule("goal_held", Category.GOALS, "Een doel staat even stil.", "A goal has been put on hold."),
    goals.GoalResumed: Rule(
        "goal_resumed", Category.GOALS, "Het werken aan een doel gaat weer verder.", "Work on a goal goes on again."
    ),
    goals.GoalCompleted: Rule("goal_completed", Category.GOALS, "Een doel is afgerond.", "A goal has been completed."),
    goals.GoalCancelled: Rule("goal_cancelled", Category.GOALS, "Een doel is gestopt.", "A goal has been called off."),
    goals.DivergenceSeen: Rule(
        "divergence_seen",
        Category.OBSERVATIONS,
        "Er wordt verschillend gekeken naar een doel. Praat er samen over.",
        "A goal is seen differently by different people. Talk about it together.",
    ),
}


def _plan(kind: str, dutch: str, english: str, *, concerned: bool = False) -> Rule:
    return Rule(kind, Category.PLAN, dutch, english, concerned=concerned)


PLANS: Mapping[type[Fact], Rule] = {
    plans.PlanConsulted: _plan(
        "plan_consulted",
        "Er is een plan. Lees het en zeg of u het ermee eens bent.",
        "There is a plan. Read it and say whether you agree.",
        concerned=True,
    ),
    plans.PlanRevised: _plan(
        "plan_revised",
        "Een plan is veranderd. Lees wat er anders is en zeg of u het ermee eens bent.",
        "A plan has changed. Read what is different and say whether you agree.",
        concerned=True,
    ),
    plans.AgreementRefused: _plan(
        "agreement_refused",
        "Iemand is het niet eens met een plan. Praat er samen over.",
        "Someone does not agree with a plan. Talk about it together.",
    ),
    plans.RemedyTaken: _plan(
        "remedy_taken",
        "Er is een stap gezet om het eens te worden over een plan.",
        "A step was taken to come to an agreement on a plan.",
    ),
    plans.PlanEnforced: _plan("plan_enforced", "Een plan geldt vanaf nu.", "A plan is in force from now on."),
    plans.PlanEvaluated: _plan("plan_evaluated", "Er is teruggekeken op een plan.", "A plan has been looked back on."),
    plans.PlanContinued: _plan("plan_continued", "Een plan gaat verder zoals het is.", "A plan goes on as it is."),
    plans.PlanClosed: _plan("plan_closed", "Een plan is afgesloten.", "A plan has been closed."),
    plans.DeadlineDueSoon: _plan(
        "deadline_due_soon",
        "Er moet binnenkort iets gebeuren voor een plan. Kijk wat en wanneer.",
        "Something must be done for a plan soon. See what, and by when.",
        concerned=True,
    ),
    plans.DeadlineOverdue: _plan(
        "deadline_overdue",
        "Iets voor een plan is te laat. Kijk wat er nog moet gebeuren.",
        "Something for a plan is overdue. See what is still to be done.",
        concerned=True,
    ),
}

NETWORK: Mapping[type[Fact], Rule] = {
    network.ConsentAsked: Rule(
        "consent_asked",
        Category.NETWORK,
        "Er wordt u om toestemming gevraagd.",
        "You are asked for your consent.",
        needs=Action.CONSENT,
    ),
    network.ConsentGiven: Rule(
        "consent_given", Category.NETWORK, "Er is toestemming gegeven.", "Consent has been given."
    ),
    network.ConsentRefused: Rule(
        "consent_refused", Category.NETWORK, "Er is een toestemming geweigerd.", "Consent has been refused."
    ),
    network.ConsentWithdrawn: Rule(
        "consent_withdrawn", Category.NETWORK, "Een toestemming is ingetrokken.", "Consent has been withdrawn."
    ),
    network.MembershipEnded: Rule(
        "membership_ended",
        Category.NETWORK,
        "Iemand doet niet meer mee in het netwerk.",
        "Someone no longer takes part in the network.",
    ),
    network.ConsentRenewalDue: Rule(
        "consent_renewal_due",
        Category.NETWORK,
        "Een toestemming loopt binnenkort af. Vernieuw haar op tijd, of vraag haar opnieuw als iemand anders beslist.",
        "A consent will lapse soon. Renew it in time, or ask it anew if someone else decides.",
    ),
    # Only those who review someone else's emergency may be told of a child's log: see network's policy.
    network.EmergencyStarted: Rule(
        "emergency_started",
        Category.LOG,
        "Dringend: iemand heeft noodtoegang genomen tot een kind. Beoordeel of dat terecht is.",
        "Urgent: someone took emergency access to a child. Review whether that is justified.",
        urgent=True,
    ),
    network.EmergencyReviewOverdue: Rule(
        "emergency_review_overdue",
        Category.LOG,
        "Dringend: een noodtoegang is na drie dagen nog niet beoordeeld.",
        "Urgent: emergency access has not been reviewed after three days.",
        urgent=True,
    ),
}


def _heard(kind: str, dutch: str, english: str) -> Rule:
    return Rule(kind, Category.EXPECTATIONS, dutch, english, concerned=True)


DIALOGUES: Mapping[type[Fact], Rule] = {
    dialogue.ExpectationVoiced: _heard(
        "expectation_voiced",
        "Iemand verwacht iets van u. Lees het en geef antwoord.",
        "Someone expects something of you. Read it and answer.",
    ),
    dialogue.ExpectationAnswered: _heard(
        "expectation_answered",
        "Er is een antwoord op een verwachting. Kijk of u nu iets moet doen.",
        "There is an answer to an expectation. See whether it is your turn.",
    ),
    dialogue.ExpectationWithdrawn: _heard(
        "expectation_withdrawn", "Een verwachting is ingetrokken.", "An expectation has been taken back."
    ),
    dialogue.ProposalWithdrawn: _heard(
        "proposal_withdrawn", "Een voorstel is ingetrokken.", "A proposal has been taken back."
    ),
    dialogue.CommitmentMade: _heard("commitment_made", "Er is u iets beloofd.", "Something has been promised to you."),
    dialogue.CommitmentWithdrawn: _heard(
        "commitment_withdrawn",
        "Een afspraak gaat niet door. Lees waarom.",
        "A commitment has been taken back. Read why.",
    ),
    dialogue.CommitmentReviewed: _heard(
        "commitment_reviewed",
        "Iemand heeft verteld hoe het ging met een afspraak. Vertel het ook.",
        "Someone said how a commitment went. Say it too.",
    ),
    dialogue.OutcomesDiffer: _heard(
        "outcomes_differ",
        "U kijkt verschillend terug op een afspraak. Praat er samen over.",
        "You look back on a commitment differently. Talk about it together.",
    ),
    dialogue.ReviewDue: _heard(
        "review_due", "Het is tijd om terug te kijken op een afspraak.", "It is time to look back on a commitment."
    ),
    dialogue.ReviewOverdue: _heard(
        "review_overdue",
        "Er is nog niet teruggekeken op een afspraak. Doe het nu.",
        "A commitment has not been looked back on. Do it now.",
    ),
    dialogue.Remarked: _heard(
        "remarked", "Er is iets gezegd over een verwachting.", "Something was said about an expectation."
    ),
    dialogue.CompanionProposed: _heard(
        "companion_proposed",
        "Iemand wil een ander bij een gesprek over een verwachting vragen. Zeg of u dat goed vindt.",
        "Someone would like to have another in a dialogue about an expectation. Say whether you agree.",
    ),
    dialogue.CompanionJoined: _heard(
        "companion_joined",
        "Er doet iemand mee in een gesprek over een verwachting.",
        "Someone has joined a dialogue about an expectation.",
    ),
    dialogue.CompanionLeft: _heard(
        "companion_left",
        "Iemand doet niet meer mee in een gesprek over een verwachting.",
        "Someone has left a dialogue about an expectation.",
    ),
}


def _asked(kind: str, dutch: str, english: str) -> Rule:
    return Rule(kind, Category.CONVERSATIONS, dutch, english, concerned=True)


CONVERSATIONS: Mapping[type[Fact], Rule] = {
    conversations.ConversationPlanned: _asked(
        "conversation_planned",
        "U bent uitgenodigd voor een gesprek. Zeg of u komt en zet uw punten op de agenda.",
        "You are invited to a conversation. Say whether you come, and put your points on the agenda.",
    ),
    conversations.ConversationMoved: _asked(
        "conversation_moved",
        "Een gesprek is veranderd. Kijk waar en wanneer het is.",
        "A conversation has changed. See where and when it is.",
    ),
    conversations.ConversationCancelled: _asked(
        "conversation_cancelled",
        "Een gesprek gaat niet door. Lees waarom.",
        "A conversation does not take place. Read why.",
    ),
    conversations.InvitationAnswered: _asked(
        "invitation_answered",
        "Iemand heeft gezegd of hij naar een gesprek komt.",
        "Someone said whether they come to a conversation.",
    ),
    conversations.PointAdded: _asked(
        "point_added",
        "Er staat een nieuw punt op de agenda van een gesprek.",
        "There is a new point on the agenda of a conversation.",
    ),
    conversations.ConversationHeld: _asked(
        "conversation_held",
        "Er is een gesprek geweest. Vertel of u gehoord bent.",
        "A conversation took place. Say whether you were heard.",
    ),
    conversations.OutcomeRecorded: _asked(
        "outcome_recorded",
        "Er is opgeschreven wat er uit een gesprek kwam.",
        "What came of a conversation has been written down.",
    ),
}

BY_KIND: Mapping[str, Rule] = {
    rule.kind: rule for rules in (GOALS, PLANS, NETWORK, DIALOGUES, CONVERSATIONS) for rule in rules.values()
}
