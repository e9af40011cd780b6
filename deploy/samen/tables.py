"""Tables for people: an id is shown whole, for it is there to be copied, however narrow the window is."""

from __future__ import annotations

import re

from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WITH_VERSION = 44
"""An id with its version stays on one line."""
NARROW = 10
"""A column of words is legible at this width."""
UNBOUNDED = 100_000
"""Whoever reads a file or a pipe has no window: nothing is wrapped there."""


def print_table(table: Table | str, console: Console | None = None) -> None:
    """Print a table, or the words that stand in its place; where it is too wide for the window, row by row."""
    console = console or Console()
    if isinstance(table, str):
        console.print(table, soft_wrap=True)
        return
    if not console.is_terminal:
        width, console.width = console.width, UNBOUNDED
        console.print(table)
        console.width = width
        return
    needed = 1
    for column in table.columns:
        widest = max((console.measure(cell).maximum for cell in (column.header, *column.cells)), default=0)
        if any(ID.search(_plain(cell)) for cell in column.cells):
            column.width, column.overflow = min(widest, WITH_VERSION), "fold"
            needed += column.width + 3
        else:
            needed += min(widest, NARROW) + 3
    if needed <= console.width:
        console.print(table)
    else:
        _print_rows(table, console)


def _plain(cell: RenderableType) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _print_rows(table: Table, console: Console) -> None:
    """Print each row as lines of `column: value`."""
    if table.title:
        console.print(table.title, style="italic")
    for row in zip(*(column.cells for column in table.columns), strict=True):
        console.print()
        for column, cell in zip(table.columns, row, strict=True):
            console.print(_named(column, cell, console), soft_wrap=True)
    if table.caption:
        console.print(table.caption, style="dim italic")


def _named(column: Column, cell: RenderableType, console: Console) -> Text:
    value = console.render_str(cell) if isinstance(cell, str) else cell
    name = _plain(column.header)
    told = Text(f"{name}: " if name else "", style="bold")
    return told.append_text(value if isinstance(value, Text) else Text(str(value)))
