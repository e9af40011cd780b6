"""The gate: the door for a school's own tools. What leaves, leaves here, each on a basis that was checked again."""

from __future__ import annotations

from functools import partial

from services.gate.commands import ENDPOINTS
from services.gate.model import SERVICE
from services.gate.places import Wakes
from services.gate.reactions import lanes
from services.gate.recovering import taken_back
from services.gate.tasks import keep_house, put_out
from shared.service import Service, run

if __name__ == "__main__":
    wakes = Wakes()
    tasks = (partial(put_out, wakes=wakes), keep_house)
    run(Service(SERVICE, ENDPOINTS, lanes(wakes.wake), tasks=tasks, taken_back=taken_back))
