"""Whose cosignatures a checkpoint needs: a policy file (c2sp.org/tlog-policy). Pure.

    witness house samenkracht/.../witness/notifications+0123abcd+BA...
    witness council example.org/council+4567cdef+BA...
    group enough 1 house council
    quorum enough

Lines `log` are read and not used: which log it is about, its reader knows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Self

from shared.tlog.note import COSIGNATURE, BadNote, NamedKey

NONE = "none"


class BadPolicy(Exception):
    """The file is no policy; the text says which line."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`witnesses` by the names they have here; `groups`: how many of which members; `quorum`: what must hold."""

    witnesses: Mapping[str, NamedKey] = field(default_factory=dict)
    groups: Mapping[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str = NONE
    asked: Mapping[str, str] = field(default_factory=dict)
    """The subject on which a witness of this platform is asked: `nats:<subject>` behind its key."""

    @property
    def text(self) -> str:
        """The policy as a file, without comments and without where witnesses are asked."""
        lines = [f"witness {name} {key.text}" for name, key in self.witnesses.items()]
        lines += [f"group {name} {wanted} {' '.join(members)}" for name, (wanted, members) in self.groups.items()]
        return "\n".join([*lines, f"quorum {self.quorum}"]) + "\n"

    @property
    def keys(self) -> Collection[NamedKey]:
        """The public keys of all witnesses."""
        return self.witnesses.values()

    def met(self, signers: Collection[str]) -> bool:
        """Tells whether cosignatures by these keys (`<name>+<key id>`) are enough."""
        return self.quorum == NONE or self._signed(self.quorum, signers)

    def _signed(self, name: str, signers: Collection[str]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name].signer in signers
        wanted, members = self.groups[name]
        return sum(self._signed(member, signers) for member in members) >= wanted

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a policy file; raises BadPolicy."""
        reader = _Reader()
        for number, line in enumerate(text.split("\n"), 1):
            words = line.split()
            if words and not words[0].startswith("#"):
                try:
                    reader.take(words)
                except (ValueError, IndexError, BadNote) as error:
                    msg = f"line {number} of the policy: {error}"
                    raise BadPolicy(msg) from None
        if reader.quorum is None:
            msg = "the policy has no line `quorum`"
            raise BadPolicy(msg)
        return cls(reader.witnesses, reader.groups, reader.quorum, reader.asked)


class _Reader:
    def __init__(self) -> None:
        self.witnesses: dict[str, NamedKey] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None
        self.asked: dict[str, str] = {}
        self._members: set[str] = set()

    def take(self, words: list[str]) -> None:
        match words:
            case ["log", _] | ["log", _, _]:
                pass
            case ["witness", name, key, *url] if len(url) <= 1:
                self._is_new(name)
                read = NamedKey.parse(key, COSIGNATURE)
                if read.raw in {known.raw for known in self.witnesses.values()}:
                    raise ValueError("two witnesses have one key")
                self.witnesses[name] = read
                if url and url[0].startswith("nats:"):
                    self.asked[name] = url[0].removeprefix("nats:")
            case ["group", name, wanted, first, *more]:
                self._is_new(name)
                self._group(name, wanted, (first, *more))
            case ["quorum", name] if self.quorum is None:
                if name != NONE:
                    self._is_known(name)
                self.quorum = name
            case _:
                raise ValueError(f"`{words[0]}` is not said so, or said twice")

    def _group(self, name: str, wanted: str, members: tuple[str, ...]) -> None:
        for member in members:
            self._is_known(member)
            if member in self._members:
                raise ValueError(f"{member} counts twice")
            self._members.add(member)
        count = {"any": 1, "all": len(members)}.get(wanted)
        count = int(wanted) if count is None else count
        if not 1 <= count <= len(members):
            raise ValueError(f"{count} of {len(members)} can never be, or always is")
        self.groups[name] = (count, members)

    def _is_new(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise ValueError(f"{name} is taken")

    def _is_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise ValueError(f"{name} is not known yet")
