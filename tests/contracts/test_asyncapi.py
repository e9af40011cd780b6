"""The document that tells others how to ask says what is really served."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.audit.commands import ENDPOINTS as AUDIT
from services.gate.commands import ENDPOINTS as GATE
from services.goals.commands import ENDPOINTS as GOALS
from services.network.commands import ENDPOINTS as NETWORK
from services.notifications.commands import ENDPOINTS as NOTIFICATIONS
from shared.contract import asyncapi
from shared.unit import Endpoint

SERVED = {"network": NETWORK, "goals": GOALS, "notifications": NOTIFICATIONS, "gate": GATE, "audit": AUDIT}


@pytest.mark.parametrize("service", SERVED)
def test_every_request_is_in_the_document_with_its_body(service: str) -> None:
    document = json.loads(asyncapi(service, SERVED[service]))
    assert document["asyncapi"].startswith("3.")
    told = {channel["address"]: name for name, channel in document["channels"].items()}
    assert told == {_subject(service, one): one.name for one in SERVED[service]}
    for one in SERVED[service]:
        payload = document["components"]["messages"][f"{one.name}:SubscribeMessage"]["payload"]
        assert payload["$ref"].rpartition("/")[2] == one.body.__name__


def _subject(service: str, endpoint: Endpoint[Any]) -> str:
    return f"{'qry' if endpoint.is_query else 'cmd'}.*.{service}.{endpoint.name}"
