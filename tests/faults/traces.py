"""An OTLP receiver in this loop, and every span that it got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from deploy.embedded.process import free_port


class Traces:
    """What came in; `env` is what a process needs to send here."""

    def __init__(self, port: int) -> None:
        self.env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "200"}
        self.spans: list[Any] = []
        """OpenTelemetry's own Span messages."""


@asynccontextmanager
async def receiving() -> AsyncIterator[Traces]:
    """Yields a receiver that listens."""
    port = free_port()
    made, receiver = Traces(port), OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port))

    async def listen() -> None:
        async for span in receiver.stream_traces():
            made.spans.append(span)

    async with receiver:
        listening = asyncio.create_task(listen())
        try:
            yield made
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
