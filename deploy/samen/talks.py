"""`samen talk`: conversations round a child or in a school's own approach, from the invitation to "were you heard?"."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from deploy.samen.asking import ask_goals, give_goals, show_found
from deploy.samen.options import About, As, AsJson, By, InLanguage, Json, Key, Language, Reason, School, Why
from deploy.samen.talk_lines import AMSTERDAM, lines_of, suggested_of, when_of
from deploy.samen.up import Dir
from shared.events.conversations import ConversationKind, InvitationAnswer, OutcomeKind
from shared.events.words import Purpose

app = typer.Typer(no_args_is_help=True, help="Conversations: plan, answer, agenda, hold, outcomes, were you heard?")

TalkId = Annotated[UUID, typer.Argument(help="The conversation's id (`samen talk list`).")]
At = Annotated[datetime, typer.Option("--at", formats=["%Y-%m-%dT%H:%M"], help="When, as clocks here tell it.")]
Minutes = Annotated[int, typer.Option("--minutes", min=5, max=720)]
Place = Annotated[str | None, typer.Option("--place", help="Where: only who takes part reads it.")]
Seen = Annotated[int, typer.Option("--sequence", min=0, help="The sequence you saw (`samen talk show`).")]


def _times(at: datetime, minutes: int) -> Json:
    start = at.replace(tzinfo=AMSTERDAM)
    try:
        return {"starts_at": start, "ends_at": start + timedelta(minutes=minutes)}
    except OverflowError:
        raise typer.BadParameter("no calendar goes on so far: check the year", param_hint="--at") from None


class Heard(StrEnum):
    """Whether you were heard."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


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
    body = _times(at, minutes) | {
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
    sequence: Seen,
    at: At,
    minutes: Minutes = 45,
    place: Place = None,
    invited: Annotated[
        list[UUID] | None, typer.Option("--with", help="All who are invited, if more than were.")
    ] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Give it another time or place, or invite more people."""
    body = {
        "conversation": talk,
        "sequence": sequence,
        "place": place,
        "invited": invited or None,
        **_times(at, minutes),
    }
    give_goals(directory, school, person, "move-conversation", body, key)


@app.command()
def cancel(
    talk: TalkId, school: School, person: As, sequence: Seen, reason: Reason, key: Key = None, directory: Dir = None
) -> None:
    """Call it off."""
    body = {"conversation": talk, "sequence": sequence, "reason": reason}
    give_goals(directory, school, person, "cancel-conversation", body, key)


@app.command()
def uninvite(
    talk: TalkId,
    school: School,
    person: As,
    sequence: Seen,
    members: Annotated[list[UUID], typer.Option("--member", help="Who is no longer asked; repeat it.")],
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Take people off the list: they hear of it, and their calendars drop it."""
    body = {"conversation": talk, "sequence": sequence, "members": members}
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


@app.command()
def hold(
    talk: TalkId,
    school: School,
    person: As,
    sequence: Seen,
    attended: Annotated[list[UUID], typer.Option("--attended", help="Who was there; repeat it.")],
    notes: Annotated[str | None, typer.Option("--notes")] = None,
    goal: Annotated[
        list[UUID] | None, typer.Option("--goal", help="A goal that was talked about, not on the agenda; repeat it.")
    ] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Record that it took place; each who was there is asked whether it was heard."""
    body = {"conversation": talk, "sequence": sequence, "attended": attended, "notes": notes, "goals": goal or []}
    give_goals(directory, school, person, "hold-conversation", body, key)


@app.command()
def outcome(
    talk: TalkId,
    kind: Annotated[OutcomeKind, typer.Argument(help="What it is to become.")],
    words: Annotated[str, typer.Argument()],
    school: School,
    person: As,
    who: Annotated[list[UUID] | None, typer.Option("--who", help="Who does it; repeat it.")] = None,
    by: By = None,
    on_point: Annotated[UUID | None, typer.Option("--point", help="The point of the agenda that it came from.")] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Record what it came to."""
    day = by.date() if by else None
    body = {"conversation": talk, "kind": kind, "words": words, "who": who or None, "by_on": day, "point": on_point}
    give_goals(directory, school, person, "record-outcome", body, key)


@app.command()
def settle(
    outcome_id: Annotated[UUID, typer.Argument(help="The outcome's id.")],
    school: School,
    person: As,
    version: Annotated[int, typer.Option("--version", help="The outcome's version that you saw.")] = 1,
    became: Annotated[UUID | None, typer.Option("--became", help="The goal, action or commitment.")] = None,
    dropped: Annotated[str | None, typer.Option("--dropped", help="Or why it became nothing.")] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Say what an outcome became."""
    body = {"outcome": outcome_id, "version": version, "became": became, "dropped_because": dropped}
    give_goals(directory, school, person, "settle-outcome", body, key)


@app.command()
def heard(
    talk: TalkId,
    what: Annotated[Heard, typer.Argument()],
    school: School,
    person: As,
    words: Annotated[str | None, typer.Option("--words", help="Only you read them.")] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Say whether you were heard: your answer stays yours, the school sees counts of ten or more."""
    give_goals(directory, school, person, "say-heard", {"conversation": talk, "answer": what, "words": words}, key)


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
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; else it is printed.")] = None,
    language: InLanguage = Language.DUTCH,
    purpose: Why = Purpose.GUIDANCE,
    directory: Dir = None,
) -> None:
    """Give the calendar entry (RFC 5545); taken again after a change, it updates or cancels the one before."""
    body = {"conversation": talk, "purpose": purpose, "language": language}
    text = ask_goals(directory, school, person, "conversation-invite", body)["ics"]
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_bytes(text.encode())
