"""`samen network`, invitations: made, looked at, taken, listed and revoked."""

from __future__ import annotations

import json
import secrets
import sys
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.samen.asking import ask_network, do
from deploy.samen.circle import (
    Email,
    Family,
    Given,
    MandateCode,
    MandateUntil,
    Org,
    Subject,
    Version,
    command,
    mandate_of,
    new_person,
    say,
)
from deploy.samen.client import Client
from deploy.samen.ecogram_words import day_of
from deploy.samen.options import As, AsJson, School, Why
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.errors import Problem, ProblemType
from shared.events.words import Purpose

SecretText = Annotated[str, typer.Argument(help="The secret that came with the invitation.")]
NOT_USABLE = (
    "This invitation can't be used: it is wrong, taken, revoked or expired. "
    "Check that the whole secret is there, or ask the school for a new one."
)


def invite(
    subject: Subject,
    role: Annotated[str, typer.Argument(help="Such as therapist.")],
    school: School,
    person: As,
    organisation: Org = None,
    mandate: MandateCode = None,
    mandate_until: MandateUntil = None,
    until: Annotated[str | None, typer.Option("--until", help="First day without it; by default in 14 days.")] = None,
    directory: Dir = None,
) -> None:
    """Invite someone to one role in one network. The secret is shown once: pass it on by a safe way."""
    secret = secrets.token_urlsafe(32)
    body = {
        "subject": str(subject),
        "role": role,
        "secret": secret,
        "organisation": str(organisation) if organisation else None,
        "mandate": mandate_of(mandate, mandate_until),
        "expires_on": until,
    }
    reply = command(directory, school, person, "invite-member", body)
    say(f"invitation {reply['invitation']} until {reply['expires_at'][:16]} UTC, for one person, once")
    sys.stdout.write(f"secret: {secret}\n")


def invitation(
    secret: SecretText,
    school: School,
    person: Annotated[UUID | None, typer.Option("--as", help="The person you are, if the school knows you.")] = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show what an invitation is for and what it will allow, before it is taken."""
    body = {"secret": secret, "purpose": "own_data"}
    found = _by_secret(lambda: ask_network(directory, school, person or uuid4(), "invitation", body, tell=False))
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    say(f"[bold]{escape(found['school_name'])}[/] invites you as {found['role']} in a {found['network']}'s network.")
    if found["organisation_name"]:
        say(f"For: {escape(found['organisation_name'])}")
    if found["mandate"]:
        until = found["mandate"]["ends_at"]
        say(f"Mandate: {found['mandate']['code']}{', until ' + day_of(until) if until else ''}")
    say(f"Take it before {found['expires_at'][:16]} UTC. It will allow you to:")
    for one in found["allows"]:
        say(f"- {escape(one['en'])}")


def take(
    secret: SecretText,
    school: School,
    person: Annotated[UUID | None, typer.Option("--as", help="The person you are, if the school knows you.")] = None,
    given_name: Given = None,
    family_name: Family = None,
    email: Email = None,
    directory: Dir = None,
) -> None:
    """Take an invitation, and take part. Someone new says who it is, and gets an id."""
    body = {"secret": secret, "new_person": new_person(given_name, family_name, email)}
    reply = _by_secret(lambda: _command_as(directory, school, person or uuid4(), body))
    say(f"you take part: membership {reply['membership']}, as person {reply['person']}")


def _command_as(directory: Dir, school: str, person: UUID, body: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    def give(client: Client) -> Any:  # noqa: ANN401  JSON
        return client.command(school, "network", "take-invitation", body, client.actor(person, school))

    return do(directory, give, tell=False)


def _by_secret(ask: Any) -> Any:  # noqa: ANN401  JSON
    try:
        return ask()
    except Problem as problem:
        told = NOT_USABLE if problem.type in {ProblemType.FORBIDDEN, ProblemType.INVALID} else problem.detail
        if problem.type is ProblemType.INVALID and "new_person" in problem.detail:
            told = "Say who you are with --given-name and --family-name if the school does not know you, and only then."
        Console(stderr=True).print(f"[red]{escape(told)}[/]")
        raise typer.Exit(1) from None


def invitations(
    subject: Subject,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show the invitations to a network, and what became of them."""
    found = ask_network(directory, school, person, "invitations", {"subject": str(subject), "purpose": purpose})
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    table = Table(title="Invitations")
    for column in ("invitation", "role", "state", "until"):
        table.add_column(column, overflow="fold")
    for one in found["invitations"]:
        table.add_row(f"{one['invitation']} v{one['version']}", one["role"], one["state"], day_of(one["expires_at"]))
    print_table(table if found["invitations"] else "No invitations.")


def revoke(
    subject: Subject,
    invitation_id: Annotated[UUID, typer.Argument(help="The invitation's id.")],
    school: School,
    person: As,
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """Take an invitation back: nobody can take it from now on."""
    body = {"subject": str(subject), "invitation": str(invitation_id), "version": version}
    command(directory, school, person, "revoke-invitation", body)
    say("revoked: nobody can take it any more")


def add_to(app: typer.Typer) -> None:
    """Add these commands to `samen network`."""
    for one in (invite, invitation, take, invitations, revoke):
        app.command()(one)
