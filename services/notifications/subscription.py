"""A browser's push subscription, as it gives it to us (W3C Push API, PushSubscription.toJSON)."""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from shared.errors import Problem, ProblemType

AUTH_BYTES = 16
LONGEST_ENDPOINT = 1024


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where to push, and the keys that only this browser can read by."""

    endpoint: str
    p256dh: str
    auth: str

    def text(self) -> str:
        """Returns it as it is kept: the same subscription is the same text."""
        return json.dumps(self.info(), sort_keys=True, separators=(",", ":"))

    def info(self) -> dict[str, Any]:
        """Returns it as libraries want it."""
        return {"endpoint": self.endpoint, "keys": {"auth": self.auth, "p256dh": self.p256dh}}

    @property
    def host(self) -> str:
        """The push service's host."""
        return urlsplit(self.endpoint).hostname or ""


def read_subscription(text: str, allowed: Callable[[str], bool]) -> Subscription:
    """Returns the subscription in `text`; raises Problem when nothing could be pushed there.

    `allowed` tells of a host whether it is a push service: a person must not make us connect to anything else.
    """
    try:
        raw = json.loads(text)
        found = Subscription(_endpoint(raw["endpoint"]), raw["keys"]["p256dh"], raw["keys"]["auth"])
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _bytes(found.p256dh))
        if len(_bytes(found.auth)) != AUTH_BYTES:
            raise ValueError("auth")
    except (ValueError, KeyError, TypeError, RecursionError):
        detail = "this is not a push subscription: send what the browser's PushSubscription.toJSON() gives"
        raise Problem(ProblemType.INVALID, detail, field="target") from None
    if not allowed(found.host):
        detail = "this push service is not one that the foundation allows: use another browser, or ask the operators"
        raise Problem(ProblemType.INVALID, detail, field="target")
    return found


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    fits = parts.scheme == "https" and parts.hostname and parts.username is None and parts.fragment == ""
    if not fits or len(url) > LONGEST_ENDPOINT or not url.isascii() or any(c <= " " for c in url):
        raise ValueError("endpoint")
    try:
        ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return url
    raise ValueError("endpoint")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
