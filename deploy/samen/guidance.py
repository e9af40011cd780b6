"""`samen talk guidance|write-guidance|heard-summary`: what an expert team gives to conversations and learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.samen.asking import ask_goals, give_goals, show_found
from deploy.samen.options import About, As, AsJson, Json, Key, School, Why
from deploy.samen.up import Dir
from shared.events.conversations import GuidanceStep
from shared.events.words import Purpose, school_subject


def add_to(app: typer.Typer) -> None:
    """Add the commands to a group."""
    for command in (heard_summary, guidance, write_guidance):
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
    show_found(found, json_, table)


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
