"""When a lane that is behind asks the journal, and when the stream can still bring what it lacks."""

from __future__ import annotations

from typing import Any

from nats.aio.msg import Msg

from shared.backlog import Backlog, Key

LANE: Key = ("goals", "olm")


def message(place: int, pending: int) -> Msg:
    """The message at that place of the durable, with so many behind it in the stream."""
    client: Any = None
    reply = f"$JS.ACK.EVENTS.audit--events.1.{place + 50}.{place}.1764000000000000000.{pending}"
    return Msg(client, "evt.olm.goals.goal.proposed", reply)


def started() -> Backlog:
    backlog = Backlog(1.0)
    backlog.begin(0.0)
    return backlog


def test_a_lane_waits_for_what_was_in_the_stream_when_it_was_suspected_and_for_no_more() -> None:
    backlog = started()
    backlog.received(message(1, 700), 1.0)
    backlog.suspect(LANE, 0.0)
    assert backlog.passed(1.1, at_hand=True) == set()  # where the stream ended is not known since
    backlog.received(message(2, 4), 1.2)
    assert backlog.passed(1.2, at_hand=True) == set()
    backlog.received(message(5, 900), 1.3)  # more came in behind: not to be waited for
    backlog.handled(message(5, 900))
    assert backlog.passed(1.3, at_hand=True) == set()
    backlog.received(message(6, 900), 1.4)
    backlog.handled(message(6, 900))
    assert backlog.passed(1.4, at_hand=True) == {LANE}
    assert backlog.passed(1.5, at_hand=True) == set()


def test_where_nothing_is_delivered_any_more_a_lane_waits_no_longer() -> None:
    backlog = started()
    backlog.received(message(1, 700), 1.0)
    backlog.suspect(LANE, 0.0)
    assert backlog.passed(2.5, at_hand=True) == set()
    assert backlog.passed(1.9, at_hand=False) == set()
    assert backlog.passed(2.0, at_hand=False) == {LANE}


def test_where_nothing_was_ever_delivered_a_lane_waits_a_moment_only() -> None:
    backlog = started()
    backlog.suspect(LANE, 0.0)
    assert backlog.passed(0.5, at_hand=False) == set()
    assert backlog.passed(1.0, at_hand=False) == {LANE}


def test_a_lane_waits_a_moment_also_where_the_stream_is_known_to_have_nothing() -> None:
    """A head may be told before the event itself was published."""
    backlog = started()
    backlog.suspect(LANE, 7.0)
    backlog.suspect(LANE, 7.8)  # heard again: the moment is the first one's
    backlog.received(message(1, 0), 7.1)
    backlog.handled(message(1, 0))
    assert backlog.passed(7.9, at_hand=False) == set()
    assert backlog.passed(8.0, at_hand=False) == {LANE}


def test_a_lane_that_lacks_nothing_any_more_does_not_wait() -> None:
    backlog = started()
    backlog.suspect(LANE, 0.0)
    backlog.clear(LANE)
    assert backlog.passed(9.0, at_hand=False) == set()


def test_a_durable_that_counts_anew_lets_everybody_go() -> None:
    backlog = started()
    backlog.received(message(4000, 700), 1.0)
    backlog.handled(message(4000, 700))
    backlog.suspect(LANE, 0.0)
    backlog.received(message(4001, 700), 1.1)
    assert backlog.passed(1.1, at_hand=True) == set()
    backlog.received(message(3, 0), 1.2)  # the stream was lost with what lay in it
    backlog.handled(message(3, 0))
    assert backlog.passed(1.2, at_hand=True) == {LANE}
