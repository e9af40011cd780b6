"""People at work: seeded journeys of real commands, each given with a key and retried, some given up on.

What was said and answered is kept, for the checker to hold against what is written down.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.faults.cast import Kid, School, goal_for
from tests.faults.door import Answer, Door, Json

PATIENCE_S = 60.0
RESTS_S = 0.2
"""Between two things that somebody does, at most: so short that the machine is the limit."""
GIVES_UP = 0.12
REPEATS = 0.1


@dataclass(slots=True)
class Said:
    """One command, and the last word on it: `ok` with its reply, a problem's type, or `silence`."""

    school: str
    service: str
    name: str
    actor: str
    key: str
    kind: str = "silence"
    reply: Any = None


class Refused(Exception):
    """A command was refused in a way that ends this journey."""


class Load:
    """A number of people who go on until told to stop. `troubles` are answers that may never be given."""

    def __init__(self, door: Door, schools: tuple[School, ...], seed: int, rests_s: float = RESTS_S) -> None:
        self.door = door
        self.rests_s = rests_s
        self.schools = schools
        self.seed = seed
        self.said: list[Said] = []
        self.troubles: list[str] = []
        self.answers: Counter[str] = Counter()
        self.stopping = False

    def calm_kids(self) -> set[str]:
        """Returns the children whose network nobody changes: who is told of their goals is known beforehand."""
        return {kid.child for school in self.schools for kid in school.kids[::2]}

    async def run(self) -> None:
        """Works until `stopping` is set; a command under way is answered, or given up, first."""
        workers = []
        for s, school in enumerate(self.schools):
            for k, kid in enumerate(school.kids):
                randomness = Random(f"{self.seed}/{s}/{k}")
                changing = k % 2 == 1
                workers.append(_Worker(self, school, kid, randomness, changing=changing).run())
        await asyncio.gather(*workers)


class _Worker:
    def __init__(self, load: Load, school: School, kid: Kid, randomness: Random, *, changing: bool) -> None:
        self.load = load
        self.school = school
        self.kid = kid
        self.random = randomness
        self.journeys = [self.goal, self.goal, self.inbox] + ([self.consent, self.member] if changing else [])

    async def run(self) -> None:
        while not self.load.stopping:
            await asyncio.sleep(self.load.rests_s * self.random.random())
            try:
                await self.random.choice(self.journeys)()
            except Refused:
                await asyncio.sleep(0.05)

    async def give(self, who: str, path: str, may_clash: bool = False, **body: Json) -> Json:
        """Gives one command to the end: ok, a refusal, or giving up. Raises Refused but on ok."""
        service, name = path.split(".")
        school, load = self.school.slug, self.load
        key = f"{self.random.getrandbits(96):024x}"
        said = Said(school, service, name, who, key)
        load.said.append(said)
        gives_up = self.random.random() < GIVES_UP
        end = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            answer = await self._once(who, path, key, body)
            said.kind = answer.kind
            if answer.done:
                break
            if answer.kind not in {"silence", "unavailable"}:
                if not may_clash:
                    load.troubles.append(f"{path} was refused, though nothing stood in its way: {answer.problem}")
                raise Refused(answer.kind)
            if gives_up or load.stopping or asyncio.get_running_loop().time() > end:
                raise Refused("given up")
            await asyncio.sleep(0.1 + 0.2 * self.random.random())
        said.reply = answer.ok
        if self.random.random() < REPEATS:
            again = await self._once(who, path, key, body)
            if again.done and again.ok != answer.ok:
                load.troubles.append(f"{path} with the same key was answered {answer.ok}, then {again.ok}")
            elif not again.done and again.kind not in {"silence", "unavailable"} and not may_clash:
                load.troubles.append(f"{path} was answered ok, and with the same key {again.problem}")
        return answer.ok

    async def _once(self, who: str, path: str, key: str, body: dict[str, Any]) -> Answer:
        door, school = self.load.door, self.school.slug
        actor = door.person(who, school)
        answer = await door.command(school, path, actor, key=key, **body)
        self.load.answers[answer.kind] += 1
        return answer

    async def goal(self) -> None:
        """A goal from proposal to its end."""
        kid = self.kid
        at = await self.give(kid.teacher, "goals.propose-goal", **goal_for(kid))
        for who, step in ((kid.mum, "accept-goal"), (kid.teacher, "activate-goal")):
            at = await self.give(who, f"goals.{step}", goal=at["goal"], version=at["version"])
        for who, setting in ((kid.mum, "home"), (kid.teacher, "school"), (kid.dad, "home")):
            level = self.random.randint(-2, 2)
            body = {"goal": at["goal"], "level": level, "observed_on": "2026-11-01", "setting": setting}
            await self.give(who, "goals.score-goal", **body)
        end: dict[str, Json] = {"goal": at["goal"], "version": at["version"], "achievement": "achieved"}
        await self.give(kid.mum, "goals.complete-goal", **end)

    async def inbox(self) -> None:
        """A guardian reads what is new, and puts it away."""
        who, school, door = self.kid.dad, self.school.slug, self.load.door
        looked = await door.query(
            school, "notifications.inbox", door.person(who, school), purpose="guidance", states=["unread"], limit=3
        )
        self.load.answers["look:" + looked.kind] += 1
        for notice in (looked.ok or {}).get("notices", ()):
            at = {"notice": notice["notice"], "version": notice["version"]}
            at = await self.give(who, "notifications.read-notice", **at)
            await self.give(who, "notifications.done-notice", notice=at["notice"], version=at["version"])

    async def consent(self) -> None:
        """Both holders agree to something, then one takes it back. A step given up before may stand in the way."""
        kid = self.kid
        about = {
            "child": kid.child,
            "for_purpose": "care_coordination",
            "recipient": kid.therapist,
            "categories": ["goals"],
        }
        for who in (kid.mum, kid.dad):
            await self.give(who, "network.give-consent", may_clash=True, **about, notice_version=1)
        for who in (kid.mum, kid.dad):
            await self.give(who, "network.withdraw-consent", may_clash=True, **about)

    async def member(self) -> None:
        """Someone takes part for a while."""
        body: dict[str, Json] = {"subject": self.kid.child, "role": "psychologist"}
        new = {"given_name": "Pim", "family_name": "Proef"}
        at = await self.give(self.school.admin, "network.add-member", new_person=new, **body)
        end = {"subject": self.kid.child, "membership": at["membership"], "version": at["version"]}
        await self.give(self.school.admin, "network.end-membership", **end)
