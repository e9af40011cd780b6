"""Every table of every service is erased with a child, or named here with why it is not: a new one needs that too."""

from __future__ import annotations

import asyncpg
import pytest

from tests.faults.stage import SERVICES
from tests.support.fixtures import DatabaseFactory

TABLES = """
SELECT relname FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm', 'f')
"""

EVERYWHERE = {
    "access": "the last of it is an empty set of grants, on a pseudonym that nobody can resolve",
    "erased": "the mark that keeps the pseudonym closed",
    "journal": "thin events: pseudonyms, codes, dates; names and texts were never in it",
    "journal_head": "a number and a hash a school",
    "relay_cursor": "a number a school",
    "projection_cursor": "a number and a hash a lane",
    "access_lease": "readings of a clock",
    "access_generation": "of the database",
    "lease_question": "a counter",
    "time_shift": "of the database",
    "migration": "of the database",
    "erasable": "the list itself",
}
KEPT = {
    "network": {
        "school_profile": "of the school",
        "organisation": "of the school",
        "policy_version": "of the school",
        "consent_notice": "of the school",
        "retention_version": "of the school",
        "erasure": "that it was done: reason, counts, and who asked and confirmed",
    },
    "goals": {
        "plan_policy": "of the school",
        "goal_template": "of the school",
        "school_calendar": "of the school",
        "guidance": "of the school: its expert team's words",
        "heard_measure": "of the school: by which figures a goal of its own is measured",
        "heard_figure": "of the school: counts of ten people or more, as they were told",
        "goal_template_text": "of the school: example words about no child",
    },
    "notifications": {
        "notice_rule": "of the school",
        "days_off": "of the school",
        "school_hours": "of the school",
        "witnessed": "sizes and hashes of the log",
        "outlet": "of the school: channels that it set up itself",
        "school_pace": "how much went lately, a number a channel",
        "channel_pace": "the same of all schools",
        "circuit": "hashes of mail domains and services that fail now; a day later they go",
    },
    "gate": {
        "tool": "of the school: its tools",
        "outlet": "numbers a tool",
        "own_replay": "numbers a tool",
        "tool_member": "of the school: ids of tools, which no person has",
        "tool_login": "of the school: public keys of its tools",
        "webhook": "of the school: where it has its tools told, and by which keys",
        "receiver": "how a tool's server fares",
        "parcel": "numbers of a tool that are not delivered; what lies under them is in put_out",
        "slot_taken": "random names of accounts, of no school",
    },
    "audit": {
        "log_head": "the log stays: about a pseudonym that nobody can resolve",
        "line": "the log stays: about a pseudonym that nobody can resolve",
        "log_node": "hashes of the log",
        "checkpoint": "hashes of the log, signed",
        "cosignature": "signatures on hashes of the log",
        "endorsement": "signatures on hashes of the log",
        "finding": "of the log: pseudonyms, codes and moments",
        "judge_position": "a number a school",
    },
}


async def undecided(conn: asyncpg.Connection[asyncpg.Record], service: str) -> set[str]:
    """Returns the tables without a decision, and decisions about tables that are not there."""
    tables = {row["relname"] for row in await conn.fetch(TABLES)}
    erased = {row["name"] for row in await conn.fetch("SELECT name FROM erasable")}
    kept = {*EVERYWHERE, *KEPT[service]}
    assert not erased & kept
    return tables ^ (erased | kept)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_is_erased_with_a_child_or_named_with_a_reason(
    service: str, database: DatabaseFactory
) -> None:
    conn = await asyncpg.connect((await database(service)).owner_dsn)
    try:
        assert await undecided(conn, service) == set()
        await conn.execute("CREATE TABLE more (school text, id uuid, child uuid, PRIMARY KEY (school, id))")
        assert await undecided(conn, service) == {"more"}
    finally:
        await conn.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_the_list_of_what_is_erased_can_be_run_and_no_login_can_change_it(
    service: str, database: DatabaseFactory
) -> None:
    made = await database(service)
    conn = await asyncpg.connect(made.dsn)
    try:
        for kind in ("child", "person"):
            async with conn.transaction():
                await conn.execute("SELECT set_config('app.school', 'x', true)")
                nobody = "gen_random_uuid()"
                assert await conn.fetchval(f"SELECT erasable_counts($1, 'x', {nobody})", kind) == "{}"
                assert await conn.fetchval(f"SELECT erase_rows($1, 'x', {nobody}, 500)", kind) == "{}"
        for change in ("DELETE FROM erasable", "UPDATE erasable SET condition = 'true'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(change)
    finally:
        await conn.close()
