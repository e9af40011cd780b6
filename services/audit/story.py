"""Who looked, told to parents and young people in plain sentences (language level B1), Dutch and English. Pure.

Dutch says *u* to a parent, and *je* to a young person who reads about itself. No names: the log holds none. Roles, days
and reasons say enough to ask the school about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.audit.facts import Facts
from services.audit.model import LARGEST_INT
from shared.events.base import Event
from shared.events.network import Capacity, ConsentAsked, ConsentGiven

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
    "child": ("uw kind zelf", "your child"),
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
    "guidance": ("om uw kind te begeleiden", "to guide your child"),
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
YOURS = {"own_data": ("om uw eigen gegevens te bekijken", "to see your own data")}
"""Why, to whoever looked."""
YOUR_GROUND = {"own_data": ("omdat het om uw eigen gegevens gaat", "because it is about your own data")}
YOUNG = {
    "guidance": ("om jou te begeleiden", "to guide you"),
    "network": ("wie er bij jou betrokken is", "who is involved with you"),
    "parental_authority": ("als iemand met gezag over jou", "as someone with authority over you"),
}
"""What and why, to a young person who reads about itself."""
YOUNG_YOURS = {"own_data": ("om je eigen gegevens te bekijken", "to see your own data")}
YOUNG_GROUND = {"own_data": ("omdat het om je eigen gegevens gaat", "because it is about your own data")}
LOOKED = {
    "view": ("keek op {day} naar {what}", "looked at {what} on {day}"),
    "export": ("nam op {day} een kopie mee van {what}", "took a copy of {what} along on {day}"),
}
TRIED = {
    "view": ("wilde op {day} kijken naar {what}", "wanted to look at {what} on {day}"),
    "receive": ("wilde op {day} kijken naar {what}", "wanted to look at {what} on {day}"),
    "export": ("wilde op {day} een kopie meenemen van {what}", "wanted to take a copy of {what} along on {day}"),
}
CHANGE = ("wilde op {day} iets veranderen in {what}", "wanted to change something in {what} on {day}")
"""What was done, or tried in vain, by the line's action."""
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
    given = Yeses(events)
    return [
        {"idx": line["idx"], "at": line["occurred_at"], "sentence": _sentence(line, given, reader, language)}
        for line in lines
    ]


def held_back(told: Sequence[Mapping[str, Any]], language: Language, *, young: bool = False) -> list[str]:
    """Returns a sentence a restriction that its reader may know of (`ground`, `ends_at`): that lines are held back,
    why, until when, and where to complain. `young`: the reader is the child itself.
    """
    return [_held(one, language, "Ben je" if young else "Bent u") for one in told]


def _held(one: Mapping[str, Any], language: Language, are_you: str) -> str:
    day = day_of(one["ends_at"], language)
    dutch, english = HELD_GROUND[one["ground"]]
    if language is Language.DUTCH:
        return (
            f"Tot {day} kan een deel van dit overzicht verborgen zijn, {dutch}. Dat mag volgens de wet "
            f"(artikel 41 van de UAVG). {are_you} het er niet mee eens? Vraag het school, of ga naar de Autoriteit "
            "Persoonsgegevens."
        )
    return (
        f"Until {day} part of this overview may be hidden, {english}. The law allows that (article 41 of the UAVG). "
        "If you disagree, ask the school, or go to the Dutch Data Protection Authority."
    )


