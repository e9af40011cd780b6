"""Everybody in the simulation: the processes of network and of two services, and a person who decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.network.effective import USABLE_WITHIN_S
from shared.access import Denial
from tests.network.simulation.engine import Aborted, Database, Steps
from tests.network.simulation.ground import ENFORCING, LASTS_S, Ground, service
from tests.network.simulation.protocol import Access, Line, Rules, Withdrawal, decide, fresh, judge, may_commit

PENDING = "pending"


class Platform(Ground):
    """One run, and who takes part in it."""

    def __init__(self, seed: int, rules: Rules) -> None:
        super().__init__(seed, rules)
        self.heard: list[dict[str, int]] = [{}, {}]
        """By replica of network: how far each service said it was."""

    def play(self) -> list[str]:
        """Plays the run; returns what broke the promise."""
        spawn = self.world.spawn
        spawn(self.decides())
        for replica in (0, 1):
            spawn(self.finishes(replica), steady=replica == 0)
        for name in ENFORCING:
            for _ in (1, 2):
                spawn(self.projects(name))
                spawn(self.leases(name))
            for _ in range(6):
                spawn(self.reads(name))
            spawn(self.announces(name))
        for _ in (1, 2):
            spawn(self.goes_wrong(), steady=True)
        self.world.run(self.story.until)
        return judge(self.rules, self.story)

    # Network ---------------------------------------------------------------------------------------------------------

    def decides(self) -> Steps:
        """Gives and withdraws; a giving may have an end of its own."""
        while self.world.now < LASTS_S:
            yield self.random.uniform(0.3, 6.0)
            try:
                yield from self._decide(self.network)
            except Aborted:
                continue

    def _decide(self, db: Database) -> Steps:
        tx = db.begin()
        yield from tx.lock("access", exclusive=True)
        yield self.world.step()
        row: Access = tx.read("access")
        given = not row.given
        until = self.world.now + self.random.uniform(2.1, 5) if given and self.random.random() < 0.6 else None
        new = Access(row.revision + 1, given, until)
        tx.write("access", new)
        tx.write("journal", (*tx.read("journal"), new))
        if not given:
            tx.write(f"withdrawal {new.revision}", PENDING)

        def committed() -> None:
            if not given:
                self.story.withdrawals[new.revision] = Withdrawal(new.revision, self.world.now)

        tx.committed = committed
        yield self.world.step()
        yield from tx.commit()
        yield USABLE_WITHIN_S if given else self.world.step()

    def _answer(self, *, with_row: bool) -> Any:  # noqa: ANN401  a generator of steps and an answer
        """What network says of where it stands: in one transaction that also writes and commits. None: no answer."""
        tx = self.primary().begin()
        try:
            yield self.world.step()
            told = (len(tx.read("journal")), tx.read("access"))
            if self.rules.question_written:
                yield from tx.lock("asked", exclusive=True)
                tx.write("asked", tx.read("asked") + 1)
                yield from tx.commit()
            else:
                tx.abort()
        except Aborted:
            return None
        yield self.world.doze(0.3)
        return told if with_row else (told[0], None)

    def finishes(self, replica: int) -> Steps:
        """Sees withdrawals, waits until every service has confirmed or the time has run out, and tells it once."""
        pending: dict[int, float] = {}
        heard, look_at = self.heard[replica], 0.0
        while True:
            if self.world.now >= look_at:
                look_at = self.world.now + self.rules.look_every_s
                rows = self.network.rows
                known = {revision for revision in self.story.withdrawals if rows[f"withdrawal {revision}"] == PENDING}
                until = self.world.now + self.rules.runs_out_s
                pending = {revision: pending.get(revision, until) for revision in known}
            for revision, until in list(pending.items()):
                confirmed = all(heard.get(name, 0) >= revision for name in ENFORCING)
                due = confirmed or self.world.now >= until
                if due and (yield from self._finish(revision, "confirmed" if confirmed else "clock")):
                    pending.pop(revision)
            yield 0.02
            if replica and self.random.random() < 0.001:  # killed, and begun anew
                pending.clear()
                heard.clear()

    def _finish(self, revision: int, how: str) -> Steps:
        tx, name, one = self.network.begin(), f"withdrawal {revision}", self.story.withdrawals[revision]
        begun = self.world.now
        try:
            yield from tx.lock(name, exclusive=True)
            if tx.read(name) != PENDING:
                tx.abort()
                return True
            taken, at = self.world.now, self.world.now
            tx.write(name, how)

            def committed() -> None:
                one.effective_at, one.how = at, how

            tx.committed = committed
            yield 0.002
            one.frozen_s += self.world.now - taken
            yield from tx.commit()
        except Aborted:
            one.frozen_s += self.world.now - begun
            return False
        return True

    # A service -------------------------------------------------------------------------------------------------------

    def announces(self, name: str) -> Steps:
        """Tells where the cursor is, as committed, now and then."""
        while True:
            yield self.random.uniform(0.1, self.rules.cursors_every_s)
            yield from self._tell(name, self.at(name).rows["cursor"])

    def _tell(self, name: str, cursor: int) -> Steps:
        yield self.world.step()
        for heard in self.heard:
            if self.random.random() < 0.8:  # else it is lost
                heard[name] = max(heard.get(name, 0), cursor)

    def projects(self, name: str) -> Steps:
        """Applies network's events in order under the child's lock, then says how far it came."""
        while True:
            yield self.random.uniform(0, 0.4)
            if self.world.now < self.stuck_until[name]:
                continue
            journal = self.network.rows["journal"]
            yield self.world.step()
            try:
                yield from self._project(name, journal)
            except Aborted:
                continue

    def _project(self, name: str, journal: tuple[Access, ...]) -> Steps:
        tx = self.at(name).begin()
        if self.rules.projector_locks:
            yield from tx.lock("access", exclusive=True)
        yield from tx.lock("cursor", exclusive=True)
        yield self.world.step()
        cursor = tx.read("cursor") + 1
        if cursor > len(journal):
            tx.abort()
            return
        if not self.rules.told_after_commit:
            yield from self._tell(name, cursor)
        row = journal[cursor - 1]
        if tx.read("access").revision < row.revision:
            tx.write("access", row)
        yield self.world.doze()
        tx.write("cursor", cursor)
        yield from tx.commit()
        yield from self._tell(name, cursor)

    def leases(self, name: str) -> Steps:
        """Reads the clock and the generation, asks network, and stores its answer if the generation is the same."""
        while True:
            yield self.random.uniform(0.2, 2 * self.rules.lease_every_s)
            reading, generation = self.world.now, service(self.at(name).rows).generation_now
            yield self.world.step()
            told = yield from self._answer(with_row=False)
            if told is None:
                continue
            if not self.rules.reading_first:
                reading = self.world.now
            try:
                yield from self._store(name, (reading, generation, told[0]))
            except Aborted:
                continue

    def _store(self, name: str, lease: tuple[float, str, int]) -> Steps:
        tx = self.at(name).begin()
        yield self.world.step()
        if lease[1] != service(tx.db.rows).generation_now and self.rules.generation_compared:
            tx.abort()
            return
        tx.write("leases", (*tx.read("leases"), lease)[-6:])
        yield from tx.commit()

    def vouches(self, name: str) -> Steps:
        """Asks network about the child alone, and stores its answer under the child's lock, unless it is older."""
        reading, generation = self.world.now, service(self.at(name).rows).generation_now
        yield self.world.step()
        told = yield from self._answer(with_row=True)
        if told is None or not told[1].revision:
            return
        tx = self.at(name).begin()
        yield from tx.lock("access", exclusive=True)
        yield self.world.step()
        if self.rules.newest_word_only and tx.read("access").revision > told[1].revision:
            tx.abort()
            return
        tx.write("access", replace(told[1], lease=(reading, generation)))
        yield from tx.commit()

    def reads(self, name: str) -> Steps:
        """Looks, decides, commits what it looked at, and lets the answer go if it came back in time."""
        while True:
            yield self.random.uniform(0, 0.3)
            db = self.at(name)
            row, own = db.rows["access"], service(db.rows)
            now = self.world.now
            seen = fresh(self.rules, own, row, now) and not (own.rebuilding and self.rules.rebuilding_denies)
            decided = decide(row, now, fresh=seen)
            yield self.world.doze()
            try:
                if isinstance(decided, Denial):
                    if not decided.verifiable:
                        yield from self.vouches(name)
                    continue
                yield from self._release(name, db, decided.revision)
            except Aborted:
                continue

    def _release(self, name: str, db: Database, revision: int) -> Steps:
        sent = self.world.now
        tx = db.begin()
        row: Access = tx.read("access")
        if self.rules.locks:
            yield from tx.lock("access", exclusive=False)
        if self.rules.locks_first:
            yield self.world.step()
            row = tx.read("access")
        now = self.world.now
        if not may_commit(self.rules, service(db.rows), row, revision, now):
            tx.abort()
            return
        line = Line(name, row.revision, now, row.until)

        def began() -> None:
            line.commit_began = self.world.now

        tx.began, tx.committed = began, lambda: self.story.lines.append(line)
        yield self.world.doze()
        yield from tx.commit()
        yield self.world.step()
        if self.world.now - sent <= self.rules.release_within_s:
            line.left_at = self.world.now
