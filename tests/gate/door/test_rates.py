"""Each tool has its own bucket; who heeds what it is told is never a flood, and who does not is one once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.gate.rates import MOST_TOOLS, Limits, Rates, Verdict

LIMITS = Limits(per_s=10, burst=20, under_way=4, flood=50, patience_s=5)


def verdicts(rates: Rates, account: str, times: list[float]) -> list[Verdict]:
    return [rates.judge(account, at)[0] for at in times]


def test_a_burst_is_served_and_then_so_many_a_second() -> None:
    rates = Rates(LIMITS)
    assert verdicts(rates, "a", [0.0] * 21) == [Verdict.SERVED] * 20 + [Verdict.REFUSED]
    assert verdicts(rates, "a", [0.1, 0.1]) == [Verdict.SERVED, Verdict.REFUSED]
    assert verdicts(rates, "a", [100.0] * 21) == [Verdict.SERVED] * 20 + [Verdict.REFUSED]


@given(st.lists(st.floats(0, 0.3), min_size=30, max_size=120))
def test_who_waits_as_told_is_always_served_next(pauses: list[float]) -> None:
    rates, now = Rates(LIMITS), 0.0
    for pause in pauses:
        verdict, wait_s = rates.judge("a", now)
        if verdict is Verdict.REFUSED:
            now += wait_s + 1e-6
            assert rates.judge("a", now)[0] is Verdict.SERVED
        else:
            assert verdict is Verdict.SERVED
        now += pause / 10


def test_one_tools_flood_costs_no_other_tool_a_token() -> None:
    rates = Rates(LIMITS)
    found = verdicts(rates, "a", [0.001 * n for n in range(200)])
    assert found.count(Verdict.FLOOD) == 1
    assert found[found.index(Verdict.FLOOD) + 1 :].count(Verdict.DROPPED) > 100
    assert verdicts(rates, "b", [0.2] * 20) == [Verdict.SERVED] * 20


def test_refusals_far_apart_are_no_flood() -> None:
    rates, now = Rates(replace(LIMITS, flood=60)), 0.0
    for _ in range(400):  # twice what it may, all the time, is refused and no more
        now += 1 / 20
        assert rates.judge("a", now)[0] in {Verdict.SERVED, Verdict.REFUSED}, now


def test_a_tool_that_was_let_in_again_begins_anew() -> None:
    rates = Rates(LIMITS)
    verdicts(rates, "a", [0.0] * 100)
    assert rates.judge("a", 0.05)[0] is Verdict.DROPPED
    rates.forgive("a")
    assert rates.judge("a", 0.05)[0] is Verdict.SERVED


def test_so_many_at_one_time_and_no_more() -> None:
    rates = Rates(LIMITS)
    for _ in range(4):
        assert rates.judge("a", 0.0)[0] is Verdict.SERVED
        rates.began("a")
    assert rates.judge("a", 10.0)[0] is Verdict.REFUSED
    rates.ended("a")
    assert rates.judge("a", 10.0)[0] is Verdict.SERVED


def test_buckets_are_bounded() -> None:
    rates = Rates(LIMITS)
    for n in range(MOST_TOOLS + 10):
        rates.judge(str(n), 0.0)
    assert len(rates._buckets) == MOST_TOOLS
    rates.ended("0")  # one that was let go meanwhile
