"""One sample of every event and reply ever published: `python -m tests.contracts.golden` adds what is missing.

It changes no sample of an event, and takes nothing from one of a reply: a field that a reply lost turns its test red.
"""

from __future__ import annotations

import enum
import importlib
import json
import types
import typing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from deploy.contract.layout import pretty
from deploy.topology import NAMES
from shared.contract import EVERYWHERE, LANGUAGE
from shared.events.base import Act, Fact, NewEvent
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role
from shared.unit import Endpoint, Reply

FOLDER = Path(__file__).parent / "events"
REPLIES = Path(__file__).parent / "replies"
PLAIN: dict[Any, Any] = {
    int: 3,
    str: "code",
    bool: True,
    float: 0.5,
    UUID: UUID("018f3b5e-0000-7000-8000-000000000001"),
    datetime: datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    date: date(2026, 3, 29),
    Any: "code",
}


def catalogue() -> dict[str, type[Fact]]:
    """Returns every fact by CloudEvents type; the samples of those that every service tells name goals as producer."""
    facts = {fact.type("goals"): fact for fact in EVERYWHERE}
    for module in LANGUAGE.values():
        facts |= module.FACTS
    return facts


def sample(fact: type[Fact]) -> dict[str, Any]:
    """Returns a whole event with every field filled."""
    act = Act(
        actor=UUID(int=1),
        kind=ActorKind.PERSON,
        door="samen",
        role=Role.TEACHER,
        purpose=Purpose.GUIDANCE,
        action=Action.VIEW,
        category=Category.GOALS,
        basis=Basis.PUBLIC_TASK,
        grant=UUID(int=2),
        revision=4,
    )
    producer = getattr(fact, "PRODUCER", "goals")
    new = NewEvent(_fill(fact), about=UUID(int=3), act=act, thing=UUID(int=4), producer=producer)
    body: dict[str, Any] = json.loads(new.body("olm", UUID(int=5), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)))
    return body | {
        "epoch": 1,
        "seq": 7,
        "prevhash": "0" * 64,
        "recordedat": "2026-03-29T01:30:00.000001Z",
        "networkepoch": 1,
        "networkseq": 6,
    }


def _fill(model: type[Any]) -> Any:  # noqa: ANN401  whatever the field's type is
    if issubclass(model, BaseModel):
        return model(**{field.alias or name: _value(field.annotation) for name, field in model.model_fields.items()})
    if issubclass(model, enum.Enum):
        return next(iter(model))
    return PLAIN[model]


def _value(annotation: Any) -> Any:  # noqa: ANN401  whatever the field's type is
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in {types.UnionType, typing.Union}:
        return _value(next(one for one in arguments if one is not type(None)))
    if origin is typing.Literal:
        return arguments[0]
    if origin in {tuple, list}:
        return (_value(arguments[0]),)
    if origin is dict:
        return {_value(arguments[0]): _value(arguments[1])}
    if origin is typing.Annotated:
        return _value(arguments[0])
    return _fill(annotation)


def replies(service: str) -> dict[str, type[Reply]]:
    """Returns what a service answers, by name."""
    endpoints: tuple[Endpoint[Any], ...] = importlib.import_module(f"services.{service}.commands").ENDPOINTS
    return {one.reply.__name__: one.reply for one in endpoints if one.reply is not None}


def reply_sample(reply: type[Reply]) -> dict[str, Any]:
    """Returns a reply with every field filled."""
    made: dict[str, Any] = json.loads(_fill(reply).model_dump_json(by_alias=True))
    return made


def kept_replies(service: str) -> dict[str, Any]:
    """Returns the golden samples of a service's replies."""
    path = REPLIES / f"{service}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return kept


def grown(kept: Any, today: Any) -> Any:  # noqa: ANN401  JSON
    """Returns what was kept, with the fields that came since."""
    if isinstance(kept, dict) and isinstance(today, dict):
        return {name: grown(kept[name], today[name]) if name in kept else today[name] for name in today} | {
            name: value for name, value in kept.items() if name not in today
        }
    if isinstance(kept, list) and isinstance(today, list) and today:
        return [grown(one, today[0]) for one in kept]
    return kept


def main() -> None:
    """Write a sample for each event and reply that has none yet, and the fields that a reply has gained."""
    REPLIES.mkdir(exist_ok=True)
    for service in NAMES:
        kept = kept_replies(service)
        today = {name: reply_sample(reply) for name, reply in sorted(replies(service).items())}
        if today:
            (REPLIES / f"{service}.json").write_text(pretty(dict(sorted(grown(kept, today).items()))) + "\n")
    FOLDER.mkdir(exist_ok=True)
    for name, fact in sorted(catalogue().items()):
        path = FOLDER / f"{name}.json"
        if not path.exists():
            path.write_text(json.dumps(sample(fact), indent=1) + "\n")
            print(f"new: {path.name}")


if __name__ == "__main__":
    main()
