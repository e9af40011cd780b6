"""Where it happens: the databases of network and of two services, and what goes wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from tests.network.simulation.engine import Aborted, Database, Steps, World
from tests.network.simulation.protocol import Access, Rules, Service, Story

ENFORCING = ("goals", "audit")
LASTS_S = 45.0
SETTLES_S = 12.0
"""Nobody decides any more: what is pending is finished."""
PAUSES = (0.01, 0.03, 0.08)
"""Of steps: how many begin with a process that sleeps. Drawn for each run, as are the troubles."""
HANGS_S = 3.0
"""How long a client of a primary that was cut off goes on talking to it."""


def service(rows: Mapping[str, Any]) -> Service:
    """Returns what stands beside the child's row, as one statement reads it."""
    generation, timeline = rows["generation"]
    return Service(rows["cursor"], generation, timeline, rows["rebuilding"], rows["leases"])


class Ground:
    """The databases of one run, which fail over."""

    def __init__(self, seed: int, rules: Rules) -> None:
        self.rules = rules
        self.random = Random(seed)
        self.world = World(self.random, self.random.choice(PAUSES))
        others = [self.rebuilt, self.behind, self.behind, self.cut_off, self.network_cut_off, self.network_cut_off]
        self.troubles = [self.random.choice([self.stuck, self.behind]), *self.random.sample(others, 2)]
        self.stuck_until = dict.fromkeys(ENFORCING, 0.0)
        self.story = Story(until=LASTS_S + SETTLES_S)
        first = {"access": Access(), "journal": (), "asked": 0}
        own = {"access": Access(), "cursor": 0, "generation": ("first", 1), "rebuilding": False, "leases": ()}
        self.network = Database(self.world, first, rules.limit_s)
        self.old_network: Database | None = None
        self.services = {name: Database(self.world, own, rules.limit_s) for name in ENFORCING}
        self.old_services: dict[str, Database] = {}

    def primary(self) -> Database:
        """Whichever primary a connection leads to: an old one for a while, where there is one."""
        return self.old_network if self.old_network and self.random.random() < 0.5 else self.network

    def at(self, name: str) -> Database:
        old = self.old_services.get(name)
        return old if old and self.random.random() < 0.5 else self.services[name]

    # What goes wrong --------------------------------------------------------------------------------------------------

    def goes_wrong(self) -> Steps:
        """Now and then a rebuild, a standby that is behind, or a primary that was cut off and does not know."""
        while True:
            yield self.random.uniform(0.3, 4)
            name = self.random.choice(ENFORCING)
            try:
                yield from self.random.choice(self.troubles)(name)
            except Aborted:
                continue

    def stuck(self, name: str) -> Steps:
        """Network's events do not arrive, whatever else does."""
        yield 0.0
        self.stuck_until[name] = self.world.now + self.random.uniform(1, 11)

    def rebuilt(self, name: str) -> Steps:
        """Grants that had gone wrong (they are as they were once) are built anew from network's journal, and denied
        until that is done."""
        generation, done = f"rebuilt at {self.world.now}", False
        while not done:
            try:
                done = yield from self._rebuilt(name, generation)
            except Aborted:
                yield 0.5

    def _rebuilt(self, name: str, generation: str) -> Steps:
        broken = self.services[name].as_it_was(self.world.now - 8)["access"]
        timeline = self.services[name].rows["generation"][1]
        yield from self._write(name, generation=(generation, timeline), rebuilding=True, access=broken)
        journal = self.network.rows["journal"]
        yield self.random.uniform(0, 1.5)
        tx = self.services[name].begin()
        yield from tx.lock("access", exclusive=True)
        if tx.read("cursor") > len(journal):  # it slept, and more was applied meanwhile
            tx.abort()
            return False
        tx.write("access", journal[-1] if journal else Access())
        yield self.world.step()
        yield from tx.commit()
        if self.services[name].rows["generation"][0] != generation:
            return False
        yield from self._write(name, rebuilding=False)
        return True

    def _write(self, name: str, **rows: object) -> Steps:
        tx = self.services[name].begin()
        for row, value in rows.items():
            tx.write(row, value)
        yield from tx.commit()

    def behind(self, name: str) -> Steps:
        """The primary dies; an asynchronous standby takes over that has not heard the last seconds."""
        died = self.services[name]
        yield from self._promoted(name, died.as_it_was(self.world.now - self.random.uniform(0, 4)))
        died.die()

    def cut_off(self, name: str) -> Steps:
        """A synchronous standby takes over, while some still talk to the old primary: none of its COMMITs returns."""
        old = self.services[name]
        old.cut_off = True
        yield from self._promoted(name, old.rows)
        self.old_services[name] = old
        yield self.random.uniform(1, HANGS_S)
        self.old_services.pop(name, None)
        old.die()

    def _promoted(self, name: str, rows: dict[str, Any]) -> Steps:
        yield 0.0
        generation, timeline = rows["generation"]
        newest = max(timeline, self.services[name].rows["generation"][1])
        self.services[name] = Database(self.world, rows | {"generation": (generation, newest + 1)}, self.rules.limit_s)

    def network_cut_off(self, _: str) -> Steps:
        """The same of network's database."""
        old, began = self.network, self.world.now
        old.cut_off = True
        self.network = Database(self.world, old.rows, self.rules.limit_s)
        self.old_network = old
        yield self.random.uniform(5, 5 + HANGS_S)
        self.old_network = None
        for one in self.story.withdrawals.values():
            one.away |= one.effective_at is None or one.effective_at > began
        old.die()
