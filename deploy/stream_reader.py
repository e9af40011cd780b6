"""Tells a service what stream EVENTS still holds of its own events: `ask.stream.<service>`.

Only the provisioner's login may read the stream, so it reads for the others: a service that was put back learns here
that it is behind, and takes back what no consumer had got yet. A login may ask for its own service's events only.
"""

from __future__ import annotations

import hashlib
import json
import logging

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from deploy.topology import NAMES, STREAM
from shared.nats_jwt import Json

LOG = logging.getLogger(__name__)

SUBJECT = "ask.stream.*"
SCHOOLS_A_PAGE = 500
MESSAGES_A_REQUEST = 256
LARGEST_ANSWER = 700_000
REQUEST_S = 2.0


class StreamReader:
    """Answers over a connection in BUS. A question that cannot be answered now gets no answer, and is asked again."""

    def __init__(self, client: Client) -> None:
        """Take the provisioner's connection in BUS."""
        self._client = client

    async def serve(self) -> None:
        """Subscribe."""
        await self._client.subscribe(SUBJECT, queue="provisioner", cb=self._answer)

    async def _answer(self, message: Msg) -> None:
        service = message.subject.rpartition(".")[2]
        try:
            if service not in NAMES or not message.reply.startswith("_R_."):
                return
            asked: Json = json.loads(message.data)
            if asked["what"] == "heads":
                told: list[object] = [*await self._heads(service, str(asked["after"]))]
            else:
                lane = f"evt.{asked['school']}.{service}.>"
                told = [*await self._tail(lane, int(asked["after"]), asked["since"])]
            # A list: whatever reply subject was chosen, nothing that listens there takes it for a head or a cursor.
            await message.respond(json.dumps(told).encode())
        except (NatsError, OSError, LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
            LOG.warning("stream not told", extra={"code": "stream_unanswered", "kind": type(error).__name__})

    async def _heads(self, service: str, after: str) -> list[tuple[str, int, int, str]]:
        """Return (school, epoch, seq, hash) of a service's last event of each school behind `after`, a page."""
        subjects: set[str] = set()
        while True:
            wanted = {"subjects_filter": f"evt.*.{service}.>", "offset": len(subjects)}
            info = await self._ask(f"STREAM.INFO.{STREAM}", wanted)
            found = (info["state"].get("subjects") or {}).keys()
            subjects |= found
            if not found or len(subjects) >= info.get("total", 0):
                break
        schools = sorted(school for school in {name.split(".")[1] for name in subjects} if school > after)
        heads = []
        for school in schools[:SCHOOLS_A_PAGE]:
            for _, text in await self._get({"last_by_subj": f"evt.{school}.{service}.>"}):
                event = json.loads(text)
                heads.append((school, event["epoch"], event["seq"], hashlib.sha256(text).hexdigest()))
        return heads

    async def _tail(self, lane: str, after: int, since: str | None) -> list[str]:
        """Return the texts of a lane's events behind number `after`, in order, as far as one answer holds them.

        `since` is a moment (RFC 3339) before which none of them was published.
        """
        texts: list[str] = []
        room = LARGEST_ANSWER
        start: Json = {"start_time": since} if since else {"seq": 1}
        while found := await self._get({"next_by_subj": lane, "batch": MESSAGES_A_REQUEST} | start):
            for _, text in found:
                if json.loads(text)["seq"] != after + 1:
                    continue  # published before, or twice
                room -= len(text)
                if room < 0 and texts:
                    return texts
                texts.append(text.decode())
                after += 1
            start = {"seq": found[-1][0] + 1}
        return texts

    async def _get(self, request: Json) -> list[tuple[int, bytes]]:
        """Return (place in the stream, content) of each message that a direct get gives (NATS ADR-31)."""
        subscription = await self._client.subscribe(self._client.new_inbox())
        found: list[tuple[int, bytes]] = []
        try:
            subject = f"$JS.API.DIRECT.GET.{STREAM}"
            await self._client.publish(subject, json.dumps(request).encode(), reply=subscription.subject)
            while not found or "batch" in request:
                message = await subscription.next_msg(REQUEST_S)
                headers = message.headers or {}
                if headers.get("Status") in {"204", "404"}:  # the end of a batch; nothing is there
                    break
                if "Nats-Sequence" not in headers:
                    raise ValueError(f"direct get: {headers.get('Status')} {headers.get('Description')}")
                found.append((int(headers["Nats-Sequence"]), message.data))
        finally:
            await subscription.unsubscribe()
        return found

    async def _ask(self, subject: str, body: Json) -> Json:
        answer: Json = json.loads(
            (await self._client.request(f"$JS.API.{subject}", json.dumps(body).encode(), timeout=REQUEST_S)).data
        )
        if "error" in answer:
            raise ValueError(str(answer["error"].get("description")))
        return answer
