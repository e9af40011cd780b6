"""`samen talk hold|record|outcome|settle|heard`: that a conversation took place, what it came to, and who was heard."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from deploy.samen.asking import give_goals
from deploy.samen.options import About, As, By, Key, School
from deploy.samen.talks import At, Minutes, Place, Seen, TalkId, seen_of, times_of
from deploy.samen.up import Dir
from shared.events.conversations import OutcomeKind

Attended = Annotated[list[UUID], typer.Option("--attended", help="Who was there; repeat it.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to a group."""
    for command in (hold, record, outcome, settle, heard):
        app.command()(command)


class Heard(StrEnum):
    """Whether you were heard."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


def hold(
    talk: TalkId,
    school: School,
    person: As,
    attended: Attended,
    sequence: Seen = None,
    notes: Annotated[str | None, typer.Option("--notes")] = None,
    goal: Annotated[
        list[UUID] | None, typer.Option("--goal", help="A goal that was talked about, not on the agenda; repeat it.")
    ] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Record that it took place; each who was there is asked whether it was heard."""
    seen = seen_of(directory, school, person, talk, sequence)
    body = {"conversation": talk, "sequence": seen, "attended": attended, "notes": notes, "goals": goal or []}
    give_goals(directory, school, person, "hold-conversation", body, key)


def record(
    about: About,
    school: School,
    person: As,
    at: At,
    why: Annotated[str, typer.Option("--why", help="What it was about.")],
    attended: Attended,
    minutes: Minutes = 15,
    place: Place = None,
    notes: Annotated[str | None, typer.Option("--notes")] = None,
    goal: Annotated[list[UUID] | None, typer.Option("--goal", help="A goal that was talked about; repeat it.")] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Write down a conversation that you were at and nobody had planned; who was there is asked, as by `hold`."""
    body = times_of(at, minutes) | {
        "about": about,
        "why": why,
        "place": place,
        "attended": attended,
        "notes": notes,
        "goals": goal or [],
    }
    give_goals(directory, school, person, "record-conversation", body, key)


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
