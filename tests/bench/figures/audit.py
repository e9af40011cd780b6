"""The audit log: lines in a batch beside one a transaction, questions, proofs, and an offline check of a pack."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from unittest.mock import patch

import asyncpg

from deploy.pack.source import Source
from deploy.pack.verifier import verify as verify_pack
from deploy.pack.writer import PackWriter
from services.audit.files import Logs
from services.audit.model import Line, line_of
from services.audit.store import add_lines
from shared.db import Database
from shared.tlog.trust import pem_of
from tests.audit.packs import POLICY_TEXT, TRUST, entries_of, note_of
from tests.audit.support import KEY, Journal, Log
from tests.bench.harness import Report, Run, Target, report
from tests.bench.product.stack import fresh
from tests.bench.servers import BenchServers

BATCH, BATCHES, SINGLES = 2_000, 10, 300
LINES = int(os.environ.get("SAMEN_BENCH_LINES", "200000"))
"""How many lines questions are asked of; what is asked of the product is at 5,000,000."""
SCHOOLS, CHILDREN = 50, 400
PROVEN = int(os.environ.get("SAMEN_BENCH_PROVEN", "100000"))
"""How many lines the log has of which lines are proven; what is asked of the product is at 1,000,000."""
ASKED, MADE = 200, 50_000
PACKED = int(os.environ.get("SAMEN_BENCH_PACKED", "120000"))
"""How many lines the pack has."""

FILL = """
INSERT INTO line (school, idx, producer, epoch, seq, type, occurred_at, recorded_at, about, actor, category, outcome,
                  look, leaf_hash, entry, event)
SELECT $1, n, l.producer, 1, n + 1, l.type, l.occurred_at + n * interval '1 minute', l.recorded_at,
       md5($1 || (n % $4)::text)::uuid, l.actor, l.category, l.outcome, true, l.leaf_hash, l.entry, l.event
  FROM generate_series($2::bigint, $3::bigint) n, (SELECT * FROM line WHERE school = $5 AND idx = 0) l
"""
WHO = """
SELECT read_who_looked(jsonb_build_object('school', $1::text, 'child', md5($1::text || $2::text)::uuid, 'limit', 50,
                                          'purpose', 'oversight'))
