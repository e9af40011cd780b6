"""`samen network`: who is round a child, and the consents about it."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.fresh import refuse_existing, write_new
from deploy.samen.asking import ask_network, do, effect_words
from deploy.samen.client import Client, operator_id
from deploy.samen.ecogram import draw
from deploy.samen.ecogram_words import as_text
from deploy.samen.options import As, AsJson, ChildId, InLanguage, Language, School, Why
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.words import ActorKind, Category, Purpose

app = typer.Typer(no_args_is_help=True, help="Networks round children: members, authority, consent.")

Recipient = Annotated[UUID, typer.Option("--recipient", help="The member or organisation it is about.")]
Categories = Annotated[list[Category], typer.Option("--category", help="What may be shared; repeat it.")]
For = Annotated[str, typer.Option("--for", help="What it may be used for, such as care_coordination.")]
Organisation = Annotated[bool, typer.Option("--organisation", help="The recipient is an organisation, not a member.")]
Notice = Annotated[int, typer.Option("--notice", help="The version of the notice that was read.")]

NO_CHILDREN = "No children that this person may see for this: name another --purpose; with --all, for the records."


def _name(one: dict[str, Any]) -> str:
    return escape(" ".join(part for part in (one.get("given_name"), one.get("family_name")) if part))


@app.command()
def find(
    sourced_id: Annotated[str, typer.Argument(help="The id in the roster.")],
    school: School,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show the id that a person of the roster has here, and in whose networks; no names."""

    def ask(client: Client) -> Awaitable[Any]:
        actor = client.actor(operator_id(getpass.getuser()), school, ActorKind.OPERATOR)
        return client.query(
            school, "network", "find-person", {"sourced_id": sourced_id, "purpose": "administration"}, actor
        )

    found = do(directory, ask)
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    table = Table(title=escape(sourced_id))
    for column in ("person", "role", "subject", "membership"):
        table.add_column(column, overflow="fold")
    for one in found["persons"]:
        for membership in one["memberships"]:
            version = f"{membership['id']} v{membership['version']}"
            table.add_row(one["person"], membership["role"], membership["subject"], version)
    print_table(table)


