"""A supplier's server that takes webhooks, as a program of its own: `python -m tests.faults.hook <port> <file>`.

It keeps each request as a line of the file, then answers: killed in between, it has what the gate believes lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from tests.gate.receiver import OK, Got, Receiver, receiving

BETWEEN_S = 0.02
"""From keeping to answering: a kill must be able to come between."""


async def serve(port: int, path: str) -> None:
    """Serves until it is killed."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def keep(got: Got) -> bytes:
        os.write(file, json.dumps({"headers": got.headers, "body": got.body.decode()}).encode() + b"\n")
        time.sleep(BETWEEN_S)
        return OK

    async with receiving(Receiver(port=port, answer=keep)):
        print("serving", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
