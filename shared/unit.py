"""The command path: snapshot, decide, commit. Every command and every query goes this way (DESIGN.md).

An `Endpoint` names a reader (an SQL function that reads one snapshot) and a pure `decide`, which returns a `Change`.
The commit is one call of `commit_changes` for all Changes of one school that wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared import access
from shared.access import Permit, View
from shared.actor import Actor
from shared.clock import Ids
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent
from shared.events.words import Action, Category, Purpose

B = TypeVar("B", bound=BaseModel)


class Request(BaseModel):
    """Base of every command's and query's body: strict, no coercion, no unknown fields. JSON on the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    purpose: Purpose = Purpose.GUIDANCE


class Query(Request):
    """A query's body must say why it is asked."""

    purpose: Purpose


class Reply(BaseModel):
    """Base of what is answered, as others read it: what stands in `ok`. Fields are only ever added.

    Nothing is made of these on the way: answers are JSON as readers and decisions give it, and the tests hold each that
    they see against its model.
    """

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True)
class Asked(Generic[B]):
    """One request: who asks what, in which school."""

    actor: Actor
    school: str
    body: B
    ids: Ids


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the reader saw, at one moment.

    `state` is the reader's own JSON; `views` the actor's access to each subject that the reader named; `now` the domain
    time (the database's clock plus the demo's shift), `clock` the database's clock, which access is judged by.
    """

    state: Mapping[str, Any]
    views: Mapping[UUID, View]
    now: datetime
    clock: datetime
    leased: bool = True

    def require(self, asked: Asked[Any], action: Action, category: Category, about: UUID | None = None) -> Permit:
        """Returns the permit for what is asked, or raises Denial: call it before anything else tells of the state.

        `about` is needed only where the reader named several subjects. A reader that found nothing names none: that
        is denied exactly as something forbidden is.
        """
        subject = about or next(iter(self.views), UUID(int=0))
        view = self.views.get(subject) or View(subject, None, (), fresh=self.leased)
        return access.require(view, asked.actor, action, category, asked.body.purpose, self.clock)


@dataclass(frozen=True, slots=True)
class Row:
    """A row to write. `seen` is the version that the snapshot showed, 0 for a new row; the commit writes `seen + 1`.

    `values` holds every column of a new row but school, id and version, or only the changed ones of an old; None
    deletes it. Tables are made by `tenant_table` (0001_backbone.sql) and have the key (school, id) and a `version`.
    """

    table: str
    id: UUID
    seen: int
    values: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision wants: committed whole or not at all.

    `reply` is what a command answers and what a retry is answered with (ids, codes and versions only, it is stored);
    `result` what a query answers (never stored). `permits` are re-checked; `locks` names subjects whose access rows
    this Change writes (network only).
    """

    permits: tuple[Permit, ...]
    events: tuple[NewEvent, ...]
    rows: tuple[Row, ...] = ()
    reply: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    locks: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[B]):
    """A command or query: its name (as in the subject), body, reader and pure decision.

    `reader` is an SQL function `(p_args jsonb) returns jsonb` of `{"subjects": [uuid...], ...state}`; it gets the
    body's JSON plus `school` and `actor`. `decide` may raise Problem (nothing changes) or Denial (journaled).
    `reply` is what stands in the answer, for the contract; None: it is not told yet.
    """

    name: str
    body: type[B]
    reader: str
    decide: Callable[[Asked[B], Snapshot], Change]
    reply: type[Reply] | None = None

    @property
    def is_query(self) -> bool:
        """Queries keep no idempotency key and journal that someone looked."""
        return issubclass(self.body, Query)


def stale(seen: int, found: int, **more: Any) -> Problem:  # noqa: ANN401  JSON values
    """Returns the problem for an update made from an old version."""
    return Problem(
        ProblemType.STALE_VERSION,
        f"you saw version {seen}, it is now {found}: read it again and repeat what still applies",
        seen=seen,
        found=found,
        **more,
    )
