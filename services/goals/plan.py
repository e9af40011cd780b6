"""What a plan is and may become: its canonical form, what differs between versions, who must agree. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

import rfc8785

from shared.errors import Problem, ProblemType
from shared.events.network import Grant, PolicyRule
from shared.events.plans import PlanStatus
from shared.events.words import Action, Basis, Category, Role

HOLDS = frozenset({Basis.AUTHORITY, Basis.OWN_DATA})
"""Who decides on a plan on such a ground decides as its holder: a guardian with authority, the young person from 16."""


class Kind(StrEnum):
    GOAL = "goal"
    ACTION = "action"


@dataclass(frozen=True, slots=True)
class Item:
    """A goal or an action as one version of a plan words it. `text` holds strings and lists of them only."""

    id: UUID
    kind: Kind
    salt: str
    text: Mapping[str, Any]
    _mark: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Returns the item as table plan_text keeps it."""
        return {"item": str(self.id), "kind": self.kind.value, "salt": self.salt, "text": dict(self.text)}

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Item:
        """Returns what `to_json` made."""
        return cls(UUID(raw["item"]), Kind(raw["kind"]), raw["salt"], raw["text"])

    @property
    def hash(self) -> str:
        """The SHA-256 of the item's canonical form, in hex: what an agreement to it is bound to."""
        if not self._mark:  # asked several times of each item of a plan, and canonical JSON is slow to make
            self._mark.append(digest(self.to_json()))
        return self._mark[0]


@dataclass(frozen=True, slots=True)
class PlanText:
    """One version of a plan. The items with the salt are the action part; the outlook is not agreed to."""

    number: int
    outlook: str
    items: tuple[Item, ...]
    salt: str

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> PlanText:
        """Returns what a reader gave of a row of plan_text."""
        items = tuple(Item.read(one) for one in raw["items"])
        return cls(raw["number"], raw.get("outlook", ""), items, raw["salt"])

    def hash(self, plan: UUID) -> str:
        """Returns the SHA-256 of the action part's canonical form, in hex."""
        return digest(action_part(plan, self))

    def ids(self, kind: Kind) -> tuple[UUID, ...]:
        """Returns the goals or the actions, in their order."""
        return tuple(item.id for item in self.items if item.kind is kind)


def action_part(plan: UUID, text: PlanText) -> dict[str, Any]:
    """Returns the action part as it is hashed: what the holders agree to, of this plan in this version."""
    return {
        "plan": str(plan),
        "number": text.number,
        "salt": text.salt,
        "items": [item.to_json() for item in text.items],
    }


def digest(value: dict[str, Any]) -> str:
    """Returns the SHA-256, in hex, of the canonical JSON of `value` (RFC 8785)."""
    return sha256(rfc8785.dumps(value)).hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one item (None: the outlook) between two versions; `fields` name what of it differs."""

    item: UUID | None
    kind: str
    change: str
    fields: tuple[tuple[str, Any, Any], ...] = ()

    def to_json(self, *, words: bool = True) -> dict[str, Any]:
        """Returns it as data; without `words` only which fields differ."""
        fields = [
            {"field": name, "before": before, "after": after} if words else name for name, before, after in self.fields
        ]
        item = str(self.item) if self.item else None
        return {"item": item, "kind": self.kind, "change": self.change, "fields": fields}


def differences(before: PlanText, after: PlanText) -> tuple[Difference, ...]:
    """Returns what differs: the outlook, then items in the order of `after`, then those that are gone."""
    old, new = ({item.id: item for item in text.items} for text in (before, after))
    found = []
    if before.outlook != after.outlook:
        changed = (("outlook", before.outlook, after.outlook),)
        found.append(Difference(None, "outlook", "changed", changed))
    for item in after.items:
        if item.id not in old:
            found.append(Difference(item.id, item.kind, "added", _fields({}, item.text)))
        elif fields := _fields(old[item.id].text, item.text):
            found.append(Difference(item.id, item.kind, "changed", fields))
    gone = (item for item in before.items if item.id not in new)
    found += [Difference(item.id, item.kind, "removed", _fields(item.text, {})) for item in gone]
    return tuple(found)


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[tuple[str, Any, Any], ...]:
    names = sorted(set(before) | set(after))
    return tuple((name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name))


# Who must agree -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose yes it takes, and by which version of the school's policy (0: none of its own)."""

    rule: PolicyRule
    number: int


