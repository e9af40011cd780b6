"""Adds what happened to a spreadsheet's table: `python csv_puller.py tool.creds nats://host:4222 goals.csv`."""

import asyncio
import csv
import json
import sys
from pathlib import Path

import nats
import nats.errors


async def main(creds: str, server: str, table: Path) -> None:
    """Writes a row an event, then acknowledges; the first two columns tell a row that came twice."""
    try:
        client = await nats.connect(server, user_credentials=creds, allow_reconnect=False)
    except nats.errors.Error as error:
        sys.exit(f"{error}: an old {creds} lets nobody in; ask the school for a new one (`samen tool login`)")
    me = await client.jetstream(domain="gate").pull_subscribe_bind("me", stream="OUT")
    try:
        while messages := await me.fetch(100, timeout=2):
            events = [json.loads(message.data) for message in messages]
            keep(table, events)
            for message in messages:
                await message.ack()
    except TimeoutError:
        await client.flush()  # the acknowledgements are on their way
        await client.close()


def keep(table: Path, events: list[dict[str, object]]) -> None:
    """Adds a row an event: epoch, number, time, type, child, and the rest as JSON."""
    with table.open("a", newline="") as file:
        for one in events:
            told = (one[name] for name in ("epoch", "sequence", "time", "type"))
            csv.writer(file).writerow((*told, one.get("subject"), json.dumps(one["data"])))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
