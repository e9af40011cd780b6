"""Who floods is held for a minute; who comes back after days and acknowledges all at once is not."""

from deploy.brake import BURST, HELD_S, PER_S, Brake


def test_a_flood_is_held_for_a_minute_and_then_weighed_anew() -> None:
    brake = Brake()
    assert brake.weigh({"A": 1_000_000, "B": 0}, 0) == [], "what was sent before is nobody's flood"
    assert brake.weigh({"A": 1_000_000 + int(BURST + PER_S) + 1, "B": 10}, 1) == ["A"]
    assert (brake.holds("A", 1), brake.holds("B", 1), brake.holds("nobody", 1)) == (True, False, False)
    assert brake.weigh({"A": 9_000_000}, HELD_S) == [], "what it goes on sending while it is held is not counted"
    assert not brake.holds("A", 1 + HELD_S)
    assert brake.weigh({"A": 9_000_000 + int(BURST)}, 1 + HELD_S) == []
    assert brake.weigh({"A": 9_000_000 + int(BURST + PER_S) + 1}, 2 + HELD_S) == ["A"]


def test_an_honest_tool_that_empties_a_full_stream_and_goes_on_is_never_held() -> None:
    brake, sent = Brake(), 0
    for second in range(100):
        sent += 30_000 if second in (0, 1) else int(PER_S)
        assert brake.weigh({"A": sent}, second) == []


def test_a_server_that_was_started_anew_counts_from_nothing() -> None:
    brake = Brake()
    brake.weigh({"A": 5_000}, 0)
    assert brake.weigh({"A": 10}, 1) == []
    assert brake.weigh({"A": 20}, 2) == []
