"""`samen network expect|answer|commit|review|expectations ...`: what people expect of each other, and promise."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from deploy.samen.asking import do, effect_words
from deploy.samen.client import Client
from deploy.samen.dialogues import mine, whole
from deploy.samen.options import About, As, By, Key, School, Version, Why
from deploy.samen.up import Dir
from shared.events.dialogue import Kept
from shared.events.words import Purpose, Setting

DialogueId = Annotated[UUID, typer.Argument(help="The dialogue's id (`samen network expectations`).")]
Words = Annotated[str, typer.Option("--words", help="In your own words.")]
MaybeWords = Annotated[str | None, typer.Option("--words", help="In your own words.")]
To = Annotated[list[str], typer.Option("--to", help="A member's id, or home, school, care; repeat it.")]
ForSchool = Annotated[bool, typer.Option("--for-school", help="In the name of the school's team, not your own.")]
Open = Annotated[bool, typer.Option("--open", help="Let everyone round the child read these words.")]
LookBack = Annotated[datetime | None, typer.Option("--review", formats=["%Y-%m-%d"], help="When to look back.")]

Json = dict[str, Any]


class Reply(StrEnum):
    """What one can answer."""

    ACCEPT = "accept"
    PROPOSE = "propose"
    DECLINE = "decline"


ANSWERS = {Reply.ACCEPT: "accepted", Reply.PROPOSE: "proposed", Reply.DECLINE: "declined"}


def add_to(app: typer.Typer) -> None:
    """Add the commands to a group."""
    for command in (expect, commit, answer, review, remark, bring_in, expectations):
        app.command()(command)
    app.command(name="take-back")(take_back)


def _command(directory: Dir, school: str, person: UUID, name: str, body: Json, key: str | None = None) -> Json:
    async def give(client: Client) -> Json:
        given = {field: value for field, value in body.items() if value is not None}
        actor = client.actor(person, school)
        reply = dict(await client.command(school, "network", name, given, actor, key=key))
        if "withdrawal" in reply:
            reply["effect"] = await client.effective(school, reply["withdrawal"])
        return reply

    return dict(do(directory, give))


def _tell(reply: Json) -> None:
    console = Console(soft_wrap=True)
    for one in reply.get("dialogues", ()):
        console.print(f"dialogue {one['dialogue']} version {one['version']}: with {one['member'] or 'the school team'}")
    if "dialogue" in reply:
        console.print(f"dialogue {reply['dialogue']} version {reply['version']}: [bold]{reply['state']}[/]")
    if reply.get("joined"):
        console.print("Both sides agree: the member reads along from now on.")
    if "effect" in reply:
        console.print(effect_words(reply["effect"]))


def _day(moment: datetime | None) -> str | None:
    return moment.date().isoformat() if moment else None


def _addressed(to: list[str]) -> Json:
    settings = [one for one in to if one in set(Setting)]
    members = []
    for one in to:
        if one not in settings:
            try:
                members.append(str(UUID(one)))
            except ValueError:
                hint = f"{one!r} is no member's id, nor home, school or care: see `samen network show --ids`"
                raise typer.BadParameter(hint, param_hint="--to") from None
    return {"members": members, "settings": settings}


def expect(
    about: About,
    school: School,
    person: As,
    words: Words,
    why: Annotated[str, typer.Option("--why", help="Why it matters to you.")],
    to: To,
    talk: Annotated[
        datetime | None, typer.Option("--talk", formats=["%Y-%m-%d"], help="When to talk about it.")
    ] = None,
    by: By = None,
    review: LookBack = None,
    for_school: ForSchool = False,
    open_: Open = False,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Say what you expect of someone; each who is asked answers on their own, the school's team as one."""
    body = {"about": about, "words": words, "why": why, "purpose": purpose, "for_school": for_school, "open": open_}
    days = {"talk_on": _day(talk), "by_on": _day(by), "review_on": _day(review)}
    _tell(_command(directory, school, person, "voice-expectation", body | days | _addressed(to), key))


