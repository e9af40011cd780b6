"""The judge at work: reads pages of the log with what they are weighed against, and keeps what it finds.

It has its own transactions and its own position, so it never holds up the log; whatever it says again is kept once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pydantic_core

from services.audit.facts import Facts
from services.audit.judge import judge
from services.audit.judged import Evidence, Finding, Published, Said, Withdrawal
from services.audit.weighing import weigh
from shared.db import LOST, Connection, Database
from shared.events.base import Event
from shared.events.emergencies import EmergencyReviewed, EmergencyReviewOverdue, EmergencyStarted
from shared.events.network import Decision, WithdrawalEffective
from shared.service import Site

log = logging.getLogger(__name__)

PAGE = 200
LOOK_EVERY_S = 1.0
WAITS = timedelta(minutes=10)
"""How long a line may name a position that network's lane in the log has not come to; then it is judged as it is."""
REVIEWED_WITHIN = timedelta(days=3)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MARGIN = timedelta(minutes=1)
"""Events of one lane may be told in another order than they happened in, by no more than a command takes."""

POSITION = "SELECT idx, untold FROM judge_position WHERE school = $1"
KEEP = """
INSERT INTO finding (school, idx, code, part, says, shows)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[])
ON CONFLICT DO NOTHING RETURNING idx, code
"""
MOVE = """
INSERT INTO judge_position AS p (school, idx, untold) VALUES ($1, $2, $3)
ON CONFLICT (school) DO UPDATE SET idx = greatest(p.idx, excluded.idx), untold = p.untold || excluded.untold
"""
TOLD = """
UPDATE judge_position
   SET untold = ARRAY(SELECT one FROM unnest(untold) WITH ORDINALITY u (one, n) WHERE one <> ALL ($2) ORDER BY n)
 WHERE school = $1
"""


