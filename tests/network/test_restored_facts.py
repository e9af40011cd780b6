"""What events of a lost tail tell whole stands in the tables again, whichever it is; twice changes nothing more."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.network.due_soon import tell_due_soon
from services.network.restored import ELSEWHERE, NOTHING, RESTORED, take_back
from shared.actor import Actor
from shared.events.erasure import ChildErased
from shared.events.network import FACTS
from shared.events.words import ActorKind
from tests.network.conftest import Network
from tests.network.erasing import hire, put_back, rows_of, site
from tests.network.family import Family, settle

LOST = {"school", "version", "note", "reason", "review_reason"}
"""Columns with texts, which no event carries, or that count."""
MOMENT = r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+]\d\d:\d\d)"
"""The same moment is written in several ways."""


def test_every_event_of_network_is_done_again_or_named_with_the_reason_why_not() -> None:
    every = {*FACTS.values(), ChildErased}
    assert {*RESTORED, *ELSEWHERE, *NOTHING} == every
    assert len(RESTORED) + len(ELSEWHERE) + len(NOTHING) == len(every)


@pytest.fixture
async def family(network: Network) -> Family:
    return await settle(network)


def facts(rows: dict[str, list[Any]], table: str) -> list[dict[str, Any]]:
    """A table's rows without what a restore loses, in order of id."""
    kept = [{name: value for name, value in row.items() if name not in LOST} for row in rows[table]]
    told = (re.sub(MOMENT, lambda m: datetime.fromisoformat(m[0]).isoformat(), json.dumps(row)) for row in kept)
    return sorted(map(json.loads, told), key=lambda row: str(row["id"]))


async def lost(network: Network, table: str, act: Awaitable[Any]) -> Any:  # noqa: ANN401  JSON
    """Does `act`, loses it with an older copy, takes it back: the table says what it said. Returns its reply."""
    kept, since = await rows_of(network), len(await network.events())
    reply = await act
    whole, tail = await rows_of(network), (await network.events())[since:]
    assert facts(kept, table) != facts(whole, table)
    await put_back(network, kept)
    for _ in range(2):
        async with network.db.school(network.school) as conn:
            await take_back(conn, tail)
        assert facts(await rows_of(network), table) == facts(whole, table)
    await put_back(network, whole)
    return reply


async def test_memberships_stand_again_as_they_were_changed(network: Network, family: Family) -> None:
    await network.manage("end-membership", **(await family.membership(family.logo)))
    body = {"subject": family.kim, "role": "therapist", "person": family.logo}
    made = await network.manage("add-member", **body, mandate={"code": "speech", "ends_on": "2090-01-01"})
    named = {"subject": family.kim, "membership": made["membership"]}
    for version, end in ((1, "2091-01-01"), (2, None)):
        await lost(network, "membership", network.manage("renew-mandate", **named, version=version, ends_on=end))
    await lost(network, "membership", network.manage("suspend-membership", **named, version=3))
    await lost(network, "membership", network.manage("resume-membership", **named, version=4))


async def test_consents_and_who_decides_stand_again(network: Network, family: Family) -> None:
    await lost(network, "consent", network.ask("ask-consent", family.ib, **family.consent()))
    await lost(network, "consent", network.ask("give-consent", family.mum, **family.consent()))
    asked = {"for_purpose": "care_coordination", "recipient": family.logo, "categories": ["goals"], "child": family.kim}
    await lost(network, "consent", network.ask("refuse-consent", family.dad, **asked))
    plan = family.consent(categories=["plan"])
    await lost(network, "consent", network.ask("give-consent", family.mum, **plan))
    for table in ("authority", "consent"):  # what mum said yes to is given by that alone, and then asked of both
        shown = await network.manage("child-network", child=family.kim, purpose="administration")
        dads = [one for one in shown["authorities"] if one["holder"] == str(family.dad)]
        one = max(dads, key=lambda one: one["authority"])
        ended = {"child": family.kim, "authority": one["authority"], "version": one["version"]}
        await lost(network, table, network.manage("end-authority", **ended))
        body = {"child": family.kim, "holder": family.dad, "scope": ["sharing", "plan"], "source": "court"}
        await lost(network, table, network.manage("record-authority", **body))


async def test_a_renewal_carries_on_the_consent_that_it_carried_on(network: Network, family: Family) -> None:
    await family.both_consent()
    await network.shift(datetime.now(UTC) + timedelta(days=350))
    await network.attend()
    await lost(network, "consent", network.ask("ask-consent", family.ib, **family.consent()))
    await lost(network, "consent", network.ask("give-consent", family.mum, **family.consent()))
    # Asked anew with a newer notice, for the same time: the yes to the older one is none.
    newer = family.consent(notice_version=2)
    await lost(network, "consent", network.ask("ask-consent", family.ib, **newer))
    assert (await network.ask("give-consent", family.dad, **newer))["state"] == "asked"


