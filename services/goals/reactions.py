"""What `goals` learns from `network`: who may do what, how a school decides on plans, which children come and go."""

from __future__ import annotations

from collections.abc import Sequence

from services.goals.plan_store import end_dispute, keep_dispute, keep_policy
from services.goals.reminding import enrolled, left
from shared.access_projection import project_access
from shared.db import Connection
from shared.erasure import erase
from shared.events.base import Event, NewEvent
from shared.events.dialogue import CommitmentMade
from shared.events.membership import MemberAdded, MembershipEnded
from shared.events.network import Decision, DisputeNoted, DisputeSettled, PolicySet
from shared.projection import Lane, Policy

KEEP_COMMITMENT = """
INSERT INTO known_commitment (school, id, about) SELECT $1, $2, $3
 WHERE NOT EXISTS (SELECT FROM erased e WHERE e.school = $1 AND e.id = $3)
ON CONFLICT ON CONSTRAINT known_commitment_pk DO NOTHING
"""


async def on_network(conn: Connection, events: Sequence[Event]) -> Sequence[NewEvent]:
    """Keeps access, the policy on plans, disputes, when a first plan is due, which commitments there are; erases."""
    await project_access(conn, events)
    for event in events:
        if event.is_a(PolicySet):
            policy = event.fact(PolicySet)
            if policy.decision is Decision.PLAN:
                await keep_policy(conn, event.school, event.about, policy)
        elif event.is_a(DisputeNoted):
            dispute = event.fact(DisputeNoted)
            if dispute.decision is Decision.PLAN:
                await keep_dispute(conn, event.school, event.about, dispute)
        elif event.is_a(DisputeSettled):
            await end_dispute(conn, event.school, event.fact(DisputeSettled))
        elif event.is_a(CommitmentMade):
            commitment = event.fact(CommitmentMade).commitment
            await conn.execute(KEEP_COMMITMENT, event.school, commitment, event.about)
        elif event.is_a(MemberAdded):
            await enrolled(conn, event)
        elif event.is_a(MembershipEnded):
            await left(conn, event)
    return await erase(conn, events, "goals")


LANES: tuple[Lane, ...] = (Lane("network", on_network, Policy.BLOCK),)
