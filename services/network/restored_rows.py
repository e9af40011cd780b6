"""The statements by which a restored database does again what an event told. $1 is the school everywhere.

What refers to a child or person that is lost itself is left out: the commit would fail on it, and restore nothing.
"""

from __future__ import annotations

_CHILD = "EXISTS (SELECT FROM child c WHERE c.school = $1 AND c.id = $3)"


def set_moment(table: str, column: str) -> str:
    """Returns the statement that sets a row's ($2) moment ($3)."""
    return f"UPDATE {table} SET version = version + 1, {column} = $3 WHERE school = $1 AND id = $2"  # noqa: S608  ours


CHANGED = """
UPDATE membership SET version = version + 1, starts_at = $3, ends_at = $4, mandate = coalesce($5::jsonb, mandate)
 WHERE school = $1 AND id = $2
"""
RESUMED = "UPDATE membership SET version = version + 1, suspended_at = NULL WHERE school = $1 AND id = $2"
AUTHORITY = """
INSERT INTO authority (school, id, version, child, holder, scope, source, starts_at, ends_at, role)
SELECT $1, $2, 1, $3::uuid, p.id, $5::text[], $6::text, $7::timestamptz, $8::timestamptz, $9::text
  FROM person p WHERE p.school = $1 AND p.id = $4 AND EXISTS (SELECT FROM child c WHERE c.school = $1 AND c.id = $3)
ON CONFLICT DO NOTHING
"""
# Asked anew for another period, no yes of before counts; a no does. A new one carries on the last of its name.
CONSENT = """
INSERT INTO consent AS k (school, id, version, child, for_purpose, recipient_kind, recipient, categories,
                          notice_version, starts_at, ends_at, state, answers, renews)
SELECT $1, $2, $3::int, c.id, $5::text, $6::text, $7::uuid, $8::text[],
       $9::int, $10::timestamptz, $11::timestamptz, $12::text, (
           SELECT coalesce(jsonb_agg(a), '[]') FROM jsonb_array_elements(o.answers) a
            WHERE a->>'answer' <> 'given'), o.id
  FROM child c LEFT JOIN LATERAL (
       SELECT b.id, b.answers FROM consent b
        WHERE b.school = $1 AND b.child = $4 AND b.for_purpose = $5 AND b.recipient = $7 AND b.categories = $8
          AND b.id <> $2 AND NOT EXISTS (SELECT FROM consent n WHERE n.school = $1 AND n.renews = b.id)
        ORDER BY b.id DESC LIMIT 1) o ON true
 WHERE c.school = $1 AND c.id = $4
ON CONFLICT ON CONSTRAINT consent_pk DO UPDATE
   SET version = greatest(k.version, excluded.version), notice_version = excluded.notice_version,
       starts_at = excluded.starts_at, ends_at = excluded.ends_at, state = excluded.state,
       answers = (SELECT coalesce(jsonb_agg(a), '[]') FROM jsonb_array_elements(k.answers) a
                   WHERE k.starts_at = excluded.starts_at OR a->>'answer' <> 'given')
"""
# Asked anew for the same period, it has a version of its own: one that only came to stand open has that of the fact
# by which it did.
CONSENT_ASKED = CONSENT.replace(
    "k.starts_at = excluded.starts_at", "(k.starts_at = excluded.starts_at AND k.version >= excluded.version)"
)
ANSWER = """
UPDATE consent SET answers = (
    SELECT coalesce(jsonb_agg(a), '[]') FROM jsonb_array_elements(answers) a WHERE a->>'holder' <> $3::text
) || jsonb_build_object('holder', $3::text, 'capacity', $4::text, 'answer', $5::text, 'at', $6::timestamptz)
 WHERE school = $1 AND id = $2
"""
CONFIDENTIAL = "UPDATE person SET version = version + 1, confidential = true WHERE school = $1 AND id = $2"
EFFECTIVE = """
UPDATE withdrawal SET version = version + 1, how = $3, effective_at = $4 WHERE school = $1 AND id = $2 AND how IS NULL
"""

# Safeguards ----------------------------------------------------------------------------------------------------

POLICY = """
WITH set AS (
    INSERT INTO policy_version (school, id, version, number, decision, rule, starts_at, set_by)
    VALUES ($1, $2, 1, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING school)
UPDATE school_profile s SET version = s.version + 1, wide = s.wide + 1 FROM set WHERE s.school = set.school
"""
# Grants that the tail gave rest on what may be lost, and what it took away must reach every child: all are made anew,
# from what stands here, and with them when each child is next to be attended to.
ANEW = "UPDATE school_profile SET version = version + 1, rules = 0 WHERE school = $1"
DISPUTE = f"""
INSERT INTO dispute (school, id, version, child, decision, between, starts_at)
SELECT $1, $2, 1, $3::uuid, $4::text, $5::uuid[], $6::timestamptz WHERE {_CHILD} ON CONFLICT DO NOTHING
"""
WITHHOLDING = f"""
INSERT INTO withholding (school, id, version, child, guardian, source, starts_at, ends_at)
SELECT $1, $2, 1, $3::uuid, $4::uuid, $5::text, $6::timestamptz, $7::timestamptz WHERE {_CHILD} ON CONFLICT DO NOTHING
"""
# Why it was taken is text, and lost. It must be reviewed all the same.
EMERGENCY = f"""
INSERT INTO emergency (school, id, version, child, member, role, organisation, standing, starts_at, ends_at, operator)
SELECT $1, $2, 1, $3::uuid, $4::uuid, $5::text, $6::uuid, $7::uuid, $8::timestamptz, $9::timestamptz, $10::text
 WHERE {_CHILD} ON CONFLICT DO NOTHING
"""
REVIEW = """
UPDATE emergency SET version = version + 1, outcome = $3, reviewed_by = $4, reviewed_at = $5
 WHERE school = $1 AND id = $2
"""
REMINDER = "INSERT INTO reminder (school, id, version, child) VALUES ($1, $2, 1, $3) ON CONFLICT DO NOTHING"

# Erasure ----------------------------------------------------------------------------------------------------

ERASURE_ASKED = f"""
INSERT INTO erasure (school, id, version, child, reason, state, asked_by, asked_operator, asked_at, gone)
SELECT $1, $2, 1, $3::uuid, $4::text, 'asked', $5::uuid, $6::text, $7::timestamptz, '{{}}'
 WHERE {_CHILD} ON CONFLICT DO NOTHING
"""
OTHER_REQUESTS = "DELETE FROM erasure WHERE school = $1 AND child = $2 AND id <> $3 AND state <> 'declined'"
ERASURE = """
INSERT INTO erasure (school, id, version, child, reason, state, asked_by, asked_at, decided_by, decided_at, gone)
VALUES ($1, $2, 2, $3, $4, 'erasing', $5, $6, $7, $6, '{}')
ON CONFLICT (school, id) DO UPDATE
   SET version = erasure.version + 1, state = 'erasing', decided_by = excluded.decided_by,
       decided_at = excluded.decided_at
"""
DECLINED = (
    "UPDATE erasure SET version = version + 1, state = 'declined' WHERE school = $1 AND id = $2 AND state = 'asked'"
)
HOLD = """
INSERT INTO legal_hold (school, id, version, child, reason, placed_by, starts_at, until)
VALUES ($1, $2, 1, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""
LIFTED = """
UPDATE legal_hold SET version = version + 1, lifted_by = $3, lifted_at = $4
 WHERE school = $1 AND id = $2 AND lifted_at IS NULL
"""
TERM = """
INSERT INTO retention_version (school, id, version, number, class, months, starts_at, set_by)
VALUES ($1, $2, 1, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""
