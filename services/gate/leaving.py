"""What a tool is told, as it is told: CloudEvents 1.0 in structured JSON, every id as this tool alone knows it. Pure.

So is every hash, and moments are told to the second: no two tools can line up what they were told by them. The actor is
not told, only its role. A tombstone and a withdrawal stand in the same dense sequence as what goes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid5

import pydantic_core

from services.gate.model import SERVICE, Kind, Message, coarse, mark_of, pseudonym_of
from shared.events.base import stamp
from shared.events.gate import PutOutVoided, WithdrawalTold
from shared.events.words import NAMESPACE

REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Leaving:
    """A message on its way: subject, bytes, and whether it takes out what lies under the same subject."""

    subject: str
    data: bytes
    seq: int
    rollup: bool


@dataclass(slots=True)
class Speech:
    """How one tool is spoken to."""

    school: str
    account: str
    secret: str
    known: dict[str, str] = field(default_factory=dict)

    def theirs(self, ours: str) -> str:
        """Returns what the tool knows an id, or a hash, as; a school's name that looks like one is none."""
        if ours == self.school:
            return ours
        found = self.known.get(ours)
        if found is None:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            made = pseudonym_of if "-" in ours else mark_of
            found = self.known[ours] = made(bytes.fromhex(self.secret), ours)
        return found

    def say(self, message: Message, at: datetime) -> Leaving:
        """Returns the message as it leaves at `at`."""
        number = f'"epoch":{message.epoch},"sequence":{message.seq}}}'
        if message.kind is Kind.PUT_OUT and message.said is not None and message.category is not None:
            parts, ids = message.said.parts, message.said.ids
            text = "".join(x for pair in zip(parts, [*map(self.theirs, ids), ""], strict=True) for x in pair)
            data = f'{text}"category":"{message.category.value}",{number}'.encode()
            return Leaving(self._subject(message), data, message.seq, rollup=False)
        voided = message.kind is Kind.VOID
        head = {
            "specversion": "1.0",
            "id": str(uuid5(NAMESPACE, f"{self.secret}:{message.epoch}:{message.seq}:{message.kind}")),
            "source": f"/{self.school}/{SERVICE}",
            "type": (PutOutVoided if voided else WithdrawalTold).type(),
            "time": stamp(at),
            "datacontenttype": "application/json",
            "school": self.school,
        }
        if voided:
            return Leaving(f"out.{self.account}.void", _text({**head, "data": {}}, number), message.seq, rollup=False)
        named = {
            "withdrawal": self.theirs(str(message.withdrawal)),
            "category": message.category,
            "taken_out": message.taken_out,
        }
        told = {**head, "subject": self._child(message), "category": message.category, "data": named}
        return Leaving(self._subject(message), _text(told, number), message.seq, rollup=True)

    def _subject(self, message: Message) -> str:
        return f"out.{self.account}.{self._child(message)}.{message.category}"

    def _child(self, message: Message) -> str:
        about = str(message.about)
        return about if message.erased else self.theirs(about)


def _text(content: Mapping[str, object], number: str) -> bytes:
    return f"{coarse(pydantic_core.to_json(content).decode())[:-1]},{number}".encode()
