"""The key by which push services know us (VAPID, RFC 8292), and its public half, which browsers subscribe with."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from services.notifications.channel_settings import channel_settings


def load_vapid(path: Path) -> Vapid02:
    """Reads a PEM file with a P-256 private key."""
    return Vapid02.from_pem(path.read_bytes())


def public_half(vapid: Vapid02) -> str:
    """Returns the public key as browsers want it (`applicationServerKey`)."""
    raw = vapid.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@cache
def push_key() -> str | None:
    """Returns the process's public key; None where nothing is pushed."""
    path = channel_settings().vapid_key
    return None if path is None else public_half(load_vapid(path))
