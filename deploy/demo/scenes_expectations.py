"""Scenes about what home and school expect of each other: voiced, answered in turns, kept or not, looked back on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from uuid import UUID

from deploy.demo.cast import Cast, Child, TalkPlayed
from deploy.demo.stage import SETTLE_S, Stage, Stuck, Who

TALKS, DECLINES, COUNTERS, FORGETS = 0.15, 0.15, 0.3, 0.3
"""Shares of children that are talked about, and of answers; of the reviews, those that nobody makes in time."""
YOUNG_DAYS = 15 * 365
AT_SCHOOL = ("oefent thuis elke dag de jas", "gaat om acht uur naar bed", "neemt elke dag het heen-en-weerschrift mee")
AT_HOME = ("belt als {name} boos was", "zegt het als {name} alleen speelt", "laat {name} met een ander kind eten")
OTHERWISE = "Dat lukt ons drie keer per week met {name}, niet elke dag."
WHY_NOT = "Dat gaat nu niet met {name}; laten we erover praten."
UNTOLD = "SELECT count(*) FROM commitment WHERE next_on <= domain_today()"


async def expectations_are_voiced(stage: Stage, cast: Cast) -> None:
    """Teachers ask something of home and a parent asks something of school; each who is asked answers on their own."""
    firsts = {school: next(one for one in cast.of(school) if _young(stage, one)) for school in cast.keepers}
    chosen = [
        child
        for child in cast.children
        if _young(stage, child)
        and (child in firsts.values() or len(child.holders) > 1 or stage.random.random() < TALKS)
    ][: max(8, len(cast.children) // 5)]
    jobs: list[Awaitable[None]] = []
    for child in {id(one): one for one in (*firsts.values(), *chosen)}.values():
        jobs.append(_voice(stage, child, child.teacher, "home", stage.random.choice(AT_SCHOOL), "{name} {words}."))
        jobs.append(
            _voice(stage, child, child.holders[0], "school", stage.random.choice(AT_HOME), "De school {words}.")
        )
    await stage.all("home and school say what they expect of each other", jobs)
    talks = [(child, talk) for child in cast.children for talk in child.talks]
    await stage.all("and answer", (_answer(stage, child, talk) for child, talk in talks))


def _young(stage: Stage, child: Child) -> bool:
    return bool(child.holders) and (stage.today - child.pupil.born_on).days < YOUNG_DAYS


async def _voice(stage: Stage, child: Child, who: Who, setting: str, words: str, sentence: str) -> None:
    name = child.pupil.person.given
    body = {
        "about": str(child.id),
        "words": sentence.format(name=name, words=words.format(name=name)),
        "why": f"Dan heeft {name} thuis en op school hetzelfde.",
        "settings": [setting],
        "talk_on": str(stage.today + timedelta(days=7)),
    }
    reply = await stage.went(stage.do(who, "network", "voice-expectation", **body), f"something asked of {setting}")
    for one in reply["dialogues"] if reply else ():
        asked = Who(child.school, UUID(one["member"])) if one["member"] else child.coordinator
        child.talks.append(TalkPlayed(one["dialogue"], one["version"], who, asked))


async def _answer(stage: Stage, child: Child, talk: TalkPlayed) -> None:
    name, mood = child.pupil.person.given, stage.random.random()
    days = {"by_on": str(stage.today + timedelta(days=20)), "review_on": str(stage.today + timedelta(days=25))}
    if mood < DECLINES:
        await _say(stage, talk, talk.asked, "declined", words=WHY_NOT.format(name=name))
        return
    if mood < DECLINES + COUNTERS:
        await _say(stage, talk, talk.asked, "proposed", words=OTHERWISE.format(name=name), **days)
        await _say(stage, talk, talk.asking, "accepted")
    else:
        await _say(stage, talk, talk.asked, "accepted", **days)
    talk.agreed = True


async def _say(stage: Stage, talk: TalkPlayed, who: Who, answer: str, **more: str) -> None:
    body = {"dialogue": talk.id, "version": talk.version, "answer": answer, **more}
    reply = await stage.went(stage.do(who, "network", "answer-expectation", **body), f"expectation {answer}")
    talk.version = reply["version"] if reply else talk.version


async def former_partners_read(stage: Stage, cast: Cast) -> None:
    """Every parent reads what is expected round the child: the own dialogues, and none of another parent's."""
    children = [child for child in cast.children if child.talks]
    await stage.all(
        "parents read the dialogues they are in",
        (_reads(stage, child, who) for child in children for who in child.holders),
    )


async def _reads(stage: Stage, child: Child, who: Who) -> None:
    asking = stage.ask(who, "network", "expectations", about=str(child.id))
    found = await stage.went(asking, "parent read what is expected")
    read = {one["dialogue"] for one in found["expectations"]} if found else set()
    own = {talk.id for talk in child.talks if who in (talk.asking, talk.asked)}
    if read != own:
        stage.surprises.append(f"{who.id} reads {len(read - own)} dialogues of others and misses {len(own - read)}")


async def commitments_are_looked_back_on(stage: Stage, cast: Cast) -> None:
    """The day to look back has come: everyone is told; most say how it went, each from their own side."""
    await _reminders(stage)
    agreed = [talk for child in cast.children for talk in child.talks if talk.agreed]
    reviewed = [talk for talk in agreed if stage.random.random() >= FORGETS]
    await stage.all("both sides look back on what was agreed", (_look_back(stage, talk) for talk in reviewed))
    await _reminders(stage)


async def _reminders(stage: Stage) -> None:
    """Waits until network has told every review whose day has come."""
    end = asyncio.get_running_loop().time() + SETTLE_S
    while any(
        [(await stage.books.rows("network", school, UNTOLD))[0][0] for school in await stage.books.heads("network")]
    ):
        if asyncio.get_running_loop().time() > end:
            raise Stuck(f"reviews are not told after {SETTLE_S:g} s; see `samen status`")
        await asyncio.sleep(0.1)


async def _look_back(stage: Stage, talk: TalkPlayed) -> None:
    for who in (talk.asked, talk.asking):
        outcome = stage.random.choice(("kept", "kept", "kept", "partly", "not", "no_longer_needed"))
        body = {"dialogue": talk.id, "version": talk.version, "outcome": outcome}
        reply = await stage.went(stage.do(who, "network", "review-commitment", **body), f"commitment: {outcome}")
        talk.version = reply["version"] if reply else talk.version
    talk.reviewed = True
