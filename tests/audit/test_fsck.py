from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.databases import ServiceDatabase
from services.audit.fsck import Report, check
from services.audit.model import line_of
from services.audit.store import add_lines
from shared.tlog.merkle import leaf_hash
from shared.tlog.note import Checkpoint, origin, sign, verifier_key
from tests.audit.support import KEY, Journal, Log, as_owner

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def checked(log: Log, kept: ServiceDatabase, **heads: int) -> Report:
    conn = await asyncpg.connect(kept.dsn)
    try:
        return await check(conn, log.school, verifier_key(origin("wijzer", log.school), KEY.public_key()), heads)
    finally:
        await conn.close()


async def filled(log: Log) -> None:
    goals, network = Journal(log.school), Journal(log.school, "network")
    await log.log(goals.many(400))
    await log.sign()
    await log.log(network.many(200))
    await log.sign()
    await log.log(goals.many(10))


async def test_an_untouched_log_passes_and_says_what_was_checked(log: Log, kept: ServiceDatabase) -> None:
    await filled(log)
    report = await checked(log, kept, goals=410, network=200)
    assert report.findings == []
    assert (report.lines, report.checkpoints, report.signed) == (610, 2, 600)
    assert report.producers == {"goals": 410, "network": 200}
    assert report.to_json()["ok"] is True


async def test_an_empty_log_passes(log: Log, kept: ServiceDatabase) -> None:
    report = await checked(log, kept)
    assert (report.findings, report.lines) == ([], 0)


async def test_a_log_behind_its_producers_is_found(log: Log, kept: ServiceDatabase) -> None:
    await filled(log)
    report = await checked(log, kept, goals=411, network=200, notifications=1)
    assert {(f.code, f.at, f.producer) for f in report.findings} == {
        ("producer_ahead_of_log", 411, "goals"),
        ("producer_ahead_of_log", 1, "notifications"),
    }


async def change_entry(owner: Owner) -> None:
    await owner.execute("UPDATE line SET entry = replace(entry, 'guidance', 'transfer') WHERE idx = 7")


async def change_entry_and_leaf(owner: Owner) -> None:
    entry = (await owner.fetchval("SELECT entry FROM line WHERE idx = 7")).replace("guidance", "transfer")
    await owner.execute("UPDATE line SET entry = $1, leaf_hash = $2 WHERE idx = 7", entry, leaf_hash(entry.encode()))


async def change_event(owner: Owner) -> None:
    await owner.execute("UPDATE line SET event = replace(event, 'guidance', 'transfer') WHERE idx = 7")


async def spoil_event(owner: Owner) -> None:
    await owner.execute("UPDATE line SET event = 'gone' WHERE idx = 7")


async def change_column(owner: Owner) -> None:
    await owner.execute("UPDATE line SET about = gen_random_uuid() WHERE idx = 7")


async def hide_look(owner: Owner) -> None:
    await owner.execute("UPDATE line SET look = false WHERE idx = 7")


async def drop_line(owner: Owner) -> None:
    await owner.execute("DELETE FROM line WHERE idx = 7")


async def drop_line_and_renumber(owner: Owner) -> None:
    await owner.execute("DELETE FROM line WHERE idx = 7")
    for idx in range(8, 610):
        await owner.execute("UPDATE line SET idx = $1::int - 1 WHERE idx = $1::int", idx)
    await owner.execute("UPDATE log_head SET size = size - 1")


async def swap_lines(owner: Owner) -> None:
    for old, new in ((7, -1), (8, 7), (-1, 8)):
        await owner.execute("UPDATE line SET idx = $2 WHERE idx = $1", old, new)


async def truncate(owner: Owner) -> None:
    await owner.execute("DELETE FROM line WHERE idx >= 590")
    await owner.execute("UPDATE log_head SET size = 590")


async def add_beyond(owner: Owner) -> None:
    columns = (
        "producer, epoch, seq + 9, type, occurred_at, recorded_at, about, actor, category, outcome, look, leaf_hash"
    )
    await owner.execute(
        f"INSERT INTO line SELECT school, 610, {columns}, entry, event FROM line WHERE idx = 609"  # as the login may
    )


