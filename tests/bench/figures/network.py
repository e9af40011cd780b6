"""What network does in numbers: grants from facts, grants into every other service, and a large roster."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID

import psutil

from deploy.demo.foundation import make_foundation
from deploy.demo.oneroster import write_oneroster
from deploy.environment import base_environment
from services.network.grants import child_grants
from services.network.model import Child
from shared.clock import Ids
from shared.db import Database
from shared.events.base import Act, NewEvent
from shared.events.network import AccessChanged, Grant
from shared.events.words import Action, ActorKind, Category, Purpose, Role
from shared.journal import append
from tests.bench.event import SCHOOLS
from tests.bench.figures.size import up
from tests.bench.harness import Report, Run, Target, report
from tests.bench.product.stack import Lag, empty_stream, environment, fresh
from tests.bench.servers import BenchServers
from tests.network import facts
from tests.support.processes import ServiceProcess

CHILDREN = 5_000
CHANGES = 8_000
A_TRANSACTION = 20
USERS = 100_000
CHILDREN_OF_USERS = 35_300
"""A made-up foundation of so many children has that many people."""
ROSTER_TIMEOUT_S = 1_500.0
ROUND_A_CHILD = (
    (Role.GUARDIAN, 2),
    (Role.TEACHER, 1),
    (Role.COORDINATOR, 1),
    (Role.SOCIAL_WORKER, 1),
    (Role.THERAPIST, 1),
)
SCHOOL = facts.school(
    facts.member(UUID(int=101), Role.SCHOOL_ADMINISTRATOR, subject=facts.SCHOOL),
    facts.member(UUID(int=102), Role.AUDITOR, subject=facts.SCHOOL),
)


def a_child(ids: Ids) -> Child:
    """Returns a child with two parents who gave a therapist consent, and three of the team: 17 grants."""
    child = ids.pseudonym()
    people = [(role, ids.pseudonym()) for role, count in ROUND_A_CHILD for _ in range(count)]
    parents = [person for role, person in people if role is Role.GUARDIAN]
    therapist = people[-1][1]
    members = [facts.member(child, Role.CHILD), *(facts.member(person, role) for role, person in people)]
    return facts.child(
        id=child,
        memberships=tuple(replace(one, id=ids.pseudonym(), subject=child) for one in members),
        authorities=tuple(facts.authority(one, child=child) for one in parents),
        consents=(facts.consent(*map(facts.said, parents), child=child, recipient=therapist),),
    )


async def regrant() -> Mapping[str, float]:
    """Has the pure policy decide on every child once, as it does when a rule or a school's team changes."""
    ids = Ids(Random("children"))
    children = [a_child(ids) for _ in range(CHILDREN)]
    started = time.process_time()
    count = sum(len(child_grants(child, SCHOOL, facts.NOW)) for child in children)
    taken = time.process_time() - started
    return {"children_per_s": CHILDREN / taken, "grants_per_s": count / taken}


