"""`samen tool webhook`: where a tool is told by POST, which keys sign it, how its server fares, what was set aside."""

from __future__ import annotations

import base64
import secrets
from typing import Annotated, Any
from uuid import UUID

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.samen.asking import as_json, do
from deploy.samen.client import Client
from deploy.samen.options import As, AsJson, School, Why
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from shared.actor import Actor
from shared.errors import Problem
from shared.events.gate import WebhookScheme
from shared.events.words import Purpose, school_subject

ToolId = Annotated[UUID, typer.Argument(help="The tool's id (`samen tool list`).")]
SchemeOption = Annotated[
    WebhookScheme, typer.Option("--scheme", help="hmac: a secret that both hold; ed25519: the tool gets a public key.")
]
From = Annotated[int, typer.Option("--from", min=1, help="From this number on.")]

app = typer.Typer(no_args_is_help=True, help="Tell a tool by POST to its own server: where, signed with what.")


def add_to(tool: typer.Typer) -> None:
    """Put `webhook` into `samen tool`."""
    tool.add_typer(app, name="webhook")


def new_secret(scheme: WebhookScheme) -> tuple[str, str]:
    """Return a new key to sign with, and what its tool verifies with: of a shared secret the same."""
    raw = secrets.token_bytes(32)
    if scheme is WebhookScheme.HMAC:
        secret = "whsec_" + base64.b64encode(raw).decode()
        return secret, secret
    public = Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
    return "whsk_" + base64.b64encode(raw).decode(), "whpk_" + base64.b64encode(public).decode()


def _say(text: str) -> None:
    Console(soft_wrap=True, highlight=False).print(text)


def _order(
    directory: Dir, school: str, person: UUID, name: str, tool: UUID, body: dict[str, Any], *, keyed: bool = False
) -> dict[str, Any]:
    """Give the gate a command about a tool; `keyed`: on the webhook as it is now."""

    async def give(client: Client) -> dict[str, Any]:
        actor = client.actor(person, school)
        about = {"about": str(school_subject(school)), "tool": str(tool)}
        version = {"version": await _newest(client, school, about, actor)} if keyed else {}
        return dict(await client.command(school, "gate", name, about | version | body, actor))

    found: dict[str, Any] = do(directory, give)
    return found


async def _newest(client: Client, school: str, about: dict[str, Any], actor: Actor) -> int:
    """Return the version of a tool's webhook, 0 when it has none yet."""
    try:
        seen = await client.query(school, "gate", "webhook", about | {"purpose": "administration"}, actor)
    except Problem as problem:
        if problem.more.get("code") != "no_webhook":
            raise
        return 0
    return int(seen["version"])


@app.command("set")
def set_(
    tool: ToolId,
    url: Annotated[str, typer.Argument(help="Where its server takes events: https://...")],
    school: School,
    person: As,
    scheme: SchemeOption = WebhookScheme.HMAC,
    version: Annotated[
        int | None, typer.Option("--version", min=0, help="The version that you saw (0: none yet); else the newest.")
    ] = None,
    directory: Dir = None,
) -> None:
    """Have a tool told at this address, signed with a new key. The key is shown here once, and nowhere again."""
    secret, shown = new_secret(scheme)
    body = {"url": url, "secret": secret} | ({} if version is None else {"version": version})
    made = _order(directory, school, person, "set-webhook", tool, body, keyed=version is None)
    _say(f"Webhook of {tool}, version {made['version']}. Earlier keys sign no more.")
    _tell(shown)


@app.command()
def rotate(
    tool: ToolId,
    school: School,
    person: As,
    scheme: SchemeOption = WebhookScheme.HMAC,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", min=0, max=720, help="How long the earlier keys sign too; 0: they leaked.")
    ] = 24,
    directory: Dir = None,
) -> None:
    """Take a new key into use beside the earlier ones. It is shown here once, and nowhere again."""
    secret, shown = new_secret(scheme)
    body = {"secret": secret, "overlap_hours": overlap_hours}
    _order(directory, school, person, "take-webhook-key", tool, body, keyed=True)
    _say(
        f"The new key signs now; the earlier ones for {overlap_hours} hours yet."
        if overlap_hours
        else "It signs alone."
    )
    _tell(shown)


@app.command()
def show(
    tool: ToolId,
    school: School,
    person: As,
    purpose: Why = Purpose.ADMINISTRATION,
    from_sequence: From = 1,
    json_: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show where it leads, which keys sign, how its server fares, and what was set aside."""
    asked = {
        "about": str(school_subject(school)),
        "tool": str(tool),
        "purpose": purpose,
        "from_sequence": from_sequence,
    }
    found: dict[str, Any] = do(
        directory, lambda client: client.query(school, "gate", "webhook", asked, client.actor(person, school))
    )
    if json_:
        as_json(found)
        return
    _say(f"{escape(found['url'])}  (version {found['version']})")
    for key in found["keys"]:
        until = f"until {key['until']}" if key["until"] else "until it is replaced"
        _say(f"signs: {key['scheme']} {key['public'] + ' ' if key['public'] else ''}{until}")
    fares = found["receiver"]
    if fares and fares["failing_since"]:
        rests = f"left alone until {fares['until']}" if fares["until"] else "tried again as each event's turn comes"
        _say(f"fails since {fares['failing_since']} ({fares['code']}); {rests}")
    _say(f"not yet delivered: {found['waiting']}")
    if found["aside"]:
        table = Table(title="Set aside")
        for column in ("number", "tries", "why", "since"):
            table.add_column(column)
        for one in found["aside"]:
            table.add_row(str(one["seq"]), str(one["tries"]), escape(one["code"] or ""), one["aside_at"])
        print_table(table)


@app.command()
def redrive(tool: ToolId, school: School, person: As, from_sequence: From = 1, directory: Dir = None) -> None:
    """Have what was set aside tried again, for three days anew; 200 at a time."""
    made = _order(directory, school, person, "redrive-parcels", tool, {"from_sequence": from_sequence})
    _say(f"{made['parcels']} go again." if made["parcels"] else "Nothing was set aside.")


def _tell(shown: str) -> None:
    what = "The secret" if shown.startswith("whsec_") else "The public key"
    _say(f"{what} that its server verifies with, shown this once (standardwebhooks.com):")
    _say(escape(shown))
