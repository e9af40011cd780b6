"""`samen goals history|revise`, and `samen goals templates ...`: what goals start from, and how their words change."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from deploy.samen.asking import ask_goals, do, give_goals, show_found
from deploy.samen.client import Client, operator_id
from deploy.samen.options import As, AsJson, Json, Key, Reason, School, Why, read_json
from deploy.samen.up import Dir
from shared.events.goals import Domain
from shared.events.words import ActorKind, Purpose, Setting, school_subject

templates = typer.Typer(no_args_is_help=True, help="Example goals: list, show, publish, propose a goal from one.")

GoalId = Annotated[UUID, typer.Argument(help="The goal's id.")]
TemplateId = Annotated[UUID, typer.Argument(help="The template's id (`samen goals templates list`).")]
About = Annotated[UUID | None, typer.Option("--about", help="The child; left out: the school's own subject.")]
Version = Annotated[int, typer.Option("--version", help="The version you saw (`samen goals show`).")]
Target = Annotated[datetime | None, typer.Option("--target", formats=["%Y-%m-%d"])]
Ladder = Annotated[
    list[str] | None, typer.Option("--ladder", help="What -2, -1, 0, +1, +2 mean: five times, in order.")
]
Baseline = Annotated[int | None, typer.Option("--baseline", min=-2, max=2)]
Weight = Annotated[int | None, typer.Option("--weight", min=0, max=10)]
TEXT_FIELDS = ("domain", "title", "wording", "ladder")
NEEDS = f"a JSON object with {', '.join(TEXT_FIELDS)} is needed"


def add_to(app: typer.Typer) -> None:
    """Add the commands to a group."""
    app.command()(history)
    app.command()(revise)
    app.add_typer(templates, name="templates")


def history(
    goal: GoalId,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show what became of a goal: each step and change, by whom and why, and the words it was proposed with."""
    found = ask_goals(directory, school, person, "goal-history", {"goal": goal, "purpose": purpose})
    show_found(found, json_, history_of(found))


def history_of(found: Json) -> Iterator[str]:
    """Yield a goal's history as lines, oldest first."""
    first = found["proposed"]
    start = f", from template {first['template']} version {first['template_number']}" if first["template"] else ""
    yield f"version 1  {first['at'][:10]}  proposed by {first['by']}{start}"
    for name, value in first["words"].items():
        yield f"    {name}: {_words(value)}"
    for step in found["steps"]:
        changes = step["changes"] or []
        what = "reworded" if changes else step["status"]
        went = f", went: {step['achievement']}" if step["achievement"] else ""
        why = f": {escape(step['reason'])}" if step["reason"] else ""
        yield f"version {step['goal_version']}  {step['taken_at'][:10]}  {what}{went} by {step['taken_by']}{why}"
        for one in changes:
            yield f"    {one['field']}: {_words(one['before'])} -> {_words(one['after'])}"


def _words(value: object) -> str:
    return escape(" | ".join(map(str, value)) if isinstance(value, list) else str(value))


