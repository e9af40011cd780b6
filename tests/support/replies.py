"""Holds every reply that is given in the tests' own process against what the contract says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pydantic_core
import pytest
from pydantic import ValidationError

from shared.unit import Endpoint, Reply
from shared.unit_run import Unit


def untold(name: str, model: type[Reply], reply: object) -> list[str]:
    """Returns what of a reply is not as its model tells: a field too many, one too few, or another type."""
    try:
        model.model_validate_json(pydantic_core.to_json(reply), strict=True, extra="forbid")
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        return [f"{name}: /{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong]
    return []


@contextmanager
def held() -> Iterator[list[str]]:
    """Gives a list of what was not as told, of every reply while it lasts."""
    run, found = Unit.run, list[str]()

    async def checked(self: Unit, endpoint: Endpoint[Any], *args: Any, **more: Any) -> Any:  # noqa: ANN401  JSON
        reply = await run(self, endpoint, *args, **more)
        if endpoint.reply is not None:
            found.extend(untold(endpoint.name, endpoint.reply, reply))
        return reply

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Unit, "run", checked)
        yield found