class Page:
    """A page of lines with its evidence, as `judge_evidence` (0004_judge.sql) returns it. Pure."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.lines = [Said(one["idx"], pydantic_core.from_json(one["entry"])) for one in told["lines"]]
        self.size: int = told["size"] or 0
        self.head: int = told["head"]
        self.clock = datetime.fromisoformat(told["clock"])
        self._epochs = {int(seq): epoch for seq, epoch in told["epochs"].items()}
        self._sets: dict[UUID, list[Published]] = {}
        for one in told["sets"]:
            published = Published.of(one["idx"], Event.parse(one["event"].encode()))
            self._sets.setdefault(published.about, []).append(published)
        self._withdrawals = [_withdrawal(Event.parse(text.encode())) for text in told["withdrawals"]]
        self._claims = {(entry["thing"], entry["seq"]): entry for entry in map(pydantic_core.from_json, told["claims"])}
        self._sent: Mapping[str, int | None] = told["sent"]
        self._facts = [Event.parse(text.encode()) for text in told["facts"]]
        self._emergencies = [(one["idx"], Event.parse(one["event"].encode())) for one in told["emergencies"]]

    def ready(self) -> list[Said]:
        """Returns the lines that can be judged now, in order: up to one whose position is not in the log yet."""
        return [*takewhile(lambda said: not self.waits(said), self.lines)]

    def waits(self, said: Said) -> bool:
        """Tells whether the line names a position that network's lane in the log has not come to, and may yet."""
        return said.position > self.head and self.clock - said.at < WAITS

    def judge(self, saids: Sequence[Said]) -> list[Finding]:
        """Returns what is wrong with these lines of the page, and which reviews were late when they were written."""
        return self.judge_lines(saids) + self._unreviewed(saids)

    def judge_anew(self, saids: Sequence[Said], told_at: datetime | None) -> list[Finding]:
        """The same of these lines by themselves: an emergency is found at its own, by all told up to `told_at`."""
        if told_at is None:
            return self.judge_lines(saids)
        own = {said.idx for said in saids}
        late = self._late(told_at - MARGIN, frozenset(), lambda _: True)
        return self.judge_lines(saids) + [one for one in late if one.idx in own]

    def judge_lines(self, saids: Sequence[Said]) -> list[Finding]:
        """Returns what is wrong with these lines."""
        found = [one for said in saids for one in judge(said, self.evidence(said))]
        published = {one.idx: one for sets in self._sets.values() for one in sets}
        facts: dict[UUID, Facts] = {}
        for said in saids:
            if said.name == "access.changed" and said.idx in published:
                found += self._weigh(said, published[said.idx], facts)
        return found

    def evidence(self, said: Said) -> Evidence:
        """Returns what the log shows beside one line."""
        about, school, position = said.about, said.school, said.position
        withdrawal = max(
            (w for w in self._withdrawals if w.about in {about, school} and w.at <= said.at and w.applied > position),
            key=lambda w: w.applied,
            default=None,
        )
        then = {}
        if withdrawal is not None:
            stood = ((subject, self._at(subject, withdrawal.applied)) for subject in (about, school))
            then = {subject: one for subject, one in stood if one is not None}
        return Evidence(
            epoch_there=self._epochs.get(position),
            of_subject=self._at(about, position),
            of_school=self._at(school, position),
            later=next((one for one in self._sets.get(school, ()) if one.seq > position), None),
            withdrawal=withdrawal,
            then=then,
            claim=self._claim(said),
            decides=said.by_authority and self._decides(said),
        )

    def _at(self, subject: UUID, seq: int) -> Published | None:
        """Returns the newest set of a subject at or before a number: it is on the page, so none between is left out."""
        return max((p for p in self._sets.get(subject, ()) if p.seq <= seq), key=lambda p: p.seq, default=None)

    def _claim(self, said: Said) -> Mapping[str, Any] | None:
        if said.name != "notice.sent":
            return None
        return self._claims.get((said.entry["thing"], self._sent.get(str(said.seq))))

    def _decides(self, said: Said) -> bool:
        """Tells whether the log itself shows that the actor had authority on sharing when the line happened."""
        facts = Facts().take(e for e in self._facts if e.about == said.about and e.seq < said.seq)
        at = datetime.fromisoformat(said.entry["occurred_at"])
        own = (h for h in facts.holdings.values() if str(h.holder) == said.entry["actor"])
        return any(Decision.SHARING in h.scope and h.span.holds(at) for h in own)

    def _weigh(self, said: Said, published: Published, facts: dict[UUID, Facts]) -> list[Finding]:
        for subject in (said.about, said.school):
            known = facts.setdefault(subject, Facts())
            known.take(e for e in self._facts if e.about == subject and _before(e, published))
        own, school = facts[said.about], facts[said.school]
        return list(weigh(published, own, school, on_school=said.about == said.school))

    def _unreviewed(self, saids: Sequence[Said]) -> list[Finding]:
        """Returns the emergencies whose time for a review ended while these lines were written, without one.

        The log's own time is that of network's events; where a review is overdue in a school that is quiet, only that
        it is so is told, and at that very moment.
        """
        network = [s for s in saids if s.entry["producer"] == "network"]
        if not network:
            return []
        now = max(datetime.fromisoformat(s.entry["occurred_at"]) for s in network) - MARGIN
        overdue = frozenset(s.entry.get("thing") for s in network if s.name == EmergencyReviewOverdue.NAME)
        last = max(s.idx for s in saids)
        return self._late(now, overdue, lambda idx: idx <= last)

    def _late(self, now: datetime, overdue: Collection[str | None], known: Callable[[int], bool]) -> list[Finding]:
        emergencies = [(idx, event) for idx, event in self._emergencies if known(idx)]
        reviewed = {
            event.fact(EmergencyReviewed).emergency: event for _, event in emergencies if event.is_a(EmergencyReviewed)
        }
        found = []
        for idx, event in emergencies:
            if event.is_a(EmergencyStarted):
                one = event.fact(EmergencyStarted)
                due, review = review_due_at(one.starts_at), reviewed.get(one.emergency)
                over = due < now or str(one.emergency) in overdue
                if over and (review is None or review.occurred_at > due + MARGIN):
                    says = {"about": str(event.about), "seq": event.seq, **one.model_dump(mode="json")}
                    shows = {
                        "due_at": due.isoformat(),
                        "reviewed_at": review.occurred_at.isoformat() if review else None,
                    }
                    found.append(Finding(idx, "emergency_not_reviewed_in_time", says, shows))
        return found


