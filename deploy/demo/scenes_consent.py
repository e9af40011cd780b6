"""Scenes about consent and who takes part: asked, given, refused, disputed, withdrawn; who leaves; who tries."""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from typing import Any
from uuid import UUID

from deploy.demo.cast import Cast, Child, ConsentPlayed
from deploy.demo.foundation import Family
from deploy.demo.names import Names
from deploy.demo.stage import Stage, Who
from shared.errors import Problem, ProblemType
from shared.events.words import Role

CARE = "care_coordination"
SHARED = ["goals", "observations"]
REFUSES, WITHDRAWS = 0.08, 0.15
ASKED_BY_STRANGERS = (
    ("goals-of-child", "about"),
    ("child-network", "child"),
    ("consents", "child"),
    ("expectations", "about"),
)


async def recipients_try_too_early(stage: Stage, cast: Cast) -> None:
    """Professionals from outside look before anyone consented, and see nothing."""
    children = [child for child in cast.children if child.carers][:6]
    await stage.all(
        "outside professionals look before anyone consented",
        (
            stage.refused(_look(stage, child.carers[0], child), "outside professional denied before consent")
            for child in children
        ),
    )


def _look(stage: Stage, who: Who, child: Child, purpose: str = CARE) -> Coroutine[Any, Any, Any]:
    return stage.ask(who, "goals", "goals-of-child", about=str(child.id), purpose=purpose)


async def consents_are_asked(stage: Stage, cast: Cast) -> None:
    """The coordinator asks for consent; those with authority (or the young person) answer, each on their own."""
    asked = [child for child in cast.children if child.carers]
    for child in asked:
        words = {
            "child": str(child.id),
            "for_purpose": CARE,
            "recipient_kind": "member",
            "recipient": str(child.carers[0].id),
            "categories": SHARED,
            "notice_version": 1,
        }
        child.consents.append(ConsentPlayed(child.carers[0], words))
    await stage.all("consent is asked", (_ask(stage, child) for child in asked))
    couples = {school: next(c for c in cast.of(school) if c.pupil.family is Family.DIVORCED) for school in cast.keepers}
    plans = [(child, "conflicting" if child in couples.values() else _mood(stage.random, child)) for child in asked]
    await stage.all("consent is given, refused, disputed", (_answer(stage, child, plan) for child, plan in plans))


def _mood(random: Random, child: Child) -> str:
    told = child.pupil.family in (Family.DIVORCED, Family.ONE_WITHOUT_AUTHORITY)
    return "refused" if not told and random.random() < REFUSES else "given"


async def _ask(stage: Stage, child: Child) -> None:
    words = child.consents[0].words
    await stage.went(stage.do(child.coordinator, "network", "ask-consent", **words), "consent asked")


async def _answer(stage: Stage, child: Child, plan: str) -> None:
    """Plays one child's answers: `conflicting` is the first holder's yes against the second's no."""
    consent = child.consents[0]
    for place, who in enumerate(child.decides):
        refuses = plan == "refused" or (plan == "conflicting" and place == 1)
        name = "refuse-consent" if refuses else "give-consent"
        told = "consent refused" if refuses else "consent given"
        reply = await stage.went(stage.do(who, "network", name, **consent.words), told)
        consent.state = reply["state"] if reply else "unknown"
    if consent.state != plan:
        stage.surprises.append(f"consent of {child.id} is {consent.state}, not {plan}")


async def recipients_look(stage: Stage, cast: Cast) -> None:
    """Whoever has everyone's yes sees the goals; refused or disputed consent shows nothing."""
    jobs = []
    for child in cast.children:
        for consent in child.consents:
            look = _look(stage, consent.carer, child)
            if consent.state == "given":
                jobs.append(stage.went(look, "outside professional looked, on consent"))
            else:
                jobs.append(stage.refused(look, f"outside professional denied: consent {consent.state}"))
    await stage.all("outside professionals look", jobs)


async def consents_are_withdrawn(stage: Stage, cast: Cast) -> None:
    """Some take their yes back; from then on the professional sees nothing, and cannot score either."""
    given = [child for child in cast.children if child.consents and child.consents[0].state == "given"]
    changed = [child for child in given if stage.random.random() < WITHDRAWS] or given[:1]
    await stage.all("consent is withdrawn", (_withdraw(stage, child) for child in changed))
    await stage.settle("network")
    jobs = []
    for child in changed:
        carer = child.consents[0].carer
        jobs.append(stage.refused(_look(stage, carer, child), "outside professional denied after withdrawal"))
        for goal in child.goals[:1]:
            score = {"goal": goal.id, "level": 0, "setting": "care", "observed_on": str(stage.today), "purpose": CARE}
            acting = stage.do(carer, "goals", "score-goal", **score)
            jobs.append(stage.refused(acting, "outside professional may not score after withdrawal"))
    await stage.all("and who had it is denied", jobs)


