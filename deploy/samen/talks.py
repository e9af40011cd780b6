"""`samen talk`: conversations round a child or in a school's own approach, from the invitation to "were you heard?"."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from deploy.fresh import refuse_existing, write_new
from deploy.samen.asking import ask_goals, give_goals, show_found
from deploy.samen.options import About, As, AsJson, InLanguage, Json, Key, Language, Reason, School, Why
from deploy.samen.talk_lines import AMSTERDAM, lines_of, suggested_of, when_of
from deploy.samen.up import Dir
from shared.events.conversations import ConversationKind, InvitationAnswer
from shared.events.words import Purpose

app = typer.Typer(no_args_is_help=True, help="Conversations: plan, answer, agenda, hold, outcomes, were you heard?")

TalkId = Annotated[UUID, typer.Argument(help="The conversation's id (`samen talk list`).")]
At = Annotated[datetime, typer.Option("--at", formats=["%Y-%m-%dT%H:%M"], help="When, as clocks here tell it.")]
Minutes = Annotated[int, typer.Option("--minutes", min=5, max=720)]
Place = Annotated[str | None, typer.Option("--place", help="Where: only who takes part reads it.")]
Seen = Annotated[
    int | None,
    typer.Option(
        "--sequence",
        min=0,
        help="The sequence you saw (`samen talk show`); left out: as it stands now. Give it with --key.",
    ),
]


def times_of(at: datetime, minutes: int) -> Json:
    """Return when it begins and ends, of clocks here."""
    start = at.replace(tzinfo=AMSTERDAM)
    try:
        return {"starts_at": start, "ends_at": start + timedelta(minutes=minutes)}
    except OverflowError:
        raise typer.BadParameter("no calendar goes on so far: check the year", param_hint="--at") from None


def standing(directory: Dir, school: str, person: UUID, talk: UUID) -> Json:
    """Return the conversation as it stands, as the person may see it."""
    body = {"conversation": talk, "purpose": Purpose.GUIDANCE}
    return dict(ask_goals(directory, school, person, "conversation", body)["conversation"])


def seen_of(directory: Dir, school: str, person: UUID, talk: UUID, sequence: int | None) -> int:
    """Return the sequence that was given, or the one as it stands."""
    return int(standing(directory, school, person, talk)["sequence"]) if sequence is None else sequence


@app.command()
def plan(
    about: About,
    school: School,
    person: As,
    at: At,
    why: Annotated[str, typer.Option("--why", help="Why you want to talk.")],
    invited: Annotated[list[UUID], typer.Option("--with", help="A member to invite; repeat it.")],
    minutes: Minutes = 45,
    kind: Annotated[ConversationKind, typer.Option("--kind")] = ConversationKind.MEETING,
    about_plan: Annotated[UUID | None, typer.Option("--plan", help="The plan it is about.")] = None,
    goal: Annotated[UUID | None, typer.Option("--goal", help="The goal it is about.")] = None,
    place: Place = None,
    point: Annotated[list[str] | None, typer.Option("--point", help="On the agenda; repeat it.")] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Invite people to a conversation."""
    body = times_of(at, minutes) | {
        "about": about,
        "why": why,
        "invited": invited,
        "kind": kind,
        "plan": about_plan,
        "goal": goal,
        "place": place,
        "points": point or None,
    }
    give_goals(directory, school, person, "plan-conversation", body, key)


@app.command()
def move(
    talk: TalkId,
    school: School,
    person: As,
    at: At,
    sequence: Seen = None,
    minutes: Minutes = 45,
    place: Annotated[str | None, typer.Option("--place", help="Where; left out: as it is. Empty: nowhere yet.")] = None,
    invited: Annotated[
        list[UUID] | None, typer.Option("--with", help="All who are invited, if more than were.")
    ] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Give it another time or place, or invite more people."""
    now = standing(directory, school, person, talk)
    body = {
        "conversation": talk,
        "sequence": now["sequence"] if sequence is None else sequence,
        "place": now["place"] if place is None else place or None,
        "invited": invited or None,
        **times_of(at, minutes),
    }
    give_goals(directory, school, person, "move-conversation", body, key)


@app.command()
def cancel(
    talk: TalkId,
    school: School,
    person: As,
    reason: Reason,
    sequence: Seen = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Call it off."""
    seen = seen_of(directory, school, person, talk, sequence)
    body = {"conversation": talk, "sequence": seen, "reason": reason}
    give_goals(directory, school, person, "cancel-conversation", body, key)


@app.command()
def uninvite(
    talk: TalkId,
    school: School,
    person: As,
    members: Annotated[list[UUID], typer.Option("--member", help="Who is no longer asked; repeat it.")],
    sequence: Seen = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Take people off the list: they hear of it, and their calendars drop it."""
    seen = seen_of(directory, school, person, talk, sequence)
    body = {"conversation": talk, "sequence": seen, "members": members}
    give_goals(directory, school, person, "withdraw-invitation", body, key)


@app.command()
def answer(
    talk: TalkId,
    what: Annotated[InvitationAnswer, typer.Argument()],
    school: School,
    person: As,
    note: Annotated[str | None, typer.Option("--note")] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Say whether you come."""
    body = {"conversation": talk, "answer": what, "note": note}
    give_goals(directory, school, person, "answer-invitation", body, key)


@app.command()
def point(
    talk: TalkId,
    words: Annotated[str, typer.Argument()],
    school: School,
    person: As,
    goal: Annotated[UUID | None, typer.Option("--goal", help="The goal that it is about.")] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Put something on the agenda."""
    give_goals(directory, school, person, "add-point", {"conversation": talk, "words": words, "goal": goal}, key)


@app.command(name="list")
def list_talks(
    about: About,
    school: School,
    person: As,
    before: Annotated[UUID | None, typer.Option("--before", help="The page after this conversation.")] = None,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """List the conversations that you take part in or work on, newest first, and what there is to talk about."""
    body = {"about": about, "purpose": purpose, "before": before}
    found = ask_goals(directory, school, person, "conversations", body)
    table = Table(title="Conversations")
    for column in ("conversation", "kind", "status", "when", "with"):
        table.add_column(column)
    for one in found["conversations"]:
        table.add_row(one["id"], one["kind"], one["status"], when_of(one), "\n".join(one["invited"]))
    if found["next"]:
        table.caption = f"more with --before {found['next']}"
    show_found(found, json_, table, suggested_of(found["suggested"]))


@app.command()
def show(
    talk: TalkId,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show a conversation: its agenda, who comes, what came of it, and guidance for where it stands."""
    found = ask_goals(directory, school, person, "conversation", {"conversation": talk, "purpose": purpose})
    show_found(found, json_, lines_of(found))


@app.command()
def ics(
    talk: TalkId,
    school: School,
    person: As,
    out: Annotated[Path | None, typer.Option("--out", help="A new file to write; else it is printed.")] = None,
    language: InLanguage = Language.DUTCH,
    purpose: Why = Purpose.GUIDANCE,
    directory: Dir = None,
) -> None:
    """Give the calendar entry (RFC 5545); taken again after a change, it updates or cancels the one before."""
    if out is not None:
        refuse_existing(out)
    body = {"conversation": talk, "purpose": purpose, "language": language}
    text = ask_goals(directory, school, person, "conversation-invite", body)["ics"]
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_new(out, text)
