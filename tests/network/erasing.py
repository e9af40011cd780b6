"""What tests of erasing share: a family with everything on record, who asks and who confirms, what is left."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.network import erasures
from services.network.store import finish_withdrawal
from shared.actor import Actor
from shared.clock import Clock
from tests.network.conftest import FAMILY, Network
from tests.network.family import Family, secret

CANARY = "Zanglijster"


async def site(network: Network) -> Any:  # noqa: ANN401  the few things that the task uses
    return SimpleNamespace(
        db=network.db,
        unit=network.unit,
        ids=network.ids,
        clock=Clock(),
        relay=SimpleNamespace(wake=lambda _: None),
        guard=SimpleNamespace(stopped=lambda _: None),
    )


async def hire(network: Network, role: str) -> UUID:
    new = {"given_name": "Loes", "family_name": "Leiding"}
    made = await network.manage("add-member", subject=network.subject, role=role, new_person=new)
    return UUID(made["person"])


async def second(network: Network) -> UUID:
    """Another administrator."""
    return await hire(network, "school_administrator")


async def ask(network: Network, child: UUID, reason: str = "request_granted") -> dict[str, Any]:
    reply = await network.manage("erase-child", child=child, reason=reason)
    return {"child": child, "erasure": reply["erasure"], "version": reply["version"]}


async def confirm(network: Network, who: UUID | Actor, request: dict[str, Any], **more: object) -> dict[str, Any]:
    return dict(await network.ask("decide-erasure", who, **request, answer="confirmed", **more))


async def work(network: Network, confirmed: bool = False) -> None:
    """What the background task does once all access was withdrawn."""
    async with network.db.school(network.school) as conn:
        for row in await conn.fetch("SELECT id FROM withdrawal WHERE how IS NULL"):
            await finish_withdrawal(conn, network.school, row["id"], "clock")
    await erasures.erase_school(await site(network), network.school, lambda _: confirmed)


async def erased(network: Network, child: UUID) -> None:
    """Erases a child in network."""
    await confirm(network, await second(network), await ask(network, child))
    await work(network)


async def counts(network: Network, child: UUID, kind: str = "child") -> dict[str, int]:
    async with network.db.school(network.school) as conn:
        return dict(await conn.fetchval("SELECT erasable_counts($1, $2, $3)", kind, network.school, child))


async def dump(network: Network) -> dict[str, str]:
    """Every table's rows as text, past the walls."""
    conn = await asyncpg.connect(network.owner)
    try:
        names = [r[0] for r in await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        found = {}
        for name in names:
            # The owner sees through forced row-level security only with a school set.
            async with conn.transaction():
                await conn.execute("SELECT set_config('app.school', $1, true)", network.school)
                found[name] = "\n".join(r[0] for r in await conn.fetch(f"SELECT t::text FROM {name} t"))
        return found
    finally:
        await conn.close()


def tables_with(text: str, dumped: dict[str, str], but: Iterable[str] = ()) -> set[str]:
    return {name for name, rows in dumped.items() if text.lower() in rows.lower()} - set(but)


KEPT = {"access", "erased", "erasure", "journal", "withdrawal"}
"""Where the pseudonym stays, about which nobody can say whose it was."""


async def live(network: Network) -> Family:
    """A family about which everything that network can hold is on record."""
    await network.open()
    batch = json.loads(json.dumps(FAMILY))
    for person in batch["persons"]:
        if person["sourced_id"] in {"kim", "mum", "dad"}:
            person |= {"family_name": f"van {CANARY}", "email": f"{person['sourced_id']}@{CANARY}.example"}
            person["phone"] = f"tel {CANARY}"
    assert (await network.operate("import-roster", **batch))["refused"] == []
    family = Family(network, {n: await network.find(n) for n in ("kim", "mum", "dad", "juf", "ib", "logo")})
    leader = await hire(network, "school_leader")
    await family.both_consent()
    body = {"subject": family.kim, "role": "therapist", "secret": secret()}
    await network.ask("invite-member", family.ib, **body)
    await network.ask("state-tie", family.mum, child=family.kim, strength="strong")
    between = [family.mum, family.dad]
    note = {"child": family.kim, "decision": "plan", "between": between, "note": f"about {CANARY}"}
    await network.ask("note-dispute", family.ib, **note)
    held = await network.manage("withhold-information", child=family.kim, guardian=family.dad, source="court")
    again = {"child": family.kim, "withholding": held["withholding"], "version": 1}
    await network.manage("restore-information", **again)
    glass = await network.ask("break-glass", family.juf, child=family.kim, reason=f"{CANARY} ran")
    judged = {"child": family.kim, "emergency": glass["emergency"], "version": 1, "outcome": "justified"}
    await network.ask("review-emergency", leader, **judged, reason=f"{CANARY} was found")
    voice = {"about": family.kim, "words": f"read with {CANARY}", "members": [family.mum]}
    made = await network.ask("make-commitment", family.juf, **voice, by_on="2027-06-01")
    told = {"dialogue": made["dialogues"][0]["dialogue"], "version": 1, "words": f"thanks, {CANARY}"}
    await network.ask("remark", family.mum, **told)
    async with network.db.school(network.school) as conn:
        await conn.execute("INSERT INTO reminder VALUES ($1, $2, 1, $3)", network.school, uuid4(), family.kim)
    held = await network.manage("place-hold", child=family.kim, reason="complaint")
    await network.manage("lift-hold", child=family.kim, hold=held["hold"], version=1)
    return family


STORED = """
INSERT INTO idempotency (school, actor, key, hash, reply, permits) VALUES ($1, $2, $3, '', $4, $5)
"""
LETTER = """
INSERT INTO dead_letter (school, producer, seq, about, event, state, code, tries)
VALUES ($1, 'goals', 1, $2, '', 'parked', 'x', 1)
"""


async def leave_traces(network: Network, family: Family) -> None:
    """Stored replies and a letter that was set aside, as the command path and a projection leave them."""
    thing = (await family.shown(family.mum))["membership"]
    stored: dict[str, tuple[object, object]] = {
        "permit": ({}, [{"subject": family.kim}]),
        "reply": ({"child": family.kim}, []),
        "thing": ({"membership": thing}, []),
        "other": ({"child": uuid4()}, []),
    }
    async with network.db.school(network.school) as conn:
        for key, (reply, permits) in stored.items():
            await conn.execute(STORED, network.school, network.admin, key, reply, permits)
        await conn.execute(LETTER, network.school, family.kim)


async def decided(network: Network) -> set[str]:
    conn = await asyncpg.connect(network.owner)
    try:
        return {row[0] for row in await conn.fetch("SELECT name FROM erasable WHERE kind = 'child'")}
    finally:
        await conn.close()


OURS = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relrowsecurity
   AND relname NOT IN ('journal', 'journal_head', 'relay_cursor')
"""


async def rows_of(network: Network) -> dict[str, list[str]]:
    """What a backup has: the rows of every table but the journal's."""
    async with network.db.school(network.school) as conn:
        names = [row[0] for row in await conn.fetch(OURS)]
        return {name: [row[0] for row in await conn.fetch(f"SELECT to_jsonb(t) FROM {name} t")] for name in names}


async def put_back(network: Network, kept: dict[str, list[str]]) -> None:
    async with network.db.school(network.school) as conn:
        for name, rows in kept.items():
            await conn.execute(f"DELETE FROM {name}")
            await conn.execute(f"INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(NULL::{name}, $1)", rows)
