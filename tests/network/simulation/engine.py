"""Discrete events: processes that take steps, sleep at any of them, and databases whose sessions lock, read and commit.

Nothing waits in real time, and one seed is one interleaving. A process is a generator: it yields the seconds until its
next step, or a `Wait` that somebody else ends.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

Steps: TypeAlias = "Generator[float | Wait, None, Any]"
NEVER = float("inf")


class Wait:
    """Parks a process until `end` is called."""

    def __init__(self) -> None:
        self.ended = False
        self.wake: Callable[[], None] | None = None

    def end(self) -> None:
        """Lets the process go on; before it waits too."""
        self.ended = True
        if self.wake is not None:
            self.wake()


class Aborted(Exception):
    """The server ended this transaction, or is gone."""


class World:
    """The clock and whoever is next."""

    def __init__(self, random: Random, pauses: float) -> None:
        """Take the share of steps before which a process sleeps."""
        self.random = random
        self.now = 0.0
        self._pauses = pauses
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, moment: float, what: Callable[[], None]) -> None:
        """Has `what` called at a moment."""
        self._count += 1
        heapq.heappush(self._queue, (moment, self._count, what))

    def run(self, until: float) -> None:
        """Lets time pass."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, what = heapq.heappop(self._queue)
            what()

    def spawn(self, steps: Steps, *, steady: bool = False) -> None:
        """Starts a process. A steady one is never paused."""
        self.at(self.now, lambda: self._go_on(steps, steady))

    def _go_on(self, steps: Steps, steady: bool) -> None:
        try:
            wanted = next(steps)
        except StopIteration:
            return
        if isinstance(wanted, Wait):
            if wanted.ended:
                self.at(self.now, lambda: self._go_on(steps, steady))
            else:
                wanted.wake = lambda: self.at(self.now, lambda: self._go_on(steps, steady))
            return
        if not steady and self.random.random() < self._pauses:
            wanted += self.random.uniform(
                *self.random.choice(((0.2, 1.9), (2.0, 9.0)))
            )  # SIGSTOP, a host that stands still, a collector of garbage
        self.at(self.now + wanted, lambda: self._go_on(steps, steady))

    def doze(self, share: float = 0.1) -> float:
        """Returns how long a step takes at which processes are apt to sleep a while."""
        return self.random.uniform(1.0, 4.0) if self.random.random() < share else self.step()

    def step(self) -> float:
        """Returns how long a step takes: mostly little."""
        chance = self.random.random()
        return self.random.uniform(0, 0.01 if chance < 0.7 else 0.15 if chance < 0.97 else 1.0)


@dataclass(slots=True)
class _Lock:
    name: str
    holders: list[tuple[Transaction, bool]] = field(default_factory=list)
    queue: list[tuple[Transaction, bool, Wait]] = field(default_factory=list)


class Database:
    """Committed rows by name, and fair locks. `cut_off`: a primary that its synchronous standby does not hear: it reads
    as ever, and no COMMIT returns."""

    def __init__(self, world: World, rows: Mapping[str, Any], limit_s: float) -> None:
        self.world = world
        self.rows = dict(rows)
        self.limit_s = limit_s
        self.cut_off = self.dead = False
        self.open: dict[Transaction, None] = {}
        self.locks: dict[str, _Lock] = {}
        self.past: list[tuple[float, dict[str, Any]]] = []
        """What was committed when: for a standby that is behind."""

    def begin(self) -> Transaction:
        """Begins a transaction; raises Aborted when nobody answers there any more."""
        if self.dead:
            raise Aborted
        return Transaction(self)

    def as_it_was(self, moment: float) -> dict[str, Any]:
        """Returns the rows as committed at that moment."""
        known = [rows for at, rows in self.past if at <= moment]
        return dict(known[-1] if known else self.rows)

    def die(self) -> None:
        """Ends every session, and takes no more."""
        self.dead = True
        for one in list(self.open):
            one.abort()


class Transaction:
    """READ COMMITTED: each read sees what is committed then, and its own writes. Ends by itself at the limit."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.writes: dict[str, Any] = {}
        self.dead = self.committing = False
        self.held: list[str] = []
        self._hanging: Wait | None = None
        self.committed: Callable[[], None] = lambda: None
        """Called when it is durable and seen by others."""
        self.began: Callable[[], None] = lambda: None
        """Called when COMMIT begins."""
        db.open[self] = None
        if db.limit_s < NEVER:
            db.world.at(db.world.now + db.limit_s, self._expire)

    def _expire(self) -> None:
        if self in self.db.open and not self.committing:
            self.abort()

    def abort(self) -> None:
        self.dead = True
        self._end()
        if self._hanging is not None:
            self._hanging.end()

    def _end(self) -> None:
        self.db.open.pop(self, None)
        for name in self.held:
            lock = self.db.locks[name]
            lock.holders = [held for held in lock.holders if held[0] is not self]
            self._grant(lock)
        for lock in self.db.locks.values():
            for waiting in [one for one in lock.queue if one[0] is self]:
                lock.queue.remove(waiting)
                waiting[2].end()

    def _alive(self) -> None:
        if self.dead:
            raise Aborted

    def read(self, name: str) -> Any:  # noqa: ANN401  a row
        """Reads a row in a statement of its own."""
        self._alive()
        return self.writes.get(name, self.db.rows.get(name))

    def write(self, name: str, row: object) -> None:
        self._alive()
        self.writes[name] = row

    def lock(self, name: str, *, exclusive: bool) -> Steps:
        """Takes a lock, held to the end; whoever came first is first."""
        self._alive()
        lock = self.db.locks.setdefault(name, _Lock(name))
        wait = Wait()
        lock.queue.append((self, exclusive, wait))
        self._grant(lock)
        if not wait.ended:
            yield wait
        self._alive()

    @staticmethod
    def _grant(lock: _Lock) -> None:
        while lock.queue:
            who, exclusive, wait = lock.queue[0]
            if lock.holders and (exclusive or any(held for _, held in lock.holders)):
                return
            lock.queue.pop(0)
            lock.holders.append((who, exclusive))
            who.held.append(lock.name)
            wait.end()

    def commit(self) -> Steps:
        """Commits; returns when it is durable. Raises Aborted when the transaction was ended before."""
        self._alive()
        self.committing = True
        self.began()
        yield self.db.world.random.uniform(0, 0.01)
        if self.db.cut_off:
            self._hanging = Wait()
            yield self._hanging
        self._alive()
        self.db.rows = {**self.db.rows, **self.writes}
        self.db.past.append((self.db.world.now, self.db.rows))
        self.committed()
        self._end()