class Yeses:
    """The yeses to a child's consents that looks rest on."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._known: dict[tuple[str, Any], list[Event]] = {}

    def under(self, line: Mapping[str, Any]) -> list[Event]:
        """Returns those that stood when the consent had the version that the line names, oldest first."""
        consent, version = str(line.get("consent")), line.get("consent_version")
        key = (consent, version or line["occurred_at"])
        if key not in self._known:
            until = datetime.max.replace(tzinfo=UTC) if version else datetime.fromisoformat(line["occurred_at"])
            self._known[key] = self._under(consent, version or LARGEST_INT, until)
        return self._known[key]

    def _under(self, consent: str, version: int, until: datetime) -> list[Event]:
        told = [event for event in self._events if str(event.thing) == consent and event.occurred_at <= until]
        told = [event for event in told if event.fact(ConsentAsked).consent_version <= version]  # each has its fields
        given = {event.fact(ConsentGiven).giver: event for event in told if event.is_a(ConsentGiven)}
        answers = [one.answers for one in Facts().take(told).consents.values()]
        stood = [given[who] for one in answers for who, answer in one.items() if answer.kind == "given"]
        return sorted(stood, key=lambda event: event.occurred_at)


def _sentence(line: Mapping[str, Any], given: Yeses, reader: UUID, language: Language) -> str:
    place = 0 if language is Language.DUTCH else 1
    own, itself = line["actor"] == str(reader), line.get("about") == str(reader)
    role = line.get("role") or line.get("kind")
    who = ("jij" if itself else "u", "you")[place] if own else _word(ROLES, role, "role", language)
    who = who[0].upper() + who[1:]
    young = YOUNG if itself else {}
    what = _word({**KINDS, **young}, line["category"], "category", language)
    day = day_of(line["occurred_at"], language)
    yours = (YOUNG_YOURS if itself else YOURS) if own else {}
    why = _word({**WHY, **young, **yours}, line["purpose"], "purpose", language)
    action = line.get("action", "view")
    if line["outcome"] == "denied":
        tried = TRIED.get(action, CHANGE)[place].format(day=day, what=what)
        end = ("Dat mocht niet en is niet gebeurd.", "That was not allowed, and did not happen.")[place]
        return f"{who} {tried}. {end}"
    if line["type"].endswith(".notice.sent.v1"):
        return (f"{who} kreeg op {day} een bericht over {what}.", f"{who} got a message about {what} on {day}.")[place]
    if line["type"].endswith(".put-out.made.v1"):  # to a program; that it is for a program its role says
        got = (f"{who} kreeg op {day} {what}", f"{who} was given {what} on {day}")[place]
        parts = [got] if line["purpose"] == "local_tool" else [got, why]
        return f"{', '.join([*parts, _ground(line, given, reader, language)])}."
    # Dutch puts the verb second: "u keek", "de leraar keek".
    looked = LOOKED.get(action, LOOKED["view"])[place].format(day=day, what=what)
    return f"{who} {looked}, {why}, {_ground(line, given, reader, language)}."


def _ground(line: Mapping[str, Any], given: Yeses, reader: UUID, language: Language) -> str:
    place = 0 if language is Language.DUTCH else 1
    itself = line.get("about") == str(reader)
    if line.get("basis") != "consent":
        none = ("om een reden die niet genoemd is", "for a reason that is not named")
        young = YOUNG if itself else {}
        yours = (YOUNG_GROUND if itself else YOUR_GROUND) if line["actor"] == str(reader) else {}
        return {**GROUND, **young, **yours}.get(str(line.get("basis")), none)[place]
    yeses = given.under(line)
    mine = [event for event in yeses if event.fact(ConsentGiven).giver == reader]
    told = (mine or yeses)[-1:]
    on = (" op ", " on ")[place] + day_of(told[0].content["time"], language) if told else ""
    if mine:
        you = "jij" if itself else "u"
        return (f"omdat {you} daarvoor{on} toestemming gaf", f"because you consented{on}")[place]
    if told and told[0].fact(ConsentGiven).capacity is Capacity.SELF:
        return (f"omdat uw kind daarvoor{on} toestemming gaf", f"because your child consented{on}")[place]
    return (f"omdat daarvoor{on} toestemming is gegeven", f"because consent was given{on}")[place]


def day_of(moment: str, language: Language) -> str:
    """Returns the day in the Netherlands, written out."""
    day = datetime.fromisoformat(moment).astimezone(AMSTERDAM)
    return f"{day.day} {MONTHS[language][day.month - 1]} {day.year}"


def _word(words: Mapping[str, tuple[str, str]], code: str | None, kind: str, language: Language) -> str:
    found = words.get(str(code), UNKNOWN[kind])
    return found[0 if language is Language.DUTCH else 1]
