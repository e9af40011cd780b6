"""The words that a school begins with at each step of a conversation, Dutch first (language level B1). Data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.events.conversations import GuidanceStep


def _words(dutch: tuple[str, ...], english: tuple[str, ...], examples: tuple[str, ...]) -> dict[str, Any]:
    return {"number": 0, "prompts": list(dutch), "prompts_en": list(english), "examples": list(examples)}


FIRST: Mapping[GuidanceStep, dict[str, Any]] = {
    GuidanceStep.INVITING: _words(
        (
            "Zeg in één zin waarom u wilt praten, zonder oordeel.",
            "Vraag welke tijd en plek de ander past, en wie erbij hoort te zijn.",
            "Vraag of het kind mee wil praten, en hoe.",
        ),
        (
            "Say in one sentence why you want to talk, without judging.",
            "Ask which time and place suit the other, and who should be there.",
            "Ask whether the child wants to take part, and how.",
        ),
        ("Ik wil graag horen hoe u naar het lezen thuis kijkt. Wanneer komt het u uit?",),
    ),
    GuidanceStep.AGENDA: _words(
        (
            "Iedereen zet punten op de agenda; geen punt is te klein.",
            "Schrijf een punt als vraag, niet als besluit.",
        ),
        ("Everyone puts points on the agenda; none is too small.", "Write a point as a question, not as a decision."),
        ("Wat werkt thuis, wat we op school ook kunnen doen?",),
    ),
    GuidanceStep.TALKING: _words(
        (
            "Begin met wat goed gaat.",
            "Vat samen wat u de ander hoort zeggen, en vraag of dat klopt.",
            "Spreek uit wat u van elkaar verwacht, en waarom.",
        ),
        (
            "Begin with what goes well.",
            "Sum up what you hear the other say, and ask whether that is right.",
            "Say what you expect of each other, and why.",
        ),
        ("Als ik u goed begrijp, is de ochtend het moeilijkst. Klopt dat?",),
    ),
    GuidanceStep.OUTCOMES: _words(
        (
            "Zeg van elke uitkomst wat het wordt: een doel, een actie of een afspraak.",
            "Noem wie het doet en wanneer u erop terugkijkt.",
        ),
        (
            "Say of each outcome what it is to become: a goal, an action or a commitment.",
            "Name who does it, and when you look back on it.",
        ),
        ("Mama leest elke avond voor; na de herfstvakantie kijken we samen hoe het ging.",),
    ),
    GuidanceStep.LOOKING_BACK: _words(
        (
            "Vertel of u gehoord bent. Uw antwoord leest u alleen zelf; de school ziet aantallen.",
            "Vertel het kind wat er met zijn woorden is gedaan.",
        ),
        (
            "Say whether you were heard. Only you read your answer; the school sees counts.",
            "Tell the child what was done with its words.",
        ),
        ("Ik kon zeggen wat ik wilde, en er is iets mee gedaan.",),
    ),
}
