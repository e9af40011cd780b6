"""Scenes about goals: proposed at school and at home, agreed, scored from several sides, completed; and who reads."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from deploy.demo.cast import Cast, Child, GoalPlayed
from deploy.demo.stage import Stage, Who
from shared.errors import Problem, ProblemType

READ_AGAIN = 8
WITH_GOAL, SECOND_GOAL, REJECTED, DIVERGES, RESTS, COMPLETED = 0.3, 0.25, 0.05, 0.02, 0.05, 0.6
"""Shares of children, goals and scores. Goals are told to everyone round a child by mail: the demo's largest cost."""

WISHES = (
    ("self_reliance", "wil zelf de jas dichtdoen", "doet vijf dagen achter elkaar zelf de jas dicht"),
    ("communication", "wil zeggen wat er is als het niet gaat", "vraagt met woord of kaart om hulp"),
    ("social_emotional", "wil een vriend om mee te spelen", "speelt elke week met een ander kind samen"),
    ("learning", "wil een verhaal kunnen lezen", "leest een bladzijde van het eigen niveau voor"),
    ("learning_to_learn", "wil werk afmaken zonder dat iemand erbij zit", "werkt tien minuten alleen door"),
    ("behaviour", "wil rustig blijven als het druk is", "gaat bij drukte zelf naar de rustplek"),
    ("motor", "wil leren fietsen", "fietst een rondje om het plein"),
    ("leisure", "wil op een club", "gaat vier weken naar dezelfde club"),
)
STEPS = ("lukt nu niet", "lukt met veel hulp", "lukt zoals afgesproken", "lukt vaker dan afgesproken", "lukt overal")


def _body(stage: Stage, child: Child, wish: tuple[str, str, str], responsible: list[Who]) -> dict[str, Any]:
    name, (domain, wants, smart) = child.pupil.person.given, wish
    return {
        "about": str(child.id),
        "domain": domain,
        "settings": ["home", "school", "care"] if child.carers else ["home", "school"],
        "statement": f"{name} {wants}.",
        "wording": f"Over een half jaar: {name} {smart}.",
        "ladder": [f"{name}: {step}" for step in STEPS],
        "baseline": stage.random.choice((-2, -1, -1)),
        "target_on": str(stage.today + timedelta(days=180)),
        "responsible": [str(one.id) for one in responsible],
        "weight": stage.random.choice((1, 1, 2, 3)),
    }


async def goals_are_proposed(stage: Stage, cast: Cast) -> None:
    """Teachers propose a goal for many children, and for some a parent proposes another."""
    jobs = []
    for place, child in enumerate(cast.children):
        if place > 4 and not child.without_authority and stage.random.random() > WITH_GOAL:
            continue
        first, second = stage.random.sample(WISHES, 2)
        pair = [child.teacher, child.holders[0]]
        jobs.append(_propose(stage, child, child.teacher, _body(stage, child, first, pair)))
        if stage.random.random() < SECOND_GOAL:
            jobs.append(_propose(stage, child, child.holders[0], _body(stage, child, second, pair[::-1])))
    await stage.all("goals are proposed, at school and at home", jobs)


async def _propose(stage: Stage, child: Child, who: Who, body: dict[str, Any]) -> None:
    home = who in child.holders
    told = "goal proposed at home" if home else "goal proposed at school"
    reply = await stage.went(stage.do(who, "goals", "propose-goal", **body), told)
    if reply:
        pace = stage.random.uniform(-0.1, 0.7)
        child.goals.append(GoalPlayed(reply["goal"], reply["version"], body["baseline"], home, pace))


async def goals_are_agreed(stage: Stage, cast: Cast) -> None:
    """The other side accepts, sometimes both parents at once; a few goals are turned down. Then work begins."""
    jobs: list[Awaitable[None]] = []
    for child in cast.children:
        for goal in child.goals:
            rejects = stage.random.random() < REJECTED
            jobs.append(_agree(stage, child, goal, rejects=rejects))
    await stage.all("goals are agreed", jobs)


