"""What a person does with its own addresses, notices and preferences rests on no grant: it concerns nobody else."""

from __future__ import annotations

from typing import Any

from shared import access
from shared.access import View
from shared.events.base import Act
from shared.events.words import Action, ActorKind, Basis, Category, school_subject
from shared.unit import Asked


def own_act(asked: Asked[Any], action: Action) -> Act:
    """Returns the act of a person on what is its own: no grant is needed. Raises Denial for what is no person."""
    actor = asked.actor
    if actor.kind is not ActorKind.PERSON:
        view = View(school_subject(asked.school), None, (), fresh=True)
        raise access.denial(view, actor, action, Category.CONTACT, asked.body.purpose, "no_grant")
    return Act(
        actor=actor.id,
        kind=actor.kind,
        door=actor.door,
        operator=actor.operator,
        on_behalf_of=actor.on_behalf_of,
        purpose=asked.body.purpose,
        action=action,
        category=Category.CONTACT,
        basis=Basis.OWN_DATA,
    )
