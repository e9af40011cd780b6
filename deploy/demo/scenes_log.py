"""Scenes about the log: the auditor's questions, and a parent who asks who looked at the child."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from deploy.demo.cast import Cast, Child
from deploy.demo.stage import Stage

OVERSIGHT = "oversight"


async def the_auditor_asks(stage: Stage, cast: Cast) -> None:
    """Each school's auditor asks what was refused, what someone did, and who looked at some of the children."""
    jobs: list[Awaitable[Any]] = []
    for school, auditor in cast.auditors.items():
        children = cast.of(school)
        jobs.append(
            stage.went(stage.ask(auditor, "audit", "denials", purpose=OVERSIGHT), "auditor read what was refused")
        )
        jobs.append(stage.went(stage.ask(auditor, "audit", "tail", purpose=OVERSIGHT), "auditor read the newest lines"))
        asking = stage.ask(auditor, "audit", "checkpoint", purpose=OVERSIGHT)
        jobs.append(stage.went(asking, "auditor took a signed checkpoint"))
        for child in children[:10]:
            asking = stage.ask(auditor, "audit", "who-looked", child=str(child.id), purpose=OVERSIGHT)
            jobs.append(stage.went(asking, "auditor asked who looked at a child"))
        for who in {child.carers[0] for child in children if child.carers}:
            asking = stage.ask(auditor, "audit", "by-actor", who=str(who.id), purpose=OVERSIGHT)
            jobs.append(stage.went(asking, "auditor read what a professional did"))
        asking = stage.ask(auditor, "goals", "goals-of-child", about=str(children[0].id), purpose=OVERSIGHT)
        jobs.append(stage.refused(asking, "auditor sees no content"))
    await stage.all("the auditors ask", jobs)


async def parents_ask_who_looked(stage: Stage, cast: Cast) -> None:
    """Parents ask who looked at their child, when, why and on what basis; nobody gets another's answer."""
    jobs: list[Awaitable[Any]] = []
    for place, child in enumerate(cast.children):
        if place % 3 == 0:
            jobs.append(_ask(stage, child))
        neighbour = cast.children[place - 1]
        if place % 10 == 0 and neighbour.school == child.school and not set(neighbour.holders) & set(child.holders):
            asking = stage.ask(neighbour.holders[0], "audit", "who-looked", child=str(child.id), purpose="own_data")
            jobs.append(stage.refused(asking, "parent may not ask about another's child"))
    await stage.all("parents ask who looked", jobs)


async def _ask(stage: Stage, child: Child) -> None:
    asking = stage.ask(child.holders[0], "audit", "who-looked", child=str(child.id), purpose="own_data")
    found = await stage.went(asking, "parent asked who looked")
    if found is None:
        return
    for line in found["lines"]:
        if line["about"] != str(child.id) or not line.get("actor") or not line.get("purpose"):
            stage.surprises.append(f"a line of {child.id} does not say who, about whom and why: {line['idx']}")