def commit(
    about: About,
    school: School,
    person: As,
    words: Words,
    to: To,
    by: Annotated[datetime, typer.Option("--by", formats=["%Y-%m-%d"], help="By which day.")],
    review: LookBack = None,
    for_school: ForSchool = False,
    open_: Open = False,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Commit yourself to something, without being asked."""
    body = {"about": about, "words": words, "purpose": purpose, "for_school": for_school, "open": open_}
    days = {"by_on": _day(by), "review_on": _day(review)}
    _tell(_command(directory, school, person, "make-commitment", body | days | _addressed(to), key))


def answer(
    dialogue: DialogueId,
    what: Annotated[Reply, typer.Argument(help="accept, propose (otherwise) or decline.")],
    school: School,
    person: As,
    version: Version,
    words: MaybeWords = None,
    by: By = None,
    review: LookBack = None,
    open_: Open = False,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Answer what the other side expects or proposes. To propose or decline, say it with --words."""
    body = {"dialogue": dialogue, "version": version, "answer": ANSWERS[what], "words": words, "open": open_}
    days = {"by_on": _day(by), "review_on": _day(review), "purpose": purpose}
    _tell(_command(directory, school, person, "answer-expectation", body | days, key))


def review(
    dialogue: DialogueId,
    outcome: Annotated[Kept, typer.Argument(help="How it went: kept, partly, not, no_longer_needed.")],
    school: School,
    person: As,
    version: Version,
    words: MaybeWords = None,
    open_: Open = False,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Look back on a commitment: say how it went, as your side sees it."""
    body = {"dialogue": dialogue, "version": version, "outcome": outcome, "words": words, "open": open_}
    _tell(_command(directory, school, person, "review-commitment", body | {"purpose": purpose}, key))


def take_back(
    dialogue: DialogueId,
    school: School,
    person: As,
    version: Version,
    words: MaybeWords = None,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Take back your own: an expectation, a proposal nobody answered, or a commitment (with the reason)."""
    body = {"dialogue": dialogue, "version": version, "words": words, "purpose": purpose}
    _tell(_command(directory, school, person, "withdraw-expectation", body, key))


def remark(
    dialogue: DialogueId,
    school: School,
    person: As,
    version: Version,
    words: Words,
    open_: Open = False,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Say something in a dialogue, without answering."""
    body = {"dialogue": dialogue, "version": version, "words": words, "open": open_, "purpose": purpose}
    _tell(_command(directory, school, person, "remark", body, key))


def bring_in(
    dialogue: DialogueId,
    member: Annotated[UUID, typer.Argument(help="Whom you would like to read along, such as the social worker.")],
    school: School,
    person: As,
    version: Version,
    out: Annotated[bool, typer.Option("--out", help="Not any more: out at once.")] = False,
    purpose: Why = Purpose.GUIDANCE,
    key: Key = None,
    directory: Dir = None,
) -> None:
    """Ask someone into a dialogue; the member is in it once the other side says the same."""
    body = {"dialogue": dialogue, "version": version, "member": member, "welcome": not out, "purpose": purpose}
    _tell(_command(directory, school, person, "invite-companion", body, key))


def expectations(
    school: School,
    person: As,
    about: Annotated[UUID | None, typer.Argument(help="The child's id; left out: all that waits for you.")] = None,
    purpose: Why = Purpose.GUIDANCE,
    after: Annotated[UUID | None, typer.Option("--after", help="Go on after this dialogue.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    directory: Dir = None,
) -> None:
    """Show the dialogues about a child; without a child, what is asked of you and what was promised."""
    name, body = "my-expectations", {"purpose": purpose, "after": after}
    if about:
        name, body = "expectations", body | {"about": about}
    found = do(directory, lambda client: client.query(school, "network", name, body, client.actor(person, school)))
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        return
    console = Console(soft_wrap=True, highlight=False)
    for one in found["expectations"]:
        console.print("\n".join(whole(one) if about else mine(one)), end="\n\n")
    if not found["expectations"]:
        console.print("Nothing that you may read." if about else "Nothing is asked of you, and nothing was promised.")
    if found["next"]:
        console.print(f"more: --after {found['next']}")
