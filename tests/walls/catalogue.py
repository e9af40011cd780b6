"""Reads a service's database for holes in the walls between schools. Each hole is a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

WITHOUT_SCHOOL = frozenset(
    {
        "migration",
        "access_generation",
        "time_shift",
        "lease_question",
        "erasable",
        "slot_taken",
        "channel_pace",
        "circuit",
    }
)
"""The only tables that belong to no school. A new one needs a reason, and a line here.

`slot_taken`: random names of accounts, so that no two tools get one, whatever school they are of.
`channel_pace`, `circuit`: how much goes through a channel, and what fails there: one mail server serves all schools.
"""
LOOKS_ACROSS = frozenset(
    {"list_schools", "list_cursors", "list_pending", "list_unsigned", "list_uncosigned", "list_held"}
    | {"list_tools", "list_slots"}
)
"""The only functions that look past the walls: slugs and positions, never content.

`list_tools`: which account is which school's tool, and whether it is active: a request names nothing but its account.
`list_slots`: what each account is to be for all of them, said to the provisioner in one word.
"""
RELAYED = frozenset({"journal", "journal_head", "relay_cursor"})

TABLES = """
SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.reloptions,
       pg_get_userbyid(c.relowner) AS owner,
       EXISTS (SELECT FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attname = 'school' AND NOT attisdropped) AS tenant
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
POLICIES = """
SELECT p.tablename, p.policyname, p.permissive, p.roles::text[] AS roles, p.cmd, p.qual, p.with_check
  FROM pg_policies p WHERE p.schemaname = 'public'
"""
UNIQUE = """
SELECT c.relname, i.indexrelid::regclass::text AS name, a.attname AS first, i.indisprimary
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
 WHERE i.indisunique
"""
FOREIGN = """
SELECT f.conrelid::regclass::text AS relname, f.conname, a.attname AS first, b.attname AS first_there
  FROM pg_constraint f
  JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
  JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = f.confkey[1]
 WHERE f.contype = 'f' AND f.connamespace = 'public'::regnamespace
"""
ROLES = """
SELECT rolname, rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication AS mighty,
       (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid) AS memberships,
       (SELECT count(*) FROM pg_shdepend d WHERE d.refobjid = r.oid AND d.deptype = 'o') AS owns
  FROM pg_roles r WHERE rolname = ANY ($1)
"""
DEFINERS = """
SELECT proname, proconfig, pg_get_userbyid(proowner) AS owner
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
"""
MINE = "school = ( SELECT current_school() AS current_school)"


async def holes(conn: Connection, service: str) -> list[str]:
    """Returns every hole in the walls of a service's database."""
    found = [hole async for hole in _tables(conn)]
    found += [hole async for hole in _policies(conn, f"samen_{service}")]
    found += [hole async for hole in _keys(conn)]
    return found + [hole async for hole in _roles(conn, service)]


async def _tables(conn: Connection) -> AsyncIterator[str]:
    walled = {row["tablename"] for row in await conn.fetch(POLICIES)}
    for table in await conn.fetch(TABLES):
        name = table["relname"]
        if table["relkind"] in {b"v", b"m", b"f"}:
            if "security_invoker=true" not in (table["reloptions"] or ()):
                yield f"{name} is a view or the like that looks with its owner's eyes"
        elif not table["tenant"]:
            if name not in WITHOUT_SCHOOL:
                yield f"{name} has no column school and is not known to need none"
        elif not (table["relrowsecurity"] and table["relforcerowsecurity"]):
            yield f"{name} does not enable and force row-level security"
        elif name not in walled:
            yield f"{name} has no policy: nobody sees anything, which nobody meant"


async def _policies(conn: Connection, login: str) -> AsyncIterator[str]:
    tenant: set[str] = set()
    for policy in await conn.fetch(POLICIES):
        table, roles = policy["tablename"], set(policy["roles"])
        where = f"policy {policy['policyname']} on {table}"
        if roles & {"public", login}:
            if MINE not in (policy["qual"] or "") or MINE not in (policy["with_check"] or policy["qual"] or ""):
                yield f"{where} lets {login} past its school: {policy['qual']} / {policy['with_check']}"
            elif policy["cmd"] == "ALL":
                tenant.add(table)
        elif f"{login}_relay" in roles and table not in RELAYED:
            yield f"{where} lets the relay read more than journals"
        elif f"{login}_owner" in roles and policy["cmd"] != "SELECT":
            yield f"{where} lets the owner's functions do more than look"
    for table in await conn.fetch(TABLES):
        if table["tenant"] and table["relname"] not in tenant:
            yield f"{table['relname']} has no policy that holds {login} to its school"


async def _keys(conn: Connection) -> AsyncIterator[str]:
    tenants = {row["relname"] for row in await conn.fetch(TABLES) if row["tenant"]}
    keyed = set()
    for index in await conn.fetch(UNIQUE):
        if index["relname"] in tenants and index["first"] != "school":
            yield f"unique {index['name']} leads with {index['first']}: another school's rows show through its errors"
        if index["indisprimary"]:
            keyed.add(index["relname"])
    for name in tenants - keyed:
        yield f"{name} has no primary key"
    for key in await conn.fetch(FOREIGN):
        if key["relname"] in tenants and (key["first"], key["first_there"]) != ("school", "school"):
            yield f"foreign key {key['conname']} does not lead with school on both sides"


async def _roles(conn: Connection, service: str) -> AsyncIterator[str]:
    login, owner = f"samen_{service}", f"samen_{service}_owner"
    roles = await conn.fetch(ROLES, [login, f"{login}_relay", owner])
    for role in roles:
        if role["mighty"] or role["memberships"]:
            yield f"{role['rolname']} can do more than a service needs, or is a member of another role"
        if role["owns"] and role["rolname"] != owner:
            yield f"{role['rolname']} owns something"
    if len(roles) != 3:
        yield f"of the three roles only {[role['rolname'] for role in roles]} are there"
    for table in await conn.fetch(TABLES):
        if table["owner"] != owner:
            yield f"{table['relname']} belongs to {table['owner']}"
    for function in await conn.fetch(DEFINERS):
        name, config = function["proname"], function["proconfig"] or ()
        if name not in LOOKS_ACROSS or function["owner"] != owner:
            yield f"function {name} runs with the rights of {function['owner']}, and is not known to need them"
        if "search_path=public" not in config:
            yield f"function {name} runs with its owner's rights on whatever search path its caller chose"
