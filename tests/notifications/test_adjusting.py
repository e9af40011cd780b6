"""A school reads and adjusts its rules, within the foundation's bounds; each version stays."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from services.notifications.preferences import read_preferences
from services.notifications.rule import Bound
from services.notifications.rules import BY_KIND
from services.notifications.times import Pace
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.network import Capacity, ConsentGiven, ConsentState, ConsentWithdrawn, RecipientKind
from shared.events.notifications import Channel, RuleSet
from shared.events.words import Action, Category, Purpose, Role, school_subject
from shared.projection import Applier
from shared.unit_run import Unit
from tests.notifications.support import NOW, Lane, accepted, act, give_access, grant, journaled, later
from tests.notifications.test_commands import ask
from tests.notifications.test_reactions import inboxes

CHILD, ACTOR, MEMBER, OTHER, KEEPER = (uuid4() for _ in range(5))


async def keep(db: Database, school: str, *actions: Action) -> None:
    """Lets KEEPER keep the school's records."""
    may = {"actions": actions or (Action.MANAGE, Action.VIEW), "categories": (Category.NETWORK,)}
    records = grant(KEEPER, role=Role.SCHOOL_ADMINISTRATOR, purposes=(Purpose.ADMINISTRATION,), **may)
    await give_access(db, school, school_subject(school), [records])


async def set_rule(unit: Unit, school: str, kind: str, who: UUID = KEEPER, **more: object) -> dict[str, Any]:
    body: dict[str, object] = {"about": school_subject(school), "purpose": Purpose.ADMINISTRATION, "number": 0}
    return await ask(unit, school, "set-rule", who, **body | {"kind": kind} | more)


async def rule(unit: Unit, school: str, kind: str) -> dict[str, Any]:
    body = {"about": school_subject(school), "purpose": Purpose.ADMINISTRATION}
    found = await ask(unit, school, "notice-rules", KEEPER, **body)
    one: dict[str, Any] = next(one for one in found["rules"] if one["kind"] == kind)
    return one


