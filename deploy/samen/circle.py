"""`samen network`, more of it: how members go, say how close they stand, and get a receipt of a consent."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from deploy.samen.asking import ask_network, do, effect_words
from deploy.samen.client import Client
from deploy.samen.failing import read_text
from deploy.samen.options import As, ChildId, Language, School, Why
from deploy.samen.up import Dir
from shared.events.words import Purpose

Subject = Annotated[UUID, typer.Argument(help="The child's id, or the school's own (`samen network find`).")]
Membership = Annotated[UUID, typer.Argument(help="The membership's id (`samen network show --ids`).")]
Version = Annotated[int, typer.Option("--version", help="The version that you saw.")]
Given = Annotated[str | None, typer.Option("--given-name", help="Of someone the school does not know yet.")]
Family = Annotated[str | None, typer.Option("--family-name", help="Of someone the school does not know yet.")]
Email = Annotated[str | None, typer.Option("--email", help="Where notices go.")]
Org = Annotated[UUID | None, typer.Option("--organisation", help="The organisation's id.")]
MandateCode = Annotated[str | None, typer.Option("--mandate", help="What the member is there for: a code.")]
MandateUntil = Annotated[str | None, typer.Option("--mandate-until", help="First day without it, as 2026-07-01.")]


def command(directory: Dir, school: str, person: UUID, name: str, body: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    """Gives a command; of what takes access away, waits until it holds everywhere, and says so."""

    async def give(client: Client) -> tuple[Any, Any]:
        reply = await client.command(school, "network", name, body, client.actor(person, school))
        return reply, await client.effective(school, reply["withdrawal"]) if "withdrawal" in reply else None

    reply, effect = do(directory, give)
    if effect is not None:
        Console(soft_wrap=True).print(effect_words(effect))
    return reply


def say(text: str) -> None:
    """Prints a line, with its markup."""
    Console(soft_wrap=True).print(text)


def new_person(given: str | None, family: str | None, email: str | None) -> dict[str, Any] | None:
    """Returns whom the options name, None when nobody; ends the command when they do so by half."""
    if given is None and family is None:
        return None
    if given is None or family is None:
        Console(stderr=True).print("[red]Give both --given-name and --family-name, or neither.[/]")
        raise typer.Exit(1)
    return {"given_name": given, "family_name": family, "email": email}


def mandate_of(code: str | None, until: str | None) -> dict[str, Any] | None:
    """Returns the mandate that the options give."""
    if code is None and until is not None:
        Console(stderr=True).print("[red]Say with --mandate what the member is there for.[/]")
        raise typer.Exit(1)
    return {"code": code, "ends_on": until} if code else None


def leave(
    subject: Subject, membership: Membership, school: School, person: As, version: Version = 1, directory: Dir = None
) -> None:
    """Leave a network, by your own will."""
    command(directory, school, person, "leave-network", _named(subject, membership, version))
    say("you take part no more")


def suspend(
    subject: Subject,
    membership: Membership,
    school: School,
    person: As,
    version: Version = 1,
    reason: Annotated[str, typer.Option("--reason", help="A code.")] = "suspended",
    directory: Dir = None,
) -> None:
    """Stop what a membership gives, without ending it."""
    body = _named(subject, membership, version) | {"reason": reason}
    reply = command(directory, school, person, "suspend-membership", body)
    say(f"suspended: version {reply['version']}")


def resume(
    subject: Subject, membership: Membership, school: School, person: As, version: Version = 1, directory: Dir = None
) -> None:
    """Let a suspended membership give again what it gave."""
    reply = command(directory, school, person, "resume-membership", _named(subject, membership, version))
    say(f"resumed: version {reply['version']}")


def replace(
    subject: Subject,
    membership: Membership,
    school: School,
    person: As,
    by: Annotated[UUID | None, typer.Option("--by", help="The successor, if the school knows this person.")] = None,
    given_name: Given = None,
    family_name: Family = None,
    email: Email = None,
    organisation: Org = None,
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """Put another person in a member's place: the one ends and the other begins at one moment."""
    body = _named(subject, membership, version) | {
        "person": str(by) if by else None,
        "new_person": new_person(given_name, family_name, email),
        "organisation": str(organisation) if organisation else None,
    }
    reply = command(directory, school, person, "replace-member", body)
    say(f"replaced: membership {reply['membership']} of person {reply['person']}")


