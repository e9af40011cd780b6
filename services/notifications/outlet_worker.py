"""`python -m services.notifications.outlet_worker [address ...]`: sends through Apprise what it reads, a line an order.

It is guarded from below, by audit hooks (PEP 578) that nothing in the process can take away again: connections go to
public addresses only (and to those named as arguments), no process is started, nothing leaves past its order's time.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from services.notifications.public import is_public

FORBIDDEN = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"})


class Guard:
    """What the hooks know of the order that is being worked on."""

    def __init__(self, also: frozenset[str]) -> None:
        self.also = also
        self.before = 0.0
        self.left = False
        self.refused = ""

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuses what must not be, by raising."""
        if event == "socket.connect":
            self._connect(arguments[0], arguments[1])
        elif event == "http.client.send":
            if time.time() > self.before:
                self._refuse("claim_too_old")
            self.left = True
        elif event in FORBIDDEN:
            self._refuse("not_allowed")

    def _connect(self, sock: socket.socket, address: Any) -> None:  # noqa: ANN401  as a socket takes it
        inside = sock.family not in {socket.AF_INET, socket.AF_INET6} or not isinstance(address, tuple)
        if inside or not (is_public(str(address[0])) or address[0] in self.also):
            self._refuse("address_inside")

    def _refuse(self, code: str) -> None:
        self.refused = code
        raise PermissionError(code)


def main() -> None:
    """Works until its input ends."""
    guard = Guard(frozenset(sys.argv[1:]))
    import apprise  # it looks for its plugins as it is imported: before the guard, and after the arguments

    sys.addaudithook(guard.hook)
    answer: Callable[[object], None] = lambda what: print(json.dumps(what), flush=True)  # noqa: E731, T201  its one output
    answer({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        guard.before, guard.left, guard.refused = order["before"], False, ""
        asset = apprise.AppriseAsset(
            app_id="Samenkracht", app_desc="", app_url="", async_mode=False, secure_logging=True
        )
        sender = apprise.Apprise(asset=asset)
        if not sender.add(order["url"]) or len(sender) != 1:
            answer({"sent": False, "code": "bad_url", "left": False})
            continue
        sender[0].verify_certificate = True  # whatever `verify=no` in the URL says: the school's secret goes along
        sent = bool(sender.notify(body=order["text"], title=""))
        answer({"sent": sent, "code": guard.refused or "outlet_refused", "left": guard.left and not guard.refused})


if __name__ == "__main__":
    main()
