"""A command path that answers every request with one problem."""

from __future__ import annotations

from typing import NoReturn

from shared.clock import Ids
from shared.errors import Problem, ProblemType
from shared.unit_run import Unit

CASES = [
    (Problem(ProblemType.CONFLICT, "nothing", code="none_due"), False),
    (Problem(ProblemType.UNAVAILABLE, "try again"), False),
    (Problem(ProblemType.CONFLICT, "collides"), True),
]
"""What may keep a service from telling what is due, and whether it is an alarm."""


class Refusing(Unit):
    """Has no database; `alarms` are the codes of those that were raised on it."""

    def __init__(self, service: str, problem: Problem) -> None:
        self.alarms: list[str] = []
        self._problem = problem
        super().__init__(service, None, Ids(), alarm=lambda code, *_, **__: self.alarms.append(code))  # type: ignore[arg-type]  # no database

    async def run(self, *_: object, **__: object) -> NoReturn:
        """Raises the problem."""
        raise self._problem
