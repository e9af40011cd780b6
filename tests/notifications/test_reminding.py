"""Who was asked and has not answered is reminded, twice; then who can help is told; and the inbox is nudged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pydantic_core
import pytest

from services.notifications.poking import Pokes, nudges
from services.notifications.reaching import Reach
from services.notifications.reminding import NOTICES
from shared.actor import Actor
from shared.clock import Ids
from shared.db import Database
from shared.events.base import Fact
from shared.events.dialogue import DialogueState, ExpectationAnswered, ExpectationVoiced, Party, Remarked
from shared.events.notifications import NoticeQueued, NoticeReminded
from shared.events.plans import ActionFinished, ActionOutcome, Deadline, DeadlineDueSoon, DeadlineOverdue, PlanEnforced
from shared.events.words import Action, ActorKind, Category, Purpose, Role
from shared.projection import Applier
from shared.unit import Asked
from shared.unit_run import Unit
from tests.notifications.house import House
from tests.notifications.support import Lane, act, give_access, grant, journaled
from tests.notifications.test_commands import BY_NAME
from tests.notifications.test_digests import Time, let_go, time, wants

__all__ = ["time"]

CHILD, ASKER, MEMBER, HELPER, PARENT = (uuid4() for _ in range(5))
MONDAY = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
HEARS = {"categories": (Category.EXPECTATIONS, Category.NETWORK)}


async def ask(unit: Unit, school: str, name: str, who: UUID = MEMBER, **body: object) -> dict[str, Any]:
    endpoint = BY_NAME[name]
    purpose = {"purpose": Purpose.GUIDANCE} if endpoint.is_query else {}
    parsed = endpoint.body.model_validate_json(pydantic_core.to_json(purpose | body))
    found: dict[str, Any] = await unit.run(
        endpoint, Asked(Actor(who, ActorKind.PERSON, school, "portal"), school, parsed, Ids())
    )
    return found


async def allow(db: Database, school: str) -> None:
    helper = HEARS | {"actions": (Action.RECEIVE, Action.PROPOSE)}
    parent = helper | {"role": Role.GUARDIAN}
    grants = [grant(MEMBER, **HEARS), grant(HELPER, **helper), grant(PARENT, **parent)]
    await give_access(db, school, CHILD, grants)


def voiced(fact: type[Fact], thing: UUID) -> Fact:
    known: dict[str, Any] = {"expectation": thing, "dialogue": uuid4(), "dialogue_version": 1, "turn_of": Party.ASKED}
    return fact.model_construct(**known, state=DialogueState.OPEN, concerns=(MEMBER,))


async def asked(house: House, thing: UUID, at: datetime) -> Lane:
    lane = Lane(house.school, "network", at)
    await allow(house.db, house.school)
    event = lane.add(voiced(ExpectationVoiced, thing), CHILD, act(ASKER), thing)
    await house.applier.apply(house.school, "network", [event])
    return lane


async def rounds(house: House) -> list[tuple[int, str]]:
    async with house.db.school(house.school) as conn:
        rows = await conn.fetch(
            "SELECT d.round, d.state FROM delivery d JOIN notice n ON n.id = d.notice WHERE n.member = $1 ORDER BY 1",
            MEMBER,
        )
    return [tuple(row) for row in rows]


async def test_who_does_not_answer_is_reminded_twice_and_then_who_can_help_is_told(house: House, time: Time) -> None:
    await time.set(MONDAY)
    await asked(house, uuid4(), MONDAY)
    for days, reminded in ((6, 1), (7, 2), (13, 2), (14, 3), (21, 3), (40, 3)):
        await time.set(MONDAY + timedelta(days=days, minutes=days))
        await NOTICES.tell(house.unit, house.school)
        assert len(await rounds(house)) == reminded
    async with house.db.school(house.school) as conn:
        told = await conn.fetch("SELECT member, kind, thing FROM notice WHERE kind = 'unanswered'")
        lines = [event.fact(NoticeReminded).round for event in await journaled(conn) if event.is_a(NoticeReminded)]
    assert [tuple(row) for row in told] == [(HELPER, "unanswered", None)]
    assert lines == [1, 2]


@pytest.mark.parametrize(
    ("settings", "told", "pace"),
    [
        ({"told": False}, [], None),
        ({"left_out": ["teacher"]}, [], None),
        ({"left_out": ["therapist"]}, [HELPER], "now"),
        ({"pace": "weekly"}, [HELPER], "weekly"),
        ({"pace": "off"}, [HELPER], None),
    ],
)
async def test_who_can_help_is_told_as_the_school_has_adjusted_it(
    house: House, time: Time, settings: dict[str, Any], told: list[UUID], pace: str | None
) -> None:
    await time.set(MONDAY)
    await asked(house, uuid4(), MONDAY)
    async with house.db.school(house.school) as conn:
        sql = "INSERT INTO notice_rule VALUES ($1, $2, 1, 'unanswered', 1, $3, $2, now())"
        await conn.execute(sql, house.school, uuid4(), {"told": True, "left_out": []} | settings)
        await conn.execute("UPDATE notice SET reminded = 2, remind_at = $1", MONDAY - timedelta(days=1))
    await NOTICES.tell(house.unit, house.school)
    async with house.db.school(house.school) as conn:
        rows = await conn.fetch(
            "SELECT n.member, n.told->'rule' AS rule, d.pace FROM notice n LEFT JOIN delivery d ON d.notice = n.id"
            " WHERE n.kind = 'unanswered'"
        )
    assert [tuple(row) for row in rows] == [(one, 1, pace) for one in told]


async def test_why_says_whose_choice_it_was_that_nothing_went_out(
    db: Database, applier: Applier, unit: Unit, school: str
) -> None:
    """The school's, by the version that held then; or else the person's own."""
    await allow(db, school)
    lane = Lane(school, "network")

    async def last() -> str:
        thing = uuid4()
        event = lane.add(voiced(ExpectationVoiced, thing), CHILD, act(ASKER), thing)
        await applier.apply(school, "network", [event])
        facts = (await ask(unit, school, "why", about=CHILD))["facts"]
        return str(next(one["words"][-1] for one in facts if one["source"] == str(event.id)))

    assert "about to be sent" in await last()
    sql = "INSERT INTO notice_rule VALUES ($1, $2, 1, 'expectation_voiced', $3, $4, $2, now())"
    for number, pace, says in ((1, "off", "the school sends this kind out to nobody"), (2, "now", "about to be sent")):
        async with db.school(school) as conn:
            await conn.execute(sql, school, uuid4(), number, {"told": True, "left_out": [], "pace": pace})
        assert says in await last()
    await wants(db, school, MEMBER, paces=[{"kind": "expectation_voiced", "channel": "mail", "pace": "off"}])
    assert "this person had switched this kind off" in await last()


async def test_a_reminder_is_a_mail_of_its_own(house: House, time: Time) -> None:
    now = datetime.now(UTC)
    await asked(house, uuid4(), now)
    await replace(house.sender(), reach=Reach(_any)).send_due(house.school)
    await time.set(now + timedelta(days=8))
    await NOTICES.tell(house.unit, house.school)
    await allow(house.db, house.school)
    await replace(house.sender(), reach=Reach(_any)).send_due(house.school)
    assert len(set(house.server.ids)) == len(house.server.ids) == 2


async def _any(school: str, member: UUID, about: UUID) -> str | None:
    del school, member, about
    return "een@thuis.example"


async def test_an_answer_ends_the_reminding_and_so_does_putting_it_away(house: House, time: Time) -> None:
    await time.set(MONDAY)
    answered, thing = uuid4(), uuid4()
    lane = await asked(house, answered, MONDAY)
    more = lane.add(voiced(ExpectationVoiced, thing), CHILD, act(ASKER), thing)
    reply = lane.add(voiced(ExpectationAnswered, answered), CHILD, act(MEMBER), answered)
    await house.applier.apply(house.school, "network", [more, reply])
    inbox = await ask(house.unit, house.school, "inbox")
    notice = next(one for one in inbox["notices"] if one["thing"] == str(thing))
    await ask(house.unit, house.school, "done-notice", notice=notice["notice"], version=notice["version"])
    await time.set(MONDAY + timedelta(days=30))
    assert await NOTICES.tell(house.unit, house.school) == 0
    assert {row[0] for row in await rounds(house)} == {0}


async def test_who_has_answered_meanwhile_gets_no_reminder_that_was_under_way(house: House, time: Time) -> None:
    now, thing = datetime.now(UTC), uuid4()
    lane = await asked(house, thing, now)
    await replace(house.sender(), reach=Reach(_any)).send_due(house.school)
    await time.set(now + timedelta(days=8))
    await NOTICES.tell(house.unit, house.school)
    reply = lane.add(voiced(ExpectationAnswered, thing), CHILD, act(MEMBER), thing)
    await allow(house.db, house.school)
    await house.applier.apply(house.school, "network", [reply])
    await replace(house.sender(), reach=Reach(_any)).send_due(house.school)
    assert sorted(await rounds(house)) == [(0, "sent"), (1, "cancelled")]
    assert len(house.server.accepted) == 1


async def test_what_was_read_in_the_inbox_is_not_sent_as_something_new(house: House, time: Time) -> None:
    await time.set(MONDAY)
    await asked(house, uuid4(), MONDAY)
    (notice,) = (await ask(house.unit, house.school, "inbox"))["notices"]
    await ask(house.unit, house.school, "read-notice", notice=notice["notice"], version=notice["version"])
    await allow(house.db, house.school)
    await replace(house.sender(), reach=Reach(_any)).send_due(house.school)
    assert house.server.accepted == []
    assert [one[2] for one in await house.states()] == ["seen"]


def overdue(fact: type[DeadlineDueSoon | DeadlineOverdue], plan: UUID | None, action: UUID | None = None) -> Fact:
    kind = Deadline.ACTION if action else Deadline.EVALUATION if plan else Deadline.FIRST_PLAN
    day = MONDAY.date()
    return fact(deadline=kind, clock=uuid4(), plan=plan, action=action, due_on=day, concerns=(MEMBER,))


async def deadlines(house: House) -> list[tuple[str, bool, bool]]:
    """Returns (kind, hidden behind another, to be reminded of) of each, oldest first."""
    async with house.db.school(house.school) as conn:
        rows = await conn.fetch(
            "SELECT kind, folded_into IS NOT NULL, remind_at IS NOT NULL FROM notice ORDER BY occurred_at, kind DESC"
        )
    return [tuple(row) for row in rows]


async def test_an_overdue_deadline_is_not_hidden_behind_another_of_the_same_plan(house: House) -> None:
    plan, action, lane = uuid4(), uuid4(), Lane(house.school, "goals", MONDAY)
    await give_access(house.db, house.school, CHILD, [grant(MEMBER, categories=(Category.PLAN,))])
    for fact in (
        overdue(DeadlineOverdue, plan),
        overdue(DeadlineDueSoon, plan, action),
        overdue(DeadlineOverdue, plan, action),
    ):
        lane.at += timedelta(minutes=1)
        await house.applier.apply(house.school, "goals", [lane.add(fact, CHILD, act(ASKER), plan)])
    assert await deadlines(house) == [
        ("deadline_overdue", False, True),
        ("deadline_due_soon", True, False),
        ("deadline_overdue", False, True),
    ]
    done = ActionFinished(plan=plan, number=1, action=action, outcome=next(iter(ActionOutcome)))
    await house.applier.apply(house.school, "goals", [lane.add(done, CHILD, act(ASKER), plan)])
    assert [reminded for *_, reminded in await deadlines(house)] == [True, False, False]


async def test_of_a_first_plan_that_is_in_force_nobody_is_reminded(house: House) -> None:
    lane, plan = Lane(house.school, "goals", MONDAY), uuid4()
    await give_access(house.db, house.school, CHILD, [grant(MEMBER, categories=(Category.PLAN,))])
    late = lane.add(overdue(DeadlineOverdue, None), CHILD, act(ASKER), uuid4())
    known: dict[str, Any] = {"plan": plan, "number": 1}
    force = PlanEnforced.model_construct(**known)
    await house.applier.apply(house.school, "goals", [late])
    assert [reminded for *_, reminded in await deadlines(house)] == [True]
    await house.applier.apply(house.school, "goals", [lane.add(force, CHILD, act(ASKER), plan)])
    assert ("deadline_overdue", False, False) in await deadlines(house)


async def test_another_persons_answer_does_not_end_it(house: House, time: Time) -> None:
    await time.set(MONDAY)
    thing = uuid4()
    lane = await asked(house, thing, MONDAY)
    reply = lane.add(voiced(ExpectationAnswered, thing), CHILD, act(PARENT), thing)
    await house.applier.apply(house.school, "network", [reply])
    await time.set(MONDAY + timedelta(days=8))
    assert await NOTICES.tell(house.unit, house.school) == 1


async def test_who_may_not_be_told_any_more_is_not_reminded(house: House, time: Time) -> None:
    await time.set(MONDAY)
    await asked(house, uuid4(), MONDAY)
    await give_access(house.db, house.school, CHILD, [grant(MEMBER)])
    await time.set(MONDAY + timedelta(days=8))
    await NOTICES.tell(house.unit, house.school)
    assert [one[0] for one in await rounds(house)] == [0]


async def test_a_reminder_in_quiet_hours_waits_for_their_end(house: House, time: Time) -> None:
    await time.set(MONDAY)
    await asked(house, uuid4(), MONDAY)
    await wants(house.db, house.school, MEMBER, quiet="21:00-07:00")
    await time.set(datetime(2026, 12, 1, 23, 0, tzinfo=UTC))
    await NOTICES.tell(house.unit, house.school)
    assert (1, "held") in await rounds(house)
    await time.set(datetime(2026, 12, 2, 6, 0, tzinfo=UTC))
    await let_go(house)
    assert (1, "queued") in await rounds(house)


async def test_why_says_the_facts_and_to_oneself_nothing_of_others(
    db: Database, applier: Applier, unit: Unit, school: str
) -> None:
    await allow(db, school)
    thing = uuid4()
    lane = Lane(school, "network")
    events = [
        lane.add(voiced(ExpectationVoiced, thing), CHILD, act(ASKER), thing),
        lane.add(voiced(Remarked, thing), CHILD, act(MEMBER), thing),
    ]
    await applier.apply(school, "network", events)
    mine = (await ask(unit, school, "why", about=CHILD))["facts"]
    assert {(one["kind"], one["told"]) for one in mine} == {("expectation_voiced", True), ("remarked", False)}
    told = next(one["words"] for one in mine if one["told"])
    assert any("as teacher" in said for said in told)
    assert any("notice through mail: about to be sent" in said for said in told)
    assert "own act" in next(one["words"][0] for one in mine if not one["told"])
    # A dialogue between two others is not theirs to know of, not even as something they were not told.
    assert (await ask(unit, school, "why", PARENT, about=CHILD))["facts"] == []


async def test_why_of_somebody_else_is_for_who_keeps_the_records_and_names_nothing_of_the_content(
    db: Database, applier: Applier, unit: Unit, school: str
) -> None:
    keeper, thing = uuid4(), uuid4()
    records = {"actions": (Action.MANAGE,), "categories": (Category.NETWORK,)}
    await give_access(db, school, CHILD, [grant(keeper, **records), grant(MEMBER, **HEARS)])
    event = Lane(school, "network").add(voiced(ExpectationVoiced, thing), CHILD, act(ASKER), thing)
    await applier.apply(school, "network", [event])
    (fact,) = (await ask(unit, school, "why", keeper, about=CHILD, member=MEMBER))["facts"]
    assert fact["kind"] == "something of expectations"
    assert fact["words"] == ["notice through mail: about to be sent"]
    with pytest.raises(Exception, match="kinds about the network"):
        await ask(unit, school, "why", keeper, about=CHILD, member=MEMBER, kind="expectation_voiced")
    with pytest.raises(Exception, match="may not"):
        await ask(unit, school, "why", MEMBER, about=CHILD, member=keeper)


async def test_a_nudge_holds_ids_and_no_word(db: Database, applier: Applier, school: str) -> None:
    await allow(db, school)
    thing = uuid4()
    event = Lane(school, "network").add(voiced(ExpectationVoiced, thing), CHILD, act(ASKER), thing)
    await applier.apply(school, "network", [event])
    async with db.school(school) as conn:
        queued = [event for event in await journaled(conn) if event.is_a(NoticeQueued)]
    ((subject, body),) = nudges(queued)
    assert subject == f"note.{school}.{MEMBER}"
    pokes = Pokes()
    assert [one for one, _ in await pokes.news(db, school)] == [subject]
    assert await pokes.news(db, school) == []
    assert pydantic_core.from_json(body) == {"service": "notifications", "notices": [str(queued[0].thing)]}
