"""`samen notifications`, of addresses and channels: where a member is reached, and what a school sets up itself."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.samen.asking import as_json, do
from deploy.samen.client import Client
from deploy.samen.inbox import As
from deploy.samen.options import AsJson, School
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.events.notifications import Channel
from shared.events.words import school_subject

SERVICE = "notifications"
AddressId = Annotated[UUID, typer.Argument(help="The address's id, as `addresses` shows it.")]
Through = Annotated[Channel, typer.Option("--channel", help="Through what.")]
STATES = {"verified": "", "unverified": "yellow", "stopped": "red"}
SAYS = {
    "unverified": "A code is on its way there. Confirm it with `samen notifications verify-address`.",
    "verified": "Confirmed. Messages go there from now on.",
    "removed": "Removed.",
    "stopped": "Nothing more goes through it. Everything stays in the inbox.",
    "unsubscribed": "No ordinary mails any more. What law or safety wants told still comes: `--everything` stops that.",
    "unsubscribed_all": "No mail at all any more, and the school is told so. Everything stays in the inbox.",
    "open": "Messages go through it again.",
    "set": "Set up. Members can give an address for it now.",
}


def _query(directory: Dir, school: str, member: UUID, name: str, **body: object) -> Any:  # noqa: ANN401  JSON
    async def ask(client: Client) -> Any:  # noqa: ANN401  JSON
        return await client.query(school, SERVICE, name, body, client.actor(member, school))

    return do(directory, ask)


def _order(directory: Dir, school: str, member: UUID, command: str, **body: object) -> dict[str, Any]:
    async def give(client: Client) -> Any:  # noqa: ANN401  JSON
        return await client.command(school, SERVICE, command, body, client.actor(member, school))

    reply: dict[str, Any] = do(directory, give)
    told = SAYS.get(str(reply.get("code") if reply.get("channel") == Channel.MAIL else reply.get("state")), "")
    if reply.get("tries_left") is not None:
        told = f"That is not the code. {reply['tries_left']} tries are left."
    Console(soft_wrap=True).print(Text(told))
    return reply


def _own(directory: Dir, school: str, member: UUID) -> dict[str, Any]:
    found: dict[str, Any] = _query(directory, school, member, "addresses", purpose="own_data")
    return found


def _version(directory: Dir, school: str, member: UUID, address: UUID) -> int:
    """Return the address's version as it stands; 1 where it is not there, which the service then says."""
    found = _own(directory, school, member)["addresses"]
    return next((int(one["version"]) for one in found if one["address"] == str(address)), 1)


def addresses(school: School, member: As, json: AsJson = False, directory: Dir = None) -> None:
    """List a member's own addresses, what is stopped, and which outlets the school has."""
    found = _own(directory, school, member)
    if json:
        as_json(found)
        return
    console = Console()
    empty = "none: mail goes to the address that the school has"
    table = Table(title="Addresses", caption="" if found["addresses"] else empty)
    for column in ("channel", "where", "state"):
        table.add_column(column)
    table.add_column("address", no_wrap=True)
    for one in found["addresses"]:
        through = one["channel"] if one["outlet"] is None else f"{one['channel']} ({one['outlet']})"
        state = Text(one["state"] + (f": {one['code']}" if one["code"] else ""), style=STATES[one["state"]])
        table.add_row(through, Text(one["target"]), state, one["address"])
    print_table(table, console)
    for channel, code in found["stopped"].items():
        console.print(Text(left_words(channel, code)))
    if found["record_stopped"]:
        console.print("Mail to an address came back, and nothing goes there any more: `samen notifications resume`.")
    console.print(Text(f"outlets of the school: {', '.join(found['outlets']) or 'none'}", style="dim"))


def left_words(channel: str, code: str) -> str:
    """Return what no longer goes through a channel that a member has left, and how it is opened."""
    what = "Nothing ordinary" if (channel, code) == ("mail", "unsubscribed") else "Nothing"
    return f"{what} goes through {channel}: {code}. `samen notifications resume` opens it."


