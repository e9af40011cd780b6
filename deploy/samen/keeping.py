"""`samen network`, for those who keep a school's records: members, organisations and authority, recorded and ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from deploy.samen.circle import (
    Email,
    Family,
    Given,
    MandateCode,
    MandateUntil,
    Membership,
    Org,
    Subject,
    Version,
    command,
    mandate_of,
    new_person,
    say,
)
from deploy.samen.options import As, ChildId, School
from deploy.samen.up import Dir
from shared.events.network import Decision, HolderRole
from shared.events.words import Role

From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day; now if left out.")]
Until = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="The first day on which it no longer holds.")
]
EndsOn = Annotated[
    datetime | None,
    typer.Option("--until", formats=["%Y-%m-%d"], help="A later end: the first day without it; now if left out."),
]
SourcedId = Annotated[str | None, typer.Option("--sourced-id", help="The id in the school's administration.")]


def add_member(
    subject: Subject,
    role: Annotated[Role, typer.Argument(help="As what.")],
    school: School,
    person: As,
    who: Annotated[UUID | None, typer.Option("--person", help="The person, if the school knows this person.")] = None,
    given_name: Given = None,
    family_name: Family = None,
    email: Email = None,
    phone: Annotated[str | None, typer.Option("--phone", help="Of someone the school does not know yet.")] = None,
    sourced_id: SourcedId = None,
    organisation: Org = None,
    on_behalf_of: Annotated[UUID | None, typer.Option("--on-behalf-of", help="For whom, another person.")] = None,
    starts: From = None,
    ends: Until = None,
    mandate: MandateCode = None,
    mandate_until: MandateUntil = None,
    directory: Dir = None,
) -> None:
    """Add someone to a child's network or to the school's own. It takes up again what was ended here, too."""
    new = new_person(given_name, family_name, email)
    if (who is None) == (new is None):
        tool = " (a local tool: `samen network add-tool`)" if role is Role.LOCAL_TOOL else ""
        _stop(
            "Name whom: --person with the id (`samen network find`), or --given-name and --family-name of someone new,"
            f" and not both{tool}."
        )
    if new is None and (email, phone, sourced_id) != (None, None, None):
        _stop("--email, --phone and --sourced-id are of someone new: of whom the school knows, it has them.")
    body = {
        "subject": str(subject),
        "role": role.value,
        "person": _text(who),
        "new_person": new and new | {"phone": phone, "sourced_id": sourced_id},
        "organisation": _text(organisation),
        "on_behalf_of": _text(on_behalf_of),
        "starts_on": _day(starts),
        "ends_on": _day(ends),
        "mandate": mandate_of(mandate, mandate_until),
    }
    reply = command(directory, school, person, "add-member", body)
    say(f"added: membership {reply['membership']} of person {reply['person']}")


def end_membership(
    subject: Subject,
    membership: Membership,
    school: School,
    person: As,
    ends: EndsOn = None,
    reason: Annotated[str, typer.Option("--reason", help="A code.")] = "ended",
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """End a membership, with all access that hung on it. No roster brings it back: `add-member` does.

    Authority is apart: who has it is still told and asked what it is about, until `end-authority`, or `withhold`.
    """
    body = {"subject": str(subject), "membership": str(membership), "version": version, "reason": reason}
    reply = command(directory, school, person, "end-membership", body | {"ends_on": _day(ends)})
    say(f"{_ended(ends)}: version {reply['version']}")


def add_organisation(
    name: Annotated[str, typer.Argument(help="The organisation's name.")],
    school: School,
    person: As,
    sourced_id: SourcedId = None,
    directory: Dir = None,
) -> None:
    """Make an organisation outside the school known, so that its people can take part for it."""
    reply = command(directory, school, person, "add-organisation", {"name": name, "sourced_id": sourced_id})
    say(f"organisation {reply['organisation']}")


def record_authority(
    child: ChildId,
    holder: Annotated[UUID, typer.Argument(help="The person, who is a guardian in this child's network.")],
    school: School,
    person: As,
    source: Annotated[str, typer.Option("--source", help="How it is known: a code such as birth or court.")],
    scope: Annotated[list[Decision] | None, typer.Option("--scope", help="On what only; repeat it. All.")] = None,
    role: Annotated[HolderRole, typer.Option("--role", help="As what.")] = HolderRole.PARENTAL,
    starts: From = None,
    ends: Until = None,
    directory: Dir = None,
) -> None:
    """Record that a guardian decides about a child. Consents are asked of this holder too from then on."""
    body = {
        "child": str(child),
        "holder": str(holder),
        "scope": [one.value for one in scope or Decision],
        "source": source,
        "role": role.value,
        "starts_on": _day(starts),
        "ends_on": _day(ends),
    }
    reply = command(directory, school, person, "record-authority", body)
    say(f"authority {reply['authority']} version {reply['version']}")


def end_authority(
    child: ChildId,
    authority: Annotated[UUID, typer.Argument(help="The authority's id (`samen network show --ids`).")],
    school: School,
    person: As,
    ends: EndsOn = None,
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """End someone's authority over a child. No roster brings it back: `record-authority` does."""
    body = {"child": str(child), "authority": str(authority), "version": version, "ends_on": _day(ends)}
    reply = command(directory, school, person, "end-authority", body)
    say(f"{_ended(ends)}: version {reply['version']}")


def withhold(
    child: ChildId,
    guardian: Annotated[UUID, typer.Argument(help="Who is or was a guardian of this child.")],
    school: School,
    person: As,
    source: Annotated[str, typer.Option("--source", help="On what it rests: a code such as court.")],
    ends: Until = None,
    directory: Dir = None,
) -> None:
    """Withhold all that is told and shown of a child from a guardian, by a court's ruling or in the child's interest.

    It ends no authority: who has it still answers consents. `restore` ends it; `samen policy deciders` shows it.
    """
    body = {"child": str(child), "guardian": str(guardian), "source": source, "ends_on": _day(ends)}
    reply = command(directory, school, person, "withhold-information", body)
    say(f"withheld: {reply['withholding']} version {reply['version']}")


def restore(
    child: ChildId,
    withholding: Annotated[UUID, typer.Argument(help="What is withheld, by its id (`samen policy deciders`).")],
    school: School,
    person: As,
    ends: EndsOn = None,
    version: Version = 1,
    directory: Dir = None,
) -> None:
    """End what is withheld from a guardian, who is told and shown again what the facts give."""
    body = {"child": str(child), "withholding": str(withholding), "version": version, "ends_on": _day(ends)}
    reply = command(directory, school, person, "restore-information", body)
    say(f"{_ended(ends)}: version {reply['version']}")


def _stop(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"[red]{text}[/]")
    raise typer.Exit(1)


def _text(id_: UUID | None) -> str | None:
    return str(id_) if id_ else None


def _day(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%d}" if moment else None


def _ended(moment: datetime | None) -> str:
    return f"ends on {_day(moment)}" if moment else "ended"


COMMANDS = (add_member, end_membership, add_organisation, record_authority, end_authority, withhold, restore)


def add_to(app: typer.Typer) -> None:
    """Add these commands to `samen network`."""
    for one in COMMANDS:
        app.command()(one)
