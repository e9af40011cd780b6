"""What a rule is: which event is told to whom, how soon, and what of it a school may adjust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from services.notifications.times import Pace
from shared.events.words import Action, Category, Role


class Bound(StrEnum):
    """What a school may adjust of a rule; the foundation's word.

    `fixed`: nothing (withdrawal, emergencies, who is asked to decide, erasure). `parents`: parents and the child are
    always told (what the law wants told), at once or in a digest; others the school may leave out. `free`: all of it.
    """

    FIXED = "fixed"
    PARENTS = "parents"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Answers:
    """An event that deals with earlier notices of these kinds about the same thing: its actor's own, or everyone's."""

    kinds: tuple[str, ...]
    everyone: bool = False
    deadline: Literal["action", "about"] | None = None
    """Everyone's notices of a deadline too: of the event's action, or of the child itself (its first plan)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which event makes which notice, and whose: those who may receive `category` of its subject now.

    `needs`: only for those who may also do this to the category (who is asked for consent must be able to give it; who
    hears that someone left must be able to see who is there).
    """

    kind: str
    category: Category
    needs: Action | None = None
    concerned: bool = False
    """Only for those whom the event itself names in `concerns`."""
    askers: bool = False
    """Only for those who may ask for it on the school's behalf, and never for a parent or the child."""
    actor_too: bool = False
    """Told to who did it as well: what it tells is not the act, but how things stand after it."""
    urgent: bool = False
    """It can't wait: no quiet hours, no digest, no folding, and the inbox says so."""
    states: frozenset[str] = frozenset()
    """Only if the event's `state` is one of these; empty: whatever it is."""
    bound: Bound = Bound.FREE
    pace: Pace = Pace.NOW
    fold: str | None = None
    """Under what name notices about one thing are folded into one; None: by kind."""
    deadline: bool = False
    """Its thing is a plan, which has many deadlines: only notices of the same one are folded."""
    remind_days: int | None = None
    """Who has not answered is reminded after so many days, and again after as many more."""


HOME_ROLES = frozenset({Role.GUARDIAN, Role.CHILD})


@dataclass(frozen=True, slots=True)
class Adjusted:
    """How a school has adjusted a rule: version `number` of its own, 0: not at all."""

    number: int = 0
    told: bool = True
    left_out: frozenset[Role] = frozenset()
    pace: Pace | None = None
    remind_days: int | None = None


AS_IT_IS = Adjusted()


def read_adjusted(number: int, settings: Mapping[str, Any]) -> Adjusted:
    """Returns a version of a school's rule as table `notice_rule` keeps it."""
    pace = settings.get("pace")
    left_out = frozenset(Role(role) for role in settings.get("left_out", ()))
    return Adjusted(number, settings["told"], left_out, Pace(pace) if pace else None, settings.get("remind_days"))
