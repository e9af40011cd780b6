"""The words of a child's file, Dutch (language level B1) and English."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("Het dossier van", "The file of"),
    "lead": (
        "Alles wat Samenkracht over dit kind bewaart en u mag zien. Het is persoonlijk: bewaar het goed. Gemaakt op",
        "All that Samenkracht keeps about this child and that you may see. It is personal: keep it safe. Made on",
    ),
    "received": ("Wie kreeg of zag gegevens", "Who received or saw data"),
    "nobody": ("Nog niemand.", "Nobody yet."),
    "nothing": ("Hier staat niets.", "There is nothing here."),
    "platform": ("het platform zelf", "the platform itself"),
    "who": ("wie", "who"),
    "what": ("wat", "what"),
    "why": ("waarvoor", "what for"),
    "ground": ("op welke grond", "on what ground"),
    "when": ("eerste en laatste keer", "first and last time"),
    "times": ("hoe vaak", "how often"),
    "yes": ("ja", "yes"),
    "no": ("nee", "no"),
    "refused": ("Wat hier niet in staat", "What is not in here"),
    "refused_lead": (
        "Een deel van het dossier mag u niet inzien, bijvoorbeeld als het over iemand anders gaat. Vraag het school.",
        "You may not see a part of the file, for instance where it is about somebody else. Ask the school about it.",
    ),
}

YOUNG: Mapping[str, str] = {
    "lead": "Alles wat Samenkracht over jou bewaart en jij mag zien. Het is persoonlijk: bewaar het goed. Gemaakt op",
    "refused_lead": (
        "Een deel van het dossier mag je niet inzien, bijvoorbeeld als het over iemand anders gaat. Vraag het school."
    ),
    "notifications.inbox": "Meldingen aan jou",
    "network.child-network": "Wie er om je heen staat",
}
"""What is said otherwise in Dutch to the young person whose file it is: *je*, where a parent reads *u*."""

HEADINGS: Mapping[str, tuple[str, str]] = {
    "network.child-network": ("Wie er om het kind heen staat", "Who is round the child"),
    "network.deciders": ("Wie waarover beslist", "Who decides what"),
    "network.consents": ("Toestemmingen", "Consents"),
    "network.ecogram": ("Wie met wie", "Who with whom"),
    "network.expectations": ("Verwachtingen en afspraken", "Expectations and commitments"),
    "audit.break-glass": ("Toegang in een noodsituatie", "Access in an emergency"),
    "goals.goals": ("Doelen", "Goals"),
    "goals.plans": ("Plannen", "Plans"),
    "goals.conversations": ("Gesprekken", "Conversations"),
    "goals.deadlines": ("Wat wanneer klaar moet zijn", "What is due when"),
    "notifications.inbox": ("Meldingen aan u", "Messages to you"),
    "audit.story-{}": ("Wie keek, en waarom", "Who looked, and why"),
}
"""By service and query, in the order of the page. What the log holds of lines is told by its story."""

CODES: Mapping[str, tuple[str, str]] = {
    "active": ("nu", "now"),
    "inactive": ("voorbij", "past"),
    "proposed": ("voorgesteld", "proposed"),
    "suspended": ("even stil", "suspended"),
    "accepted": ("aangenomen", "accepted"),
    "on_hold": ("staat stil", "on hold"),
    "completed": ("afgerond", "completed"),
    "cancelled": ("gestopt", "called off"),
    "rejected": ("niet aangenomen", "turned down"),
    "draft": ("in de maak", "being drafted"),
    "parental": ("ouder met gezag", "parent with authority"),
    "roster": ("de administratie van school", "the school's administration"),
    "all_holders": ("allen samen", "all together"),
    "one_unless_objection": ("een, tenzij een ander bezwaar maakt", "one, unless another objects"),
    "sharing": ("gegevens delen", "sharing data"),
    "given": ("gegeven", "given"),
    "refused": ("geweigerd", "refused"),
    "withdrawn": ("ingetrokken", "withdrawn"),
    "asked": ("gevraagd", "asked"),
    "conflicting": ("ouders zijn het oneens", "parents disagree"),
    "justified": ("het was nodig", "it was needed"),
    "not_justified": ("het was niet nodig", "it was not needed"),
    "home": ("thuis", "home"),
    "school": ("school", "school"),
    "achieved": ("bereikt", "achieved"),
    "improving": ("gaat beter", "improving"),
    "action": ("actie", "action"),
    "agreed": ("akkoord", "agreed"),
    "asking": ("wie vroeg", "who asked"),
    "authority_holder": ("ouder met gezag", "holder of authority"),
    "consultation": ("overleg", "consultation"),
    "declined": ("niet aangenomen", "declined"),
    "direct": ("zelf gezegd", "said directly"),
    "done": ("gedaan", "done"),
    "drafting": ("bij het maken", "while it was made"),
    "evaluated": ("teruggekeken", "looked back on"),
    "evaluating": ("bij het terugkijken", "while looking back"),
    "evaluation": ("terugkijken", "looking back"),
    "goal": ("doel", "goal"),
    "held": ("gehouden", "held"),
    "in_consultation": ("wordt besproken", "being talked over"),
    "in_force": ("geldt", "in force"),
    "learning_to_learn": ("leren leren", "learning to learn"),
    "looking_back": ("terugkijken", "looking back"),
    "member": ("mens of programma", "person or program"),
    "nothing": ("niets", "nothing"),
    "outcomes": ("uitkomsten", "outcomes"),
    "overdue": ("te laat", "overdue"),
    "partly": ("een beetje", "partly"),
    "read": ("gelezen", "read"),
    "self_reliance": ("zelfredzaamheid", "self-reliance"),
    "standing": ("vast", "standing"),
    "conversation": ("gesprek", "conversation"),
    "unread": ("niet gelezen", "unread"),
}
"""What stands in the answers as a code; those of the report of a pack count too."""
