"""What a producer tells of its journal, and what it tells of one that is in doubt."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from shared.errors import Transient
from shared.replay import NotTold, Replay, replayed
from tests.shared.conftest import Notes
from tests.shared.notes import WRITE, WriteNote, asked, give, grant, person


class Bus:
    """Has a question answered at once, by the replay that is given."""

    service = "goals"

    def __init__(self) -> None:
        self.client = self
        self.replay: Replay | None = None
        self.headers: object = None
        self.reply, self.data = "_INBOX.audit.1", b""
        self.told: list[bytes] = []

    async def respond(self, content: bytes) -> None:
        self.told.append(content)

    async def ask(self, _subject: str, question: object) -> Any:  # noqa: ANN401  JSON
        self.data = json.dumps(question).encode()
        message: Any = self
        if self.replay is not None:
            await self.replay._answer(message)
        if not self.told:
            raise Transient("no answer")
        return json.loads(self.told.pop())


async def test_a_stopped_school_is_told_apart_from_a_producer_that_does_not_answer(notes: Notes) -> None:
    """Else each lane that asks would wait for an answer in vain, and the producer's other schools with it."""
    who, child = person(), uuid4()
    await give(notes.db, child, grant(who.id))
    await notes.unit.run(WRITE, asked(who, WriteNote(child=child, words="een")))
    bus: Any = Bus()
    with pytest.raises(Transient, match="no answer"):
        await replayed(bus, "goals", "olm", 0)
    stopped: str | None = "behind"
    bus.replay = Replay(notes.db, bus, lambda _: stopped)
    with pytest.raises(NotTold, match="stopped"):
        await replayed(bus, "goals", "olm", 0)
    stopped = None
    assert [event.seq for event in await replayed(bus, "goals", "olm", 0)] == [1]


@pytest.mark.parametrize("told", [b"7", b'{"other": 1}', b'["no event"]', b"no JSON"])
async def test_an_answer_that_cannot_be_read_is_that_lanes_alone(told: bytes) -> None:
    bus: Any = Bus()
    bus.told = [told]
    with pytest.raises(NotTold, match="replay_unreadable"):
        await replayed(bus, "goals", "olm", 0)
