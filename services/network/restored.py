"""What must hold at once of a tail that a restored database took back: withdrawals, ends, revisions that go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.network.model import AnswerKind
from services.network.reviews import take_back_dialogue
from shared.access_projection import project_access
from shared.db import Connection
from shared.erasure import mark_erased
from shared.events.base import Event, Fact
from shared.events.erasure import ErasureConfirmed, ErasureDeclined, HoldPlaced, RetentionSet
from shared.events.network import (
    AuthorityEnded,
    ConsentEnded,
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    DisputeNoted,
    EmergencyEnded,
    EmergencyReviewed,
    InvitationRevoked,
    InvitationTaken,
    MembershipEnded,
    MembershipSuspended,
    PersonChanged,
    PolicySet,
)

Answered = ConsentGiven | ConsentRefused | ConsentWithdrawn

ANSWERS: dict[type[Answered], AnswerKind] = {
    ConsentGiven: AnswerKind.GIVEN,
    ConsentRefused: AnswerKind.REFUSED,
    ConsentWithdrawn: AnswerKind.WITHDRAWN,
}

ANSWER = """
UPDATE consent SET version = version + 1, state = $3, answers = (
    SELECT coalesce(jsonb_agg(a), '[]') FROM jsonb_array_elements(answers) a WHERE a->>'holder' <> $4::text
) || jsonb_build_object('holder', $4::text, 'capacity', $5::text, 'answer', $6::text, 'at', $7::timestamptz)
 WHERE school = $1 AND id = $2
"""
CONFIDENTIAL = "UPDATE person SET version = version + 1, confidential = true WHERE school = $1 AND id = $2"


@dataclass(frozen=True, slots=True)
class End:
    """An event that ends something: its fields with the row's id and the moment (None: when it occurred)."""

    fact: type[Fact]
    row: str
    at: str | None
    sql: str


def _end(table: str, column: str) -> str:
    return f"UPDATE {table} SET version = version + 1, {column} = $3 WHERE school = $1 AND id = $2"  # noqa: S608  ours


# Whether a command or a roster ended it is not told: the careful one can be undone by a command.
ENDS = (
    End(MembershipEnded, "membership", "ends_at", _end("membership", "ended_by_hand = true, ends_at")),
    End(MembershipSuspended, "membership", "at", _end("membership", "suspended_at")),
    End(AuthorityEnded, "authority", "ends_at", _end("authority", "ended_by_hand = true, ends_at")),
    End(EmergencyEnded, "emergency", "ends_at", _end("emergency", "ends_at")),
    End(ConsentEnded, "consent", "ends_at", _end("consent", "ends_at")),
    End(InvitationTaken, "invitation", None, _end("invitation", "revoked_at")),
    End(InvitationRevoked, "invitation", None, _end("invitation", "revoked_at")),
)
REVIEW = """
UPDATE emergency SET version = version + 1, outcome = $3, reviewed_by = $4, reviewed_at = $5
 WHERE school = $1 AND id = $2
"""
# A policy that was set may be the stricter one, a dispute stops sharing: both must hold at once, for every child.
POLICY = """
WITH set AS (
    INSERT INTO policy_version (school, id, version, number, decision, rule, starts_at, set_by)
    VALUES ($1, $2, 1, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING school)
UPDATE school_profile s SET version = s.version + 1, wide = s.wide + 1 FROM set WHERE s.school = set.school
"""
DISPUTE = """
INSERT INTO dispute (school, id, version, child, decision, between, starts_at)
VALUES ($1, $2, 1, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""

# An erasure that was lost is done again: its rows came back with the older copy. What was asked only is asked again.
ERASURE = """
INSERT INTO erasure (school, id, version, child, reason, state, asked_by, asked_at, decided_by, decided_at, gone)
VALUES ($1, $2, 2, $3, $4, 'erasing', $5, $6, $7, $6, '{}')
ON CONFLICT (school, id) DO UPDATE
   SET version = erasure.version + 1, state = 'erasing', decided_by = excluded.decided_by,
       decided_at = excluded.decided_at
