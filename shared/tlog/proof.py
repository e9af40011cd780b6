"""Proofs as files of their own, which anyone can check offline. Pure.

An inclusion proof is a c2sp.org/tlog-proof; its `extra` is the entry itself. A consistency proof is laid out as a
witness is asked (c2sp.org/tlog-witness, add-checkpoint): the older size, the proof, and the newer checkpoint.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from shared.tlog.merkle import EMPTY_ROOT, leaf_hash, verify_consistency, verify_inclusion
from shared.tlog.note import BadNote, Checkpoint, decoded, plain_number

HEADER = "c2sp.org/tlog-proof@v1"
MOST_STEPS = 63


@dataclass(frozen=True, slots=True)
class LineProof:
    """An entry, where it stands, its audit path, and a note over the tree that it is in."""

    index: int
    entry: bytes
    path: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        """The proof as a file."""
        lines = [HEADER, f"extra {_encoded(self.entry)}", f"index {self.index}", *map(_encoded, self.path)]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads such a file, nothing of it checked; raises BadNote. Without `extra` the entry is empty."""
        head, separator, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        if first != HEADER or not separator or not lines:
            raise BadNote(f"not a proof: it must begin with {HEADER}, and a checkpoint stand behind an empty line")
        entry = b""
        if lines[0].startswith("extra "):
            entry = decoded(lines.pop(0).removeprefix("extra "))
        if not lines or not lines[0].startswith("index "):
            raise BadNote("the proof does not say where the line is")
        index = plain_number(lines.pop(0).removeprefix("index "))
        return cls(index, entry, _steps(lines), note)

    def check(self, signed: Checkpoint) -> None:
        """Raises BadNote when the entry is not at its place under this checkpoint, which its reader has verified."""
        if not verify_inclusion(self.index, signed.size, leaf_hash(self.entry), self.path, signed.root):
            raise BadNote("the line is not at that place under the signed root")


@dataclass(frozen=True, slots=True)
class GrowthProof:
    """That the log under `note` begins with an older one of `old` lines: also how a witness is asked to cosign."""

    old: int
    path: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        """The proof as a file, or a request to a witness."""
        return "\n".join([f"old {self.old}", *map(_encoded, self.path)]) + "\n\n" + self.note

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads such a text, nothing of it checked; raises BadNote."""
        head, separator, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        if not first.startswith("old ") or not separator:
            raise BadNote("not a proof of growth: it must begin with the older size")
        return cls(plain_number(first.removeprefix("old ")), _steps(lines), note)

    def check(self, old_root: bytes, signed: Checkpoint) -> None:
        """Raises BadNote unless the log of `signed` (which its reader has verified) begins with the older one."""
        if self.old == 0:
            if self.path or old_root != EMPTY_ROOT:
                raise BadNote("every log begins with the empty one: nothing proves that")
        elif not verify_consistency(self.old, signed.size, old_root, signed.root, self.path):
            raise BadNote(f"the log of {signed.size} lines does not begin with the one of {self.old}")


def _encoded(data: bytes) -> str:
    return b64encode(data).decode()


def _steps(lines: Sequence[str]) -> tuple[bytes, ...]:
    steps = tuple(decoded(line) for line in lines)
    if len(steps) > MOST_STEPS or any(len(step) != 32 for step in steps):
        raise BadNote("the proof's lines are no hashes, or too many")
    return steps
