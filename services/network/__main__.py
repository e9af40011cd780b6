"""Starts the service network: who is round a child, under whose authority, with which consent."""

from __future__ import annotations

from functools import partial

from services.network import due_soon, erasures
from services.network.commands import ENDPOINTS
from services.network.effective import Effects
from services.network.reactions import LANES, catch_up
from services.network.restored import take_back
from services.network.reviews import REVIEWS
from shared.service import Service, run

if __name__ == "__main__":
    effects = Effects()
    run(
        Service(
            name="network",
            endpoints=ENDPOINTS,
            lanes=LANES,
            tasks=(catch_up, REVIEWS.run, effects.run, partial(erasures.run, effects=effects), due_soon.run),
            replied=effects.replied,
            authority=True,
            taken_back=take_back,
        )
    )
