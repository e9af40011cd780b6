"""A dialogue as its rules say it in words, written apart from the service: small, and knowing nothing of tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

PARENTS = {"mum", "dad"}
OTHER = {"asking": "asked", "asked": "asking"}


@dataclass
class Proposal:
    by: date | None
    review: date | None


@dataclass
class Word:
    by: date
    review: date
    went: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


@dataclass
class Talk:
    """`asked` None: the school's team. Methods return ok, forbidden (as if it were not there) or no."""

    author: str
    asked: str | None
    in_name_of_school: bool
    promise: bool
    opened: bool
    team: set[str]
    said: list[tuple[str, str, bool]]
    table: list[Proposal]
    state: str = "open"
    waits: str | None = "asked"
    rest: str = "open"
    word: Word | None = None
    kept: list[Word] = field(default_factory=list)
    wanted: dict[str, set[str]] = field(default_factory=dict)

    @property
    def carrier(self) -> str:
        return "asking" if self.promise else "asked"

    def inside(self) -> set[str | None]:
        both = {one for one, sides in self.wanted.items() if len(sides) == 2}
        return {self.author, self.asked, *(who for who, _, _ in self.said)} | both

    def walled(self, who: str) -> bool:
        return who in PARENTS and bool(self.inside() & PARENTS - {who})

    def side(self, who: str) -> str | None:
        if self.walled(who):
            return None
        if who in {self.author, self.asked}:
            return "asking" if who == self.author else "asked"
        if who not in self.team:
            return None
        if self.in_name_of_school:
            return "asking"
        return "asked" if self.asked is None else None

    def whole(self, who: str) -> bool:
        return bool(self.side(who)) or (len(self.wanted.get(who, ())) == 2 and not self.walled(who))

    def readable(self, who: str) -> set[str]:
        """The words that someone reads."""
        if self.whole(who):
            return {words for _, words, _ in self.said if words}
        if self.walled(who) or not self.opened:
            return set()
        return {words for _, words, opened in self.said if opened and words}

    def _speak(self, who: str, words: str, opened: bool) -> str:
        self.said.append((who, words, opened))
        return "ok"

    def answer(
        self, who: str, kind: str, words: str, opened: bool, by: date | None, review: date | None, today: date
    ) -> str:
        if not self.whole(who):
            return "forbidden"
        side, stands = self.side(who), self.table[-1]
        mine = side is not None and self.state == "open" and self.waits == side
        if kind == "accepted":
            differs = (stands.by and by not in (None, stands.by)) or (
                stands.review and review not in (None, stands.review)
            )
            by = stands.by or by
            review = stands.review or review or by
            if not mine or differs or by is None or review is None or min(by, review) < today:
                return "no"
            self.state, self.waits, self.word = "agreed", None, Word(by, review)
        elif kind == "proposed":
            may = mine or (side is not None and self.state in ("declined", "closed"))
            if not may or not words or any(day and day < today for day in (by, review)):
                return "no"
            self.rest = self.state
            self.table.append(Proposal(by, review))
            self.state, self.waits = "open", OTHER[str(side)]
        else:
            if not mine or not words:
                return "no"
            self.state, self.waits = "declined", None
        return self._speak(who, words, opened)

    def take_back(self, who: str, words: str, opened: bool) -> str:
        if not self.whole(who):
            return "forbidden"
        side = self.side(who)
        if side is None or self.state == "withdrawn":
            return "no"
        gave_word = self.state == "agreed" and self.carrier == side
        if gave_word and not words:
            return "no"
        if side == "asking":
            self.state, self.waits = "withdrawn", None
        elif gave_word:
            self.state = "declined"
        elif self.state == "open" and self.waits == "asking":
            self.table.pop()
            self.state, self.waits = self.rest, "asked" if self.rest == "open" else None
        else:
            return "no"
        self._put_away()
        return self._speak(who, words, opened)

    def _put_away(self) -> None:
        if self.word:
            self.kept.append(self.word)
        self.word = None

    def review(self, who: str, outcome: str, words: str, opened: bool) -> str:
        if not self.whole(who):
            return "forbidden"
        side = self.side(who)
        if side is None or self.word is None or side in self.word.went:
            return "no"
        self.word.went[side] = outcome
        if len(self.word.went) == 2:
            self.state = "closed"
            self._put_away()
        return self._speak(who, words, opened)

    def remark(self, who: str, words: str, opened: bool) -> str:
        if not self.whole(who):
            return "forbidden"
        return "no" if self.state == "withdrawn" else self._speak(who, words, opened)

    def invite(self, who: str, member: str, welcome: bool) -> str:
        if not self.whole(who):
            return "forbidden"
        side, sides = self.side(who), self.wanted.get(member, set())
        if not welcome:
            if not sides or (side is None and who != member):
                return "no"
            del self.wanted[member]
            return "ok"
        others = (self.inside() | self.wanted.keys()) - {member}
        if side is None or side in sides or self.side(member) or (member in PARENTS and others & PARENTS):
            return "no"
        self.wanted[member] = sides | {side}
        return "ok"

    def remind(self, today: date) -> None:
        """What the network looks up on a day: each once, both if it looks too late for the first."""
        if self.word is None:
            return
        for what, day in (("due", self.word.review), ("overdue", self.word.review + timedelta(days=7))):
            if today >= day and what not in self.word.told:
                self.word.told.append(what)
