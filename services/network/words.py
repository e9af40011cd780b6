"""The rules in words that people read, Dutch (B1) and English: what a mandate allows, before it is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.network.policy import CHILD_RULES, CONSENTED_ACTIONS, EXTERNAL, SCHOOL_RULES, Rule, Standing
from shared.events.words import Action, Category, Purpose, Role

Words = Mapping[str, tuple[str, str]]

ACTIONS: Words = {
    Action.VIEW: ("bekijken", "see"),
    Action.PROPOSE: ("voorstellen doen", "make proposals"),
    Action.ANSWER: ("antwoorden op verwachtingen", "answer expectations"),
    Action.DECIDE: ("meebeslissen", "take part in decisions"),
    Action.SCORE: ("scores geven", "give scores"),
    Action.CONSENT: ("toestemming geven of intrekken", "give or withdraw consent"),
    Action.MANAGE: ("beheren", "manage"),
    Action.RECEIVE: ("meldingen krijgen", "get notices"),
    Action.EXPORT: ("een kopie opvragen", "ask for a copy"),
}
CATEGORIES: Words = {
    Category.IDENTITY: ("naam en geboortedatum", "name and date of birth"),
    Category.CONTACT: ("contactgegevens", "contact data"),
    Category.GOALS: ("doelen", "goals"),
    Category.OBSERVATIONS: ("waarnemingen en scores", "observations and scores"),
    Category.PLAN: ("het plan", "the plan"),
    Category.CONVERSATIONS: ("gesprekken", "conversations"),
    Category.CARE: ("zorg", "care"),
    Category.EXPECTATIONS: ("verwachtingen en afspraken", "expectations and commitments"),
    Category.NETWORK: ("wie er in het netwerk zit", "who is in the network"),
    Category.LOG: ("het inzagelog", "the access log"),
}
PURPOSES: Words = {
    Purpose.GUIDANCE: ("begeleiding", "guidance"),
    Purpose.CARE_COORDINATION: ("afstemmen van zorg", "coordinating care"),
    Purpose.TRANSFER: ("overdracht", "transfer"),
    Purpose.LOCAL_TOOL: ("een toepassing van de school", "a tool of the school"),
    Purpose.INSIGHT: ("onderzoek", "research"),
    Purpose.ADMINISTRATION: ("administratie", "administration"),
    Purpose.OVERSIGHT: ("toezicht", "oversight"),
    Purpose.OWN_DATA: ("inzage in eigen gegevens", "seeing one's own data"),
}
WHEN: Words = {
    Standing.MEMBER: ("zolang u meedoet", "as long as you take part"),
    Standing.PLAN_AUTHORITY: ("als u het gezag hebt", "if you have parental authority"),
    Standing.SHARING_AUTHORITY: (
        "als u het gezag hebt, tot het kind 16 is",
        "if you have parental authority, until the child is 16",
    ),
    Standing.NO_AUTHORITY: ("als u het gezag niet hebt", "if you do not have parental authority"),
    Standing.DECIDES_SELF: ("vanaf 16 jaar", "from the age of 16"),
}
WITH_CONSENT = (
    "alleen wat er aan toestemming is gegeven, en zolang die geldt",
    "only what consent was given for, and as long as it holds",
)


def allowed_to(role: Role, *, of_child: bool) -> list[dict[str, Any]]:
    """Returns what the policy's rules give this role in a child's or the school's network, in codes and in words."""
    rules = CHILD_RULES if of_child else SCHOOL_RULES
    found = [_told(rule, WHEN[rule.standing]) for rule in rules if role in rule.roles]
    if of_child and role in EXTERNAL:
        found.append(_line(CONSENTED_ACTIONS, (), (), WITH_CONSENT))
    return found


def _told(rule: Rule, when: tuple[str, str]) -> dict[str, Any]:
    return _line(rule.actions, rule.categories, rule.purposes, when)


def _line(
    actions: tuple[Action, ...], categories: tuple[Category, ...], purposes: tuple[Purpose, ...], when: tuple[str, str]
) -> dict[str, Any]:
    def said(place: int, what: str, for_: str) -> str:
        text = _joined(ACTIONS, actions, place)
        text += f"{what}{_joined(CATEGORIES, categories, place)}" if categories else ""
        text += f"{for_}{_joined(PURPOSES, purposes, place)}" if purposes else ""
        return f"{text} ({when[place]})"

    return {
        "actions": [one.value for one in actions],
        "categories": [one.value for one in categories],
        "purposes": [one.value for one in purposes],
        "nl": said(0, ": ", "; voor "),
        "en": said(1, ": ", "; for "),
    }


def _joined(words: Words, codes: Iterable[str], place: int) -> str:
    return ", ".join(words[code][place] for code in codes)
