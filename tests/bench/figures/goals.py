"""Goals through RPC with grants checked: proposals, scores, a child's page, while a school grows to 10,000 children."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from deploy.databases import ServiceDatabase
from shared.actor import Actor, mint
from shared.clock import Ids
from shared.db import Database
from shared.events.base import Act, NewEvent
from shared.events.network import AccessChanged, Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role
from shared.journal import append
from tests.bench.event import SCHOOLS, children, teacher
from tests.bench.harness import Measure, Report, Run, Target, judge, measure
from tests.bench.load import LADDER, TIMEOUT_S
from tests.bench.machine import percentile
from tests.bench.product.platform import Platform, platform
from tests.bench.product.stack import Lag
from tests.bench.servers import BenchServers

SCHOOL = SCHOOLS[0]
SIZES = (100, 10_000)
PAGES_OF = 40
"""Children whose pages are asked: each with a plan, 20 goals and 200 scores on one of these. Others have a quarter."""
GOALS, SCORES = 20, 200
COMMANDS, IN_FLIGHT, PAGES = 1500, 128, 300
BARE, CONNECTIONS = 1500, 32
MEMBERS = 6
"""How many people have grants on a child."""
TAKES_PART = (Action.VIEW, Action.PROPOSE, Action.ANSWER, Action.SCORE, Action.DECIDE, Action.RECEIVE)
CONTENT = (Category.GOALS, Category.OBSERVATIONS, Category.PLAN, Category.CONVERSATIONS)
BARE_TABLE = "CREATE TABLE bare (school text, id uuid, about uuid, body jsonb, PRIMARY KEY (school, id))"
# As it grows a school gets copies of one child's rows, made past the service: the same texts, ids made from both.
COPY = """
WITH kid AS (SELECT unnest($2::uuid[]) AS id),
kept AS (SELECT g.id FROM goal g WHERE g.school = $1 AND g.about = $3 ORDER BY g.id LIMIT $4),
goals AS (
    INSERT INTO goal SELECT (jsonb_populate_record(g, jsonb_build_object(
        'id', md5(g.id::text || kid.id)::uuid, 'about', kid.id))).*
      FROM goal g JOIN kept ON g.school = $1 AND kept.id = g.id CROSS JOIN kid),
plans AS (
    INSERT INTO plan SELECT (jsonb_populate_record(p, jsonb_build_object(
        'id', md5(p.id::text || kid.id)::uuid, 'about', kid.id))).*
      FROM plan p CROSS JOIN kid WHERE p.school = $1 AND p.about = $3),
texts AS (
    INSERT INTO plan_text SELECT (jsonb_populate_record(t, jsonb_build_object(
        'id', md5(t.id::text || kid.id)::uuid, 'plan', md5(t.plan::text || kid.id)::uuid, 'about', kid.id))).*
      FROM plan_text t CROSS JOIN kid WHERE t.school = $1 AND t.about = $3),
going AS (
    INSERT INTO progress SELECT p.school, md5(p.id::text || kid.id)::uuid, p.version, p.latest
      FROM progress p JOIN kept ON p.school = $1 AND kept.id = p.id CROSS JOIN kid)
INSERT INTO score SELECT s.school, md5(s.id::text || kid.id)::uuid, s.version, md5(s.goal::text || kid.id)::uuid,
       s.setting, s.level, s.observed_on, s.note, s.scored_by, s.role, s.recorded_at, s.replaces
  FROM kept CROSS JOIN LATERAL (
       SELECT * FROM score s WHERE s.school = $1 AND s.goal = kept.id ORDER BY s.id LIMIT $5) s CROSS JOIN kid
