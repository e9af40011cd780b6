"""Claims and what becomes of them, as pure decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.notifications.deliveries import (
    ClaimDelivery,
    Outcome,
    SettleDelivery,
    decide_claim,
    decide_settle,
)
from services.notifications.model import GIVE_UP_AFTER
from services.notifications.reaching import Reach
from shared.access import Denial, View
from shared.actor import Actor
from shared.clock import Ids
from shared.errors import Problem
from shared.events.notifications import (
    Channel,
    NoticeCancelled,
    NoticeClaimed,
    NoticeDeferred,
    NoticeFailed,
    NoticeSent,
)
from shared.events.words import ActorKind, Category, Purpose
from shared.unit import Asked, Snapshot
from tests.notifications.support import NOW, act, grant

CHILD, MEMBER = uuid4(), uuid4()
ACTOR = Actor(MEMBER, ActorKind.PERSON, "berk", "notifications")
MAY = grant(MEMBER)
CLAIM = Asked(ACTOR, "berk", ClaimDelivery(delivery=uuid4(), lasts_s=45), Ids())


def snapshot(*, view: View | None = None, age: timedelta = timedelta(0), **delivery: object) -> Snapshot:
    """Returns what the reader shows of a queued delivery, changed by the keywords."""
    state: dict[str, Any] = {
        "notice": {
            "id": str(uuid4()),
            "member": str(MEMBER),
            "about": str(CHILD),
            "category": "goals",
            "purpose": "guidance",
            "kind": "goal_accepted",
            "thing": None,
            "state": "unread",
            "answered": False,
            "queued_at": (NOW - age).isoformat(),
        },
        "delivery": {
            "id": str(uuid4()),
            "version": 3,
            "channel": "mail",
            "state": "queued",
            "tries": 1,
            "next_try_at": NOW.isoformat(),
            "act": act(MEMBER, grant=MAY.id).model_dump(mode="json"),
            "doubts": 0,
            "urgent": False,
        }
        | delivery,
        "addresses": [],
        "stops": [],
    }
    return Snapshot(state, {CHILD: view or View(CHILD, 7, (MAY,), fresh=True)}, NOW, NOW)


def settle(outcome: Outcome, tries: int = 1, code: str | None = None) -> Asked[SettleDelivery]:
    return Asked(ACTOR, "berk", SettleDelivery(delivery=uuid4(), tries=tries, outcome=outcome, code=code), Ids())


def test_a_claim_counts_only_as_its_permit_is_checked_again_at_commit() -> None:
    change = decide_claim(CLAIM, snapshot())
    (permit,) = change.permits
    assert (permit.subject, permit.revision, permit.act.actor) == (CHILD, 7, MEMBER)
    (row,) = change.rows
    assert row.values is not None
    assert (row.seen, row.values["next_try_at"]) == (3, NOW + timedelta(seconds=45))
    assert row.values["act"] == permit.act.model_dump(mode="json", exclude_none=True)
    assert isinstance(change.events[0].fact, NoticeClaimed)


def test_a_lapsed_claim_may_be_claimed_again() -> None:
    assert decide_claim(CLAIM, snapshot(state="claimed")).reply["tries"] == 2


@pytest.mark.parametrize(
    "delivery",
    [
        {"state": "sent"},
        {"state": "failed"},
        {"state": "cancelled"},
        {"next_try_at": (NOW + timedelta(seconds=1)).isoformat()},
        {"state": "claimed", "next_try_at": (NOW + timedelta(seconds=1)).isoformat()},
    ],
)
def test_what_is_not_due_cannot_be_claimed(delivery: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="only a due one"):
        decide_claim(CLAIM, snapshot(**delivery))


def test_a_verified_no_cancels_and_says_why() -> None:
    change = decide_claim(CLAIM, snapshot(view=View(CHILD, 8, (), fresh=True)))
    fact = change.events[0].fact
    assert isinstance(fact, NoticeCancelled)
    assert (fact.code, change.events[0].act.outcome, change.reply["state"]) == ("no_grant", "denied", "cancelled")


def test_what_cannot_be_verified_cancels_nothing() -> None:
    for view in (View(CHILD, 7, (MAY,), fresh=False), View(CHILD, None, (), fresh=False)):
        with pytest.raises(Denial):
            decide_claim(CLAIM, snapshot(view=view))


def test_sent_is_told_on_the_basis_of_the_claim() -> None:
    change = decide_settle(settle(Outcome.SENT), snapshot(state="claimed"))
    assert isinstance(change.events[0].fact, NoticeSent)
    assert (change.events[0].about, change.events[0].act.grant) == (CHILD, MAY.id)


@pytest.mark.parametrize("now", [{"state": "claimed", "tries": 2}, {"state": "queued"}, {"state": "failed"}])
def test_what_left_is_told_even_when_another_claimed_since(now: dict[str, Any]) -> None:
    change = decide_settle(settle(Outcome.SENT), snapshot(**now))
    assert (isinstance(change.events[0].fact, NoticeSent), len(change.rows)) == (True, 1)


def test_a_second_mail_of_one_notice_has_a_line_of_its_own_and_changes_nothing() -> None:
    change = decide_settle(settle(Outcome.SENT, tries=2), snapshot(state="sent", tries=2))
    assert (len(change.events), change.rows) == (1, ())


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.FAILED, Outcome.CANCELLED])
@pytest.mark.parametrize("now", [{"state": "claimed", "tries": 2}, {"state": "sent"}, {"state": "queued"}])
def test_only_the_present_claim_can_be_given_up(outcome: Outcome, now: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="present claim"):
        decide_settle(settle(outcome), snapshot(**now))


def test_not_now_waits_and_then_gives_up() -> None:
    asked = settle(Outcome.DEFERRED, code="data_451")
    change = decide_settle(asked, snapshot(state="claimed"))
    fact = change.events[0].fact
    assert isinstance(fact, NoticeDeferred)
    assert fact.next_try_at > NOW
    late = decide_settle(asked, snapshot(state="claimed", age=GIVE_UP_AFTER + timedelta(seconds=1)))
    assert isinstance(late.events[0].fact, NoticeFailed)
    assert late.reply["state"] == "failed"


def test_a_delivery_that_is_not_there_is_a_problem_not_a_crash() -> None:
    nothing = replace(snapshot(), state={"subjects": []}, views={})
    with pytest.raises(Problem):
        decide_claim(CLAIM, nothing)


def test_ids_in_an_event_are_the_notices_own() -> None:
    seen = snapshot(state="claimed")
    change = decide_settle(settle(Outcome.SENT), seen)
    assert change.events[0].thing == UUID(seen.state["notice"]["id"])


async def test_an_entry_is_asked_for_the_purpose_that_its_notice_was_made_for() -> None:
    """For another, goals would take the talk out of the calendar of who is invited by a consent for just this one."""
    asked: list[tuple[UUID, Purpose]] = []

    async def entry(_school: str, _member: UUID, talk: UUID, purpose: Purpose, _language: str | None) -> str | None:
        asked.append((talk, purpose))
        return None

    async def contact(*_: object) -> str | None:
        return None

    may = grant(MEMBER, categories=(Category.CONVERSATIONS,), purposes=(Purpose.CARE_COORDINATION,))
    seen, thing = snapshot(view=View(CHILD, 7, (may,), fresh=True)), uuid4()
    told = {"kind": "conversation_planned", "category": "conversations", "purpose": "care_coordination"}
    seen = replace(seen, state={**seen.state, "notice": seen.state["notice"] | told | {"thing": str(thing)}})
    claimed = decide_claim(CLAIM, seen).reply
    await Reach(contact, entry).letter("berk", MEMBER, Channel.MAIL, claimed)
    assert asked == [(thing, Purpose.CARE_COORDINATION)]


def test_the_time_that_something_is_held_does_not_count_as_trying() -> None:
    """Else what could not go on the last day of school is given up for good when school begins again."""
    first = NOW - timedelta(days=4)
    off = {"2027": [["2026-11-20", "2026-12-04"]]}
    seen = snapshot(state="deferred", due_at=first.isoformat())
    (row,) = decide_claim(CLAIM, replace(seen, state={**seen.state, "days_off": off})).rows
    assert row.values is not None
    assert row.values["state"] == "held"
    assert row.values["release_at"] > NOW + timedelta(days=10)
    assert row.values["release_at"] - row.values["due_at"] == timedelta(days=4)