@app.command()
def show(
    child: ChildId,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    ids: Annotated[bool, typer.Option("--ids", help="Show ids and versions too.")] = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw the ecogram into this new file.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Print the ecogram as a list.")] = False,
    language: InLanguage = Language.DUTCH,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show who is round a child, and who has authority; or the ecogram, drawn or as a list."""
    if svg is not None:
        refuse_existing(svg)
    if svg is not None or text:
        data = ask_network(directory, school, person, "ecogram", {"child": str(child), "purpose": purpose})
        if svg is not None:
            write_new(svg, draw(data, language))
        if text:
            sys.stdout.write(as_text(data, language) + "\n")
        return
    found = ask_network(directory, school, person, "child-network", {"child": str(child), "purpose": purpose})
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    print_table(_circle(found, ids=ids))


def _circle(found: dict[str, Any], *, ids: bool) -> Table:
    authority = {one["holder"]: ", ".join(one["scope"]) for one in found["authorities"] if one["status"] == "active"}
    table = Table(title=f"Round {_name(found)}")
    held: dict[str, list[str]] = {}
    for one in found["authorities"]:
        if one["status"] != "inactive":
            held.setdefault(one["holder"], []).append(f"{one['authority']} v{one['version']}")
    columns = ("who", "role", "organisation", "authority", "status", "until")
    for column in (*columns, "person", "membership", "authority id") if ids else columns:
        table.add_column(column, overflow="fold")
    for one in found["members"]:
        table.add_row(
            _name(one),
            one["role"],
            escape(one["organisation_name"] or ""),
            authority.get(one["person"], "") if one["role"] == "guardian" else "",
            one["status"],
            (one["ends_at"] or "")[:10],
            *(
                (one["person"], f"{one['membership']} v{one['version']}", "\n".join(held.get(one["person"], ())))
                if ids
                else ()
            ),
        )
    return table


@app.command()
def consents(
    child: ChildId,
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show which consents there are about a child, and how they stand."""
    found = ask_network(directory, school, person, "consents", {"child": str(child), "purpose": purpose})
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    table = Table(title="Consents")
    for column in ("recipient", "for", "categories", "state", "in force", "from", "until", "answers"):
        table.add_column(column, overflow="fold")
    for one in found["consents"]:
        table.add_row(
            escape(one["recipient_name"] or one["recipient"]),
            one["for_purpose"],
            ", ".join(one["categories"]),
            f"{one['state']}, renewal" if one["renews"] else one["state"],
            "yes" if one["in_force"] else "no",
            one["starts_at"][:10],
            one["ends_at"][:10],
            ", ".join(f"{answer['capacity']}: {answer['answer']}" for answer in one["answers"]),
        )
    print_table(table if found["consents"] else "No consents.")


@app.command()
def children(
    school: School,
    person: As,
    purpose: Why = Purpose.GUIDANCE,
    everyone: Annotated[bool, typer.Option("--all", help="All of the school, for those who keep its records.")] = False,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show the children whom this person may see."""
    found = ask_network(directory, school, person, "children", {"everyone": everyone, "purpose": purpose})
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    table = Table(title="Children")
    for column in ("name", "roster id", "child"):
        table.add_column(column, overflow="fold")
    for one in found["children"]:
        table.add_row(_name(one), escape(one["sourced_id"] or ""), one["id"])
    print_table(table if found["children"] else NO_CHILDREN)


def _answer(directory: Dir, school: str, person: UUID, command: str, body: dict[str, Any]) -> None:
    async def give(client: Client) -> tuple[Any, Any]:
        reply = await client.command(school, "network", command, body, client.actor(person, school))
        return reply, await client.effective(school, reply["withdrawal"]) if "withdrawal" in reply else None

    reply, effect = do(directory, give)
    console = Console(soft_wrap=True)
    console.print(f"consent {reply['consent']} version {reply['version']}: [bold]{reply['state']}[/]")
    if (command, reply["state"]) == ("give-consent", "asked"):
        console.print("This yes counts when the others who decide have said yes too.")
    if effect is not None:
        console.print(effect_words(effect))


def _named(
    child: UUID, recipient: UUID, for_: str, categories: list[Category], *, organisation: bool
) -> dict[str, Any]:
    return {
        "child": str(child),
        "recipient": str(recipient),
        "recipient_kind": "organisation" if organisation else "member",
        "for_purpose": for_,
        "categories": categories,
    }


@app.command()
def ask(
    child: ChildId,
    school: School,
    person: As,
    recipient: Recipient,
    category: Categories,
    for_: For = "care_coordination",
    notice: Notice = 1,
    organisation: Organisation = False,
    directory: Dir = None,
) -> None:
    """Ask the holders of authority for consent; of one that lapses within six weeks, for its renewal."""
    body = _named(child, recipient, for_, category, organisation=organisation) | {"notice_version": notice}
    _answer(directory, school, person, "ask-consent", body)


@app.command()
def give(
    child: ChildId,
    school: School,
    person: As,
    recipient: Recipient,
    category: Categories,
    for_: For = "care_coordination",
    notice: Notice = 1,
    organisation: Organisation = False,
    directory: Dir = None,
) -> None:
    """Give consent, as one who has authority or as the young person."""
    body = _named(child, recipient, for_, category, organisation=organisation) | {"notice_version": notice}
    _answer(directory, school, person, "give-consent", body)


@app.command()
def refuse(
    child: ChildId,
    school: School,
    person: As,
    recipient: Recipient,
    category: Categories,
    for_: For = "care_coordination",
    organisation: Organisation = False,
    directory: Dir = None,
) -> None:
    """Refuse consent that was asked."""
    body = _named(child, recipient, for_, category, organisation=organisation)
    _answer(directory, school, person, "refuse-consent", body)


@app.command()
def withdraw(
    child: ChildId,
    school: School,
    person: As,
    recipient: Recipient,
    category: Categories,
    for_: For = "care_coordination",
    organisation: Organisation = False,
    directory: Dir = None,
) -> None:
    """Withdraw consent; what rested on it ends at once."""
    body = _named(child, recipient, for_, category, organisation=organisation)
    _answer(directory, school, person, "withdraw-consent", body)
