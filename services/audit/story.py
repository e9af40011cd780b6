"""Who looked, told to parents and young people in plain sentences (language level B1), Dutch and English. Pure.

No names: the log holds none. Roles, days and reasons say enough to ask the school about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.events.base import Event
from shared.events.network import Capacity, ConsentGiven

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


class Language(StrEnum):
    """In which language sentences are told."""

    DUTCH = "nl"
    ENGLISH = "en"


DUTCH = "januari februari maart april mei juni juli augustus september oktober november december"
ENGLISH = "January February March April May June July August September October November December"
MONTHS = {Language.DUTCH: tuple(DUTCH.split(" ")), Language.ENGLISH: tuple(ENGLISH.split(" "))}
ROLES = {
    "guardian": ("een ouder of verzorger", "a parent or carer"),
    "child": ("je kind zelf", "your child"),
    "teacher": ("de leraar", "the teacher"),
    "internal_coordinator": ("de intern begeleider", "the internal coordinator"),
    "school_social_worker": ("de schoolmaatschappelijk werker", "the school social worker"),
    "psychologist": ("de orthopedagoog", "the psychologist"),
    "therapist": ("de therapeut", "the therapist"),
    "care_professional": ("de hulpverlener", "the care professional"),
    "support_committee": ("iemand van de commissie voor de begeleiding", "someone of the support committee"),
    "school_leader": ("de schoolleider", "the school leader"),
    "school_administrator": ("de administratie van school", "the school office"),
    "expert_team_member": ("iemand van het expertteam", "someone of the expert team"),
    "auditor": ("de controleur", "the auditor"),
    "foundation_administrator": ("de administratie van de stichting", "the foundation's office"),
    "local_tool": ("een programma van school", "one of the school's programs"),
    # Whoever has no role is called by its kind.
    "tool": ("een programma van school", "one of the school's programs"),
    "service": ("het platform zelf", "the platform itself"),
    "operator": ("de beheerder van het platform", "the operator of the platform"),
}
KINDS = {
    "identity": ("de naam en geboortedatum", "the name and date of birth"),
    "contact": ("de contactgegevens", "the contact details"),
    "goals": ("de doelen", "the goals"),
    "observations": ("de waarnemingen", "the observations"),
    "plan": ("het plan", "the plan"),
    "conversations": ("de gesprekken", "the conversations"),
    "care": ("de gegevens over zorg", "the care details"),
    "expectations": ("de verwachtingen", "the expectations"),
    "network": ("wie er bij het kind betrokken is", "who is involved with the child"),
    "log": ("dit overzicht", "this overview"),
}
WHY = {
    "guidance": ("om je kind te begeleiden", "to guide your child"),
    "care_coordination": ("om de hulp op elkaar af te stemmen", "to coordinate the help"),
    "transfer": ("voor de overstap naar een andere school", "for the move to another school"),
    "local_tool": ("voor een programma dat school gebruikt", "for a program that the school uses"),
    "insight": ("om er als school van te leren", "so that the school can learn from it"),
    "administration": ("om de gegevens bij te houden", "to keep the records"),
    "oversight": ("om te controleren of alles goed gaat", "to check that all is well"),
    "own_data": ("om de eigen gegevens te bekijken", "to see their own data"),
}
GROUND = {
    "legal_duty": ("omdat de wet dat vraagt", "because the law asks for it"),
    "public_task": ("omdat dat hoort bij het werk van school", "because it is part of the school's work"),
    "vital_interest": ("omdat er een noodsituatie was", "because there was an emergency"),
    "parental_authority": ("als iemand met gezag over het kind", "as someone with authority over the child"),
    "own_data": ("omdat het om eigen gegevens gaat", "because it is about their own data"),
    "anonymous_aggregate": ("zonder dat te zien is om wie het gaat", "without seeing who it is about"),
}
YOURS = {"own_data": ("om je eigen gegevens te bekijken", "to see your own data")}
"""Why, to whoever looked."""
YOUR_GROUND = {"own_data": ("omdat het om je eigen gegevens gaat", "because it is about your own data")}
YOUNG = {
    "guidance": ("om jou te begeleiden", "to guide you"),
    "network": ("wie er bij jou betrokken is", "who is involved with you"),
    "parental_authority": ("als iemand met gezag over jou", "as someone with authority over you"),
}
"""What and why, to a young person who reads about itself."""
HELD_GROUND = {
    "child_protection": ("om een kind te beschermen", "to protect a child"),
    "others_protection": ("om iemand anders te beschermen", "to protect somebody else"),
    "criminal_investigation": ("vanwege een strafrechtelijk onderzoek", "because of a criminal investigation"),
    "supervision": ("omdat een inspectie aan het werk is", "because an inspection is at work"),
}
UNKNOWN = {
    "role": ("iemand", "someone"),
    "category": ("gegevens", "data"),
    "purpose": ("met een ander doel", "for another purpose"),
}


def sentences(
    lines: Sequence[Mapping[str, Any]], events: Sequence[Event], reader: UUID, language: Language
) -> list[dict[str, Any]]:
    """Returns a sentence a line, in their order, with the line's number and moment.

    `events` are those of the child's consents; `reader` is who it is told to.
    """
    given = [event for event in events if event.is_a(ConsentGiven)]
    return [
        {"idx": line["idx"], "at": line["occurred_at"], "sentence": _sentence(line, given, reader, language)}
        for line in lines
    ]


def held_back(told: Sequence[Mapping[str, Any]], language: Language) -> list[str]:
    """Returns a sentence a restriction that its reader may know of (`ground`, `ends_at`): that lines are held back,
    why, until when, and where to complain.
    """
    return [_held(one, language) for one in told]


def _held(one: Mapping[str, Any], language: Language) -> str:
    day = day_of(one["ends_at"], language)
    dutch, english = HELD_GROUND[one["ground"]]
    if language is Language.DUTCH:
        return (
            f"Tot {day} kan een deel van dit overzicht verborgen zijn, {dutch}. Dat mag volgens de wet "
            "(artikel 41 van de UAVG). Ben je het er niet mee eens? Vraag het school, of ga naar de Autoriteit "
            "Persoonsgegevens."
        )
    return (
        f"Until {day} part of this overview may be hidden, {english}. The law allows that (article 41 of the UAVG). "
        "If you disagree, ask the school, or go to the Dutch Data Protection Authority."
    )


def _sentence(line: Mapping[str, Any], given: Sequence[Event], reader: UUID, language: Language) -> str:
    dutch = language is Language.DUTCH
    own = line["actor"] == str(reader)
    role = line.get("role") or line.get("kind")
    who = ("jij" if dutch else "you") if own else _word(ROLES, role, "role", language)
    who = who[0].upper() + who[1:]
    young = YOUNG if line.get("about") == str(reader) else {}
    what = _word({**KINDS, **young}, line["category"], "category", language)
    day = day_of(line["occurred_at"], language)
    why = _word({**WHY, **young, **(YOURS if own else {})}, line["purpose"], "purpose", language)
    if line["outcome"] == "denied":
        if dutch:
            return f"{who} wilde op {day} kijken naar {what}. Dat mocht niet en is niet gebeurd."
        return f"{who} wanted to look at {what} on {day}. That was not allowed, and did not happen."
    if line["type"].endswith(".notice.sent.v1"):
        told = (
            f"{who} kreeg op {day} een bericht over {what}" if dutch else f"{who} got a message about {what} on {day}"
        )
        return f"{told}."
    if line["type"].endswith(".put-out.made.v1"):  # to a program; that it is for a program its role says
        got = f"{who} kreeg op {day} {what}" if dutch else f"{who} was given {what} on {day}"
        parts = [got] if line["purpose"] == "local_tool" else [got, why]
        return f"{', '.join([*parts, _ground(line, given, reader, language)])}."
    # Dutch puts the verb second: "jij keek", "de leraar keek".
    looked = f"{who} keek op {day} naar {what}" if dutch else f"{who} looked at {what} on {day}"
    return f"{looked}, {why}, {_ground(line, given, reader, language)}."


def _ground(line: Mapping[str, Any], given: Sequence[Event], reader: UUID, language: Language) -> str:
    dutch = language is Language.DUTCH
    if line.get("basis") != "consent":
        none = ("om een reden die niet genoemd is", "for a reason that is not named")
        young = YOUNG if line.get("about") == str(reader) else {}
        yours = YOUR_GROUND if line["actor"] == str(reader) else {}
        return {**GROUND, **young, **yours}.get(str(line.get("basis")), none)[0 if dutch else 1]
    before = [
        event
        for event in given
        if str(event.thing) == line.get("consent") and event.occurred_at <= datetime.fromisoformat(line["occurred_at"])
    ]
    mine = [event for event in before if event.fact(ConsentGiven).giver == reader]
    told = (mine or before)[-1:]
    day = day_of(told[0].content["time"], language) if told else ""
    on = f" op {day}" if dutch and day else f" on {day}" if day else ""
    if mine:
        return f"omdat jij daarvoor{on} toestemming gaf" if dutch else f"because you consented{on}"
    if told and told[0].fact(ConsentGiven).capacity is Capacity.SELF:
        return f"omdat je kind daarvoor{on} toestemming gaf" if dutch else f"because your child consented{on}"
    return f"omdat daarvoor{on} toestemming is gegeven" if dutch else f"because consent was given{on}"


def day_of(moment: str, language: Language) -> str:
    """Returns the day in the Netherlands, written out."""
    day = datetime.fromisoformat(moment).astimezone(AMSTERDAM)
    return f"{day.day} {MONTHS[language][day.month - 1]} {day.year}"


def _word(words: Mapping[str, tuple[str, str]], code: str | None, kind: str, language: Language) -> str:
    found = words.get(str(code), UNKNOWN[kind])
    return found[0 if language is Language.DUTCH else 1]
