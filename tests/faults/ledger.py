"""What a hammered platform has written down, read from its databases past the walls."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tests.faults.stage import SERVICES, Stage
from tests.faults.withdrawn import Ledger, Release, Subject, Withdrawal

LINES = """
SELECT school, seq, type, about::text, recorded_at, event FROM journal
 WHERE about = ANY ($1::uuid[]) OR type = 'nl.samenkracht.network.access.changed.v1'
"""
BEGUN = """
SELECT w.school, w.id::text, w.subject::text, (i.reply->>'revision')::int AS revision
  FROM withdrawal w JOIN idempotency i ON i.school = w.school AND i.reply->>'withdrawal' = w.id::text
 WHERE w.subject = ANY ($1::uuid[])
"""
TOLD_AFTERWARDS = frozenset(
    {
        "consent.settled",
        "notice.queued",
        "notice.sent",
        "notice.deferred",
        "notice.failed",
        "notice.cancelled",
    }
)
"""Lines that tell what became of something done before, in the words of the act that it was done by."""


async def read_ledger(stage: Stage, children: set[str]) -> Ledger:
    """Reads what concerns these children."""
    told, about = _Told(Ledger()), sorted(children)
    for service in SERVICES:
        async with stage.admin(service) as conn:
            for row in await conn.fetch(LINES, about):
                told.line(service, row)
    async with stage.admin("network") as conn:
        for row in await conn.fetch(BEGUN, about):
            subject, revision = (row["school"], row["subject"]), int(row["revision"])
            how, at = told.effective.get(row["id"], (None, None))
            told.ledger.withdrawals.append(
                Withdrawal(row["id"], subject, revision, told.changed_at[subject, revision], how, at)
            )
    told.judge()
    return told.ledger


@dataclass(slots=True)
class _Told:
    ledger: Ledger
    changed_at: dict[tuple[Subject, int], datetime] = field(default_factory=dict)
    effective: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def judge(self) -> None:
        """Has each release name the subject whose grants it was judged by: a child, or the school for its keepers."""
        owners = {grant: subject for (subject, _), grants in self.ledger.grants.items() for grant in grants}
        self.ledger.releases = [
            replace(one, subject=owners.get(one.grant, one.subject)) for one in self.ledger.releases
        ]

    def line(self, service: str, row: Any) -> None:  # noqa: ANN401  a record
        name, subject = ".".join(row["type"].split(".")[3:-1]), (row["school"], row["about"])
        data = json.loads(row["event"])["data"]
        act, fact = data["act"], data["fact"]
        if name == "withdrawal.effective":
            self.effective[fact["withdrawal"]] = (fact["how"], datetime.fromisoformat(fact["at"]))
        elif name == "access.changed":
            place = (subject, int(fact["revision"]))
            self.changed_at[place] = row["recorded_at"]
            self.ledger.grants[place] = frozenset(grant["id"] for grant in fact["grants"])
        elif act["outcome"] != "permitted":
            self.ledger.denials[act["reason"]] += 1
        elif name not in TOLD_AFTERWARDS and "grant" in act:
            self.ledger.releases.append(
                Release(
                    service, row["seq"], name, subject, act["actor"], act["revision"], act["grant"], row["recorded_at"]
                )
            )
