"""In a database that nobody analyzed yet, whatever is looked up by an index's first columns is looked up by them."""

from __future__ import annotations

import json

import asyncpg
import pytest

from tests.faults.stage import SERVICES
from tests.support.fixtures import DatabaseFactory

INDEXES = """
SELECT i.indrelid::regclass::text AS "table", i.indexrelid::regclass::text AS index, a.attname AS second,
       coalesce(pg_get_expr(i.indpred, i.indrelid), 'true') AS part
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_attribute s ON s.attrelid = c.oid AND s.attnum = i.indkey[0] AND s.attname = 'school'
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[1]
 WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity
"""


@pytest.mark.parametrize("service", SERVICES)
async def test_no_first_plan_reads_a_whole_school(service: str, database: DatabaseFactory) -> None:
    """A plan is kept for a connection's life or until its table is analyzed: the first must be a good one already."""
    settings = {"enable_seqscan": "off", "app.school": "school", "plan_cache_mode": "force_generic_plan"}
    owner = await asyncpg.connect((await database(service)).owner_dsn, server_settings=settings)
    found = await owner.fetch(INDEXES)
    assert len(found) > 1
    wrong = []
    for table, index, second, part in found:
        looked = f"SELECT * FROM {table} WHERE school = $1 AND {second} = $2 AND {part}"
        await owner.execute(f"PREPARE looked AS {looked}")
        plan = json.loads(await owner.fetchval("EXPLAIN (FORMAT JSON) EXECUTE looked (NULL, NULL)"))
        await owner.execute("DEALLOCATE looked")
        if f"({second} = $2)" not in " ".join(conditions(plan[0]["Plan"])):
            wrong.append((table, index))
    await owner.close()
    assert wrong == []


def conditions(plan: dict[str, object]) -> list[str]:
    """Returns what every index of a plan is searched by."""
    below = plan.get("Plans", [])
    assert isinstance(below, list)
    own = [str(plan["Index Cond"])] if "Index Cond" in plan else []
    return own + [one for node in below for one in conditions(node)]