def add_address(
    target: Annotated[str, typer.Argument(help="A mail address, a push subscription, or what the outlet asks for.")],
    school: School,
    member: As,
    channel: Through = Channel.MAIL,
    outlet: Annotated[
        str | None, typer.Option(help="Through which of the school's outlets, for channel other.")
    ] = None,
    directory: Dir = None,
) -> None:
    """Give an address of a member's own. A code is sent there, and nothing else before it came back."""
    body = {"channel": channel, "target": target} | ({} if outlet is None else {"outlet": outlet})
    reply = _order(directory, school, member, "add-address", **body)
    Console(soft_wrap=True).print(Text(f"address {reply['address']}", style="dim"))


def verify_address(
    address: AddressId,
    code: Annotated[str, typer.Argument(help="The eight digits that were sent there.")],
    school: School,
    member: As,
    directory: Dir = None,
) -> None:
    """Confirm an address with the code that was sent there. Exit status 1: it was not that code."""
    reply = _order(directory, school, member, "verify-address", address=address, code=code)
    if reply["state"] != "verified":
        raise typer.Exit(1)


def ask_code(address: AddressId, school: School, member: As, directory: Dir = None) -> None:
    """Have another code sent."""
    version = _version(directory, school, member, address)
    _order(directory, school, member, "ask-code", address=address, version=version)


def remove_address(address: AddressId, school: School, member: As, directory: Dir = None) -> None:
    """Take an address away."""
    version = _version(directory, school, member, address)
    _order(directory, school, member, "remove-address", address=address, version=version)


def leave(
    school: School,
    member: As,
    channel: Through = Channel.MAIL,
    everything: Annotated[
        bool, typer.Option("--everything", help="By mail also what the law or safety wants told; the school hears it.")
    ] = False,
    directory: Dir = None,
) -> None:
    """Have nothing more sent through a channel; of mail, as its link does, nothing that is ordinary."""
    body: dict[str, object] = {"everything": True, "about": school_subject(school)} if everything else {}
    _order(directory, school, member, "leave-channel", channel=channel, **body)


def resume(school: School, member: As, channel: Through = Channel.MAIL, directory: Dir = None) -> None:
    """Open a channel again, and the addresses that letters came back from."""
    _order(directory, school, member, "resume-channel", channel=channel)


def outlets(school: School, member: As, json: AsJson = False, directory: Dir = None) -> None:
    """List the channels that the school set up itself, without what is secret in them."""
    about = school_subject(school)
    found = _query(directory, school, member, "outlets", about=about, purpose="administration")
    if json:
        as_json(found)
        return
    console = Console()
    table = Table("name", "service", "version", title="Outlets", caption="" if found["outlets"] else "none")
    for one in found["outlets"]:
        table.add_row(one["name"], one["scheme"], str(one["version"]))
    print_table(table, console)
    console.print(Text(f"allowed services: {', '.join(found['schemes'])}", style="dim"))


def _outlet_version(directory: Dir, school: str, member: UUID, name: str) -> int:
    about = school_subject(school)
    found = _query(directory, school, member, "outlets", about=about, purpose="administration")["outlets"]
    return next((int(one["version"]) for one in found if one["name"] == name), 0)


def set_outlet(
    name: Annotated[str, typer.Argument(help="What members know it by: `sms`.")],
    school: School,
    member: As,
    url: Annotated[
        str,
        typer.Option(
            prompt=True,
            hide_input=True,
            help="The Apprise URL, with {target} for the member's own part. Not given: it is asked for, unseen.",
        ),
    ],
    directory: Dir = None,
) -> None:
    """Set up a channel of the school's own, or change its secret. The URL is sealed and never shown again."""
    version = _outlet_version(directory, school, member, name)
    about = school_subject(school)
    _order(directory, school, member, "set-outlet", about=about, name=name, version=version, url=url)


def remove_outlet(
    name: Annotated[str, typer.Argument(help="Its name, as `outlets` shows it.")],
    school: School,
    member: As,
    directory: Dir = None,
) -> None:
    """Take a channel of the school's own away."""
    version = max(_outlet_version(directory, school, member, name), 1)
    about = school_subject(school)
    _order(directory, school, member, "remove-outlet", about=about, name=name, version=version)


def add_to(app: typer.Typer) -> None:
    """Add these commands to `samen notifications`."""
    for command in (
        *(addresses, add_address, verify_address, ask_code, remove_address, leave, resume),
        *(outlets, set_outlet, remove_outlet),
    ):
        app.command(command.__name__.replace("_", "-"))(command)
