"""The hammer: readers and writers at a few children without a pause, while what they may is given, withdrawn and given
again, and services are killed, frozen and cut off from the broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import nats.errors
import pydantic_core

from tests.faults.blows import REPLICAS, TARGETS, Blow, blows
from tests.faults.cable import Cable, cables
from tests.faults.cast import Kid, School, goal_for, open_school
from tests.faults.door import Door, Json
from tests.faults.ledger import read_ledger
from tests.faults.stage import Stage, raised, until
from tests.faults.withdrawn import Attempt, Ledger, Quiet, check, figures
from tests.support.servers import EmbeddedServers

SLUG = "hammer"
READERS = 32
RESTS_S = 0.1
"""After a refusal to work or silence, so that a dead service is not what is measured."""
RESTS_LONG = 0.1
"""Of givings: so long that a service which is cut off meanwhile has no event on its way yet when they are withdrawn."""
SETTLES_S = 40.0


@dataclass(slots=True)
class Flip:
    """What is taken from somebody round a child and given back: how, and which questions rest on it."""

    kid: Kid
    actor: str
    rests: frozenset[str]
    take: Callable[[], Awaitable[Json]]
    give: Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Hammer:
    """A run under way."""

    door: Door
    school: School
    goal: str
    random: Random
    attempts: list[Attempt] = field(default_factory=list)
    quiets: list[Quiet] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    stopping: bool = False

    # Readers and writers -------------------------------------------------------------------------------------------

    async def reader(self, nth: int) -> None:
        """Goes on with one kind of question, so that one frozen service does not hold up the others' readers."""
        random = Random(f"{self.random.random()}/{nth}")
        first, second = self.school.kids
        teams: list[list[tuple[Kid, str, str]]] = [
            [(first, first.therapist, "goals.goals-of-child"), (first, first.therapist, "goals.score-goal")],
            [(first, first.therapist, "notifications.inbox"), (second, second.dad, "notifications.inbox")],
            [(second, second.dad, "audit.who-looked"), (first, first.dad, "audit.who-looked")],
            [(first, first.therapist, "goals.goals-of-child"), (second, second.dad, "goals.goals-of-child")],
        ]
        while not self.stopping:
            kid, actor, what = random.choice(teams[nth % len(teams)])
            if not (what.endswith("score-goal") and random.random() < 0.7):
                await self.attempt(kid, actor, what, random)

    async def attempt(self, kid: Kid, actor: str, what: str, random: Random) -> None:
        loop, door = asyncio.get_running_loop(), self.door
        by, sent_at = door.person(actor, SLUG), loop.time()
        if what == "goals.score-goal":
            body: dict[str, Any] = {"goal": self.goal, "level": random.randint(-2, 2), "observed_on": "2026-11-01"}
            answer = await door.command(SLUG, what, by, purpose="care_coordination", setting="care", **body)
        else:
            answer = await door.query(SLUG, what, by, **_question(kid, actor, what))
        released = answer.done and (what != "notifications.inbox" or bool(answer.ok["notices"]))
        one = Attempt((SLUG, kid.child), actor, what, sent_at, loop.time(), answer.kind, released)
        self.attempts.append(one)
        self.answered += answer.answered
        if answer.kind in {"silence", "unavailable"}:
            await asyncio.sleep(RESTS_S)

    # Those who decide ----------------------------------------------------------------------------------------------

    def flips(self, membership: dict[str, Any]) -> list[Flip]:
        """Consent that is withdrawn by either holder, and a guardian who is suspended and resumed."""
        first, second = self.school.kids
        about = {
            "child": first.child,
            "for_purpose": "care_coordination",
            "recipient": first.therapist,
            "categories": ["goals"],
        }

        async def withdraw() -> Json:
            return await self.must("network.withdraw-consent", first.mum, **about)

        async def agree() -> None:
            await self.must("network.give-consent", first.mum, **about, notice_version=1)

        async def suspend() -> Json:
            told = await self.must("network.suspend-membership", self.school.admin, **membership)
            membership["version"] = told["version"]
            return told

        async def resume() -> None:
            membership["version"] = (await self.must("network.resume-membership", self.school.admin, **membership))[
                "version"
            ]

        shown = frozenset({"goals.goals-of-child", "goals.score-goal", "notifications.inbox"})
        all_of = frozenset({"goals.goals-of-child", "notifications.inbox", "audit.who-looked"})
        return [
            Flip(first, first.therapist, shown, withdraw, agree),
            Flip(second, second.dad, all_of, suspend, resume),
        ]

    async def must(self, path: str, actor: str, **body: Json) -> Json:
        return await self.door.must(SLUG, path, self.door.person(actor, SLUG), **body)

    async def flip(self, one: Flip) -> None:
        """Takes and gives until stopped; ends with it given."""
        loop = asyncio.get_running_loop()
        while not self.stopping:
            withdrawal = (await one.take())["withdrawal"]
            await self.effective(withdrawal)
            since = loop.time()
            await asyncio.sleep(self.random.uniform(0.02, 0.4))
            self.quiets.append(Quiet((SLUG, one.kid.child), one.actor, one.rests, since, loop.time()))
            await one.give()
            rests_long = self.random.random() < RESTS_LONG
            await asyncio.sleep(self.random.uniform(3.5, 6) if rests_long else self.random.uniform(0.02, 0.4))

    async def effective(self, withdrawal: str) -> None:
        """Returns when a door was told that it is effective; asks again where whoever was asked sleeps."""
        asked = pydantic_core.to_json({"school": SLUG, "withdrawal": withdrawal})

        async def told() -> bool:
            with contextlib.suppress(nats.errors.Error, TimeoutError, OSError):
                reply = await self.door.client.request("ask.effective", asked, timeout=2)
                return pydantic_core.from_json(reply.data)["how"] is not None
            return False

        await until(told, SETTLES_S, f"withdrawal {withdrawal} is effective")

    # Whatever strikes ----------------------------------------------------------------------------------------------

    async def strike(self, stage: Stage, wires: dict[str, Cable], plan: Iterator[Blow], least: int) -> None:
        """Strikes blow after blow: at least so many, then until stopped. What it brings down it brings up again."""
        while not self.stopping or self.struck.total() < least:
            blow = next(plan)
            if blow.target in REPLICAS:
                await self._spared(stage, next(name for name in REPLICAS if name != blow.target))
            await asyncio.sleep(blow.wait_s)
            self.struck[blow.deed] += 1
            process = stage.processes[blow.target]
            if blow.deed == "kill":
                await stage.kill(blow.target)
            elif blow.deed == "pause":
                process.pause()
            else:
                wires[blow.target].cut(reset=blow.deed == "reset")
            await asyncio.sleep(blow.lasts_s)
            if blow.deed == "kill":
                stage.start(blow.target)
            elif blow.deed == "pause":
                process.resume()
            else:
                wires[blow.target].mend()

    async def _spared(self, stage: Stage, name: str) -> None:
        """Waits until the other replica of network works, and has begun to look after withdrawals."""

        async def works() -> bool:
            return (await asyncio.to_thread(stage.processes[name].get, "/ready"))[0] == 200

        await until(works, SETTLES_S, f"{name} is ready")


