"""The tables: walls, and the indexes that hot paths use."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import asyncpg
import pytest

from services.network import store
from tests.network.conftest import FAMILY, Network

ID = "'00000000-0000-4000-8000-000000000000'"
PATHS = {
    f"SELECT * FROM membership WHERE school = 's' AND subject = {ID}": "membership_subject",
    f"SELECT * FROM membership WHERE school = 's' AND person = {ID}": "membership_person",
    f"SELECT * FROM authority WHERE school = 's' AND child = {ID}": "authority_child",
    f"SELECT * FROM consent WHERE school = 's' AND child = {ID}": "consent_one",
    "SELECT * FROM person WHERE school = 's' AND sourced_id = 'x'": "person_sourced_id",
    "SELECT * FROM child WHERE school = 's' AND wide < 3": "child_wide",
    "SELECT * FROM child WHERE school = 's' AND attend_at <= now()": "child_attend",
    f"SELECT * FROM emergency WHERE school = 's' AND child = {ID}": "emergency_child",
    "SELECT * FROM emergency WHERE school = 's' AND ends_at > now() ORDER BY ends_at": "emergency_lasts",
    "SELECT * FROM emergency WHERE school = 's' AND outcome IS NULL": "emergency_waits",
    f"SELECT * FROM dispute WHERE school = 's' AND child = {ID}": "dispute_child",
    f"SELECT * FROM withholding WHERE school = 's' AND child = {ID}": "withholding_child",
    f"SELECT * FROM reminder WHERE school = 's' AND child = {ID}": "reminder_child",
    f"SELECT * FROM dialogue WHERE school = 's' AND subject = {ID} AND id < {ID} ORDER BY id DESC": "dialogue_subject",
    f"SELECT * FROM dialogue WHERE school = 's' AND subject = {ID} AND state IN ('open', 'agreed')": "dialogue_live",
    f"SELECT * FROM turn WHERE school = 's' AND dialogue = {ID}": "turn_number",
    f"SELECT * FROM commitment WHERE school = 's' AND dialogue = {ID}": "commitment_dialogue",
    "SELECT * FROM commitment WHERE school = 's' AND next_on <= '2026-01-01'": "commitment_next",
    f"SELECT * FROM withdrawal WHERE school = 's' AND thing = {ID}": "withdrawal_thing",
    "SELECT * FROM child WHERE school = 's' AND due_on <= '2026-01-01'": "child_due",
}


@pytest.mark.parametrize("query", PATHS)
async def test_hot_paths_find_their_index_under_row_level_security(network: Network, query: str) -> None:
    async with network.db.school("s") as conn:
        await conn.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {query}"))
    assert PATHS[query] in plan


async def test_another_school_sees_no_row_of_any_table(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    tables = ("school_profile", "organisation", "person", "child", "membership", "authority")
    for school, there in ((network.school, True), ("elsewhere", False)):
        async with network.db.school(school) as conn:
            for table in tables:
                assert bool(await conn.fetchval(f"SELECT count(*) FROM {table}")) is there, table


async def test_the_same_open_membership_can_not_be_twice(network: Network) -> None:
    await network.open()
    await network.operate("import-roster", **FAMILY)
    async with network.db.school(network.school) as conn:
        with pytest.raises(asyncpg.UniqueViolationError):
            await conn.execute(
                "INSERT INTO membership SELECT school, gen_random_uuid(), 1, subject, person, role, organisation,"
                " on_behalf_of, source, starts_at, ends_at FROM membership LIMIT 1"
            )


COMMITMENT = """
INSERT INTO commitment (school, id, version, dialogue, subject, proposal, carrier, by_on, review_on, state, reminded,
                        next_on, made_at)
SELECT $1, gen_random_uuid(), 1, gen_random_uuid(), $2, 0, 'asking', $3, $3, 'standing', 'not', $3, clock_timestamp()
  FROM generate_series(1, $4) RETURNING dialogue
"""
PENDING = """
INSERT INTO withdrawal (school, id, version, subject, thing, act)
SELECT $1, gen_random_uuid(), 1, gen_random_uuid(), gen_random_uuid(), '{}' FROM generate_series(1, $2)
"""


async def test_reviews_of_a_child_that_is_erased_take_no_place_on_the_page(network: Network) -> None:
    gone, other = uuid4(), uuid4()
    async with network.db.school(network.school) as conn:
        await conn.execute("INSERT INTO erased VALUES ($1, $2, 1, clock_timestamp())", network.school, gone)
        await conn.execute(COMMITMENT, network.school, gone, date(2020, 1, 1), 3)
        due = await conn.fetchval(COMMITMENT, network.school, other, date(2020, 1, 2), 1)
        assert await conn.fetchval("SELECT list_reviews($1, 2)", network.school) == [due]
        await conn.execute(
            "DELETE FROM commitment"
        )  # their dialogues, which are asked for at the commit, are not there


async def test_a_school_with_many_pending_withdrawals_leaves_room_for_others(network: Network) -> None:
    for school, count in (("a", 1001), ("b", 1)):
        async with network.db.school(school) as conn:
            await conn.execute(PENDING, school, count)
    found = [row["school"] for row in await network.db.rows(store.PENDING)]
    assert (len(found), found.count("b")) == (1000, 1)
