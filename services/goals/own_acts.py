"""Acts that rest on no grant: of this service itself, of another that does its work, and of an operator. Pure."""

from __future__ import annotations

from typing import Any

from shared import access
from shared.access import View
from shared.actor import service_id
from shared.events.base import Act
from shared.events.words import Action, ActorKind, Basis, Category, school_subject
from shared.unit import Asked


def act_of_operator(asked: Asked[Any], action: Action, category: Category, basis: Basis = Basis.PUBLIC_TASK) -> Act:
    """Returns the act of an operator, or raises Denial for anyone else."""
    if asked.actor.kind is not ActorKind.OPERATOR:
        raise _refusal(asked, action, category)
    return _act(asked, action, category, basis)


def act_of_service(asked: Asked[Any], service: str, action: Action, category: Category) -> Act:
    """Returns the act of that one service, or raises Denial for anyone else."""
    actor = asked.actor
    if actor.kind is not ActorKind.SERVICE or actor.id != service_id(service):
        raise _refusal(asked, action, category)
    return _act(asked, action, category, Basis.PUBLIC_TASK)


def _act(asked: Asked[Any], action: Action, category: Category, basis: Basis) -> Act:
    actor = asked.actor
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


def _refusal(asked: Asked[Any], action: Action, category: Category) -> access.Denial:
    view = View(school_subject(asked.school), None, (), fresh=True)
    return access.denial(view, asked.actor, action, category, asked.body.purpose, "no_grant")
