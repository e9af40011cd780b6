"""Example goals of a foundation and of a school, in versions: what a goal may start from. Bodies and pure decisions.

A goal that starts from one has its own words from then on: a newer version changes no goal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.goals.life import Description, Paragraph
from services.goals.own_acts import act_of_operator
from services.goals.plan_queries import answered
from services.goals.writing import invalid
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.base import Act, NewEvent
from shared.events.goals import Domain, Owner, TemplatePublished
from shared.events.words import Action, Category, school_subject
from shared.text import Line
from shared.unit import Asked, Change, Query, Request, Row, Snapshot, stale


class State(StrEnum):
    """Whether a template is offered. What is `retired` stays readable for the goals that started from it."""

    OFFERED = "offered"
    RETIRED = "retired"


class PublishTemplate(Request):
    """A version of a template. `about` is the school's own subject; `number` the version seen, 0 for a new one.

    The school's own by who decides on its goals, with an id that it is given; the foundation's by an operator, with one
    id in all its schools.
    """

    about: UUID
    template: UUID | None = None
    number: Annotated[int, Field(ge=0, lt=2**31)] = 0
    owner: Owner = Owner.SCHOOL
    state: State = State.OFFERED
    domain: Domain
    title: Line
    wording: Paragraph
    """An example of a specific and measurable wording."""
    ladder: tuple[Description, Description, Description, Description, Description]


class GoalTemplates(Query):
    """The newest version of each template that is offered here, at most 200, for who may see goals of `about`."""

    about: UUID
    domain: Domain | None = None


class OneTemplate(Query):
    """Every version of one template."""

    about: UUID
    template: UUID


def decide_publish(asked: Asked[PublishTemplate], seen: Snapshot) -> Change:
    """Writes a version of a template; goals that started from an older one stay as they are."""
    body, subject = asked.body, school_subject(asked.school)
    permit, act = _allowed(asked, seen)
    if body.about != subject:
        raise invalid("templates belong to a school: name the school's own subject", "about")
    found = seen.state["template"]
    version = found["version"] if found else 0
    # A school gives no id of its own to a new one: it could be that of one that its foundation is still to bring here.
    if found is None and (body.number or (body.template and body.owner is Owner.SCHOOL)):
        raise invalid("there is no such template here: leave template and number out for a new one", "template")
    if body.number != version:
        raise stale(body.number, version)
    if found and found["owner"] != body.owner:
        whose = f"this template is the {found['owner']}'s: publish one of your own"
        raise Problem(ProblemType.CONFLICT, whose, owner=found["owner"])
    template = body.template or asked.ids.time_ordered(seen.now)
    values = {"owner": body.owner, "state": body.state} if not found else {"state": body.state}
    text = body.model_dump(include={"domain", "title", "wording", "ladder"}) | {
        "template": template,
        "number": version + 1,
        "written_by": asked.actor.id,
        "written_at": seen.now,
    }
    fact = TemplatePublished(
        template=template, number=version + 1, owner=body.owner, domain=body.domain, state=body.state.value
    )
    return Change(
        permits=(permit,) if permit else (),
        events=(NewEvent(fact, about=subject, act=act, thing=template),),
        rows=(
            Row("goal_template", template, version, values),
            Row("goal_template_text", asked.ids.time_ordered(seen.now), 0, text),
        ),
        reply={"template": str(template), "number": version + 1},
    )


def _allowed(asked: Asked[PublishTemplate], seen: Snapshot) -> tuple[Permit | None, Act]:
    if asked.body.owner is Owner.FOUNDATION:
        return None, act_of_operator(asked, Action.MANAGE, Category.GOALS)
    permit = seen.require(asked, Action.DECIDE, Category.GOALS)
    return permit, permit.act


def decide_templates(asked: Asked[GoalTemplates], seen: Snapshot) -> Change:
    """Answers the templates that a goal of this child (or of the school itself) may start from."""
    permit = seen.require(asked, Action.VIEW, Category.GOALS)
    found = [one for one in seen.state["templates"] if asked.body.domain in {None, one["domain"]}]
    return answered((permit,), "goal-templates", len(found), {"templates": found})


def decide_template(asked: Asked[OneTemplate], seen: Snapshot) -> Change:
    """Answers every version of one template."""
    permit = seen.require(asked, Action.VIEW, Category.GOALS)
    if seen.state["template"] is None:
        raise invalid("there is no such template here: see which there are", "template")
    found: dict[str, Any] = {"template": seen.state["template"], "versions": seen.state["versions"]}
    return answered((permit,), "goal-template", len(found["versions"]), found, asked.body.template)
