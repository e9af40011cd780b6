"""The HTTP side of the served logs: GET only, a bounded number of connections, the standard library in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

AT_ONCE = 64
SOCKET_S = 10.0

Answer = Callable[[str, str], tuple[bytes, str, str]]
"""Returns (body, type, how it may be kept) for a path and the header Authorization; raises NotServed."""


class NotServed(Exception):
    """Nothing is answered but a status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class _Bounded(ThreadingHTTPServer):
    """A thread a connection, so many at most: one more is closed at once."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._room = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  the standard library's types
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  the same
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  the same
        """Leaves whoever hung up alone."""


class TileServer:
    """Serves what `answer` gives until closed."""

    def __init__(self, host: str, port: int, answer: Answer) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = SOCKET_S
            server_version, sys_version = "tiles", ""

            def do_GET(self) -> None:
                try:
                    body, kind, keep = answer(self.path, self.headers.get("Authorization", ""))
                    self._tell(200, body, kind, keep)
                except NotServed as no:
                    self._tell(no.status)

            def _tell(self, status: int, body: bytes = b"", kind: str = "text/plain", keep: str = "no-store") -> None:
                self.send_response(status)
                headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": keep}
                headers |= {"X-Content-Type-Options": "nosniff", "Vary": "Authorization"}
                headers |= {"WWW-Authenticate": 'Basic realm="tiles"'} if status == 401 else {}
                headers |= {"Retry-After": "1"} if status in {429, 503} else {}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the standard library's name
                pass

        self._server = _Bounded((host, port), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="tiles", daemon=True).start()

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()
