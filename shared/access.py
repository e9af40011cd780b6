"""May this actor do this? One rule, over grants that only `network` makes.

The answer counts only as the committing transaction re-checks it (`commit_changes` in 0001_backbone.sql): lock, then in
the next statement read revision, leases, cursor, generation and the database's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.actor import Actor
from shared.events.base import Act
from shared.events.network import Grant
from shared.events.words import Action, Category, Outcome, Purpose

HOLDS_FOR = timedelta(seconds=2)
"""A grant must hold from now to this much later: the longest that a transaction may live."""


@dataclass(frozen=True, slots=True)
class View:
    """What one snapshot showed of one actor's access to one subject.

    `revision` None: the subject has no row here, so nothing is allowed. `fresh`: a lease stood behind the row.
    """

    subject: UUID
    revision: int | None
    grants: tuple[Grant, ...]
    fresh: bool


@dataclass(frozen=True, slots=True)
class Permit:
    """A yes, to be re-checked at commit: `act` goes into the audit event, the rest into the check."""

    act: Act
    subject: UUID
    revision: int
    valid_from: datetime
    valid_until: datetime | None


class Denial(Exception):
    """A no. Raised by `require`; the command path journals it and answers `forbidden`.

    `verifiable` False means that access could not be checked (no lease, no row): the command path asks network once.
    """

    def __init__(self, act: Act, subject: UUID, *, verifiable: bool) -> None:
        super().__init__(act.reason)
        self.act = act
        self.subject = subject
        self.verifiable = verifiable


def require(
    view: View,
    actor: Actor,
    action: Action,
    category: Category,
    purpose: Purpose,
    now: datetime,
) -> Permit:
    """Returns the permit for `actor` to do `action` on `category` of the view's subject, or raises Denial.

    `now` is the database's clock at the snapshot. Of several fitting grants the one that holds longest is used.
    """
    if not view.fresh:
        raise denial(view, actor, action, category, purpose, "cannot_verify_now")
    fitting = [
        grant
        for grant in view.grants
        if grant.member == actor.id
        and action in grant.actions
        and category in grant.categories
        and purpose in grant.purposes
    ]
    holding = [grant for grant in fitting if _holds(grant, now)]
    if not holding or view.revision is None:
        reason = "no_grant" if not fitting else "not_now"
        raise denial(view, actor, action, category, purpose, reason)
    best = max(holding, key=lambda grant: (grant.valid_until is None, grant.valid_until or now))
    act = _act_on(best, view.revision, actor, action, category, purpose)
    return Permit(act, view.subject, view.revision, best.valid_from, best.valid_until)


def _act_on(grant: Grant, revision: int, actor: Actor, action: Action, category: Category, purpose: Purpose) -> Act:
    return Act(
        actor=actor.id,
        kind=actor.kind,
        door=actor.door,
        operator=actor.operator,
        on_behalf_of=actor.on_behalf_of,
        role=grant.role,
        organisation=grant.organisation,
        purpose=purpose,
        action=action,
        category=category,
        basis=grant.basis,
        grant=grant.id,
        consent=grant.consent,
        consent_version=grant.consent_version,
        revision=revision,
        emergency=grant.emergency,
    )


def denial(view: View, actor: Actor, action: Action, category: Category, purpose: Purpose, reason: str) -> Denial:
    """Returns the Denial that says `reason` (a code) of this question."""
    act = Act(
        actor=actor.id,
        kind=actor.kind,
        door=actor.door,
        operator=actor.operator,
        on_behalf_of=actor.on_behalf_of,
        purpose=purpose,
        action=action,
        category=category,
        outcome=Outcome.DENIED,
        reason=reason,
        revision=view.revision,
    )
    return Denial(act, view.subject, verifiable=view.fresh)


def _holds(grant: Grant, now: datetime) -> bool:
    return grant.valid_from <= now and (grant.valid_until is None or now + HOLDS_FOR <= grant.valid_until)
