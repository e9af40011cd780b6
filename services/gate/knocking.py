"""One HTTP POST to a tool's own server: over a connection to an address that was judged, within bounds.

The connection is made first, then the caller decides whether anything may leave, then it is sent: so nothing is told to
a server that is not there, and what was decided is on its way at once. No redirects, no proxies, nothing from the
environment; HTTP/1.1 by h11.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import h11

from services.gate.addresses import Target, judge

CONNECT_S = 5.0
ANSWER_S = 15.0
REST_S = 1.0
HEAD_BYTES = 16 * 1024
BODY_BYTES = 64 * 1024
"""A larger answer's status counts; its connection does not go on."""
LONGEST_ASKED = timedelta(days=1)
ADDRESSES = 3
"""So many of a name's addresses are tried."""
AGENT = "Samenkracht-webhooks/1"

Resolve = Callable[[str, int], Awaitable[list[str]]]


class Unreachable(Exception):
    """The receiver did not take it, as far as can be known. The text is a code."""


class Late(Exception):
    """Nothing was sent: what was decided is too old by now."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said."""

    status: int
    asked: timedelta | None = None
    """Retry-After, where it is a number of seconds."""


async def resolve(host: str, port: int) -> list[str]:
    """Returns the addresses of a name, as the system's resolver has them now."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Line:
    """A connection to a receiver, to one request at a time. `address` is where it leads."""

    def __init__(
        self, target: Target, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.target = target
        self.address = address
        self.used = 0
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)

    @classmethod
    async def open(
        cls, target: Target, context: ssl.SSLContext, *, loopback: bool = False, find: Resolve = resolve
    ) -> Line:
        """Connects to an address of the target's that was judged; raises Refused or Unreachable."""
        code = "timeout"
        try:
            async with asyncio.timeout(CONNECT_S):
                addresses = judge(await find(target.host, target.port), loopback=loopback)
                for address in addresses[:ADDRESSES]:
                    try:
                        return cls(target, address, *await _connect(target, address, context))
                    except ssl.SSLError:
                        code = "tls"
                    except OSError:
                        code = "connection"
        except TimeoutError:
            code = "timeout"
        raise Unreachable(code)

    @property
    def good(self) -> bool:
        """Tells whether another request can go over it."""
        return self._http.our_state is h11.IDLE and not self._reader.at_eof() and not self._writer.is_closing()

    async def post(self, headers: Mapping[str, str], body: bytes, by: float) -> Answer:
        """Sends a body and returns what is answered; raises Late when the loop's time is past `by`, or Unreachable."""
        head = [("Host", self.target.authority), ("User-Agent", AGENT), ("Content-Length", str(len(body)))]
        request = h11.Request(method="POST", target=self.target.path, headers=[*head, *headers.items()])
        sent = (self._http.send(part) for part in (request, h11.Data(data=body), h11.EndOfMessage()))
        content = b"".join(part for part in sent if part)
        self.used += 1
        try:
            async with asyncio.timeout(ANSWER_S):
                if asyncio.get_running_loop().time() > by:
                    raise Late
                self._writer.write(content)
                await self._writer.drain()
                answer = await self._head()
        except (TimeoutError, Late, OSError, h11.RemoteProtocolError) as error:
            self.close()
            if isinstance(error, Late):
                raise
            raise Unreachable(_code(error)) from None
        await self._rest()
        return answer

    async def _head(self) -> Answer:
        """Returns what is answered, as soon as the status is known."""
        while True:
            event = await self._event()
            if isinstance(event, h11.Response):
                return Answer(event.status_code, _asked(dict(event.headers).get(b"retry-after", b"")))

    async def _rest(self) -> None:
        """Reads the answer's body away, so that the connection can go on; one that is long or slow ends it."""
        taken = 0
        try:
            async with asyncio.timeout(REST_S):
                while taken <= BODY_BYTES:
                    event = await self._event()
                    if isinstance(event, h11.Data):
                        taken += len(event.data)
                    elif isinstance(event, h11.EndOfMessage):
                        self._http.start_next_cycle()
                        return
        except (TimeoutError, OSError, h11.ProtocolError):
            pass
        self.close()

    async def _event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                came = await self._reader.read(HEAD_BYTES)
                if not came:
                    raise ConnectionResetError
                self._http.receive_data(came)
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError
            else:
                return event

    def close(self) -> None:
        """Ends the connection at once."""
        self._writer.transport.abort()


async def _connect(
    target: Target, address: str, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.scheme == "http":
        return await asyncio.open_connection(address, target.port, limit=HEAD_BYTES)
    return await asyncio.open_connection(
        address, target.port, limit=HEAD_BYTES, ssl=context, server_hostname=target.host.rstrip(".")
    )


def _code(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return "no_http" if isinstance(error, h11.RemoteProtocolError) else "connection"


def _asked(text: bytes) -> timedelta | None:
    if not text.isdigit() or len(text) > 9:
        return None
    return min(LONGEST_ASKED, timedelta(seconds=int(text)))