async def _agree(stage: Stage, child: Child, goal: GoalPlayed, *, rejects: bool) -> None:
    deciders = (child.teacher,) if goal.from_home else child.holders
    seen = {"goal": goal.id, "version": goal.version}
    if rejects:
        reason = f"Dit past nu niet bij {child.pupil.person.given}."
        await stage.went(stage.do(deciders[0], "goals", "reject-goal", **seen, reason=reason), "goal turned down")
        return
    if len(deciders) > 1:
        acting = [stage.do(one, "goals", "accept-goal", **seen) for one in deciders]
        reply = await stage.race(acting, "both parents accepted at once: one counted")
    else:
        reply = await stage.went(stage.do(deciders[0], "goals", "accept-goal", **seen), "goal accepted")
    if not reply:
        return
    seen["version"] = reply["version"]
    reply = await stage.went(stage.do(child.coordinator, "goals", "activate-goal", **seen), "work on a goal began")
    if reply:
        goal.version, goal.active = reply["version"], True


async def who_has_no_authority_tries(stage: Stage, cast: Cast) -> None:
    """A parent without authority may be told of goals and may not decide on them."""
    jobs: list[Awaitable[Any]] = []
    for child in cast.children:
        for parent in child.without_authority:
            for goal in child.goals[:1]:
                acting = stage.do(parent, "goals", "accept-goal", goal=goal.id, version=goal.version)
                jobs.append(stage.refused(acting, "parent without authority may not decide"))
            asking = stage.ask(parent, "goals", "goals-of-child", about=str(child.id))
            jobs.append(stage.went(asking, "parent without authority is told of goals"))
    await stage.all("a parent without authority tries to decide", jobs)


async def a_month_of_scores(stage: Stage, cast: Cast, month: int) -> None:
    """School, home, care and some young people score the same ladders, each on their own; some see another child."""
    for days_ago in (22, 15, 8, 1):
        await _scores(stage, cast, month, days_ago)


async def _scores(stage: Stage, cast: Cast, month: int, days_ago: int) -> None:
    jobs: list[Awaitable[Any]] = []
    for child in cast.children:
        active = [goal for goal in child.goals if goal.active]
        if not active:
            continue
        day = str(stage.today - timedelta(days=days_ago))
        levels = {goal.id: _level(goal, month - days_ago / 30) for goal in active}
        name = child.pupil.person.given
        note = f"{name} deed het deze maand zo."
        scores = [{"goal": goal.id, "level": levels[goal.id], "observed_on": day, "note": note} for goal in active]
        batch = stage.do(child.teacher, "goals", "score-goals", about=str(child.id), setting="school", scores=scores)
        jobs.append(stage.went(batch, "school scored"))
        for goal in active:
            apart = stage.random.random() < DIVERGES
            seen = {"goal": goal.id, "level": levels[goal.id], "observed_on": day}
            home = seen | {"level": _apart(levels[goal.id]) if apart else levels[goal.id], "note": f"Thuis: {name}."}
            jobs.append(
                stage.went(stage.do(child.holders[0], "goals", "score-goal", **home, setting="home"), "home scored")
            )
            jobs += _others(stage, child, seen)
    await stage.all(f"month {month}: scores from school, home and care", jobs)


def _others(stage: Stage, child: Child, seen: dict[str, Any]) -> list[Awaitable[Any]]:
    jobs: list[Awaitable[Any]] = []
    for consent in child.consents:
        if consent.state == "given":
            acting = stage.do(consent.carer, "goals", "score-goal", **seen, setting="care", purpose="care_coordination")
            jobs.append(stage.went(acting, "care scored"))
    if child.decides[0].id == child.id:
        jobs.append(
            stage.went(stage.do(child.decides[0], "goals", "score-goal", **seen, setting="child"), "child scored")
        )
    return jobs


def _level(goal: GoalPlayed, months: float) -> int:
    """Returns where a goal is after so many months: steadily, so that sides differ only where they really do."""
    return max(-2, min(2, goal.baseline + round(goal.pace * months)))


