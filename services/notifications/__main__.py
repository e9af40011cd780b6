"""The notifications service: inboxes, and mail that says only that there is something new."""

from __future__ import annotations

from uuid import UUID

from services.notifications.commands import ENDPOINTS
from services.notifications.mail import MailSettings
from services.notifications.model import SERVICE
from services.notifications.reactions import LANES
from services.notifications.releasing import let_go
from services.notifications.sender import Sender
from services.notifications.smtp import MailChannel
from services.notifications.witness import witness_log
from shared.events.words import Purpose
from shared.service import Service, Site, run


async def send_mail(at: Site) -> None:
    """Sends what is queued until cancelled."""
    mail = MailSettings()

    async def contact(school: str, member: UUID, about: UUID) -> str | None:
        body = {"member": member, "about": about, "purpose": Purpose.ADMINISTRATION}
        answer = await at.bus.call(school, "network", "contact-point", body)
        email = answer["email"]
        return None if email is None else str(email)

    await Sender(
        db=at.db,
        unit=at.unit,
        ids=at.ids,
        clock=at.clock,
        contact=contact,
        channel=lambda: MailChannel(at.settings.smtp_host, at.settings.smtp_port, mail),
        alarm=at.alarm,
        release_within_s=at.settings.release_within_s,
        patience_s=mail.patience_s,
    ).run()


if __name__ == "__main__":
    run(Service(SERVICE, ENDPOINTS, LANES, tasks=(send_mail, let_go, witness_log)))
