"""`samen plan`: plans of goals and actions, agreement, the child's voice, evaluations, what is due."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from deploy.samen import plan_tables
from deploy.samen.asking import as_json, ask_goals, give_goals, show_found
from deploy.samen.options import About, As, AsJson, Key, Reason, School, Why, read_json
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.words import Purpose

app = typer.Typer(no_args_is_help=True, help="Plans: write, talk over, agree, evaluate; see, compare, verify.")

PlanId = Annotated[UUID, typer.Argument(help="The plan's id (`samen plan list`).")]
Number = Annotated[int, typer.Option("--number", min=1, help="The version of the text that you saw.")]
File = Annotated[Path, typer.Option("--file", exists=True, dir_okay=False, help="The text (`samen plan text`).")]


NEEDS = "outlook, goals (ids) and actions, as `samen plan text` prints them"


class Step(StrEnum):
    """The steps in a plan's life that the school takes."""

    CONSULT = "consult"
    ENFORCE = "enforce"
    CONTINUE = "continue"


STEPS = {Step.CONSULT: "consult-plan", Step.ENFORCE: "put-plan-in-force", Step.CONTINUE: "continue-plan"}


@app.command(name="list")
def list_plans(
    about: About,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """List the plans of a child, newest first."""
    found = ask_goals(directory, school, person, "plans-of-child", {"about": about, "purpose": purpose})
    show_found(found, json_, plan_tables.listed(found))


@app.command()
def show(
    plan: PlanId,
    school: School,
    person: As,
    number: Annotated[int | None, typer.Option("--number", min=1, help="An older version.")] = None,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show a plan: its text, how each goal and action stands, what was said of it, and what can be done next."""
    found = ask_goals(directory, school, person, "plan", {"plan": plan, "number": number, "purpose": purpose})
    show_found(found, json_, plan_tables.text_of(found), plan_tables.said_of(found))


@app.command()
def text(plan: PlanId, school: School, person: As, purpose: Why = Purpose.GUIDANCE, directory: Dir = None) -> None:
    """Print the newest text as `draft` and `revise` take it from a file."""
    found = ask_goals(directory, school, person, "plan", {"plan": plan, "purpose": purpose})["text"]
    goals = [one["item"] for one in found["items"] if one["kind"] == "goal"]
    actions = [{"action": one["item"], **one["text"]} for one in found["items"] if one["kind"] == "action"]
    as_json({"outlook": found["outlook"], "goals": goals, "actions": actions})


@app.command()
def changes(
    plan: PlanId,
    school: School,
    person: As,
    before: Annotated[int, typer.Option("--before", min=1)],
    after: Annotated[int, typer.Option("--after", min=1)],
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show what differs between two versions."""
    body = {"plan": plan, "before": before, "after": after, "purpose": purpose}
    found = ask_goals(directory, school, person, "plan-changes", body)
    show_found(found, json_, plan_tables.changed(found))


@app.command()
def verify(plan: PlanId, school: School, person: As, purpose: Why = Purpose.GUIDANCE, directory: Dir = None) -> None:
    """Check every agreement against the exact text that was agreed to; ends with 1 when one is broken."""
    found = ask_goals(directory, school, person, "agreements", {"plan": plan, "purpose": purpose})
    numbers = sorted({one["number"] for one in found["answers"]})
    bodies = {number: {"plan": plan, "number": number, "purpose": purpose} for number in numbers}
    texts = {number: ask_goals(directory, school, person, "plan", body)["text"] for number, body in bodies.items()}
    table, broken = plan_tables.checked(found, texts)
    if not found["said_shown"]:
        table.caption = f"only your own; of all answers {found['verified']} verify and {found['broken']} do not"
    print_table(table)
    if broken or found["broken"]:
        raise typer.Exit(1)


@app.command()
def deadlines(
    about: About,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show what must be done by when."""
    found = ask_goals(directory, school, person, "deadlines", {"about": about, "purpose": purpose})
    show_found(found, json_, plan_tables.due(found))


@app.command()
def draft(
    about: About,
    school: School,
    person: As,
    file: File,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Write a plan; the file holds outlook, goals (ids) and actions (what, who, where, until): see `text`."""
    give_goals(
        directory, school, person, "draft-plan", read_json(file, NEEDS) | {"about": about, "purpose": purpose}, key
    )


@app.command()
def revise(
    plan: PlanId,
    school: School,
    person: As,
    number: Number,
    file: File,
    why: Annotated[str | None, typer.Option("--why", help="Why it changes.")] = None,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Write the next version, whole; what stays as it is keeps its agreements."""
    body = read_json(file, NEEDS) | {"plan": plan, "number": number, "why": why, "purpose": purpose}
    give_goals(directory, school, person, "revise-plan", body, key)


@app.command()
def step(
    what: Annotated[Step, typer.Argument(help="consult: ask for agreement; enforce: put in force; continue.")],
    plan: PlanId,
    school: School,
    person: As,
    number: Number,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Take a step in a plan's life, for the school."""
    give_goals(directory, school, person, STEPS[what], {"plan": plan, "number": number, "purpose": purpose}, key)


@app.command()
def close(
    plan: PlanId, school: School, person: As, number: Number, reason: Reason, key: Key = None, directory: Dir = None
) -> None:
    """End a plan that never came into force, or that was evaluated."""
    give_goals(directory, school, person, "close-plan", {"plan": plan, "number": number, "reason": reason}, key)