def revise(
    goal: GoalId,
    school: School,
    person: As,
    version: Version,
    reason: Reason,
    statement: Annotated[str | None, typer.Option("--statement", help="In the child's or family's own words.")] = None,
    wording: Annotated[str | None, typer.Option("--wording", help="Specific and measurable.")] = None,
    ladder: Ladder = None,
    baseline: Baseline = None,
    setting: Annotated[list[Setting] | None, typer.Option("--setting", help="Where; repeat it.")] = None,
    target: Target = None,
    responsible: Annotated[list[UUID] | None, typer.Option("--responsible", help="Repeat it.")] = None,
    weight: Weight = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Change a goal's words; the ladder and baseline only while work on it has not begun."""
    body = {
        "goal": goal,
        "version": version,
        "reason": reason,
        "statement": statement,
        "wording": wording,
        "ladder": ladder or None,
        "baseline": baseline,
        "settings": setting or None,
        "target_on": target.date() if target else None,
        "responsible": responsible or None,
        "weight": weight,
    }
    give_goals(directory, school, person, "revise-goal", body, key)


@templates.command(name="list")
def list_templates(
    school: School,
    person: As,
    about: About = None,
    domain: Annotated[Domain | None, typer.Option("--domain")] = None,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """List the templates that are offered, of the school and of its foundation."""
    body = {"about": about or school_subject(school), "domain": domain, "purpose": purpose}
    found = ask_goals(directory, school, person, "goal-templates", body)
    table = Table(title="Templates")
    for column in ("template", "whose", "domain", "title", "wording"):
        table.add_column(column)
    for one in found["templates"]:
        id_ = f"{one['template']} v{one['number']}"
        table.add_row(id_, one["owner"], one["domain"], Text(one["title"]), Text(one["wording"]))
    show_found(found, json_, table)


@templates.command()
def show(
    template: TemplateId,
    school: School,
    person: As,
    about: About = None,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show every version of a template."""
    body = {"about": about or school_subject(school), "template": template, "purpose": purpose}
    found = ask_goals(directory, school, person, "goal-template", body)
    lines = [f"{found['template']['owner']}'s, {found['template']['state']}"]
    for one in found["versions"]:
        lines += [f"version {one['number']}  {one['written_at'][:10]}  {one['domain']}: {escape(one['title'])}"]
        lines += [f"    {escape(one['wording'])}"]
        lines += [f"    {level:+d}  {escape(words)}" for level, words in enumerate(one["ladder"], -2)]
    show_found(found, json_, lines)


@templates.command()
def publish(
    file: Annotated[
        Path, typer.Option("--file", exists=True, dir_okay=False, help="JSON: domain, title, wording, ladder.")
    ],
    school: Annotated[list[str], typer.Option("--school", help="The school's slug; for the foundation's, repeat it.")],
    person: Annotated[UUID | None, typer.Option("--as", help="Who publishes the school's own.")] = None,
    foundation: Annotated[bool, typer.Option("--foundation", help="The foundation's, as operator.")] = False,
    template: Annotated[UUID | None, typer.Option("--template", help="The one to write anew.")] = None,
    number: Annotated[int, typer.Option("--number", min=0, help="The version you saw; 0: a new one.")] = 0,
    retired: Annotated[bool, typer.Option("--retired", help="Offer it no more.")] = False,
    directory: Dir = None,
) -> None:
    """Publish a version of a template: of the school, or with --foundation the same one in each school named."""
    body = _text_in(file) | {"number": number, "state": "retired" if retired else "offered"}
    if foundation == (person is not None) or (not foundation and len(school) > 1):
        raise typer.BadParameter("say --foundation with one or more schools, or --as with one school")
    body |= {"template": template or (uuid4() if foundation else None)}
    body |= {"owner": "foundation" if foundation else "school"}
    given = {name: value for name, value in body.items() if value is not None}

    async def give(client: Client) -> dict[str, Any]:
        replies = {}
        for slug in school:
            actor = (
                client.actor(operator_id(getpass.getuser()), slug, ActorKind.OPERATOR)
                if person is None
                else client.actor(person, slug)
            )
            asked = given | {"about": school_subject(slug)}
            replies[slug] = await client.command(slug, "goals", "publish-template", asked, actor)
        return replies

    for slug, reply in do(directory, give).items():
        Console(soft_wrap=True).print(f"{slug}: template {reply['template']} version {reply['number']}", markup=False)


def _text_in(file: Path) -> Json:
    read = read_json(file, NEEDS)
    if missing := [name for name in TEXT_FIELDS if name not in read]:
        raise typer.BadParameter(f"{file} lacks {', '.join(missing)}: {NEEDS}", param_hint="--file")
    return {name: read[name] for name in TEXT_FIELDS}


@templates.command()
def propose(
    template: TemplateId,
    about: Annotated[UUID, typer.Argument(help="The child's id, or the school's own subject.")],
    school: School,
    person: As,
    statement: Annotated[str, typer.Option("--statement", help="In the child's or family's own words.")],
    setting: Annotated[list[Setting], typer.Option("--setting", help="Where it is worked on; repeat it.")],
    target: Annotated[datetime, typer.Option("--target", formats=["%Y-%m-%d"])],
    responsible: Annotated[list[UUID], typer.Option("--responsible", help="A member who sees to it; repeat it.")],
    wording: Annotated[str | None, typer.Option("--wording", help="The template's, if left out.")] = None,
    ladder: Ladder = None,
    baseline: Annotated[int, typer.Option("--baseline", min=-2, max=2)] = -1,
    weight: Annotated[int, typer.Option("--weight", min=0, max=10)] = 1,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Propose a goal from a template's newest version: its wording and ladder, but for what is said otherwise."""
    asked = {"about": about, "template": template, "purpose": Purpose.GUIDANCE}
    text = ask_goals(directory, school, person, "goal-template", asked)["versions"][-1]
    body = {
        "about": about,
        "domain": text["domain"],
        "settings": setting,
        "statement": statement,
        "wording": wording or text["wording"],
        "ladder": ladder or text["ladder"],
        "baseline": baseline,
        "target_on": target.date(),
        "responsible": responsible,
        "weight": weight,
        "starts_from": {"template": template, "number": text["number"]},
    }
    give_goals(directory, school, person, "propose-goal", body, key)
