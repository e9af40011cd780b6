"""`samen mail`: the mails the catcher kept."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.home import Home
from deploy.samen.tables import print_table
from deploy.samen.up import Dir


def kept(folder: Path) -> list[EmailMessage]:
    """Return the kept mails, oldest first."""
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted(folder.glob("*.eml"))
    ]


def mail(
    directory: Dir = None,
    last: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    show: Annotated[int | None, typer.Option(help="Show the text of this one.")] = None,
) -> None:
    """List the mails that were sent, or show one."""
    console = Console()
    home = Home(directory)
    if not home.mail.is_dir():
        told = f"no platform has kept mails in {home.root}: name its folder with --dir"
        Console(stderr=True, soft_wrap=True).print(Text(told, style="red"))
        raise typer.Exit(1)
    mails = kept(home.mail)
    if show is not None:
        if not 1 <= show <= len(mails):
            raise typer.BadParameter(f"there are mails 1 to {len(mails)}")
        body = mails[show - 1].get_body(("plain",))
        for header in ("Date", "To", "Subject"):
            console.print(Text(f"{header}: {mails[show - 1][header]}"))
        console.print(Text("\n" + (body.get_content() if body else "(no text)")))
        return
    table = Table("nr", "date", "to", "subject", title=f"{len(mails)} mails")
    for number, one in list(enumerate(mails, 1))[-last:]:
        table.add_row(str(number), Text(str(one["Date"])), Text(str(one["To"])), Text(str(one["Subject"])))
    print_table(table, console)