async def test_disputes_and_emergencies_stand_again(network: Network, family: Family) -> None:
    leader = await hire(network, "school_leader")
    between = {"child": family.kim, "decision": "plan", "between": [family.mum, family.dad]}
    noted = await lost(network, "dispute", network.ask("note-dispute", family.ib, **between))
    settled = {"child": family.kim, "dispute": noted["dispute"], "version": 1}
    await lost(network, "dispute", network.ask("settle-dispute", family.ib, **settled))
    held = {"child": family.kim, "guardian": family.dad, "source": "court", "ends_on": "2031-01-01"}
    silent = await lost(network, "withholding", network.manage("withhold-information", **held))
    again = {"child": family.kim, "withholding": silent["withholding"], "version": 1}
    await lost(network, "withholding", network.manage("restore-information", **again))
    at_keyboard = Actor(family.juf, ActorKind.PERSON, network.school, "samen", "anna")
    glass = await lost(
        network, "emergency", network.ask("break-glass", at_keyboard, child=family.kim, reason="missing")
    )
    named = {"child": family.kim, "emergency": glass["emergency"], "version": 1}
    await lost(network, "emergency", network.ask("review-emergency", leader, **named, outcome="justified", reason="ok"))


async def test_an_emergency_that_was_lost_must_be_reviewed_all_the_same(network: Network, family: Family) -> None:
    leader = await hire(network, "school_leader")
    kept, since = await rows_of(network), len(await network.events())
    glass = await network.ask("break-glass", family.juf, child=family.kim, reason="missing")
    tail = (await network.events())[since:]
    await put_back(network, kept)
    async with network.db.school(network.school) as conn:
        await take_back(conn, tail)
    shown = await network.ask("emergencies", leader, child=family.kim, purpose="oversight")
    assert [(one["emergency"], one["reason"]) for one in shown["emergencies"]] == [(glass["emergency"], None)]
    named = {"child": family.kim, "emergency": glass["emergency"], "version": 1}
    await network.ask("review-emergency", leader, **named, outcome="not_justified", reason="nobody was missing")
    assert not [one for one in await network.grants(family.kim) if one.emergency]


async def test_that_an_emergency_was_overdue_or_a_file_due_is_not_told_again(network: Network, family: Family) -> None:
    await network.ask("break-glass", family.juf, child=family.kim, reason="missing")
    now = (await network.events())[-1].occurred_at
    await network.shift(now + timedelta(days=4))
    await lost(network, "reminder", network.attend())
    await network.manage("end-placement", child=family.kim)
    (one,) = (await network.manage("retention-due", within_days=3660, purpose="administration"))["due"]
    await network.shift(datetime.fromisoformat(one["due_at"]))
    await lost(network, "reminder", tell_due_soon(await site(network), network.school))


async def test_what_was_asked_of_a_file_stands_again(network: Network, family: Family) -> None:
    held = await lost(network, "legal_hold", network.manage("place-hold", child=family.kim, reason="court"))
    named = {"child": family.kim, "hold": held["hold"], "version": 1}
    await lost(network, "legal_hold", network.manage("lift-hold", **named))
    asked = Actor(network.admin, ActorKind.PERSON, network.school, "samen", "anna")
    body = {"child": family.kim, "reason": "duplicate"}
    await lost(network, "erasure", network.ask("erase-child", asked, **body))


async def test_what_refers_to_a_child_that_is_lost_itself_is_no_obstacle(network: Network, family: Family) -> None:
    kept, since = await rows_of(network), len(await network.events())
    await network.ask("break-glass", family.juf, child=family.kim, reason="missing")
    between = {"child": family.kim, "decision": "plan", "between": [family.mum, family.dad]}
    await network.ask("note-dispute", family.ib, **between)
    await family.both_consent()
    await network.manage("erase-child", child=family.kim, reason="duplicate")
    told = [one for one in (await network.events())[since:] if one.about == family.kim]
    unknown = str(uuid4())
    await put_back(network, kept)
    async with network.db.school(network.school) as conn:
        await take_back(conn, [replace(one, content={**one.content, "subject": unknown}) for one in told])
    after = await rows_of(network)
    assert [after[table] for table in ("consent", "dispute", "emergency", "erasure")] == [[], [], [], []]
