"""Scenes about conversations: an agenda made together, a time that moves, outcomes, and "were you heard?"."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from deploy.demo.cast import Cast, Child
from deploy.demo.stage import AMSTERDAM, Stage, Who

IN_DAYS, MOVED_BY_DAYS = 10, 3
MOVES, HEARD = 0.3, ("yes", "yes", "partly", "no")
"""The share of conversations that get another day; what people say of being heard."""
WHY = "Ik wil horen hoe het thuis met {name} gaat."
POINTS = ("Hoe gaat het lezen thuis?", "Wat wil {name} zelf?")


def _times(stage: Stage, days: int) -> dict[str, str]:
    start = datetime.combine(stage.today + timedelta(days=days), time(15, 30), AMSTERDAM)
    return {"starts_at": start.isoformat(), "ends_at": (start + timedelta(minutes=45)).isoformat()}


async def people_are_invited(stage: Stage, cast: Cast) -> None:
    """Coordinators invite one parent each; both add to the agenda, and the other parent learns nothing of it."""
    chosen = [child for child in cast.children if child.plan and child.plan.in_force]
    moves = [stage.random.random() < MOVES for _ in chosen]
    jobs = [_invite(stage, child, moves=move) for child, move in zip(chosen, moves, strict=True)]
    await stage.all("parents are invited to talk, and put their points on the agenda", jobs)


async def _invite(stage: Stage, child: Child, *, moves: bool) -> None:
    name, parent = child.pupil.person.given, child.holders[0]
    body: dict[str, Any] = {
        "about": str(child.id),
        "kind": "consultation",
        "plan": child.plan.id if child.plan else "",
        "why": WHY.format(name=name),
        "invited": [str(parent.id)],
        "points": [POINTS[0]],
    }
    asking = stage.do(child.coordinator, "goals", "plan-conversation", **body, **_times(stage, IN_DAYS))
    made = await stage.went(asking, "conversation planned")
    if made is None:
        return
    child.conversation = made["conversation"]
    await _say(stage, child, parent, "answer-invitation", "invitation answered", answer="accepted")
    await _say(stage, child, parent, "add-point", "point added", words=POINTS[1].format(name=name))
    if moves:
        later = _times(stage, IN_DAYS + MOVED_BY_DAYS)
        await _say(stage, child, parent, "move-conversation", "conversation moved", sequence=0, **later)
    for other in child.holders[1:]:
        look = stage.ask(other, "goals", "conversation", conversation=child.conversation)
        await stage.refused(look, "a parent who was not invited reads no conversation")


async def _say(stage: Stage, child: Child, who: Who, name: str, story: str, **more: Any) -> Any:  # noqa: ANN401  JSON
    return await stage.went(stage.do(who, "goals", name, conversation=child.conversation, **more), story)


async def conversations_are_held(stage: Stage, cast: Cast) -> None:
    """They talk; what they came to is a goal that is there; each says whether it was heard."""
    chosen = [child for child in cast.children if child.conversation]
    said = [(stage.random.choice(HEARD), stage.random.choice(HEARD)) for _ in chosen]
    jobs = [_hold(stage, child, heard) for child, heard in zip(chosen, said, strict=True)]
    await stage.all("conversations are held, and each says whether it was heard", jobs)


async def _hold(stage: Stage, child: Child, heard: tuple[str, str]) -> None:
    parent, coordinator = child.holders[0], child.coordinator
    entry = stage.ask(parent, "goals", "conversation-invite", conversation=child.conversation)
    taken = await stage.went(entry, "calendar entry taken")
    if taken is None:
        return
    if child.pupil.person.given in taken["ics"]:
        stage.surprises.append(f"the calendar entry of {child.conversation} names a child")
    there = {"attended": [str(parent.id), str(coordinator.id)], "sequence": taken["sequence"]}
    if await _say(stage, child, coordinator, "hold-conversation", "conversation held", **there) is None:
        return
    if child.goals:
        said = {"kind": "goal", "words": f"{child.pupil.person.given} gaat hiermee door."}
        outcome = await _say(stage, child, parent, "record-outcome", "outcome recorded", **said)
        if outcome:
            body = {"outcome": outcome["outcome"], "version": 1, "became": child.goals[0].id}
            await stage.went(stage.do(coordinator, "goals", "settle-outcome", **body), "outcome became a goal")
    for who, answer in zip((parent, coordinator), heard, strict=True):
        await _say(stage, child, who, "say-heard", "were you heard", answer=answer)
    found = await stage.went(stage.ask(coordinator, "goals", "conversation", conversation=child.conversation), "read")
    if found and (found["my_heard"] or {}).get("answer") != heard[1]:
        stage.surprises.append(f"{coordinator.id} reads another answer than its own")