async def journal_access(servers_dsn: str, grants: tuple[Grant, ...]) -> None:
    """Journals `CHANGES` full sets of a child's grants over the schools, in network's journal."""
    db, ids, now = await Database.connect(servers_dsn, 2), Ids(Random("access")), datetime.now(UTC)
    act = Act(
        actor=UUID(int=1),
        kind=ActorKind.SERVICE,
        door="network",
        purpose=Purpose.ADMINISTRATION,
        action=Action.MANAGE,
        category=Category.NETWORK,
    )
    for place in range(CHANGES // A_TRANSACTION):
        children = [ids.pseudonym() for _ in range(A_TRANSACTION)]
        events = [NewEvent(AccessChanged(revision=1, grants=grants), child, act, child) for child in children]
        async with db.school(SCHOOLS[place % len(SCHOOLS)]) as conn:
            await append(conn, SCHOOLS[place % len(SCHOOLS)], events, ids, now)
    await db.close()


def projecting(servers: BenchServers, grants: tuple[Grant, ...]) -> Run:
    """Returns a run of goals taking over every change that network journaled, from the first commit to the last."""

    async def run() -> Mapping[str, float]:
        databases = await fresh(servers, "audit", "network", "goals")
        await empty_stream(servers)
        await journal_access(databases["network"].dsn, grants)
        services = {}
        lag = await Lag.of(servers, databases["goals"], producer="network")
        try:
            for service in ("network", "audit", "goals"):
                folder = servers.root / f"access-{service}"
                folder.mkdir(exist_ok=True)
                services[service] = ServiceProcess(service, environment(servers, databases[service]), folder)
                services[service].start()
                if service == "audit":  # it takes its lines first, so that goals has the processors to itself
                    audit = await Lag.of(servers, databases["audit"], producer="network")
                    await audit.until(CHANGES)
                    await audit.close()
            async with asyncio.timeout(60):
                while (first := await lag.applied()) == 0:  # noqa: ASYNC110  another process's database tells nobody
                    await asyncio.sleep(0.002)
            started = time.monotonic()
            ended = await lag.until(CHANGES)
        finally:
            await lag.close()
            for process in services.values():
                process.kill()
        return {"per_s": (CHANGES - first) / (ended - started)}

    return run


async def roster() -> Mapping[str, float]:
    """Has `samen roster import` take in a foundation of `USERS` people; weighs the command and the service."""
    with tempfile.TemporaryDirectory(prefix="samen-bench-roster-") as made:
        folder, today = Path(made), datetime.now(UTC).date()
        write_oneroster(make_foundation(Random("roster"), today, CHILDREN_OF_USERS), folder, today)
        rows = sum(len((folder / f"{name}.csv").read_bytes().splitlines()) - 1 for name in ("users", "roles"))
        async with up() as home:
            before = _network_mb(home)
            started = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "deploy.samen", "roster", "import", made, "--dir", str(home), "--json",
                stdout=asyncio.subprocess.PIPE, env=base_environment(),
            )  # fmt: skip
            heaviest = asyncio.create_task(_heaviest(process.pid, home))
            said, _ = await process.communicate()
            taken = time.monotonic() - started
            command_mb, network_mb = await heaviest
            added = sum(one["added"] for one in json.loads(said)["schools"])
    return {
        "rows_per_s": added / taken,
        "csv_rows": rows,
        "seconds": taken,
        "command_mb": command_mb,
        "network_mb": network_mb,
        "network_growth": network_mb / before,
    }


def _network_mb(home: Path) -> float:
    state = json.loads((home / "run" / "state.json").read_text())
    return float(psutil.Process(state["processes"]["network"]["pid"]).memory_info().rss) / 1e6


async def _heaviest(pid: int, home: Path) -> tuple[float, float]:
    """Returns the most that the command and the service network weighed until the command ended."""
    command, network = 0.0, 0.0
    while psutil.pid_exists(pid):
        try:
            command = max(command, psutil.Process(pid).memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            break
        network = max(network, _network_mb(home))
        await asyncio.sleep(0.5)
    return command, network


async def network(servers: BenchServers, runs: int) -> list[Report]:
    """Measures how fast grants are decided on and taken over."""
    ids = Ids(Random("a child"))
    grants = child_grants(a_child(ids), SCHOOL, facts.NOW)
    return [
        await report(
            "grants: decided on from facts",
            {"product": regrant},
            (Target("children/s", "children_per_s", "product", at_least=5000),),
            runs,
            f"pure Python, one process; {len(grants)} grants a child: two parents, three of the team, a therapist",
        ),
        await report(
            "grants: network.access.changed into the table of goals",
            {"product": projecting(servers, grants)},
            (Target("changes/s", "per_s", "product", at_least=8000),),
            runs,
            f"each a full set of {len(grants)} grants",
        ),
    ]


async def import_roster(servers: BenchServers, runs: int) -> list[Report]:
    """Measures one import of a large roster; once, whatever `runs` says."""
    del servers, runs
    return [
        await report(
            f"roster: {USERS:,} users",
            {"product": roster},
            (
                Target("rows/s added", "rows_per_s", "product"),
                Target("the command, MB", "command_mb", "product", at_most=200),
                Target("network, over before", "network_growth", "product", at_most=2),
            ),
            1,
            "bounded: the asked figure for memory is our own, the issue names none",
            timeout_s=ROSTER_TIMEOUT_S,
        )
    ]
