"""The AsyncAPI document of a service's requests, from the same declarations that serve them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from faststream import FastStream
from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI

from shared.rpc import subscribe
from shared.unit import Endpoint


def asyncapi(service: str, endpoints: Iterable[Endpoint[Any]]) -> str:
    """Returns the AsyncAPI 3 document as JSON text. Nothing connects."""
    broker = NatsBroker(apply_types=False, logger=None)
    for endpoint in endpoints:
        subscribe(broker, service, endpoint, lambda _: None)
    app = FastStream(broker, specification=AsyncAPI(title=f"Samenkracht {service}"), logger=None)
    return app.schema.to_specification().to_json()
