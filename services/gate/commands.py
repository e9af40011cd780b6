"""What is asked of the gate, by people for their school, and by tools."""

from __future__ import annotations

from typing import Any

from services.gate.model import SERVICE
from shared.erasure import preview
from shared.unit import Endpoint

ENDPOINTS: tuple[Endpoint[Any], ...] = (preview(SERVICE),)
