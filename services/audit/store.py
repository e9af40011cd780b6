"""The log's tables: lines are added a batch at a time, under the lock of the school's head."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.audit.files import LogFiles
from services.audit.model import Line
from shared.db import Connection
from shared.errors import Transient
from shared.events.words import school_subject
from shared.tlog import tiles
from shared.tlog.merkle import Tree, extend, root
from shared.tlog.note import Checkpoint

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)

HEAD = "SELECT size, frontier FROM log_head WHERE school = $1 FOR UPDATE"
OPEN = "INSERT INTO log_head VALUES ($1, $2, 0, $3, '{}') ON CONFLICT DO NOTHING"

ADD = """
WITH moved AS (
    UPDATE log_head SET size = $2, root = $3, frontier = $4::bytea[] WHERE school = $1
), nodes AS (
    INSERT INTO log_node (school, level, idx, hash)
    SELECT $1, * FROM unnest($5::int[], $6::bigint[], $7::bytea[])
)
INSERT INTO line (school, idx, producer, epoch, seq, type, occurred_at, recorded_at, about, actor, category, outcome,
                  look, leaf_hash, entry, event)
SELECT $1, $8::bigint + n - 1, ($9::text[])[k], ($10::int[])[k], seq, ($11::text[])[k],
       timestamptz 'epoch' + occurred / 1000000 * interval '1 second' + occurred % 1000000 * interval '1 microsecond',
       timestamptz 'epoch' + recorded / 1000000 * interval '1 second' + recorded % 1000000 * interval '1 microsecond',
       about, actor, ($12::text[])[k], ($13::text[])[k], ($14::boolean[])[k], leaf_hash, entry, event
  FROM unnest($15::int[], $16::bigint[], $17::bigint[], $18::bigint[], $19::uuid[], $20::uuid[], $21::bytea[],
              $22::text[], $23::text[])
       WITH ORDINALITY AS x (k, seq, occurred, recorded, about, actor, leaf_hash, entry, event, n)
"""
TAIL = """
SELECT event FROM line
 WHERE school = (SELECT current_school()) AND producer = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""
PAGE = 2000
LINES = "SELECT entry, event FROM line WHERE school = $1 AND idx >= $2 AND idx < $3 ORDER BY idx"
ADD_CHECKPOINT = "INSERT INTO checkpoint (school, size, root, note) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"

ADD_COSIGNATURE = "INSERT INTO cosignature (school, size, witness, line) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
ADD_ENDORSEMENT = "INSERT INTO endorsement (school, size) VALUES ($1, $2) ON CONFLICT DO NOTHING"


async def lock_head(conn: Connection, school: str) -> Tree:
    """Returns the school's tree, its head locked until the transaction ends; opens the log of a new school."""
    row = await conn.fetchrow(HEAD, school)
    if row is None:
        await conn.execute(OPEN, school, school_subject(school), root(Tree()))
        row = await conn.fetchrow(HEAD, school)
    if row is None:
        msg = "the head of the log was not opened"
        raise RuntimeError(msg)
    return Tree(row["size"], tuple(row["frontier"]))


async def add_lines(conn: Connection, school: str, lines: Sequence[Line], files: LogFiles) -> None:
    """Adds lines at the log's end: one statement, after the head's lock.

    What is signed on disk can only be written again as it stands there: else raises Transient, until it is reloaded.
    """
    tree = await lock_head(conn, school)
    leaves = [line.leaf_hash for line in lines]
    if tree.size < files.tree.size:
        end = min(tree.size + len(leaves), files.tree.size)
        if await asyncio.to_thread(files.read, tiles.hashes(0), tree.size, end) != leaves[: end - tree.size]:
            msg = "log_behind_its_files"
            raise Transient(msg)
    grown, completed = extend(tree, leaves)
    nodes = [(new.level, new.first + n, hash_) for new in completed for n, hash_ in enumerate(new.hashes)]
    levels, indexes, hashes = zip(*nodes, strict=True) if nodes else ((), (), ())
    columns = columns_of(lines)
    await conn.execute(
        ADD, school, grown.size, root(grown), grown.frontier, levels, indexes, hashes, tree.size, *columns
    )


def columns_of(lines: Sequence[Line]) -> list[Sequence[object]]:
    """Returns what `ADD` makes lines of: what many have in common once, then by line its place there and the rest.

    Moments as whole microseconds: the driver takes twice as long over a moment as over a number.
    """
    producer, epoch, seq, type_, occurred, recorded, about, actor, *rest = zip(*lines, strict=True)
    category, outcome, look, leaf, entry, event = rest
    places: dict[tuple[object, ...], int] = {}
    common = zip(producer, epoch, type_, category, outcome, look, strict=True)
    numbers = [places.setdefault(one, len(places) + 1) for one in common]
    moments = _whole(occurred), _whole(recorded)
    return [*zip(*places, strict=True), numbers, seq, *moments, about, actor, leaf, entry, event]


def _whole(moments: Sequence[datetime]) -> list[int]:
    try:
        return [(at - EPOCH) // MICROSECOND for at in moments]
    except TypeError:  # one that names no zone is taken for this machine's, as the driver does
        return [(at.astimezone(UTC) - EPOCH) // MICROSECOND for at in moments]


async def tail(conn: Connection, producer: str, after_seq: int, limit: int) -> list[bytes]:
    """Returns the exact bytes of a producer's events after `after_seq` as they were logged, in order, at most `limit`.

    `conn` is a school's transaction. From these a producer takes back what it lost.
    """
    return [row[0].encode() for row in await conn.fetch(TAIL, producer, after_seq, limit)]


async def unsigned(conn: Connection, school: str, first: int) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Returns the log's size and root, and (entry, event) of its lines from `first` on, a page."""
    head = await conn.fetchrow("SELECT size, root FROM log_head WHERE school = $1", school)
    if head is None:
        return 0, root(Tree()), []
    lines = await conn.fetch(LINES, school, first, min(first + PAGE, head["size"]))
    return head["size"], head["root"], [(row["entry"].encode(), row["event"].encode()) for row in lines]


async def add_checkpoint(conn: Connection, school: str, checkpoint: Checkpoint, note: str) -> None:
    """Keeps a signed checkpoint, one a size."""
    await conn.execute(ADD_CHECKPOINT, school, checkpoint.size, checkpoint.root, note)


async def newest_note(conn: Connection, school: str) -> str | None:
    """Returns the newest checkpoint as the log signed it."""
    sql = "SELECT note FROM checkpoint WHERE school = $1 ORDER BY size DESC LIMIT 1"
    note: str | None = await conn.fetchval(sql, school)
    return note


async def add_cosignature(conn: Connection, school: str, size: int, witness: str, line: str) -> None:
    """Keeps a witness's signature line over a checkpoint, one a witness: `<name>+<key id>`."""
    await conn.execute(ADD_COSIGNATURE, school, size, witness, line)


async def add_endorsement(conn: Connection, school: str, size: int) -> None:
    """Notes that enough witnesses signed a checkpoint."""
    await conn.execute(ADD_ENDORSEMENT, school, size)
