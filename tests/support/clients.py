"""NATS clients that wait: how fast a busy machine answers is no test's business."""

from __future__ import annotations

from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

PATIENCE_S = 20.0
"""For what comes at once on any machine that is not overloaded. No promise."""


class PatientClient(Client):
    """A client whose requests wait for 20 s unless they say otherwise: half a second is the library's own idea."""

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = PATIENCE_S,
        old_style: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """Ask and wait for the answer."""
        return await super().request(subject, payload, timeout, old_style, headers)


async def connected(url: str, creds: str, inbox: str, **more: Any) -> PatientClient:  # noqa: ANN401  as nats-py takes it
    """Return a client with a login's credentials and inbox."""
    client = PatientClient()
    await client.connect(url, user_credentials=creds, inbox_prefix=f"_INBOX.{inbox}".encode(), **more)
    return client
