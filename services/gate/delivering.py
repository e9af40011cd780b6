"""The courier as a task of the process, and where its webhooks may lead."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from services.gate.courier import Courier
from services.gate.places import Wakes
from services.gate.settings import GateSettings
from shared.service import Site
from shared.session import Session
from shared.settings import Settings


async def deliver(at: Site, wakes: Wakes) -> None:
    """Takes events to tools by webhook until cancelled."""
    settings = GateSettings()
    if settings.webhook_loopback and not all_here(at.settings):
        text = "webhooks may lead to this machine, and not all of the platform is on it: leave that setting out"
        at.alarm("webhook_loopback", text)
        os._exit(os.EX_CONFIG)
    announcing: set[asyncio.Task[None]] = set()

    def told() -> None:
        if at.consumer is not None:
            task = asyncio.create_task(at.consumer.announce())
            announcing.add(task)
            task.add_done_callback(announcing.discard)

    courier = Courier(
        at.db,
        at.unit,
        at.ids,
        at.clock,
        wakes,
        at.alarm,
        ssl.create_default_context(cafile=settings.webhook_ca),
        at.settings.release_within_s,
        timedelta(days=settings.deletion_within_days),
        random.SystemRandom().random,
        told,
        settings.webhook_loopback,
    )
    session = Session(at.settings.database_url, "courier")
    try:
        await courier.run(session)
    finally:
        await session.close()


def all_here(settings: Settings) -> bool:
    """Tells whether process, database and broker are all on this machine: then it is nobody's production."""
    hosts = [settings.http_host, *(urlsplit(url).hostname for url in (settings.database_url, settings.nats_url))]
    return all(_loopback(host) for host in hosts)


def _loopback(host: str | None) -> bool:
    try:
        return host in {"localhost", None, ""} or ip_address(host).is_loopback
    except ValueError:
        return False
