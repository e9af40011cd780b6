"""Emergency access on the whole platform: usable when it is answered, told to reviewers, gone when it is ended."""

from __future__ import annotations

from typing import Any

import pydantic_core
import pytest

from tests.faults.cast import Kid, goal_for, open_school, roster
from tests.faults.door import Door, Json
from tests.faults.stage import until

SLUG = "urgent"

pytestmark = pytest.mark.timeout(180)


async def notices(door: Door, who: str) -> list[dict[str, Any]]:
    answer = await door.query(SLUG, "notifications.inbox", door.person(who, SLUG), purpose="oversight")
    return [one for one in (answer.ok or {}).get("notices", ()) if one["kind"] == "emergency_started"]


async def look(door: Door, who: str, kid: Kid) -> str:
    body = {"about": kid.child, "purpose": "guidance"}
    return (await door.query(SLUG, "goals.goals-of-child", door.person(who, SLUG), **body)).kind


async def effective(door: Door, reply: dict[str, Json]) -> str:
    asked = pydantic_core.to_json({"school": SLUG, "withdrawal": reply["withdrawal"]})
    return str(pydantic_core.from_json((await door.client.request("ask.effective", asked, timeout=12)).data)["how"])


async def test_it_is_usable_when_answered_told_to_reviewers_only_and_gone_when_ended(door: Door) -> None:
    school = await open_school(door, SLUG, 1)
    kid, admin = school.kids[0], door.person(school.admin, SLUG)
    people = {}
    for role in ("school_leader", "psychologist"):
        new = {"given_name": role, "family_name": "Proef"}
        subject = (await door.query(SLUG, "network.school", admin, purpose="administration")).ok["subject"]
        made = await door.must(SLUG, "network.add-member", admin, subject=subject, role=role, new_person=new)
        people[role] = made["person"]
    leader, helper = people["school_leader"], people["psychologist"]
    await door.must(SLUG, "goals.propose-goal", door.person(kid.teacher, SLUG), **goal_for(kid))
    for _ in range(8):
        assert await look(door, helper, kid) == "forbidden"
        reply = await door.must(
            SLUG, "network.break-glass", door.person(helper, SLUG), child=kid.child, reason="Kim is missing"
        )
        assert await look(door, helper, kid) == "ok"
        end = {"child": kid.child, "emergency": reply["emergency"], "version": 1}
        ended = await door.must(SLUG, "network.end-emergency", door.person(helper, SLUG), **end)
        assert await effective(door, ended) == "confirmed"
    assert await look(door, helper, kid) == "forbidden"

    async def told() -> bool:
        return len(await notices(door, leader)) == 8

    await until(told, 30, "an urgent notice of each for the reviewer")
    assert all(one["urgent"] for one in await notices(door, leader))
    for other in (helper, kid.teacher, kid.mum, school.admin):
        assert await notices(door, other) == []
    review = {**end, "version": 2, "outcome": "justified", "reason": "found safe"}
    done = await door.must(SLUG, "network.review-emergency", door.person(leader, SLUG), **review)
    assert await effective(door, done) == "confirmed"


async def test_a_stricter_policy_is_effective_only_when_it_holds_for_every_child(door: Door) -> None:
    school = await open_school(door, SLUG, 3, roster(3))
    admin, logo = door.person(school.admin, SLUG), school.kids[0].therapist
    for kid in school.kids:
        await door.must(SLUG, "goals.propose-goal", door.person(kid.teacher, SLUG), **goal_for(kid))
        consent: dict[str, Json] = {
            "child": kid.child,
            "for_purpose": "guidance",
            "recipient": logo,
            "categories": ["goals"],
        }
        await door.must(SLUG, "network.give-consent", door.person(kid.mum, SLUG), **consent, notice_version=1)
    policy = {"decision": "sharing", "rule": "one_unless_objection"}
    await door.must(SLUG, "network.set-policy", admin, **policy)
    for kid in school.kids:

        async def sees(kid: Kid = kid) -> bool:
            return await look(door, logo, kid) == "ok"

        await until(sees, 30, "what one yes gives under the new policy")
    strict = await door.must(SLUG, "network.set-policy", admin, **policy | {"rule": "all_holders"})
    assert await effective(door, strict) in {"confirmed", "clock"}
    assert [await look(door, logo, kid) for kid in school.kids] == ["forbidden"] * 3
