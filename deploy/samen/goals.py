"""`samen goals`: a child's (or a school's own) goals, their steps and scores."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.samen.asking import as_json, ask_goals, give_goals
from deploy.samen.ladder import chart
from deploy.samen.ladder_data import signed
from deploy.samen.options import About, As, AsJson, Key, School, Why
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.goals import Achievement, Domain
from shared.events.words import Purpose, Setting

app = typer.Typer(no_args_is_help=True, help="Goals: list, show, draw, propose, step, score, correct.")

GoalId = Annotated[UUID, typer.Argument(help="The goal's id.")]
Version = Annotated[int, typer.Option("--version", help="The version you saw (`samen goals show`).")]
On = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The day that was seen; today if left out.")
]
Level = Annotated[int, typer.Option("--level", min=-2, max=2, help="What was seen, on the goal's ladder.")]


class Step(StrEnum):
    """The steps in a goal's life that a person takes."""

    ACCEPT = "accept"
    REJECT = "reject"
    ACTIVATE = "activate"
    HOLD = "hold"
    RESUME = "resume"
    COMPLETE = "complete"
    CANCEL = "cancel"
    MARK_IN_ERROR = "mark-in-error"
    ASSESS = "assess"


COMMANDS = {step: f"{step.value}-goal" for step in Step} | {Step.MARK_IN_ERROR: "mark-goal-in-error"}


@app.command(name="list")
def list_goals(
    about: About,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    after: Annotated[UUID | None, typer.Option("--after", help="Go on after this goal.")] = None,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """List goals, newest first, with their latest levels and the T-scores."""
    found = ask_goals(directory, school, person, "goals-of-child", {"about": about, "purpose": purpose, "after": after})
    if json_:
        as_json(found)
        return
    table = Table(title="Goals", caption="" if found["scores_shown"] else "scores are not yours to see")
    for column in ("goal", "in own words", "domain", "status", "went", "weight", *Setting, "differs", "talk"):
        table.add_column(column)
    for goal in found["goals"]:
        latest = goal.get("latest", {})
        differs = [f"{one['lower']} below {one['higher']}" for one in goal.get("diverging", [])]
        table.add_row(
            f"{goal['id']} v{goal['version']}",
            Text(goal["statement"]),
            goal["domain"],
            goal["status"],
            goal["achievement"] or "",
            str(goal["weight"]),
            *(signed(latest[setting]["level"]) if setting in latest else "" for setting in Setting),
            ", ".join(differs),
            f"since {goal['talk_suggested_at'][:10]}" if goal.get("talk_suggested_at") else "",
        )
    console = Console()
    print_table(table, console)
    if "t_score" in found:
        print_table(_t_table(found["t_score"]), console)
    if found["next"]:
        console.print(f"more: --after {found['next']}")


def _t_table(told: dict[str, Any]) -> Table:
    change = "" if told["change"] is None else f"; {told['change']:+.1f} since the baselines"
    table = Table(
        title="T-score", caption=f"50 is as expected{change}. Read it beside the levels; never rank children."
    )
    for column in ("from", "T", "scored", "without a score"):
        table.add_column(column)
    for name, one in {**told["settings"], "together": told["together"], "baseline": told["baseline"]}.items():
        value = f"{one['value']:.1f}" if one["value"] is not None else one.get("problem", "-")
        table.add_row(name, value, str(one["scored"]), str(len(one["missing"])))
    return table


@app.command()
def show(
    goal: GoalId,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show one goal: its words, its steps, and its ladder over time."""
    found = ask_goals(directory, school, person, "goal", {"goal": goal, "purpose": purpose})
    if json_:
        as_json(found)
        return
    console, told = Console(), found["goal"]
    table = Table(title=f"Goal {told['id']} version {told['version']}", show_header=False)
    for name in ("statement", "wording", "domain", "status", "achievement", "target_on", "weight", "baseline"):
        table.add_row(name, Text(str(told[name] if told[name] is not None else "")))
    table.add_row("settings", ", ".join(told["settings"]))
    table.add_row("responsible", "\n".join(told["responsible"]))
    print_table(table, console)
    steps = Table(title="Steps")
    for column in ("version", "when", "became", "went", "why", "who"):
        steps.add_column(column)
    for step in found["steps"]:
        when, went, why = step["taken_at"][:10], step["achievement"] or "", Text(step["reason"] or "")
        steps.add_row(str(step["goal_version"]), when, step["status"], went, why, step["taken_by"])
    print_table(steps, console)
    if found["scores_shown"]:
        console.print(chart(found["scores"], told["ladder"], told["baseline"]))
    else:
        console.print("scores are not yours to see")


@app.command()
def propose(
    about: About,
    school: School,
    person: As,
    domain: Annotated[Domain, typer.Option("--domain")],
    setting: Annotated[list[Setting], typer.Option("--setting", help="Where it is worked on; repeat it.")],
    statement: Annotated[str, typer.Option("--statement", help="In the child's or family's own words.")],
    wording: Annotated[str, typer.Option("--wording", help="Specific and measurable.")],
    ladder: Annotated[list[str], typer.Option("--ladder", help="What -2, -1, 0, +1, +2 mean: five times, in order.")],
    target: Annotated[datetime, typer.Option("--target", formats=["%Y-%m-%d"])],
    responsible: Annotated[list[UUID], typer.Option("--responsible", help="A member who sees to it; repeat it.")],
    baseline: Annotated[int, typer.Option("--baseline", min=-2, max=2)] = -1,
    weight: Annotated[int, typer.Option("--weight", min=0, max=10)] = 1,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Propose a goal."""
    body = {
        "about": about,
        "domain": domain,
        "settings": setting,
        "statement": statement,
        "wording": wording,
        "ladder": ladder,
        "baseline": baseline,
        "target_on": target.date(),
        "responsible": responsible,
        "weight": weight,
        "purpose": purpose,
    }
    give_goals(directory, school, person, "propose-goal", body, key)


@app.command()
def step(
    what: Annotated[Step, typer.Argument(help="The step to take.")],
    goal: GoalId,
    school: School,
    person: As,
    version: Version,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why: for reject, hold, cancel, mark-in-error.")
    ] = None,
    achievement: Annotated[Achievement | None, typer.Option("--achievement", help="For complete and assess.")] = None,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Take a step in a goal's life, or judge how it goes."""
    body = {"goal": goal, "version": version, "reason": reason, "achievement": achievement, "purpose": purpose}
    give_goals(directory, school, person, COMMANDS[what], body, key)


@app.command()
def score(
    goal: GoalId,
    level: Level,
    school: School,
    person: As,
    setting: Annotated[Setting, typer.Option("--setting", help="The setting that this person sees.")],
    on: On = None,
    note: Annotated[str | None, typer.Option("--note")] = None,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Score a goal on its ladder."""
    day = on.date() if on else date.today()  # noqa: DTZ011  the day on the wall where this is typed
    body = {"goal": goal, "level": level, "setting": setting, "observed_on": day, "note": note, "purpose": purpose}
    give_goals(directory, school, person, "score-goal", body, key)


@app.command()
def correct(
    score: Annotated[UUID, typer.Argument(help="The score's id.")],
    school: School,
    person: As,
    version: Version,
    reason: Annotated[str, typer.Option("--reason", help="What was wrong.")],
    level: Annotated[
        int | None, typer.Option("--level", min=-2, max=2, help="The right level, if there is one.")
    ] = None,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Mark a score as entered in error; it stays readable and counts no more."""
    body = {"score": score, "version": version, "reason": reason, "level": level, "purpose": purpose}
    give_goals(directory, school, person, "correct-score", body, key)
