"""`samen insight`: how it goes over schools, in counts that tell of no child."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.samen.asking import as_json, do
from deploy.samen.client import Client, operator_id
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.words import ActorKind, Purpose, school_subject

School = Annotated[list[str], typer.Option("--school", help="A school's slug; repeat it.")]


def insight(
    school: School, json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, directory: Dir = None
) -> None:
    """Count over schools, as the foundation's operator: nothing below ten children, nothing about a child."""

    async def ask(client: Client) -> dict[str, Any]:
        found = {}
        for slug in school:
            actor = client.actor(operator_id(getpass.getuser()), slug, ActorKind.OPERATOR)
            asked = {"about": school_subject(slug), "purpose": Purpose.INSIGHT}
            found[slug] = await client.query(slug, "goals", "insight", asked, actor)
        return found

    found = do(directory, ask)
    if json_:
        as_json(found)
    else:
        print_table(table_of(found))


def table_of(found: Mapping[str, Any]) -> Table:
    """Return a row a measure and a column a school; the sum is of what is told, at least that many."""
    caption = "- : fewer than ten, or none; sums leave these out. Children are counted in fives, rounded down"
    table = Table(title="Insight", caption=caption)
    for column in ("", *found, "at least"):
        table.add_column(column)
    for measure in sorted({name for one in found.values() for name in one["children"]}):
        told = [one["children"].get(measure) for one in found.values()]
        table.add_row(measure, *("-" if one is None else str(one) for one in told), str(sum(one or 0 for one in told)))
    for status in sorted({name for one in found.values() for name in one["own_approach"]}):
        goals = [one["own_approach"].get(status, 0) for one in found.values()]
        table.add_row(f"own improvement goals, {status}", *map(str, goals), str(sum(goals)))
    for role in sorted({name for one in found.values() for name in one["heard"]["roles"]}):
        for answer in ("yes", "partly", "no"):
            said = [one["heard"]["roles"].get(role, {}).get(answer) for one in found.values()]
            cells = ("-" if one is None else str(one) for one in said)
            table.add_row(f"were you heard, {role}: {answer}", *cells, str(sum(one or 0 for one in said)))
    return table
