"""Scenes about plans: written with the child, agreed to by parents who live apart, kept to, looked back on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from deploy.demo.cast import Cast, Child, PlanPlayed
from deploy.demo.foundation import Family
from deploy.demo.stage import SETTLE_S, Stage, Stuck, Who
from shared.errors import ProblemType

OBJECTS, FORGETS = 0.5, 0.4
"""Shares of second parents who do not agree at first, and of actions that nobody finishes in time."""
YOUNG_DAYS = 15 * 365
MOST = 12
AT_HOME = "{name} leest thuis elke avond tien minuten voor."
AT_SCHOOL = "{name} kiest elke ochtend zelf met welk werk de dag begint."
INSTEAD = "{name} leest drie avonden in de week tien minuten voor, bij beide ouders."
UNTOLD = "SELECT count(*) FROM plan_clock WHERE next_on <= domain_today()"


async def plans_are_agreed(stage: Stage, cast: Cast) -> None:
    """Coordinators write plans with the child; parents who live apart each say yes or no, until both agree."""
    young = [child for child in cast.children if child.holders and _young(stage, child)]
    firsts = [next(child for child in young if child.school == school) for school in cast.keepers]
    apart = [child for child in young if child.pupil.family is Family.DIVORCED and len(child.holders) > 1]
    chosen = list({id(one): one for one in (*firsts, *apart[:MOST])}.values())
    await stage.all("plans are written, with the child", [_draft(stage, child) for child in chosen])
    objecting = [stage.random.random() < OBJECTS or child in apart[:1] for child in chosen]
    jobs = [_talk_over(stage, child, objects=no) for child, no in zip(chosen, objecting, strict=True) if child.plan]
    await stage.all("and talked over, until both parents agree", jobs)


def _young(stage: Stage, child: Child) -> bool:
    return (stage.today - child.pupil.born_on).days < YOUNG_DAYS


async def _draft(stage: Stage, child: Child) -> None:
    name = child.pupil.person.given
    soon, later = str(stage.today + timedelta(days=20)), str(stage.today + timedelta(days=50))
    home = {"what": AT_HOME.format(name=name), "who": [str(child.holders[0].id)], "where": ["home"], "until": soon}
    class_ = {"what": AT_SCHOOL.format(name=name), "who": [str(child.teacher.id)], "where": ["school"], "until": later}
    body = {
        "about": str(child.id),
        "outlook": f"{name} gaat naar het voortgezet onderwijs.",
        "goals": [goal.id for goal in child.goals if goal.active],
        "actions": [home, class_],
    }
    reply = await stage.went(stage.do(child.coordinator, "goals", "draft-plan", **body), "plan written")
    if reply is None:
        return
    child.plan = PlanPlayed(reply["plan"], reply["number"], reply["hash"])
    said = {
        "channel": stage.random.choice(("direct", "drawing", "through_parent")),
        "words": f"Ik heet {name} en ik wil zelf kiezen.",
        "influence": f"{name} kiest nu zelf het eerste werk van de dag.",
        "told_back_on": str(stage.today),
    }
    await _step(stage, child, child.teacher, "record-voice", "child heard about its plan", moment="drafting", **said)
    await _step(stage, child, child.coordinator, "consult-plan", "plan talked over")


async def _step(stage: Stage, child: Child, who: Who, name: str, story: str, **more: Any) -> Any:  # noqa: ANN401  JSON
    """Does something to the child's plan, from the version that was told last."""
    assert child.plan is not None  # noqa: S101  whoever comes here has a plan
    body = {"plan": child.plan.id, "number": child.plan.number, **more}
    reply = await stage.went(stage.do(who, "goals", name, **body), story)
    if reply:
        child.plan.number, child.plan.hash = reply["number"], reply["hash"]
    return reply


async def _talk_over(stage: Stage, child: Child, *, objects: bool) -> None:
    plan, parents = child.plan, child.holders
    if plan is None:
        return
    await _answer(stage, child, parents[0], "agree-plan", "parent agreed to a plan")
    if objects and len(parents) > 1:
        early = stage.do(child.coordinator, "goals", "put-plan-in-force", plan=plan.id, number=plan.number)
        await stage.refused(early, "a plan that one parent agreed to is not in force", ProblemType.CONFLICT)
        await _come_to_terms(stage, child, parents[1])
    for parent in parents:
        await _answer(stage, child, parent, "agree-plan", "parent agreed to a plan")
    enforced = await _step(stage, child, child.coordinator, "put-plan-in-force", "plan in force")
    plan.in_force = enforced is not None
    for parent in child.without_authority:
        seen = {"plan": plan.id, "number": plan.number, "hash": plan.hash}
        yes = stage.do(parent, "goals", "agree-plan", **seen)
        await stage.refused(yes, "parent without authority may not agree to a plan")
        await stage.went(stage.do(parent, "goals", "acknowledge-plan", **seen), "plan seen")


