"""Withdrawn means withdrawn, under the hammer: the size that CI runs; and the checker can tell."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.hammer import Hammer, Outcome, play, wired
from tests.faults.stage import private_servers
from tests.faults.withdrawn import check
from tests.support.servers import Servers

SEED = 3
ATTEMPTS = 5000
BLOWS = 4

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def outcome(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """One run, as `make hammer` plays with a hundred thousand attempts."""

    def tell(hammer: Hammer) -> None:
        log.info("%s attempts, %s blows", hammer.answered, hammer.struck.total())

    async def run(folder: Path) -> Outcome:
        async with wired(own, folder) as (stage, wires):
            return await play(stage, wires, SEED, ATTEMPTS, BLOWS, tell)

    with private_servers(servers) as own:
        yield asyncio.run(run(tmp_path_factory.mktemp("hammer")))


@pytest.mark.timeout(180)
def test_five_thousand_attempts_release_nothing_after_a_withdrawal_was_effective(outcome: Outcome) -> None:
    figures = outcome.figures()
    log.info("%s", figures)
    assert outcome.findings == [], outcome.findings[:5]
    assert figures["attempts that were answered"] >= ATTEMPTS
    assert figures["of them with what was asked"] >= 500
    assert figures["of them forbidden"] >= 100
    assert figures["effective by confirmation"] >= 2
    assert figures["effective by the clock"] >= 1
    assert {one.producer for one in outcome.ledger.releases} >= {"goals", "notifications", "audit"}
    assert len(outcome.hammer.quiets) >= 3


def test_a_release_planted_in_the_books_of_a_run_is_found(outcome: Outcome) -> None:
    """Of each service: one that was, a microsecond after a withdrawal of what it was judged by was effective."""
    for producer in ("goals", "notifications", "audit"):
        ledger = copy.deepcopy(outcome.ledger)
        one, withdrawal = next(
            (one, withdrawal)
            for withdrawal in sorted(ledger.withdrawals, key=lambda one: one.ends_at)
            for one in ledger.releases
            if (one.producer, one.subject) == (producer, withdrawal.subject) and one.revision < withdrawal.revision
        )
        ledger.releases.append(replace(one, at=withdrawal.ends_at + timedelta(microseconds=1)))
        assert any("after a withdrawal" in finding for finding in check(ledger, (), ()))
