"""The notifications service: inboxes, and mail that says only that there is something new."""

from __future__ import annotations

from services.notifications.commands import ENDPOINTS
from services.notifications.model import SERVICE
from services.notifications.poking import poke_inboxes
from services.notifications.reactions import LANES
from services.notifications.releasing import let_go
from services.notifications.reminding import NOTICES
from services.notifications.sending import send_all
from services.notifications.witness import witness_log
from shared.service import Service, run

if __name__ == "__main__":
    run(Service(SERVICE, ENDPOINTS, LANES, tasks=(send_all, let_go, NOTICES.run, poke_inboxes, witness_log)))