"""
PROOF = "SELECT read_proof(jsonb_build_object('school', $1::text, 'idx', $2::bigint))"
SIZE = "SELECT pg_total_relation_size('line')"


async def audit(servers: BenchServers, runs: int) -> list[Report]:
    """Measures how fast lines are added, found and proven."""
    made = await fresh(servers, "audit")
    db = await Database.connect(made["audit"].dsn, 2)
    log = Log(db, "bench-log", servers.root / "bench-log")
    events = Journal("bench-log").many(BATCH * BATCHES)
    lines = [line_of(event) for event in events]
    found = [
        await report(
            "audit: lines into the log",
            {"batch": adding(db, log.logs, lines, BATCH), "one each": adding(db, log.logs, lines[:SINGLES], 1)},
            (
                Target("batch over one a transaction", "lines_per_s", "batch", "one each", at_least=40),
                Target("lines/s from a batch", "lines_per_s", "batch", at_least=60_000),
            ),
            runs,
            f"{BATCH} lines a transaction, on one connection; the file and its signature come after",
        )
    ]
    line_bytes = await fill(db, log, made["audit"].owner_dsn)
    targets = (
        Target("who-saw p50, ms", "who_saw_p50_ms", "product", at_most=10),
        Target("proof p50, ms", "proof_p50_ms", "product", at_most=2),
        Target("bytes a line, indexes too", "line_bytes", "product"),
    )
    sides = {"product": asking(db, line_bytes)}
    note = f"{LINES:,} lines of {SCHOOLS} schools (SAMEN_BENCH_LINES), a proof of {PROVEN:,} (SAMEN_BENCH_PROVEN); "
    note += "the reader's time"
    found.append(await report("audit: questions and proofs", sides, targets, runs, note))
    await db.close()
    return found


def adding(db: Database, logs: Logs, lines: list[Line], size: int) -> Run:
    """Returns a run that adds these lines, so many a transaction, to a log of its own."""
    names = iter(range(1_000))

    async def run() -> Mapping[str, float]:
        school = f"bench-{size}-{next(names)}"
        files = await logs.of(school)
        started = time.perf_counter()
        for first in range(0, len(lines), size):
            async with db.school(school) as conn:
                await add_lines(conn, school, lines[first : first + size], files)
        return {"lines_per_s": len(lines) / (time.perf_counter() - started)}

    return run


async def fill(db: Database, log: Log, owner_dsn: str) -> float:
    """Makes one log of lines that are proven, and of every school so many that are looked for; returns bytes a line."""
    lines = [line_of(event) for event in Journal(log.school).many(min(MADE, PROVEN))]
    files = await log.logs.of(log.school)
    for first in range(0, PROVEN, BATCH):
        numbers = range(first, min(first + BATCH, PROVEN))
        async with db.school(log.school) as conn:
            part = [lines[n % MADE]._replace(seq=n + 1) for n in numbers]
            await add_lines(conn, log.school, part, files)
    while await log.sign():
        pass
    (before,) = (await db.rows(SIZE))[0]
    owner = await asyncpg.connect(owner_dsn)  # whose transactions may live longer
    for n in range(SCHOOLS):
        school = f"bench-of-{n}"
        async with db.school(school) as conn:
            await add_lines(conn, school, lines[:1], await log.logs.of(school))
        await owner.execute("SELECT set_config('app.school', $1, false)", school)
        await owner.execute(FILL, school, 1, LINES // SCHOOLS - 1, CHILDREN, school)
    await owner.execute("ANALYZE line")
    await owner.close()
    (after,) = (await db.rows(SIZE))[0]
    return float(after - before) / LINES


def asking(db: Database, line_bytes: float) -> Run:
    """Returns a run of questions and proofs, each on its own."""

    async def timed(school: str, sql: str, argument: object) -> float:
        async with db.school(school) as conn:
            started = time.perf_counter()
            await conn.fetchval(sql, school, argument)
            return (time.perf_counter() - started) * 1000

    async def run() -> Mapping[str, float]:
        who = [await timed(f"bench-of-{n % SCHOOLS}", WHO, str(n % CHILDREN)) for n in range(ASKED)]
        proofs = [await timed("bench-log", PROOF, n * 7919 % PROVEN) for n in range(ASKED)]
        return {"who_saw_p50_ms": median(who), "proof_p50_ms": median(proofs), "line_bytes": line_bytes}

    return run


async def verify(servers: BenchServers, runs: int) -> list[Report]:
    """Measures the offline check of a pack beside SHA-256 alone over the same lines, in turn."""
    folder = servers.root / "bench-pack"
    entries = entries_of("de-eik", PACKED)
    await asyncio.to_thread(pack, folder, entries)
    targets = (
        Target("lines/s", "lines_per_s", "verify", at_least=150_000),
        Target("verify over line by line", "lines_per_s", "verify", "line by line"),
        Target("sha256 over verify", "lines_per_s", "sha256", "verify"),
    )
    sides = {
        "verify": partial(checking, folder),
        "line by line": partial(checking, folder, in_columns=False),
        "sha256": partial(hashing, entries),
    }
    note = "all of it: signatures, tiles, tree, lines, CSV, FHIR, Parquet where it is installed, and the reports; "
    note += f"{PACKED:,} lines (SAMEN_BENCH_PACKED); line by line is how it goes without numpy"
    found = await report("audit: a pack verified offline", sides, targets, runs, note)
    shutil.rmtree(folder)
    return [found]


def pack(folder: Path, entries: list[bytes]) -> None:
    """Writes a pack of a whole log."""
    note = note_of("de-eik", entries)
    with PackWriter(folder, note, 0, len(entries)) as writer:
        for first in range(0, len(entries), 1000):
            writer.entries(entries[first : first + 1000])
        writer.checkpoints([note])
        writer.finish(pem_of(KEY.public_key()), POLICY_TEXT.encode())


async def checking(folder: Path, *, in_columns: bool = True) -> Mapping[str, float]:
    """Returns how many lines a second are verified."""
    started = time.perf_counter()
    how: AbstractContextManager[object] = (
        nullcontext() if in_columns else patch("deploy.pack.blocks.columns_of", lambda _: None)
    )
    with Source(folder) as source, how:
        found = verify_pack(source, TRUST)
    if found.findings:
        raise RuntimeError(f"an untouched pack: {found.findings[:3]}")
    return {"lines_per_s": found.lines / (time.perf_counter() - started)}


async def hashing(entries: list[bytes]) -> Mapping[str, float]:
    """Returns how many lines a second are hashed, one by one."""
    started = time.perf_counter()
    for entry in entries:
        sha256(entry).digest()
    return {"lines_per_s": len(entries) / (time.perf_counter() - started)}