async def _answer(stage: Stage, child: Child, who: Who, name: str, story: str, **more: str) -> Any:  # noqa: ANN401  JSON
    return await _step(stage, child, who, name, story, hash=child.plan.hash if child.plan else "", **more)


async def _come_to_terms(stage: Stage, child: Child, parent: Who) -> None:
    """The other parent says no and why; they talk; the one action is changed, and only that is asked anew."""
    name, reason = child.pupil.person.given, f"Elke avond is te veel voor {child.pupil.person.given}."
    no = await _answer(stage, child, parent, "disagree-plan", "parent disagreed with a plan", reason=reason)
    if no is None:
        return
    talk = {
        "disagreement": no["disagreement"],
        "remedy": "conversation",
        "note": f"Met {name} en beide ouders gesproken.",
    }
    await _step(stage, child, child.coordinator, "take-remedy", "parents talked about a plan", **talk)
    found = await stage.went(stage.ask(child.teacher, "goals", "plan", plan=no["plan"]), "plan read")
    text = found["text"]
    actions = [{"action": one["item"], **one["text"]} for one in text["items"] if one["kind"] == "action"]
    actions[0]["what"] = INSTEAD.format(name=name)
    goals = [one["item"] for one in text["items"] if one["kind"] == "goal"]
    written = {"outlook": text["outlook"], "goals": goals, "actions": actions}
    await _step(stage, child, child.coordinator, "revise-plan", "plan changed", **written)
    other = await stage.went(stage.ask(child.holders[0], "goals", "plan", plan=no["plan"]), "parent read a plan")
    stands = sorted((other or {"standings": {}})["standings"].values())
    if stands.count("open") != 1:
        stage.surprises.append(f"a change of one action left {stands}, where one item must be open")
    if reason in str(other):
        stage.surprises.append(f"{child.holders[0].id} reads why the other parent disagreed")


async def plans_are_kept_to(stage: Stage, cast: Cast) -> None:
    """Some actions are finished, the others become overdue and are told; agreements still verify."""
    children = [child for child in cast.children if child.plan and child.plan.in_force]
    done = [child for child in children if stage.random.random() >= FORGETS]
    await stage.all("actions of plans are finished", (_finish(stage, child) for child in done))
    await deadlines_are_told(stage)
    await stage.all("agreements are verified", (_verify(stage, child) for child in children))


async def _finish(stage: Stage, child: Child) -> None:
    asking = stage.ask(child.teacher, "goals", "plan", plan=child.plan.id if child.plan else "")
    found = await stage.went(asking, "plan read")
    last = found["text"]["items"][-1]["item"] if found else None
    await _step(stage, child, child.teacher, "finish-action", "action finished", action=last, outcome="done")


async def _verify(stage: Stage, child: Child) -> None:
    asking = stage.ask(child.holders[-1], "goals", "agreements", plan=child.plan.id if child.plan else "")
    found = await stage.went(asking, "agreements verified")
    if found is None or found["broken"] or not found["answers"]:
        stage.surprises.append(f"agreements to a plan of {child.id} do not verify")


async def plans_are_evaluated(stage: Stage, cast: Cast) -> None:
    """At the end of the half-year plans are looked back on, with the child and a parent; they go on."""
    children = [child for child in cast.children if child.plan and child.plan.in_force]
    await stage.all("plans are looked back on, with the child", (_evaluate(stage, child) for child in children))
    await deadlines_are_told(stage)


async def _evaluate(stage: Stage, child: Child) -> None:
    if child.plan is None:
        return
    name = child.pupil.person.given
    body = {
        "held_on": str(stage.today),
        "findings": f"Het gaat goed met {name}.",
        "attended": [str(child.holders[0].id)],
    }
    early = stage.do(child.coordinator, "goals", "evaluate-plan", plan=child.plan.id, number=child.plan.number, **body)
    await stage.refused(early, "no evaluation without the child's voice", ProblemType.CONFLICT)
    said: dict[str, str] = {"not_heard_because": f"{name} was ziek."}
    if stage.random.random() < 0.7:
        said = {"channel": "direct", "words": f"{name} vindt het fijn zo.", "influence": "Zo blijft het."}
        said["told_back_on"] = str(stage.today)
    await _step(stage, child, child.teacher, "record-voice", "child heard at evaluating", moment="evaluating", **said)
    if await _step(stage, child, child.coordinator, "evaluate-plan", "plan evaluated", **body):
        await _step(stage, child, child.coordinator, "continue-plan", "plan goes on")


async def deadlines_are_told(stage: Stage) -> None:
    """Waits until goals has told every deadline whose day has come."""
    end = asyncio.get_running_loop().time() + SETTLE_S
    while any([(await stage.books.rows("goals", school, UNTOLD))[0][0] for school in await stage.books.heads("goals")]):
        if asyncio.get_running_loop().time() > end:
            raise Stuck(f"deadlines are not told after {SETTLE_S:g} s; see `samen status`")
        await asyncio.sleep(0.1)
