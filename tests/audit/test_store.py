from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from deploy.databases import ServiceDatabase
from services.audit.files import Logs
from services.audit.model import line_of
from services.audit.store import _whole, add_lines, lock_head, tail
from services.audit.tasks import Signer
from shared.events.words import school_subject
from shared.tlog.note import origin, verifier_key, verify
from tests.audit.support import CHILD, KEY, NOW, Journal, Log, as_owner

MIGRATIONS = (Path(__file__).parents[2] / "services/audit/migrations").glob("*.sql")

FORGE = """
INSERT INTO line (school, idx, producer, epoch, seq, type, occurred_at, recorded_at, about, actor, category, outcome,
                  look, leaf_hash, entry, event)
SELECT school, idx, 'x', 1, 1, type, occurred_at, recorded_at, about, actor, category, outcome, look, leaf_hash, '', ''
  FROM line ON CONFLICT (school, idx) DO UPDATE SET entry = excluded.entry
"""
LOGIN_ATTEMPTS = (
    "UPDATE line SET outcome = 'permitted'",
    "UPDATE line SET entry = entry WHERE false",
    "DELETE FROM line",
    "TRUNCATE line",
    FORGE,
    "MERGE INTO line l USING line m ON l.idx = m.idx WHEN MATCHED THEN DELETE",
    "UPDATE checkpoint SET note = ''",
    "DELETE FROM checkpoint",
    "TRUNCATE checkpoint",
    "UPDATE log_node SET hash = hash",
    "DELETE FROM log_node",
    "DELETE FROM log_head",
    "TRUNCATE log_head",
    "UPDATE log_head SET size = size - 1",
    "UPDATE log_head SET root = '\\x00'",
    "UPDATE log_head SET school = 'other', size = size + 1",
    "ALTER TABLE line DISABLE TRIGGER line_kept",
    "ALTER TABLE line DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE line NO FORCE ROW LEVEL SECURITY",
    "DROP TRIGGER line_kept ON line",
    "DROP TABLE line",
    "CREATE RULE r AS ON INSERT TO line DO INSTEAD NOTHING",
    "CREATE OR REPLACE FUNCTION keep_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SET LOCAL session_replication_role = replica",
    "SET LOCAL ROLE samen_audit_owner",
    "SELECT * FROM line FOR UPDATE",
)
OWNER_ATTEMPTS = (
    "UPDATE line SET outcome = 'permitted'",
    "DELETE FROM line",
    "TRUNCATE line",
    "UPDATE checkpoint SET note = ''",
    "TRUNCATE checkpoint",
    "DELETE FROM log_node",
    "DELETE FROM log_head",
    "UPDATE log_head SET size = size - 1",
)


