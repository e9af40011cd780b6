"""`samen goals ladder`: a goal's ladder over time, in the terminal, as a picture (SVG), or as text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.fresh import refuse_existing, write_new
from deploy.samen.asking import ask_goals
from deploy.samen.goals import GoalId
from deploy.samen.ladder import chart
from deploy.samen.ladder_data import Ladder
from deploy.samen.ladder_svg import draw
from deploy.samen.ladder_words import as_text
from deploy.samen.options import As, InLanguage, Language, School, Why
from deploy.samen.up import Dir
from shared.events.words import Purpose


def add_to(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command()(ladder)


def ladder(
    goal: GoalId,
    school: School,
    person: As,
    svg: Annotated[Path | None, typer.Option("--svg", help="Write a picture to this new file.")] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Print it as a list, as a screen reader reads the picture.")
    ] = False,
    language: InLanguage = Language.DUTCH,
    purpose: Why = Purpose.GUIDANCE,
    directory: Dir = None,
) -> None:
    """Show how a goal's ladder went over time: what each setting saw, its target, where settings were apart."""
    if svg is not None:
        refuse_existing(svg)
    found = ask_goals(directory, school, person, "goal", {"goal": goal, "purpose": purpose})
    if not found["scores_shown"]:
        Console(stderr=True).print("scores are not yours to see")
        raise typer.Exit(1)
    told = Ladder.of(found["goal"], found["scores"], found["older_scores"])
    if svg is not None:
        write_new(svg, draw(told, language))
        typer.echo(f"{svg}: {len(told.scores)} scores")
    if text:
        typer.echo(as_text(told, language))
    elif svg is None:
        Console().print(chart(found["scores"], found["goal"]["ladder"], found["goal"]["baseline"]))
