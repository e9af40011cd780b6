"""What goes along with each step of a conversation, so that people learn partnership while doing it.

There are words to begin with; a school's expert team (parents among it) writes its own, in versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.goals.guidance_texts import FIRST
from services.goals.life import Description
from services.goals.plan_queries import answered
from services.goals.writing import invalid
from shared.events.base import NewEvent
from shared.events.conversations import GuidanceStep, GuidanceWritten
from shared.events.words import Action, Category, school_subject
from shared.unit import Asked, Change, Query, Request, Row, Snapshot, stale

Json = dict[str, Any]


class WriteGuidance(Request):
    """The next version of the words for a step. `number` is the version seen, 0 if there is none yet."""

    about: UUID
    step: GuidanceStep
    number: Annotated[int, Field(ge=0, lt=2**31)]
    prompts: Annotated[tuple[Description, ...], Field(min_length=1, max_length=10)]
    examples: Annotated[tuple[Description, ...], Field(max_length=10)] = ()


class Guidance(Query):
    """The words for every step, for who may see conversations of `about` (a child or the school itself)."""

    about: UUID


def decide_write_guidance(asked: Asked[WriteGuidance], seen: Snapshot) -> Change:
    """Writes a version of the school's guidance for a step."""
    permit = seen.require(asked, Action.DECIDE, Category.CONVERSATIONS)
    body, subject = asked.body, school_subject(asked.school)
    if permit.subject != subject:
        raise invalid("guidance is a school's: name the school's own subject", "about")
    number = seen.state["guidance"].get(body.step.value, {"number": 0})["number"]
    if body.number != number:
        raise stale(body.number, number)
    values = body.model_dump(include={"step", "prompts", "examples"}) | {
        "number": number + 1,
        "written_by": asked.actor.id,
        "written_at": seen.now,
    }
    fact = GuidanceWritten(step=body.step, number=number + 1)
    return Change(
        permits=(permit,),
        events=(NewEvent(fact, about=subject, act=permit.act, thing=subject),),
        rows=(Row("guidance", asked.ids.time_ordered(seen.now), 0, values),),
        reply={"step": body.step.value, "number": number + 1},
    )


def decide_guidance(asked: Asked[Guidance], seen: Snapshot) -> Change:
    """Answers the words for every step."""
    permit = seen.require(asked, Action.VIEW, Category.CONVERSATIONS)
    found = words_for(GuidanceStep, seen.state["guidance"])
    return answered((permit,), "guidance", len(found), {"guidance": found})


def words_for(steps: Iterable[GuidanceStep], own: Mapping[str, Json]) -> list[Json]:
    """Returns the words for these steps: the school's newest version, or those that there are to begin with."""
    return [{"step": step.value, **own.get(step.value, FIRST[step])} for step in steps]