def renew_mandate(
    subject: Subject,
    membership: Membership,
    school: School,
    person: As,
    until: Annotated[str | None, typer.Option("--until", help="First day without it; nothing: no end.")] = None,
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """Let a mandate last longer: the same membership goes on."""
    body = _named(subject, membership, version) | {"ends_on": until}
    reply = command(directory, school, person, "renew-mandate", body)
    say(f"renewed {f'until {until}' if until else 'without an end'}: version {reply['version']}")


def end_placement(
    child: ChildId,
    school: School,
    person: As,
    reason: Annotated[str, typer.Option("--reason", help="A code.")] = "left_school",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask first.")] = False,
    directory: Dir = None,
) -> None:
    """End a child's place at this school, with everything that hung on it."""
    if not yes:
        typer.confirm("This ends every membership, authority, consent and invitation of this child. Go on?", abort=True)
    reply = command(directory, school, person, "end-placement", {"child": str(child), "reason": reason})
    counts = ", ".join(f"{reply[name]} {name}" for name in ("memberships", "authorities", "consents", "invitations"))
    say(f"ended: {counts}")


def add_tool(
    child: ChildId,
    name: Annotated[str, typer.Argument(help="The tool's name.")],
    school: School,
    person: As,
    agreement: Annotated[str, typer.Option("--agreement", help="The processing agreement's reference.")],
    organisation: Org = None,
    mandate: MandateCode = None,
    mandate_until: MandateUntil = None,
    directory: Dir = None,
) -> None:
    """Add a local tool to a child's network. It sees what consent gives it, and nothing else."""
    body = {
        "subject": str(child),
        "role": "local_tool",
        "new_tool": {"name": name, "agreement": agreement},
        "organisation": str(organisation) if organisation else None,
        "mandate": mandate_of(mandate, mandate_until),
    }
    reply = command(directory, school, person, "add-member", body)
    say(f"added: membership {reply['membership']}, the tool is {reply['person']}")


def tie(
    child: ChildId,
    strength: Annotated[str, typer.Argument(help="strong, ordinary, weak, strained or broken.")],
    school: School,
    person: As,
    to: Annotated[UUID | None, typer.Option("--to", help="Another member; without it, the child.")] = None,
    directory: Dir = None,
) -> None:
    """Say how close you stand to the child, or to another member."""
    body = {"child": str(child), "strength": strength, "to": str(to) if to else None}
    reply = command(directory, school, person, "state-tie", body)
    say(f"noted: version {reply['version']} of your word on it")


def confidential(
    who: Annotated[UUID, typer.Argument(help="Whose contact data: you, or anyone for the records' keeper.")],
    school: School,
    person: As,
    off: Annotated[bool, typer.Option("--off", help="Not confidential any more.")] = False,
    directory: Dir = None,
) -> None:
    """Make contact data confidential: where to find this person is shown only to those who may reach it."""
    command(directory, school, person, "set-confidential", {"person": str(who), "confidential": not off})
    say("no longer confidential" if off else "confidential from now on")


def publish_notice(
    number: Annotated[int, typer.Argument(help="The version's number.")],
    file: Annotated[
        Path, typer.Argument(help="A text file, UTF-8, at most 4000 characters.", exists=True, dir_okay=False)
    ],
    school: School,
    person: As,
    language: Annotated[Language, typer.Option("--language", help="Of the notice's text.")] = Language.DUTCH,
    directory: Dir = None,
) -> None:
    """Put a version of the notice that consent is asked with on record. It stays as it is."""
    body = {"number": number, "language": language, "text": read_text(file)}
    reply = command(directory, school, person, "publish-notice", body)
    say(f"notice {number} ({language}) is on record, sha-256 {reply['hash']}")


def receipt(
    consent: Annotated[UUID, typer.Argument(help="The consent's id (`samen network consents --json`).")],
    school: School,
    person: As,
    purpose: Why = Purpose.OWN_DATA,
    fhir: Annotated[bool, typer.Option("--fhir", help="As a FHIR R4 Consent instead of ISO/IEC TS 27560.")] = False,
    directory: Dir = None,
) -> None:
    """Print a consent's receipt as JSON. The log says that it left."""
    found = ask_network(directory, school, person, "consent-receipt", {"consent": str(consent), "purpose": purpose})
    text = json.dumps(found["fhir" if fhir else "receipt"], indent=1, ensure_ascii=False) + "\n"
    sys.stdout.write(text)
    Console(stderr=True).print(f"sha-256 {hashlib.sha256(text.encode()).hexdigest()}")


def _named(subject: UUID, membership: UUID, version: int) -> dict[str, Any]:
    return {"subject": str(subject), "membership": str(membership), "version": version}


COMMANDS = (
    *(leave, suspend, resume, replace, renew_mandate, end_placement),
    *(add_tool, tie, confidential, publish_notice, receipt),
)


def add_to(app: typer.Typer) -> None:
    """Add these commands to `samen network`."""
    for one in COMMANDS:
        app.command()(one)
