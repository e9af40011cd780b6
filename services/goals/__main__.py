"""Runs the service `goals`: `python -m services.goals`."""

from __future__ import annotations

from services.goals.commands import ENDPOINTS
from services.goals.reactions import LANES
from services.goals.recounting import recount
from services.goals.reminding import PLANS, take_back
from shared.service import Service, run

if __name__ == "__main__":
    run(Service(name="goals", endpoints=ENDPOINTS, lanes=LANES, tasks=(PLANS.run, recount), taken_back=take_back))
