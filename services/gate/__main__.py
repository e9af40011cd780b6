"""The gate: the door for a school's own tools. What leaves, leaves here, each on a basis that was checked again."""

from __future__ import annotations

from functools import partial

from services.gate.commands import asked_by_tools, endpoints
from services.gate.delivering import deliver
from services.gate.heard import Heard
from services.gate.logins import Desk
from services.gate.model import SERVICE
from services.gate.places import Wakes
from services.gate.reactions import lanes
from services.gate.recovering import taken_back
from services.gate.serving import DoorSettings, serve_tools
from services.gate.settings import GateSettings
from services.gate.slots import Slots
from services.gate.tasks import keep_house, put_out
from shared.clock import Ids
from shared.service import Service, run

if __name__ == "__main__":
    wakes, hooks, heard = Wakes(), Wakes(), Heard()
    settings, gate = DoorSettings(), GateSettings()
    slots = Slots(settings.slots)
    desk = Desk(slots, settings.login_lives)
    asked = endpoints(slots, desk, loopback=gate.webhook_loopback)
    own = asked_by_tools(desk, gate.replayed_a_day)
    door = partial(serve_tools, settings=settings, slots=slots, own=own)
    tasks = (partial(put_out, wakes=wakes, heard=heard), partial(deliver, wakes=hooks), keep_house, door)
    run(Service(SERVICE, asked, lanes(heard, wakes.beside(hooks)), tasks=tasks, taken_back=partial(taken_back, Ids())))
