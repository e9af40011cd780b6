"""Web Push (RFC 8030, 8188, 8291, 8292): encrypted for one browser, and neutral all the same."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from py_vapid import Vapid02
from pywebpush import WebPusher

from services.notifications.channel import Letter, NotSent, Target, left
from services.notifications.mail_page import short
from services.notifications.public import is_public
from services.notifications.subscription import Subscription, read_subscription
from shared.errors import Problem

TTL_S = 4 * 24 * 3600
TOKEN_LASTS_S = 12 * 3600
TOKEN_USED_S = 6 * 3600
GONE = frozenset({404, 410})
FOR_GOOD = frozenset({400, 413})
OURS = frozenset({401, 403})
"""RFC 8292, 4.2: it does not know us by our key, or not for this subscription."""
MOST_TOKENS = 100
PADDED = 512
ACCEPTED = range(200, 300)


class PublicOnly(AbstractResolver):
    """Resolves names, and leaves out every address that is not out on the Internet (RFC 6890)."""

    def __init__(self, allowed: Callable[[str], bool] = is_public) -> None:
        """`allowed` tells of an address whether it may be connected to."""
        self._allowed = allowed
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Returns the addresses that may be connected to; raises OSError when there is none."""
        found = [one for one in await self._inner.resolve(host, port, family) if self._allowed(one["host"])]
        if not found:
            raise OSError(None, "no public address")
        return found

    async def close(self) -> None:
        """Ends nothing: there is nothing open."""
        await self._inner.close()


@dataclass(slots=True)
class PushSettings:
    """What every push needs: our key, whom a push service may write to, where people log in."""

    vapid: Vapid02
    contact: str
    link: str
    allowed: Callable[[str], bool]
    patience_s: float = 10.0
    resolver: AbstractResolver = field(default_factory=PublicOnly)
    tls: ssl.SSLContext | None = None
    tokens: dict[str, tuple[float, str]] = field(default_factory=dict)

    def authorization(self, endpoint: str, now_s: float) -> str:
        """Returns the header by which the push service of `endpoint` knows us: a token for it alone (RFC 8292)."""
        parts = urlsplit(endpoint)
        origin = f"{parts.scheme}://{parts.netloc}"
        made = self.tokens.get(origin)
        if made is None or made[0] < now_s - TOKEN_USED_S:
            if len(self.tokens) >= MOST_TOKENS:
                self.tokens.clear()
            claims = {"aud": origin, "exp": int(now_s) + TOKEN_LASTS_S, "sub": self.contact}
            made = self.tokens[origin] = (now_s, str(self.vapid.sign(claims)["Authorization"]))
        return made[1]


class PushChannel:
    """A session of HTTP connections to push services."""

    def __init__(self, settings: PushSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def ready(self) -> None:
        """Opens the session; connections are made when they are needed."""
        if self._session is None:
            context = self._settings.tls or ssl.create_default_context()
            connector = aiohttp.TCPConnector(resolver=self._settings.resolver, ssl=context, limit=64)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def send(self, letter: Letter, to: Target, now: datetime, before: float) -> None:
        """Returns once the push service has accepted the letter; raises NotSent."""
        await self.ready()
        try:
            subscription = read_subscription(to.text, self._settings.allowed)
        except Problem:
            raise NotSent("bad_subscription", for_good=True) from None
        headers = {
            "TTL": str(TTL_S),
            "Urgency": "high" if letter.urgent or letter.code else "normal",
            # A repeat takes the place of the one that still waits for the browser (RFC 8030, 5.4).
            "Topic": letter.id.hex,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Authorization": self._settings.authorization(subscription.endpoint, now.timestamp()),
        }
        body = WebPusher(subscription.info()).encode(self._payload(letter))["body"]
        status, rest_s = await self._post(subscription, bytes(body), headers, before)
        if status in ACCEPTED:
            return
        if status in GONE:
            raise NotSent("gone", for_good=True, gone=True)
        raise NotSent(f"push_{status}", for_good=status in FOR_GOOD, rest_s=rest_s, ours=status in OURS)

    async def _post(
        self, subscription: Subscription, body: bytes, headers: dict[str, str], before: float
    ) -> tuple[int, float]:
        if self._session is None:
            raise NotSent("not_ready")
        seconds = left(before)
        timeout = aiohttp.ClientTimeout(total=self._settings.patience_s, sock_connect=seconds)
        leaving = _Leaving(body, before)
        try:
            async with self._session.post(
                subscription.endpoint, data=leaving, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                return answer.status, _rest_s(answer.headers.get("Retry-After"))
        except aiohttp.ClientConnectorError:
            raise NotSent("push_unreachable") from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            if leaving.late:
                raise NotSent("claim_too_old") from None
            raise NotSent("connection_lost", doubtful=leaving.left) from None

    def _payload(self, letter: Letter) -> bytes:
        """What the browser shows, and what it opens or (a code) sends back by itself; padded to one length for all."""
        link = self._settings.link
        told: dict[str, str] = {"text": short(letter, link), "link": link, "tag": letter.id.hex}
        if letter.code is not None:
            told["code"] = letter.code
        return json.dumps(told).ljust(PADDED).encode()

    async def close(self) -> None:
        """Ends the session; never raises."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class _Leaving(aiohttp.payload.BytesPayload):
    """A body that does not leave after `before`: the connection may have taken its time."""

    def __init__(self, body: bytes, before: float) -> None:
        super().__init__(body)
        self._before = before
        self.late = False
        self.left = False

    async def write(self, writer: aiohttp.abc.AbstractStreamWriter) -> None:
        self._go()
        await super().write(writer)

    async def write_with_length(self, writer: aiohttp.abc.AbstractStreamWriter, content_length: int | None) -> None:
        self._go()
        await super().write_with_length(writer, content_length)

    def _go(self) -> None:
        try:
            left(self._before)
        except NotSent:
            self.late = True
            raise OSError("too late") from None
        self.left = True


def _rest_s(value: str | None) -> float:
    if value is None:
        return 0.0
    if value.isdigit():
        return float(min(int(value), 24 * 3600))
    try:
        return max(
            0.0, (parsedate_to_datetime(value) - datetime.now(parsedate_to_datetime(value).tzinfo)).total_seconds()
        )
    except ValueError:
        return 0.0


__all__: Sequence[str] = ["PublicOnly", "PushChannel", "PushSettings"]
