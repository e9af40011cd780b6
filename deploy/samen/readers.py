"""`samen audit readers`: who may read the logs as files over HTTP (c2sp.org/tlog-tiles), each by a token."""

from __future__ import annotations

import json
import re
import secrets
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from deploy.files import write_private
from deploy.home import Home
from deploy.samen.asking import as_json as print_json
from deploy.samen.schools import refuse_bad_slug
from deploy.samen.tables import print_table
from deploy.samen.up import Dir

app = typer.Typer(no_args_is_help=True, help="Who may read the logs as files over HTTP, each by a token.")
NAME = re.compile(r"[a-z0-9-]{1,40}")
JOB = "Audit sees it within a second; in containers after the job `databases`."
Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is called here: a-z, 0-9 and -, no person's name.")]


def _known(home: Home) -> list[dict[str, Any]]:
    path = home.keys.tile_readers
    found: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return found


def _keep(home: Home, readers: list[dict[str, Any]]) -> None:
    if not home.keys.root.is_dir():
        raise typer.BadParameter(f"no keys in {home.keys.root}: name the platform's folder", param_hint="--dir")
    write_private(home.keys.tile_readers, json.dumps(readers, indent=1) + "\n")


def _say(text: str) -> None:
    Console(soft_wrap=True, highlight=False).print(text, markup=False)


@app.command()
def add(
    name: Name,
    school: Annotated[list[str], typer.Option("--school", help="Of which school's log; may be repeated.")],
    person: Annotated[
        UUID | None,
        typer.Option(
            "--as", help="The auditor for whom entries are read: by their grant, each look a line. Else none."
        ),
    ] = None,
    directory: Dir = None,
) -> None:
    """Let somebody read checkpoints and hash tiles; with --as also entries. Prints the token, this once."""
    home = Home(directory)
    if not NAME.fullmatch(name):
        raise typer.BadParameter("a-z, 0-9 and -, at most 40", param_hint="NAME")
    for slug in school:
        refuse_bad_slug(slug)
    known = _known(home)
    if any(one["name"] == name for one in known):
        raise typer.BadParameter(f"{name} has a token already: `samen audit readers remove {name}` first")
    token = secrets.token_urlsafe(32)
    told = {"name": name, "token_sha256": sha256(token.encode()).hexdigest(), "schools": school}
    _keep(home, [*known, told | {"person": str(person) if person else None}])
    _say(f"token of {name}, as `Authorization: Bearer <token>` or as a password: {token}")
    _say(f"Only its hash is kept. {JOB}")


@app.command()
def remove(name: Name, directory: Dir = None) -> None:
    """Take a token back."""
    home = Home(directory)
    known = _known(home)
    left = [one for one in known if one["name"] != name]
    if len(left) == len(known):
        raise typer.BadParameter(f"nobody is called {name}: `samen audit readers list`", param_hint="NAME")
    _keep(home, left)
    _say(f"{name} reads nothing any more. {JOB}")


@app.command(name="list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, directory: Dir = None) -> None:
    """Show who may read what."""
    known = _known(Home(directory))
    if as_json:
        print_json([{key: value for key, value in one.items() if key != "token_sha256"} for one in known])
        return
    table = Table("name", "schools", "entries for", title="Readers of the logs as files")
    for one in known:
        table.add_row(one["name"], ", ".join(one["schools"]), one["person"] or "hashes only")
    print_table(table if known else "Nobody reads the logs as files.")


def add_to(audit: typer.Typer) -> None:
    """Add these commands to `samen audit`."""
    audit.add_typer(app, name="readers")