async def state(log: Log) -> list[list[dict[str, object]]]:
    tables = ("line", "log_head", "log_node", "checkpoint")
    return [await log.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


async def filled(log: Log) -> Journal:
    journal = Journal(log.school)
    await log.log(journal.many(300))
    assert await log.sign() == 1
    return journal


async def test_the_services_login_can_only_add_and_read(log: Log, kept: ServiceDatabase) -> None:
    await filled(log)
    before = await state(log)
    login = await asyncpg.connect(kept.dsn)
    try:
        await _try(login, log.school, "GRANT UPDATE ON line TO samen_audit")  # only a warning: nothing is granted
        for attempt in LOGIN_ATTEMPTS:
            with pytest.raises(asyncpg.PostgresError) as refused:
                await _try(login, log.school, attempt)
            assert isinstance(refused.value, asyncpg.InsufficientPrivilegeError), (attempt, refused.value)
        await _try(login, log.school, "SELECT * FROM line")  # the positive control
    finally:
        await login.close()
    assert await state(log) == before


async def test_triggers_hold_off_the_owner_and_a_replicas_session(
    log: Log, kept: ServiceDatabase, servers_admin: str
) -> None:
    await filled(log)
    before = await state(log)
    async with as_owner(kept, log.school) as owner:
        for attempt in OWNER_ATTEMPTS:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only"):
                await owner.execute(attempt)
    admin = await asyncpg.connect(servers_admin.rsplit("/", 1)[0] + "/" + kept.name)
    try:
        await admin.execute("SET session_replication_role = replica")
        for attempt in OWNER_ATTEMPTS:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only"):
                await admin.execute(attempt)
    finally:
        await admin.close()
    assert await state(log) == before


async def test_the_login_holds_no_right_to_change_even_without_triggers(kept: ServiceDatabase) -> None:
    login = await asyncpg.connect(kept.dsn)
    try:
        for table in ("line", "log_node", "checkpoint", "log_head"):
            for right in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES", "MAINTAIN"):
                holds = await login.fetchval("SELECT has_table_privilege($1, $2)", table, right)
                assert holds is (table == "log_head" and right == "UPDATE"), (table, right)
            assert await login.fetchval("SELECT has_table_privilege($1, 'INSERT')", table)
    finally:
        await login.close()


async def _try(conn: asyncpg.Connection[asyncpg.Record], school: str, sql: str) -> None:
    async with conn.transaction():
        await conn.execute("SELECT set_config('app.school', $1, true)", school)
        await conn.execute(sql)


async def test_one_schools_lines_do_not_exist_for_another(log: Log) -> None:
    await filled(log)
    async with log.db.school("other") as conn:
        for table in ("line", "log_head", "log_node", "checkpoint"):
            assert await conn.fetch(f"SELECT * FROM {table}") == []
    async with log.db.school("other") as conn:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await conn.execute("INSERT INTO checkpoint (school, size, root, note) VALUES ($1, 999, '', '')", log.school)
    async with log.db.school("other") as conn:
        assert (await lock_head(conn, "other")).size == 0


async def test_a_producers_lost_tail_comes_back_byte_for_byte(log: Log) -> None:
    goals, network = Journal(log.school), Journal(log.school, "network")
    await log.log(goals.many(5))
    await log.log(network.many(3))
    await log.log(goals.many(5))
    async with log.db.school(log.school) as conn:
        assert await tail(conn, "goals", 4, 100) == [event.raw for event in goals.events[4:]]
        assert await tail(conn, "goals", 4, 2) == [event.raw for event in goals.events[4:6]]
        assert await tail(conn, "network", 3, 100) == []
    async with log.db.school("other") as conn:
        assert await tail(conn, "goals", 0, 100) == []


async def test_every_growth_gets_a_checkpoint_that_verifies(log: Log) -> None:
    journal = await filled(log)
    assert await log.sign() == 0
    await log.log([journal.viewed()])
    assert await log.sign() == 1
    notes = await log.rows("SELECT size, root, note FROM checkpoint ORDER BY size")
    public = verifier_key(origin("wijzer", log.school), KEY.public_key())
    signed = [verify(row["note"], public) for row in notes]
    assert [one.size for one in signed] == [300, 301]
    head = (await log.rows("SELECT size, root FROM log_head"))[0]
    assert (signed[-1].size, signed[-1].root) == (head["size"], head["root"])


async def test_replicas_that_sign_while_the_log_grows_do_not_fork_it(log: Log, tmp_path: Path) -> None:
    """One signs at a time, but a paused one may wake and still think it is the one."""
    journal = Journal(log.school)
    signed = [0, 0]

    async def signing(number: int, signer: Signer) -> None:
        while not all(signed):
            signed[number] += await signer.sign_all()

    folder = tmp_path / "log"
    signers = [asyncio.create_task(signing(number, log.signer(Logs(folder)))) for number in range(2)]
    lines = 0
    while not all(signed):
        await log.log(journal.many(3))
        lines += 3
    await asyncio.gather(*signers)
    log.logs.forget()
    await log.sign()
    sizes = [row["size"] for row in await log.rows("SELECT size FROM checkpoint ORDER BY size")]
    assert len(sizes) > 1
    assert sizes[-1] == (await log.logs.of(log.school)).tree.size == lines
    assert set(log.alarms) <= {"log_files"}  # whoever came second says so, and reads the log anew


async def test_the_head_knows_the_schools_subject(log: Log) -> None:
    await log.log(Journal(log.school).many(1))
    assert (await log.rows("SELECT subject FROM log_head"))[0]["subject"] == school_subject(log.school)


async def test_rare_fields_are_read_from_the_entry_itself(log: Log) -> None:
    await log.log([Journal(log.school).viewed(operator="op-1", consent_version=4)])
    row = (await log.rows("SELECT *, event_hash FROM line"))[0]
    assert (row["operator"], row["consent_version"], row["role"], row["purpose"]) == (
        "op-1",
        "4",
        "teacher",
        "guidance",
    )
    assert (row["actor_kind"], row["basis"], row["emergency"]) == ("person", "public_task", "false")
    assert row["about"] == CHILD


async def test_all_of_the_migration_ran_under_always_triggers(kept: ServiceDatabase) -> None:
    owner = await asyncpg.connect(kept.owner_dsn)
    try:
        modes = await owner.fetch("SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal")
    finally:
        await owner.close()
    assert len(modes) == sum(one.read_text().count("CREATE TRIGGER") for one in MIGRATIONS) == 8
    assert {row["tgenabled"] for row in modes} == {b"A"}


async def test_moments_are_kept_to_the_microsecond_whenever_they_are(log: Log) -> None:
    """They go in as whole numbers, of which floating point holds those up to the year 2255."""
    line = line_of(Journal(log.school).viewed())
    moments = [
        datetime(year, 12, 31, 23, 59, 59, micros, UTC)
        for year in (1, 1969, 2026, 2255, 3001, 9999)
        for micros in (1, 999_999)
    ]
    lines = [line._replace(seq=n + 1, occurred_at=at, recorded_at=at) for n, at in enumerate(moments)]
    async with log.db.school(log.school) as conn:
        await add_lines(conn, log.school, lines, await log.logs.of(log.school))
    rows = await log.rows("SELECT occurred_at, recorded_at FROM line ORDER BY idx")
    assert [(row["occurred_at"], row["recorded_at"]) for row in rows] == [(at, at) for at in moments]
    assert _whole([NOW, NOW.astimezone().replace(tzinfo=None)]) == _whole([NOW, NOW])