def _question(kid: Kid, actor: str, what: str) -> dict[str, Any]:
    if what == "audit.who-looked":
        return {"child": kid.child, "purpose": "own_data", "limit": 3}
    purpose = "care_coordination" if actor == kid.therapist else "guidance"
    return (
        {"purpose": purpose, "limit": 3} if what == "notifications.inbox" else {"about": kid.child, "purpose": purpose}
    )


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    findings: list[str]
    ledger: Ledger
    hammer: Hammer

    def figures(self) -> dict[str, int | float]:
        struck = {f"times: {deed}": number for deed, number in sorted(self.hammer.struck.items())}
        return struck | figures(self.ledger, self.hammer.attempts, self.findings)


@asynccontextmanager
async def wired(servers: EmbeddedServers, folder: Path) -> AsyncIterator[tuple[Stage, dict[str, Cable]]]:
    """Yields a platform on these servers with a cable between each process and the broker."""
    async with cables(servers.nats_url, TARGETS) as wires:
        urls = {name: cable.url for name, cable in wires.items()}
        async with raised(servers, folder, "stage", urls) as stage:
            yield stage, wires


async def begin(door: Door) -> tuple[Hammer, list[Flip]]:
    """Opens a school with two children, with goals and notices to see; returns who will hammer, and what flips."""
    school = await open_school(door, SLUG, 2)
    first, second = school.kids
    hammer = Hammer(door, school, "", Random(0))
    shown = await door.query(
        SLUG, "network.child-network", door.person(school.admin, SLUG), child=second.child, purpose="administration"
    )
    dads = next(one for one in shown.ok["members"] if one["person"] == second.dad)
    flips = hammer.flips({"subject": second.child, "membership": dads["membership"], "version": dads["version"]})
    await hammer.must(
        "network.give-consent",
        first.dad,
        child=first.child,
        for_purpose="care_coordination",
        recipient=first.therapist,
        categories=["goals"],
        notice_version=1,
    )
    await flips[0].give()
    for kid in school.kids:
        at = await hammer.must("goals.propose-goal", kid.teacher, **goal_for(kid))
        if kid is first:
            hammer.goal = at["goal"]
            at = await hammer.must("goals.accept-goal", kid.mum, goal=at["goal"], version=at["version"])
            await hammer.must("goals.activate-goal", kid.teacher, goal=at["goal"], version=at["version"])
    return hammer, flips


async def play(
    stage: Stage, wires: dict[str, Cable], seed: int, attempts: int, least: int, tell: Callable[[Hammer], None]
) -> Outcome:
    """Plays a run on a stage that nobody used yet: so many attempts that are answered, at least so many blows.

    It ends after a minute and 50 ms an attempt in any case: what is missing then is a finding.
    """
    stage.add_replica("network")
    async with stage.login("samen") as client:
        hammer, flips = await begin(Door.of(stage, client))
        hammer.random.seed(seed)
        await stage.ready()
        jobs = [hammer.reader(nth) for nth in range(READERS)] + [hammer.flip(one) for one in flips]
        jobs.append(hammer.strike(stage, wires, blows(seed), least))
        working = asyncio.gather(*jobs)
        loop = asyncio.get_running_loop()
        end = loop.time() + 60 + attempts / 20
        try:
            while not working.done() and loop.time() < end:
                if hammer.answered >= attempts and hammer.struck.total() >= least:
                    break
                await asyncio.wait([working], timeout=2)
                tell(hammer)
        finally:
            hammer.stopping = True
            await working
        await stage.ready()
        children = {kid.child for kid in hammer.school.kids}

        async def told() -> bool:
            return all(one.how for one in (await read_ledger(stage, children)).withdrawals)

        with contextlib.suppress(AssertionError):  # the checker says which is not
            await until(told, SETTLES_S, "every withdrawal is effective")
        ledger = await read_ledger(stage, children)
    findings = check(ledger, hammer.attempts, hammer.quiets)
    if hammer.answered < attempts:
        findings.append(f"only {hammer.answered} attempts were answered in the time there was")
    return Outcome(findings, ledger, hammer)
