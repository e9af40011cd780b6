"""What is told of a child's network and of its file, to whom, in which words: see rules.py."""

from __future__ import annotations

from collections.abc import Mapping

from services.notifications.model import Rule
from shared.events import erasure, gate, network
from shared.events.base import Fact
from shared.events.words import Action, Category


def _network(kind: str, dutch: str, english: str) -> Rule:
    return Rule(kind, Category.NETWORK, dutch, english)


NETWORK: Mapping[type[Fact], Rule] = {
    network.ConsentAsked: Rule(
        "consent_asked",
        Category.NETWORK,
        "Er wordt u om toestemming gevraagd. Lees waarvoor en zeg ja of nee.",
        "You are asked for your consent. Read what for, and say yes or no.",
        needs=Action.CONSENT,
    ),
    network.ConsentGiven: _network(
        "consent_given",
        "Er is toestemming gegeven. Kijk wat nu met wie gedeeld wordt.",
        "Consent has been given. See what is shared with whom now.",
    ),
    # Not for the other parent: of two who decide it would say who refused.
    network.ConsentRefused: Rule(
        "consent_refused",
        Category.NETWORK,
        "Er is een toestemming geweigerd. Kijk wat er zonder kan en praat erover als dat nodig is.",
        "Consent has been refused. See what can be done without, and talk about it if you need to.",
        askers=True,
    ),
    network.ConsentWithdrawn: _network(
        "consent_withdrawn",
        "Een toestemming is ingetrokken. Kijk wat er niet meer gedeeld wordt.",
        "Consent has been withdrawn. See what is no longer shared.",
    ),
    network.MembershipEnded: _network(
        "membership_ended",
        "Iemand doet niet meer mee in het netwerk. Kijk wie nu doet wat diegene deed.",
        "Someone no longer takes part in the network. See who does now what they did.",
    ),
    network.ConsentRenewalDue: _network(
        "consent_renewal_due",
        "Een toestemming loopt binnenkort af. Vernieuw haar op tijd, of vraag haar opnieuw als iemand anders beslist.",
        "A consent will lapse soon. Renew it in time, or ask it anew if someone else decides.",
    ),
    network.DisputeNoted: _network(
        "dispute_noted",
        "Wie beslissen zijn het niet eens. Zolang dat duurt, moet ieder van hen ja zeggen. Praat er samen over.",
        "Those who decide do not agree. While that lasts each of them must say yes. Talk about it together.",
    ),
    network.DisputeSettled: _network(
        "dispute_settled",
        "Wie beslissen zijn eruit. De regel van de school geldt weer. Kijk of er nog een vraag voor u ligt.",
        "Those who decide have settled it. The school's rule applies again. See whether a question waits for you.",
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
        "Dringend: een noodtoegang is na drie dagen nog niet beoordeeld. Beoordeel haar nu.",
        "Urgent: emergency access has not been reviewed after three days. Review it now.",
        urgent=True,
    ),
}


def _file(kind: str, dutch: str, english: str) -> Rule:
    """For those who keep the child's records, and so may do something about it."""
    return Rule(kind, Category.IDENTITY, dutch, english, needs=Action.MANAGE)


FILES: Mapping[type[Fact], Rule] = {
    erasure.ErasureAsked: _file(
        "erasure_asked",
        "Iemand vraagt om het dossier van een kind te wissen. Kijk of dat klopt en bevestig het, of wijs het af.",
        "Someone asks that a child's file be erased. See whether that is right, and confirm it or decline it.",
    ),
    erasure.ErasureDeclined: _file(
        "erasure_declined",
        "Een dossier wordt niet gewist: dat is afgewezen of teruggenomen. Moet het toch, vraag het dan opnieuw.",
        "A file is not erased: that was declined, or taken back. If it must be after all, ask it anew.",
    ),
    erasure.RetentionDueSoon: _file(
        "retention_due_soon",
        "Een dossier mag over drie maanden of eerder gewist worden. Kijk of het gewist kan worden of moet blijven.",
        "A file may be erased in three months or sooner. See whether it can go, or must stay.",
    ),
}
TOOLS: Mapping[type[Fact], Rule] = {
    gate.DeletionOverdue: _file(
        "deletion_overdue",
        "Een toepassing zei niet dat zij gegevens van een kind heeft gewist. Bel de leverancier en vraag ernaar.",
        "A tool has not confirmed that it deleted a child's data. Call its supplier and ask.",
    ),
}
"""To whoever keeps the school's records: it is they who let the tool in."""
