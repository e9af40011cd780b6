"""A tool in Python: prints each event that its school lets it have. `python python_tool.py tool.creds nats://host:4222`."""

import asyncio
import json
import sys

import nats


async def main(creds: str, server: str) -> None:
    """Fetches, shows, acknowledges; what is not acknowledged comes again."""
    client = await nats.connect(server, user_credentials=creds)
    me = await client.jetstream(domain="gate").pull_subscribe_bind("me", stream="OUT")
    while True:
        try:
            messages = await me.fetch(10, timeout=30)
        except TimeoutError:
            continue
        for message in messages:
            event = json.loads(message.data)
            print(event["epoch"], event["sequence"], event["type"], event.get("subject", ""), flush=True)
            await message.ack()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
