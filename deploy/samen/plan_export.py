"""`samen goals export` (FHIR R4) and `samen plan document` (a page): what leaves; the log says so."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.fresh import write_new
from deploy.samen.plan_page import page_of
from deploy.samen.plans import About, As, PlanId, School, Why, ask_goals
from deploy.samen.up import Dir
from shared.events.words import Purpose

Out = Annotated[Path, typer.Option("--out", help="A new file; only you can read it.")]


class Language(StrEnum):
    """In which language a document's own words are."""

    DUTCH = "nl"
    ENGLISH = "en"


def add_to_goals(app: typer.Typer) -> None:
    """Add the export to `samen goals`."""
    app.command()(export)


def add_to_plans(app: typer.Typer) -> None:
    """Add the document to `samen plan`."""
    app.command()(document)


def _is_new(out: Path) -> None:
    """Ends the command, before anything is asked, when the file is there already."""
    if out.exists():
        Console(stderr=True, soft_wrap=True).print(f"{out} is there already: name a new one", style="red", markup=False)
        raise typer.Exit(1)


def export(
    about: About, school: School, person: As, out: Out, purpose: Why = Purpose.OWN_DATA, directory: Dir = None
) -> None:
    """Write a child's goals, scores and plans as a FHIR R4 Bundle."""
    _is_new(out)
    found = ask_goals(directory, school, person, "export-child", {"about": about, "purpose": purpose})
    write_new(out, json.dumps(found["bundle"], indent=1, ensure_ascii=False) + "\n")
    told = f"{len(found['bundle']['entry'])} resources in {out}"
    if not found["scores_shown"]:
        told += "; scores are not yours to export"
    for what in ("goals", "scores", "plans"):
        if found[f"older_{what}"]:
            told += f"; {found[f'older_{what}']} older {what} are not in it"
    if not found["said_shown"]:
        told += "; of the answers to plans only your own are in it"
    Console(soft_wrap=True).print(told, markup=False)


def document(
    plan: PlanId,
    school: School,
    person: As,
    out: Out,
    language: Annotated[Language, typer.Option("--language")] = Language.DUTCH,
    purpose: Why = Purpose.OWN_DATA,
    directory: Dir = None,
) -> None:
    """Write a plan with its agreements as a page (HTML) to read and to print."""
    _is_new(out)
    found = ask_goals(directory, school, person, "export-plan", {"plan": plan, "purpose": purpose})
    write_new(out, page_of(found, language.value))
    broken, every = found["broken"], found["verified"] + found["broken"]
    told = f"{out}: {every} agreements" + (f", of which {broken} DO NOT VERIFY" if broken else "")
    if not found["said_shown"]:
        told += "; only your own are in it"
    Console(soft_wrap=True).print(told, markup=False)