def holders(grants: Iterable[Grant], at: datetime) -> frozenset[UUID]:
    """Returns who must agree to a plan at `at`: who decides on it by authority, or for oneself."""
    return frozenset(grant.member for grant in grants if _decides(grant, at) and grant.basis in HOLDS)


def stewards(grants: Iterable[Grant], at: datetime) -> frozenset[UUID]:
    """Returns who sees to it that there is a plan: the internal coordinators, or without any all who decide by task."""
    able = [grant for grant in grants if _decides(grant, at) and grant.basis not in HOLDS]
    first = frozenset(grant.member for grant in able if grant.role is Role.COORDINATOR)
    return first or frozenset(grant.member for grant in able)


def _decides(grant: Grant, at: datetime) -> bool:
    return (
        Action.DECIDE in grant.actions
        and Category.PLAN in grant.categories
        and grant.valid_from <= at
        and (grant.valid_until is None or at < grant.valid_until)
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest thing that a holder said to an item."""

    holder: UUID
    item: UUID
    item_hash: str
    agreed: bool


class Standing(StrEnum):
    """How an item stands. `refused`: somebody disagrees."""

    OPEN = "open"
    AGREED = "agreed"
    REFUSED = "refused"


def standing(item: Item, answers: Iterable[Answer], deciders: frozenset[UUID], rule: PolicyRule) -> Standing:
    """Returns how an item stands: answers to another wording, or of who holds no authority now, do not count.

    `deciders` empty: nobody can agree, so it stays open.
    """
    mark = item.hash
    said = {
        one.holder: one.agreed
        for one in answers
        if one.item == item.id and one.item_hash == mark and one.holder in deciders
    }
    if not all(said.values()):
        return Standing.REFUSED
    enough = bool(said) if rule is PolicyRule.ONE_UNLESS_OBJECTION else bool(deciders) and len(said) == len(deciders)
    return Standing.AGREED if enough else Standing.OPEN


def status_of(standings: Sequence[Standing]) -> PlanStatus:
    """Returns how a plan in consultation stands, from how its items do."""
    agreed = sum(one is Standing.AGREED for one in standings)
    if not agreed:
        return PlanStatus.IN_CONSULTATION
    return PlanStatus.AGREED if agreed == len(standings) else PlanStatus.AGREED_IN_PART


# The life of a plan ---------------------------------------------------------------------------------------------------

CONSULTED = frozenset({PlanStatus.IN_CONSULTATION, PlanStatus.AGREED_IN_PART, PlanStatus.AGREED})
OPEN = frozenset(PlanStatus) - {PlanStatus.CLOSED}

ALLOWED: Mapping[str, frozenset[PlanStatus]] = {
    "revise-plan": CONSULTED | {PlanStatus.DRAFT, PlanStatus.IN_FORCE},
    "consult-plan": frozenset({PlanStatus.DRAFT}),
    "agree-plan": CONSULTED | {PlanStatus.IN_FORCE},
    "disagree-plan": CONSULTED | {PlanStatus.IN_FORCE},
    "take-remedy": CONSULTED | {PlanStatus.IN_FORCE},
    "acknowledge-plan": OPEN - {PlanStatus.DRAFT},
    "put-plan-in-force": CONSULTED | {PlanStatus.IN_FORCE},
    "record-voice": OPEN - {PlanStatus.EVALUATED},
    "tell-child-back": OPEN,
    "finish-action": frozenset({PlanStatus.IN_FORCE}),
    "evaluate-plan": frozenset({PlanStatus.IN_FORCE}),
    "continue-plan": frozenset({PlanStatus.EVALUATED}),
    "close-plan": OPEN - {PlanStatus.IN_FORCE},
}
"""From which statuses each command is possible. A plan in force may be changed: that is agreed to as a plan is."""


def allowed_from(status: PlanStatus) -> tuple[str, ...]:
    """Returns the names of the commands that a plan in `status` allows, for the text of a refusal."""
    return tuple(sorted(name for name, sources in ALLOWED.items() if status in sources))


def refusal(status: PlanStatus, command: str) -> Problem:
    """Returns the problem for a command that `status` does not allow; it names those that it does."""
    return not_now(status, f"{command} is not possible while the plan is {status.value}")


def not_now(status: PlanStatus, detail: str, **more: Any) -> Problem:  # noqa: ANN401  JSON values
    """Returns the problem for what can't be done yet; it names what can."""
    allowed = allowed_from(status)
    then = f"from here: {', '.join(allowed)}" if allowed else "nothing follows from here: draft a new plan"
    return Problem(ProblemType.CONFLICT, f"{detail}; {then}", status=status.value, allowed=list(allowed), **more)
