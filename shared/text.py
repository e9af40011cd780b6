"""What people write and which days they name: bounded, so that nothing absurd gets as far as a table."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

EARLIEST, LATEST = date(1900, 1, 1), date(2200, 1, 1)


CONTROL = {
    "line": re.compile("[\x00-\x1f\x7f-\x9f]"),
    "text": re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]"),
}
SURROGATE = re.compile("[\ud800-\udfff]")


def _clean(value: str, kind: str) -> str:
    if CONTROL[kind].search(value):
        msg = "holds a control character: remove it and send the text again"
        raise ValueError(msg)
    if SURROGATE.search(value):
        msg = "holds half a character (a lone surrogate): send the text as valid Unicode"
        raise ValueError(msg)
    if not value.strip():
        msg = "is empty: write something"
        raise ValueError(msg)
    return value


def _line(value: str) -> str:
    return _clean(value, "line")


def _text(value: str) -> str:
    return _clean(value, "text")


def _day(value: date) -> date:
    if EARLIEST <= value <= LATEST:
        return value
    msg = f"lies outside {EARLIEST} to {LATEST}: check the year"
    raise ValueError(msg)


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
"""One line of text, 1 to 200 characters."""

Text = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_text)]
"""Running text, 1 to 4000 characters, newlines allowed."""

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
"""A code of our own making."""

Slug = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
"""A school's slug."""

Day = Annotated[date, AfterValidator(_day)]
"""A calendar day in Europe/Amsterdam."""