"""


@dataclass(slots=True)
class Told:
    """Seconds to each answer, and how many were refused."""

    seconds: list[float] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)


class Asker:
    """Asks goals as the school's teacher, who takes part round every child."""

    def __init__(self, product: Platform) -> None:
        self._door = product.door
        who = Actor(teacher(SCHOOL), ActorKind.PERSON, SCHOOL, "samen")
        self._token = mint(product.key, who, datetime.now(UTC))
        self.kids: list[UUID] = []
        self.goals: dict[UUID, list[UUID]] = {}
        self.plans: dict[UUID, UUID] = {}
        self._places = itertools.count()

    async def ask(self, name: str, told: Told | None = None, **body: object) -> Any:  # noqa: ANN401  JSON
        """Returns an answer's `ok`."""
        kind = "qry" if name == "child-page" else "cmd"
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": uuid.uuid4().hex}
        data = json.dumps({"purpose": "guidance", **body}, default=str).encode()
        started = time.perf_counter()
        reply = await self._door.request(f"{kind}.{SCHOOL}.goals.{name}", data, timeout=TIMEOUT_S, headers=headers)
        answer = json.loads(reply.data)
        if told is not None:
            told.seconds.append(time.perf_counter() - started)
            if "ok" not in answer:
                told.refused.append(answer)
        return answer.get("ok")

    async def propose(self, told: Told | None = None, about: UUID | None = None) -> Any:  # noqa: ANN401  JSON
        """Proposes a goal."""
        body = {
            "domain": "learning",
            "settings": ["school", "home"],
            "statement": "I want to read a whole page by myself.",
            "wording": "Reads a page of eighty words aloud, with at most three mistakes, in three of four attempts.",
            "ladder": LADDER,
            "baseline": -2,
            "target_on": (datetime.now(UTC) + timedelta(days=120)).date(),
            "responsible": [teacher(SCHOOL)],
        }
        return await self.ask("propose-goal", told, about=about or self._kid(PAGES_OF, len(self.kids)), **body)

    async def score(self, told: Told) -> None:
        """Scores one of the goals; the first of each child keeps its 200."""
        place = next(self._places)
        goals = self.goals[self.kids[place % PAGES_OF]]
        day = datetime.now(UTC).date() - timedelta(days=place % 90)
        goal = goals[1 + place // PAGES_OF % (GOALS - 1)]
        await self.ask("score-goal", told, goal=goal, level=place % 5 - 2, setting="school", observed_on=day)

    async def page(self, told: Told) -> None:
        """Asks a child's page: its plan, 20 goals, 200 scores."""
        await self.ask("child-page", told, about=self._kid(0, PAGES_OF))

    def _kid(self, first: int, after: int) -> UUID:
        # Proposals go to other children than pages are asked of: those keep their 20 goals and 200 scores.
        return self.kids[first + next(self._places) % (after - first)]


def many(one: Callable[[Told], Awaitable[Any]], count: int, in_flight: int) -> Run:
    """Returns a run of so many requests."""

    async def run() -> Mapping[str, float]:
        told, left = Told(), itertools.count()

        async def work() -> None:
            while next(left) < count:
                await one(told)

        started = time.monotonic()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        taken = time.monotonic() - started
        if told.refused:
            msg = f"{len(told.refused)} refused, the first: {told.refused[0]}"
            raise RuntimeError(msg)
        p50, p99 = (percentile(told.seconds, one) * 1000 for one in (50, 99))
        return {"per_s": count / taken, "p50_ms": p50, "p99_ms": p99}

    return run


def bare(dsn: str) -> Run:
    """Returns a run of single inserts, each committed: what the disk and the database alone allow."""

    async def run() -> Mapping[str, float]:
        pool = await asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS)
        body = json.dumps({"ladder": LADDER, "wording": "x" * 200})

        async def insert(told: Told) -> None:
            async with pool.acquire() as conn:
                started = time.perf_counter()
                await conn.execute("INSERT INTO bare VALUES ($1, $2, $2, $3)", SCHOOL, uuid.uuid4(), body)
                told.seconds.append(time.perf_counter() - started)

        try:
            return await many(insert, BARE, CONNECTIONS)()
        finally:
            await pool.close()

    return run


def grants(ids: Ids, now: datetime) -> tuple[Grant, ...]:
    """Returns the grants of those round a child; the teacher's is the first."""
    return tuple(
        Grant(
            id=ids.time_ordered(now),
            member=teacher(SCHOOL) if place == 0 else ids.pseudonym(),
            role=Role.TEACHER if place == 0 else Role.GUARDIAN,
            actions=TAKES_PART,
            categories=CONTENT,
            purposes=(Purpose.GUIDANCE,),
            basis=Basis.PUBLIC_TASK,
            valid_from=now - timedelta(days=90),
        )
        for place in range(MEMBERS)
    )


async def enrol(database: ServiceDatabase, kids: Sequence[UUID], revision: int = 2) -> None:
    """Journals everybody's grants on each child, as network would."""
    db, ids, now = await Database.connect(database.dsn, 2), Ids(Random(kids[0].int)), datetime.now(UTC)
    act = Act(
        actor=UUID(int=1), kind=ActorKind.SERVICE, door="network", purpose=Purpose.ADMINISTRATION,
        action=Action.MANAGE, category=Category.NETWORK,
    )  # fmt: skip
    for start in range(0, len(kids), 100):
        facts = [(kid, AccessChanged(revision=revision, grants=grants(ids, now))) for kid in kids[start : start + 100]]
        async with db.school(SCHOOL) as conn:
            await append(conn, SCHOOL, [NewEvent(fact, kid, act, kid) for kid, fact in facts], ids, now)
    await db.close()


