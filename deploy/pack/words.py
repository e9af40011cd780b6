"""The words of a pack's report, Dutch (language level B1) and English. Codes that have none are shown as they are."""

from __future__ import annotations

from collections.abc import Mapping

LABELS: Mapping[str, tuple[str, str]] = {
    "guardian": ("ouder of verzorger", "parent or carer"),
    "child": ("het kind zelf", "the child itself"),
    "teacher": ("leraar", "teacher"),
    "internal_coordinator": ("intern begeleider", "internal coordinator"),
    "school_social_worker": ("schoolmaatschappelijk werker", "school social worker"),
    "psychologist": ("orthopedagoog", "psychologist"),
    "therapist": ("therapeut", "therapist"),
    "care_professional": ("hulpverlener", "care professional"),
    "support_committee": ("commissie voor de begeleiding", "support committee"),
    "school_leader": ("schoolleider", "school leader"),
    "school_administrator": ("administratie van school", "school office"),
    "expert_team_member": ("expertteam", "expert team"),
    "auditor": ("controleur", "auditor"),
    "foundation_administrator": ("administratie van de stichting", "foundation's office"),
    "local_tool": ("programma van school", "program of the school"),
    "person": ("iemand zonder rol hier", "someone without a role here"),
    "tool": ("een programma", "a program"),
    "service": ("het platform zelf", "the platform itself"),
    "operator": ("beheerder van het platform", "the platform's operator"),
    "identity": ("naam en geboortedatum", "name and date of birth"),
    "contact": ("contactgegevens", "contact details"),
    "goals": ("doelen", "goals"),
    "observations": ("waarnemingen", "observations"),
    "plan": ("plan", "plan"),
    "conversations": ("gesprekken", "conversations"),
    "care": ("zorg", "care"),
    "expectations": ("verwachtingen", "expectations"),
    "network": ("wie betrokken is", "who is involved"),
    "log": ("het inzagelog", "the access log"),
    "guidance": ("begeleiding", "guidance"),
    "care_coordination": ("hulp afstemmen", "coordinating help"),
    "transfer": ("overstap", "transfer"),
    "insight": ("leren als school", "learning as a school"),
    "administration": ("administratie", "administration"),
    "oversight": ("toezicht", "oversight"),
    "own_data": ("eigen gegevens", "own data"),
    "consent": ("toestemming", "consent"),
    "legal_duty": ("wettelijke plicht", "legal duty"),
    "public_task": ("taak van school", "the school's task"),
    "vital_interest": ("noodsituatie", "emergency"),
    "parental_authority": ("ouderlijk gezag", "parental authority"),
    "anonymous_aggregate": ("zonder te zien om wie het gaat", "without seeing who it is about"),
    "no_grant": ("had geen recht", "had no right"),
    "not_now": ("nog niet of niet meer", "not yet, or no longer"),
    "cannot_verify_now": ("kon niet worden nagegaan", "could not be verified then"),
    "": ("niet genoemd", "not named"),
}

FINDINGS: Mapping[str, tuple[str, str]] = {
    "after_end": ("nadat het recht was geëindigd", "after the right had ended"),
    "before_start": ("voordat het recht begon", "before the right began"),
    "after_withdrawal": ("nadat het was ingetrokken", "after it was withdrawn"),
    "beyond_action": ("meer gedaan dan mocht", "more was done than was allowed"),
    "beyond_category": ("andere gegevens dan mocht", "other data than were allowed"),
    "beyond_purpose": ("met een ander doel dan mocht", "for another purpose than was allowed"),
    "denied_but_done": ("geweigerd volgens de regel, en toch gedaan", "refused, says the line, and done all the same"),
    "no_grant": ("zonder recht", "without a right"),
    "no_authority": ("zonder gezag", "without authority"),
    "no_grants_known": ("zonder recht", "without a right"),
    "grant_unknown": ("met een recht dat niet bestaat", "by a right that is not there"),
    "other_member": ("met het recht van iemand anders", "by somebody else's right"),
    "other_role": ("in een andere rol dan het recht zegt", "in another role than the right says"),
    "other_basis": ("op een andere grond dan het recht zegt", "on another ground than the right says"),
    "other_consent": ("met een andere toestemming dan het recht zegt", "by another consent than the right says"),
    "emergency_differs": ("ten onrechte wel of niet als noodsituatie", "wrongly told as an emergency, or not"),
    "emergency_not_reviewed_in_time": ("noodtoegang niet op tijd beoordeeld", "emergency access not reviewed in time"),
    "recipient_not_granted": ("bericht aan iemand zonder recht", "a message to someone without a right"),
}
"""What the judge's codes mean; the others are shown as they are."""

TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("Inzagelog van school", "Access log of school"),
    "lead": (
        "Wie keek naar gegevens, wat werd geweigerd, en wat klopte niet? Dit overzicht noemt geen namen.",
        "Who looked at data, what was refused, and what was wrong? This overview names nobody.",
    ),
    "lines": ("regels in dit pakket", "lines in this pack"),
    "of": ("van", "of"),
    "period": ("Van {first} tot en met {last}.", "From {first} to {last}."),
    "empty": ("Er staan geen regels in.", "It has no lines."),
    "looks": ("keer gekeken", "looks"),
    "people": ("mensen en programma's keken", "people and programs looked"),
    "children": ("kinderen van wie gegevens bekeken zijn", "children whose data were looked at"),
    "refused": ("keer geweigerd", "refusals"),
    "emergencies": ("keer gekeken in een noodsituatie", "looks in an emergency"),
    "exports": ("keer gegevens meegenomen", "times data were taken along"),
    "findings": ("regels waar iets niet klopt", "findings"),
    "by_week": ("Keer gekeken, per week en rol", "Looks a week, by role"),
    "refused_by_week": ("Keer geweigerd, per week", "Refusals a week"),
    "week_of": ("week van", "week of"),
    "others": ("andere rollen", "other roles"),
    "kinds": ("Waarnaar is gekeken", "What was looked at"),
    "purposes": ("Waarvoor", "What for"),
    "grounds": ("Op welke grond", "On what ground"),
    "why": ("Waarom geweigerd", "Why refused"),
    "wrong": ("Wat niet klopte", "What was wrong"),
    "wrong_lead": (
        "Dit mocht niet, of niet op de grond die de regel noemt. Iemand van school moet ernaar kijken.",
        "This was not allowed, or not on the ground that the line names. Somebody of the school must look at it.",
    ),
    "none_wrong": ("Er is niets gevonden.", "Nothing was found."),
    "more": ("en nog {count}; ze staan in findings.ndjson", "and {count} more; they are in findings.ndjson"),
    "line": ("regel", "line"),
    "says": ("de regel zegt", "the line says"),
    "shows": ("het logboek laat zien", "the log shows"),
    "code": ("wat", "what"),
    "count": ("aantal", "count"),
    "check": ("Zelf nagaan", "Check it yourself"),
    "check_lead": (
        "Alles in dit pakket volgt uit regels die zijn ondertekend. Dat is na te gaan zonder dit platform:",
        "All in this pack follows from lines that were signed. That can be checked without this platform:",
    ),
    "origin": ("logboek", "log"),
    "root": ("handtekening over (wortel)", "signed root"),
    "as_table": ("Als tabel", "As a table"),
}


def label(code: str, language: str) -> str:
    """Returns what a code is called; one without a word, itself."""
    found = LABELS.get(code)
    return code.replace("_", " ") if found is None else found[0 if language == "nl" else 1]


def finding(code: str, language: str) -> str:
    """Returns what a finding's code means."""
    found = FINDINGS.get(code)
    return code.replace("_", " ") if found is None else found[0 if language == "nl" else 1]


def text(name: str, language: str) -> str:
    """Returns one of the report's texts."""
    return TEXTS[name][0 if language == "nl" else 1]
