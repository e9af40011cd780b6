"""The door for links in mails, by HTTP: leaving (RFC 8058), confirming an address, and mails that came back.

A GET changes nothing: mail programs and their scanners follow links. It shows a page with one button; the POST does it.
A link names nobody: what it holds is sealed. Nothing is answered but that it was done, or is not a link of ours.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from aiohttp import web

from services.notifications.door_pages import ALL, page
from services.notifications.keyring import BadSeal, Keyring
from shared.errors import Problem, ProblemType

log = logging.getLogger(__name__)

AT_ONCE = 128
WAITING = 20_000
WITHIN_S = 20.0
LARGEST_FORM = 4096
LARGEST_MAIL = 512 * 1024
RETRY_AFTER_S = 30
LEAVING, CONFIRMING, HANDING_IN = "afmelden", "bevestigen", "terug"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

Do = Callable[[str, UUID, bool], Awaitable[None]]
"""Leaves: (school, member, all mail, not only what is ordinary). Raises Problem."""
Verify = Callable[[str, UUID, UUID, str], Awaitable[bool]]
"""Confirms: (school, member, address, code); tells whether it is confirmed now. Raises Problem."""
HandIn = Callable[[bytes], Awaitable[str]]
"""Takes a mail that came back; returns what became of it, as a code."""


def leaving_link(keys: Keyring, url: str, school: str, member: UUID, notice: UUID) -> str:
    """Returns the link in a notice's mail by which its member leaves: the same for the same notice."""
    return f"{url.rstrip('/')}/{LEAVING}/{keys.seal(LEAVING, f'{school} {member}', notice.bytes)}"


def confirming_link(keys: Keyring, url: str, school: str, member: UUID, address: UUID, code: str) -> str:
    """Returns the link that confirms an address."""
    sealed = keys.seal(CONFIRMING, f"{school} {member} {address} {code}", address.bytes)
    return f"{url.rstrip('/')}/{CONFIRMING}/{sealed}"


@dataclass(slots=True)
class Door:
    """Answers until closed. So many at once, so many waiting; whoever comes beyond that is told when to come again."""

    keys: Keyring
    leave: Do
    verify: Verify
    hand_in: HandIn | None = None
    token: str | None = None
    waiting: int = 0
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    runner: web.AppRunner | None = None

    def app(self) -> web.Application:
        """Returns the web application."""
        app = web.Application(client_max_size=LARGEST_FORM)
        app.router.add_get(f"/{LEAVING}/{{link}}", self._show_leaving)
        app.router.add_post(f"/{LEAVING}/{{link}}", self._leave)
        app.router.add_get(f"/{CONFIRMING}/{{link}}", self._show_confirming)
        app.router.add_post(f"/{CONFIRMING}/{{link}}", self._confirm)
        app.router.add_post(f"/{HANDING_IN}", self._take_back)
        return app

    async def open(self, host: str, port: int) -> int:
        """Begins to answer; returns the port."""
        self.runner = web.AppRunner(self.app(), access_log=None)
        await self.runner.setup()
        site = web.TCPSite(self.runner, host, port, backlog=4096)
        await site.start()
        found: int = self.runner.addresses[0][1]
        return found

    async def close(self) -> None:
        """Ends it."""
        if self.runner is not None:
            await self.runner.cleanup()

    async def _show_leaving(self, request: web.Request) -> web.Response:
        return self._shown(request, LEAVING, "leave")

    async def _show_confirming(self, request: web.Request) -> web.Response:
        return self._shown(request, CONFIRMING, "verify")

    def _shown(self, request: web.Request, use: str, key: str) -> web.Response:
        if self._opened(request, use) is None:
            return _answer(404, "gone")
        return _answer(200, key, request.rel_url.raw_path)

    def _opened(self, request: web.Request, use: str) -> list[str] | None:
        try:
            return self.keys.open(use, request.match_info["link"]).split(" ")
        except BadSeal:
            return None

    async def _leave(self, request: web.Request) -> web.Response:
        found = self._opened(request, LEAVING)
        if found is None:
            return _answer(404, "gone")
        school, member = found

        everything = await _all(request)

        async def leave() -> web.Response:
            await self.leave(school, UUID(member), everything)
            return _answer(200, "left_all") if everything else _answer(200, "left", request.rel_url.raw_path)

        return await self._in_turn(leave)

    async def _confirm(self, request: web.Request) -> web.Response:
        found = self._opened(request, CONFIRMING)
        if found is None:
            return _answer(404, "gone")
        school, member, address, code = found

        async def confirm() -> web.Response:
            done = await self.verify(school, UUID(member), UUID(address), code)
            return _answer(200, "verified") if done else _answer(410, "gone")

        return await self._in_turn(confirm)

    async def _in_turn(self, work: Callable[[], Awaitable[web.Response]]) -> web.Response:
        if self.waiting >= WAITING:
            return _busy()
        self.waiting += 1
        try:
            async with asyncio.timeout(WITHIN_S), self.turns:
                return await work()
        except TimeoutError:
            return _busy()
        except Problem as problem:
            if problem.type in {ProblemType.UNAVAILABLE, ProblemType.RATE_LIMITED}:
                return _busy()
            return _answer(410, "gone")
        except Exception as error:  # noqa: BLE001  whatever it is, whoever presses again loses nothing
            log.warning("door", extra={"code": "door_failed", "kind": type(error).__name__})
            return _busy()
        finally:
            self.waiting -= 1

    async def _take_back(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if self.hand_in is None or self.token is None:
            return web.json_response({"state": "closed"}, status=404, headers=HEADERS)
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Bearer {self.token}".encode()):
            return web.json_response({"state": "refused"}, status=401, headers=HEADERS)
        body = await _read(request, LARGEST_MAIL)
        if body is None:
            return web.json_response({"state": "too_large"}, status=413, headers=HEADERS)
        try:
            state = await self.hand_in(body)
        except Problem:
            return web.json_response({"state": "later"}, status=503, headers=_again())
        return web.json_response({"state": state}, headers=HEADERS)


async def _all(request: web.Request) -> bool:
    """Tells whether the page's own button for all mail was pressed; a mail program's (RFC 8058) is another form."""
    try:
        return bool((await request.post()).get(ALL))
    except ValueError:
        return False


async def _read(request: web.Request, most: int) -> bytes | None:
    body = bytearray()
    async for piece in request.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


def _again() -> dict[str, str]:
    return {**HEADERS, "Retry-After": str(RETRY_AFTER_S)}


def _busy() -> web.Response:
    return _answer(503, "busy", headers=_again())


def _answer(status: int, key: str, action: str | None = None, headers: dict[str, str] = HEADERS) -> web.Response:
    return web.Response(status=status, text=page(key, action), content_type="text/html", headers=headers)