async def change_root(owner: Owner) -> None:
    await owner.execute("UPDATE log_head SET root = sha256(root)")


async def change_frontier(owner: Owner) -> None:
    await owner.execute("UPDATE log_head SET frontier = frontier[2:]")


async def change_node(owner: Owner) -> None:
    await owner.execute("UPDATE log_node SET hash = sha256(hash) WHERE idx = 1")


async def drop_node(owner: Owner) -> None:
    await owner.execute("DELETE FROM log_node WHERE idx = 1")


async def sign_with_another_key(owner: Owner) -> None:
    row = await owner.fetchrow("SELECT * FROM checkpoint WHERE size = 400")
    assert row is not None
    note = sign(Checkpoint(origin("wijzer", row["school"]), 400, row["root"]), OTHER_KEY)
    await owner.execute("UPDATE checkpoint SET note = $1 WHERE size = 400", note)


async def sign_another_tree(owner: Owner) -> None:
    school = await owner.fetchval("SELECT school FROM checkpoint WHERE size = 400")
    note = sign(Checkpoint(origin("wijzer", school), 400, b"r" * 32), KEY)
    await owner.execute("UPDATE checkpoint SET note = $1, root = $2 WHERE size = 400", note, b"r" * 32)


async def move_checkpoint(owner: Owner) -> None:
    await owner.execute("UPDATE checkpoint SET size = 401 WHERE size = 400")


async def keep_checkpoint_of_more(owner: Owner) -> None:
    await owner.execute("UPDATE checkpoint SET size = 9999 WHERE size = 600")


TAMPERING: tuple[tuple[Callable[[Owner], Awaitable[None]], str], ...] = (
    (change_entry, "entry_is_not_of_its_event"),
    (change_entry_and_leaf, "checkpoint_of_another_tree"),
    (change_event, "chain_broken"),
    (spoil_event, "event_unreadable"),
    (change_column, "columns_do_not_fit_entry"),
    (hide_look, "columns_do_not_fit_entry"),
    (drop_line, "idx_not_dense"),
    (drop_line_and_renumber, "seq_not_dense"),
    (swap_lines, "seq_not_dense"),
    (truncate, "checkpoint_beyond_log"),
    (add_beyond, "line_beyond_head"),
    (change_root, "head_does_not_fit"),
    (change_frontier, "head_does_not_fit"),
    (change_node, "node_does_not_fit"),
    (drop_node, "node_missing"),
    (sign_with_another_key, "checkpoint_not_signed"),
    (sign_another_tree, "checkpoint_of_another_tree"),
    (move_checkpoint, "checkpoint_is_not_its_note"),
    (keep_checkpoint_of_more, "checkpoint_beyond_log"),
)


async def test_tampering_by_the_owner_is_found(log: Log, kept: ServiceDatabase) -> None:
    await filled(log)
    verifier = verifier_key(origin("wijzer", log.school), KEY.public_key())
    async with as_owner(kept, log.school) as owner:
        for table in ("line", "log_head", "log_node", "checkpoint"):
            await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for tamper, code in TAMPERING:
            attempt = owner.transaction()
            await attempt.start()
            await tamper(owner)
            report = await check(owner, log.school, verifier)
            assert code in {finding.code for finding in report.findings}, tamper.__name__
            await attempt.rollback()
        assert (await check(owner, log.school, verifier)).findings == [], "the attempts left nothing behind"


async def test_a_line_of_another_school_is_found(log: Log, kept: ServiceDatabase) -> None:
    events = Journal("other").many(2)
    async with log.db.school(log.school) as conn:
        await add_lines(conn, log.school, [line_of(event) for event in events], await log.logs.of(log.school))
    assert {f.code for f in (await checked(log, kept)).findings} == {"line_of_another_school"}


async def test_a_report_is_json(log: Log, kept: ServiceDatabase) -> None:
    await filled(log)
    report = await checked(log, kept, goals=999)
    told = json.loads(json.dumps(report.to_json()))
    assert told["findings"] == [{"code": "producer_ahead_of_log", "at": 999, "producer": "goals"}]
    assert told["ok"] is False
