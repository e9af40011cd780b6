"""Signatures of webhooks (Standard Webhooks 1.0.0): HMAC-SHA256 as `v1`, Ed25519 as `v1a`, one of each key in use.

A secret is text as its owner keeps it: `whsec_` and base64 of 32 random bytes, which both sides hold, or `whsk_` and
base64 of an Ed25519 seed, which stays here; its public half is told as `whpk_`.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.events.gate import WebhookScheme as Scheme

SHARED, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A secret and until when it signs; None: until it is replaced."""

    secret: str
    until: datetime | None = None

    def __repr__(self) -> str:
        """A secret shows up in no log."""
        return f"Key({self.secret.partition('_')[0]}_..., until={self.until})"


def make_secret(scheme: Scheme, random: bytes) -> str:
    """Returns a new secret of 32 random bytes; raises ValueError when there are not so many."""
    if len(random) != SECRET_BYTES:
        msg = f"{SECRET_BYTES} random bytes are needed, not {len(random)}"
        raise ValueError(msg)
    return (SHARED if scheme is Scheme.HMAC else PRIVATE) + base64.b64encode(random).decode()


def shown(secret: str) -> str:
    """Returns what the tool's owner needs: the shared secret itself, or the public half of a private one."""
    if secret.startswith(SHARED):
        return secret
    return PUBLIC + base64.b64encode(_private(secret).public_key().public_bytes_raw()).decode()


def signed(keys: Iterable[Key], message: str, at: datetime, body: bytes) -> dict[str, str]:
    """Returns the three headers of an attempt at `at`, with a signature by each key that still counts.

    `message` is the event's id: the same at every attempt, without a full stop in it. Raises ValueError without a key.
    """
    stamp = str(int(at.timestamp()))
    content = b".".join((message.encode(), stamp.encode(), body))
    signatures = [signature(key.secret, content) for key in keys if key.until is None or at < key.until]
    if not signatures:
        msg = "no key signs any more"
        raise ValueError(msg)
    return {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": " ".join(signatures)}


def signature(secret: str, content: bytes) -> str:
    """Returns one signature with its scheme before it."""
    if secret.startswith(SHARED):
        return "v1," + _text(hmac.digest(base64.b64decode(secret.removeprefix(SHARED)), content, sha256))
    return "v1a," + _text(_private(secret).sign(content))


def _private(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.removeprefix(PRIVATE)))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
