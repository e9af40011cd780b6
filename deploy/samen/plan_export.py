"""`samen goals export` (FHIR R4) and `samen plan document` (a page): what leaves; the log says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from deploy.childfile.gather import names_in
from deploy.fresh import refuse_existing, write_new
from deploy.samen.asking import ask_goals, ask_network
from deploy.samen.options import About, As, InLanguage, Language, School, Why
from deploy.samen.plan_page import page_of
from deploy.samen.plans import PlanId
from deploy.samen.up import Dir
from shared.errors import Problem
from shared.events.words import Purpose, school_subject

Out = Annotated[Path, typer.Option("--out", help="A new file; only you can read it.")]


def add_to_goals(app: typer.Typer) -> None:
    """Add the export to `samen goals`."""
    app.command()(export)


def add_to_plans(app: typer.Typer) -> None:
    """Add the document to `samen plan`."""
    app.command()(document)


def export(
    about: About, school: School, person: As, out: Out, purpose: Why = Purpose.OWN_DATA, directory: Dir = None
) -> None:
    """Write a child's goals, scores and plans as a FHIR R4 Bundle."""
    refuse_existing(out)
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


def _names(directory: Dir, school: str, person: UUID, about: str, purpose: Purpose) -> dict[str, str]:
    """Returns the names round the child that this person sees; of a school's own plan there are none."""
    if about == str(school_subject(school)):
        return {}
    try:
        body = {"child": about, "purpose": purpose}
        found = ask_network(directory, school, person, "child-network", body, tell=False)
    except Problem:
        return {}  # a plan reads with ids too
    return names_in({"network": {"child-network": found, "child-file": found}})


def document(
    plan: PlanId,
    school: School,
    person: As,
    out: Out,
    language: InLanguage = Language.DUTCH,
    scores: Annotated[bool, typer.Option("--scores", help="Also how each goal's ladder went over time.")] = False,
    purpose: Why = Purpose.OWN_DATA,
    directory: Dir = None,
) -> None:
    """Write a plan with its agreements as a page (HTML) to read and to print."""
    refuse_existing(out)
    found = ask_goals(directory, school, person, "export-plan", {"plan": plan, "scores": scores, "purpose": purpose})
    names = _names(directory, school, person, found["plan"]["about"], purpose)
    write_new(out, page_of(found, language.value, names))
    broken, every = found["broken"], found["verified"] + found["broken"]
    told = f"{out}: {every} agreements" + (f", of which {broken} DO NOT VERIFY" if broken else "")
    if not found["said_shown"]:
        told += "; only your own are in it"
    if scores and not found["scores_shown"]:
        told += "; scores are not yours to export"
    Console(soft_wrap=True).print(told, markup=False)
