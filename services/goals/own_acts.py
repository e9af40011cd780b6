"""Acts that rest on no grant: of this service itself, and of an operator. Pure."""

from __future__ import annotations

from typing import Any

from shared import access
from shared.access import View
from shared.events.base import Act
from shared.events.words import Action, ActorKind, Basis, Category, school_subject
from shared.unit import Asked


def act_of_operator(asked: Asked[Any], action: Action, category: Category, basis: Basis = Basis.PUBLIC_TASK) -> Act:
    """Returns the act of an operator, or raises Denial for anyone else."""
    actor = asked.actor
    if actor.kind is not ActorKind.OPERATOR:
        view = View(school_subject(asked.school), None, (), fresh=True)
        raise access.denial(view, actor, action, category, asked.body.purpose, "no_grant")
    return Act(
        actor=actor.id,
        kind=actor.kind,
        door=actor.door,
        operator=actor.operator,
        purpose=asked.body.purpose,
        action=action,
        category=category,
        basis=basis,
    )
