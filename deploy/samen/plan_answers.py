"""`samen plan agree|disagree|voice|evaluate ...`: what people say of a plan, and how it went."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import typer

from deploy.samen.asking import give_goals
from deploy.samen.options import As, Key, Reason, School
from deploy.samen.plans import Number, PlanId
from deploy.samen.up import Dir
from shared.events.plans import ActionOutcome, Channel, Moment, Remedy

Hash = Annotated[str, typer.Option("--hash", help="Its hash (`samen plan show`): you answer this very text.")]
Items = Annotated[list[UUID] | None, typer.Option("--item", help="A goal or action; repeat it. None: all.")]
On = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The day; today if left out.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to a group."""
    for command in (agree, disagree, seen, remedy, voice, tell_back, finish, evaluate):
        app.command()(command)


def _day(on: datetime | None) -> date:
    return on.date() if on else date.today()  # noqa: DTZ011  the day on the wall where this is typed


def agree(
    plan: PlanId,
    school: School,
    person: As,
    number: Number,
    hash_: Hash,
    items: Items = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Agree to a plan's goals and actions, as a holder of authority or as the young person. It is no consent."""
    body = {"plan": plan, "number": number, "hash": hash_, "items": items or []}
    give_goals(directory, school, person, "agree-plan", body, key)


def disagree(
    plan: PlanId,
    school: School,
    person: As,
    number: Number,
    hash_: Hash,
    reason: Reason,
    items: Items = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Say that you do not agree, and why: you and the school read the reason, another parent does not."""
    body = {"plan": plan, "number": number, "hash": hash_, "items": items or [], "reason": reason}
    give_goals(directory, school, person, "disagree-plan", body, key)


def seen(
    plan: PlanId, school: School, person: As, number: Number, hash_: Hash, key: Key = None, directory: Dir = None
) -> None:
    """Say that you have seen this version. It is no agreement."""
    give_goals(directory, school, person, "acknowledge-plan", {"plan": plan, "number": number, "hash": hash_}, key)


def remedy(
    plan: PlanId,
    what: Annotated[Remedy, typer.Argument(help="What was tried.")],
    school: School,
    person: As,
    number: Number,
    disagreement: Annotated[UUID, typer.Option("--disagreement", help="Which one (`samen plan show`).")],
    note: Annotated[str, typer.Option("--note", help="What came of it.")],
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Record what was tried to come out of a disagreement."""
    body = {"plan": plan, "number": number, "disagreement": disagreement, "remedy": what, "note": note}
    give_goals(directory, school, person, "take-remedy", body, key)


def voice(
    plan: PlanId,
    moment: Annotated[Moment, typer.Argument(help="About which step the child was heard.")],
    school: School,
    person: As,
    number: Number,
    channel: Annotated[Channel | None, typer.Option("--channel", help="How it chose to be heard.")] = None,
    words: Annotated[str | None, typer.Option("--words", help="In its own words.")] = None,
    influence: Annotated[str | None, typer.Option("--influence", help="What that changed.")] = None,
    told_back: Annotated[datetime | None, typer.Option("--told-back", formats=["%Y-%m-%d"])] = None,
    not_heard: Annotated[str | None, typer.Option("--not-heard", help="Or why it was not heard.")] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Record what the child said of its plan and what that changed, or why it was not heard."""
    said = {"channel": channel, "words": words, "influence": influence, "not_heard_because": not_heard}
    back = {"told_back_on": told_back.date() if told_back else None}
    body = {"plan": plan, "number": number, "moment": moment, **said, **back}
    give_goals(directory, school, person, "record-voice", body, key)


def tell_back(
    plan: PlanId,
    school: School,
    person: As,
    voice: Annotated[UUID, typer.Option("--voice", help="Which record (`samen plan show`).")],
    on: On = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Record that the child was told what its words changed."""
    give_goals(directory, school, person, "tell-child-back", {"plan": plan, "voice": voice, "told_on": _day(on)}, key)


def finish(
    plan: PlanId,
    action: Annotated[UUID, typer.Argument(help="The action's id.")],
    outcome: Annotated[ActionOutcome, typer.Argument(help="How it ended.")],
    school: School,
    person: As,
    number: Number,
    note: Annotated[str | None, typer.Option("--note")] = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Record how an action ended."""
    body = {"plan": plan, "number": number, "action": action, "outcome": outcome, "note": note}
    give_goals(directory, school, person, "finish-action", body, key)


def evaluate(
    plan: PlanId,
    school: School,
    person: As,
    number: Number,
    findings: Annotated[str, typer.Option("--findings", help="What was found.")],
    attended: Annotated[list[UUID] | None, typer.Option("--attended", help="Who was there; repeat it.")] = None,
    without: Annotated[str | None, typer.Option("--without-holders", help="Why nobody who agrees was.")] = None,
    on: On = None,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """End an evaluation; the child was heard about it first, or it says why not."""
    body = {"plan": plan, "number": number, "findings": findings, "held_on": _day(on), "attended": attended or []}
    give_goals(directory, school, person, "evaluate-plan", body | {"without_holders_because": without}, key)
