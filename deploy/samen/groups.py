"""What `samen` offers: a line of help for each command, and the module that is imported when the command is used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

HERE = "deploy.samen"


@dataclass(frozen=True, slots=True)
class Entry:
    """A command or group: its help, `name` in its module, and the `module:function`s that add more to a group."""

    help: str
    module: str
    name: str = "app"
    adds: tuple[str, ...] = ()


NETWORK = ("invitations:add_to", "circle:add_to", "keeping:add_to", "expectations:add_to", "emergency:add_to")
ENTRIES = {
    "up": Entry("Start everything, keep it running, stop it on Ctrl-C.", "up", "up"),
    "down": Entry("Stop the platform that runs in the folder, and what a killed one left behind.", "up", "down"),
    "status": Entry("Show what runs, how far behind each consumer is, and what stands still.", "status", "status"),
    "restart": Entry(
        "Stop services in order and have them start again with what is in their files now.", "restart", "restart"
    ),
    "mail": Entry("List the mails that were sent, or show one.", "mail", "mail"),
    "witness": Entry(
        "Be a witness of audit logs: sign what only grows, refuse and tell what does not. Exit status 0: all signed.",
        "witness",
        "witness",
    ),
    "demo": Entry(
        "Play half a year at two made-up schools, check every promise, stay up to look around. Starts from empty.",
        "demo",
        "demo",
    ),
    "insight": Entry(
        "Count over schools, as the foundation's operator: nothing below ten children, nothing about a child.",
        "insight",
        "insight",
    ),
    "replay": Entry(
        "Build a service's copy of the grants anew from network's journal. It permits nothing until that is done.",
        "operations",
        "replay",
    ),
    "recover": Entry(
        "Take back what a restored database lost, from the audit log; children named in it stay closed until reviewed.",
        "operations",
        "recover",
    ),
    "review": Entry(
        "Open a child again that is closed since a recovery, after somebody has compared its records.",
        "operations",
        "review",
    ),
    "dead-letters": Entry("Events that could not be applied: list, show, retry.", "operations", "letters"),
    "keys": Entry("Keys that sign the audit log and tokens: take new ones into use without a gap.", "keys"),
    "roster": Entry("Rosters: who is at school, from the pupil administration.", "roster"),
    "network": Entry("Networks round children: members, authority, consent.", "network", adds=NETWORK),
    "policy": Entry("The rules: read them, set how holders decide, ask why.", "policy"),
    "child": Entry(
        "A child's whole file: copy it, erase it, or keep it from being erased.", "child", adds=("child_file:add_to",)
    ),
    "retention": Entry("How long files are kept; erase those whose term has ended.", "retention"),
    "notifications": Entry(
        "Notices: rules, preferences, what waits, why somebody got one or not; and the inbox, as `samen inbox`.",
        "notifications",
        adds=("addresses:add_to", "notice_hours:add_to"),
    ),
    "inbox": Entry("A member's inbox: list it, follow it, mark as read, put away.", "inbox"),
    "goals": Entry(
        "Goals: list, show, draw, propose, step, score, correct.",
        "goals",
        adds=("goal_words:add_to", "ladders:add_to", "plan_export:add_to_goals"),
    ),
    "plan": Entry(
        "Plans: write, talk over, agree, evaluate; see, compare, verify.",
        "plans",
        adds=("plan_export:add_to_plans", "plan_answers:add_to"),
    ),
    "school": Entry("Schools: open one, pause or remove all of its tools at once.", "school"),
    "tool": Entry(
        "A school's own tools: plug one in, see what it gets, pause or remove it.", "tool", adds=("webhooks:add_to",)
    ),
    "calendar": Entry("A school's years and holidays: show, set.", "school_calendar"),
    "talk": Entry(
        "Conversations: plan, answer, agenda, hold, outcomes, were you heard?",
        "talks",
        adds=("talk_held:add_to", "guidance:add_to"),
    ),
    "contract": Entry("What other programs may build on: every event, command and query.", "contract"),
    "audit": Entry(
        "The audit log: who looked, by whom, refusals, proof.",
        "audit",
        adds=("audit_questions:add_to", "restriction:add_to", "readers:add_to"),
    ),
}


@cache
def load(name: str) -> Any:  # noqa: ANN401  typer names no type for its commands
    """Import what a command needs, and return the command."""
    entry = ENTRIES[name]
    found = getattr(import_module(f"{HERE}.{entry.module}"), entry.name)
    whole = typer.Typer(add_completion=False)
    if isinstance(found, typer.Typer):
        for one in entry.adds:
            module, _, function = one.partition(":")
            getattr(import_module(f"{HERE}.{module}"), function)(found)
        whole.add_typer(found, name=name)
    else:
        whole.command(name=name)(found)
    return get_group(whole).commands[name]


class Samen(TyperGroup):
    """All of `samen`; of the commands only the one that is used is imported, the others are names and help."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401  as typer gives it
        super().__init__(**given)
        for name, entry in ENTRIES.items():
            kind = TyperGroup if entry.name in {"app", "letters"} else TyperCommand
            self.commands[name] = kind(name=name, help=entry.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  typer keeps click's types to itself
        """Find the command that is used, and import it."""
        if args and args[0] in ENTRIES:
            self.commands[args[0]] = load(args[0])
        return super().resolve_command(ctx, args)