def review_due_at(started_at: datetime) -> datetime:
    """Returns until when an emergency must be reviewed: the same time of day in the Netherlands, three days on."""
    return (started_at.astimezone(AMSTERDAM) + REVIEWED_WITHIN).astimezone(UTC)


def _withdrawal(event: Event) -> Withdrawal:
    fact = event.fact(WithdrawalEffective)
    return Withdrawal(event.seq, event.about, fact.applied, fact.at)


def _before(event: Event, published: Published) -> bool:
    """Tells whether a fact was told before a set, or with it: emergencies are told after their grants."""
    return event.seq < published.seq or (event.recorded_at == published.at and event.is_a(EmergencyStarted))


async def page(conn: Connection, school: str, first: int, limit: int = PAGE) -> Page:
    """Returns a page of the log from line `first` on, with its evidence."""
    return Page(await conn.fetchval("SELECT judge_evidence($1, $2, $3)", school, first, limit))


async def judge_next(db: Database, school: str, limit: int = PAGE) -> tuple[int, list[tuple[int, str]]]:
    """Judges the next page of a school's log; returns how many lines, and what was found and is not told of yet."""
    async with db.school(school) as conn:
        at = await conn.fetchrow(POSITION, school)
        seen = await page(conn, school, at["idx"] if at else 0, limit)
    untold = [_named(one) for one in at["untold"]] if at else []
    ready = seen.ready()
    if not ready:
        return 0, untold
    found = seen.judge(ready)
    async with db.school(school) as conn:
        new = await keep(conn, school, found)
        await conn.execute(MOVE, school, ready[-1].idx + 1, [f"{idx} {code}" for idx, code in new])
    return len(ready), untold + new


def _named(text: str) -> tuple[int, str]:
    idx, _, code = text.partition(" ")
    return int(idx), code


async def mark_told(db: Database, school: str, found: Sequence[tuple[int, str]]) -> None:
    """Notes that an alarm was raised for these: whoever died before it raises it once more, rather than never."""
    async with db.school(school) as conn:
        await conn.execute(TOLD, school, [f"{idx} {code}" for idx, code in found])


async def keep(conn: Connection, school: str, found: Sequence[Finding]) -> list[tuple[int, str]]:
    """Keeps findings, each once; returns the (idx, code) of those that are new."""
    once = list({(one.idx, one.code, part_of(one)): one for one in found}.values())
    columns = [(one.idx, one.code, part_of(one), dict(one.says), dict(one.shows)) for one in once]
    rows = await conn.fetch(KEEP, school, *(zip(*columns, strict=True) if columns else ((),) * 5))
    return [(row["idx"], row["code"]) for row in rows]


def part_of(one: Finding) -> str:
    """Returns which grant of a set a finding is about; empty: it is about the line."""
    return str(one.says["id"]) if one.code.startswith("grant_") and "id" in one.says else ""


async def judge_all(at: Site) -> None:
    """Judges every school's log as it grows, until cancelled. Any replica may: what is found is kept once."""
    while True:
        judged = 0
        try:
            for school in await at.db.schools():
                lines, untold = await judge_next(at.db, school)
                judged += lines
                for idx, code in untold:
                    text = "a line of the log was not allowed as it says: `samen audit findings`"
                    at.alarm("judge_finding", text, school=school, line=idx, finding=code)
                if untold:
                    await mark_told(at.db, school, untold)
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("nothing judged", extra={"code": "judge_late", "kind": type(error).__name__})
        await asyncio.sleep(LOOK_EVERY_S if not judged else 0)


def within(saids: Sequence[Said], since: datetime, until: datetime) -> list[Said]:
    """Returns the lines that were committed in a period."""
    return [said for said in saids if since <= said.at < until]
