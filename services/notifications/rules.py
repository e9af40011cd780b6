"""The rules as data: which events are told, to whom, in which words.

What is not here is told to nobody: scores one by one (their divergence is told), looks and denials, deliveries; that a
child left, for nobody round it has access any more (who keeps its file is told when that is due). The words are for
inside the login, and say what to do now; a mail says only that there is something new.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.notifications.model import Rule
from services.notifications.rules_network import FILES, NETWORK, TOOLS
from shared.events import conversations, dialogue, goals, plans
from shared.events.base import Fact
from shared.events.words import Category

__all__ = ["BY_KIND", "CONVERSATIONS", "DIALOGUES", "FILES", "GOALS", "NETWORK", "PLANS", "TOOLS"]

GOALS: Mapping[type[Fact], Rule] = {
    goals.GoalProposed: Rule(
        "goal_proposed",
        Category.GOALS,
        "Er is een doel voorgesteld. Lees het en zeg wat u ervan vindt.",
        "A goal has been proposed. Read it and say what you think.",
    ),
    goals.GoalAccepted: Rule(
        "goal_accepted",
        Category.GOALS,
        "Een doel is aangenomen. Kijk wat u eraan kunt doen.",
        "A goal has been accepted. See what you can do for it.",
    ),
    goals.GoalRevised: Rule(
        "goal_revised",
        Category.GOALS,
        "Een doel is anders verwoord. Lees wat er veranderd is en waarom.",
        "A goal has been reworded. Read what changed and why.",
    ),
    goals.GoalRejected: Rule(
        "goal_rejected",
        Category.GOALS,
        "Een doel is niet aangenomen. Lees waarom. U kunt een ander doel voorstellen.",
        "A goal has been turned down. Read why. You can propose another.",
    ),
    goals.GoalActivated: Rule(
        "goal_activated",
        Category.GOALS,
        "Het werken aan een doel is begonnen. Kijk wie wat doet en vertel hoe het gaat.",
        "Work on a goal has begun. See who does what, and say how it goes.",
    ),
    goals.GoalHeld: Rule(
        "goal_held",
        Category.GOALS,
        "Een doel staat even stil. Lees waarom en praat erover als u dat niet goed vindt.",
        "A goal has been put on hold. Read why, and talk about it if you do not agree.",
    ),
    goals.GoalResumed: Rule(
        "goal_resumed",
        Category.GOALS,
        "Het werken aan een doel gaat weer verder. Kijk wat u eraan kunt doen.",
        "Work on a goal goes on again. See what you can do for it.",
    ),
    goals.GoalCompleted: Rule(
        "goal_completed",
        Category.GOALS,
        "Een doel is afgerond. Kijk samen terug op wat goed ging en wat nu nodig is.",
        "A goal has been completed. Look back together on what went well and what is needed now.",
    ),
    goals.GoalCancelled: Rule(
        "goal_cancelled",
        Category.GOALS,
        "Een doel is gestopt. Lees waarom en praat erover als u dat niet goed vindt.",
        "A goal has been called off. Read why, and talk about it if you do not agree.",
    ),
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
        "Er is een stap gezet om het eens te worden over een plan. Lees welke en doe mee.",
        "A step was taken to come to an agreement on a plan. Read which, and take part.",
    ),
    plans.PlanEnforced: _plan(
        "plan_enforced",
        "Een plan geldt vanaf nu. Kijk wat u gaat doen.",
        "A plan is in force from now on. See what is yours to do.",
    ),
    plans.PlanEvaluated: _plan(
        "plan_evaluated",
        "Er is teruggekeken op een plan. Lees wat daaruit kwam.",
        "A plan has been looked back on. Read what came of it.",
    ),
    plans.PlanContinued: _plan(
        "plan_continued",
        "Een plan gaat verder zoals het is. Kijk wat u blijft doen.",
        "A plan goes on as it is. See what stays yours to do.",
    ),
    plans.PlanClosed: _plan(
        "plan_closed",
        "Een plan is afgesloten. Lees hoe het is afgelopen.",
        "A plan has been closed. Read how it ended.",
    ),
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
        "expectation_withdrawn",
        "Een verwachting is ingetrokken. U hoeft er niets meer mee te doen.",
        "An expectation has been taken back. There is nothing left for you to do.",
    ),
    dialogue.ProposalWithdrawn: _heard(
        "proposal_withdrawn",
        "Een voorstel is ingetrokken. Kijk wie nu aan de beurt is.",
        "A proposal has been taken back. See whose turn it is now.",
    ),
    dialogue.CommitmentMade: _heard(
        "commitment_made",
        "Er is u iets beloofd. Lees wat en wanneer.",
        "Something has been promised to you. Read what, and by when.",
    ),
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
        "review_due",
        "Het is tijd om terug te kijken op een afspraak. Vertel hoe het ging.",
        "It is time to look back on a commitment. Say how it went.",
    ),
    dialogue.ReviewOverdue: _heard(
        "review_overdue",
        "Er is nog niet teruggekeken op een afspraak. Doe het nu.",
        "A commitment has not been looked back on. Do it now.",
    ),
    dialogue.Remarked: _heard(
        "remarked",
        "Er is iets gezegd over een verwachting. Lees het en antwoord als u wilt.",
        "Something was said about an expectation. Read it, and answer if you like.",
    ),
    dialogue.CompanionProposed: _heard(
        "companion_proposed",
        "Iemand wil een ander bij een gesprek over een verwachting vragen. Zeg of u dat goed vindt.",
        "Someone would like to have another in a dialogue about an expectation. Say whether you agree.",
    ),
    dialogue.CompanionJoined: _heard(
        "companion_joined",
        "Er doet iemand mee in een gesprek over een verwachting. U praat samen verder.",
        "Someone has joined a dialogue about an expectation. You go on together.",
    ),
    dialogue.CompanionLeft: _heard(
        "companion_left",
        "Iemand doet niet meer mee in een gesprek over een verwachting. Ga samen verder of vraag een ander.",
        "Someone has left a dialogue about an expectation. Go on together, or ask another.",
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
    conversations.InvitationWithdrawn: _asked(
        "invitation_withdrawn",
        "U bent niet meer uitgenodigd voor een gesprek. Haal het uit uw agenda. Vraag de school gerust waarom.",
        "You are no longer invited to a conversation. Take it out of your calendar. Ask the school why, if you like.",
    ),
    conversations.InvitationAnswered: _asked(
        "invitation_answered",
        "Iemand heeft gezegd of hij naar een gesprek komt. Kijk wie er zijn.",
        "Someone said whether they come to a conversation. See who will be there.",
    ),
    conversations.PointAdded: _asked(
        "point_added",
        "Er staat een nieuw punt op de agenda van een gesprek. Lees het en bereid u voor.",
        "There is a new point on the agenda of a conversation. Read it, and prepare.",
    ),
    conversations.ConversationHeld: _asked(
        "conversation_held",
        "Er is een gesprek geweest. Vertel of u gehoord bent.",
        "A conversation took place. Say whether you were heard.",
    ),
    conversations.OutcomeRecorded: _asked(
        "outcome_recorded",
        "Er is opgeschreven wat er uit een gesprek kwam. Lees het en kijk wat u gaat doen.",
        "What came of a conversation has been written down. Read it, and see what is yours to do.",
    ),
}

BY_KIND: Mapping[str, Rule] = {
    rule.kind: rule
    for rules in (GOALS, PLANS, NETWORK, FILES, TOOLS, DIALOGUES, CONVERSATIONS)
    for rule in rules.values()
}