async def first_child(asker: Asker, kid: UUID) -> None:
    """Has a child worked on through the service: 20 goals under way, 200 scores on the first, a plan of all."""
    for _ in range(GOALS):
        goal = (await asker.propose(about=kid))["goal"]
        for version, step in ((1, "accept-goal"), (2, "activate-goal")):
            await asker.ask(step, goal=goal, version=version)
        asker.goals.setdefault(kid, []).append(UUID(goal))
    today = datetime.now(UTC).date()
    for number in range(SCORES):
        body: dict[str, Any] = {"goal": asker.goals[kid][0], "level": number % 5 - 2, "setting": "school"}
        await asker.ask("score-goal", None, **body, observed_on=today - timedelta(days=SCORES - number))
    action = {"what": "reads aloud", "who": [teacher(SCHOOL)], "where": ["school"], "until": today + timedelta(days=60)}
    made = await asker.ask("draft-plan", about=kid, outlook="onwards", goals=asker.goals[kid], actions=[action] * 5)
    asker.plans[kid] = UUID(made["plan"])


async def grow(servers: BenchServers, product: Platform, asker: Asker, kids: Sequence[UUID]) -> None:
    """Adds children: their grants by network's journal, their rows as copies of the first child's."""
    await enrol(product.databases["network"], kids)
    lag = await Lag.of(servers, product.databases["goals"], producer="network")
    heads = "SELECT coalesce(sum(seq), 0)::bigint FROM journal_head"
    await lag.until(int((await lag.elsewhere(product.databases["network"], heads))[0][0]), 100)
    await lag.close()
    if not asker.plans:
        asker.kids = list(kids)
        await first_child(asker, kids[0])
    first, new = asker.kids[0], [kid for kid in kids if kid != asker.kids[0]]
    whole = new[: PAGES_OF - 1] if len(asker.plans) == 1 else []
    admin = await asyncpg.connect(servers.dsn(product.databases["goals"].name))
    await admin.execute("SET session_replication_role = replica; SET search_path = public")
    await admin.execute(COPY, SCHOOL, whole, first, GOALS, SCORES)
    await admin.execute(COPY, SCHOOL, [kid for kid in new if kid not in set(whole)], first, GOALS // 4, SCORES // 4)
    for kid in whole:
        made = "SELECT md5(x::text || $2)::uuid FROM unnest($1::uuid[]) WITH ORDINALITY AS u (x, place) ORDER BY place"
        asker.goals[kid] = [row[0] for row in await admin.fetch(made, asker.goals[first], str(kid))]
        asker.plans[kid] = await admin.fetchval("SELECT md5($1::text || $2)::uuid", str(asker.plans[first]), str(kid))
    await admin.close()


async def goals(servers: BenchServers, runs: int) -> list[Report]:
    """Measures commands and a child's page at each size of a school, beside a bare insert."""
    kids = [*children(SCHOOL)]
    ids = Ids(Random("more children"))
    kids += [ids.pseudonym() for _ in range(max(SIZES) - len(kids))]
    found: list[Measure] = []
    failed: list[str] = []
    async with platform(servers, ("audit", "network", "goals")) as product:
        asker, dsn, there = Asker(product), servers.dsn(product.databases["goals"].name), 0
        admin = await asyncpg.connect(dsn)
        await admin.execute(BARE_TABLE)
        await admin.close()
        for size in SIZES:
            await grow(servers, product, asker, kids[there:size])
            there = size
            sides: dict[str, Run] = {"bare insert": bare(dsn)} if size == SIZES[0] else {}
            sides |= {
                f"propose, {size}": many(asker.propose, COMMANDS, IN_FLIGHT),
                f"score, {size}": many(asker.score, COMMANDS, IN_FLIGHT),
                f"page, {size}": many(asker.page, PAGES, 1),
            }
            for run in sides.values():
                await run()  # warmed
            measures, problems = await measure(sides, runs)
            found += measures
            failed += problems
    small, large = SIZES
    targets = (
        Target("a child's page, p50 ms, 100 children", "p50_ms", f"page, {small}", at_most=5),
        Target("a child's page, p50 ms, 10,000 children", "p50_ms", f"page, {large}", at_most=5),
        Target("page at 10,000 over 100", "p50_ms", f"page, {large}", f"page, {small}", at_most=1.2),
        Target("propose/s at 10,000 over 100", "per_s", f"propose, {large}", f"propose, {small}", at_least=0.8),
        Target("score/s at 10,000 over 100", "per_s", f"score, {large}", f"score, {small}", at_least=0.8),
        Target("propose/s over a bare insert", "per_s", f"propose, {large}", "bare insert"),
        Target("score/s over a bare insert", "per_s", f"score, {large}", "bare insert"),
    )
    notes = (
        f"one school; {IN_FLIGHT} commands in flight, of bare inserts {CONNECTIONS}; pages are asked one by one",
        f"every child has a plan, goals and scores: {PAGES_OF} all {GOALS} and {SCORES}, the others a quarter of it",
    )
    return [Report("goals: through RPC with grants checked", found, judge(found, targets), [*notes, *failed])]