def _apart(level: int) -> int:
    return level - 2 if level > 0 else level + 2


async def some_goals_rest(stage: Stage, cast: Cast) -> None:
    """A few goals stand still for a while and are taken up again."""
    chosen = [
        (child, goal)
        for child in cast.children
        for goal in child.goals
        if goal.active and stage.random.random() < RESTS
    ]
    await stage.all("some goals rest a while", (_rest(stage, child, goal) for child, goal in chosen))


async def _rest(stage: Stage, child: Child, goal: GoalPlayed) -> None:
    reason = f"{child.pupil.person.given} is ziek geweest."
    acting = stage.do(child.coordinator, "goals", "hold-goal", goal=goal.id, version=goal.version, reason=reason)
    held = await stage.went(acting, "goal put on hold")
    if held:
        acting = stage.do(child.coordinator, "goals", "resume-goal", goal=goal.id, version=held["version"])
        goal.version = (await stage.went(acting, "goal taken up again") or held)["version"]


async def goals_are_completed(stage: Stage, cast: Cast) -> None:
    """At the end of the half-year most goals are completed, with a judgement of how it went."""
    jobs: list[Awaitable[Any]] = []
    for child in cast.children:
        for goal in child.goals:
            if not goal.active:
                continue
            seen = {"goal": goal.id, "version": goal.version, "reason": f"Besproken met {child.pupil.person.given}."}
            if stage.random.random() < COMPLETED:
                achieved = stage.random.choice(("achieved", "achieved", "sustaining", "not_achieved"))
                acting = stage.do(child.coordinator, "goals", "complete-goal", **seen, achievement=achieved)
                jobs.append(stage.went(acting, "goal completed"))
            else:
                acting = stage.do(child.coordinator, "goals", "assess-goal", **seen, achievement="improving")
                jobs.append(stage.went(acting, "goal judged, work goes on"))
    await stage.all("goals are completed", jobs)


async def everyone_reads(stage: Stage, cast: Cast) -> None:
    """Parents and teachers look at the goals, the team at consents, all at their inbox."""
    jobs: list[Awaitable[Any]] = []
    for child in cast.children:
        for who, told in ((child.holders[0], "parent read the goals"), (child.teacher, "teacher read the goals")):
            jobs.append(stage.went(stage.ask(who, "goals", "goals-of-child", about=str(child.id)), told))
        if child.goals:
            asking = stage.ask(child.holders[-1], "goals", "goal", goal=child.goals[0].id)
            jobs.append(stage.went(asking, "parent read one goal"))
        if child.carers:
            asking = stage.ask(child.team[-1], "network", "consents", child=str(child.id))
            jobs.append(stage.went(asking, "team read the consents"))
    teachers = sorted({child.teacher for child in cast.children}, key=lambda one: one.id)
    jobs += [stage.went(stage.ask(one, "network", "children"), "teacher read the list of children") for one in teachers]
    members = {who for child in cast.children for who in (*child.holders, *child.team)}
    jobs += [_reads_inbox(stage, who) for who in sorted(members, key=lambda one: one.id)]
    await stage.all("everyone reads", jobs)


async def _reads_inbox(stage: Stage, who: Who) -> None:
    """Opens the newest notice; when it has grown since it was read it is read again first, as the answer says."""
    for _ in range(READ_AGAIN):
        found = await stage.went(stage.ask(who, "notifications", "inbox", limit=10), "inbox read")
        newest = next(iter(found["notices"] if found else ()), None)
        if newest is None or newest["state"] != "unread":
            return
        seen = {"notice": newest["notice"], "version": newest["version"]}
        try:
            await stage.do(who, "notifications", "read-notice", **seen)
        except Problem as problem:
            if problem.type is not ProblemType.STALE_VERSION:
                stage.surprises.append(f"notice opened: {problem}")
                return
        else:
            stage.told["notice opened"] += 1
            return
    stage.surprises.append(f"notice opened: it went on changing, {READ_AGAIN} times")
