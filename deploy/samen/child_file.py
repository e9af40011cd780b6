"""`samen child export`: a copy of everything about a child, for who has authority over it, or the young person."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape

from deploy.childfile.gather import Gatherer, Json, whole
from deploy.childfile.page import page
from deploy.files import write_private
from deploy.fresh import beside, into_place
from deploy.samen.asking import do
from deploy.samen.client import Client
from deploy.samen.failing import sentence
from deploy.samen.up import Dir
from shared.events.words import Purpose

LANGUAGES = ("nl", "en")
DATA = "child-file.json"


def export(
    child: Annotated[UUID, typer.Argument(metavar="CHILD", help="The child's id.")],
    school: Annotated[str, typer.Option("--school", help="The school's slug.")],
    person: Annotated[UUID, typer.Option("--as", help="The guardian or young person whose copy it is.")],
    out: Annotated[Path, typer.Option("--out", help="A new folder, or a new file that ends in .zip.")],
    directory: Dir = None,
) -> None:
    """Copy a child's whole file: a page to read (Dutch, English) and JSON to take along, with who received what."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)

    async def gather(client: Client) -> Json:
        actor = client.actor(person, school)

        async def ask(service: str, query: str, body: Json) -> Json:
            found: Json = await client.query(school, service, query, {"purpose": Purpose.OWN_DATA, **body}, actor)
            return found

        gathered = Gatherer(ask, str(child))
        await gathered.run()
        return whole(gathered, school, str(child), str(person), datetime.now(UTC).isoformat(timespec="seconds"))

    try:
        with beside(out) as part:
            file: dict[str, Any] = do(directory, gather)
            _write(file, part, out)
    except OSError as error:
        console.print(f"[red]nothing was written: {escape(sentence(error))}[/]")
        raise typer.Exit(1) from None
    console.print(f"{escape(str(out))}: give it to nobody but who asked for it")
    if file["not_for_this_reader"]:
        console.print(f"Not for this reader: {escape(', '.join(file['not_for_this_reader']))}")


def write(file: Json, out: Path) -> None:
    """Writes the file as a folder or zip that only its owner reads; a half-written one is not left behind."""
    with beside(out) as part:
        _write(file, part, out)


def _write(file: Json, part: Path, out: Path) -> None:
    folder = part / "file"
    folder.mkdir(mode=0o700)
    write_private(folder / DATA, json.dumps(file, indent=1, ensure_ascii=False) + "\n")
    for language in LANGUAGES:
        write_private(folder / f"child-file.{language}.html", page(file, language))
    if out.suffix != ".zip":
        into_place(folder, out)
        return
    packed = part / "packed.zip"
    with zipfile.ZipFile(packed, "x", zipfile.ZIP_DEFLATED) as zipped:
        for one in sorted(folder.glob("child-file.*")):
            zipped.write(one, one.name)
    packed.chmod(0o600)
    into_place(packed, out)


def add_to(app: typer.Typer) -> None:
    """Add the command to `samen child`."""
    app.command()(export)
