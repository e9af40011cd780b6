"""The suite over several processes: how many, and in which order."""

from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.workers import LONG, MOST, check_workers, longest_first, worker_count


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 2), (64, MOST), (None, 1)])
def test_there_is_a_worker_a_core_within_bounds(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, workers: int
) -> None:
    monkeypatch.delenv("SAMEN_INFRA", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert worker_count() == workers


def test_given_servers_are_shared_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAMEN_INFRA", raising=False)
    check_workers(2)
    monkeypatch.setenv("SAMEN_INFRA", "external")
    assert worker_count() == 0
    check_workers(0)
    with pytest.raises(pytest.UsageError, match="without -n"):
        check_workers(2)


def test_what_takes_long_begins_and_nothing_else_moves() -> None:
    names = ["tests/audit/test_b.py::b", "tests/audit/test_a.py::a", f"{LONG[1]}test_x.py::x", f"{LONG[0]}test_y.py::y"]
    items = [cast(pytest.Item, SimpleNamespace(nodeid=name)) for name in names]
    longest_first(items)
    assert [item.nodeid for item in items] == [names[3], names[2], names[0], names[1]]