async def test_a_rule_is_read_adjusted_and_read_again_and_every_version_stays(
    db: Database, unit: Unit, school: str
) -> None:
    await keep(db, school)
    assert (await rule(unit, school, "goal_revised"))["number"] == 0
    await set_rule(unit, school, "goal_revised", pace="weekly", left_out=["therapist"])
    await set_rule(unit, school, "goal_revised", number=1, told=False)
    shown = await rule(unit, school, "goal_revised")
    assert (shown["number"], shown["told"], shown["left_out"], shown["pace"]) == (2, False, [], "now")
    assert shown["dutch"] and shown["english"]  # noqa: PT018  both
    async with db.school(school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM notice_rule") == 2
        facts = [event.fact(RuleSet) for event in await journaled(conn) if event.is_a(RuleSet)]
    assert [(fact.number, fact.told, fact.left_out) for fact in facts] == [(1, True, (Role.THERAPIST,)), (2, False, ())]


async def test_who_adjusts_an_older_version_is_told_so(db: Database, unit: Unit, school: str) -> None:
    await keep(db, school)
    await set_rule(unit, school, "goal_revised")
    with pytest.raises(Problem, match="you saw version 0"):
        await set_rule(unit, school, "goal_revised")


async def test_only_who_keeps_the_records_reads_or_adjusts_rules(db: Database, unit: Unit, school: str) -> None:
    await keep(db, school, Action.VIEW)
    for asking in (set_rule(unit, school, "goal_revised"), rule(unit, school, "goal_revised")):
        with pytest.raises(Problem) as refused:
            await asking
        assert refused.value.type is ProblemType.FORBIDDEN


@pytest.mark.parametrize("kind", [kind for kind, rule in BY_KIND.items() if rule.bound is Bound.FIXED])
async def test_what_the_law_and_safety_want_told_can_be_switched_off_by_no_school(
    db: Database, unit: Unit, school: str, kind: str
) -> None:
    await keep(db, school)
    for wrong in ({"told": False}, {"left_out": ["guardian"]}, {"left_out": ["teacher"]}, {"pace": "off"}):
        with pytest.raises(Problem) as refused:
            await set_rule(unit, school, kind, **wrong)
        assert refused.value.type is ProblemType.INVALID


@pytest.mark.parametrize("kind", ["address_stopped", *(kind for kind, rule in BY_KIND.items() if rule.urgent)])
async def test_what_goes_at_once_whatever_is_chosen_can_not_be_slowed_down(
    db: Database, unit: Unit, school: str, kind: str
) -> None:
    await keep(db, school)
    with pytest.raises(Problem, match="at once"):
        await set_rule(unit, school, kind, pace="daily")


def test_withdrawals_emergencies_and_questions_are_fixed() -> None:
    fixed = {kind for kind, rule in BY_KIND.items() if rule.bound is Bound.FIXED}
    assert {"consent_asked", "consent_withdrawn", "emergency_started", "emergency_review_overdue"} <= fixed
    assert {kind for kind, rule in BY_KIND.items() if rule.urgent} <= fixed


async def test_parents_are_told_of_plans_whatever_the_school_says(
    db: Database, unit: Unit, applier: Applier, school: str
) -> None:
    await keep(db, school)
    with pytest.raises(Problem, match="always told"):
        await set_rule(unit, school, "goal_proposed", left_out=["guardian"])
    await set_rule(unit, school, "goal_proposed", told=False)
    await set_rule(unit, school, "goal_accepted", left_out=["teacher"])
    await give_access(db, school, CHILD, [grant(MEMBER, role=Role.GUARDIAN), grant(OTHER)])
    await applier.apply(school, "goals", [Lane(school).add(accepted(), CHILD, act(ACTOR))])
    async with db.school(school) as conn:
        assert await inboxes(conn) == [(MEMBER, "goal_accepted")]
        assert await conn.fetchval("SELECT untold FROM notice_cause") == {str(OTHER): "role_left_out"}


def consent(fact: type[ConsentGiven], state: ConsentState) -> ConsentGiven:
    return fact(
        consent=uuid4(),
        consent_version=1,
        for_purpose=Purpose.CARE_COORDINATION,
        recipient_kind=RecipientKind.MEMBER,
        recipient=OTHER,
        categories=(Category.GOALS,),
        notice_version=1,
        starts_at=NOW,
        ends_at=later(days=365),
        state=state,
        giver=ACTOR,
        capacity=Capacity.AUTHORITY_HOLDER,
    )


HOLDS = {"role": Role.GUARDIAN, "categories": (Category.NETWORK,), "actions": (Action.RECEIVE, Action.CONSENT)}
ASKS = {"categories": (Category.NETWORK,), "actions": (Action.RECEIVE, Action.PROPOSE)}


@pytest.mark.parametrize(
    ("fact", "state", "told"),
    [
        # One parent's yes that still waits for the other's is nobody's to know.
        (ConsentGiven, ConsentState.ASKED, []),
        (ConsentGiven, ConsentState.GIVEN, [(MEMBER, "consent_given"), (OTHER, "consent_given")]),
        (ConsentWithdrawn, ConsentState.WITHDRAWN, [(MEMBER, "consent_withdrawn"), (OTHER, "consent_withdrawn")]),
        # Both parents see that their answers differ, and neither whose; who shared on it must stop.
        (
            ConsentWithdrawn,
            ConsentState.CONFLICTING,
            [(ACTOR, "consent_conflicting"), (MEMBER, "consent_conflicting"), (OTHER, "consent_withdrawn")],
        ),
        (ConsentGiven, ConsentState.CONFLICTING, [(ACTOR, "consent_conflicting"), (MEMBER, "consent_conflicting")]),
    ],
)
async def test_of_a_consent_the_other_parent_is_told_how_it_stands(
    db: Database,
    applier: Applier,
    school: str,
    fact: type[ConsentGiven],
    state: ConsentState,
    told: list[tuple[UUID, str]],
) -> None:
    await give_access(db, school, CHILD, [grant(ACTOR, **HOLDS), grant(MEMBER, **HOLDS), grant(OTHER, **ASKS)])
    event = Lane(school, "network").add(consent(fact, state), CHILD, act(ACTOR), uuid4())
    await applier.apply(school, "network", [event])
    async with db.school(school) as conn:
        assert sorted(await inboxes(conn)) == sorted(told)
        bundles = await conn.fetchval("SELECT count(*) FROM delivery WHERE bundle IS NOT NULL")
    assert bundles == 0


async def test_the_queue_is_told_in_numbers(db: Database, unit: Unit, applier: Applier, school: str) -> None:
    await keep(db, school)
    await give_access(db, school, CHILD, [grant(MEMBER), grant(OTHER)])
    await applier.apply(school, "goals", [Lane(school).add(accepted(), CHILD, act(ACTOR))])
    body = {"about": school_subject(school), "purpose": Purpose.ADMINISTRATION}
    (waiting,) = (await ask(unit, school, "notice-queue", KEEPER, **body))["waiting"]
    assert (waiting["state"], waiting["channel"], waiting["number"]) == ("queued", "mail", 2)
    assert str(MEMBER) not in str(waiting)


async def test_preferences_are_ones_own_and_kept_whole(db: Database, unit: Unit, school: str) -> None:
    wants = {"quiet": "22:00-08:00", "language": "en", "digest_at": 18}
    paced = [{"kind": "goal_accepted", "channel": "mail", "pace": "daily"}]
    assert (await ask(unit, school, "preferences"))["version"] == 0
    await ask(unit, school, "set-preferences", version=0, preferences=wants | {"paces": paced})
    shown = await ask(unit, school, "preferences")
    assert (shown["version"], shown["preferences"]["quiet"]) == (1, "22:00-08:00")
    assert (await ask(unit, school, "preferences", OTHER))["version"] == 0
    with pytest.raises(Problem, match="you saw version 0"):
        await ask(unit, school, "set-preferences", version=0, preferences={})
    with pytest.raises(Problem, match="no such kind"):
        await ask(unit, school, "set-preferences", version=1, preferences={"paces": [paced[0] | {"kind": "nothing"}]})
    with pytest.raises(ValueError, match="21:00-07:00"):
        await ask(unit, school, "set-preferences", version=1, preferences={"quiet": "late"})
    async with db.school(school) as conn:
        assert await conn.fetchval("SELECT count(*) FROM preference") == 1


async def test_nobody_switches_off_the_mails_of_what_the_law_or_safety_wants_told(
    db: Database, unit: Unit, school: str
) -> None:
    async def want(version: int, kind: str, channel: str) -> dict[str, Any]:
        paces = [{"kind": kind, "channel": channel, "pace": "off"}]
        return await ask(unit, school, "set-preferences", version=version, preferences={"paces": paces})

    for kind in (kind for kind, rule in BY_KIND.items() if rule.bound is Bound.FIXED):
        with pytest.raises(Problem, match="daily or weekly for mail"):
            await want(0, kind, "mail")
    await want(0, "consent_asked", "push")
    await want(1, "all", "mail")
    shown = await ask(unit, school, "preferences")
    assert "consent_asked" in shown["always"]
    async with db.school(school) as conn:
        wants = read_preferences(await conn.fetchval("SELECT settings FROM preference"))
    assert (wants.pace("goal_accepted", Channel.MAIL), wants.pace("consent_asked", Channel.MAIL)) == (Pace.OFF, None)
    assert read_preferences({"paces": [{"kind": "consent_asked", "channel": "push", "pace": "off"}]}).pace(
        "consent_asked", Channel.PUSH
    ) is Pace.OFF  # fmt: skip


@pytest.mark.parametrize("quiet", ["21:00:10-21:00:50", "21:00-21:00", "21:00+02:00-07:00", "24:00-07:00", "2100-0700"])
async def test_no_hours_are_kept_that_can_not_be_read_again(unit: Unit, school: str, quiet: str) -> None:
    with pytest.raises(ValueError, match="21:00-07:00"):
        await ask(unit, school, "set-preferences", version=0, preferences={"quiet": quiet})


async def test_wishes_that_can_not_be_read_hold_nobody_up(
    db: Database, unit: Unit, applier: Applier, school: str
) -> None:
    async with db.school(school) as conn:
        await conn.execute("INSERT INTO preference VALUES ($1, $2, 1, $3, now())", school, MEMBER, {"quiet": "late"})
    await give_access(db, school, CHILD, [grant(MEMBER), grant(OTHER)])
    await applier.apply(school, "goals", [Lane(school).add(accepted(), CHILD, act(ACTOR))])
    async with db.school(school) as conn:
        assert {member for member, _ in await inboxes(conn)} == {MEMBER, OTHER}
    assert (await ask(unit, school, "preferences", MEMBER))["preferences"]["quiet"] is None