async def _withdraw(stage: Stage, child: Child) -> None:
    consent = child.consents[0]
    acting = stage.do(child.decides[0], "network", "withdraw-consent", **consent.words)
    reply = await stage.went(acting, "consent withdrawn")
    consent.state = reply["state"] if reply else "unknown"


async def a_teacher_leaves(stage: Stage, cast: Cast) -> None:
    """In each school a teacher leaves: out of every child's network, a new one in; access is gone at once."""
    for school, keeper in cast.keepers.items():
        leaver = cast.of(school)[0].teacher
        group = [child for child in cast.of(school) if child.teacher == leaver]
        ended = await stage.all(
            f"a teacher of {school} leaves", (_end(stage, keeper, leaver, child) for child in group)
        )
        await stage.settle("network")
        await stage.all(
            "and is denied",
            (
                stage.refused(_look(stage, leaver, child, "guidance"), "former teacher denied")
                for child, was in zip(group, ended, strict=True)
                if was
            ),
        )
        given, family = Names(stage.random).given(), "Nijwkomer"
        new = {"given_name": given, "family_name": family, "email": f"{given}.{family}@example.org".lower()}
        successor: Who | None = None
        for child in group:
            person = {"person": str(successor.id)} if successor else {"new_person": new}
            joining = stage.do(
                keeper, "network", "add-member", subject=str(child.id), role=Role.TEACHER.value, **person
            )
            reply = await stage.went(joining, "new teacher takes part")
            if reply:
                successor = Who(school, UUID(reply["person"]))
                child.team = (successor, *child.team[1:])
    await stage.settle("network")


async def _end(stage: Stage, keeper: Who, leaver: Who, child: Child) -> bool:
    asking = stage.ask(keeper, "network", "child-network", child=str(child.id), purpose="administration")
    found = await stage.went(asking, "keeper of records looked up a network")
    for one in found["members"] if found else ():
        if one["person"] == str(leaver.id) and one["status"] == "active":
            body = {"subject": str(child.id), "membership": one["membership"], "version": one["version"]}
            acting = stage.do(keeper, "network", "end-membership", **body, reason="left_school")
            await stage.went(acting, "membership ended")
            return True
    return False


async def a_court_decides(stage: Stage, cast: Cast) -> None:
    """Authority is recorded by hand: a parent without it gets it from a court, for plans only."""
    for school, keeper in cast.keepers.items():
        child = next(c for c in cast.of(school) if c.without_authority)
        body = {"child": str(child.id), "holder": str(child.without_authority[0].id), "scope": ["plan"]}
        acting = stage.do(keeper, "network", "record-authority", **body, source="court")
        await stage.went(acting, "authority recorded by hand")


async def strangers_try(stage: Stage, cast: Cast) -> None:
    """Someone of the other school, someone unknown, a wrong token: all hear the same, and learn nothing."""
    first, second = list(cast.keepers)
    child, nobody = cast.of(first)[0], UUID(int=stage.random.getrandbits(128), version=4)
    other = cast.of(second)[0].teacher
    unknown = Who(first, UUID(int=stage.random.getrandbits(128), version=4))
    heard = set()
    for name, ask in ASKED_BY_STRANGERS:
        service = "goals" if name == "goals-of-child" else "network"
        for subject in (child.id, nobody):
            asking = stage.ask(other, service, name, **{ask: str(subject)})
            heard.add(await stage.refused(asking, "someone of the other school denied"))
        asking = stage.ask(unknown, service, name, **{ask: str(child.id)})
        heard.add(await stage.refused(asking, "someone unknown denied"))
        asking = stage.ask(Who(first, other.id), service, name, **{ask: str(child.id)})
        heard.add(await stage.refused(asking, "someone of the other school denied"))
        heard.add(await _with_the_other_schools_token(stage, other, first, service, name, {ask: str(child.id)}))
    if len(heard) != 1:
        stage.surprises.append(f"strangers can tell what exists: they heard {sorted(heard)}")


async def _with_the_other_schools_token(
    stage: Stage, who: Who, school: str, service: str, name: str, body: dict[str, str]
) -> str:
    actor = stage.witness.actor(who.id, who.school)
    try:
        await stage.witness.query(school, service, name, {**body, "purpose": "guidance"}, actor)
    except Problem as problem:
        stage.witness.mark_stray()
        if problem.type is ProblemType.FORBIDDEN:
            stage.told["token of the other school refused"] += 1
            return problem.detail
    stage.surprises.append(f"a token of {who.school} worked in {school}")
    return ""
