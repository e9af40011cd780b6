"""Lines that the law lets a school hold back from parents: two people, an end, and never from auditors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.audit.story import HELD_GROUND
from shared.actor import Actor
from shared.errors import Problem
from shared.events.audit import Ground, RestrictionAsked, RestrictionConfirmed
from shared.events.base import Viewed
from shared.events.emergencies import EmergencyStarted
from shared.events.membership import MemberAdded
from shared.events.network import AuthorityRecorded, ConsentAsked, ConsentState, Decision, Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role
from shared.unit import Asked
from tests.audit.support import (
    AUDITOR,
    BY_NAME,
    CARER,
    CHILD,
    LONG_AGO,
    MOTHER,
    NOW,
    STRANGER,
    TEACHER,
    Journal,
    Log,
    act,
    log_grant,
    pseudonym,
)
from tests.audit.test_questions import CONSENT, consent

ADMIN, LEADER, SECOND, OTHER_AUDITOR = (pseudonym(number) for number in (31, 32, 33, 34))
DAY = timedelta(days=1)


def keeper(member: UUID, role: Role) -> Grant:
    leads = role is Role.SCHOOL_LEADER
    return Grant(
        id=UUID(int=member.int + 1000, version=4),
        member=member,
        role=role,
        actions=(Action.VIEW, Action.DECIDE) if leads else (Action.VIEW, Action.MANAGE),
        categories=(Category.NETWORK,),
        purposes=(Purpose.GUIDANCE,) if leads else (Purpose.ADMINISTRATION,),
        basis=Basis.PUBLIC_TASK,
        valid_from=LONG_AGO,
    )


@pytest.fixture
async def kept(log: Log) -> Log:
    """A log with looks of a carer and of a teacher, and people who may restrict it."""
    await log.settle()
    keepers = [keeper(ADMIN, Role.SCHOOL_ADMINISTRATOR), keeper(SECOND, Role.SCHOOL_ADMINISTRATOR)]
    audits = log_grant(AUDITOR, Role.AUDITOR, Purpose.OVERSIGHT, Basis.LEGAL_DUTY)
    await log.give(log.subject, audits, *keepers, keeper(LEADER, Role.SCHOOL_LEADER))
    journal = Journal(log.school)
    for n in range(6):
        journal.viewed(CARER if n % 2 else TEACHER, category=Category.CARE if n > 3 else Category.GOALS)
    await log.log(journal.events)
    return log


def asks(**more: object) -> dict[str, Any]:
    base = {"ground": "child_protection", "reason": "a report to Veilig Thuis", "lines_from": NOW.isoformat()}
    return {"child": CHILD, "purpose": "administration", **base, "ends_at": in_days(30), **more}


def in_days(days: float) -> str:
    return (datetime.now(UTC) + days * DAY).isoformat()


async def restrict(log: Log, *, confirmed: bool = True, **more: object) -> str:
    asked = await log.ask("restrict-view", ADMIN, **asks(**more))
    if confirmed:
        await decide(log, asked["restriction"], LEADER, purpose="guidance")
    return str(asked["restriction"])


async def decide(log: Log, id_: str, who: UUID, answer: str = "confirmed", purpose: str = "administration") -> None:
    body = {"child": CHILD, "restriction": id_, "version": 1, "answer": answer, "purpose": purpose}
    await log.ask("decide-restriction", who, **body)


async def seen_by_mother(log: Log) -> tuple[list[str], list[str]]:
    """Returns the categories of the looks that the mother is told of, and what she is told of restrictions."""
    story = await log.ask("story", MOTHER, child=CHILD, language="en")
    lines = (await log.ask("who-looked", MOTHER, child=CHILD))["lines"]
    assert [one["idx"] for one in story["sentences"]] == [one["idx"] for one in lines]
    return [one["category"] for one in lines], story["held_back"]


async def test_two_people_are_needed_and_until_then_nothing_is_held_back(kept: Log) -> None:
    id_ = await restrict(kept, confirmed=False)
    assert len((await seen_by_mother(kept))[0]) == 6
    with pytest.raises(Problem, match="nobody confirms what they asked"):
        await decide(kept, id_, ADMIN)
    for nobody in (TEACHER, MOTHER, AUDITOR, STRANGER):
        with pytest.raises(Problem):
            await decide(kept, id_, nobody)
        with pytest.raises(Problem):
            await kept.ask("restrict-view", nobody, **asks())
    await decide(kept, id_, SECOND)
    assert (await seen_by_mother(kept))[0] == []


async def test_auditors_see_every_line_and_parents_are_told_that_some_are_held_back(kept: Log) -> None:
    await restrict(kept)
    shown, held = await seen_by_mother(kept)
    assert shown == []
    assert len(held) == 1
    assert "to protect a child" in held[0]
    assert len((await kept.ask("who-looked", child=CHILD))["lines"]) >= 6
    dutch = await kept.ask("story", MOTHER, child=CHILD, language="nl")
    assert "om een kind te beschermen" in dutch["held_back"][0]


async def test_where_telling_would_defeat_the_purpose_nothing_says_that_lines_are_held_back(kept: Log) -> None:
    id_ = await restrict(kept, told=False, categories=["care"])
    shown, held = await seen_by_mother(kept)
    assert (shown, held) == (["goals"] * 4, [])
    await kept.log(await kept.journaled())
    (asked,) = [row["idx"] for row in await kept.rows("SELECT idx FROM line WHERE type LIKE '%restriction.asked%'")]
    held_line = (await kept.ask("who-looked", child=CHILD, category="care"))["lines"][0]["idx"]
    elsewhere = Journal(kept.school, "notifications")
    await kept.log([elsewhere.viewed(TEACHER, kept.subject)])
    await kept.sign()
    about_school = (await kept.ask("tail", last=1))["lines"][0]["idx"]
    answers = set()
    for idx in (asked, held_line, about_school):
        for question in ("proof", "tlog-proof"):
            assert idx == about_school or (await kept.ask(question, idx=idx))["idx"] == idx, "the auditor's is whole"
            with pytest.raises(Problem) as refused:
                await kept.ask(question, MOTHER, idx=idx)
            answers.add((refused.value.type, refused.value.detail))
    assert len(answers) == 1, "as a line about somebody else"
    await kept.ask("lift-restriction", SECOND, child=CHILD, restriction=id_, version=2, purpose="administration")
    other = await restrict(kept, told=False, confirmed=False)
    await decide(kept, other, SECOND, "declined")
    await kept.log(await kept.journaled())
    (declined,) = [row["idx"] for row in await kept.rows("SELECT idx FROM line WHERE type LIKE '%on.declined%'")]
    await kept.sign()
    for idx in (asked, declined):
        for question in ("proof", "tlog-proof"):
            with pytest.raises(Problem):
                await kept.ask(question, MOTHER, idx=idx)
    async with kept.db.school(kept.school) as conn:
        await conn.execute("UPDATE restriction SET ends_at = clock_timestamp() - interval '1 second'")
    assert (await kept.ask("proof", MOTHER, idx=asked))["idx"] == asked, "after its end it may be known"


async def test_two_people_are_not_one_operator_under_two_names(kept: Log) -> None:
    kept.operator = "uid-1000"
    id_ = await restrict(kept, confirmed=False)
    with pytest.raises(Problem, match="same operator"):
        await decide(kept, id_, SECOND)
    kept.operator = "uid-1001"
    await decide(kept, id_, SECOND)
    (one,) = (await kept.ask("restrictions", ADMIN, purpose="administration"))["restrictions"]
    assert "asked_operator" not in one


def joined(journal: Journal, member: UUID, role: Role = Role.GUARDIAN) -> None:
    fact = MemberAdded(membership=pseudonym(member.int % 1000 + 400), member=member, role=role, starts_at=LONG_AGO)
    journal.add(fact, act(ADMIN, category=Category.NETWORK, action=Action.MANAGE), CHILD, fact.membership)


def decides(journal: Journal, member: UUID) -> None:
    """Has authority, with no part round the child."""
    id_ = pseudonym(member.int % 1000 + 500)
    fact = AuthorityRecorded(authority=id_, holder=member, scope=tuple(Decision), source="roster", starts_at=LONG_AGO)
    journal.add(fact, act(ADMIN, category=Category.NETWORK, action=Action.MANAGE), CHILD, id_)


async def test_nobody_keeps_the_log_of_a_child_of_their_own(kept: Log) -> None:
    journal = Journal(kept.school, "network")
    joined(journal, SECOND)
    await kept.log(journal.events)
    asked, confirmed = await restrict(kept, told=False, confirmed=False), await restrict(kept)
    with pytest.raises(Problem, match="a child of your own"):
        await kept.ask("restrict-view", SECOND, **asks())
    for answer in ("confirmed", "declined"):
        with pytest.raises(Problem, match="a child of your own"):
            await decide(kept, asked, SECOND, answer)
    with pytest.raises(Problem, match="a child of your own"):
        await kept.ask(
            "lift-restriction", SECOND, child=CHILD, restriction=confirmed, version=2, purpose="administration"
        )
    assert (await kept.ask("restrictions", SECOND, purpose="administration"))["restrictions"] == []
    assert len((await kept.ask("restrictions", ADMIN, purpose="administration"))["restrictions"]) == 2


async def test_a_guardian_who_is_an_auditor_too_gets_no_findings_on_what_is_held_back(kept: Log) -> None:
    journal = Journal(kept.school, "network")
    joined(journal, OTHER_AUDITOR)
    await kept.log(journal.events)
    await kept.sign()
    (held,) = [
        row["idx"] for row in await kept.rows("SELECT idx FROM line WHERE category = 'care' AND about = $1", CHILD)
    ][:1]
    async with kept.db.school(kept.school) as conn:
        await conn.executemany(
            "INSERT INTO finding (school, idx, code, part, says, shows) VALUES ($1, $2, 'after_end', '', '{}', '{}')",
            [(kept.school, held), (kept.school, 0)],
        )
    audits = [log_grant(one, Role.AUDITOR, Purpose.OVERSIGHT, Basis.LEGAL_DUTY) for one in (AUDITOR, OTHER_AUDITOR)]
    keepers = [keeper(ADMIN, Role.SCHOOL_ADMINISTRATOR), keeper(LEADER, Role.SCHOOL_LEADER)]
    await kept.give(kept.subject, *audits, *keepers)

    async def found(who: UUID) -> tuple[list[int], list[int]]:
        period = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
        told = [await kept.ask(query, who, **body) for query, body in (("findings", {}), ("judge", period))]
        return tuple(sorted({one["idx"] for one in answer["findings"]}) for answer in told)  # type: ignore[return-value]

    before = await found(OTHER_AUDITOR)
    assert before == await found(AUDITOR)
    assert (before[0], held in before[1]) == ([0, held], True), "control: it is found, and judged so again"
    await restrict(kept, categories=["care"])
    stored, judged = await found(OTHER_AUDITOR)
    assert (stored, held in judged, 0 in judged) == ([0], False, True)
    assert await found(AUDITOR) == before, "whole for others"


@pytest.mark.parametrize("how", [joined, decides])
async def test_a_guardian_who_is_an_auditor_too_does_not_get_the_lines_for_another_purpose(
    kept: Log, how: Callable[[Journal, UUID], None]
) -> None:
    journal = Journal(kept.school, "network")
    how(journal, AUDITOR)
    await kept.log(journal.events)
    await kept.sign()
    (held,) = (await kept.ask("who-looked", child=CHILD, limit=1))["lines"]
    assert (await kept.ask("proof", idx=held["idx"]))["idx"] == held["idx"]
    await restrict(kept)
    assert (await kept.ask("who-looked", child=CHILD))["lines"] == []
    assert (await kept.ask("by-actor", who=held["actor"]))["lines"] == []
    assert held["idx"] not in [one["idx"] for one in (await kept.ask("tail", last=200))["lines"]]
    with pytest.raises(Problem):
        await kept.ask("proof", idx=held["idx"])


async def test_who_asks_on_a_guardian_s_behalf_gets_what_the_guardian_gets(kept: Log) -> None:
    journal = Journal(kept.school, "network")
    joined(journal, MOTHER)
    await kept.log(journal.events)
    await kept.sign()
    await restrict(kept)
    endpoint = BY_NAME["tail"]
    body = endpoint.body.model_validate_json('{"purpose": "oversight", "last": 200}')

    async def seen(behalf: UUID | None) -> set[str]:
        await kept.ask("tail", last=1)  # a lease
        actor = Actor(AUDITOR, ActorKind.PERSON, kept.school, "samen", on_behalf_of=behalf)
        told = await kept.unit.run(endpoint, Asked(actor, kept.school, body, kept.ids))
        return {one["actor"] for one in told["lines"] if one["type"].endswith("access.viewed.v1")}

    assert {str(CARER), str(TEACHER)} <= await seen(None)
    assert not {str(CARER), str(TEACHER)} & await seen(MOTHER)


async def test_a_consent_that_is_held_back_is_so_in_the_logs_consents_too(kept: Log) -> None:
    journal = Journal(kept.school, "network")
    journal.add(ConsentAsked(**consent(1, ConsentState.ASKED)), act(), thing=CONSENT)
    await kept.log(journal.events)
    assert len((await kept.ask("consents", MOTHER, child=CHILD))["consents"]) == 1
    await restrict(kept)
    assert (await kept.ask("consents", MOTHER, child=CHILD))["consents"] == []
    assert len((await kept.ask("consents", child=CHILD))["consents"]) == 1


async def test_only_the_named_lines_are_held_back_and_pages_stay_full(kept: Log) -> None:
    await restrict(kept, who=str(CARER))
    lines = (await kept.ask("who-looked", MOTHER, child=CHILD, limit=2))["lines"]
    assert {line["actor"] for line in lines} == {str(TEACHER)}
    assert len(lines) == 2
    later = (NOW + timedelta(minutes=2, seconds=30)).isoformat()
    await restrict(kept, who=str(TEACHER), lines_until=later)
    left = (await kept.ask("who-looked", MOTHER, child=CHILD))["lines"]
    assert [line["occurred_at"][:16] for line in left if line["actor"] == str(TEACHER)] == [
        "2026-03-10T09:05",
        "2026-03-10T09:03",
    ]


async def test_an_emergency_is_held_back_from_parents_and_not_from_auditors(kept: Log) -> None:
    journal = Journal(kept.school, "network")
    fact = EmergencyStarted(
        emergency=pseudonym(70),
        member=TEACHER,
        role=Role.TEACHER,
        categories=(Category.CARE,),
        starts_at=NOW,
        ends_at=NOW,
    )
    journal.add(fact, act(basis=Basis.VITAL_INTEREST, emergency=True), CHILD, pseudonym(70))
    await kept.log(journal.events)

    async def told(who: UUID) -> tuple[int, int]:
        found = await kept.ask("break-glass", who, child=CHILD)
        return len(found["emergencies"]), len(found["held_back"])

    assert await told(MOTHER) == (1, 0)
    await restrict(kept, categories=["goals"], told=False)
    assert await told(MOTHER) == (0, 0), "that would defeat the purpose"
    await restrict(kept, categories=["goals"])
    assert await told(MOTHER) == (0, 1)
    (notice,) = (await kept.ask("break-glass", MOTHER, child=CHILD, language="nl"))["held_back"]
    assert notice.startswith("Tot ")
    assert await told(AUDITOR) == (1, 0)


async def test_it_ends_by_itself_and_can_be_lifted_by_one(kept: Log) -> None:
    id_ = await restrict(kept)
    assert (await seen_by_mother(kept))[0] == []
    async with kept.db.school(kept.school) as conn:
        await conn.execute("UPDATE restriction SET ends_at = clock_timestamp() - interval '1 second'")
    shown, held = await seen_by_mother(kept)
    assert (len(shown) >= 6, held) == (True, [])
    with pytest.raises(Problem, match="nothing to lift"):
        await kept.ask("lift-restriction", ADMIN, child=CHILD, restriction=id_, version=2, purpose="administration")
    again = await restrict(kept)
    await kept.ask("lift-restriction", ADMIN, child=CHILD, restriction=again, version=2, purpose="administration")
    assert len((await seen_by_mother(kept))[0]) >= 6


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"ends_at": in_days(-1)}, "its end is past"),
        ({"ends_at": in_days(400)}, "name an end within"),
        ({"lines_until": NOW.isoformat()}, "a later lines_until"),
        ({"child": pseudonym(999)}, "."),
    ],
)
async def test_what_is_not_in_order_is_refused_with_what_to_do(kept: Log, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(Problem, match=says):
        await kept.ask("restrict-view", ADMIN, **asks(**wrong))


async def test_every_step_is_a_line_without_the_reason(kept: Log) -> None:
    await restrict(kept)
    other = await restrict(kept, confirmed=False)
    await decide(kept, other, ADMIN, "declined")
    events = await kept.journaled()
    asked, confirmed = events[0].fact(RestrictionAsked), events[1].fact(RestrictionConfirmed)
    assert (asked.ground, confirmed.asked_by, confirmed.ends_at) == (Ground.CHILD_PROTECTION, ADMIN, asked.ends_at)
    assert "Veilig Thuis" not in "".join(event.raw.decode() for event in events), "texts stay where they are"
    await kept.log(events)
    steps = await kept.rows("SELECT type, about FROM line WHERE type LIKE '%restriction%' ORDER BY idx")
    assert [row["type"].split(".")[4] for row in steps] == ["asked", "confirmed", "asked", "declined"]
    assert {row["about"] for row in steps} == {CHILD}


async def test_who_decides_sees_the_reason_and_the_auditor_all_but_that(kept: Log) -> None:
    await restrict(kept)
    (one,) = (await kept.ask("restrictions", ADMIN, purpose="administration"))["restrictions"]
    assert (one["reason"], one["in_force"], one["asked_by"]) == ("a report to Veilig Thuis", True, str(ADMIN))
    (one,) = (await kept.ask("restrictions", child=CHILD))["restrictions"]
    assert "reason" not in one
    assert (one["decided_by"], one["ground"]) == (str(LEADER), "child_protection")
    with pytest.raises(Problem):
        await kept.ask("restrictions", MOTHER, child=CHILD)
    looks = [event for event in await kept.journaled() if event.is_a(Viewed)]
    assert {event.about for event in looks} == {kept.subject}, "the child's overview does not tell of it"


async def test_erasing_the_child_takes_the_reason_with_it(kept: Log) -> None:
    await restrict(kept)
    counts = await kept.rows("SELECT erasable_counts('child', $1, $2) AS n", kept.school, CHILD)
    assert counts[0]["n"]["restriction"] == 1


def test_every_ground_can_be_told() -> None:
    assert set(HELD_GROUND) == set(Ground)
