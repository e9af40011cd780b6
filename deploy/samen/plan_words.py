"""The words of a plan's page, Dutch first and English. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.events.plans import PlanStatus
from shared.events.words import Setting

WORDS: Mapping[str, Mapping[str, str]] = {
    "nl": {
        "title": "Plan, versie {number}",
        "status": "Stand",
        "outlook": "Waar het naartoe gaat",
        "goals": "Doelen",
        "actions": "Acties",
        "goal": "Doel",
        "action": "Actie",
        "until": "tot en met",
        "who": "wie",
        "where": "waar",
        "level": "Trede",
        "means": "Wat dat is",
        "agreements": "Wie het ermee eens is",
        "caption": "Instemming hoort bij precies deze tekst.",
        "person": "Wie",
        "day": "Wanneer",
        "said": "Antwoord",
        "items": "Onderdeel",
        "true": "eens",
        "false": "niet eens",
        "broken": "klopt niet met deze tekst",
        "none": "Nog niemand heeft geantwoord.",
        "own": "Alleen uw eigen antwoorden staan hier. In totaal kloppen er {verified}, en {broken} niet.",
        "hash": "Kenmerk van deze tekst (SHA-256)",
    },
    "en": {
        "title": "Plan, version {number}",
        "status": "Status",
        "outlook": "Where it leads",
        "goals": "Goals",
        "actions": "Actions",
        "goal": "Goal",
        "action": "Action",
        "until": "up to and with",
        "who": "who",
        "where": "where",
        "level": "Level",
        "means": "What that is",
        "agreements": "Who agrees",
        "caption": "An agreement is to this very text.",
        "person": "Who",
        "day": "When",
        "said": "Answer",
        "items": "Part",
        "true": "agrees",
        "false": "does not agree",
        "broken": "does not fit this text",
        "none": "Nobody has answered yet.",
        "own": "Only your own answers are shown. Of all answers {verified} verify, and {broken} do not.",
        "hash": "Mark of this text (SHA-256)",
    },
}

STATUSES: Mapping[PlanStatus, Mapping[str, str]] = {
    PlanStatus.DRAFT: {"nl": "in de maak", "en": "being drafted"},
    PlanStatus.IN_CONSULTATION: {"nl": "in overleg", "en": "being talked over"},
    PlanStatus.AGREED_IN_PART: {"nl": "voor een deel mee ingestemd", "en": "agreed in part"},
    PlanStatus.AGREED: {"nl": "mee ingestemd", "en": "agreed"},
    PlanStatus.IN_FORCE: {"nl": "geldt nu", "en": "in force"},
    PlanStatus.EVALUATED: {"nl": "geldt, en op teruggekeken", "en": "in force, and looked back on"},
    PlanStatus.CLOSED: {"nl": "afgesloten", "en": "closed"},
}
PLACES: Mapping[Setting, Mapping[str, str]] = {
    Setting.HOME: {"nl": "thuis", "en": "at home"},
    Setting.SCHOOL: {"nl": "op school", "en": "at school"},
    Setting.CARE: {"nl": "in de zorg", "en": "in care"},
    Setting.CHILD: {"nl": "het kind zelf", "en": "the child"},
}
