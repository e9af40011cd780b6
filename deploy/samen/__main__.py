"""`samen`: one command for operators. Each group is a module beside this one, wired here."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.text import Text

from deploy.databases import MigrationError
from deploy.embedded.process import StartFailed
from deploy.home import NotRunning
from deploy.samen import (
    audit,
    audit_questions,
    child,
    child_file,
    circle,
    emergency,
    expectations,
    goal_words,
    goals,
    guidance,
    inbox,
    invitations,
    keeping,
    keys,
    network,
    operations,
    plan_answers,
    plan_export,
    plans,
    policy,
    restriction,
    retention,
    roster,
    school_calendar,
    talks,
)
from deploy.samen.demo import demo
from deploy.samen.insight import insight
from deploy.samen.mail import mail
from deploy.samen.status import status
from deploy.samen.up import down, up
from deploy.samen.witness import witness
from deploy.supervisor import AlreadyRunning
from shared.errors import Problem

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Samenkracht: run it, look into it, mend it.")
app.command()(up)
app.command()(down)
app.command()(status)
app.command()(mail)
app.command()(witness)
app.command()(demo)
app.command()(insight)
app.add_typer(operations.letters, name="dead-letters")
app.command()(operations.replay)
app.command()(operations.recover)
app.command()(operations.review)
app.add_typer(keys.app, name="keys")
app.add_typer(roster.app, name="roster")
invitations.add_to(network.app)
circle.add_to(network.app)
keeping.add_to(network.app)
expectations.add_to(network.app)
network.app.add_typer(emergency.app, name="emergency")
app.add_typer(network.app, name="network")
app.add_typer(policy.app, name="policy")
child.app.command(name="export")(child_file.export)
app.add_typer(child.app, name="child")
app.add_typer(retention.app, name="retention")
app.add_typer(inbox.app, name="inbox")
goal_words.add_to(goals.app)
plan_export.add_to(goals.app, plans.app)
app.add_typer(goals.app, name="goals")
plan_answers.add_to(plans.app)
app.add_typer(plans.app, name="plan")
app.add_typer(school_calendar.app, name="calendar")
guidance.add_to(talks.app)
app.add_typer(talks.app, name="talk")
audit_questions.add_to(audit.app)
audit.app.add_typer(restriction.app, name="restriction")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run a command; what a person can mend is told in a line, without a traceback."""
    try:
        app()
    except (AlreadyRunning, MigrationError, NotRunning, Problem, StartFailed) as error:
        Console(stderr=True, soft_wrap=True).print(Text(str(error), style="red"))
        sys.exit(1)


if __name__ == "__main__":
    main()
