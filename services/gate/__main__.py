"""The gate: the door for a school's own tools. What leaves, leaves here, each on a basis that was checked again."""

from __future__ import annotations

from services.gate.commands import ENDPOINTS
from services.gate.model import SERVICE
from services.gate.reactions import lanes
from shared.service import Service, run

if __name__ == "__main__":
    run(Service(SERVICE, ENDPOINTS, lanes()))
