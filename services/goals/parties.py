"""Parents and the child are parties: what another of them says to the school stays between that one and the school."""

from __future__ import annotations

from uuid import UUID

from shared.events.words import Role
from shared.unit import Snapshot

PARTIES = frozenset({Role.GUARDIAN, Role.CHILD})


def is_party(seen: Snapshot, subject: UUID) -> bool:
    """Tells whether the asker is a party to `subject`, be it by one grant beside others: a parent who teaches there."""
    view = seen.views.get(subject)
    return view is not None and any(grant.role in PARTIES for grant in view.grants)
