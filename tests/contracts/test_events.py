"""Events that were published once are read for ever; what leaves has the shape that was promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.topology import NAMES
from shared.events.base import Event
from tests.contracts.golden import FOLDER, catalogue, kept_replies, replies, sample
from tests.support.replies import untold

SAMPLES = sorted(FOLDER.glob("*.json"))
FACTS = catalogue()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_todays_code_reads_every_event_ever_published(path: Path) -> None:
    content = json.loads(path.read_text())
    event = Event.parse(json.dumps(content).encode())
    fact = FACTS[event.type]
    assert event.type == path.stem
    read = json.loads(event.fact(fact).model_dump_json())
    assert {name: read[name] for name in content["data"]["fact"]} == content["data"]["fact"]
    act = json.loads(event.act.model_dump_json())
    assert {name: act[name] for name in content["data"]["act"]} == content["data"]["act"]


def test_every_event_has_a_sample() -> None:
    missing = set(FACTS) - {path.stem for path in SAMPLES}
    assert not missing, "add them: python -m tests.contracts.golden"


@pytest.mark.parametrize("name", sorted(FACTS))
def test_an_event_only_ever_gains_fields(name: str) -> None:
    published = json.loads((FOLDER / f"{name}.json").read_text())
    today = sample(FACTS[name])
    assert _keys(published) <= _keys(today)


@pytest.mark.parametrize("service", NAMES)
def test_a_reply_keeps_every_field_that_it_ever_had_as_it_was(service: str) -> None:
    kept, today = kept_replies(service), replies(service)
    assert kept.keys() == today.keys(), "add what is new: python -m tests.contracts.golden"
    for name, reply in kept.items():
        assert untold(name, today[name], reply) == []


def _keys(value: object, at: str = "") -> set[str]:
    if isinstance(value, dict):
        return {f"{at}/{key}" for key in value} | {
            k for key, inner in value.items() for k in _keys(inner, f"{at}/{key}")
        }
    if isinstance(value, list):
        return {k for inner in value for k in _keys(inner, f"{at}/*")}
    return set()
