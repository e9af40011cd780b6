"""`samen talk guidance|write-guidance|heard-summary`: what an expert team gives to conversations and learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.samen.asking import ask_goals, give_goals, show_found
from deploy.samen.options import About, As, AsJson, Json, Key, School, Why
from deploy.samen.up import Dir
from shared.events.conversations import GuidanceStep
from shared.events.words import Purpose, Role, school_subject


def add_to(app: typer.Typer) -> None:
    """Add the commands to a group."""
    for command in (heard_summary, heard_measure, heard_score, guidance, write_guidance):
        app.command()(command)


def guidance_lines(words: list[Json]) -> Iterator[str]:
    """Yield guidance as lines."""
    for one in words:
        yield f"guidance, {one['step']} (version {one['number']}):"
        yield from (f"    {escape(prompt)}" for prompt in one["prompts"])
        yield from (f'    "{escape(example)}"' for example in one["examples"])


def heard_summary(
    school: School, person: As, purpose: Why = Purpose.GUIDANCE, json_: AsJson = False, directory: Dir = None
) -> None:
    """Count who felt heard in the school's conversations, by role: for its own approach."""
    body = {"about": school_subject(school), "purpose": purpose}
    found = ask_goals(directory, school, person, "heard-summary", body)
    note = "some groups are too small to be told" if found["too_few"] else ""
    table = Table(title="Were you heard?", caption=f"{note} (at least {found['smallest_group']} people)".strip())
    for column in ("who", "yes", "partly", "no", "up to and with"):
        table.add_column(column)
    for role, counts in found["roles"].items():
        table.add_row(role, *(str(counts[one]) for one in ("yes", "partly", "no")), found["until"][role])
    show_found(found, json_, table, measured_of(found["measures"]))


def measured_of(measures: list[Json]) -> Iterator[str]:
    """Yield which goals of the school are measured by the figures, where they stand, and what to do."""
    for one in measures:
        shares = ", ".join(map(str, one["thresholds"]))
        yield f"goal {one['goal']} is measured by {one['role']} (-1, 0, +1, +2 from {shares} percent)"
        if one["level"] is None:
            yield "    too few answered for a figure"
        else:
            done = "scored" if one["until"] == one["scored_until"] else f"`samen talk heard-score {one['goal']}`"
            yield f"    up to and with {one['until']}: {one['level']:+d}, {done}"


def heard_measure(
    goal: Annotated[UUID, typer.Argument(help="A goal of the school's own approach.")],
    school: School,
    person: As,
    role: Annotated[Role, typer.Option("--role", help="Whose answers.")],
    shares: Annotated[list[int], typer.Option("--from", help="From which percent on -1, 0, +1, +2: four times.")],
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Measure a goal of the school by how many felt heard: figures of ten people or more, never a person or a child."""
    give_goals(directory, school, person, "measure-by-heard", {"goal": goal, "role": role, "thresholds": shares}, key)


def heard_score(
    goal: Annotated[UUID, typer.Argument(help="A goal that is measured so.")],
    school: School,
    person: As,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Score such a goal from the newest figures; each figure is scored once."""
    give_goals(directory, school, person, "score-from-heard", {"goal": goal}, key)


def guidance(
    about: About,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show the guidance for every step."""
    found = ask_goals(directory, school, person, "guidance", {"about": about, "purpose": purpose})
    show_found(found, json_, guidance_lines(found["guidance"]))


def write_guidance(
    step: Annotated[GuidanceStep, typer.Argument()],
    school: School,
    person: As,
    prompt: Annotated[list[str], typer.Option("--prompt", help="What to think of; repeat it.")],
    example: Annotated[list[str] | None, typer.Option("--example", help="How one could say it; repeat it.")] = None,
    number: Annotated[int, typer.Option("--number", min=0, help="The version you saw; 0: the first words.")] = 0,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Write the school's next version of the guidance for a step, as its expert team."""
    body = {"about": school_subject(school), "step": step, "number": number, "prompts": prompt, "examples": example}
    give_goals(directory, school, person, "write-guidance", body, key)
    Console().print("it goes along with every conversation from now on")
