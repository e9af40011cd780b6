"""Withdrawn means withdrawn, simulated: seeded interleavings of the whole protocol, with pauses anywhere, standbys that
are behind, primaries that were cut off, projections rebuilt. And the simulation finds what it should: each guard that
is taken out is missed within so many seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.network.simulation.people import Platform
from tests.network.simulation.protocol import Rules

SEEDS = 150
"""Of the protocol as it is. A seed that failed is played again by `Platform(seed, Rules()).play()`."""
WITHIN_SEEDS = 200
FAR_S = 1e9

DEFECTS: dict[str, dict[str, Any]] = {
    "no_lock": {"locks": False},
    "read_first_then_lock": {"locks_first": False},
    "projector_takes_no_lock": {"projector_locks": False},
    "no_lease": {"lease_s": FAR_S, "row_lease_s": FAR_S},
    "lease_lasts_too_long": {"lease_s": 9.0},
    "one_childs_lease_lasts_for_ever": {"row_lease_s": FAR_S},
    "no_generation": {"generation_compared": False},
    "cursor_not_held_against_the_head": {"head_compared": False},
    "no_time_limit": {"limit_s": float("inf")},
    "network_waits_too_short": {"runs_out_s": 3.0},
    "network_waits_too_long": {"runs_out_s": 8.5},
    "network_looks_too_rarely": {"look_every_s": 3.0},
    "answers_leave_however_late": {"release_within_s": FAR_S},
    "a_grant_may_end_under_way": {"holds_s": 0.0},
    "an_old_primary_answers": {"question_written": False},
    "reading_after_the_answer": {"reading_first": False},
    "an_older_word_is_stored": {"newest_word_only": False},
    "cursor_told_before_commit": {"told_after_commit": False},
    "permits_while_rebuilt": {"rebuilding_denies": False},
}


def test_no_interleaving_releases_what_was_withdrawn() -> None:
    lines = withdrawals = by_the_clock = 0
    for seed in range(SEEDS):
        platform = Platform(seed, Rules())
        assert platform.play() == [], f"seed {seed}"
        lines += len(platform.story.lines)
        withdrawals += len(platform.story.withdrawals)
        by_the_clock += sum(one.how == "clock" for one in platform.story.withdrawals.values())
    assert lines > 30 * SEEDS
    assert withdrawals > 2 * SEEDS
    assert SEEDS / 2 < by_the_clock < withdrawals - SEEDS / 2


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_guard_that_is_taken_out_is_missed(defect: str) -> None:
    rules = replace(Rules(), **DEFECTS[defect])
    assert any(Platform(seed, rules).play() for seed in range(WITHIN_SEEDS))


def test_a_seed_is_one_story() -> None:
    first, again, other = (Platform(seed, Rules()) for seed in (5, 5, 6))
    for platform in (first, again, other):
        platform.play()
    assert first.story == again.story
    assert first.story != other.story
