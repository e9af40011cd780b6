"""What takes two: whoever took the first step does not take the second, under another name neither. Pure."""

from __future__ import annotations

from uuid import UUID

from shared.actor import Actor
from shared.errors import Problem, ProblemType


def check_other_hands(actor: Actor, first: UUID, operator: str | None, refusal: str) -> None:
    """Raises Problem when `actor` is who took the `first` step, or sits at the keyboard that it was taken at.

    `operator` is who sat there, None: a door that knows the person itself. `refusal` tells the person what to do.
    """
    if first in {actor.id, actor.on_behalf_of}:
        raise Problem(ProblemType.FORBIDDEN, refusal)
    if operator is not None and operator == actor.operator:
        raise Problem(
            ProblemType.FORBIDDEN,
            "the first step was taken by the same operator, for another person: it takes two people, so somebody "
            "else, signed in as themselves, takes the second",
            code="same_operator",
        )
