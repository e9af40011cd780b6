from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.databases import ServiceDatabase
from services.audit.fsck import Report, check
from services.audit.fsck_files import FilesCheck
from services.audit.model import line_of
from services.audit.store import add_lines
from shared.tlog.merkle import leaf_hash
from shared.tlog.note import Checkpoint, origin, sign, verifier_key, verify
from tests.audit.support import KEY, Journal, Log, as_owner

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def checked(log: Log, kept: ServiceDatabase, **heads: int) -> Report:
    conn = await asyncpg.connect(kept.dsn)
    verifier = verifier_key(origin("wijzer", log.school), KEY.public_key())
    try:
        return await check(conn, log.school, verifier, heads, folder=log.folder)
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


# The files ----------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def sign_other(path: Path) -> None:
    path.write_text(sign(Checkpoint(Checkpoint.parse(path.read_text()).origin, 600, b"r" * 32), KEY))


def back(path: Path) -> None:
    """Puts an older log's files back."""
    shutil.rmtree(path.parent)
    (path.parent.parent / "older").rename(path.parent)


HARMED: tuple[tuple[str, Callable[[Path], object], str, str], ...] = (
    ("tile/0/000", flip, "file_does_not_fit", "tile/0/000"),
    ("tile/0/001", flip, "file_does_not_fit", "tile/0/001"),
    ("tile/1/000.p/2", flip, "file_does_not_fit", "tile/1/000.p/2"),
    ("tile/entries/000", flip, "file_does_not_fit", "tile/entries/000"),
    ("events/001", flip, "file_does_not_fit", "events/001"),
    ("tile/entries/002.p/88", flip, "file_does_not_fit", "tile/entries/002.p/88"),
    ("tile/entries/000", Path.unlink, "file_missing", "tile/entries/000"),
    ("checkpoint", flip, "file_not_signed", "checkpoint"),
    ("checkpoint", Path.unlink, "files_behind_log", "checkpoint"),
    ("checkpoint", sign_other, "file_of_another_tree", "checkpoint"),
    ("checkpoint", back, "files_behind_log", "checkpoint"),
    ("cosigned", sign_other, "file_of_another_tree", "cosigned"),
)


async def test_a_byte_changed_in_an_old_file_is_found_and_named(log: Log, kept: ServiceDatabase) -> None:
    """The service reads its last files only, so that readers outside were the first to see it."""
    await filled(log)
    (log.folder / "cosigned").write_text((log.folder / "checkpoint").read_text())
    older = log.folder.parent / "older"
    shutil.copytree(log.folder, older)
    (older / "checkpoint").write_text((await log.rows("SELECT note FROM checkpoint WHERE size = 400"))[0]["note"])
    good = log.folder.parent / "good"
    shutil.copytree(log.folder, good)
    for place, harm, code, named in HARMED:
        harm(log.folder / place)
        found = (await checked(log, kept)).findings
        assert (code, named) in {(one.code, one.file) for one in found}, (place, harm)
        assert all(one.file for one in found), "control: the database is whole"
        if place != "checkpoint":
            assert len(found) == 1, "and no other is named"
        shutil.rmtree(log.folder)
        shutil.copytree(good, log.folder)
    report = await checked(log, kept)
    assert (report.findings, report.files) == ([], 10)


async def test_files_are_built_anew_from_the_database(log: Log, kept: ServiceDatabase) -> None:
    """As the runbook has it: the folder aside, and the log's next line writes all of it again."""
    await filled(log)
    flip(log.folder / "tile/0/000")
    assert [one.file for one in (await checked(log, kept)).findings] == ["tile/0/000"]
    log.folder.rename(log.folder.with_name("aside"))
    log.logs.forget()
    await log.log(Journal(log.school, "gate").many(1))
    assert await log.sign() == 1
    report = await checked(log, kept)
    assert (report.findings, report.signed) == ([], 611)


async def test_a_log_that_grows_while_its_files_are_checked_is_whole(log: Log) -> None:
    """Its last files are swept as longer ones take their place: these are compared as far as both go."""
    await filled(log)
    verifier = verifier_key(origin("wijzer", log.school), KEY.public_key())
    found: list[tuple[str, int, str]] = []
    files = FilesCheck(log.folder, lambda note: verify(note, verifier), lambda *one: found.append(one))
    lines = await log.rows("SELECT entry, event FROM line WHERE idx < 600 ORDER BY idx")
    files.take([(row["entry"].encode(), row["event"].encode()) for row in lines])
    gate = Journal(log.school, "gate")
    for count in (10, 10, 300):
        await log.log(gate.many(count))
        await log.sign()
    assert not (log.folder / "tile/0/002.p/88").exists(), "control"
    files.end(600)
    assert found == []


async def test_a_report_is_json(log: Log, kept: ServiceDatabase) -> None:
    await filled(log)
    report = await checked(log, kept, goals=999)
    told = json.loads(json.dumps(report.to_json()))
    assert told["findings"] == [{"code": "producer_ahead_of_log", "at": 999, "producer": "goals"}]
    assert told["ok"] is False
