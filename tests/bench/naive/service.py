"""The naive service: FastStream's RPC with its defaults, ten statements a command, an outbox row at the end."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
from faststream import Header, Path
from faststream.nats import NatsBroker
from pydantic import BaseModel

from shared.actor import Actor, Verifier
from shared.db import Connection
from shared.events.base import Act, NewEvent, Viewed
from shared.events.goals import GoalProposed
from shared.events.words import Action, Basis, Category, Purpose, Role
from tests.bench import event as made
from tests.bench.worker import Handler

WORKERS = 32
"""Handlers at once: FastStream's own default is one, which would make the baseline a serial program."""

OUTBOX = "INSERT INTO outbox (subject, event) VALUES ($1, $2)"
CLAIM = """
INSERT INTO idempotency (school, actor, key, hash) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING key
"""
REPLY = "UPDATE idempotency SET reply = $4 WHERE school = $1 AND actor = $2 AND key = $3"
STRANGERS = """
SELECT count(*) FROM unnest($3::uuid[]) AS m (id)
 WHERE NOT EXISTS (SELECT FROM access a WHERE a.school = $1 AND a.child = $2 AND a.member = m.id)
"""
ADD_GOAL = "INSERT INTO goal VALUES ($1, $2, 1, $3, 'proposed', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
GOALS = """
SELECT id, version, status, domain, settings, statement, wording, baseline FROM goal
 WHERE school = $1 AND child = $2 ORDER BY id DESC LIMIT 21
"""


class Refused(Exception):
    """The command is answered with a problem."""


class ProposeGoal(BaseModel):
    about: uuid.UUID
    purpose: str
    domain: str
    settings: list[str]
    statement: str
    wording: str
    ladder: list[str]
    baseline: int
    target_on: date
    responsible: list[uuid.UUID]
    weight: int = 1


class GoalsOfChild(BaseModel):
    about: uuid.UUID
    purpose: str


async def check(conn: Connection, actor: Actor, child: uuid.UUID, action: str, purpose: str) -> Act:
    """Refuses an actor whose grant on the child does not hold now: the same decision as the product's."""
    grant = await conn.fetchrow(
        "SELECT * FROM access WHERE school = $1 AND child = $2 AND member = $3 FOR SHARE", actor.school, child, actor.id
    )
    now = await conn.fetchval("SELECT clock_timestamp()")
    if grant is None or action not in grant["actions"] or "goals" not in grant["categories"]:
        raise Refused("forbidden")
    if purpose not in grant["purposes"] or grant["valid_from"] > now or (grant["valid_until"] or now) < now:
        raise Refused("forbidden")
    return Act(
        actor=actor.id, kind=actor.kind, door=actor.door, role=Role.TEACHER, purpose=Purpose(purpose),
        action=Action(action), category=Category.GOALS, basis=Basis.PUBLIC_TASK, grant=grant["id"], revision=1,
    )  # fmt: skip


async def propose(conn: Connection, actor: Actor, key: str, body: ProposeGoal) -> dict[str, Any]:
    """Carries the command out: ten statements, with BEGIN and COMMIT."""
    school, digest = actor.school, hashlib.sha256(body.model_dump_json().encode()).hexdigest()
    async with conn.transaction():
        if await conn.fetchval(CLAIM, school, actor.id, key, digest) is None:
            raise Refused("conflict")
        act = await check(conn, actor, body.about, "propose", body.purpose)
        if not await conn.fetchval("SELECT active FROM child WHERE school = $1 AND id = $2", school, body.about):
            raise Refused("not_found")
        if await conn.fetchval(STRANGERS, school, body.about, body.responsible):
            raise Refused("strangers")
        goal = uuid.uuid4()
        await conn.execute(
            ADD_GOAL, school, goal, body.about, body.domain, body.settings, body.statement, body.wording, body.ladder,
            body.baseline, body.target_on, body.responsible, body.weight, actor.id,
        )  # fmt: skip
        fact = GoalProposed.model_validate({"version": 1, **body.model_dump()})
        await add_event(conn, NewEvent(fact, body.about, act, goal), school)
        reply = {"goal": str(goal), "version": 1, "status": "proposed"}
        await conn.execute(REPLY, school, actor.id, key, json.dumps(reply))
    return reply


async def look(conn: Connection, actor: Actor, body: GoalsOfChild) -> dict[str, Any]:
    """Answers the query, with "viewed" in the outbox first."""
    async with conn.transaction():
        act = await check(conn, actor, body.about, "view", body.purpose)
        rows = await conn.fetch(GOALS, actor.school, body.about)
        fact = Viewed(query="goals-of-child", things=len(rows))
        await add_event(conn, NewEvent(fact, body.about, act, producer="naive"), actor.school)
    return {"goals": [{**dict(row), "id": str(row["id"])} for row in rows]}


async def add_event(conn: Connection, event: NewEvent, school: str) -> None:
    """Adds one event to the outbox."""
    text = event.body(school, uuid.uuid4(), datetime.now(UTC))
    await conn.execute(OUTBOX, f"evt.{school}.naive.{event.fact.NAME}", text)


def serve(broker: NatsBroker, pool: asyncpg.Pool[asyncpg.Record], verifier: Verifier) -> None:
    """Registers the command and the query as FastStream's own documentation would."""

    @broker.subscriber("cmd.{school}.naive.propose-goal", queue="naive", max_workers=WORKERS)
    async def propose_goal(
        body: ProposeGoal,
        school: str = Path(),
        authorization: str = Header("Authorization"),
        key: str = Header("Idempotency-Key"),
    ) -> dict[str, Any]:
        actor = verifier.verify(authorization.removeprefix("Bearer "), school, datetime.now(UTC))
        try:
            async with pool.acquire() as conn:
                return {"ok": await propose(conn, actor, key, body)}
        except Refused as refused:
            return {"problem": str(refused)}

    @broker.subscriber("qry.{school}.naive.goals-of-child", queue="naive", max_workers=WORKERS)
    async def goals_of_child(
        body: GoalsOfChild, school: str = Path(), authorization: str = Header("Authorization")
    ) -> dict[str, Any]:
        actor = verifier.verify(authorization.removeprefix("Bearer "), school, datetime.now(UTC))
        try:
            async with pool.acquire() as conn:
                return {"ok": await look(conn, actor, body)}
        except Refused as refused:
            return {"problem": str(refused)}


def orders(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, Handler]:
    """Returns what the parent may order: append `count` events in transactions of `per_tx`, from 32 tasks."""

    async def append(order: dict[str, Any]) -> dict[str, Any]:
        per_tx, left = int(order["per_tx"]), int(order["count"])

        async def work(place: int) -> None:
            nonlocal left
            school = made.SCHOOLS[place % len(made.SCHOOLS)]
            subject = f"evt.{school}.naive.goal.activated"
            while left > 0:
                left -= per_tx
                rows = [(subject, made.body(school, uuid.uuid4())) for _ in range(per_tx)]
                async with pool.acquire() as conn, conn.transaction():
                    await conn.executemany(OUTBOX, rows)

        await asyncio.gather(*(work(place) for place in range(WORKERS)))
        return {}

    return {"append": append}
