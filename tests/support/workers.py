"""How the suite is divided over processes: `make test` runs `pytest -n auto`; plain pytest stays one process."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from tests.support.servers import infra_kind

MOST = 4
"""More workers bring more servers than most machines have room for in memory (see `scratch`)."""
LONG = ("tests/faults/", "tests/journeys/", "tests/examples/", "tests/walls/", "tests/deploy/")
"""Where single files take half a minute: they wait for processes to start and to be killed."""


def worker_count() -> int:
    """Return one a core, within bounds; none at all on given servers, which are one pair for everybody."""
    return 0 if infra_kind() == "external" else min(os.cpu_count() or 1, MOST)


def check_workers(count: int) -> None:
    """Refuse workers on given servers: what one empties another is looking into."""
    if count and infra_kind() == "external":
        raise pytest.UsageError("SAMEN_INFRA=external is one pair of servers for every test: run without -n")


def longest_first(items: list[pytest.Item]) -> None:
    """Move the folders of LONG to the front, in its order; the rest keeps its own."""
    items.sort(key=lambda item: _rank(item.nodeid, LONG))


def _rank(nodeid: str, folders: Sequence[str]) -> int:
    return next((n for n, folder in enumerate(folders) if nodeid.startswith(folder)), len(folders))
