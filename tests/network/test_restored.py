"""What a restored database takes back of its lost tail: what was closed, suspended, cut or hidden stays so."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from services.network.restored import take_back
from tests.network.conftest import Network
from tests.network.family import Family, forbidden, secret, settle

PIET = {"given_name": "Piet", "family_name": "Praat"}
OLDER = (
    "UPDATE invitation SET revoked_at = NULL, taken_at = NULL, taken_by = NULL",
    "UPDATE membership SET suspended_at = NULL",
    "UPDATE consent SET ends_at = starts_at + interval '1 year'",
    "UPDATE person SET confidential = NULL",
)
"""The database as it was before the tail."""


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


async def restore(network: Network, since: int) -> None:
    tail = (await network.events())[since:]
    async with network.db.school(network.school) as conn:
        for sql in OLDER:
            await conn.execute(sql)
        await take_back(conn, tail)


async def test_what_ended_in_the_tail_stays_ended(network: Network, family: Family) -> None:
    consent = await family.both_consent()
    for number in (1, 2):
        await network.ask("invite-member", family.ib, subject=family.kim, role="psychologist", secret=secret(number))
    since = len(await network.events())
    await network.ask("take-invitation", uuid4(), secret=secret(1), new_person=PIET)
    await network.manage("suspend-membership", **(await family.membership(family.juf)))
    await network.ask("set-confidential", family.mum, person=family.mum, confidential=True)
    await network.manage("end-placement", child=family.kim)
    await restore(network, since)
    for number in (1, 2):
        assert await forbidden(network, "take-invitation", uuid4(), secret=secret(number), new_person=PIET)
    async with network.db.school(network.school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM invitation WHERE revoked_at IS NULL") == 0
        assert await conn.fetchval(
            "SELECT suspended_at IS NOT NULL FROM membership WHERE person = $1 AND subject = $2", family.juf, family.kim
        )
        assert await conn.fetchval("SELECT ends_at <= clock_timestamp() FROM consent WHERE id = $1", UUID(consent))
        assert await conn.fetchval("SELECT confidential FROM person WHERE id = $1", family.mum)
