"""Options and files that commands share, each with one spelling and one help text."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from shared.events.words import Purpose

Json = dict[str, Any]

School = Annotated[str, typer.Option("--school", help="The school's slug.")]
As = Annotated[UUID, typer.Option("--as", help="The person you act for; the log names you too.")]
Why = Annotated[Purpose, typer.Option("--purpose", help="Why: it goes into the log.")]
WhyLog = Annotated[
    Purpose, typer.Option("--purpose", help="Why: oversight for auditors, own_data for one's own child.")
]
WhyOffice = Annotated[Purpose, typer.Option("--purpose", help="administration; a school's leader acts for guidance.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
About = Annotated[UUID, typer.Argument(help="The child's id, or the school's own subject.")]
ChildId = Annotated[UUID, typer.Argument(metavar="CHILD", help="The child's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
Key = Annotated[str | None, typer.Option("--key", help="Makes a retry safe: the same key, the same answer.")]
By = Annotated[datetime | None, typer.Option("--by", formats=["%Y-%m-%d"], help="By which day.")]
Version = Annotated[int, typer.Option("--version", help="The version that you saw.")]


class Language(StrEnum):
    """In which language the words of our own are."""

    DUTCH = "nl"
    ENGLISH = "en"


InLanguage = Annotated[Language, typer.Option("--language", help="Of the words that are not yours.")]


def read_json(file: Path, needs: str, option: str = "--file") -> Json:
    """Return the JSON object in a file; what it is not, and what it `needs`, is told as a wrong option."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not text in UTF-8: {needs}", param_hint=option) from None
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not JSON ({error}): {needs}", param_hint=option) from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{file} holds no JSON object: {needs}", param_hint=option)
    return found