"""
OTHER_REQUESTS = "DELETE FROM erasure WHERE school = $1 AND child = $2 AND id <> $3 AND state <> 'declined'"
DECLINED = (
    "UPDATE erasure SET version = version + 1, state = 'declined' WHERE school = $1 AND id = $2 AND state = 'asked'"
)
HOLD = """
INSERT INTO legal_hold (school, id, version, child, reason, placed_by, starts_at, until)
VALUES ($1, $2, 1, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""

TERM = """
INSERT INTO retention_version (school, id, version, number, class, months, starts_at, set_by)
VALUES ($1, $2, 1, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""


async def take_back(conn: Connection, tail: Sequence[Event]) -> None:
    """Applies to the facts what the tail ended or answered, and keeps the grants and revisions that it published.

    Facts that only began in the tail (a new member, a new consent) stay lost: events carry no names. Their subjects are
    closed until reviewed.
    """
    await project_access(conn, tail)
    for event in tail:
        await take_back_dialogue(conn, event)
        for fact, kind in ANSWERS.items():
            if event.is_a(fact):
                await _answer(conn, event, fact, kind)
        for end in ENDS:
            if event.is_a(end.fact):
                told = event.fact(end.fact)
                at = getattr(told, end.at) if end.at else event.occurred_at
                await conn.execute(end.sql, event.school, getattr(told, end.row), at)
        if event.is_a(PersonChanged) and "confidential" in event.fact(PersonChanged).fields:
            # The event does not say which way; the careful one can be undone by whom it is about.
            await conn.execute(CONFIDENTIAL, event.school, event.fact(PersonChanged).person)
        await _safeguard(conn, event)
        await _erase(conn, event)


async def _safeguard(conn: Connection, event: Event) -> None:
    if event.is_a(EmergencyReviewed):
        judged = event.fact(EmergencyReviewed)
        by = (event.act.actor, event.occurred_at)
        await conn.execute(REVIEW, event.school, judged.emergency, judged.outcome.value, *by)
    elif event.is_a(PolicySet):
        one = event.fact(PolicySet)
        by_rule = (one.number, one.decision.value, one.rule.value, one.starts_at, event.act.actor)
        await conn.execute(POLICY, event.school, one.policy, *by_rule)
    elif event.is_a(DisputeNoted):
        noted = event.fact(DisputeNoted)
        between = (event.about, noted.decision.value, list(noted.between), noted.starts_at)
        await conn.execute(DISPUTE, event.school, noted.dispute, *between)


async def _answer(
    conn: Connection,
    event: Event,
    fact: type[Answered],
    kind: AnswerKind,
) -> None:
    told = event.fact(fact)
    await conn.execute(
        ANSWER,
        event.school,
        told.consent,
        told.state.value,
        str(told.giver),
        told.capacity.value,
        kind.value,
        event.occurred_at,
    )


async def _erase(conn: Connection, event: Event) -> None:
    if event.is_a(ErasureConfirmed):
        one = event.fact(ErasureConfirmed)
        await conn.execute(OTHER_REQUESTS, event.school, event.about, one.erasure)
        who = (one.reason.value, one.asked_by, event.occurred_at, event.act.actor)
        await conn.execute(ERASURE, event.school, one.erasure, event.about, *who)
        await mark_erased(conn, event.school, event.about)
    elif event.is_a(ErasureDeclined):
        await conn.execute(DECLINED, event.school, event.fact(ErasureDeclined).erasure)
    elif event.is_a(HoldPlaced):
        held = event.fact(HoldPlaced)
        when = (held.reason.value, event.act.actor, held.starts_at, held.until)
        await conn.execute(HOLD, event.school, held.hold, event.about, *when)
    elif event.is_a(RetentionSet):
        term = event.fact(RetentionSet)
        values = (term.number, term.kind.value, term.months, term.starts_at, event.act.actor)
        await conn.execute(TERM, event.school, term.setting, *values)
